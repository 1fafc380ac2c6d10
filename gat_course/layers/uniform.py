"""Attention switched off, to see what it is good for (chapters 4 to 6)."""

import torch
from torch import Tensor

from gat_course import formulas
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers.gat import GATLayer
from gat_course.layers.sums import neighbour_sums


class UniformGATLayer(GATLayer):
    r"""The ablation: the same layer with attention frozen to $1/|\mathcal N(i)|$.

    Where edges have weights, it is frozen to each edge's share of them. `att_dst` and
    `att_src` exist, so that a trained layer's state dict loads, but nothing depends on
    them and no gradient is asked for. Arguments and shapes: see `GATLayer`.

    Source: "Const-GAT" in Veličković et al., ICLR 2018, section 3.4.

    >>> graph = GraphData.from_edges([0, 1], [2, 2], x=torch.eye(3))
    >>> UniformGATLayer(3, 4)(graph, graph.x, return_attention=True)[1].flatten()
    tensor([0.5000, 0.5000])
    """

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        self.att_dst.requires_grad_(False)
        self.att_src.requires_grad_(False)

    def shares(self, graph: GraphData, dtype: torch.dtype) -> Tensor:
        """What equal scores give each edge, `[E]`, without a softmax."""
        wide = torch.promote_types(dtype, torch.float32)  # for sums of large weights
        alpha = graph.in_strengths.to(wide)[graph.dst].reciprocal()
        if graph.edge_weight is not None:
            alpha = alpha * graph.edge_weight.to(wide)
        return alpha.to(dtype)

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equation (4) with the weights that equal scores have."""
        alpha = self.shares(graph, z.dtype)
        alpha = alpha.unsqueeze(1).expand(-1, self.num_heads)  # [E, K]
        dropped = dropout(alpha, self.attn_drop, self.training)
        ends = graph.src, graph.dst, graph.num_nodes
        return formulas.aggregate(dropped, z, *ends), alpha

    def aggregate_heads(self, graph: GraphData, z: Tensor) -> Tensor:
        """One sparse product for all heads, unless dropout parts them."""
        if self.attn_drop > 0:
            return super().aggregate_heads(graph, z)
        shares = self.shares(graph, z.dtype)
        return neighbour_sums(graph, shares, z.flatten(1)).view_as(z)
