"""Answers to chapter 1's exercises."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from answers import right, wrong
from gat_course import formulas
from gat_course.formulas import masked_softmax


@right("1.1", made=True)
def by_pencil():
    return ([0.599, 0.401],)


@right("1.1", made=True)
def by_exponentials():
    top, bottom = math.exp(-0.2), math.exp(-0.6)
    return ([top / (top + bottom), bottom / (top + bottom)],)


@right("1.1", made=True)
def by_the_layer():
    x = torch.tensor([[1.0, 1], [0, 3]])
    z = x @ torch.tensor([[1.0, 1], [0, 1]])
    a = torch.tensor([1.0, 0, 1, -1])
    e = F.leaky_relu(z[1] @ a[:2] + z @ a[2:], 0.2)
    return (torch.softmax(e, dim=0).tolist(),)


@wrong(
    "1.1",
    "the weights in the other order, node 4 first",
    "The order is: first source 3, then source 4.",
    made=True,
)
def other_order():
    return ([0.401, 0.599],)


@wrong("1.1", "LeakyReLU is forgotten", "These weights leave out LeakyReLU.", made=True)
def no_leaky_relu():
    return ([0.881, 0.119],)


@wrong(
    "1.1",
    "the slope is PyTorch's 0.01",
    "LeakyReLU's slope is 0.2; 0.01 is PyTorch's",
    made=True,
)
def slope_of_pytorch():
    return ([0.505, 0.495],)


@wrong(
    "1.1",
    "ReLU makes both negative scores zero",
    "Both weigh the same: as after a ReLU",
    made=True,
)
def relu_scores():
    return ([0.5, 0.5],)


@wrong(
    "1.1",
    "node 4 still has two rock records",
    "Either the first half of a met the source, or",
    made=True,
)
def old_features():
    return ([0.55, 0.45],)


@wrong(
    "1.1",
    "the softmax runs over all five nodes",
    "The softmax runs over all five nodes; only 3",
    made=True,
)
def over_all_nodes():
    return ([0.196, 0.131],)


@wrong(
    "1.1",
    "the exponentials are not divided by their sum",
    "The exponentials are not divided by their sum.",
    made=True,
)
def not_normalised():
    return ([0.819, 0.549],)


@wrong(
    "1.1",
    "a is applied to the features, without W",
    "a meets z = Wᵀh, not h.",
    made=True,
)
def without_transform():
    return ([0.646, 0.354],)


@wrong(
    "1.1",
    "z = W h instead of the transpose of W times h",
    "z is Wᵀh, not W h: W is transposed.",
    made=True,
)
def transposed_transform():
    return ([0.731, 0.269],)


@right("1.2")
def divide_then_mask(scores, mask, tau):
    return masked_softmax(scores / tau, mask)


@right("1.2")
def softmax_of_log_mask(scores, mask, tau):
    logits = scores / tau + mask.to(scores.dtype).log()
    return torch.softmax(logits, dim=-1).nan_to_num(0.0)


@right("1.2")
def row_by_row(scores, mask, tau):
    s = scores.detach().double().numpy()
    m = np.broadcast_to(mask.double().numpy(), s.shape)
    out = np.zeros(s.shape)
    for row in np.ndindex(s.shape[:-1]):
        on = m[row] > 0
        if on.any():
            e = m[row][on] * np.exp((s[row][on] - s[row][on].max()) / tau)
            out[row][on] = e / e.sum()
    return torch.from_numpy(out).to(scores.dtype)


@wrong(
    "1.2",
    "the scores are multiplied by the temperature",
    "The scores are multiplied by τ; divide by it.",
)
def multiplied_by_tau(scores, mask, tau):
    return masked_softmax(scores * tau, mask)


@wrong(
    "1.2",
    "the softmax runs down the columns, over the targets",
    "The softmax runs down each column, over the",
)
def down_the_columns(scores, mask, tau):
    return masked_softmax((scores / tau).t(), mask.t()).t()


@wrong(
    "1.2",
    "the mask comes after the softmax",
    "The mask comes after the softmax, so the",
)
def mask_after(scores, mask, tau):
    return torch.softmax(scores / tau, dim=-1) * mask


@wrong(
    "1.2",
    "the weights are divided by the temperature, not the scores",
    "The weights are divided by τ; divide the",
)
def weights_over_tau(scores, mask, tau):
    return masked_softmax(scores, mask) / tau


@wrong(
    "1.2",
    "no largest score is subtracted, so exp overflows",
    "Nothing is subtracted before the exponential,",
)
def nothing_subtracted(scores, mask, tau):
    weights = torch.exp(scores / tau) * mask
    total = weights.sum(dim=-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1)


@wrong(
    "1.2",
    "the largest score is taken over masked entries too",
    "What is subtracted is the largest score of the",
)
def largest_of_all(scores, mask, tau):
    scaled = scores / tau
    weights = torch.exp(scaled - scaled.amax(dim=-1, keepdim=True)) * mask
    total = weights.sum(dim=-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1)


@wrong(
    "1.2",
    "a masked score is zero, as if exp(0) were nothing",
    "Masked scores are set to 0, and exp(0) = 1:",
)
def masked_scores_are_zero(scores, mask, tau):
    return torch.softmax(scores * mask / tau, dim=-1)


@wrong(
    "1.2",
    "weights to the power 1/tau, which underflow at a small tau",
    "The weights are taken to the power 1/τ, which",
)
def powers_of_weights(scores, mask, tau):
    weights = masked_softmax(scores, mask) ** (1 / tau)
    total = weights.sum(dim=-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1)


@wrong(
    "1.2",
    "a masked score of -1000 is low enough at every temperature",
    "Masked entries get weight.",
)
def fill_of_minus_thousand(scores, mask, tau):
    return torch.softmax(scores.masked_fill(mask == 0, -1000) / tau, dim=-1)


@wrong(
    "1.2",
    "Raising the finished weights to 1/τ is the same as dividing the scores",
    "The weights are taken to the power 1/τ, which",
)
def power_of_the_weights(scores, mask, tau):
    weights = formulas.masked_softmax(scores, mask) ** (1 / tau)
    return weights / weights.sum(dim=-1, keepdim=True)


@wrong(
    "1.2",
    "A minus a thousand is infinite enough, before the division by τ too",
    "Masked entries get weight.",
)
def masked_before_the_heat(scores, mask, tau):
    scores = scores.masked_fill(mask == 0, -1e3)
    return torch.softmax(scores / tau, dim=-1)


@right("1.3")
def all_at_once(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    return masked_softmax(e, adjacency) @ z


@right("1.3")
def one_node_at_a_time(x, adjacency, W, a_dst, a_src):
    z = x @ W
    out = []
    for i, row in enumerate(adjacency.to(z.dtype)):
        j = row.nonzero().flatten()
        e = F.leaky_relu(z[i] @ a_dst + z[j] @ a_src, 0.2)
        out.append(torch.softmax(e + row[j].log(), dim=0) @ z[j])
    return torch.stack(out)


@right("1.3")
def by_einsum(x, adjacency, W, a_dst, a_src):
    parts = (x, adjacency, W, a_dst, a_src)
    h, A, w, dst, src = (p.detach().double().numpy() for p in parts)
    z = np.einsum("nf,fg->ng", h, w)
    e = (z @ dst)[:, None] + (z @ src)[None, :]
    e = np.where(e > 0, e, 0.2 * e)
    e = np.where(A > 0, e, -np.inf)
    largest = e.max(axis=1, keepdims=True)
    weights = A * np.exp(e - np.where(np.isinf(largest), 0, largest))
    total = weights.sum(axis=1, keepdims=True)
    alpha = weights / np.where(total == 0, 1, total)
    return torch.from_numpy(np.einsum("ij,jg->ig", alpha, z)).to(x.dtype)


@wrong(
    "1.3",
    "-inf and torch.softmax, so the isolated node gets NaN",
    "Masked scores are set to −∞. That is right",
)
def isolated_is_nan(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    e = e.masked_fill(adjacency == 0, -math.inf)
    return torch.softmax(e, dim=1) @ z


@wrong(
    "1.3",
    "-9e15 in place of -inf, so the isolated node gets the mean",
    "Masked scores are set to a large negative",
)
def large_negative_number(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    e = e.masked_fill(adjacency == 0, -9e15)
    return torch.softmax(e, dim=1) @ z


@wrong(
    "1.3",
    "self-loops are added, so the isolated node keeps its own z",
    "A self-loop is added that is not in the graph.",
)
def adds_self_loops(x, adjacency, W, a_dst, a_src):
    z = x @ W
    loops = ((adjacency + torch.eye(len(x))) > 0).float()
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    return masked_softmax(e, loops) @ z


@wrong(
    "1.3",
    "the halves of a are swapped: a_dst meets the source",
    "The halves of a are swapped: the first is for",
)
def halves_swapped(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_src).unsqueeze(1) + z @ a_dst, 0.2)
    return masked_softmax(e, adjacency) @ z


@wrong(
    "1.3",
    "leaky_relu without a slope, which is 0.01",
    "LeakyReLU has slope 0.01 here, PyTorch's",
)
def default_slope(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src)
    return masked_softmax(e, adjacency) @ z


@wrong(
    "1.3",
    "a row of the adjacency is taken for the source",
    "Messages run backwards: row i of the matrix is",
)
def row_is_source(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    return masked_softmax(e, adjacency.t()) @ z


@wrong(
    "1.3",
    "the weights are normalised over the targets, dim=0",
    "The softmax runs down each column, over the",
)
def over_targets(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    e = e.masked_fill(adjacency == 0, -math.inf)
    return torch.softmax(e, dim=0).nan_to_num(0) @ z


@wrong(
    "1.3",
    "the mask multiplies the finished weights",
    "The mask comes after the softmax, so the",
)
def mask_after_softmax(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    return (torch.softmax(e, dim=1) * adjacency) @ z


@wrong(
    "1.3", "ELU belongs to the layer", "An activation (ELU) is left in; none is asked"
)
def with_elu(x, adjacency, W, a_dst, a_src):
    z = x @ W
    e = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    return F.elu(masked_softmax(e, adjacency) @ z)


@wrong(
    "1.3",
    "A node always sees itself, so the layer puts the self-loops back",
    "A self-loop is added that is not in the graph.",
)
def loops_put_back(x, adjacency, W, a_dst, a_src):
    mask = (adjacency + torch.eye(len(x))) > 0
    z = x @ W
    scores = F.leaky_relu((z @ a_dst)[:, None] + (z @ a_src)[None, :], 0.2)
    return torch.softmax(scores.masked_fill(~mask, -math.inf), dim=1) @ z


@wrong(
    "1.3",
    "The mask may be multiplied in after the softmax; then zeros come free",
    "The mask comes after the softmax, so the",
)
def masked_after_softmax(x, adjacency, W, a_dst, a_src):
    z = x @ W
    scores = F.leaky_relu((z @ a_dst)[:, None] + (z @ a_src)[None, :], 0.2)
    return (torch.softmax(scores, dim=1) * adjacency) @ z


@right("1.4")
def broadcast_pairs(u, v, a, negative_slope=0.2):
    return F.leaky_relu(u.unsqueeze(1) + v.unsqueeze(0), negative_slope) @ a


@right("1.4")
def pair_by_pair(u, v, a, negative_slope=0.2):
    rows = [[a @ F.leaky_relu(ui + vj, negative_slope) for vj in v] for ui in u]
    return torch.stack([torch.stack(row) for row in rows])


@right("1.4")
def einsum_over_features(u, v, a, negative_slope=0.2):
    pairs = u.detach().numpy()[:, None, :] + v.detach().numpy()[None, :, :]
    bent = np.where(pairs > 0, pairs, negative_slope * pairs)
    scores = np.einsum("ijf,f->ij", bent, a.detach().numpy())
    return torch.from_numpy(scores).to(u.dtype)


@wrong(
    "1.4",
    "LeakyReLU comes last, as in the first GAT",
    "This is GAT's score: LeakyReLU comes after the",
)
def static_scores(u, v, a, negative_slope=0.2):
    pairs = (u @ a).unsqueeze(1) + (v @ a).unsqueeze(0)
    return F.leaky_relu(pairs, negative_slope)


@wrong(
    "1.4",
    "u belongs to the columns: row = source",
    "Rows and columns are swapped: the target is the",
)
def row_is_the_source(u, v, a, negative_slope=0.2):
    return F.leaky_relu(u.unsqueeze(0) + v.unsqueeze(1), negative_slope) @ a


@wrong(
    "1.4",
    "negative_slope is not passed on, so it is 0.01",
    "LeakyReLU's slope is 0.01, PyTorch's default;",
)
def slope_not_passed(u, v, a, negative_slope=0.2):
    return F.leaky_relu(u.unsqueeze(1) + v.unsqueeze(0)) @ a


@wrong("1.4", "the slope is always 0.2", "`negative_slope` is not used; you take 0.2")
def slope_always_a_fifth(u, v, a, negative_slope=0.2):
    return F.leaky_relu(u.unsqueeze(1) + v.unsqueeze(0), 0.2) @ a


@wrong(
    "1.4",
    "LeakyReLU of u and of v apart, then the sum",
    "LeakyReLU is applied to u and to v, before",
)
def bends_each_alone(u, v, a, negative_slope=0.2):
    u, v = F.leaky_relu(u, negative_slope), F.leaky_relu(v, negative_slope)
    return (u.unsqueeze(1) + v.unsqueeze(0)) @ a


@wrong(
    "1.4",
    "a multiplies inside the LeakyReLU",
    "a multiplies inside LeakyReLU; it comes after",
)
def a_inside(u, v, a, negative_slope=0.2):
    pairs = a * (u.unsqueeze(1) + v.unsqueeze(0))
    return F.leaky_relu(pairs, negative_slope).sum(dim=-1)


@wrong(
    "1.4",
    "a second LeakyReLU bends the finished score",
    "LeakyReLU comes twice: before the product with",
)
def bends_twice(u, v, a, negative_slope=0.2):
    pairs = F.leaky_relu(u.unsqueeze(1) + v.unsqueeze(0), negative_slope)
    return F.leaky_relu(pairs @ a, negative_slope)


@wrong(
    "1.4",
    "attention weights instead of scores are returned",
    "A softmax over each row is left in at the end.",
)
def weights_for_scores(u, v, a, negative_slope=0.2):
    pairs = F.leaky_relu(u.unsqueeze(1) + v.unsqueeze(0), negative_slope)
    return torch.softmax(pairs @ a, dim=1)


@wrong(
    "1.4",
    "u and v are added in place",
    "It writes into `v`, which it is given: work on",
)
def adds_in_place(u, v, a, negative_slope=0.2):
    rows = []
    for i in range(len(u)):
        v += u[i]
        rows.append(F.leaky_relu(v, negative_slope) @ a)
    return torch.stack(rows)


@wrong(
    "1.4",
    "a splits here too: target and source, each with its LeakyReLU",
    "LeakyReLU is applied to u and to v, before",
)
def split_in_two_again(u, v, a, negative_slope=0.2):
    target = F.leaky_relu(u, negative_slope) @ a
    source = F.leaky_relu(v, negative_slope) @ a
    return target[:, None] + source[None, :]


@wrong(
    "1.4",
    "The slope is 0.2 in the whole course; the argument is not needed",
    "`negative_slope` is not used; you take 0.2",
)
def slope_by_heart(u, v, a, negative_slope=0.2):
    return F.leaky_relu(u[:, None, :] + v[None, :, :], 0.2) @ a


@right("1.5")
def by_formula(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return k * n**2, k * e, 2 * k * n


@right("1.5")
def by_head(num_nodes, num_edges, num_heads):
    one_head = num_nodes * num_nodes, num_edges, num_nodes + num_nodes
    return tuple(num_heads * count for count in one_head)


@right("1.5")
def by_adding_up(num_nodes, num_edges, num_heads):
    all_pairs = all_edges = split = 0
    for _ in range(num_heads):
        all_pairs += num_nodes * num_nodes
        all_edges += num_edges
        for _half in ("dst", "src"):
            split += num_nodes
    return all_pairs, all_edges, split


@wrong(
    "1.5",
    "the heads share their products",
    "The heads are missing: each has an a of its own.",
)
def heads_forgotten(num_nodes, num_edges, num_heads):
    return num_nodes**2, num_edges, 2 * num_nodes


@wrong(
    "1.5",
    "split costs one product a node, not one for each half",
    "Split: a node plays two roles, as a target and",
)
def one_half_only(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return k * n**2, k * e, k * n


@wrong(
    "1.5",
    "a node makes no pair with itself",
    "For all pairs: every node with every node is",
)
def no_pair_with_itself(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return k * n * (n - 1), k * e, 2 * k * n


@wrong(
    "1.5", "the pairs are not ordered", "For all pairs: both orders count, (i, j) and"
)
def unordered_pairs(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return k * n * (n + 1) // 2, k * e, 2 * k * n


@wrong(
    "1.5",
    "every edge is scored in both directions",
    "An edge counts once: it has a direction.",
)
def edges_both_ways(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return k * n**2, 2 * k * e, 2 * k * n


@wrong(
    "1.5",
    "the self-loops come on top of the edges",
    "The result for all edges should not contain a",
)
def adds_the_self_loops(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return k * n**2, k * (e + n), 2 * k * n


@wrong(
    "1.5",
    "split means two halves for each edge",
    "Split: it is per node, not per edge.",
)
def split_on_edges(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return k * n**2, k * e, 2 * k * e


@wrong(
    "1.5",
    "a joined pair has two halves, so it counts twice",
    "Joined, a whole a meets [z_i ‖ z_j]: one",
)
def joined_counts_twice(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return 2 * k * n**2, 2 * k * e, 2 * k * n


@wrong(
    "1.5",
    "the three counts in another order, the smallest first",
    "The order is: all pairs, all edges, split.",
)
def smallest_first(num_nodes, num_edges, num_heads):
    n, e, k = num_nodes, num_edges, num_heads
    return 2 * k * n, k * e, k * n**2


@wrong(
    "1.5",
    "A pair is two different nodes, so N(N - 1) of them",
    "For all pairs: every node with every node is",
)
def pairs_of_two(num_nodes, num_edges, num_heads):
    pairs = num_nodes * (num_nodes - 1)
    return pairs * num_heads, num_edges * num_heads, 2 * num_nodes * num_heads


@wrong(
    "1.5",
    "Split means two dot products for every edge",
    "Split: it is per node, not per edge.",
)
def halves_for_every_edge(num_nodes, num_edges, num_heads):
    all_pairs = num_nodes**2 * num_heads
    return all_pairs, num_edges * num_heads, 2 * num_edges * num_heads


@right("1.6", made=True)
def records_as_they_are():
    return torch.eye(2), torch.tensor([0.0, 0, -50, 50])


@right("1.6", made=True)
def one_feature():
    return torch.tensor([[-1.0], [1.0]]), torch.tensor([0.0, 100])


@right("1.6", made=True)
def lifted_by_the_target():
    W = torch.tensor([[1.0, 0, 1], [0, 1, 1]])  # jazz, rock, all records
    return W, torch.tensor([0.0, 0, 20, -6, 6, 0])


@wrong(
    "1.6",
    "the first half of a is taken for the source",
    "Node 0 gives its best neighbour, node 2, 0.250,",
    made=True,
)
def first_half_is_source():
    return torch.eye(2), torch.tensor([-50.0, 50, 0, 0])


@wrong(
    "1.6",
    "the sign decides alone, so 1 is large enough",
    "Node 0 gives its best neighbour, node 2, 0.522,",
    made=True,
)
def numbers_of_one():
    return torch.eye(2), torch.tensor([0.0, 0, -1, 1])


@wrong(
    "1.6",
    "log 99 is enough, as if no score were negative",
    "Node 1 gives its best neighbour, node 0, 0.769,",
    made=True,
)
def forgets_the_slope():
    return torch.eye(2), torch.tensor([0.0, 0, -6, 6])


@wrong(
    "1.6",
    "jazz less rock instead of rock less jazz",
    "Node 0 gives its best neighbour, node 2, 0.000,",
    made=True,
)
def jazz_wanted():
    return torch.eye(2), torch.tensor([0.0, 0, 50, -50])


@wrong(
    "1.6",
    "rock alone counts, whatever jazz there is",
    "Node 0 gives its best neighbour, node 2, 0.500,",
    made=True,
)
def rock_alone():
    return torch.eye(2), torch.tensor([0.0, 0, 0, 50])


@wrong(
    "1.6",
    "little jazz alone counts",
    "Node 3 gives its best neighbour, node 4, 0.500,",
    made=True,
)
def little_jazz_alone():
    return torch.eye(2), torch.tensor([0.0, 0, -50, 0])


@wrong(
    "1.6",
    "a has F' numbers, for the source alone",
    "W should be [2, F'] and a [2 F'], got [2, 2]",
    made=True,
)
def source_half_only():
    return torch.eye(2), torch.tensor([-50.0, 50])


@wrong(
    "1.6",
    "the larger the better, until the scores overflow",
    "The scores overflow float32: smaller numbers",
    made=True,
)
def too_large():
    return torch.eye(2), torch.tensor([0.0, 0, -3e38, 3e38])


@wrong(
    "1.6",
    "a strongly negative target keeps all scores apart",
    "Node 0 gives its best neighbour, node 2, 0.865,",
    made=True,
)
def pushed_down_by_the_target():
    return torch.eye(2), torch.tensor([-100.0, -100, -10, 10])


@right("1.7")
def layer_fills_then_multiplies_by_the_mask(x, adjacency, W, a_dst, a_src):
    z = x @ W
    scores = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, negative_slope=0.2)
    scores = scores.masked_fill(adjacency == 0, torch.finfo(scores.dtype).min)
    return (torch.softmax(scores, dim=1) * (adjacency != 0)) @ z


@right("1.7")
def layer_node_by_node(x, adjacency, W, a_dst, a_src):
    z = x @ W
    rows = []
    for i in range(len(x)):
        neighbours = torch.nonzero(adjacency[i]).flatten()
        scores = F.leaky_relu(z[i] @ a_dst + z[neighbours] @ a_src, 0.2)
        rows.append(torch.softmax(scores, dim=0) @ z[neighbours])
    return torch.stack(rows)


@right("1.7")
def layer_along_the_edges(x, adjacency, W, a_dst, a_src):
    z = x @ W
    dst, src = torch.nonzero(adjacency, as_tuple=True)
    e = F.leaky_relu((z @ a_dst)[dst] + (z @ a_src)[src], 0.2)
    top = torch.full_like(z[:, 0], -torch.inf).detach()
    top = top.scatter_reduce(0, dst, e.detach(), "amax")
    p = (e - top[dst]).exp()
    total = torch.zeros_like(z[:, 0]).index_add(0, dst, p)
    return torch.zeros_like(z).index_add(0, dst, (p / total[dst])[:, None] * z[src])


@wrong(
    "1.7",
    "a very negative score is enough for a node without neighbours",
    "An isolated node still attends to everyone:",
)
def layer_keeps_the_large_negative(x, adjacency, W, a_dst, a_src):
    z = x @ W
    scores = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    scores = scores.masked_fill(adjacency == 0, -9e15)
    return torch.softmax(scores, dim=1) @ z


@wrong(
    "1.7",
    "minus infinity gives an empty row zeros by itself",
    "Masked scores are set to −∞. That is right",
)
def layer_with_minus_infinity(x, adjacency, W, a_dst, a_src):
    z = x @ W
    scores = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    scores = scores.masked_fill(adjacency == 0, float("-inf"))
    return torch.softmax(scores, dim=1) @ z


@wrong(
    "1.7",
    "leaky_relu's default slope is the one of the equations",
    "LeakyReLU's slope is still 0.01: that is",
)
def layer_keeps_the_default_slope(x, adjacency, W, a_dst, a_src):
    z = x @ W
    scores = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src)
    scores = scores.masked_fill(adjacency == 0, -9e15)
    alpha = torch.softmax(scores, dim=1) * (adjacency > 0)
    return alpha @ z


@wrong(
    "1.7",
    "the softmax runs down the targets, as in the code found",
    "The softmax still runs over dim 0, the targets.",
)
def layer_keeps_the_column_softmax(x, adjacency, W, a_dst, a_src):
    z = x @ W
    scores = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    scores = scores.masked_fill(adjacency == 0, -9e15)
    alpha = torch.softmax(scores, dim=0) * (adjacency > 0)
    return alpha @ z


@wrong(
    "1.7",
    "a node without neighbours looks at itself",
    "A node without neighbours gets a self-loop; it",
)
def layer_gives_the_lonely_a_self_loop(x, adjacency, W, a_dst, a_src):
    z = x @ W
    lonely = (adjacency == 0).all(dim=1)
    mask = (adjacency > 0) | torch.diag(lonely)
    scores = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    scores = scores.masked_fill(~mask, -9e15)
    return torch.softmax(scores, dim=1) @ z


@wrong(
    "1.7",
    "the mask may be applied after the softmax over all nodes",
    "The mask comes after the softmax, so the",
)
def layer_masks_after_the_softmax(x, adjacency, W, a_dst, a_src):
    z = x @ W
    scores = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    alpha = torch.softmax(scores, dim=1) * (adjacency != 0)
    return alpha @ z


@wrong(
    "1.7",
    "an edge lets both of its ends look at each other",
    "Each edge is taken both ways; the graph is",
)
def layer_makes_the_graph_undirected(x, adjacency, W, a_dst, a_src):
    z = x @ W
    mask = (adjacency != 0) | (adjacency.T != 0)
    scores = F.leaky_relu((z @ a_dst).unsqueeze(1) + z @ a_src, 0.2)
    scores = scores.masked_fill(~mask, -9e15)
    return (torch.softmax(scores, dim=1) * mask) @ z


@wrong(
    "1.7",
    "the row of the scores is the source, the column the target",
    "The halves of a are swapped: the first is for",
)
def layer_adds_the_halves_the_other_way(x, adjacency, W, a_dst, a_src):
    z = x @ W
    scores = F.leaky_relu(z @ a_dst + (z @ a_src).unsqueeze(1), 0.2)
    scores = scores.masked_fill(adjacency == 0, -9e15)
    return (torch.softmax(scores, dim=1) * (adjacency != 0)) @ z
