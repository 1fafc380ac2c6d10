"""Attention weights taken out of a trained model, and measured (chapters 4 to 6)."""

import torch
from torch import Tensor, nn

from gat_course.graph import GraphData


@torch.no_grad()
def extract(model: nn.Module, graph: GraphData) -> list[Tensor]:
    r"""Attention weights of every layer, with dropout off.

    Args:
        model: a model whose forward takes `return_attention=True`, such as `GAT`.
        graph: the graph to look at, with features.

    Returns:
        One $\alpha$ per layer, `[E, K]`, in the order of `graph.src`, `graph.dst`.

    Raises:
        TypeError: the model has no attention to give.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3)).with_self_loops()
    >>> [alpha.shape for alpha in attention.extract(GAT(3, 2), graph)]
    [torch.Size([5, 8]), torch.Size([5, 1])]
    """
    was_training = model.training
    model.eval()
    try:
        _, alphas = model(graph, graph.x, return_attention=True)
    except TypeError as error:
        if "return_attention" not in str(error):
            raise
        raise TypeError(
            f"{type(model).__name__} has no attention weights: its forward takes no "
            "return_attention"
        ) from error
    finally:
        model.train(was_training)
    return alphas


def entropy(graph: GraphData, alpha: Tensor) -> Tensor:
    r"""Entropy of each target's weights, $-\sum_j \alpha_{ij}\log\alpha_{ij}$, in nats.

    The sum is over edges: attention that two copies of an edge share counts as spread
    over two. `graph.coalesce()` makes one edge of them.

    Args:
        graph: the graph.
        alpha: weights `[E, K]`.

    Returns:
        `[N, K]`, between 0 (all weight on one edge) and $\log|\mathcal N(i)|$; 0 for a
        node without neighbours.

    Source: DGL's graph attention tutorial measures attention this way.

    >>> graph = GraphData.from_edges([0, 1], [2, 2])
    >>> attention.entropy(graph, torch.tensor([[0.5], [0.5]])).flatten()
    tensor([0.0000, 0.0000, 0.6931])
    """
    _check(graph, alpha, dims=2)
    terms = -torch.special.xlogy(alpha, alpha)  # [E, K], 0 log 0 = 0
    return alpha.new_zeros(graph.num_nodes, alpha.shape[1]).index_add(
        0, graph.dst, terms
    )


def uniform_entropy(graph: GraphData) -> Tensor:
    r"""The entropy of uniform attention, $\log|\mathcal N(i)|$, `[N]`, in nats.

    No attention has more. Where edges have weights, uniform attention (equal scores) is
    each edge's share of its target's weights; its entropy is less then, and attention
    that evens the weights out has more. A node without neighbours gets 0.

    >>> attention.uniform_entropy(GraphData.from_edges([0, 1], [2, 2]))
    tensor([0.0000, 0.0000, 0.6931])
    """
    if graph.edge_weight is not None:
        share = graph.edge_weight / graph.in_strengths[graph.dst]  # [E]
        return entropy(graph, share.unsqueeze(1)).squeeze(1).float()
    return graph.in_degrees.clamp(min=1).double().log().float()


def relative_entropy(graph: GraphData, alpha: Tensor) -> Tensor:
    r"""Entropy over that of uniform attention: 0 is all on one edge, 1 is uniform.

    Low is called sharp, high flat.

    Args:
        graph: the graph, without weights of edges.
        alpha: weights `[E, K]`.

    Returns:
        `[N, K]`; NaN for a node with fewer than two incoming edges, which has no
        choice.

    Raises:
        ValueError: the edges have weights, for which uniform attention does not have
            the largest entropy, or a shape is wrong.

    >>> graph = GraphData.from_edges([0, 1], [2, 2])
    >>> attention.relative_entropy(graph, torch.tensor([[0.5, 1.0], [0.5, 0.0]]))[2]
    tensor([1., 0.])
    """
    if graph.edge_weight is not None:
        raise ValueError(
            "relative entropy has no fixed scale where edges have weights; compare "
            "entropy(graph, alpha) with uniform_entropy(graph)"
        )
    # A node without a choice is divided by log 2: 0/0 would spoil its gradient.
    limit = graph.in_degrees.clamp(min=2).double().log()
    limit = limit.to(alpha.dtype).unsqueeze(1)  # [N, 1]
    no_choice = (graph.in_degrees <= 1).unsqueeze(1)
    return (entropy(graph, alpha) / limit).masked_fill(no_choice, float("nan"))


def head_distances(graph: GraphData, alpha: Tensor) -> Tensor:
    r"""Share of a node's attention that differs between two heads (chapter 4).

    $\frac12\sum_{j\in\mathcal N(i)}|\alpha_{ij}^{(k)}-\alpha_{ij}^{(l)}|$, the total
    variation distance, averaged over the nodes with at least two incoming edges.
    Weights of edges are already part of $\alpha$.

    Args:
        graph: the graph.
        alpha: weights `[E, K]`.

    Returns:
        `[K, K]`, from 0 (the heads agree) to 1 (they never look at the same node);
        NaN if no node has two.

    >>> graph = GraphData.from_edges([0, 1], [2, 2])
    >>> attention.head_distances(graph, torch.eye(2))
    tensor([[0., 1.],
            [1., 0.]])
    """
    _check(graph, alpha, dims=2)
    gaps = (alpha.unsqueeze(2) - alpha.unsqueeze(1)).abs() / 2  # [E, K, K]
    moved = gaps.new_zeros(graph.num_nodes, *gaps.shape[1:])
    moved = moved.index_add(0, graph.dst, gaps)  # [N, K, K]
    return moved[graph.in_degrees > 1].mean(dim=0)


def right_attention(graph: GraphData, relevant: Tensor) -> Tensor:
    r"""Uniform attention over the edges that matter, nothing on the others.

    Weights of edges play no part.

    Args:
        graph: the graph.
        relevant: which edges matter, bool `[E]`; `sends[graph.src]` where it is the
            source alone that decides.

    Returns:
        Weights `[E]`. They sum to one over the edges into a node, or to zero where
        none of them matters.

    Raises:
        ValueError: `relevant` is no bool `[E]` of this graph.

    >>> graph = GraphData.from_edges([0, 1], [2, 2])
    >>> attention.right_attention(graph, torch.tensor([True, False]))
    tensor([1., 0.])
    """
    if relevant.dtype != torch.bool or relevant.shape != (graph.num_edges,):
        raise ValueError(
            f"relevant must be bool [{graph.num_edges}], one for each edge"
        )
    weights = relevant.float()
    count = weights.new_zeros(graph.num_nodes).index_add(0, graph.dst, weights)
    return weights / count.clamp(min=1)[graph.dst]


def overlap(graph: GraphData, alpha: Tensor, right: Tensor) -> Tensor:
    r"""Share of attention that lies where it should, $\sum_j\min(\alpha_{ij},r_{ij})$.

    Where both sum to one this is 1 minus their total variation distance. Nodes for
    which no weight is right ($r_{ij}=0$ for all $j$) are left out.

    Args:
        graph: the graph.
        alpha: weights `[E, K]`.
        right: $r$, the right weights, `[E]`, as from `right_attention`.

    Returns:
        Means over the nodes, `[K]`, from 0 to 1; NaN if no node has a right weight.

    Raises:
        ValueError: a shape is wrong, or a weight is not in [0, 1].

    >>> graph, right = GraphData.from_edges([0, 1], [2, 2]), torch.tensor([1.0, 0.0])
    >>> attention.overlap(graph, torch.tensor([[0.25], [0.75]]), right)
    tensor([0.2500])
    """
    _check(graph, alpha, dims=2)
    _check(graph, right, dims=1, name="right")
    for name, weights in (("alpha", alpha), ("right", right)):
        if not bool(((weights >= 0) & (weights <= 1 + 1e-4)).all()):
            raise ValueError(f"{name} must hold weights from 0 to 1")
    shared = torch.minimum(alpha, right.unsqueeze(1))  # [E, K]
    sums = shared.new_zeros(graph.num_nodes, alpha.shape[1])
    sums = sums.index_add(0, graph.dst, shared)  # [N, K]
    asked = right.new_zeros(graph.num_nodes).index_add(0, graph.dst, right) > 0
    return sums[asked].mean(dim=0)


def _check(graph: GraphData, alpha: Tensor, dims: int, name: str = "alpha") -> None:
    if alpha.dim() != dims or len(alpha) != graph.num_edges:
        shape = "[E]" if dims == 1 else "[E, K]"
        raise ValueError(
            f"{name} must be {shape} with E = {graph.num_edges} edges, "
            f"got {list(alpha.shape)}"
        )
