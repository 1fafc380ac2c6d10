"""Misconceptions planted in assignment 6."""

from . import planted

PLANTED = [
    planted(
        "q1",
        "only sources that are there are counted",
        """
def turn_around(starts, sources):
    dst = torch.arange(len(starts) - 1).repeat_interleave(starts.diff())
    counts = sources.unique(return_counts=True)[1]
    new = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return new, dst[sources.argsort(stable=True)]
""",
        "the check",
        "nodes nobody hears",
    ),
    planted(
        "q1",
        "a matrix of zeros and ones forgets repeated edges",
        """
def turn_around(starts, sources):
    n = len(starts) - 1
    dst = torch.arange(n).repeat_interleave(starts.diff())
    hears = torch.zeros(n, n, dtype=torch.bool)
    hears[sources, dst] = True
    counts = hears.sum(dim=1)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]), hears.nonzero()[:, 1]
""",
        "the check",
        "repeated edges",
    ),
    planted(
        "q2",
        "a table of all nodes and edges",
        """
def log_totals(scores, starts):
    table = torch.full((len(starts) - 1, len(scores)), -torch.inf)
    for i, (begin, end) in enumerate(zip(starts[:-1], starts[1:])):
        table[i, begin:end] = scores[begin:end]
    return table.logsumexp(dim=1)
""",
        "the check",
        "many nodes",
    ),
    planted(
        "q2",
        "one running sum over all edges, and differences of it",
        """
def log_totals(scores, starts):
    sums = torch.cat([torch.zeros(1), torch.exp(scores).cumsum(0)])
    return torch.log(sums[starts[1:]] - sums[starts[:-1]])
""",
        "the check",
        "large scores",
        "many nodes",
    ),
    planted(
        "q2",
        "an empty row is zero, as everywhere else",
        """
def log_totals(scores, starts):
    rows = scores.split(starts.diff().tolist())
    zero = torch.tensor(0.0)
    return torch.stack([row.logsumexp(0) if len(row) else zero for row in rows])
""",
        "the check",
        "rows without edges",
    ),
    planted(
        "q3",
        "in half precision everything has two bytes",
        """
def step_bytes(num_nodes, num_edges, features, layers, number_bytes):
    parameters = kept = 0
    width = features
    for heads, out in layers:
        parameters += (width + 3) * heads * out
        kept += num_nodes * (width + heads * out) + 2 * num_edges * heads
        width = heads * out
    return 16 * num_edges, 4 * number_bytes * parameters, number_bytes * kept
""",
        "the check",
        "numbers of two bytes",
    ),
    planted(
        "q3",
        "the next layer reads one head",
        """
def step_bytes(num_nodes, num_edges, features, layers, number_bytes):
    parameters = kept = 0
    width = features
    for heads, out in layers:
        parameters += (width + 3) * heads * out
        kept += num_nodes * (width + heads * out) + 2 * num_edges * heads
        width = out
    return 16 * num_edges, 16 * parameters, number_bytes * kept
""",
        "the check",
        "several layers",
        "numbers of two bytes",
    ),
    planted(
        "q4",
        "the nodes that are left over get no batch",
        """
def rows_computed(graph, batch_size, num_layers):
    rows = [0] * num_layers
    for batch in range(graph.num_nodes // batch_size):
        needed = torch.zeros(graph.num_nodes, dtype=torch.bool)
        needed[batch * batch_size : (batch + 1) * batch_size] = True
        for layer in reversed(range(num_layers)):
            rows[layer] += int(needed.sum())
            needed[graph.src[needed[graph.dst]]] = True
    return rows
""",
        "the check",
        "a smaller last batch",
    ),
    planted(
        "q4",
        "a node that does not hear itself needs no row of its own",
        """
def rows_computed(graph, batch_size, num_layers):
    rows = [0] * num_layers
    for start in range(0, graph.num_nodes, batch_size):
        needed = torch.arange(start, min(start + batch_size, graph.num_nodes))
        for layer in reversed(range(num_layers)):
            rows[layer] += len(needed)
            needed = graph.src[torch.isin(graph.dst, needed)].unique()
    return rows
""",
        "the check",
        "equal batches",
        "a smaller last batch",
    ),
    planted(
        "q5",
        "who is heard most should be copied",
        """
def rows_received(graph, part, num_copies):
    src, dst = graph.src, graph.dst
    best = torch.bincount(src, minlength=graph.num_nodes)
    best = best.argsort(descending=True, stable=True)[:num_copies]
    cut = part[src] != part[dst]
    pairs = torch.stack([src[cut], part[dst[cut]]]).unique(dim=1)
    return pairs.shape[1], int((~torch.isin(pairs[0], best)).sum())
""",
        "the check",
        "two parts",
        "several parts",
        "repeated edges",
    ),
    planted(
        "q5",
        "a node crosses the network once, whoever needs it",
        """
def rows_received(graph, part, num_copies):
    cut = part[graph.src] != part[graph.dst]
    halo = len(graph.src[cut].unique())
    return halo, max(halo - num_copies, 0)
""",
        "the check",
        "several parts",
        "repeated edges",
    ),
]
