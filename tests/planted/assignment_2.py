"""Misconceptions planted in assignment 2."""

from . import planted

PLANTED = [
    planted(
        "q1",
        "messages lie side by side",
        """
def mailbox(messages, dst, degree):
    degrees = torch.bincount(dst)
    targets = (degrees == degree).nonzero().squeeze(1)
    kept = messages[degrees[dst] == degree]
    return targets, kept.view(len(targets), degree, messages.shape[1])
""",
        "the check",
        "edges in no order",
    ),
    planted(
        "q1",
        "there is always something to stack",
        """
def mailbox(messages, dst, degree):
    degrees = torch.bincount(dst)
    targets = (degrees == degree).nonzero().squeeze(1)
    return targets, torch.stack([messages[dst == i] for i in targets])
""",
        "the check",
        "degrees that no node has",
    ),
    planted(
        "q2",
        "the logarithm of the weight",
        """
def log_weights(scores, dst, num_nodes):
    found = torch.empty_like(scores)
    for i in dst.unique():
        found[dst == i] = torch.softmax(scores[dst == i], dim=0).log()
    return found
""",
        "the check",
        "large scores",
    ),
    planted(
        "q2",
        "one largest score for the whole graph",
        """
def log_weights(scores, dst, num_nodes):
    shifted = scores - scores.max()
    total = torch.zeros(num_nodes, scores.shape[1])
    total = total.index_add(0, dst, shifted.exp())
    return shifted - total[dst].log()
""",
        "the check",
        "large scores",
    ),
    planted(
        "q3",
        "an edge is a source",
        """
def heard_most(graph, alpha):
    n, heads = graph.num_nodes, alpha.shape[1]
    index = (graph.dst * n + graph.src).unsqueeze(1).expand_as(alpha)
    largest = torch.zeros(n * n, heads).scatter_reduce(0, index, alpha, "amax")
    best = largest.view(n, n, heads).argmax(dim=1)
    best[graph.in_degrees == 0] = -1
    return best
""",
        "the check",
        "repeated edges",
        "ties",
    ),
    planted(
        "q3",
        "argmax of a row of zeros is a source",
        """
def heard_most(graph, alpha):
    n, heads = graph.num_nodes, alpha.shape[1]
    total = torch.zeros(n * n, heads)
    total = total.index_add(0, graph.dst * n + graph.src, alpha)
    return total.view(n, n, heads).argmax(dim=1)
""",
        "the check",
        "nodes without neighbours",
    ),
    planted(
        "q4",
        "a mean of products is the product of the means",
        """
def log_probabilities(graph, alpha, z, bias):
    z = z.mean(dim=1)
    messages = alpha.mean(dim=1, keepdim=True) * z[graph.src]
    out = torch.zeros_like(z).index_add(0, graph.dst, messages)
    return F.log_softmax(out + bias, dim=1)
""",
        "the check",
        "several heads",
        "nodes without neighbours",
        "large numbers",
    ),
    planted(
        "q4",
        "log after softmax is log-softmax",
        """
def log_probabilities(graph, alpha, z, bias):
    messages = alpha.unsqueeze(-1) * z[graph.src]
    heads = torch.zeros_like(z).index_add(0, graph.dst, messages)
    return torch.softmax(heads.mean(dim=1) + bias, dim=1).log()
""",
        "the check",
        "large numbers",
    ),
    planted(
        "q5",
        "the first layer stands on the left",
        """
def influence(graph, layers):
    n = graph.num_nodes
    found = torch.eye(n)
    for alpha in layers:
        step = torch.zeros(n, n)
        pair = (graph.dst, graph.src)
        step.index_put_(pair, alpha.mean(dim=1), accumulate=True)
        found = found @ step
    return found
""",
        "the check",
        "two layers",
        "more layers",
    ),
    planted(
        "q5",
        "an edge that occurs twice is written twice",
        """
def influence(graph, layers):
    found = torch.eye(graph.num_nodes)
    for alpha in layers:
        step = torch.zeros(graph.num_nodes, graph.num_nodes)
        step[graph.dst, graph.src] = alpha.mean(dim=1)
        found = step @ found
    return found
""",
        "the check",
        "two layers",
        "more layers",
        "one layer or none",
    ),
]
