"""PROTEINS, D&D and COLLAB: graphs of the TU collection (chapter 8)."""

from __future__ import annotations

import os
import warnings

import numpy as np
import torch

from gat_course.datasets.download import RemoteFiles
from gat_course.datasets.finding import find_files
from gat_course.graph import GraphData
from gat_course.graph_packs import GraphPack

MIRROR = "https://github.com/muhanzhang/pytorch_DGCNN/raw/master/data/"
SHA256 = {
    "PROTEINS": "ed0730f9bf9da68aa6a8c80f2f2b6ecea5d05791ca254c709f3efab3b45d937b",
    "DD": "612854663f0ea8821618efdba14bb57a8ebd851f0d900c02eeba019b8f6fc98b",
    "COLLAB": "013dad1337eccb6d48d698be154ea9a5b5a041feedecd69f824199ba344907b7",
}


def load_tu(
    name: str, root: str | os.PathLike | None = None, fallback: str | None = None
) -> GraphPack:
    """Load a data set of the TU collection: graphs that have a class each.

    "PROTEINS": 1,113 proteins, whose nodes are pieces of the chain, enzymes or not.
    "DD": 1,178 proteins, whose nodes are amino acids. "COLLAB": 5,000 networks around
    one scientist each, from three fields of physics.

    `NAME.txt` is looked for and checked as `load` does it: in the folder `tu` of
    `GAT_COURSE_DATA`, in the cache `root`, on the network.

    Args:
        name: "PROTEINS", "DD" or "COLLAB".
        root: folder of the cache; by default the user's cache folder.
        fallback: "synthetic" returns `synthetic_tu` with a warning where
            `DatasetUnavailable` would be raised.

    Returns:
        All graphs. `x` has a single 1 in each row: the kind of the node; in COLLAB,
        which tells no kinds, the number of its neighbours. Both directions of each link
        are edges; self-loops, which COLLAB has, are left out.

    Raises:
        ValueError: an unknown name or `fallback`, or a damaged file in
            `GAT_COURSE_DATA`.
        FileNotFoundError: `GAT_COURSE_DATA` names no folder.
        DatasetUnavailable: the file is in none of the three places.

    Source: Borgwardt et al., 2005; Dobson and Doig, 2003; Yanardag and Vishwanathan,
    2015; in the text form of Zhang et al., 2018.

    >>> load_tu("PROTEINS")
    GraphPack('PROTEINS', 1113 graphs, 43471 nodes, 162088 edges, 3 features, 2 classes)
    """
    if name not in SHA256:
        raise ValueError(f"name must be one of {', '.join(SHA256)}, got {name!r}")
    file = f"{name}.txt"
    files = RemoteFiles(
        label=name,
        sums={file: SHA256[name]},
        mirrors=(f"{MIRROR}{name}/",),
        subfolder="tu",
        call=f'load_tu("{name}", ',
        stand_in="synthetic graphs",
    )
    found = find_files(files, root, fallback)
    if found is None:
        return synthetic_tu(name)
    return read_tu(found[file].decode(), name)


def read_tu(text: str, name: str) -> GraphPack:
    """Read graphs in the text form that `load_tu` uses.

    Args:
        text: first the number of graphs. Each graph begins with its number of nodes
            and its class; then a line for each node: its kind, how many neighbours it
            has, and which, numbered from 0 within the graph.
        name: of the pack.

    Raises:
        ValueError: the text does not have this form; the message names the node.

    >>> from gat_course.datasets.tu import read_tu
    >>> read_tu("1\\n2 0\\n0 1 1\\n0 1 0", "pair").graph
    GraphData('pair', 2 nodes, 2 edges, 1 features)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # what is no number
        try:
            numbers = np.fromstring(text, dtype=np.int64, sep=" ")
        except (ValueError, DeprecationWarning) as error:
            raise ValueError(f"{name}: the text holds more than numbers") from error
    if not len(numbers) or numbers[0] < 1:
        raise ValueError(f"{name}: the text must begin with the number of graphs")
    at, kinds, sizes, classes, near, degrees = 1, [], [], [], [], []
    for graph in range(int(numbers[0])):
        start = len(kinds)
        n, label = _next(numbers, at, 2, f"{name}: graph {graph}")
        at += 2
        for node in range(n):
            what = f"{name}: node {node} of graph {graph}"
            kind, count = _next(numbers, at, 2, what)
            own = _next(numbers, at + 2, count, what)
            at += 2 + count
            if count and not 0 <= own.min() <= own.max() < n:
                raise ValueError(f"{what} has a neighbour outside the graph")
            kinds.append(kind)
            degrees.append(count)
            near.append(own + start)
        if n < 1:
            raise ValueError(f"{name}: graph {graph} has {n} nodes; it needs one")
        sizes.append(n)
        classes.append(label)
    if at != len(numbers):
        raise ValueError(f"{name}: {len(numbers) - at} numbers follow the last graph")
    src = np.concatenate(near)
    ends = np.stack([src, np.repeat(np.arange(len(kinds)), degrees)])
    ends = ends[:, ends[0] != ends[1]]
    ends = np.unique(ends, axis=1)
    back = ends[::-1]
    if not np.array_equal(ends, back[:, np.lexsort(back[::-1])]):
        raise ValueError(f"{name}: a node lists a neighbour that does not list it")
    values = np.array(kinds)
    if len(set(kinds)) == 1:
        values = np.bincount(ends[1], minlength=len(kinds))
    _, column = np.unique(values, return_inverse=True)
    _, y = np.unique(classes, return_inverse=True)
    graph = GraphData(
        num_nodes=len(kinds),
        src=torch.from_numpy(ends[0]),
        dst=torch.from_numpy(ends[1]),
        x=torch.from_numpy(np.eye(column.max() + 1, dtype=np.float32)[column]),
        graph_of=torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)),
        name=name,
    )
    return GraphPack(graph=graph, y=torch.from_numpy(y), name=name)


def _next(numbers: np.ndarray, at: int, count: int, what: str) -> np.ndarray:
    found = numbers[at : at + count]
    if count < 0 or len(found) < count:
        raise ValueError(f"{what}: the text ends too early")
    return found


def synthetic_tu(name: str, num_graphs: int = 300, seed: int = 0) -> GraphPack:
    """Random graphs in the place of a data set: rings, and rings with chords.

    Args:
        name: whose place they take; it becomes part of their name.
        num_graphs: at least 2; of 4 to 60 nodes.
        seed: the same seed gives the same graphs.

    Returns:
        A pack with three kinds of nodes, which mean nothing, and two classes.

    >>> from gat_course.datasets.tu import synthetic_tu
    >>> synthetic_tu("PROTEINS", num_graphs=2)
    GraphPack('synthetic stand-in for PROTEINS', 2 graphs, ... 2 classes)
    """
    if num_graphs < 2:
        raise ValueError(f"num_graphs must be at least 2, got {num_graphs}")
    random, lines = np.random.default_rng(seed), [str(num_graphs)]
    for number in range(num_graphs):
        n, label = int(random.integers(4, 61)), number % 2
        near = [{(i - 1) % n, (i + 1) % n} for i in range(n)]
        for _ in range(label * n // 2):
            i, j = random.choice(n, 2, replace=False)
            near[i].add(int(j))
            near[j].add(int(i))
        lines.append(f"{n} {label}")
        lines += [
            " ".join(map(str, [random.integers(3), len(own), *sorted(own)]))
            for own in near
        ]
    return read_tu("\n".join(lines), f"synthetic stand-in for {name}")


def split_by_size(
    pack: GraphPack, largest: int, num_train: int, seed: int = 0
) -> tuple[GraphPack, GraphPack]:
    """Small graphs to train on; the other small ones and all large ones to test on.

    Args:
        pack: all graphs.
        largest: nodes of the largest graph that may be trained on.
        num_train: how many are drawn among those.
        seed: the same seed gives the same split.

    Raises:
        ValueError: there are not so many small graphs, or none is left to test on.

    >>> from gat_course.datasets.tu import synthetic_tu
    >>> train, test = split_by_size(synthetic_tu("PROTEINS"), 25, num_train=50)
    >>> int(train.sizes.max()) <= 25, len(train), len(test)
    (True, 50, 250)
    """
    small = (pack.sizes <= largest).nonzero()[:, 0].cpu()
    everyone = torch.ones(len(pack), dtype=torch.bool, device="cpu")
    if not 0 < num_train <= len(small) or num_train == len(pack):
        raise ValueError(
            f"num_train must be from 1 to {len(small)}, the graphs of {pack.name} with "
            f"at most {largest} nodes, and leave some to test on; got {num_train}"
        )
    generator = torch.Generator("cpu").manual_seed(seed)
    order = torch.randperm(len(small), generator=generator, device="cpu")
    chosen = small[order[:num_train]]
    everyone[chosen] = False
    rest = everyone.nonzero()[:, 0]
    return pack.take(chosen.to(pack.device)), pack.take(rest.to(pack.device))
