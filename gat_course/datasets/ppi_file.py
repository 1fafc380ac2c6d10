"""The form in which PPI is published, unpacked and opened (chapter 6).

Members of the zip are read in memory, one at a time: nothing is extracted to disk, and
nothing is unpickled. What a file says of its sizes is not believed, so that a small one
cannot fill the memory.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable

import numpy as np
import torch

from gat_course.graph import GraphData
from gat_course.graphs import Tissues

MAX_BYTES = 2**29  # of the twelve members together, unpacked; PPI needs some 2**27
MAX_ENTRIES = 10**7  # of a graph's JSON, which take far more memory than their text

_SPLITS = ("train", "valid", "test")
_ARRAYS = {  # form, what it is kept as, and what to do where that cannot be
    "feats": ("NF", np.float32, "clean the features: float32 must hold them"),
    "labels": ("NL", bool, "write 1 where a node has the label, 0 where not"),
    "graph_id": ("N", np.int64, "graph ids must be whole numbers"),
}
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_FILES = ("graph.json", *(f"{kind}.npy" for kind in _ARRAYS))
_MEMBERS = tuple(f"{split}_{file}" for split in _SPLITS for file in _FILES)
# A path that leads outside its folder; or a NUL, where zipfile and others end the name.
_HARMFUL = re.compile(r"\0|^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.($|[/\\])")


def read_zip(content: bytes, path: object, name: str) -> Tissues:
    """Make graphs, called `name`, of a zip file in the form that `read_ppi` describes.

    Raises:
        ValueError: it is damaged, not to be trusted, or not in this form. The message
            begins with `path`, names the member and says what to do.
    """
    try:
        unpack = _unpacker(content)
        sizes, home, parts = {}, {}, []
        for split in _SPLITS:
            parts.append(_read_split(split, unpack, sizes))
            for graph in parts[-1]:
                if home.setdefault(graph.name, split) != split:
                    raise ValueError(
                        f"{graph.name} is in {home[graph.name]}_graph_id.npy and in "
                        f"{split}_graph_id.npy; give each graph an id of its own"
                    )
        train, val, test = parts
        return Tissues(train=train, val=val, test=test, name=name).standardized()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


# Unpacking


def _unpacker(content: bytes) -> Callable[[str], bytes]:
    """What unpacks one of the twelve members, by its name without the folder.

    All that the zip's directory tells is looked at before anything is unpacked.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise ValueError(
            f"not a whole zip file, but cut short or another ({error}); get it again"
        ) from error
    places = {}
    for info in archive.infolist():
        if _HARMFUL.search(info.orig_filename):
            raise ValueError(
                f"a member is named {info.orig_filename!r}, which hides its name or "
                "leads outside its folder; nothing was read. Do not trust this file"
            )
        *folders, name = re.split(r"[/\\]", info.orig_filename)
        if name in _MEMBERS and "__MACOSX" not in folders:
            if name in places:
                raise ValueError(f"{name} is there twice; keep one")
            # Encrypted, or by another method, which zipfile unpacks without a bound.
            if info.flag_bits & 1 or info.compress_type not in _METHODS:
                raise ValueError(
                    f"{name} is encrypted or not compressed by deflate; save the zip "
                    "without a password and with deflate, the usual method"
                )
            places[name] = info
    missing = [name for name in _MEMBERS if name not in places]
    if missing:
        raise ValueError(
            f"it lacks {', '.join(missing)}; help(read_ppi) lists what a zip in PPI's "
            "form holds. Add what is missing"
        )
    total = sum(info.file_size for info in places.values())
    if total > MAX_BYTES:
        raise ValueError(
            f"the members would unpack to {total:,} bytes; more than {MAX_BYTES:,} are "
            "not read. Do not trust this file"
        )

    def unpack(name: str) -> bytes:
        try:
            with archive.open(places[name]) as file:
                # Asked for some bytes, zipfile unpacks no more, whatever is there.
                return file.read(places[name].file_size + 1)
        except Exception as error:  # damage shows itself in many ways
            raise ValueError(
                f"{name} cannot be unpacked ({error}): it is damaged; get it again"
            ) from error

    return unpack


# Opening the members


def _read_split(
    name: str, unpack: Callable[[str], bytes], sizes: dict
) -> list[GraphData]:
    """Read the graphs of a split; `sizes` holds F and L of a split read before."""
    graph = f"{name}_graph.json"
    nodes, ends = _nodes_and_ends(unpack(graph), graph)
    sizes["N"] = len(nodes)
    arrays = {}
    for kind, (form, dtype, remedy) in _ARRAYS.items():
        member = f"{name}_{kind}.npy"
        file = io.BytesIO(unpack(member))
        try:
            # Unlike numpy.load this takes nothing but an array: no zip, and no pickle.
            array = np.lib.format.read_array(file, allow_pickle=False)
        except Exception as error:  # a bad header raises what Python's parser raises
            raise ValueError(
                f"{member} is not an array of numbers ({error}); use numpy.save"
            ) from error
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"{member} holds {array.dtype}; save whole or real numbers"
            )
        for letter, size in zip(form, array.shape, strict=False):
            sizes.setdefault(letter, size)
        expected = [sizes.get(letter, letter) for letter in form]
        if list(array.shape) != expected or not array.size:
            raise ValueError(
                f"{member} has the shape {list(array.shape)}; it must be "
                f"[{', '.join(form)}], here {expected}: a row for each node of "
                f"{graph}, the same columns in every split, and not empty"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # refused in the next lines
            kept = arrays[kind] = array.astype(dtype)
        fits = np.isfinite(kept) if kind == "feats" else kept == array
        if not fits.all():
            raise ValueError(f"{member} holds {array[~fits][0]}; {remedy}")
    graph_id = arrays["graph_id"]
    crossing = ends[graph_id[ends[:, 0]] != graph_id[ends[:, 1]]]
    if crossing.size:
        one, other = crossing[0]
        raise ValueError(
            f"{name}_graph_id.npy does not match {graph}: nodes {nodes[one]!r} and "
            f"{nodes[other]!r} are linked, but in graphs {graph_id[one]} and "
            f"{graph_id[other]}; give linked nodes the same id"
        )
    return _graphs(ends=ends, **arrays)


def _nodes_and_ends(content: bytes, member: str) -> tuple[list, np.ndarray]:
    """The ids of the nodes, and the rows of the two ends of each link, `[E, 2]`."""
    entries = sum(content.count(mark) for mark in (b",", b"[", b"{"))
    if entries > MAX_ENTRIES:
        raise ValueError(
            f"{member} holds {entries:,} entries; more than {MAX_ENTRIES:,} are not "
            "read. Do not trust this file"
        )
    try:
        graph = json.loads(content.decode("utf-8-sig"))  # not as UTF-32, as of zeros
        found = [graph[key] for key in ("links", "edges") if key in graph]
        if len(found) != 1 or not isinstance(found[0], list):
            raise TypeError('there must be one list, of "links" or of "edges"')
        nodes, links = [node["id"] for node in graph["nodes"]], found[0]
        ends = [link[key] for link in links for key in ("source", "target")]
        row = {node: number for number, node in enumerate(nodes)}
        rows = [row.get(end, -1) for end in ends]
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise ValueError(
            f'{member} is not JSON of "nodes", each with an "id", and "links" (or '
            f'"edges"), each with "source" and "target" ({type(error).__name__}: '
            f"{error}); write it with networkx.node_link_data and json.dump"
        ) from error
    numbers = range(len(nodes))
    if len(row) < len(nodes):
        twice = next(node for n, node in enumerate(nodes) if row[node] != n)
        raise ValueError(f"{member} has two nodes with the id {twice!r}; rename one")
    if nodes != list(numbers) and row.keys() == set(numbers):
        raise ValueError(
            f"{member} numbers its nodes 0 to {len(nodes) - 1} but not in this order; "
            "list them by number, and the rows of the arrays with them"
        )
    if -1 in rows:
        at = rows.index(-1)
        raise ValueError(
            f"{member}: the {('source', 'target')[at % 2]} of a link is {ends[at]!r}, "
            "which is the id of no node; list that node, or leave the link out"
        )
    return nodes, np.array(rows, dtype=np.int64).reshape(-1, 2)


def _graphs(
    feats: np.ndarray, labels: np.ndarray, graph_id: np.ndarray, ends: np.ndarray
) -> list[GraphData]:
    """Take a split apart, by ascending graph id; `ends` `[E, 2]` are rows of the rest.

    Renumbered graph by graph, the nodes of each stand side by side, and so do its
    sorted edges: no node or edge is looked at once for each graph.
    """
    rows = np.argsort(graph_id, kind="stable")
    ids, first = np.unique(graph_id[rows], return_index=True)
    n = len(rows)
    number = np.empty(n, dtype=np.int64)
    number[rows] = np.arange(n)
    ends = number[ends]
    both_ways = np.concatenate([ends, ends[:, ::-1]])
    both_ways = both_ways[both_ways[:, 0] != both_ways[:, 1]]
    dst, src = np.divmod(np.unique(both_ways[:, 0] * n + both_ways[:, 1]), n)
    rows = np.split(rows, first[1:])
    cuts = np.searchsorted(dst, first[1:])  # each graph's edges end where it ends
    src, dst = np.split(src, cuts), np.split(dst, cuts)
    return [
        GraphData(
            num_nodes=len(rows[k]),
            src=src[k] - first[k],
            dst=dst[k] - first[k],
            x=torch.from_numpy(feats[rows[k]]),
            y=torch.from_numpy(labels[rows[k]]).float(),
            name=f"tissue {ids[k]}",
        )
        for k in range(len(ids))
    ]
