"""Chebyshev graph convolution, and its relatives without attention (chapter 8)."""

import operator

import torch
from torch import Tensor, nn

from gat_course import sparse
from gat_course.graph import GraphData
from gat_course.layers.inputs import check_input
from gat_course.layers.sums import neighbour_sums

AGGREGATIONS = ("mean", "sum")


class ChebyGINLayer(nn.Module):
    r"""One layer for four networks: GCN, GIN, ChebyNet and ChebyGIN.

    It collects $K$ matrices, sets them side by side and applies one or two linear
    layers with ReLU. With $A$ the weighted adjacency matrix and $D$ its degrees:

    - $K=1$, mean: $\hat D^{-1/2}(A+I)\hat D^{-1/2}X$, GCN;
    - $K=1$, sum: $(A+I)X$, GIN with $\epsilon=0$;
    - $K\ge2$: the Chebyshev polynomials $T_0X=X$, $T_1X=LX$,
      $T_kX=2LT_{k-1}X-T_{k-2}X$ of $L=-D^{-1/2}AD^{-1/2}$, ChebyNet; with sum all but
      the first are multiplied by the node's degree, ChebyGIN.

    Args:
        in_features: $F$.
        out_features: $F'$.
        order: $K$, how many matrices; they reach $K-1$ steps, with $K=1$ one step.
        aggregation: "mean" or "sum".
        hidden: features between two linear layers; 0 for one linear layer.

    Shapes: `x` `[N, F]` to `[N, F']`. The graph needs no self-loops: the node itself
    has a matrix of its own, or is added.

    Raises:
        TypeError: `order` or `hidden` is no whole number.
        ValueError: `order` or `hidden` is too small, or `aggregation` unknown; in use,
            what `check_input` refuses.

    Source: Knyazev, Taylor and Amer, NeurIPS 2019, and their code; Defferrard et al.,
    NeurIPS 2016; Xu et al., ICLR 2019. For $K=1$ and sum that code multiplies GCN's
    mean by the degree; here it is GIN's own sum.

    >>> graph = GraphData.from_edges([0, 1], [1, 0])
    >>> layers.ChebyGINLayer(2, 4, order=3)(graph, torch.eye(2)).shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        order: int = 2,
        aggregation: str = "mean",
        hidden: int = 0,
    ) -> None:
        super().__init__()
        order, hidden = operator.index(order), operator.index(hidden)
        if order < 1 or hidden < 0 or aggregation not in AGGREGATIONS:
            raise ValueError(
                f"order must be at least 1, hidden at least 0 and aggregation one of "
                f"{', '.join(AGGREGATIONS)}; got {order}, {hidden}, {aggregation!r}"
            )
        self.in_features = in_features
        self.order, self.aggregation = order, aggregation
        # its matrices reach further, and their weights ask for the sources' degrees
        self.extra_hops = max(order - 1, 1)
        width = in_features * order
        sizes = [width, hidden, out_features] if hidden else [width, out_features]
        steps = []
        for size, following in zip(sizes, sizes[1:], strict=False):
            steps += [nn.Linear(size, following), nn.ReLU()]
        self.transform = nn.Sequential(*steps)

    def forward(self, graph: GraphData, x: Tensor) -> Tensor:
        """Apply the layer; see the class for shapes."""
        check_input(graph, x, self.transform[0].weight.t()[: self.in_features])
        x = x.to_dense() if sparse.is_csr(x) else x
        return self.transform(torch.cat(self.basis(graph, x), dim=1))

    def basis(self, graph: GraphData, x: Tensor) -> list[Tensor]:
        """The $K$ matrices, `[N, F]` each."""
        # In single precision at least: half of it ends at 65,504.
        wide = torch.promote_types(x.dtype, torch.float32)
        weight, degree = graph.edge_weight, graph.in_strengths.to(wide)  # [N]
        if weight is None:
            weight = torch.ones(graph.num_edges, dtype=wide, device=x.device)
        weight = weight.to(wide)
        if self.order == 1:
            if self.aggregation == "sum":
                return [neighbour_sums(graph, weight, x) + x]
            root = (degree + 1).rsqrt()
            scaled = root[graph.dst] * weight * root[graph.src]
            own = (root * root).unsqueeze(1).to(x.dtype) * x
            return [neighbour_sums(graph, scaled, x) + own]
        root = degree.masked_fill(degree == 0, 1).rsqrt()
        scaled = -root[graph.dst] * weight * root[graph.src]
        found = [x, neighbour_sums(graph, scaled, x)]
        while len(found) < self.order:
            found.append(2 * neighbour_sums(graph, scaled, found[-1]) - found[-2])
        if self.aggregation == "sum":
            found[1:] = [degree.unsqueeze(1).to(x.dtype) * h for h in found[1:]]
        return found

    def extra_repr(self) -> str:
        return f"order={self.order}, aggregation={self.aggregation}"
