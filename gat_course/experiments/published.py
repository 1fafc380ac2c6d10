r"""The attention layer as the code published with the GAT paper has it.

The code that came with the paper does some things that its text does not say. Each can
be switched on here alone, so that `gat-course reproduce cora --as published-code` can
measure which of them matter.

Source: github.com/PetarV-/GAT, `utils/layers.py` and `models/gat.py`.
"""

from collections.abc import Iterable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import formulas
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers import EdgeGATLayer, check_input
from gat_course.models import GAT

DIFFERENCES = {
    "head-dropout": "each head drops input features of its own",
    "value-dropout": "what is summed is dropped once more; what is scored is not",
    "score-bias": "each half of the score has a bias",
    "init": "Glorot uniform, head by head",
}


class PublishedGATLayer(EdgeGATLayer):
    r"""`EdgeGATLayer` with some or all of what the published code does otherwise.

    Args:
        *args: as for `GATLayer`.
        differences: names of `DIFFERENCES`, by default all of them.
        **options: as for `GATLayer`; without `residual`, which that code does not use
            where the course compares.

    Parameters: those of `GATLayer`; with "score-bias" also `bias_dst` and `bias_src`,
    `[K]`.

    Raises:
        ValueError: an unknown difference, or `residual`.
    """

    def __init__(
        self, *args, differences: Iterable[str] = tuple(DIFFERENCES), **options
    ) -> None:
        self.differences = tuple(differences)
        if unknown := set(self.differences) - set(DIFFERENCES):
            raise ValueError(
                f"unknown difference {', '.join(sorted(unknown))}; use some of "
                f"{', '.join(DIFFERENCES)}"
            )
        super().__init__(*args, **options)
        if self.residual:
            raise ValueError("PublishedGATLayer has no residual connection")

    def reset_parameters(self) -> None:
        """Draw new parameters; with "init" as TensorFlow's `conv1d` draws by default.

        There every head is a convolution of its own, so that Glorot's rule counts the
        F' outputs of one head, and one output for each half of the score.
        """
        super().reset_parameters()
        if "score-bias" in self.differences:
            self.bias_dst = nn.Parameter(torch.zeros(self.num_heads))
            self.bias_src = nn.Parameter(torch.zeros(self.num_heads))
        if "init" in self.differences:
            with torch.no_grad():
                for head in self.weight.chunk(self.num_heads, dim=1):
                    nn.init.xavier_uniform_(head)  # [F, F']
                for half in (*self.att_dst, *self.att_src):
                    nn.init.xavier_uniform_(half.unsqueeze(1))  # [F', 1]

    def scores(self, graph: GraphData, z: Tensor) -> Tensor:
        """Equation (2), with a bias in each half; see `GATLayer.scores`."""
        if "score-bias" not in self.differences:
            return super().scores(graph, z)
        s_dst = (z * self.att_dst).sum(dim=-1) + self.bias_dst  # [N, K]
        s_src = (z * self.att_src).sum(dim=-1) + self.bias_src  # [N, K]
        pairs = s_dst.index_select(0, graph.dst) + s_src.index_select(0, graph.src)
        return F.leaky_relu(pairs, self.negative_slope)  # [E, K]

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (2) to (4) edge by edge; see `GATLayer.attend`."""
        ends = graph.src, graph.dst, graph.num_nodes
        scores = self.scores(graph, z)
        alpha = formulas.edge_softmax(scores, *ends[1:], graph.edge_weight)
        dropped = dropout(alpha, self.attn_drop, self.training)
        if "value-dropout" in self.differences:
            z = dropout(z, self.feat_drop, self.training)
        return formulas.aggregate(dropped, z, *ends), alpha

    def forward(
        self, graph: GraphData, x: Tensor, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Apply the layer; see `GATLayer` for shapes."""
        if "head-dropout" not in self.differences or not self.training:
            return super().forward(graph, x, return_attention=return_attention)
        check_input(graph, x, self.weight)
        z = torch.stack(
            [
                formulas.transform(dropout(x, self.feat_drop), head)
                for head in self.weight.chunk(self.num_heads, dim=1)
            ],
            dim=1,
        )  # [N, K, F']
        heads, alpha = self.attend(graph, z)
        out = heads.flatten(1) if self.merge == "concat" else heads.mean(dim=1)
        if self.bias is not None:
            out = out + self.bias
        return (out, alpha) if return_attention else out

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, differences={self.differences}"


class PublishedUniformGATLayer(PublishedGATLayer):
    """The ablation: `PublishedGATLayer` with uniform attention, as `UniformGATLayer`.

    It tells what the published code's dropout and initialisation do without attention.
    """

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        for name in ("att_dst", "att_src", "bias_dst", "bias_src"):
            if hasattr(self, name):
                getattr(self, name).requires_grad_(False)

    def scores(self, graph: GraphData, z: Tensor) -> Tensor:
        """Zero for every edge, whatever `z`: equal scores are equal weights."""
        return z.new_zeros(graph.num_edges, self.num_heads)


class UndecayedBiasGAT(GAT):
    """`GAT` whose biases are left out of weight decay.

    The published code lists variables called "bias" as exceptions. None has that name
    there, since TensorFlow prefixes it, so that all are decayed, as here by default.
    """

    undecayed = ("bias",)


VARIANTS = {
    "published-code": partial(GAT, layer=PublishedGATLayer),
    **{
        f"published-{name}": partial(
            GAT, layer=partial(PublishedGATLayer, differences=[name])
        )
        for name in DIFFERENCES
    },
    "published-uniform": partial(GAT, layer=PublishedUniformGATLayer),
    "undecayed-bias": UndecayedBiasGAT,
}
