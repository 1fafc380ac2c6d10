"""Answers to chapter 4's exercises."""

import copy
import math

import numpy as np
import torch
from torch import nn

from answers import right, wrong


@right("4.1")
def count_by_formula(in_features, num_classes, hidden, num_heads, out_heads):
    width = num_heads * hidden
    first = in_features * width + 2 * width + width
    second = width * out_heads * num_classes + 2 * out_heads * num_classes
    return first + second + num_classes


@right("4.1")
def count_head_by_head(in_features, num_classes, hidden, num_heads, out_heads):
    total = 0
    for _ in range(num_heads):
        total += in_features * hidden  # W
        total += hidden + hidden  # both halves of a
        total += hidden  # bias
    for _ in range(out_heads):
        total += num_heads * hidden * num_classes
        total += num_classes + num_classes
    return total + num_classes  # the bias comes after the mean


@right("4.1")
def count_shapes(in_features, num_classes, hidden, num_heads, out_heads):
    width, out = num_heads * hidden, out_heads * num_classes
    first = [(in_features, width), (num_heads, hidden), (num_heads, hidden), (width,)]
    second = [(width, out), (out_heads, num_classes), (out_heads, num_classes)]
    return sum(math.prod(shape) for shape in [*first, *second, (num_classes,)])


@wrong(
    "4.1",
    "every output head has a bias of its own, though the mean is taken first",
    "The output layer adds its bias once, after the",
)
def output_bias_for_each_head(in_features, num_classes, hidden, num_heads, out_heads):
    width, out = num_heads * hidden, out_heads * num_classes
    return width * (in_features + 3) + out * (width + 3)


@wrong("4.1", "attention has no parameters of its own", "The vectors a are missing.")
def attention_is_free(in_features, num_classes, hidden, num_heads, out_heads):
    width = num_heads * hidden
    return in_features * width + width + width * out_heads * num_classes + num_classes


@wrong("4.1", "a layer has no bias", "The biases are missing.")
def no_bias(in_features, num_classes, hidden, num_heads, out_heads):
    width, out = num_heads * hidden, out_heads * num_classes
    return (in_features + 2) * width + (width + 2) * out


@wrong(
    "4.1",
    "the output layer reads one head's features, not all heads'",
    "The second layer reads all heads of the first,",
)
def output_reads_one_head(in_features, num_classes, hidden, num_heads, out_heads):
    first = num_heads * (in_features * hidden + 3 * hidden)
    second = out_heads * (hidden * num_classes + 2 * num_classes)
    return first + second + num_classes


@wrong(
    "4.1",
    "the heads of the hidden layer share one bias of F' numbers",
    "bias is counted for one head",
)
def heads_share_a_bias(in_features, num_classes, hidden, num_heads, out_heads):
    width, out = num_heads * hidden, out_heads * num_classes
    first = in_features * width + 2 * width + hidden
    second = width * out + 2 * out + num_classes
    return first + second


@wrong(
    "4.1",
    "the mean makes the number of output heads irrelevant",
    "The output heads are left out: each has its own",
)
def output_heads_ignored(in_features, num_classes, hidden, num_heads, out_heads):
    width = num_heads * hidden
    first = in_features * width + 3 * width
    return first + width * num_classes + 3 * num_classes


@wrong(
    "4.1",
    "one vector a serves all heads of a layer",
    "Each head has its own a; here all heads of a",
)
def heads_share_attention(in_features, num_classes, hidden, num_heads, out_heads):
    width, out = num_heads * hidden, out_heads * num_classes
    first = in_features * width + 2 * hidden + width
    second = width * out + 2 * num_classes + num_classes
    return first + second


@wrong(
    "4.1",
    "a has F' numbers, one half for both target and source",
    "Each a has two halves, for the target and for",
)
def half_of_attention(in_features, num_classes, hidden, num_heads, out_heads):
    total, features = 0, in_features
    for width in (num_heads * hidden, out_heads * num_classes):
        total += features * width + width
        features = width
    return total + num_heads * hidden + num_classes


@wrong(
    "4.1",
    "a acts on the features before W, so it has 2 F numbers for each head",
    "a meets z = Wᵀh, of F' numbers for each head,",
)
def attention_on_inputs(in_features, num_classes, hidden, num_heads, out_heads):
    width = num_heads * hidden
    first = in_features * width + 2 * in_features * num_heads + width
    second = width * out_heads * num_classes + 2 * width * out_heads + num_classes
    return first + second


@wrong(
    "4.1",
    "Every output head has a bias of its own, though they are averaged",
    "The output layer adds its bias once, after the",
)
def bias_for_each_output_head(in_features, num_classes, hidden, num_heads, out_heads):
    wide, out = hidden * num_heads, num_classes * out_heads
    return in_features * wide + 3 * wide + wide * out + 3 * out


@wrong(
    "4.1",
    "All heads of a layer share one vector a",
    "Each head has its own a; here all heads of a",
)
def one_a_for_all_heads(in_features, num_classes, hidden, num_heads, out_heads):
    wide = hidden * num_heads
    first = in_features * wide + 2 * hidden + wide
    return first + wide * num_classes * out_heads + 2 * num_classes + num_classes


@right("4.2")
def merge_by_cat_and_stack(heads, merge):
    if merge == "concat":
        return torch.cat(list(heads), dim=1)
    return torch.stack(list(heads)).mean(dim=0)


@right("4.2")
def merge_in_a_loop(heads, merge):
    if merge == "concat":
        columns = [head[:, c] for head in heads for c in range(head.shape[1])]
        return torch.stack(columns, dim=1)
    total = torch.zeros_like(heads[0])
    for head in heads:
        total = total + head
    return total / len(heads)


@right("4.2")
def merge_one_tensor(heads, merge):
    together = torch.stack(tuple(heads), dim=1)  # [N, K, F']
    if merge == "concat":
        return together.flatten(1)
    share = together.new_full((len(heads),), 1 / len(heads))
    return torch.einsum("nkf,k->nf", together, share)


@right("4.2")
def merged_in_numpy(heads, merge):
    arrays = [head.detach().numpy() for head in heads]
    if merge == "concat":
        return torch.from_numpy(np.concatenate(arrays, axis=1))
    return torch.from_numpy(np.mean(arrays, axis=0))


@wrong(
    "4.2",
    "the mean of a stack needs no axis",
    'With "mean" it is a single number: it averages',
)
def mean_of_everything(heads, merge):
    if merge == "concat":
        return torch.cat(heads, dim=1)
    return torch.mean(torch.stack(heads))


@wrong(
    "4.2",
    "heads are put below one another",
    'With "concat" the heads lie below each other; a',
)
def concatenate_rows(heads, merge):
    if merge == "concat":
        return torch.cat(heads)
    return torch.stack(heads).mean(dim=0)


@wrong(
    "4.2",
    "a stack [K, N, F'] can be viewed as [N, K F']",
    'With "concat" the numbers are reshaped without',
)
def view_of_the_stack(heads, merge):
    stack = torch.stack(heads)
    if merge == "concat":
        return stack.reshape(stack.shape[1], -1)
    return stack.mean(dim=0)


@wrong(
    "4.2",
    "the features of the heads are interleaved",
    'With "concat" the heads are mixed; a head\'s',
)
def interleaved(heads, merge):
    stack = torch.stack(heads, dim=-1)  # [N, F', K]
    return stack.flatten(1) if merge == "concat" else stack.mean(dim=-1)


@wrong(
    "4.2",
    "the stack's first axis is the nodes, so the mean is over its second",
    'With "mean" it averages over the nodes; average',
)
def mean_over_nodes(heads, merge):
    if merge == "concat":
        return torch.cat(heads, dim=-1)
    return torch.stack(heads).mean(dim=1)


@wrong(
    "4.2",
    "the heads are added, not averaged",
    'With "mean" you return the sum of the heads.',
)
def sum_of_heads(heads, merge):
    return torch.cat(heads, dim=1) if merge == "concat" else sum(heads)


@wrong(
    "4.2",
    "the total is collected in the first head, which changes it",
    "You write into `heads`, which you are given:",
)
def collected_in_the_first(heads, merge):
    if merge == "concat":
        return torch.cat(heads, dim=1)
    total = heads[0]
    for head in heads[1:]:
        total += head
    return total / len(heads)


@wrong(
    "4.2",
    "halving after each addition gives the mean of all",
    'With "mean" each head halves those before it:',
)
def running_halves(heads, merge):
    out = heads[0]
    for head in heads[1:]:
        out = torch.cat([out, head], 1) if merge == "concat" else (out + head) / 2
    return out


@wrong(
    "4.2",
    "Stacked in the last dimension and reshaped is side by side",
    'With "concat" the heads are mixed; a head\'s',
)
def heads_interleaved(heads, merge):
    stacked = torch.stack(heads, dim=-1)
    if merge == "mean":
        return stacked.mean(dim=-1)
    return stacked.reshape(len(stacked), -1)


@wrong(
    "4.2",
    "The joined vector can be cut into F' groups of K for the mean",
    'With "mean" neighbouring columns of the joined',
)
def mean_of_neighbouring_columns(heads, merge):
    joined = torch.cat(heads, dim=1)
    if merge == "concat":
        return joined
    return joined.view(len(joined), -1, len(heads)).mean(dim=2)


@right("4.3")
def spread_by_formula(alpha, p):
    return math.sqrt(p / (1 - p) * float((alpha.double() ** 2).sum()))


@right("4.3")
def spread_weight_by_weight(alpha, p):
    variance = 0.0
    for a in alpha.tolist():
        kept = a / (1 - p)
        variance += (1 - p) * (kept - a) ** 2 + p * (0 - a) ** 2
    return variance**0.5


@right("4.3")
def spread_from_the_norm(alpha, p):
    return np.linalg.norm(np.asarray(alpha.tolist())) * np.sqrt(p / (1 - p))


@wrong(
    "4.3",
    "the variance is taken for the standard deviation",
    "This is the variance, not the standard",
)
def variance_without_root(alpha, p):
    return float(p / (1 - p) * (alpha**2).sum())


@wrong(
    "4.3",
    "dropout does not rescale what it keeps",
    "This leaves out that dropout divides what it",
)
def without_rescaling(alpha, p):
    return float((p * (1 - p) * (alpha**2).sum()).sqrt())


@wrong(
    "4.3",
    "the standard deviations of the weights add up",
    "Every weight is dropped on its own, so that",
)
def deviations_add_up(alpha, p):
    single = alpha * math.sqrt(p / (1 - p))
    return float(single.sum())


@wrong(
    "4.3",
    "p is the probability to keep a weight",
    "p and 1 − p are swapped: p is the probability",
)
def p_keeps(alpha, p):
    return float(((1 - p) / p * (alpha**2).sum()).sqrt())


@wrong(
    "4.3",
    "the weights are all equal, so their number suffices",
    "This holds for equal weights alone: it uses",
)
def number_of_weights_only(alpha, p):
    return math.sqrt(p / ((1 - p) * len(alpha)))


@wrong(
    "4.3",
    "the variance of one weight is its mean square",
    "The variance of a coin is p(1 − p), not 1 − p.",
)
def mean_square(alpha, p):
    kept = alpha / (1 - p)
    return float(((1 - p) * kept**2).sum().sqrt())


@wrong(
    "4.3",
    "a coin's variance is p, so only the rescaling is divided out",
    "The variance of a coin is p(1 − p), not p.",
)
def variance_of_a_coin_is_p(alpha, p):
    return float((p * (alpha / (1 - p)).square().sum()).sqrt())


@wrong(
    "4.3",
    "a sample of dropped weights gives the number exactly enough",
    "Called twice with the same input it gives two",
)
def by_sampling(alpha, p):
    kept = torch.rand(1000, len(alpha)) >= p
    return float((kept * alpha / (1 - p)).sum(dim=1).std())


@wrong(
    "4.3",
    "the sum is squared where the squares are to be summed",
    "This holds for equal weights alone: it uses",
)
def square_of_the_sum(alpha, p):
    variance = p / (1 - p) * alpha.sum() ** 2 / len(alpha)
    return float(variance.sqrt())


@wrong(
    "4.3",
    "A weight that stays is not scaled: its variance is α²p(1 - p)",
    "This leaves out that dropout divides what it",
)
def spread_without_the_scale(alpha, p):
    return float((alpha.square().sum() * p * (1 - p)).sqrt())


@wrong(
    "4.3",
    "The weights of D neighbours are 1/D",
    "This holds for equal weights alone: it uses",
)
def spread_of_even_weights(alpha, p):
    return math.sqrt(p / ((1 - p) * len(alpha)))


@right("4.4")
def zero_the_columns(layer, k):
    new = copy.deepcopy(layer)
    width = layer.out_features
    with torch.no_grad():
        new.weight[:, k * width : (k + 1) * width] = 0
    return new


@right("4.4")
def zero_by_state_dict(layer, k):
    new = copy.deepcopy(layer)
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    for column in range(layer.num_heads * layer.out_features):
        if column // layer.out_features == k:
            state["weight"][:, column] = 0.0
    new.load_state_dict(state)
    return new


@right("4.4")
def zero_by_mask(layer, k):
    new = copy.deepcopy(layer)
    others = torch.arange(layer.num_heads, device=layer.weight.device) != k
    columns = others.repeat_interleave(layer.out_features)  # [K F']
    new.weight = nn.Parameter(torch.where(columns, layer.weight.detach(), 0.0))
    return new


@wrong(
    "4.4",
    "the layer itself is changed and returned",
    "The layer itself was changed: work on a copy of",
)
def no_copy(layer, k):
    width = layer.out_features
    with torch.no_grad():
        layer.weight[:, k * width : (k + 1) * width] = 0
    return layer


@wrong(
    "4.4",
    "a shallow copy has parameters of its own",
    "The layer itself was changed: work on a copy of",
)
def shallow_copy(layer, k):
    new = copy.copy(layer)
    width = layer.out_features
    new.weight.data[:, k * width : (k + 1) * width] = 0
    return new


@wrong(
    "4.4",
    "a head without attention vectors contributes nothing",
    "Head k still contributes: without scores it",
)
def zero_attention_vectors(layer, k):
    new = copy.deepcopy(layer)
    with torch.no_grad():
        new.att_dst[k] = 0
        new.att_src[k] = 0
    return new


@wrong(
    "4.4",
    "the columns of a head lie K apart",
    "Every third column is silenced; a head's",
)
def strided_columns(layer, k):
    new = copy.deepcopy(layer)
    with torch.no_grad():
        new.weight[:, k :: layer.num_heads] = 0
    return new


@wrong(
    "4.4",
    "the head is cut out, which leaves K - 1",
    "The head is cut out, which leaves a layer of",
)
def cut_out(layer, k):
    new = copy.deepcopy(layer)
    rest = [head for head in range(layer.num_heads) if head != k]
    weight = layer.weight.detach().view(layer.in_features, layer.num_heads, -1)
    new.num_heads = len(rest)
    new.weight = nn.Parameter(weight[:, rest].flatten(1))
    new.att_dst = nn.Parameter(layer.att_dst.detach()[rest])
    new.att_src = nn.Parameter(layer.att_src.detach()[rest])
    if layer.merge == "concat" and layer.bias is not None:
        bias = layer.bias.detach().view(layer.num_heads, -1)
        new.bias = nn.Parameter(bias[rest].flatten())
    return new


@wrong(
    "4.4",
    "the bias of the head goes as well",
    "The bias is silenced, too. It belongs to no",
)
def bias_goes_too(layer, k):
    new = copy.deepcopy(layer)
    columns = slice(k * layer.out_features, (k + 1) * layer.out_features)
    new.weight.data[:, columns] = 0
    if new.bias is not None:
        new.bias.data[columns] = 0
    return new


@wrong(
    "4.4",
    "the residual connection of the head goes as well",
    "The residual is silenced, too. It belongs to no",
)
def residual_goes_too(layer, k):
    new = copy.deepcopy(layer)
    columns = slice(k * layer.out_features, (k + 1) * layer.out_features)
    with torch.no_grad():
        new.weight[:, columns] = 0
        if new.residual_weight is not None:
            new.residual_weight[:, columns] = 0
    return new


@wrong(
    "4.4",
    "the mean is then one over the heads that are left",
    "W is made larger, so that the others' mean",
)
def mean_over_the_rest(layer, k):
    new = copy.deepcopy(layer)
    width, heads = layer.out_features, layer.num_heads
    with torch.no_grad():
        new.weight[:, k * width : (k + 1) * width] = 0
        if layer.merge == "mean" and heads > 1:
            new.weight *= heads / (heads - 1)
    return new


@wrong(
    "4.4",
    "heads are counted from one",
    "The head before is silenced; heads are counted",
)
def heads_from_one(layer, k):
    new = copy.deepcopy(layer)
    width = layer.out_features
    with torch.no_grad():
        new.weight[:, (k - 1) * width : k * width] = 0
    return new


@wrong(
    "4.4",
    "A head whose attention vectors are zero says nothing",
    "Head k still contributes: without scores it",
)
def without_its_scores(layer, k):
    new = copy.deepcopy(layer)
    with torch.no_grad():
        new.att_dst[k] = 0
        new.att_src[k] = 0
    return new


@wrong(
    "4.4",
    "All that stands in the head's columns is the head's, the bias too",
    "The bias is silenced, too. It belongs to no",
)
def bias_silenced_too(layer, k):
    new = copy.deepcopy(layer)
    columns = slice(k * layer.out_features, (k + 1) * layer.out_features)
    with torch.no_grad():
        new.weight[:, columns] = 0
        if new.bias is not None:
            new.bias[columns] = 0
    return new


@right("4.5", made=True)
def both_degrees():
    def coordinates(graph):
        degree = graph.in_degrees.float()
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return (u[:, :1] * u[:, 1:]).rsqrt()

    return coordinates, weigh


@right("4.5", made=True)
def roots_as_coordinates():
    def coordinates(graph):
        degree = [0] * graph.num_nodes
        for target in graph.dst.tolist():
            degree[target] += 1
        ends = zip(graph.dst.tolist(), graph.src.tolist())
        root = [max(number, 1) ** -0.5 for number in degree]
        return torch.tensor([[root[i], root[j]] for i, j in ends]).reshape(-1, 2)

    def weigh(u):
        return u.prod(dim=1, keepdim=True)

    return coordinates, weigh


@right("4.5", made=True)
def logarithms_as_coordinates():
    def coordinates(graph):
        ones = torch.ones(graph.num_edges)
        degree = torch.zeros(graph.num_nodes).index_add(0, graph.dst, ones)
        ends = torch.stack([graph.src, graph.dst])  # [2, E]
        return degree.clamp(min=1).log()[ends].t()

    def weigh(u):
        return torch.exp(-u.mean(dim=-1)).unsqueeze(-1)

    return coordinates, weigh


@wrong(
    "4.5",
    "the source's degree is left out",
    "This is the mean: the source's degree is",
    made=True,
)
def mean_only():
    def coordinates(graph):
        degree = graph.in_degrees.float()
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return 1 / u[:, :1]

    return coordinates, weigh


@wrong(
    "4.5",
    "the source's degree counts the edges out of it",
    "The degree of a source counts edges into it,",
    made=True,
)
def sources_out_degree():
    def coordinates(graph):
        out = torch.bincount(graph.src, minlength=graph.num_nodes)
        ends = [graph.in_degrees[graph.dst], out[graph.src]]
        return torch.stack(ends, dim=1).float()

    def weigh(u):
        return u.prod(dim=1, keepdim=True).rsqrt()

    return coordinates, weigh


@wrong("4.5", "the square root is forgotten", "The square root is missing.", made=True)
def without_the_root():
    def coordinates(graph):
        degree = graph.in_degrees.float()
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return 1 / u.prod(dim=1, keepdim=True)

    return coordinates, weigh


@wrong(
    "4.5",
    "the degrees are added under the root",
    "It divides by the root of the sum of the",
    made=True,
)
def root_of_the_sum():
    def coordinates(graph):
        degree = graph.in_degrees.float()
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return 1 / u.sum(dim=1, keepdim=True).sqrt()

    return coordinates, weigh


@wrong(
    "4.5",
    "an edge that occurs twice counts once in a degree",
    "occurs twice counts once in your answer",
    made=True,
)
def distinct_neighbours_counted():
    def coordinates(graph):
        edges = torch.stack([graph.src, graph.dst]).unique(dim=1)
        degree = torch.bincount(edges[1], minlength=graph.num_nodes).float()
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return (u[:, :1] * u[:, 1:]).rsqrt()

    return coordinates, weigh


@wrong(
    "4.5",
    "GCN adds a self-loop, so each degree is one larger",
    "A self-loop is counted that the graph has",
    made=True,
)
def degrees_plus_one():
    def coordinates(graph):
        degree = graph.in_degrees.float() + 1
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return (u[:, :1] * u[:, 1:]).rsqrt()

    return coordinates, weigh


@wrong(
    "4.5",
    "the weight is multiplied by the root instead of divided",
    "This multiplies by the root; GCN divides by it.",
    made=True,
)
def root_not_inverted():
    def coordinates(graph):
        degree = graph.in_degrees.float()
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return u.prod(dim=1, keepdim=True).sqrt()

    return coordinates, weigh


@wrong(
    "4.5",
    "the weights come without the axis of the heads",
    "Your w should have shape [E, 1]; it has [3].",
    made=True,
)
def weights_without_head_axis():
    def coordinates(graph):
        degree = graph.in_degrees.float()
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return 1 / (u[:, 0] * u[:, 1]).sqrt()

    return coordinates, weigh


@wrong(
    "4.5",
    "a degree counts the edges in and out",
    "Degrees count the edges in and out; those into",
    made=True,
)
def edges_in_and_out():
    def coordinates(graph):
        ends = torch.cat([graph.src, graph.dst])
        degree = torch.bincount(ends, minlength=graph.num_nodes).float()
        return torch.stack([degree[graph.dst], degree[graph.src]], dim=1)

    def weigh(u):
        return (u[:, :1] * u[:, 1:]).rsqrt()

    return coordinates, weigh


@wrong(
    "4.5",
    "A source's degree counts the edges that leave it",
    "The degree of a source counts edges into it,",
    made=True,
)
def source_by_its_out_degree():
    def coordinates(graph):
        out_degrees = torch.bincount(graph.src, minlength=graph.num_nodes)
        both = (graph.in_degrees[graph.dst], out_degrees[graph.src])
        return torch.stack(both, dim=1).float()

    return coordinates, lambda u: u.prod(dim=1, keepdim=True).rsqrt()


@wrong(
    "4.5",
    "The root of a product of degrees is their mean",
    "It divides by the mean of the two degrees; GCN",
    made=True,
)
def roots_of_the_mean_degree():
    def coordinates(graph):
        ends = torch.stack([graph.dst, graph.src], dim=1)
        return graph.in_degrees[ends].float()

    return coordinates, lambda u: 1 / u.mean(dim=1, keepdim=True)
