"""PPI, the proteins of human tissues, read without trusting the file (chapter 6)."""

import hashlib
import os
from pathlib import Path

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


def load_ppi(
    root: str | os.PathLike | None = None, fallback: str | None = None
) -> Tissues:
    """Load PPI: 24 graphs of proteins that interact, one for each human tissue.

    `ppi.zip` is looked for and checked as `load` does it: in the folder that the
    environment variable `GAT_COURSE_DATA` names, in the cache `root`, on the network.

    Args:
        root: folder of the cache; by default the user's cache folder.
        fallback: "synthetic" returns `synthetic_tissues()` with a warning where
            `DatasetUnavailable` would be raised.

    Returns:
        What `read_ppi` makes of the file: 20 graphs to train on, 2 to choose, 2 to
        test, with 50 features and 121 labels; named "PPI".

    Raises:
        ValueError: an unknown `fallback`, or a damaged file in `GAT_COURSE_DATA`.
        FileNotFoundError: `GAT_COURSE_DATA` names no folder.
        DatasetUnavailable: the file is in none of the three places.

    Source: Zitnik and Leskovec, "Predicting multicellular function through multi-layer
    tissue networks", Bioinformatics 2017; split by Hamilton, Ying and Leskovec,
    "Inductive Representation Learning on Large Graphs", NIPS 2017; put into this form
    by the DGL project.

    >>> load_ppi()
    Tissues('PPI', 20/2/2 graphs and 44906/6514/5524 nodes for train/val/test, ...)
    """
    files = RemoteFiles(
        label="PPI",
        sums=SHA256,
        mirrors=MIRRORS,
        call="load_ppi(",
        stand_in="synthetic graphs",
        otherwise=" To read other graphs in this form, use read_ppi(path).",
    )
    found = find_files(files, root, fallback)
    if found is None:
        return synthetic_tissues()
    return read_zip(found["ppi.zip"], "ppi.zip", "PPI")


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
        the published one, by its SHA-256.

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
    published = hashlib.sha256(content).hexdigest() == SHA256["ppi.zip"]
    return read_zip(
        content, path, "PPI" if published else f"{path.name}, in PPI's form"
    )
