"""Graph convolution, which chapters 5 and 6 compare with attention."""

import torch
from torch import Tensor, nn

from gat_course import formulas, sparse
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers.inputs import check_input
from gat_course.layers.sums import neighbour_sums


class GCNLayer(nn.Module):
    r"""Graph convolution: a sum with weights fixed by the degrees.

    $$h_i' = \sum_{j\in\mathcal N(i)} z_j / \sqrt{|\mathcal N(i)|\,|\mathcal N(j)|}$$

    Where edges have weights, each term is multiplied by its edge's, and a degree is the
    sum of the weights of the edges that arrive.

    Args:
        in_features: $F$.
        out_features: $F'$.
        feat_drop: dropout probability on the input features.
        residual: add the input to the output, which is as wide.

    Shapes: `x` `[N, F]`, dense or CSR, to `[N, F']`. The graph should have
    self-loops.

    Source: Kipf and Welling, ICLR 2017, equation 2.

    >>> graph = GraphData.from_edges([0, 1], [1, 0], x=torch.eye(2)).with_self_loops()
    >>> layers.GCNLayer(2, 4)(graph, graph.x).shape
    torch.Size([2, 4])
    """

    extra_hops = 1  # its weights ask for the sources' own degrees, a step further

    def __init__(
        self,
        in_features: int,
        out_features: int,
        feat_drop: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if residual and in_features != out_features:
            raise ValueError(
                "residual needs out_features = in_features, got "
                f"{out_features} and {in_features}"
            )
        self.residual = residual
        self.feat_drop = feat_drop
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, graph: GraphData, x: Tensor) -> Tensor:
        """Apply the layer; see the class for shapes."""
        check_input(graph, x, self.weight)
        x = dropout(x, self.feat_drop, self.training)
        z = formulas.transform(x, self.weight)  # [N, F']
        src, dst = graph.src, graph.dst
        # In single precision at least: half of it ends at 65,504, a product of hubs.
        wide = torch.promote_types(z.dtype, torch.float32)
        degree = graph.in_strengths.to(wide)  # [N]
        degree = degree.masked_fill(degree == 0, 1)
        if graph.edge_weight is None:
            weights = (degree[dst] * degree[src]).rsqrt()  # [E]
        else:  # a root for each end: any unit of the weights is as good as another
            root = degree.rsqrt()
            weights = root[dst] * graph.edge_weight.to(wide) * root[src]
        out = neighbour_sums(graph, weights, z) + self.bias
        if self.residual:
            out = out + (x.to_dense() if sparse.is_csr(x) else x)
        return out

    def extra_repr(self) -> str:
        sizes = ", ".join(str(n) for n in self.weight.shape)
        residual = ", residual=True" if self.residual else ""
        return f"{sizes}, feat_drop={self.feat_drop}{residual}"
