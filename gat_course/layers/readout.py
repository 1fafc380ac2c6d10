"""Readouts: from the nodes of a graph to one vector for all of it (chapter 7)."""

import math

import torch
from torch import Tensor, nn

from gat_course import formulas
from gat_course.graph import GraphData

KINDS = ("sum", "mean", "max")


def members(graph: GraphData) -> Tensor:
    """Which graph of the batch each node is of, `[N]`; zeros of a single graph."""
    found = graph.graph_of
    return torch.zeros_like(graph.in_degrees) if found is None else found


def readout(graph: GraphData, h: Tensor, kind: str = "mean") -> Tensor:
    """Sum, mean or largest number of the nodes' vectors, for each graph of a batch.

    Args:
        graph: a batch of $G$ graphs, or one graph.
        h: a vector for each node, `[N, F]`.
        kind: "sum", "mean" or "max".

    Returns:
        `[G, F]`; zeros for a graph without nodes.

    Raises:
        ValueError: an unknown `kind`, or `h` has not a row for each node.

    >>> pair = GraphData.from_edges([0], [1])
    >>> layers.readout(batch_graphs([pair, pair]), torch.ones(4, 1), "sum")
    tensor([[2.],
            [2.]])
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if h.dim() != 2 or len(h) != graph.num_nodes:
        raise ValueError(
            f"h must be [{graph.num_nodes}, F], a row for each node, got "
            f"{list(h.shape)}"
        )
    graph_of, number = members(graph), graph.num_graphs
    zeros = h.new_zeros(number, h.shape[1])
    if kind == "max":
        index = graph_of.unsqueeze(1).expand_as(h)
        return zeros.scatter_reduce(0, index, h, "amax", include_self=False)
    total = zeros.index_add(0, graph_of, h)
    if kind == "sum":
        return total
    count = torch.bincount(graph_of, minlength=number).clamp(min=1)
    return total / count.unsqueeze(1)


class AttentionReadout(nn.Module):
    r"""Global attention: a weighted mean of all nodes of a graph.

    $$g=\sum_i\beta_i h_i,\qquad \beta_i=\mathrm{softmax}_i(q^\top h_i+b)$$

    The softmax is over the nodes of one graph. Its weights are those of the nodes, not
    of edges.

    Args:
        features: $F$.

    Parameters: `query` `[F]`, $q$. (The softmax does not see a $b$: there is none.)

    Shapes: a batch of $G$ graphs and `h` `[N, F]` to `[G, F]`; with
    `return_attention=True` also $\beta$, `[N]`.

    Source: PyG's `AttentionalAggregation`, DGL's `GlobalAttentionPooling`; after Li et
    al., ICLR 2016, equation 7, whose weights are sigmoids and do not sum to one.

    >>> graph = batch_graphs([GraphData.from_edges([0], [1])] * 2)
    >>> module, h = layers.AttentionReadout(3), torch.ones(4, 3)
    >>> g, beta = module(graph, h, return_attention=True)
    >>> g.shape, beta
    (torch.Size([2, 3]), tensor([0.5000, 0.5000, 0.5000, 0.5000], grad_fn=...))
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"features must be at least 1, got {features}")
        self.query = nn.Parameter(torch.empty(features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw a new query, as PyTorch's linear layers do."""
        bound = 1 / math.sqrt(len(self.query))
        nn.init.uniform_(self.query, -bound, bound)

    def forward(
        self, graph: GraphData, h: Tensor, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Apply the readout; see the class for shapes."""
        if h.shape != (graph.num_nodes, len(self.query)):
            raise ValueError(
                f"h must be [{graph.num_nodes}, {len(self.query)}] (nodes of the "
                f"graph, features of the readout), got {list(h.shape)}"
            )
        scores = (h @ self.query).unsqueeze(1)  # [N, 1]
        beta = formulas.edge_softmax(scores, members(graph), graph.num_graphs)
        g = readout(graph, beta * h, "sum")
        return (g, beta.squeeze(1)) if return_attention else g
