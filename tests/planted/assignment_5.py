"""Misconceptions planted in assignment 5."""

from . import planted

PLANTED = [
    planted(
        "q1",
        "LeakyReLU comes last, as in GAT",
        """
def dynamic_head(graph, u, v, f, edge_matrix, att):
    src, dst = graph.src, graph.dst
    inside = u[dst] + v[src] + f @ edge_matrix
    scores = F.leaky_relu(inside @ att, 0.2)
    alpha, out = torch.zeros_like(scores), torch.zeros_like(v)
    for i in range(graph.num_nodes):
        own = dst == i
        alpha[own] = scores[own].softmax(dim=0)
        out[i] = alpha[own] @ v[src[own]]
    return out, alpha
""",
        "the check",
        "directed graphs",
        "nodes without neighbours",
        "several edges between two nodes",
    ),
    planted(
        "q1",
        "a matrix holds all scores, one for each pair",
        """
def dynamic_head(graph, u, v, f, edge_matrix, att):
    src, dst, n = graph.src, graph.dst, graph.num_nodes
    inside = u[dst] + v[src] + f @ edge_matrix
    scores = torch.full((n, n), -torch.inf)
    for k in range(graph.num_edges):
        scores[dst[k], src[k]] = F.leaky_relu(inside[k], 0.2) @ att
    alpha = scores.softmax(dim=1).nan_to_num(0.0)
    return alpha @ v, alpha[dst, src]
""",
        "the check",
        "several edges between two nodes",
    ),
    planted(
        "q2",
        "the weights of the others stay as they were",
        """
def deletions(graph, scores, z):
    changes = torch.zeros(graph.num_edges)
    for k in range(graph.num_edges):
        own = graph.dst == graph.dst[k]
        top = scores[own].max()
        alpha = (scores[k] - top).exp() / (scores[own] - top).exp().sum()
        changes[k] = alpha * z[graph.src[k]].norm()
    return changes
""",
        "the check",
        "directed graphs",
        "nodes with one neighbour",
        "repeated edges",
        "large scores",
    ),
    planted(
        "q2",
        "a formula that divides by 1 - alpha",
        """
def deletions(graph, scores, z):
    changes = torch.zeros(graph.num_edges)
    for k in range(graph.num_edges):
        own = graph.dst == graph.dst[k]
        top = scores[own].max()
        alpha = (scores[own] - top).exp() / (scores[own] - top).exp().sum()
        gap = z[graph.src[k]] - alpha @ z[graph.src[own]]
        mine = (scores[k] - top).exp() / (scores[own] - top).exp().sum()
        changes[k] = mine / (1 - mine) * gap.norm()
    return changes
""",
        "the check",
        "nodes with one neighbour",
        "large scores",
    ),
    planted(
        "q2",
        "an edge is known by its two ends",
        """
def deletions(graph, scores, z):
    def output(edges):
        return scores[edges].softmax(dim=0) @ z[graph.src[edges]]

    changes = torch.zeros(graph.num_edges)
    for k in range(graph.num_edges):
        own = graph.dst == graph.dst[k]
        rest = own & (graph.src != graph.src[k])
        changes[k] = (output(rest) - output(own)).norm()
    return changes
""",
        "the check",
        "repeated edges",
    ),
    planted(
        "q3",
        "who hears nobody gets zeros",
        """
def energies(graph, x, num_steps):
    found = []
    for step in range(num_steps + 1):
        gaps = x[graph.dst] - x[graph.src]
        found.append(gaps.square().sum(dim=1).mean())
        sums = torch.zeros_like(x).index_add(0, graph.dst, x[graph.src])
        x = sums / graph.in_degrees.clamp(min=1).unsqueeze(1)
    return found
""",
        "the check",
        "nodes without neighbours",
    ),
    planted(
        "q3",
        "an adjacency matrix of zeros and ones",
        """
def energies(graph, x, num_steps):
    hears = torch.zeros(graph.num_nodes, graph.num_nodes)
    hears[graph.dst, graph.src] = 1
    degree, found = hears.sum(dim=1, keepdim=True), []
    for step in range(num_steps + 1):
        gaps = (x.unsqueeze(1) - x).square().sum(dim=2)
        found.append((hears * gaps).sum() / hears.sum())
        x = torch.where(degree > 0, hears @ x / degree.clamp(min=1), x)
    return found
""",
        "the check",
        "repeated edges",
    ),
    planted(
        "q4",
        "the maximum starts from zeros",
        """
def read_outs(h, graph_of, num_graphs):
    out = torch.zeros(num_graphs, 3, h.shape[1])
    for i, g in enumerate(graph_of):
        out[g, 1] += h[i]
        out[g, 2] = torch.maximum(out[g, 2], h[i])
    count = torch.bincount(graph_of, minlength=num_graphs).clamp(min=1)
    out[:, 0] = out[:, 1] / count.unsqueeze(1)
    return out.flatten(1)
""",
        "the check",
        "features below zero",
    ),
    planted(
        "q4",
        "as many graphs as there are numbers",
        """
def read_outs(h, graph_of, num_graphs):
    rows = []
    for g in graph_of.unique():
        own = h[graph_of == g]
        rows.append(torch.cat([own.mean(dim=0), own.sum(dim=0), own.amax(dim=0)]))
    return torch.stack(rows)
""",
        "the check",
        "graphs without nodes",
    ),
    planted(
        "q5",
        "one share for the whole batch",
        """
def pool(graph, alpha, ratio):
    best = alpha.argsort(descending=True, stable=True)
    kept = best[: math.ceil(ratio * graph.num_nodes)].sort().values
    hears = torch.zeros(graph.num_nodes, graph.num_nodes)
    hears[graph.dst, graph.src] = 1
    near = (hears + hears @ hears > 0).float()
    return kept, near[kept][:, kept].fill_diagonal_(0)
""",
        "the check",
        "batches",
    ),
    planted(
        "q5",
        "ascending, then turned around",
        """
def pool(graph, alpha, ratio):
    kept = []
    for g in graph.graph_of.unique():
        own = (graph.graph_of == g).nonzero()[:, 0]
        best = own[alpha[own].argsort(stable=True).flip(0)]
        kept += best[: math.ceil(ratio * len(own))].tolist()
    kept = torch.tensor(sorted(kept))
    hears = torch.zeros(graph.num_nodes, graph.num_nodes)
    hears[graph.dst, graph.src] = 1
    near = (hears + hears @ hears > 0).float()
    return kept, near[kept][:, kept].fill_diagonal_(0)
""",
        "the check",
        "equal weights",
    ),
    planted(
        "q5",
        "only what stays may lie between",
        """
def pool(graph, alpha, ratio):
    kept = []
    for g in graph.graph_of.unique():
        own = (graph.graph_of == g).nonzero()[:, 0]
        best = own[alpha[own].argsort(descending=True, stable=True)]
        kept += best[: math.ceil(ratio * len(own))].tolist()
    kept = torch.tensor(sorted(kept))
    hears = torch.zeros(graph.num_nodes, graph.num_nodes)
    hears[graph.dst, graph.src] = 1
    hears = hears[kept][:, kept]
    return kept, (hears + hears @ hears > 0).float().fill_diagonal_(0)
""",
        "the check",
        "one graph",
        "batches",
        "equal weights",
    ),
]
