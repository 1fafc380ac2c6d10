"""Graph attention in chunks of edges, the fastest layer here (chapter 9 builds it).

The weights of a chunk are used and forgotten; the backward pass makes them again, as
fused attention does for sequences (Dao et al., NeurIPS 2022).
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course import formulas, sparse
from gat_course.dropout import hashed_mask
from gat_course.graph import EdgeOrder, GraphData
from gat_course.layers.gat import EdgeGATLayer

# Numbers (edges × heads) in a chunk: few for a CPU's caches, many for a GPU's cores.
CHUNK = {"cpu": 2**17, "cuda": 2**25}


class Chunk(NamedTuple):
    r"""Some nodes with all their edges on one side, once for each head.

    The K heads are K copies of the graph: head $k$ of node $i$ is node $iK+k$ there.
    M edges in a chunk of n nodes give $KM$ entries, those of head 0 first.

    Args:
        nodes: which nodes, a slice.
        near: the chunk's end of each entry, `[K·M]`.
        far: the other end, `[K·M]`.
        starts: where each node's entries begin, `[K·n + 1]`.
        number: the entry's own number, for its random draw, `[K·M]`.
        place: 0, 1, 2, …, `[K·M]`.
    """

    nodes: slice
    near: Tensor
    far: Tensor
    starts: Tensor
    number: Tensor
    place: Tensor


def chunks(order: EdgeOrder, num_heads: int) -> Iterable[Chunk]:
    """Cut the edges into chunks; a graph that fits into one keeps it.

    Args:
        order: the edges, sorted by one end.
        num_heads: $K$.

    Raises:
        ValueError: nodes or edges times heads need more than 32 bits.

    >>> graph = GraphData.from_edges([0, 0], [1, 2])
    >>> [chunk.near.tolist() for chunk in fused.chunks(graph.by_target, num_heads=2)]
    [[2, 4, 3, 5]]
    """
    largest = max(len(order.starts), len(order.near))
    if largest * num_heads >= 2**31:
        raise ValueError(
            f"{largest:,} nodes or edges with {num_heads} heads are too many for "
            "32-bit indices: take fewer heads, or EdgeGATLayer"
        )
    limit = max(CHUNK[order.starts.device.type] // num_heads, 1)
    cuts = [cut for cut in order.cuts(limit) if cut[2] < cut[3]]
    found = (_chunk(order, num_heads, *cut) for cut in cuts)
    if len(cuts) > 1:
        return found
    key = "chunk", num_heads
    if key not in order.cache:
        order.cache[key] = list(found)
    return order.cache[key]


def _chunk(
    order: EdgeOrder, num_heads: int, first: int, end: int, lo: int, hi: int
) -> Chunk:
    device = order.starts.device
    head = torch.arange(num_heads, dtype=torch.int32, device=device).unsqueeze(1)
    near, far, number = (
        (ends[lo:hi] * num_heads + head).flatten()
        for ends in (order.near, order.far, order.edge)
    )
    starts = (order.starts[first:end] - lo + head * (hi - lo)).flatten()
    starts = torch.cat([starts, starts.new_full((1,), near.numel())])
    place = torch.arange(near.numel(), dtype=torch.int32, device=device)
    return Chunk(slice(first, end), near, far, starts, number, place)


def matrix(chunk: Chunk, values: Tensor, columns: Tensor, width: int) -> Tensor:
    """A sparse matrix `[K·n, width]` with one value for each entry of the chunk.

    >>> (chunk,) = fused.chunks(GraphData.from_edges([0, 0], [1, 2]).by_target, 1)
    >>> fused.matrix(chunk, torch.ones(2), chunk.far, width=3).to_dense()
    tensor([[0., 0., 0.],
            [1., 0., 0.],
            [1., 0., 0.]])
    """
    return torch.sparse_csr_tensor(
        chunk.starts,
        columns,
        values,
        (len(chunk.starts) - 1, width),
        device=values.device,
        check_invariants=False,
    )


# A product takes less time than `torch.segment_reduce`, most so on several threads.
def row_sums(chunk: Chunk, values: Tensor) -> Tensor:
    """Sum over the entries of each node and head, `[K·n]`.

    >>> (chunk,) = fused.chunks(GraphData.from_edges([0, 1], [2, 2]).by_target, 1)
    >>> fused.row_sums(chunk, torch.tensor([1.0, 2.0]))
    tensor([0., 0., 3.])
    """
    ones = values.new_ones(len(values), 1)
    return (matrix(chunk, values, chunk.place, len(values)) @ ones).squeeze(1)


def row_maxima(chunk: Chunk, values: Tensor) -> Tensor:
    """Largest entry of each node and head, `[K·n]`; −∞ where there is none.

    >>> (chunk,) = fused.chunks(GraphData.from_edges([0, 1], [2, 2]).by_target, 1)
    >>> fused.row_maxima(chunk, torch.tensor([1.0, 2.0]))
    tensor([-inf, -inf, 2.])
    """
    return torch.segment_reduce(
        values, "max", offsets=chunk.starts, axis=0, unsafe=True
    )


def products(places: Tensor, own: Tensor, rows: Tensor) -> Tensor:
    """The scalar products of rows of two matrices, one for each entry of a third.

    Args:
        places: a sparse matrix `[K·n, N·K]`; an entry's row and column say which rows
            meet. Entries may repeat.
        own: `[K·n, F']`.
        rows: `[N·K, F']`.

    Returns:
        One number for each entry, `[K·M]`.

    >>> x, places = torch.tensor([[1.0], [2.0]]), torch.eye(2).to_sparse_csr()
    >>> fused.products(places, x, x)
    tensor([1., 4.])
    """
    if places.values().numel() <= places.numel():
        return torch.sparse.sampled_addmm(places, own, rows.t(), beta=0).values()
    # PyTorch refuses more entries than cells, which repeated edges can bring.
    row = sparse.row_indices(places)
    return (own[row] * rows.index_select(0, places.col_indices())).sum(dim=1)


def weights_of(graph: GraphData, chunk: Chunk, num_heads: int) -> Tensor | float:
    """The weight of each entry's edge, `[K·M]`; 1 where edges have none.

    >>> graph = GraphData.from_edges([0, 1], [2, 2], edge_weight=[0.5, 2])
    >>> (chunk,) = fused.chunks(graph.by_target, num_heads=1)
    >>> fused.weights_of(graph, chunk, num_heads=1)
    tensor([0.5000, 2.0000])
    """
    if graph.edge_weight is None:
        return 1.0
    edge = chunk.number.div(num_heads, rounding_mode="floor")
    return graph.edge_weight.index_select(0, edge)


def by_node(values: Tensor, num_heads: int) -> Tensor:
    """Turn a chunk's results, head by head `[K·n, ...]`, into `[n, K, ...]`.

    >>> fused.by_node(torch.tensor([1, 2, 3, 4]), num_heads=2)
    tensor([[1, 3],
            [2, 4]])
    """
    return values.view(num_heads, -1, *values.shape[1:]).transpose(0, 1)


def attend_in_chunks(
    graph: GraphData,
    z: Tensor,
    s_dst: Tensor,
    s_src: Tensor,
    negative_slope: float,
    p: float,
    seed: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Equations (2) to (4), chunk by chunk, in the order of the targets.

    Args:
        graph: $N$ nodes.
        z: transformed features, `[N, K, F']`.
        s_dst: each node's score as a target, `[N, K]`.
        s_src: each node's score as a source, `[N, K]`.
        negative_slope: slope of LeakyReLU below zero.
        p: dropout probability of the weights.
        seed: decides what is dropped, below 2^31.

    Returns:
        The heads `[N, K, F']`; of each target its largest score and the sum of the
        exponentials of the scores less that, `[N, K]`. A node without edges gets zeros.
    """
    heads, width = z.shape[1:]
    rows = z.view(-1, width)  # [N * K, F']
    out = torch.zeros_like(z)
    largest, total = torch.zeros_like(s_dst), torch.ones_like(s_dst)
    for chunk in chunks(graph.by_target, heads):
        nodes, dst, src = chunk.nodes, chunk.near, chunk.far
        pairs = s_dst.view(-1).index_select(0, dst)
        pairs += s_src.view(-1).index_select(0, src)
        scores = F.leaky_relu(pairs, negative_slope)
        largest[nodes] = by_node(row_maxima(chunk, scores), heads)
        scores -= largest.view(-1).index_select(0, dst)
        weights = scores.exp_()
        weights *= weights_of(graph, chunk, heads)
        total[nodes] = by_node(row_sums(chunk, weights), heads)
        total[nodes] += total[nodes] == 0  # a node without edges
        if p > 0:
            weights *= hashed_mask(chunk.number, p, seed)
        sums = matrix(chunk, weights, src, len(rows)) @ rows
        out[nodes] = by_node(sums, heads) / total[nodes].unsqueeze(-1)
    return out, largest, total


def gradients_in_chunks(
    given: tuple, kept: tuple[Tensor, Tensor, Tensor], grad: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    r"""The gradient of `attend_in_chunks`, in the order of the sources.

    With $g_i$ the gradient of target $i$'s result $o_i$ and $d_{ij}$ dropout's factor,

    $$\frac{\partial L}{\partial z_j}=\sum_i d_{ij}\,\alpha_{ij}\,g_i,\qquad
    \frac{\partial L}{\partial e_{ij}}
    =\alpha_{ij}\,(d_{ij}\,g_i^\top z_j - g_i^\top o_i)$$

    Args:
        given: the seven arguments of `attend_in_chunks`.
        kept: what it returned.
        grad: $g$, `[N, K, F']`.

    Returns:
        Gradients of `z`, `s_dst` and `s_src`.
    """
    graph, z, s_dst, s_src, negative_slope, p, seed = given
    out, largest, total = kept
    heads, width = z.shape[1:]
    rows = grad.contiguous().view(-1, width)  # [N * K, F']
    mean = (rows.view_as(out) * out).sum(dim=-1).view(-1)  # [N * K]
    scale = total.reciprocal().view(-1)
    grad_z = torch.zeros_like(z)
    grad_dst, grad_src = torch.zeros_like(s_dst), torch.zeros_like(s_src)
    for chunk in chunks(graph.by_source, heads):
        nodes, src, dst = chunk.nodes, chunk.near, chunk.far
        pairs = s_dst.view(-1).index_select(0, dst)
        pairs += s_src.view(-1).index_select(0, src)
        scores = F.leaky_relu(pairs, negative_slope)
        scores -= largest.view(-1).index_select(0, dst)
        alpha = scores.exp_() * scale.index_select(0, dst)
        alpha *= weights_of(graph, chunk, heads)
        mask = hashed_mask(chunk.number, p, seed) if p > 0 else 1
        weights = matrix(chunk, alpha * mask, dst, len(rows))
        grad_z[nodes] = by_node(weights @ rows, heads)
        own = z[nodes].transpose(0, 1).reshape(-1, width)  # [K * n, F']
        grad_e = products(weights, own, rows) * mask
        grad_e -= mean.index_select(0, dst)
        grad_e *= alpha
        grad_e *= F.threshold(pairs.sign_(), 0, negative_slope)  # 1 or slope
        grad_src[nodes] = by_node(row_sums(chunk, grad_e), heads)
        grad_dst.view(-1).index_add_(0, dst, grad_e)
    return grad_z, grad_dst, grad_src


def attend_on_edges(
    graph: GraphData,
    z: Tensor,
    s_dst: Tensor,
    s_src: Tensor,
    negative_slope: float,
    p: float,
    seed: int,
) -> Tensor:
    """The heads of `attend_in_chunks` from one list of all edges, draws included.

    PyTorch can differentiate it as often as one likes. Arguments: see there.

    >>> graph, z = GraphData.from_edges([0, 1], [2, 2]), torch.ones(3, 1, 4)
    >>> s = torch.zeros(3, 1)
    >>> fused.attend_on_edges(graph, z, s, s, 0.2, p=0.0, seed=0)[2]
    tensor([[1., 1., 1., 1.]])
    """
    pairs = s_dst.index_select(0, graph.dst) + s_src.index_select(0, graph.src)
    scores = F.leaky_relu(pairs, negative_slope)  # [E, K]
    ends = graph.dst, graph.num_nodes
    alpha = formulas.edge_softmax(scores, *ends, graph.edge_weight)
    if p > 0:
        number = torch.arange(alpha.numel(), dtype=torch.int32, device=z.device)
        alpha = alpha * hashed_mask(number, p, seed).view_as(alpha)
    return formulas.aggregate(alpha, z, graph.src, *ends)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, s_dst, s_src, graph, *options):
        with torch.autocast(z.device.type, enabled=False):
            kept = attend_in_chunks(graph, z, s_dst, s_src, *options)
        ctx.save_for_backward(z, s_dst, s_src, *kept)
        ctx.graph, ctx.options = graph, options
        return kept[0]

    @staticmethod
    def backward(ctx, grad):
        z, s_dst, s_src, *kept = ctx.saved_tensors
        given = ctx.graph, z, s_dst, s_src, *ctx.options
        with torch.autocast(z.device.type, enabled=False):
            if torch.is_grad_enabled():  # this gradient is to be differentiated again
                gradients = _gradients_on_edges(given, grad)
            else:
                gradients = gradients_in_chunks(given, kept, grad)
        return *gradients, None, None, None, None


def _gradients_on_edges(given: tuple, grad: Tensor) -> list[Tensor | None]:
    """The gradients of `z`, `s_dst` and `s_src` as a graph of their own."""
    inputs = [tensor for tensor in given[1:4] if tensor.requires_grad]
    heads = attend_on_edges(*given)
    found = iter(torch.autograd.grad(heads, inputs, grad, create_graph=True))
    return [next(found) if t.requires_grad else None for t in given[1:4]]


class FusedGATLayer(EdgeGATLayer):
    r"""`EdgeGATLayer` for speed and size: the weights are never all there at once.

    Beside the features of the nodes it needs memory for one chunk of edges, or for
    those of the node that has most. Asked for the weights (`return_attention=True`) it
    computes as `EdgeGATLayer` does; so it does on other devices than a CPU or CUDA and
    for other numbers than float32 and float64, for which PyTorch lacks the sparse
    products. A gradient that is to be differentiated again is computed edge by edge,
    with numbers for each edge. `torch.func` cannot see through the layer, and
    `torch.compile` leaves it as it is (`fullgraph=True` refuses it).

    A subclass with `scores` or `attend` of its own computes as `EdgeGATLayer` does.

    A graph that fits into one chunk keeps four 32-bit integers per edge and head, in
    both orders of its edges, for as long as it lives.

    Arguments and shapes: see `GATLayer`. Under autocast it computes in float32.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> fast, edges = FusedGATLayer(3, 4, num_heads=2), EdgeGATLayer(3, 4, num_heads=2)
    >>> _ = edges.load_state_dict(fast.state_dict())
    >>> torch.allclose(fast(graph, graph.x), edges(graph, graph.x), atol=1e-6)
    True
    """

    def __init_subclass__(cls, **options) -> None:
        super().__init_subclass__(**options)
        own = [name for name in ("scores", "attend") if name in vars(cls)]
        if own and "aggregate_heads" not in vars(cls):
            cls.aggregate_heads = EdgeGATLayer.aggregate_heads

    def aggregate_heads(self, graph: GraphData, z: Tensor) -> Tensor:
        """Equations (2) to (4) in chunks; see `GATLayer.aggregate_heads`."""
        dtype = self.att_dst.dtype
        if z.device.type not in CHUNK or dtype not in (torch.float32, torch.float64):
            return super().aggregate_heads(graph, z)
        with torch.autocast(z.device.type, enabled=False):
            z = z.to(dtype)
            # Both scores of all heads in one product: a head's vectors fill its own
            # rows of the table, the other rows of its two columns are zero.
            own = torch.eye(self.num_heads, dtype=dtype, device=z.device)
            vectors = torch.stack([self.att_dst, self.att_src], dim=-1)  # [K, F', 2]
            table = vectors.unsqueeze(-1) * own[:, None, None]  # [K, F', 2, K]
            scores = z.flatten(1) @ table.flatten(0, 1).flatten(1)  # [N, 2 K]
            s_dst, s_src = (half.contiguous() for half in scores.chunk(2, dim=1))
            # Sparse products are several times slower unless rows fill vectors of 8.
            spare = -self.out_features % 8
            z = F.pad(z, (0, spare)) if spare else z.contiguous()
            p = self.attn_drop if self.training else 0.0
            seed = int(torch.randint(2**31, (), device="cpu")) if p else 0
            options = self.negative_slope, p, seed
            heads = _Attention.apply(z, s_dst, s_src, graph, *options)
            return heads[..., : self.out_features] if spare else heads
