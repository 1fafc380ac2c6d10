"""Misconceptions planted in assignment 1."""

from . import planted

PLANTED = [
    planted(
        "q1",
        "it divides by all nodes",
        """
def neighbour_mean(x, adjacency):
    return adjacency @ x / len(x)
""",
        "the check",
        "directed graphs",
        "nodes without neighbours",
    ),
    planted(
        "q1",
        "0 / 0 for who hears nobody",
        """
def neighbour_mean(x, adjacency):
    return adjacency @ x / adjacency.sum(dim=1, keepdim=True)
""",
        "the check",
        "nodes without neighbours",
    ),
    planted(
        "q2",
        "the slope is what the paper says",
        """
def score_all_pairs(z, att_dst, att_src, negative_slope):
    return F.leaky_relu((z @ att_dst).unsqueeze(1) + z @ att_src, 0.2)
""",
        "the check",
        "other slopes",
    ),
    planted(
        "q2",
        "rows are sources",
        """
def score_all_pairs(z, att_dst, att_src, negative_slope):
    return F.leaky_relu(z @ att_dst + (z @ att_src).unsqueeze(1), negative_slope)
""",
        "the check",
        "the usual slope",
        "other slopes",
    ),
    planted(
        "q3",
        "a very negative number is as good as minus infinity",
        """
def attention_weights(scores, adjacency):
    return torch.softmax(scores.masked_fill(adjacency == 0, -9e15), dim=1)
""",
        "the check",
        "nodes without neighbours",
    ),
    planted(
        "q3",
        "nothing is subtracted",
        """
def attention_weights(scores, adjacency):
    weights = torch.exp(scores) * adjacency
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-30)
""",
        "the check",
        "large scores",
    ),
    planted(
        "q4",
        "all heads have head 0's a",
        """
def dense_layer(x, adjacency, weight, att_dst, att_src):
    heads = []
    for k in range(weight.shape[1]):
        z = x @ weight[:, k]
        scores = F.leaky_relu((z @ att_dst[0]).unsqueeze(1) + z @ att_src[0], 0.2)
        scores = scores.masked_fill(adjacency == 0, -torch.inf)
        heads.append(torch.softmax(scores, dim=1).nan_to_num(0.0) @ z)
    return torch.cat(heads, dim=1)
""",
        "the check",
        "several heads",
        "nodes without neighbours",
    ),
    planted(
        "q5",
        "everybody hears himself",
        """
def depends_on(adjacency, num_layers):
    hears = ((adjacency > 0) | torch.eye(len(adjacency), dtype=torch.bool)).float()
    found = torch.eye(len(adjacency))
    for _ in range(num_layers):
        found = (hears @ found > 0).float()
    return found > 0
""",
        "the check",
        "no node hears itself",
    ),
]
