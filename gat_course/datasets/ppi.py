"""PPI, the proteins of human tissues, read without trusting the file (chapter 6)."""

import hashlib
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from gat_course.datasets.download import RemoteFiles
from gat_course.datasets.finding import find_files
from gat_course.datasets.ppi_file import read_zip
from gat_course.datasets.synthetic_tissues import synthetic_tissues
from gat_course.graphs import Tissues

MIRRORS = (
    "https://data.dgl.ai/dataset/",
    "https://s3.us-east-2.amazonaws.com/dgl.ai/dataset/",
)
# Second-hand: several public registries pin this sum for the file of 7,088,822 bytes.
# No test of this project has read it.
SHA256 = {"ppi.zip": "1f5b2b09ac0f897fa6aa1338c64ab75a5473674cbba89380120bede8cddb2a6a"}
# The same graphs with labels by the same rule from the Gene Ontology of 2022; and which
# gene each node is. No server has them.
GO_2022 = {
    "ppi_go2022.zip": (
        "eabf067e0c779d0d2dd4ac6aa76c348be261ef196c5e7f13693cc7f5ed6a98dc"
    ),
    "ppi_structure_features.npz": (
        "82b5c47b90b1bba0da769bac844b6d57aa0a04bf0e27c3f662accd8a83bedaf0"
    ),
}
GO_2022_NAME = "PPI graphs, GO-2022 labels"
LABELS = ("published", "GO-2022")


def load_ppi(
    root: str | os.PathLike | None = None,
    fallback: str | None = None,
    labels: str = "published",
) -> Tissues:
    """Load PPI: 24 graphs of proteins that interact, one for each human tissue.

    `ppi.zip` is looked for and checked as `load` does it: in the folder that the
    environment variable `GAT_COURSE_DATA` names, in the cache `root`, on the network.

    Args:
        root: folder of the cache; by default the user's cache folder.
        fallback: "synthetic" returns `synthetic_tissues()` with a warning where
            `DatasetUnavailable` would be raised.
        labels: "published", or "GO-2022" for the same graphs and features with labels
            made by the same rule from a later release of the Gene Ontology. No server
            has those: put `ppi_go2022.zip` and `ppi_structure_features.npz` into
            `GAT_COURSE_DATA/ppi`.

    Returns:
        What `read_ppi` makes of the file: 20 graphs to train on, 2 to choose, 2 to
        test, with 50 features and 121 labels; named "PPI", or "PPI graphs, GO-2022
        labels" with the Entrez numbers of the `genes`, which the published file lacks.

    Raises:
        ValueError: unknown `labels` or `fallback`, or a damaged file in
            `GAT_COURSE_DATA`.
        FileNotFoundError: `GAT_COURSE_DATA` names no folder.
        DatasetUnavailable: the file is in none of the three places.

    Source: Zitnik and Leskovec, "Predicting multicellular function through multi-layer
    tissue networks", Bioinformatics 2017; split by Hamilton, Ying and Leskovec,
    "Inductive Representation Learning on Large Graphs", NIPS 2017; put into this form
    by the DGL project.

    >>> load_ppi()
    Tissues('PPI', 20/2/2 graphs and 44906/6514/5524 nodes for train/val/test, ...)
    """
    if labels not in LABELS:
        raise ValueError(f"labels must be one of {LABELS}, got {labels!r}")
    published = labels == "published"
    found = find_files(_published() if published else _go_2022(), root, fallback)
    if found is None:
        return synthetic_tissues()
    if published:
        return read_zip(found["ppi.zip"], "ppi.zip", "PPI")
    file = "ppi_go2022.zip"
    tissues = read_zip(found[file], file, GO_2022_NAME)
    return replace(tissues, genes=_genes(found["ppi_structure_features.npz"]))


def _published() -> RemoteFiles:
    return RemoteFiles(
        label="PPI",
        sums=SHA256,
        mirrors=MIRRORS,
        call="load_ppi(",
        stand_in="synthetic graphs",
        otherwise=" To read other graphs in this form, use read_ppi(path).",
    )


def _go_2022() -> RemoteFiles:
    return RemoteFiles(
        label="PPI with GO-2022 labels",
        sums=GO_2022,
        mirrors=(),
        call='load_ppi(labels="GO-2022", ',
        subfolder="ppi",
        stand_in="synthetic graphs",
    )


def _genes(content: bytes) -> list[Tensor]:
    """Which gene each node is, by its Entrez number, `[N]` for each graph.

    The file lists each tissue's nodes together. In the published form a graph holds the
    largest component of its tissue; the first graph of each split holds all of its own
    tissue and then what the others of the split leave out, in their order.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        edges, starts, split = file["edges"], file["graph_ptr"], file["split"]
        gene = file["gene_id"][file["row_gene"]].astype(np.int64)  # [N]
    tissue = np.repeat(np.arange(len(split)), np.diff(starts))  # [N]
    links = coo_matrix((np.ones(len(edges)), edges.T), 2 * [len(gene)])
    _, component = connected_components(links, directed=False)
    size = np.bincount(component)[component]  # [N], of each node's component
    largest = np.maximum.reduceat(size, starts[:-1])[tissue]
    first = np.unique(split, return_index=True)[1]  # the first graph of each split
    first = dict(zip(split[first], first, strict=True))
    home = np.array([first[name] for name in split])[tissue]
    graph = np.where(size == largest, tissue, home)
    order = np.argsort(graph, kind="stable")
    cuts = np.bincount(graph).cumsum()[:-1]
    return [torch.from_numpy(part) for part in np.split(gene[order], cuts)]


def read_ppi(path: str | os.PathLike) -> Tissues:
    """Read a zip file in PPI's published form.

    For each split (train, valid, test) of N nodes it holds four members, in whatever
    folder; other members are not looked at:

    - `SPLIT_graph.json`, as `networkx.node_link_data` writes it: "nodes" with an "id"
      each, and "links" (newer: "edges") with a "source" and a "target";
    - `SPLIT_feats.npy`, numbers `[N, F]`;
    - `SPLIT_labels.npy`, 0 or 1, `[N, L]`;
    - `SPLIT_graph_id.npy`, whole numbers `[N]`: which graph each node belongs to.

    Row n of the three arrays belongs to the n-th of the "nodes", whatever its id.

    Args:
        path: the zip file.

    Returns:
        One graph for each graph id, by ascending id and named "tissue ID". Its nodes
        keep their order; every link is there in both directions, once, and there are no
        self-loops. `x` is float32, standardised over the training graphs
        (`Tissues.standardized`); `y` is float32. The name is "PPI" only if the file is
        the published one, by its SHA-256, and "PPI graphs, GO-2022 labels" only if it
        is the one that `load_ppi` knows.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, not to be trusted, or not in this form. The
            message names the member and says what to do. So is one whose members
            unpack to more than `MAX_BYTES` together.

    Source: the file `ppi.zip` of the DGL project.

    >>> read_ppi("nowhere.zip")
    Traceback (most recent call last):
    FileNotFoundError: ...
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.absolute()} is not a file; give the path of a zip in PPI's form, "
            "or have PPI itself downloaded with load_ppi()"
        )
    content = path.read_bytes()
    names = {SHA256["ppi.zip"]: "PPI", GO_2022["ppi_go2022.zip"]: GO_2022_NAME}
    known = names.get(hashlib.sha256(content).hexdigest())
    return read_zip(content, path, known or f"{path.name}, in PPI's form")
