"""Molecules with an answer: ESOL's solubilities, and made-up ones (chapter 7)."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence

import numpy as np
import torch

from gat_course.chemistry import canonical, import_rdkit, molecule, scaffolds
from gat_course.datasets.download import RemoteFiles
from gat_course.datasets.finding import find_files
from gat_course.graph import GraphData
from gat_course.graph_sets import GraphSet

MIRRORS = (
    "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets/",
    "https://raw.githubusercontent.com/deepchem/deepchem/master/datasets/",
)
FILE = "delaney-processed.csv"
SHA256 = {FILE: "a51dcc10593a9f5b11fbf94bfc7504f7ef13eb133066fa5baf02e509efaae0b4"}
ANSWER = "measured log solubility in mols per litre"
SPLITS = ("random", "scaffold")
HELD_OUT = 0.1  # of the molecules, for val and for test


def load_esol(
    root: str | os.PathLike | None = None,
    fallback: str | None = None,
    split: str = "random",
    seed: int = 0,
) -> GraphSet:
    """Load ESOL: 1,128 molecules with their measured solubility in water.

    `delaney-processed.csv` is looked for and checked as `load` does it: in the folder
    `esol` of `GAT_COURSE_DATA`, in the cache `root`, on the network. The answer of a
    molecule is the logarithm (base 10) of its solubility in mol per litre.

    A tenth of the molecules chooses the model, a tenth measures it. Eleven molecules
    are listed twice; in the random split both copies are in one part.

    Args:
        root: folder of the cache; by default the user's cache folder.
        fallback: "synthetic" returns `synthetic_molecules()` with a warning where
            `DatasetUnavailable` would be raised.
        split: "random"; or "scaffold": molecules of one Murcko scaffold, their rings
            and what joins these, are in one part, rare scaffolds in val and test.
        seed: of the random split.

    Returns:
        Graphs as `molecule` makes them, in the order of the file.

    Raises:
        ImportError: RDKit is not installed.
        ValueError: unknown `split` or `fallback`, or a damaged file in
            `GAT_COURSE_DATA`.
        FileNotFoundError: `GAT_COURSE_DATA` names no folder.
        DatasetUnavailable: the file is in none of the three places.

    Source: Delaney, "ESOL: Estimating Aqueous Solubility Directly from Molecular
    Structure", 2004; in the form of MoleculeNet (Wu et al., 2018).

    >>> load_esol()
    GraphSet('ESOL, random split', 902/113/113 graphs for train/val/test, ...)
    """
    import_rdkit()  # before anything is fetched
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    files = RemoteFiles(
        label="ESOL",
        sums=SHA256,
        mirrors=MIRRORS,
        subfolder="esol",
        call="load_esol(",
        stand_in="synthetic molecules",
    )
    found = find_files(files, root, fallback)
    if found is None:
        return synthetic_molecules(seed=seed)
    rows = csv.DictReader(io.StringIO(found[FILE].decode()))
    smiles, answers = zip(
        *((row["smiles"].strip(), float(row[ANSWER])) for row in rows), strict=True
    )
    keys = scaffolds(smiles) if split == "scaffold" else canonical(smiles)
    train, val, test = parts(keys, HELD_OUT, None if split == "scaffold" else seed)
    return GraphSet(
        graphs=[molecule(text) for text in smiles],
        y=torch.tensor(answers),
        train=train,
        val=val,
        test=test,
        name=f"ESOL, {split} split",
    )


def parts(
    keys: Sequence[str], held_out: float, seed: int | None
) -> tuple[list[int], list[int], list[int]]:
    """Deal out groups of equal keys: train, val and test, none of them torn apart.

    Args:
        keys: of each graph.
        held_out: share of the graphs in val, and in test.
        seed: None deals the largest groups first, to train as long as they fit;
            otherwise in random order.

    Returns:
        The graphs' numbers, ascending.
    """
    groups: dict[str, list[int]] = {}
    for number, key in enumerate(keys):
        groups.setdefault(key, []).append(number)
    order = list(groups.values())
    if seed is None:
        order.sort(key=lambda group: (-len(group), group[0]))
    else:
        random = np.random.default_rng(seed)
        order = [order[i] for i in random.permutation(len(order))]
    held = round(held_out * len(keys))
    room = {"train": len(keys) - 2 * held, "val": held, "test": held}
    found = {part: [] for part in room}
    for group in order:
        part = next((p for p in room if len(found[p]) + len(group) <= room[p]), "train")
        found[part] += group
    return tuple(sorted(found[part]) for part in room)


def synthetic_molecules(num_graphs: int = 600, seed: int = 0) -> GraphSet:
    r"""Made-up molecules in which atoms behind double bonds alone are heard.

    A random tree of 8 to 16 atoms; each bond is single or double at random. An atom has
    an element, which means nothing, and a number $v_i$. With $\mathcal D(i)$ the atom
    itself and those joined to it by a double bond, the answer is

    $$y=\frac1N\sum_i\frac{1}{|\mathcal D(i)|}\sum_{j\in\mathcal D(i)}v_j\,v_i$$

    so the right attention is uniform over $\mathcal D(i)$. Nothing here was measured on
    a molecule.

    Args:
        num_graphs: at least 10; a sixth each to choose and to test.
        seed: the same seed gives the same graphs.

    Returns:
        Graphs with `x` `[N, 5]`, four elements and $v$, and `edge_attr` `[E, 2]`,
        single and double; no self-loops.

    Raises:
        ValueError: too few graphs.

    >>> synthetic_molecules(num_graphs=30)
    GraphSet('synthetic stand-in for ESOL', 20/5/5 graphs for train/val/test, ...)
    """
    if num_graphs < 10:
        raise ValueError(f"num_graphs must be at least 10, got {num_graphs}")
    random = np.random.default_rng(seed)
    graphs, answers = [], []
    for number in range(num_graphs):
        n = int(random.integers(8, 17))
        to = np.arange(1, n)
        from_ = (random.random(n - 1) * to).astype(int)  # an earlier atom
        double = random.integers(2, size=n - 1)
        value = random.normal(size=n)
        heard = np.eye(n)
        heard[from_, to] = heard[to, from_] = double
        mean = heard @ value / heard.sum(axis=1)
        answers.append((mean * value).mean())
        x = np.column_stack([np.eye(4)[random.integers(4, size=n)], value])
        graphs.append(
            GraphData.from_edges(
                from_,
                to,
                n,
                undirected=True,
                x=x,
                edge_attr=np.eye(2)[double],
                name=f"molecule {number}",
            )
        )
    held = num_graphs // 6
    order = torch.arange(num_graphs)
    train, val, test = order.split([num_graphs - 2 * held, held, held])
    answers = torch.tensor(np.array(answers), dtype=torch.float32)
    return GraphSet(
        graphs=graphs,
        y=answers,
        train=train,
        val=val,
        test=test,
        name="synthetic stand-in for ESOL",
    )
