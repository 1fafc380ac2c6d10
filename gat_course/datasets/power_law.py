"""Random graphs of any size, with hubs or without, for what large graphs cost."""

import math

import torch
from torch import Tensor

from gat_course.graph import GraphData


def power_law_graph(
    num_nodes: int,
    num_edges: int,
    num_features: int = 32,
    num_classes: int = 8,
    *,
    exponent: float = 2.5,
    inside: float = 0.8,
    noise: float = 4.0,
    seed: int = 0,
) -> GraphData:
    r"""Make a graph of classes whose degrees follow a power law.

    The node of rank $k$ is drawn as an end of an edge with a chance in proportion to
    $k^{-1/(\tau-1)}$, so that about $d^{-\tau}$ of the nodes have degree $d$. (A source
    that is to be of the target's class is the node next in rank that is.) A node's
    features are its class's mean, drawn once from a normal distribution, and normal
    noise: with much noise one node tells little, and the mean of its neighbours much.
    No self-loops; an edge may be there twice. Nothing in it was measured on a real
    graph.

    Args:
        num_nodes: $N$, at least `num_classes`.
        num_edges: directed edges $|E|$.
        num_features: $F$.
        num_classes: $C$; the classes are as large as each other, but for one node.
        exponent: $\tau$ above 2; infinite for ends that are all equally likely.
        inside: share of the edges whose source is drawn from the target's class alone.
        noise: standard deviation of the noise; that of the classes' means is 1.
        seed: the same seed gives the same graph.

    Returns:
        A graph with `x`, `y` and masks: 60 % of the nodes to train on, 20 % each to
        validate and to test.

    Raises:
        ValueError: a size is too small, or `exponent` or `inside` makes no sense.

    Source: the static model of Goh, Kahng and Kim, Physical Review Letters 87, 2001.

    >>> graph = power_law_graph(1000, 20_000)
    >>> graph
    GraphData('power law, exponent 2.5', 1000 nodes, 20000 edges, 32 features, ...)
    >>> int(graph.in_degrees.max()) > 10 * graph.num_edges / graph.num_nodes
    True
    """
    if not num_nodes >= num_classes >= 1 or num_edges < 0 or num_features < 1:
        raise ValueError(
            "num_nodes must be at least num_classes, that and num_features at least 1, "
            f"and num_edges not negative; got {num_nodes}, {num_classes}, "
            f"{num_features}, {num_edges}"
        )
    if num_edges and num_nodes < 2 * num_classes:
        raise ValueError(
            f"edges without self-loops need two nodes of each class: num_nodes at "
            f"least {2 * num_classes}, got {num_nodes}"
        )
    if not exponent > 2 or not 0 <= inside <= 1:
        raise ValueError(
            f"exponent must be above 2 and inside from 0 to 1; got {exponent}, {inside}"
        )
    with torch.device("cpu"):
        random = torch.Generator().manual_seed(seed)
        place = torch.randperm(num_nodes, generator=random)  # rank to node
        src, dst = _ends(num_nodes, num_edges, num_classes, exponent, inside, random)
        y = torch.empty(num_nodes, dtype=torch.int64)
        y[place] = torch.arange(num_nodes) % num_classes
        kind = {"generator": random, "dtype": torch.float32}
        x = torch.randn(num_nodes, num_features, **kind)
        means = torch.randn(num_classes, num_features, **kind)
        x = x.mul_(noise).add_(means[y])
        use = torch.rand(num_nodes, **kind)
        tail = "" if math.isinf(exponent) else f", exponent {exponent:g}"
        return GraphData(
            num_nodes=num_nodes,
            src=place[src],
            dst=place[dst],
            x=x,
            y=y,
            train_mask=use < 0.6,
            val_mask=(use >= 0.6) & (use < 0.8),
            test_mask=use >= 0.8,
            name=f"{'power law' if tail else 'random'}{tail}",
        )


def _ends(
    num_nodes: int,
    num_edges: int,
    num_classes: int,
    exponent: float,
    inside: float,
    random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Ranks of sources and targets, `[E]` each; rank $k$ is of class $k$ mod $C$."""
    power = 1 / (1 - 1 / (exponent - 1)) if math.isfinite(exponent) else 1.0

    def draw(number: int) -> Tensor:  # inverts the distribution's sum, an integral
        u = torch.rand(number, dtype=torch.float64, generator=random)
        return (u.pow_(power).mul_(num_nodes)).long().clamp_(max=num_nodes - 1)

    dst, src = draw(num_edges), draw(num_edges)
    own = torch.rand(num_edges, generator=random, dtype=torch.float32) < inside
    moved = src - src % num_classes + dst % num_classes
    moved -= num_classes * (moved >= num_nodes)
    src = torch.where(own, moved, src)
    loop = src == dst  # its source becomes the next of its class
    step = torch.where(src + num_classes < num_nodes, num_classes, -num_classes)
    return torch.where(loop, src + step, src), dst
