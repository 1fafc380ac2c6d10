"""Variants of graph attention that differ in the score alone (chapter 7).

GATv2, dot products as in a Transformer, and features of edges. All are called, merged
and trained as the other layers are; `GAT(..., layer=GATv2Layer)` makes a network.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import formulas
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers.gat import EdgeGATLayer


class ProjectedLayer(EdgeGATLayer):
    r"""What variants share whose scores need more of each node than $z_i$.

    `weight` holds `projections` matrices side by side, `[F, P·K·F']`: the first makes
    the values that are summed, the others what is compared. In `scores` and `attend`
    the projections of a node follow each other: `z` is `[N·P, K, F']`, and `parts`
    takes it apart.
    """

    projections = 2

    def parts(self, z: Tensor) -> tuple[Tensor, ...]:
        """The projections of all nodes, `[N, K, F']` each; the values come first."""
        return z.unflatten(0, (-1, self.projections)).unbind(dim=1)

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (3) and (4) for `scores` of one's own; see `GATLayer.attend`."""
        src, dst, n = graph.src, graph.dst, graph.num_nodes
        scores = self.scores(graph, z)
        alpha = formulas.edge_softmax(scores, dst, n, graph.edge_weight)
        dropped = dropout(alpha, self.attn_drop, self.training)
        summed = formulas.aggregate(dropped, self.parts(z)[0], src, dst, n)
        return summed, alpha


class GATv2Layer(ProjectedLayer):
    r"""Dynamic attention: both ends go through the LeakyReLU before $a$ meets them.

    $$e_{ij} = a^\top\,\mathrm{LeakyReLU}(W_\mathrm{src}^\top h_j +
    W_\mathrm{dst}^\top h_i)$$

    The sources' $W_\mathrm{src}^\top h_j$ are also what is summed. Which source is
    ranked first may differ from target to target, which `EdgeGATLayer` cannot do within
    a head. The price: a vector, not a number, for each edge and head.

    Parameters: `weight` `[F, 2·K·F']`, $W_\mathrm{src}$ left of $W_\mathrm{dst}$, and
    `att` `[K, F']`. The rest, arguments and shapes: see `GATLayer`.

    Source: Brody et al., ICLR 2022, equation 7; PyG's and DGL's `GATv2Conv`.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> GATv2Layer(3, 4, num_heads=2)(graph, graph.x).shape
    torch.Size([3, 8])
    """

    vectors = ("att",)

    def scores(self, graph: GraphData, z: Tensor) -> Tensor:
        """GATv2's score of every edge; see `GATLayer.scores`."""
        source, target = self.parts(z)
        source = source.index_select(0, graph.src)
        target = target.index_select(0, graph.dst)
        h = F.leaky_relu(source + target, self.negative_slope)  # [E, K, F']
        return (h * self.att).sum(dim=-1)  # [E, K]


class DotProductGATLayer(ProjectedLayer):
    r"""Attention of a Transformer, among neighbours: queries, keys and values.

    $$e_{ij} = (W_Q^\top h_i)^\top (W_K^\top h_j) / \sqrt{F'},\qquad
    z_j = W_V^\top h_j$$

    Parameters: `weight` `[F, 3·K·F']`, $W_V$, $W_K$, $W_Q$ from left to right. There is
    no vector $a$, and `negative_slope` has no effect. The rest: see `GATLayer`.

    Source: Vaswani et al., NeurIPS 2017, equation 1; PyG's `TransformerConv` without
    bias.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> DotProductGATLayer(3, 4, num_heads=2)(graph, graph.x).shape
    torch.Size([3, 8])
    """

    vectors, projections = (), 3

    def scores(self, graph: GraphData, z: Tensor) -> Tensor:
        """Scaled dot products of targets' queries and sources' keys."""
        _, keys, queries = self.parts(z)
        keys = keys.index_select(0, graph.src)
        queries = queries.index_select(0, graph.dst)
        return (queries * keys).sum(dim=-1) / math.sqrt(self.out_features)  # [E, K]


class EdgeFeatureGATLayer(EdgeGATLayer):
    r"""GAT whose score also sees what kind of edge it is.

    $$e_{ij} = \mathrm{LeakyReLU}(a^\top[z_i\,\|\,z_j\,\|\,W_e^\top f_{ij}])$$

    The features $f_{ij}$ of the edges are `graph.edge_attr`; only weights depend on
    them, not what is summed. The product splits into one term for each end and one for
    the edge, so a node is scored once, as in `EdgeGATLayer`.

    Args:
        *args, **options: as for `GATLayer`.
        edge_features: $D$, numbers for each edge.

    Parameters: those of `GATLayer`, `att_edge` `[K, F']`, and `edge_matrix`, $W_e$,
    `[D, K·F']`.

    Raises:
        ValueError: also where the graph has not `edge_attr` of this width, or it is too
            large for the dtype of `x`.

    Source: PyG's `GATConv` with `edge_dim`; DGL's `EdgeGATConv` has the same scores.

    >>> layer = EdgeFeatureGATLayer(3, 4, edge_features=2)
    >>> graph = GraphData.from_edges([0, 1], [2, 2], edge_attr=torch.eye(2))
    >>> layer(graph, torch.eye(3)).shape
    torch.Size([3, 4])
    """

    vectors = "att_dst", "att_src", "att_edge"

    def __init__(self, *args, edge_features: int, **options) -> None:
        if edge_features < 1:
            raise ValueError(f"edge_features must be at least 1, got {edge_features}")
        super().__init__(*args, **options)
        self.edge_features = edge_features
        width = self.num_heads * self.out_features
        self.edge_matrix = nn.Parameter(torch.empty(edge_features, width))
        self.reset_edge_matrix()

    def reset_edge_matrix(self) -> None:
        """Draw a new $W_e$, as `reset_parameters` draws $W$."""
        nn.init.xavier_normal_(self.edge_matrix, nn.init.calculate_gain("relu"))

    def reset_parameters(self) -> None:
        """As `GATLayer.reset_parameters`, with a new $W_e$."""
        super().reset_parameters()
        if "edge_matrix" in self._parameters:  # not yet, the first time
            self.reset_edge_matrix()

    def scores(self, graph: GraphData, z: Tensor) -> Tensor:
        """The score of every edge, its features included; see `GATLayer.scores`."""
        f, width = graph.edge_attr, self.edge_features
        if f is None or f.shape[1] != width:
            found = "no edge_attr" if f is None else f"edge_attr {list(f.shape)}"
            raise ValueError(
                f"{graph.name} has {found}, and this layer takes [{graph.num_edges}, "
                f"{width}]: build the graph with edge_attr=…, or the layer with "
                "another edge_features"
            )
        # a_edge meets W_e first: a small table for each head, not a vector per edge.
        table = self.edge_matrix.unflatten(1, (self.num_heads, -1)) * self.att_edge
        s_dst = (z * self.att_dst).sum(dim=-1)  # [N, K]
        s_src = (z * self.att_src).sum(dim=-1)  # [N, K]
        s_edge = self._cast(f, z.dtype) @ table.sum(dim=-1)  # [E, K]
        pairs = s_dst.index_select(0, graph.dst) + s_src.index_select(0, graph.src)
        return F.leaky_relu(pairs + s_edge, self.negative_slope)  # [E, K]

    @staticmethod
    def _cast(f: Tensor, dtype: torch.dtype) -> Tensor:
        """The features as numbers of another kind, which may not hold them all."""
        if f.dtype == dtype:
            return f
        cast = f.to(dtype)
        if not bool(torch.isfinite(cast).all()):
            raise ValueError(
                f"edge_attr holds numbers too large for {dtype}: scale its columns"
            )
        return cast

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, edge_features={self.edge_features}"
