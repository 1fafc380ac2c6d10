"""The form in which PPI is published, unpacked and opened (chapter 6).

The file is a zip of twelve members, four for each split: a graph in networkx's
node-link form, and arrays of features, labels and graph numbers. They are read in
memory, one at a time: nothing is extracted to disk, and nothing is unpickled. What a
file says of its sizes is not believed, so that a small one cannot fill the memory.
"""

import io
import json
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gat_course.graph import GraphData

MAX_BYTES = 2**29  # of the twelve members together, unpacked; PPI needs some 2**27
MAX_ENTRIES = 10**7  # of a graph's lists, which take far more memory than their text

_SPLITS = ("train", "valid", "test")
_MEMBERS = tuple(
    f"{split}_{rest}"
    for split in _SPLITS
    for rest in ("graph.json", "feats.npy", "labels.npy", "graph_id.npy")
)


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
