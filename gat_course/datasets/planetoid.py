"""Cora, Citeseer and Pubmed, checked before they are opened (from chapter 5 on).

The files are those of the Planetoid project (Yang et al., ICML 2016), eight per data
set, in Python 2's pickle format. A pickle can run code when it is opened, so a file is
opened only if its SHA-256 is the known one, and by a reader that builds arrays and
nothing else.
"""

import io
import os
import pickle
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gat_course import intake, sparse
from gat_course.datasets.download import RemoteFiles
from gat_course.datasets.finding import find_files
from gat_course.datasets.synthetic import synthetic_citation
from gat_course.graph import GraphData

# Each holds all files; a file that one of them cannot give is asked of the next.
MIRRORS = (
    "https://github.com/kimiyoung/planetoid/raw/master/data/",
    "https://raw.githubusercontent.com/kimiyoung/planetoid/"
    "af6abf468a772cc055bec88c52e4d6f51b7c37e3/data/",
    "https://github.com/tkipf/gcn/raw/master/gcn/data/",
)
INDEX = "test.index"


def _known_sums() -> dict[str, dict[str, str]]:
    """SHA-256 of each file of each data set; `sha256sum -c` reads the list too."""
    sums = {}
    for line in Path(__file__).with_suffix(".sha256").read_text().splitlines():
        known, file = line.split()
        _, name, part = file.split(".", 2)
        sums.setdefault(name, {})[part] = known
    return sums


# That of Pubmed's allx is second-hand, from another public registry; the others there
# are those of files that were read.
SHA256 = _known_sums()


def load(
    name: str, root: str | os.PathLike | None = None, fallback: str | None = None
) -> GraphData:
    """Load a citation graph with the Planetoid split.

    It is looked for in this order:

    1. the folder that the environment variable `GAT_COURSE_DATA` names, which holds
       `planetoid/ind.NAME.x` and so on;
    2. the cache `root`, laid out in the same way;
    3. the network, from where the files go into the cache.

    Every file is checked against its known SHA-256 before it is opened. A damaged file
    in the cache is downloaded again; the folder in `GAT_COURSE_DATA` is yours and is
    never written to, so there a damaged or missing file is an error. If it holds no
    file of this data set at all, the search goes on.

    Fifteen nodes of Citeseer stand in the graph but in none of the tables. They get no
    features (a row of zeros) and, for want of a label, class 0; they are in no mask.

    Args:
        name: "cora", "citeseer" or "pubmed".
        root: folder of the cache; by default the user's cache folder.
        fallback: "synthetic" returns `synthetic_citation(name)` with a warning where
            `DatasetUnavailable` would be raised.

    Returns:
        A graph with every link in both directions, once, and no self-loops; `x` sparse
        CSR, float32 `[N, F]`, as published (not normalised); `y` `[N]`; three masks.

    Raises:
        ValueError: an unknown `name` or `fallback`, or a damaged file in
            `GAT_COURSE_DATA`.
        FileNotFoundError: `GAT_COURSE_DATA` names no folder, or one that holds some of
            the eight files and lacks others.
        DatasetUnavailable: the files are in none of the three places.

    Source: Yang, Cohen and Salakhutdinov, "Revisiting Semi-Supervised Learning with
    Graph Embeddings", ICML 2016.

    >>> load("cora")
    GraphData('Cora', 2708 nodes, 10556 edges, 1433 sparse features, 7 classes, ...)
    """
    if name not in SHA256:
        names = ", ".join(SHA256)
        raise ValueError(f"unknown data set {name!r}; choose one of {names}")
    files = RemoteFiles(
        label=name.title(),
        sums={f"ind.{name}.{part}": known for part, known in SHA256[name].items()},
        mirrors=MIRRORS,
        subfolder="planetoid",
        call=f'load("{name}", ',
    )
    found = find_files(files, root, fallback)
    if found is None:
        return synthetic_citation(name)
    return _graph(name, {part: found[f"ind.{name}.{part}"] for part in SHA256[name]})


def row_normalize(x: Any) -> Tensor:
    """Divide each row by its sum; a row of zeros stays as it is.

    The GCN and GAT papers prepare bag-of-words features in this way.

    Args:
        x: features `[N, F]`, none negative, dense or sparse, in any form that
            `GraphData` takes.

    Returns:
        A tensor `[N, F]` of the same layout, whose rows sum to one or to zero.

    Raises:
        ValueError: `x` holds negative numbers, NaN or infinity.

    >>> datasets.row_normalize(torch.tensor([[1.0, 3.0], [0.0, 0.0]]))
    tensor([[0.2500, 0.7500],
            [0.0000, 0.0000]])
    """
    x = intake.tensor("x", x)
    values = sparse.stored_values(x)
    if not bool((torch.isfinite(values) & (values >= 0)).all()):
        raise ValueError(
            "row_normalize needs finite numbers, none of them negative, as word counts "
            "are; clean x, or scale it in another way"
        )
    if not sparse.is_csr(x):
        sums = x.sum(1, keepdim=True)  # [N, 1]
        return x / sums.where(sums > 0, 1)
    row = sparse.row_indices(x)  # [nnz]
    sums = values.new_zeros(x.shape[0]).index_add(0, row, values)  # [N]
    scaled = values / sums.where(sums > 0, 1)[row]  # [nnz]
    return sparse.with_values(x, scaled)


# Opening them


@cache
def _admitted() -> dict[tuple[str, str], Any]:
    """All that a data file may name, as old and new releases call it."""
    from scipy.sparse import csr_matrix

    rebuild_array = np.empty(0).__reduce__()[0]
    return {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): rebuild_array,
        ("numpy._core.multiarray", "_reconstruct"): rebuild_array,
        ("scipy.sparse.csr", "csr_matrix"): csr_matrix,
        ("scipy.sparse._csr", "csr_matrix"): csr_matrix,
        ("collections", "defaultdict"): defaultdict,
        ("__builtin__", "list"): list,  # Python 2's name
        ("builtins", "list"): list,
    }


class _ArrayUnpickler(pickle.Unpickler):
    """A pickle reader that builds arrays, sparse matrices, dicts and lists only."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _admitted():
            raise pickle.UnpicklingError(
                f"the file asks for {module}.{name}, which no data file needs; it was "
                "not opened further. Do not trust this file."
            )
        return _admitted()[module, name]


def _unpickle(content: bytes) -> Any:
    return _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()


def _graph(name: str, files: dict[str, bytes]) -> GraphData:
    """Put the eight files together.

    `allx` and `ally` describe the first nodes, `tx` and `ty` the test nodes in the
    order of `test.index`. `y` has one row per training node; those come first.
    """
    from scipy.sparse import csr_matrix, vstack

    test = np.array([int(i) for i in files[INDEX].split()])
    part = {s: _unpickle(files[s]) for s in files if s != INDEX}
    links = part["graph"]  # node -> its neighbours, some twice, some the node itself
    num_nodes = len(links)
    num_train, num_known = len(part["y"]), len(part["ally"])

    node = np.concatenate([np.arange(num_known), test])  # of each row in the tables
    table = vstack([part["allx"], part["tx"]]).tocoo()
    places = node[table.row], table.col
    x = csr_matrix((table.data, places), shape=(num_nodes, table.shape[1]))
    y = np.zeros(num_nodes, dtype=np.int64)
    y[node] = np.concatenate([part["ally"], part["ty"]]).argmax(1)

    both_ways = {
        edge for a in links for b in links[a] if a != b for edge in ((a, b), (b, a))
    }
    dst, src = np.array(sorted(both_ways)).T
    number = np.arange(num_nodes)
    return GraphData(
        num_nodes=num_nodes,
        src=src,
        dst=dst,
        x=intake.tensor("x", x).float(),  # whatever PyTorch's default dtype is
        y=y,
        train_mask=number < num_train,
        val_mask=(number >= num_train) & (number < num_train + 500),
        test_mask=np.isin(number, test),
        name=name.title(),
    )
