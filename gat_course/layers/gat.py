"""The graph attention layer, dense (chapter 2) and on the edge list (chapter 3).

The layers share their parameters' names and shapes, so that one state dict serves them
and the two of `dgl_layers`. They differ only in how they compute equations (2) to (4).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import formulas, sparse
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers.inputs import check_input


class GATLayer(nn.Module):
    r"""What all graph attention layers share: parameters, heads, residual, bias.

    A subclass computes the weights and the weighted sum in `attend`. Those on the edge
    list take the scores of the edges from `scores`. A variant that scores with other
    vectors than two for each head names its own in `vectors` (chapter 7).

    $$h_i' = \big\Vert_{k=1}^K \sum_{j\in\mathcal N(i)} \alpha_{ij}^k\, W_k^\top h_j$$

    (for `merge="mean"` the average over $k$ instead), then residual and bias. The
    activation $\sigma$ is the model's. $\mathcal N(i)$ are the sources of the edges
    the graph has: add self-loops with `graph.with_self_loops()`. A node without any
    incoming edge gets zeros, plus residual and bias. An edge of weight $w$
    (`graph.edge_weight`) counts like $w$ copies of it.

    Args:
        in_features: $F$.
        out_features: $F'$, per head.
        num_heads: $K$.
        merge: "concat" returns $K F'$ features, "mean" averages heads to $F'$.
        negative_slope: slope of LeakyReLU below zero.
        feat_drop: dropout probability on the input features.
        attn_drop: dropout probability on the attention weights.
        residual: add the input to the output, through a matrix if sizes differ.
        bias: add a learned vector.

    Parameters: `weight` `[F, K·F']`, `att_dst` and `att_src` `[K, F']`, `bias`
    `[K·F']` or `[F']`, `residual_weight` `[F, K·F']` or `[F, F']` (absent where the
    sizes agree and the input itself is added).

    Shapes: `x` `[N, F]`, dense or CSR, to `[N, K·F']` (concat) or `[N, F']` (mean).
    With `return_attention=True` also $\alpha$, `[E, K]`, before dropout, in the order
    of `graph.src` and `graph.dst`.

    Raises:
        TypeError: `x` and the parameters are different kinds of numbers.
        ValueError: sizes, probabilities or `merge` make no sense, or `x` does not
            fit the graph or the layer, or is on another device.

    Source: Veličković et al., ICLR 2018, section 2.1.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> layer = EdgeGATLayer(in_features=3, out_features=4, num_heads=2)
    >>> out, alpha = layer(graph, graph.x, return_attention=True)
    >>> out.shape, alpha.shape
    (torch.Size([3, 8]), torch.Size([5, 2]))
    """

    vectors = "att_dst", "att_src"  # parameters [K, F'] that the scores need
    projections = 1  # how many times F' numbers `weight` makes for each head

    def __init__(
        self,
        in_features: int,
        out_features: int,
        num_heads: int = 1,
        merge: str = "concat",
        negative_slope: float = 0.2,
        feat_drop: float = 0.0,
        attn_drop: float = 0.0,
        residual: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if min(in_features, out_features, num_heads) < 1:
            raise ValueError(
                "in_features, out_features and num_heads must be at least 1, got "
                f"{in_features}, {out_features}, {num_heads}"
            )
        if merge not in ("concat", "mean"):
            raise ValueError(f'merge must be "concat" or "mean", got {merge!r}')
        for name, p in (("feat_drop", feat_drop), ("attn_drop", attn_drop)):
            if not 0 <= p < 1:
                raise ValueError(f"{name} must be in [0, 1), got {p}")
        self.in_features = in_features
        self.out_features = out_features
        self.num_heads = num_heads
        self.merge = merge
        self.negative_slope = negative_slope
        self.feat_drop = feat_drop
        self.attn_drop = attn_drop
        self.residual = residual

        width = num_heads * out_features
        merged = width if merge == "concat" else out_features
        self.weight = nn.Parameter(torch.empty(in_features, width * self.projections))
        for name in self.vectors:
            vector = nn.Parameter(torch.empty(num_heads, out_features))
            self.register_parameter(name, vector)
        self.register_parameter(
            "residual_weight",
            nn.Parameter(torch.empty(in_features, merged))
            if residual and merged != in_features
            else None,
        )
        self.register_parameter(
            "bias", nn.Parameter(torch.empty(merged)) if bias else None
        )
        self.reset_parameters()

    def __init_subclass__(cls, **options) -> None:
        super().__init_subclass__(**options)
        if "scores" in vars(cls):
            reader = next(base for base in cls.__mro__ if "attend" in vars(base))
            if reader.scores is GATLayer.scores:  # it was written without any
                raise TypeError(
                    f"nothing would read the scores of {cls.__name__}: derive it from "
                    "EdgeGATLayer, or write its attend too"
                )

    def reset_parameters(self) -> None:
        """Draw new parameters: Glorot normal with gain √2, as DGL's GATConv; bias 0."""
        gain = nn.init.calculate_gain("relu")
        for part in self.weight.chunk(self.projections, dim=1):
            nn.init.xavier_normal_(part, gain)
        for name in self.vectors:
            nn.init.xavier_normal_(getattr(self, name).unsqueeze(0), gain)  # [1, K, F']
        if self.residual_weight is not None:
            nn.init.xavier_normal_(self.residual_weight, gain)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def scores(self, graph: GraphData, z: Tensor) -> Tensor:
        """Equation (2) for each edge; what variants of `EdgeGATLayer` change.

        Args:
            graph: the graph, $N$ nodes and $E$ edges.
            z: transformed features, `[N, K, F']`.

        Returns:
            $e_{ij}$ of every edge, `[E, K]`.
        """
        name = type(self).__name__
        raise NotImplementedError(f"{name} scores no single edges; EdgeGATLayer does")

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (2) to (4) without the activation.

        Args:
            graph: the graph, $N$ nodes and $E$ edges.
            z: transformed features, `[N, K, F']`.

        Returns:
            The heads `[N, K, F']` and the weights `[E, K]`.
        """
        raise NotImplementedError("use one of the layers derived from GATLayer")

    def aggregate_heads(self, graph: GraphData, z: Tensor) -> Tensor:
        """The heads of `attend` alone, for a caller who does not want the weights.

        A layer that can do without making them does it here (chapter 9).
        """
        return self.attend(graph, z)[0]

    def forward(
        self, graph: GraphData, x: Tensor, *, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Apply the layer; see the class for shapes."""
        check_input(graph, x, self.weight)
        x = dropout(x, self.feat_drop, self.training)
        z = formulas.transform(x, self.weight)  # [N, K * F']
        z = z.view(-1, self.num_heads, self.out_features)
        if return_attention:
            heads, alpha = self.attend(graph, z)  # [N, K, F'], [E, K]
        else:
            heads = self.aggregate_heads(graph, z)
        out = heads.flatten(1) if self.merge == "concat" else heads.mean(dim=1)
        if self.residual_weight is not None:
            out = out + sparse.matmul(x, self.residual_weight)
        elif self.residual:
            out = out + (x.to_dense() if sparse.is_csr(x) else x)
        if self.bias is not None:
            out = out + self.bias
        return (out, alpha) if return_attention else out

    def extra_repr(self) -> str:
        return (
            f"{self.in_features}, {self.out_features}, num_heads={self.num_heads}, "
            f"merge={self.merge!r}, negative_slope={self.negative_slope}, "
            f"feat_drop={self.feat_drop}, "
            f"attn_drop={self.attn_drop}, residual={self.residual}"
        )


class DenseGATLayer(GATLayer):
    """Graph attention with an N×N mask: every pair is scored, non-edges are masked.

    Memory and time grow with $N^2$. Arguments and shapes: see `GATLayer`.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3))
    >>> DenseGATLayer(3, 4)(graph, graph.x)[0]  # no edge into node 0: the bias alone
    tensor([0., 0., 0., 0.], grad_fn=...)
    """

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (2) to (4) on N×N matrices; see `GATLayer.attend`."""
        adjacency = graph.dense_adjacency().to(z.dtype)
        z = z.transpose(0, 1)  # [K, N, F']
        scores = formulas.attention_scores(
            z,
            self.att_dst.unsqueeze(1),  # [K, 1, F']
            self.att_src.unsqueeze(1),
            self.negative_slope,
        )  # [K, N, N]
        alpha = formulas.masked_softmax(scores, adjacency)  # [K, N, N]
        heads = dropout(alpha, self.attn_drop, self.training) @ z  # [K, N, F']
        dst, src = graph.dst, graph.src
        # A pair's weight, shared out among its edges.
        per_edge = alpha[:, dst, src] / adjacency[dst, src]  # [K, E]
        if graph.edge_weight is not None:
            per_edge = per_edge * graph.edge_weight.to(z.dtype)
        return heads.transpose(0, 1), per_edge.t()


class EdgeGATLayer(GATLayer):
    r"""Graph attention on the edge list, in plain PyTorch, on any device.

    Memory and time grow with $|E|$. Arguments and shapes: see `GATLayer`.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3))
    >>> dense, edges = DenseGATLayer(3, 4), EdgeGATLayer(3, 4)
    >>> _ = edges.load_state_dict(dense.state_dict())
    >>> torch.allclose(dense(graph, graph.x), edges(graph, graph.x))
    True
    """

    def scores(self, graph: GraphData, z: Tensor) -> Tensor:
        """Equation (2) edge by edge; see `GATLayer.scores`."""
        s_dst = (z * self.att_dst).sum(dim=-1)  # [N, K]
        s_src = (z * self.att_src).sum(dim=-1)  # [N, K]
        pairs = s_dst.index_select(0, graph.dst) + s_src.index_select(0, graph.src)
        return F.leaky_relu(pairs, self.negative_slope)  # [E, K]

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (2) to (4) edge by edge; see `GATLayer.attend`."""
        src, dst, n = graph.src, graph.dst, graph.num_nodes
        scores = self.scores(graph, z)
        alpha = formulas.edge_softmax(scores, dst, n, graph.edge_weight)
        dropped = dropout(alpha, self.attn_drop, self.training)
        return formulas.aggregate(dropped, z, src, dst, n), alpha
