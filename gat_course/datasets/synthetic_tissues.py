"""Random graphs in PPI's schema whose right attention is known (chapter 6).

A node's labels follow from a few of its neighbours: from those that send, whoever
listens (`synthetic_tissues`), or from those of its own team (`synthetic_teams`).
Nothing in the graphs was measured on a real protein.
"""

from collections.abc import Callable

import numpy as np
import torch

from gat_course.graph import GraphData
from gat_course.graphs import Tissues

# What is known of each node of the made-up tissues before Q hides it
_SIGNAL = 3  # numbers of a node's signal
_MARK = 2.5  # of a sender, or of a team; the other nodes have 0
_BACKGROUND = 0.3  # standard deviation of the features that mean nothing
_SENDER_SHARE = 0.2  # of the nodes
_MOST_SENDERS = 3  # that a receiver is linked to
_NOISE_LINKS = 5  # of a receiver to other receivers, on average
_TEAMS = 16
_OTHER_LINKS = 6  # of a node to any others, on average


def synthetic_tissues(
    seed: int = 0,
    *,
    num_graphs: tuple[int, int, int] = (20, 2, 2),
    num_nodes: int = 300,
    num_features: int = 50,
    num_labels: int = 121,
    label_noise: float = 0.01,
) -> Tissues:
    r"""Make graphs in PPI's schema, with a known right attention (chapter 6).

    One node in five is a *sender*, the others are *receivers*. Every node has a mark
    (senders alone), a signal $v_i$ of three numbers, drawn from a normal distribution,
    and numbers that mean nothing; a rotation, the same in all graphs, mixes them into
    features. A receiver is linked to one, two or three senders, and to some five
    other receivers. Senders are linked to receivers only. Label $l$ of node $i$ is

    $$y_{il} = \big[\,\theta_l^\top \bar v_i > t_l\,\big],\qquad
    \bar v_i = \text{mean of } v_j \text{ over the senders } j \text{ in } \mathcal N(i)
    $$

    with $\mathcal N(i)$ including $i$, so a sender's labels follow from its own signal.
    Then a share `label_noise` of all labels is flipped at random. So the
    right attention is uniform over the senders and zero elsewhere. The receivers'
    signals are of the same kind as the senders': only the mark tells which count.

    Args:
        seed: the same seed gives the same graphs.
        num_graphs: how many to train on, to choose with, to test on.
        num_nodes: average nodes in a graph, at least 10; a graph has 70 to 130 % of it.
        num_features: $F$, at least 4.
        num_labels: $L$.
        label_noise: chance that a label is flipped, from 0 to below 0.5. It
            changes nothing else: with 0 the same seed gives the labels before.

    Memory grows with the square of a graph's nodes; PPI's size is no trouble.

    Returns:
        `Tissues` with standardised features, without self-loops, and with `senders`.

    Raises:
        ValueError: a number is too small or too large.

    >>> tissues = synthetic_tissues(num_graphs=(2, 1, 1), num_nodes=20)
    >>> [graph.num_nodes for graph in tissues.graphs], tissues.num_labels
    ([17, 16, 21, 22], 121)
    """
    sizes = num_graphs, num_nodes, num_features, num_labels
    graphs, senders = _made(seed, sizes, label_noise, _sending, marks=1)
    name = "synthetic stand-in for PPI"
    return Tissues(**graphs, name=name, senders=senders).standardized()


def synthetic_teams(
    seed: int = 0,
    *,
    num_graphs: tuple[int, int, int] = (20, 2, 2),
    num_nodes: int = 300,
    num_features: int = 50,
    num_labels: int = 121,
    label_noise: float = 0.01,
) -> tuple[Tissues, tuple[torch.Tensor, ...]]:
    r"""Make graphs in which the same source matters to one target and not to another.

    Every node belongs to one of 16 teams. It has the mark of its team, a signal $v_i$
    of three numbers, and numbers that mean nothing; a rotation mixes them into
    features. The nodes of a team stand in a row, each linked to the next; and every
    node is linked to some six nodes of any team. Label $l$ of node $i$ is

    $$y_{il} = \big[\,\theta_l^\top \bar v_i > t_l\,\big],\qquad
    \bar v_i = \text{mean of } v_j \text{ over } j \text{ in } \mathcal N(i)
    \text{ of the team of } i
    $$

    with $\mathcal N(i)$ including $i$, and then noise as in `synthetic_tissues`. The
    right attention is uniform over the sources of the target's own team.

    Args:
        seed, num_graphs, num_nodes, num_labels, label_noise: as in `synthetic_tissues`.
        num_features: $F$, at least 19.

    Returns:
        `Tissues` with standardised features, without self-loops; and the team of each
        node, int64 `[N]` for each graph in the order train, val, test.

    Raises:
        ValueError: a number is too small or too large.

    >>> tissues, teams = synthetic_teams(num_graphs=(2, 1, 1), num_nodes=20)
    >>> [len(team) for team in teams] == [graph.num_nodes for graph in tissues.graphs]
    True
    """
    sizes = num_graphs, num_nodes, num_features, num_labels
    graphs, teams = _made(seed, sizes, label_noise, _teaming, marks=_TEAMS)
    return Tissues(**graphs, name="synthetic teams").standardized(), teams


# Of a graph of n nodes: the role of each, its marks `[n, M]`, both ends of the links,
# and whose signals the labels of node i depend on if it hears them, row i of `[n, n]`.
_Roles = tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]


def _made(
    seed: int,
    sizes: tuple[tuple[int, int, int], int, int, int],
    label_noise: float,
    assign: Callable[[int, np.random.Generator], _Roles],
    marks: int,
) -> tuple[dict[str, list[GraphData]], tuple[torch.Tensor, ...]]:
    """The graphs of each part, and the role of each node, graph by graph."""
    num_graphs, num_nodes, num_features, num_labels = sizes
    if len(num_graphs) != 3 or min(num_graphs) < 1 or num_nodes < 10 or num_labels < 1:
        raise ValueError(
            "synthetic tissues need three numbers of graphs, none below 1, 10 nodes "
            f"and 1 label; got {num_graphs}, {num_nodes}, {num_labels}"
        )
    least = _SIGNAL + marks
    if num_features < least:
        raise ValueError(f"num_features must be at least {least}, got {num_features}")
    if not 0 <= label_noise < 0.5:
        raise ValueError(f"label_noise must be in [0, 0.5), got {label_noise}")
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(num_features, num_features)))[0]
    directions = rng.normal(size=(_SIGNAL, num_labels))  # theta, one column a label
    directions /= np.linalg.norm(directions, axis=0)
    thresholds = rng.normal(0.35, 0.2, size=num_labels)
    graphs, roles = [], []
    for number in range(1, sum(num_graphs) + 1):
        n = round(num_nodes * rng.uniform(0.7, 1.3))
        role, mark, (one, other), matters = assign(n, rng)
        signal = rng.normal(size=(n, _SIGNAL))
        rest = _BACKGROUND * rng.normal(size=(n, num_features - least))
        known = np.column_stack([_MARK * mark, signal, rest])
        heard = np.eye(n, dtype=bool)
        heard[one, other] = heard[other, one] = True
        heard &= matters
        mean = heard @ signal / heard.sum(axis=1, keepdims=True)
        labels = mean @ directions > thresholds
        labels ^= rng.random(labels.shape) < label_noise
        graphs.append(
            GraphData.from_edges(
                one,
                other,
                n,
                undirected=True,
                x=torch.from_numpy(known @ rotation).float(),
                y=torch.from_numpy(labels).float(),
                name=f"tissue {number}",
            )
        )
        roles.append(torch.from_numpy(role))
    val, test, _ = np.cumsum(num_graphs)
    parts = {"train": graphs[:val], "val": graphs[val:test], "test": graphs[test:]}
    return parts, tuple(roles)


def _sending(n: int, rng: np.random.Generator) -> _Roles:
    """Some nodes send, the others hear them; whoever listens hears senders alone."""
    sends = np.zeros(n, dtype=bool)
    sends[rng.permutation(n)[: max(round(_SENDER_SHARE * n), _MOST_SENDERS)]] = True
    links = _tissue_links(sends, rng)
    return sends, sends[:, np.newaxis], links, np.broadcast_to(sends, (n, n))


def _teaming(n: int, rng: np.random.Generator) -> _Roles:
    """Each node hears those of its own team alone."""
    team = rng.integers(_TEAMS, size=n)
    links = rng.integers(n, size=(n * _OTHER_LINKS // 2, 2))
    row = np.lexsort((rng.random(n), team))  # the teams one after the other, shuffled
    mates = np.stack([row[1:], row[:-1]], axis=1)[team[row[1:]] == team[row[:-1]]]
    links = _simple(np.concatenate([links, mates]))
    same = team[:, np.newaxis] == team
    return team, np.eye(_TEAMS)[team], (links[:, 0], links[:, 1]), same


def _simple(links: np.ndarray) -> np.ndarray:
    """The links `[M, 2]`, each once, without those of a node to itself."""
    links = links[links[:, 0] != links[:, 1]]
    return np.unique(np.sort(links), axis=0)


def _tissue_links(
    sends: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The two ends of each link, no link twice."""
    from_, to = np.flatnonzero(sends), np.flatnonzero(~sends)
    order = rng.random((len(to), len(from_))).argsort(axis=1)[:, :_MOST_SENDERS]
    takes = np.arange(_MOST_SENDERS) < rng.integers(1, _MOST_SENDERS + 1, (len(to), 1))
    one, other = from_[order[takes]], to[np.nonzero(takes)[0]]
    pairs = rng.choice(to, (len(to) * _NOISE_LINKS // 2, 2))
    pairs = _simple(pairs)
    return np.concatenate([one, pairs[:, 0]]), np.concatenate([other, pairs[:, 1]])
