"""PPI, the proteins of human tissues, read without trusting the file (chapter 6).

The file is a zip of twelve members, four for each split: a graph in networkx's
node-link form, and arrays of features, labels and graph numbers. They are read in
memory, one at a time: nothing is extracted to disk, and nothing is unpickled. What a
file says of its sizes is not believed, so that a small one cannot fill the memory.
"""

import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gat_course.datasets import find_files
from gat_course.graph import GraphData
from gat_course.graphs import Tissues

MIRRORS = (
    "https://data.dgl.ai/dataset/",
    "https://s3.us-east-2.amazonaws.com/dgl.ai/dataset/",
)
# Second-hand: several public registries pin this sum for the file of 7,088,822 bytes.
# No test of this project has read it.
SHA256 = {"ppi.zip": "1f5b2b09ac0f897fa6aa1338c64ab75a5473674cbba89380120bede8cddb2a6a"}
MAX_BYTES = 2**29  # of the twelve members together, unpacked; PPI needs some 2**27
MAX_ENTRIES = 10**7  # of a graph's lists, which take far more memory than their text

_SPLITS = ("train", "valid", "test")
_MEMBERS = tuple(
    f"{split}_{rest}"
    for split in _SPLITS
    for rest in ("graph.json", "feats.npy", "labels.npy", "graph_id.npy")
)


def load_ppi(
    root: str | os.PathLike | None = None, fallback: str | None = None
) -> Tissues:
    """Load PPI: 24 graphs of proteins that interact, one for each human tissue.

    `ppi.zip` is looked for in this order:

    1. the folder that the environment variable `GAT_COURSE_DATA` names;
    2. the cache `root`;
    3. the network, from where it goes into the cache.

    It is checked against its known SHA-256 before it is opened. A damaged file in the
    cache is downloaded again; the folder in `GAT_COURSE_DATA` is yours and is never
    written to, so there a damaged file is an error.

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
    """
    found = find_files(
        "PPI",
        SHA256,
        MIRRORS,
        root,
        fallback,
        advice=(
            "check the network and run this again;",
            f"put ppi.zip, from {MIRRORS[0]}ppi.zip, into FOLDER and set the "
            "environment variable GAT_COURSE_DATA to FOLDER;",
            "load_ppi(root=FOLDER) with a folder that you can write to;",
            'load_ppi(fallback="synthetic") for made-up graphs of that form.',
        ),
        otherwise=" To read other graphs in this form, use read_ppi(path).",
        stand_in="SYNTHETIC GRAPHS",
    )
    if found is None:
        from gat_course.synthetic import synthetic_tissues

        return synthetic_tissues()
    return _tissues(found["ppi.zip"], Path("ppi.zip"))


def read_ppi(path: str | os.PathLike) -> Tissues:
    """Read a zip file in PPI's published form.

    For each split (train, valid, test) of N nodes it holds four members, all in one
    folder of the zip or all in none; other members are not looked at:

    - `SPLIT_graph.json`, as `networkx.node_link_data` writes it: "nodes" with an "id"
      each, a whole number or text, and "links" (newer: "edges") with a "source" and a
      "target";
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
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.absolute()} is not a file; give the path of a zip in PPI's form, "
            "or have PPI itself downloaded with load_ppi()"
        )
    return _tissues(path.read_bytes(), path)


# Unpacking


def _tissues(content: bytes, path: Path) -> Tissues:
    unpack = _unpacker(content, path)
    splits = [_split(name, unpack, path) for name in _SPLITS]
    for split in splits[1:]:
        for kind in ("feats", "labels"):
            one, other = (getattr(s, kind).shape[1] for s in (splits[0], split))
            if one != other:
                raise ValueError(
                    f"{path}: train_{kind}.npy has {one} columns, {split.name}_"
                    f"{kind}.npy has {other}; write every split with the same columns"
                )
    home = {}  # graph id -> its split
    for split in splits:
        for number in np.unique(split.graph_id).tolist():
            if home.setdefault(number, split.name) != split.name:
                raise ValueError(
                    f"{path}: graph {number} is in {home[number]}_graph_id.npy and in "
                    f"{split.name}_graph_id.npy; give each graph an id of its own"
                )
    train, val, test = (split.graphs() for split in splits)
    published = hashlib.sha256(content).hexdigest() == SHA256["ppi.zip"]
    name = "PPI" if published else f"{path.name}, in PPI's form"
    return Tissues(train=train, val=val, test=test, name=name).standardized()


def _unpacker(content: bytes, path: Path) -> Callable[[str], bytes]:
    """What unpacks one of the twelve members, by its name without the folder.

    All that the zip's directory tells is looked at before anything is unpacked.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise ValueError(
            f"{path} is not a whole zip file ({error}): it was cut short, or is "
            "another file; get it again"
        ) from error
    for info in archive.infolist():
        _refuse_escape(info, path)
    places = _places(archive.infolist(), path)
    for name, info in places.items():
        _require_readable(info, f"{path}: {name}")
    total = sum(info.file_size for info in places.values())
    if total > MAX_BYTES:
        raise ValueError(
            f"{path} would unpack to {total:,} bytes; more than {MAX_BYTES:,} are not "
            "read. Do not trust this file"
        )
    return lambda name: _unpack(archive, places[name], f"{path}: {name}")


def _refuse_escape(info: zipfile.ZipInfo, path: Path) -> None:
    """Nothing is extracted here, but whoever wrote such a name meant harm."""
    for name in (info.orig_filename, info.filename):
        if "\0" in name:  # other programs, and zipfile itself, end the name there
            raise ValueError(
                f"{path} holds a member named {name!r}, with a NUL character; nothing "
                "was read. Do not trust this file"
            )
        if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name):
            raise ValueError(
                f"{path} holds a member named {name!r}, which would be written outside "
                "its folder; nothing was read. Do not trust this file"
            )


def _places(infos: list[zipfile.ZipInfo], path: Path) -> dict[str, zipfile.ZipInfo]:
    """Find the twelve members."""
    found, folders = defaultdict(list), set()
    for info in infos:
        *folder, name = re.split(r"[/\\]", info.orig_filename)
        if name in _MEMBERS and "__MACOSX" not in folder:
            found[name].append(info)
            folders.add("/".join(folder))
    missing = [name for name in _MEMBERS if name not in found]
    if missing:
        raise ValueError(
            f"{path} lacks {', '.join(missing)}; a zip in PPI's form holds "
            f"{len(_MEMBERS)} members, which read_ppi's documentation lists. Add what "
            "is missing"
        )
    for name, several in found.items():
        if len(several) > 1:
            raise ValueError(f"{path} holds {name} {len(several)} times; keep one")
    if len(folders) > 1:
        raise ValueError(
            f"{path} holds its members in {len(folders)} folders "
            f"({', '.join(repr(folder) for folder in sorted(folders))}); "
            "put all twelve into one"
        )
    return {name: found[name][0] for name in _MEMBERS}


def _require_readable(info: zipfile.ZipInfo, where: str) -> None:
    if info.flag_bits & 1:
        raise ValueError(f"{where} is encrypted; save the zip without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            f"{where} is compressed by method {info.compress_type}; save the zip with "
            "deflate, the usual method"
        )


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> bytes:
    try:
        with archive.open(info) as file:
            # Asked for a number of bytes, zipfile unpacks no more, whatever is there.
            return file.read(info.file_size + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        OverflowError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ValueError(
            f"{where} cannot be unpacked ({error}): the file is damaged; get it again"
        ) from error


# Opening the members


@dataclass
class _Split:
    """One split: `feats` `[N, F]`, `labels` `[N, L]`, `graph_id` `[N]`.

    `ends` `[E, 2]` holds the rows of both ends of each link, as they stand in the file.
    """

    name: str
    feats: np.ndarray
    labels: np.ndarray
    graph_id: np.ndarray
    ends: np.ndarray

    def graphs(self) -> list[GraphData]:
        """Take the split apart, by ascending graph id."""
        n = len(self.graph_id)
        both_ways = np.concatenate([self.ends, self.ends[:, ::-1]])
        both_ways = both_ways[both_ways[:, 0] != both_ways[:, 1]]
        dst, src = np.divmod(np.unique(both_ways[:, 0] * n + both_ways[:, 1]), n)

        # Sorted by graph once, not gone through again for each of them.
        ids, home, sizes = np.unique(
            self.graph_id, return_inverse=True, return_counts=True
        )
        first = np.cumsum(sizes) - sizes
        nodes = np.argsort(home, kind="stable")
        number = np.empty(n, dtype=np.int64)  # of each node within its graph
        number[nodes] = np.arange(n) - np.repeat(first, sizes)
        edges = np.argsort(home[dst], kind="stable")
        until = np.cumsum(np.bincount(home[dst], minlength=len(ids)))
        parts = zip(
            ids.tolist(),
            np.split(nodes, first[1:]),
            np.split(edges, until[:-1]),
            strict=True,
        )
        return [
            GraphData(
                num_nodes=len(rows),
                src=torch.from_numpy(number[src[mine]]),
                dst=torch.from_numpy(number[dst[mine]]),
                x=torch.from_numpy(self.feats[rows]),
                y=torch.from_numpy(self.labels[rows]),
                name=f"tissue {graph_id}",
            )
            for graph_id, rows, mine in parts
        ]


def _split(name: str, unpack: Callable[[str], bytes], path: Path) -> _Split:
    def place(rest: str) -> tuple[bytes, str]:
        return unpack(f"{name}_{rest}"), f"{path}: {name}_{rest}"

    nodes, ends = _nodes_and_ends(*place("graph.json"))
    feats = _array(*place("feats.npy"), dims=2)
    labels = _array(*place("labels.npy"), dims=2)
    numbers, where = place("graph_id.npy")
    graph_id = _whole(_array(numbers, where, dims=1), where)
    rows = {
        "graph.json": len(nodes),
        "feats.npy": len(feats),
        "labels.npy": len(labels),
        "graph_id.npy": len(graph_id),
    }
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{name}_{rest} {count}" for rest, count in rows.items())
        raise ValueError(
            f"{path}: the members of {name} tell of different numbers of nodes: "
            f"{counts}; write them for the same nodes, in the same order"
        )
    crossing = graph_id[ends[:, 0]] != graph_id[ends[:, 1]]
    if crossing.any():
        one, other = ends[crossing.argmax()]
        raise ValueError(
            f"{path}: {name}_graph_id.npy does not match {name}_graph.json: nodes "
            f"{nodes[one]!r} and {nodes[other]!r} are linked, but in graphs "
            f"{graph_id[one]} and {graph_id[other]}; give linked nodes the same id"
        )
    with np.errstate(over="ignore"):  # becomes infinite, which is refused
        feats = feats.astype(np.float32)
    wrong = int((~np.isfinite(feats)).sum())
    if wrong:
        raise ValueError(
            f"{path}: {name}_feats.npy holds {wrong} values that as float32 are NaN or "
            f"infinite; clean the features of the {name} split"
        )
    unknown = labels[(labels != 0) & (labels != 1)]
    if unknown.size:
        raise ValueError(
            f"{path}: {name}_labels.npy holds {unknown[0]}; write 1 where a node has "
            "the label and 0 where it has not"
        )
    return _Split(name, feats, labels.astype(np.float32), graph_id, ends)


def _nodes_and_ends(content: bytes, where: str) -> tuple[list[int | str], np.ndarray]:
    """The ids of the nodes, and the rows of the two ends of each link, `[E, 2]`."""
    entries = content.count(b",")
    if entries > MAX_ENTRIES:
        raise ValueError(
            f"{where} holds {entries:,} entries; more than {MAX_ENTRIES:,} are not "
            "read. Do not trust this file"
        )
    try:
        graph = json.loads(content.decode("utf-8-sig"))  # not as UTF-32, as of zeros
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{where} is not JSON ({error}); write it with networkx.node_link_data and "
            "json.dump"
        ) from error
    lists = {}
    if isinstance(graph, dict):
        keys = ("nodes", "links", "edges")
        lists = {k: graph[k] for k in keys if isinstance(graph.get(k), list)}
    if lists.keys() not in ({"nodes", "links"}, {"nodes", "edges"}):
        raise ValueError(
            f'{where} must hold a list "nodes" and either a list "links" or a list '
            '"edges"; write it with networkx.node_link_data'
        )
    nodes, links = lists.values()

    row = {}  # of each node's id
    for node in nodes:
        node_id = _id_under("id", node, "node", where)
        if node_id in row:
            raise ValueError(
                f"{where} has two nodes with the id {node_id!r}; give each its own"
            )
        row[node_id] = len(row)
    numbers = range(len(row))
    if list(row) != list(numbers) and row.keys() == set(numbers):
        raise ValueError(
            f"{where} numbers its nodes 0 to {len(row) - 1} but lists them in another "
            "order: some programs take the number for the row of the arrays, others "
            "the place in the list. List them by number, and the arrays with them"
        )
    ends = []
    for link in links:
        for key in ("source", "target"):
            end = _id_under(key, link, "link", where)
            if end not in row:
                raise ValueError(
                    f"{where}: the {key} of a link is {end!r}, which is the id of no "
                    "node; list that node, or leave the link out"
                )
            ends.append(row[end])
    return list(row), np.array(ends, dtype=np.int64).reshape(-1, 2)


def _id_under(key: str, entry: object, what: str, where: str) -> int | str:
    found = entry.get(key) if isinstance(entry, dict) else None
    if type(found) not in (int, str):  # True would pass for 1
        raise ValueError(
            f'{where}: every {what} needs "{key}", a whole number or text; one is '
            f"{str(entry)[:80]}. Write the file with networkx.node_link_data"
        )
    return found


def _array(content: bytes, where: str, dims: int) -> np.ndarray:
    try:
        # Unlike numpy.load this takes nothing but an array: no zip, and no pickle.
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # a bad header raises what Python's parser raises
        raise ValueError(
            f"{where} is not an array of numbers ({error}); save it with numpy.save"
        ) from error
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{where} holds {array.dtype}; save whole or floating-point numbers"
        )
    if array.ndim != dims or 0 in array.shape:
        form = ("[N]", "[N, columns]")[dims - 1]
        raise ValueError(
            f"{where} has the shape {list(array.shape)}; it must be {form}, with a row "
            "for each node, and not be empty"
        )
    return array


def _whole(array: np.ndarray, where: str) -> np.ndarray:
    """The same numbers as int64; numpy.ones and the like make floats of graph ids."""
    exact = np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2**53)
    if not exact.all():
        raise ValueError(
            f"{where} holds {array[~exact][0]}; graph ids must be whole numbers"
        )
    return array.astype(np.int64)
