r"""The course's equations as plain functions, on matrices and on edge lists.

For a target $i$ and its sources $j\in\mathcal N(i)$:

(1) $z_i=W^\top h_i$; (2) $e_{ij}=\mathrm{LeakyReLU}(a^\top[z_i\|z_j])$;
(3) $\alpha_{ij}=\exp e_{ij}/\sum_m\exp e_{im}$; (4) $h_i'=\sum_j\alpha_{ij}z_j$.

Rows are targets: entry $(i, j)$ of a matrix belongs to the edge $j \to i$. A mask or an
adjacency matrix is zero where $i$ may not look at $j$. Elsewhere it may hold any
positive number: $w$ counts like $w$ edges.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course import sparse


def mean_weights(adjacency: Tensor) -> Tensor:
    r"""GraphSAGE-mean averaging, $1/|\mathcal N(i)|$ for each neighbour.

    Args:
        adjacency: $A$, `[N, N]`, not negative; where it holds weights, each neighbour
            gets its share of the row's.

    Returns:
        Weights `[N, N]`; a row sums to one, or to zero where $i$ has no neighbour.

    Source: Hamilton et al., NeurIPS 2017, section 3.3.

    >>> formulas.mean_weights(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    tensor([[0.5000, 0.5000],
            [0.0000, 1.0000]])
    """
    degree = adjacency.sum(dim=1, keepdim=True)  # [N, 1]
    return adjacency / degree.masked_fill(degree == 0, 1)


def gcn_weights(adjacency: Tensor) -> Tensor:
    r"""GCN averaging, $1/\sqrt{|\mathcal N(i)|\,|\mathcal N(j)|}$.

    Args:
        adjacency: $A$, `[N, N]`, not negative; where it holds weights, rows' sums
            stand for the degrees.

    Returns:
        Weights `[N, N]`. Their rows do not sum to one in general.

    Source: Kipf and Welling, ICLR 2017, equation 2.

    >>> formulas.gcn_weights(torch.tensor([[1.0, 1.0], [1.0, 1.0]]))
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    degree = adjacency.sum(dim=1)  # [N]
    degree = degree.masked_fill(degree == 0, 1)
    return adjacency / (degree.unsqueeze(1) * degree.unsqueeze(0)).sqrt()


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    r"""Equation (3): softmax over the allowed entries of each row.

    Args:
        scores: $e_{ij}$, `[..., N, N]`.
        mask: zero where $i$ may not attend to $j$, broadcastable to `scores`.

    Returns:
        $\alpha_{ij}$, shaped like `scores`. A row with nothing allowed is all
        zeros. Each row's largest score is subtracted first, so nothing overflows.

    >>> formulas.masked_softmax(torch.zeros(2, 2), torch.tensor([[1, 3], [0, 0]]))
    tensor([[0.2500, 0.7500],
            [0.0000, 0.0000]])
    """
    allowed = scores.masked_fill(mask == 0, -math.inf)
    largest = allowed.detach().amax(dim=-1, keepdim=True)
    largest = largest.masked_fill(largest == -math.inf, 0)
    weights = torch.exp(allowed - largest) * mask
    total = weights.sum(dim=-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    r"""$\mathrm{softmax}(QK^\top/\sqrt{d_k})\,V$ under a mask.

    Args:
        query: `[N, d_k]`.
        key: `[M, d_k]`.
        value: `[M, d_v]`.
        mask: zero where a query may not see a key, `[N, M]`.

    Returns:
        The attended values `[N, d_v]` and the weights `[N, M]`.

    Source: Vaswani et al., NeurIPS 2017, equation 1.

    >>> x, mask = torch.ones(2, 4), torch.eye(2)
    >>> out, weights = formulas.scaled_dot_product_attention(x, x, x, mask)
    >>> weights
    tensor([[1., 0.],
            [0., 1.]])
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = masked_softmax(scores, mask)
    return weights @ value, weights


def transform(x: Tensor, weight: Tensor) -> Tensor:
    r"""Equation (1): $z_i = W^\top h_i$ for all nodes at once.

    Args:
        x: $H$, one node a row, `[N, F]`, dense or sparse CSR.
        weight: $W$, `[F, F']`.

    Returns:
        $Z = HW$, `[N, F']`.

    >>> formulas.transform(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0], [3.0]]))
    tensor([[7.]])
    """
    return sparse.matmul(x, weight)


def attention_scores(
    z: Tensor, att_dst: Tensor, att_src: Tensor, negative_slope: float = 0.2
) -> Tensor:
    r"""Equation (2) for all pairs, $\mathrm{LeakyReLU}(a^\top[z_i\|z_j])$.

    The product splits into $a_\mathrm{dst}^\top z_i+a_\mathrm{src}^\top z_j$, so
    that each node is scored once and pairs are only added.

    Args:
        z: transformed features, `[..., N, F']`.
        att_dst: $a_\mathrm{dst}$, the half of $a$ that meets the target,
            broadcastable to `z`.
        att_src: $a_\mathrm{src}$, the half that meets the source, likewise.
        negative_slope: slope of LeakyReLU below zero.

    Returns:
        $e_{ij}$, `[..., N, N]`; row $i$ is the target.

    Source: Veličković et al., ICLR 2018, where this is equation 3.

    >>> z, a = torch.tensor([[1.0], [-5.0]]), torch.ones(1)
    >>> formulas.attention_scores(z, a, a)
    tensor([[ 2.0000, -0.8000],
            [-0.8000, -2.0000]])
    """
    s_dst = (z * att_dst).sum(dim=-1)  # [..., N]
    s_src = (z * att_src).sum(dim=-1)  # [..., N]
    pairs = s_dst.unsqueeze(-1) + s_src.unsqueeze(-2)  # [..., N, N]
    return F.leaky_relu(pairs, negative_slope)


def joined_scores(
    z: Tensor, att_dst: Tensor, att_src: Tensor, negative_slope: float = 0.2
) -> Tensor:
    r"""Equation (2) as it is written, $[z_i\|z_j]$ joined for all pairs (chapter 2).

    The same numbers as `attention_scores`, for one head, at the price of a table of
    $2F'N^2$ numbers. It is there to be compared with.

    Args:
        z: transformed features, `[N, F']`.
        att_dst: $a_\mathrm{dst}$, `[F']`.
        att_src: $a_\mathrm{src}$, `[F']`.
        negative_slope: slope of LeakyReLU below zero.

    Returns:
        $e_{ij}$, `[N, N]`; row $i$ is the target.

    >>> z, a = torch.tensor([[1.0], [-5.0]]), torch.ones(1)
    >>> formulas.joined_scores(z, a, a)
    tensor([[ 2.0000, -0.8000],
            [-0.8000, -2.0000]])
    """
    num_nodes = len(z)
    targets = z.unsqueeze(1).expand(-1, num_nodes, -1)  # [N, N, F']
    sources = z.unsqueeze(0).expand(num_nodes, -1, -1)  # [N, N, F']
    joined = torch.cat([targets, sources], dim=-1)  # [N, N, 2 F']
    pairs = joined @ torch.cat([att_dst, att_src])  # [N, N]
    return F.leaky_relu(pairs, negative_slope)


def edge_softmax(
    scores: Tensor, dst: Tensor, num_nodes: int, edge_weight: Tensor | None = None
) -> Tensor:
    r"""Equation (3) on an edge list: softmax over the edges that share a target.

    Args:
        scores: $e_{ij}$ of each edge, `[E, K]`.
        dst: target $i$ of each edge, `[E]`.
        num_nodes: $N$.
        edge_weight: positive, `[E]`; an edge counts like so many copies of it, as in a
            mask.

    Returns:
        $\alpha_{ij}$, `[E, K]`. Each target's own largest score is subtracted
        first, so no neighbourhood overflows or vanishes.

    >>> dst = torch.tensor([0, 0, 1])
    >>> formulas.edge_softmax(torch.zeros(3, 1), dst, num_nodes=2).flatten()
    tensor([0.5000, 0.5000, 1.0000])
    """
    index = dst.unsqueeze(1).expand_as(scores)  # [E, K]
    largest = scores.new_full((num_nodes, scores.shape[1]), -math.inf)
    largest = largest.scatter_reduce(0, index, scores.detach(), "amax")
    weights = torch.exp(scores - largest.index_select(0, dst))
    if edge_weight is not None:
        weights = weights * edge_weight.to(weights.dtype).unsqueeze(1)
    total = weights.new_zeros(largest.shape).index_add(0, dst, weights)  # [N, K]
    return weights / total.index_select(0, dst)


def aggregate(
    alpha: Tensor, z: Tensor, src: Tensor, dst: Tensor, num_nodes: int
) -> Tensor:
    r"""The sum of equation (4), $\sum_{j\in\mathcal N(i)}\alpha_{ij}z_j$.

    Args:
        alpha: weights, `[E, K]`.
        z: transformed features, `[N, K, F']`.
        src: source $j$ of each edge, `[E]`.
        dst: target $i$ of each edge, `[E]`.
        num_nodes: $N$.

    Returns:
        `[N, K, F']`; zeros where a node has no neighbour.

    >>> alpha, z = torch.tensor([[0.5], [0.5]]), torch.tensor([[[2.0]], [[4.0]]])
    >>> ends = torch.tensor([0, 1]), torch.tensor([0, 0])
    >>> formulas.aggregate(alpha, z, *ends, num_nodes=2).flatten()
    tensor([3., 0.])
    """
    heads, width = z.shape[1:]
    # One long row per edge: a product without broadcasting is several times faster.
    weights = alpha.unsqueeze(-1).expand(-1, heads, width).flatten(1)  # [E, K * F']
    messages = weights * z.flatten(1).index_select(0, src)
    total = messages.new_zeros(num_nodes, heads * width)
    total = total.index_add(0, dst, messages)
    return total.view(num_nodes, heads, width)
