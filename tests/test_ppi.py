"""Tests of PPI's reader: small files in its form, damaged ones and hostile ones."""

import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import nbformat
import networkx as nx
import numpy as np
import pytest
import small_ppi
import torch
from server import BAD, serving
from sklearn.preprocessing import StandardScaler

from gat_course import DatasetUnavailable, Tissues, download, load_ppi, ppi, read_ppi
from gat_course.datasets import ppi_file

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def made() -> dict:
    return small_ppi.members()


def assert_is(tissues: Tissues, made: dict):
    """Compare with what networkx and scikit-learn make of the members."""
    scaler = StandardScaler().fit(made["train_feats.npy"].astype("f8"))
    parts = {"train": tissues.train, "valid": tissues.val, "test": tissues.test}
    for split, graphs in parts.items():
        nodes = [node["id"] for node in made[f"{split}_graph.json"]["nodes"]]
        links = made[f"{split}_graph.json"]["links"]
        whole = nx.Graph((link["source"], link["target"]) for link in links)
        whole.add_nodes_from(nodes)
        graph_id = made[f"{split}_graph_id.npy"]
        x = scaler.transform(made[f"{split}_feats.npy"].astype("f8"))
        ids = np.unique(graph_id)
        assert [graph.name for graph in graphs] == [f"tissue {i}" for i in ids]
        for i, graph in zip(ids, graphs, strict=True):
            rows = np.flatnonzero(graph_id == i)
            adjacency = nx.to_numpy_array(whole, nodelist=[nodes[row] for row in rows])
            np.fill_diagonal(adjacency, 0)
            assert np.array_equal(graph.dense_adjacency().numpy(), adjacency)
            assert graph.x.dtype == graph.y.dtype == torch.float32
            np.testing.assert_allclose(graph.x.numpy(), x[rows], rtol=1e-6, atol=1e-6)
            assert np.array_equal(graph.y.numpy(), made[f"{split}_labels.npy"][rows])


# Good files


def test_file_in_the_published_form(tmp_path):
    made = small_ppi.write(tmp_path / "small.zip")
    tissues = read_ppi(tmp_path / "small.zip")
    assert_is(tissues, made)
    parts = (tissues.train, tissues.val, tissues.test)
    assert [len(part) for part in parts] == [20, 2, 2]
    assert [graph.name for graph in tissues.graphs] == [
        f"tissue {i}" for i in range(1, 25)
    ]
    assert (tissues.num_features, tissues.num_labels) == (50, 121)
    assert tissues.name == "small.zip, in PPI's form"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.zip"]


def test_no_other_file_is_taken_for_ppi(tmp_path, monkeypatch):
    path = tmp_path / "ppi.zip"
    small_ppi.write(path)
    assert read_ppi(str(path)).name == "ppi.zip, in PPI's form"
    published = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(ppi, "SHA256", {"ppi.zip": published})
    assert read_ppi(path).name == "PPI"


@pytest.mark.parametrize("folder", ["ppi/", "data/ppi/"])
def test_members_in_one_folder_beside_others(tmp_path, made, folder):
    extra = {"README.txt": b"hello", folder: b"", "notes..txt": b""}
    extra |= {f"__MACOSX/{folder}{name}": b"junk" for name in made}
    inside = {folder + name: value for name, value in made.items()}
    assert_is(read_ppi(small_ppi.pack(tmp_path / "a.zip", extra | inside)), made)


def test_node_order_ids_and_edges_of_a_newer_networkx(tmp_path, made):
    """Nodes with any ids, in an order of their own, graphs interleaved and directed."""
    for split in small_ppi.SPLITS:
        graph = made[f"{split}_graph.json"]
        order = np.random.default_rng(1).permutation(len(graph["nodes"]))
        new = {n: f"protein {n}" if n % 2 else 7 * n + 1000 for n in order.tolist()}
        graph["nodes"] = [{"id": new[n], "test": False} for n in order.tolist()]
        for link in graph["links"]:
            link["source"], link["target"] = new[link["source"]], new[link["target"]]
        for kind in ("feats", "labels", "graph_id"):
            made[f"{split}_{kind}.npy"] = made[f"{split}_{kind}.npy"][order]
    written = dict(made)
    for split in small_ppi.SPLITS:
        graph = dict(made[f"{split}_graph.json"])
        written[f"{split}_graph.json"] = {"edges": graph.pop("links"), **graph}
    assert_is(read_ppi(small_ppi.pack(tmp_path / "a.zip", written)), made)


def test_row_numbers_out_of_order_are_refused(tmp_path, made):
    made["train_graph.json"]["nodes"].reverse()
    with pytest.raises(ValueError, match="train_graph.json numbers its nodes 0 to .*"):
        read_ppi(small_ppi.pack(tmp_path / "a.zip", made))


def test_other_kinds_of_numbers(tmp_path, made):
    for split in small_ppi.SPLITS:
        made[f"{split}_feats.npy"] = made[f"{split}_feats.npy"].astype("f8")
        made[f"{split}_labels.npy"] = made[f"{split}_labels.npy"].astype("u1")
        made[f"{split}_graph_id.npy"] = made[f"{split}_graph_id.npy"].astype("f8")
    written = {**made, "valid_labels.npy": made["valid_labels.npy"].astype(bool)}
    tissues = read_ppi(small_ppi.pack(tmp_path / "a.zip", written))
    made = {k: v.astype(int) if "graph_id" in k else v for k, v in made.items()}
    assert_is(tissues, made)


def test_graphs_without_links_and_a_constant_feature(tmp_path, made):
    for split in small_ppi.SPLITS:
        made[f"{split}_graph.json"]["links"] = []
        made[f"{split}_feats.npy"][:, 3] = 0
    tissues = read_ppi(small_ppi.pack(tmp_path / "a.zip", made))
    assert_is(tissues, made)
    assert all(bool((graph.x[:, 3] == 0).all()) for graph in tissues.graphs)


def test_graphs_that_interleave_and_have_no_link(path, made):
    ids = np.arange(4)[::-1].repeat(2)[[0, 2, 4, 6, 1, 3, 5, 7]] - 2  # 1 0 -1 -2, twice
    made["valid_graph_id.npy"] = 30 + ids
    made["valid_graph.json"] = {
        "nodes": [{"id": f"n{k}"} for k in range(8)],
        "links": [{"source": "n4", "target": "n0"}, {"source": "n3", "target": "n7"}],
    }
    for kind in ("feats", "labels"):
        made[f"valid_{kind}.npy"] = made[f"valid_{kind}.npy"][:8]
    tissues = read_ppi(small_ppi.pack(path, made))
    assert_is(tissues, made)
    assert [graph.num_edges for graph in tissues.val] == [2, 0, 0, 2]


class Counting(np.ndarray):
    """An array that counts how many numbers are calculated with, also in its parts."""

    calculated = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = [np.asarray(i) if isinstance(i, Counting) else i for i in inputs]
        Counting.calculated += max(np.size(i) for i in plain)
        if out is not None:
            options["out"] = tuple(np.asarray(o) for o in out)
        found = getattr(ufunc, method)(*plain, **options)
        return found.view(Counting) if isinstance(found, np.ndarray) else found


def test_each_node_is_looked_at_once_however_many_graphs_there_are(monkeypatch):
    def unique(array, unique=np.unique, **options):
        found = unique(array, **options)
        if isinstance(found, tuple):
            return tuple(part.view(Counting) for part in found)
        return found

    monkeypatch.setattr(np, "unique", unique)  # which forgets the kind of its input
    monkeypatch.setattr(ppi_file, "GraphData", lambda **fields: fields)
    n, counted = 2000, {}
    for graphs in (1, n):
        graph_id = (np.arange(n) % graphs).view(Counting)
        Counting.calculated = 0
        found = ppi_file._graphs(
            feats=np.zeros((n, 1), "f4"),
            labels=np.zeros((n, 1), "f4"),
            graph_id=graph_id,
            ends=np.zeros((0, 2), dtype=np.int64),
        )
        assert len(found) == graphs
        counted[graphs] = Counting.calculated
    assert 0 < counted[n] < 10 * n
    assert counted[1] < 10 * n


# Files that cannot be read


def refused(path: Path, *parts: str) -> None:
    """The file is refused with a message of these parts, and nothing is written."""
    before = {p: p.read_bytes() for p in path.parent.parent.rglob("*") if p.is_file()}
    with pytest.raises(ValueError) as error:
        read_ppi(path)
    for part in (str(path), *parts):
        assert part in str(error.value)
    after = {p: p.read_bytes() for p in path.parent.parent.rglob("*") if p.is_file()}
    assert after == before


@pytest.fixture
def path(tmp_path) -> Path:
    """Where to write a file: a folder inside a folder, so that an escape would show."""
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner" / "bad.zip"


def test_no_such_file(tmp_path):
    for path in (tmp_path / "typo.zip", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"is not a file; .*load_ppi\(\)"):
            read_ppi(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>Not Found</html>" * 50])
def test_not_a_zip(path, content):
    path.write_bytes(content)
    refused(path, "not a whole zip file", "get it again")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(path, share):
    small_ppi.write(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "not a whole zip file", "cut short", "get it again")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member(path, made, method):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, value in made.items():
            archive.writestr(name, small_ppi.packed(value))
        info = archive.getinfo("valid_feats.npy")
    content = bytearray(path.read_bytes())
    middle = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    content[middle] ^= 0xFF
    path.write_bytes(content)
    refused(path, "valid_feats.npy cannot be unpacked", "damaged; get it again")


def test_any_damage_is_either_harmless_or_refused(tmp_path, made):
    small_ppi.write(tmp_path / "a.zip", nodes=2, features=2, labels=2)
    content = (tmp_path / "a.zip").read_bytes()
    name = read_ppi(tmp_path / "a.zip").name
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        for at in rng.integers(len(content), size=rng.integers(1, 4)):
            damaged[at] = rng.integers(256)
        (tmp_path / "a.zip").write_bytes(damaged)
        try:
            assert read_ppi(tmp_path / "a.zip").name == name
        except ValueError as error:
            assert "a.zip" in str(error)


@pytest.mark.parametrize("name", small_ppi.members())
def test_a_missing_member(path, made, name):
    del made[name]
    refused(small_ppi.pack(path, made), f"lacks {name};", "Add what is missing")


def test_several_missing_members(path, made):
    small_ppi.pack(path, {"valid_feats.npy": made["valid_feats.npy"], "ppi.txt": b""})
    refused(path, "lacks train_graph.json, train_feats.npy,", "test_graph_id.npy;")


ESCAPES = [
    "../evil.txt",
    "ppi/../../evil.txt",
    "..",
    "..\\evil.txt",
    "ppi\\..\\..\\evil.txt",
    "{outside}/evil.txt",
    "//host/share/evil.txt",
    "\\evil.txt",
    "C:\\evil.txt",
    "c:evil.txt",
    "../train_graph.json",
]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("first", [True, False])
def test_a_name_that_leads_outside(path, made, name, first):
    name = name.format(outside=path.parent.parent)
    hostile = {name: b"evil"}
    small_ppi.pack(path, hostile | made if first else made | hostile)
    refused(path, repr(name), "nothing was read", "Do not trust this file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_member_twice(path, made):
    small_ppi.pack(path, made)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("test_feats.npy", small_ppi.packed(made["test_feats.npy"]))
    refused(path, "test_feats.npy is there twice", "keep one")


def test_members_in_several_folders(path, made):
    small_ppi.pack(path, made | {"old/test_feats.npy": b""})
    refused(path, "test_feats.npy is there twice")
    moved = {f"{name.split('_')[0]}/{name}": value for name, value in made.items()}
    assert_is(read_ppi(small_ppi.pack(path, moved)), made)


def patch_directory(path: Path, name: str, at: int, form: str, value: int) -> None:
    """Change a number in what the zip's directory says of a member."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(name.encode()) - 46  # the directory stands at the end
    assert content[entry : entry + 4] == b"PK\x01\x02"
    struct.pack_into(form, content, entry + at, value)
    path.write_bytes(content)


def zeros(path: Path, size: int, names=ppi_file._MEMBERS) -> Path:
    """A small file whose members of these names each unpack to `size` zeros."""
    small_ppi.pack(path, dict.fromkeys(names, bytes(size)))
    assert path.stat().st_size < len(names) * size / 500
    return path


@contextmanager
def peak_below(limit: int):
    """What is done inside holds less than `limit` bytes at a time."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def test_a_zip_bomb(path, made, monkeypatch):
    small_ppi.pack(path, made)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)  # nothing is unpacked
    patch_directory(path, "train_labels.npy", 24, "<L", 2**29)
    refused(path, "would unpack to 536,", "more than 536,870,912 are", "not trust")


def test_a_zip_bomb_in_twelve_pieces(path, monkeypatch):
    zeros(path, 2**20)
    monkeypatch.setattr(ppi_file, "MAX_BYTES", 12 * 2**20 - 1)
    with peak_below(2**20):
        refused(path, "would unpack to 12,582,912 bytes; more than 12,582,911 are")


def test_what_is_within_the_bound_is_unpacked_one_by_one(path):
    """The memory is that of one member, not of all twelve."""
    zeros(path, 2**22)
    with peak_below(4 * 2**22):
        refused(path, "train_graph.json is not JSON")


def test_a_zip_bomb_that_lies_about_its_size(path, made):
    small_ppi.pack(path, made | {"train_labels.npy": bytes(2**26)})
    patch_directory(path, "train_labels.npy", 24, "<L", 100)
    with peak_below(2**24):
        refused(path, "train_labels.npy cannot be unpacked")


@pytest.mark.parametrize("entry", [b"[],", b"[" * 200 + b"]" * 200 + b",", b"{},"])
def test_a_list_that_would_take_far_more_than_its_text(path, made, monkeypatch, entry):
    monkeypatch.setattr(ppi_file, "MAX_ENTRIES", 10**5)
    many = entry * (3 * 10**6 // len(entry))
    many = b'{"nodes": [' + many + b'0], "links": []}'
    small_ppi.pack(path, made | {"train_graph.json": many})
    with peak_below(10**7):  # the lists alone would take six times as much
        refused(path, "train_graph.json holds ", " entries; more than 100,000 are")


@pytest.mark.parametrize("name", ["train_graph.json", "\0../evil", "..\0"])
def test_a_name_with_a_nul(path, made, name):
    """`zipfile` ends the name there, as others may, so what it is depends on them."""
    hidden = "train_graph.json\0.exe" if name in made else name
    shown = hidden.replace("\0", "@")
    small_ppi.pack(path, {shown if k == name else k: v for k, v in made.items()})
    if name not in made:
        small_ppi.pack(path, made | {shown: b"evil"})
    content = path.read_bytes()
    assert content.count(shown.encode()) == 2
    path.write_bytes(content.replace(shown.encode(), hidden.encode()))
    refused(path, "which hides its name", "nothing was read", "Do not trust this file")


def test_an_encrypted_member(path):
    small_ppi.write(path)
    patch_directory(path, "valid_graph.json", 8, "<H", 1)
    refused(path, "valid_graph.json is encrypted or not", "without a password")


def test_a_member_compressed_in_another_way(path, made):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, value in made.items():
            archive.writestr(name, small_ppi.packed(value))
    refused(path, "train_graph.json is encrypted or not compressed by deflate")


class Hostile:
    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_nothing_is_unpickled(path, made):
    mark = path.with_name("mark")
    refusal = "train_feats.npy is not an array of numbers", "numpy.save"
    objects = np.array([Hostile(mark)], dtype=object)
    refused(small_ppi.pack(path, made | {"train_feats.npy": objects}), *refusal)
    bare = pickle.dumps(Hostile(mark))
    refused(small_ppi.pack(path, made | {"train_feats.npy": bare}), *refusal)
    assert not mark.exists()
    pickle.loads(bare)
    assert mark.exists()


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        npz(x=np.ones((3, 2))),
        small_ppi.packed(np.ones((9, 9)))[:-1],
        header("(1000000000000, 1000)"),
        header("(1000000000000000000000, 1000)"),
        header("(-4, 4)"),
        header("(4, "),
        header("'a'"),
    ],
    ids=["empty", "text", "npz", "short", "big", "bigger", "minus", "syntax", "str"],
)
def test_not_an_array(path, made, content):
    small_ppi.pack(path, made | {"valid_feats.npy": content})
    refused(path, "valid_feats.npy is not an array of numbers", "numpy.save")


KINDS = ["feats", "labels", "graph_id"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["c8", "U5", "S5", "M8[s]", "f4,i4"])
def test_not_real_numbers(path, made, kind, dtype):
    name = f"test_{kind}.npy"
    made[name] = np.zeros(made[name].shape, dtype)
    refused(small_ppi.pack(path, made), f"{name} holds {np.dtype(dtype)}; save whole")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (0,), (20, 0), (20, 1, 1)])
def test_arrays_of_a_wrong_shape(path, made, kind, shape):
    made[f"test_{kind}.npy"] = np.zeros(shape)
    small_ppi.pack(path, made)
    refused(path, f"test_{kind}.npy has the shape {list(shape)}; it must be [N")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e300])
def test_features_that_are_no_numbers(path, made, wrong):
    made["valid_feats.npy"] = made["valid_feats.npy"].astype("f8")
    made["valid_feats.npy"][3, 4] = made["valid_feats.npy"][5, 6] = wrong
    small_ppi.pack(path, made)
    refused(path, f"valid_feats.npy holds {wrong}; clean the features")


@pytest.mark.parametrize("wrong", [2, -1, 0.5, np.nan])
def test_labels_other_than_0_and_1(path, made, wrong):
    made["test_labels.npy"] = made["test_labels.npy"].astype("f8")
    made["test_labels.npy"][1, 2] = wrong
    small_ppi.pack(path, made)
    refused(path, f"test_labels.npy holds {float(wrong)}; write 1 where")


@pytest.mark.parametrize("wrong", [1.5, np.nan, np.inf, 1e300])
def test_graph_ids_that_are_not_whole(path, made, wrong):
    made["train_graph_id.npy"] = made["train_graph_id.npy"].astype("f8")
    made["train_graph_id.npy"][0] = wrong
    small_ppi.pack(path, made)
    refused(path, f"train_graph_id.npy holds {wrong}; graph ids must be whole")


@pytest.mark.parametrize(
    "content",
    [b"", b'{"nodes": [', b"\xff\xfe\xfa", b"[" * 100_000],
    ids=["empty", "cut", "bytes", "deep"],
)
def test_malformed_json(path, made, content):
    small_ppi.pack(path, made | {"test_graph.json": content})
    refused(path, "test_graph.json is not JSON", "networkx.node_link_data")


@pytest.mark.parametrize(
    "graph",
    [
        [1, 2],
        {"nodes": []},
        {"links": []},
        {"nodes": {"id": 1}, "links": []},
        {"nodes": [], "links": [], "edges": []},
    ],
)
def test_json_that_is_no_graph(path, made, graph):
    small_ppi.pack(path, made | {"test_graph.json": json.dumps(graph).encode()})
    refused(path, "test_graph.json is not JSON of", "networkx.node_link_data")


@pytest.mark.parametrize("entry", [5, {}, {"id": [1]}, {"id": {}}, "id", None])
def test_nodes_without_an_id(path, made, entry):
    made["test_graph.json"]["nodes"][2] = entry
    small_ppi.pack(path, made)
    refused(
        path, 'test_graph.json is not JSON of "nodes", each with an "id"', "Error: "
    )


@pytest.mark.parametrize(
    "entry, message",
    [
        ({"id": None}, "of a link is 2, which is the id of no node"),
        ({"id": True}, "has two nodes with the id 1"),
    ],
)
def test_nodes_with_an_odd_id(path, made, entry, message):
    made["test_graph.json"]["nodes"][2] = entry
    refused(small_ppi.pack(path, made), "test_graph.json", message)


@pytest.mark.parametrize("entry", [[1, 2], {"source": 1}, {"source": [], "target": 1}])
def test_links_without_ends(path, made, entry):
    made["test_graph.json"]["links"][2] = entry
    small_ppi.pack(path, made)
    refused(path, "test_graph.json is not JSON", 'each with "source" and "target" (')


def test_two_nodes_with_one_id(path, made):
    made["valid_graph.json"]["nodes"][3]["id"] = 2
    refused(small_ppi.pack(path, made), "valid_graph.json has two nodes with the id 2")


@pytest.mark.parametrize("end", [-1, 10_000, 1.5, "0", None])
def test_a_link_to_no_node(path, made, end):
    made["train_graph.json"]["links"][0]["target"] = end
    small_ppi.pack(path, made)
    refused(path, f"train_graph.json: the target of a link is {end!r}", "no node")


@pytest.mark.parametrize("kind", ["feats", "labels", "graph_id"])
def test_different_numbers_of_rows(path, made, kind):
    rows = len(made["valid_graph.json"]["nodes"])
    made[f"valid_{kind}.npy"] = made[f"valid_{kind}.npy"][:-1]
    small_ppi.pack(path, made)
    refused(path, f"valid_{kind}.npy has the shape [{rows - 1}", f"here [{rows}")


def test_different_numbers_of_nodes(path, made):
    rows = len(made["valid_graph.json"]["nodes"])
    made["valid_graph.json"]["nodes"].append({"id": "one more"})
    small_ppi.pack(path, made)
    refused(
        path, f"valid_feats.npy has the shape [{rows}, 50]", f"here [{rows + 1}, 50]"
    )


def test_graph_ids_that_do_not_match_the_links(path, made):
    made["train_graph_id.npy"] = np.roll(made["train_graph_id.npy"], 1)
    small_ppi.pack(path, made)
    refused(
        path,
        "train_graph_id.npy does not match train_graph.json",
        "are linked, but in graphs",
        "give linked nodes the same id",
    )


def test_a_graph_in_two_splits(path, made):
    ids = made["test_graph_id.npy"]
    ids[ids == 24] = 7
    small_ppi.pack(path, made)
    refused(path, "tissue 7 is in train_graph_id.npy and in test_graph_id.npy")


@pytest.mark.parametrize("kind, width", [("feats", 50), ("labels", 121)])
def test_splits_of_different_width(path, made, kind, width):
    made[f"valid_{kind}.npy"] = made[f"valid_{kind}.npy"][:, 1:]
    small_ppi.pack(path, made)
    shape = made[f"valid_{kind}.npy"].shape
    refused(
        path,
        f"valid_{kind}.npy has the shape {list(shape)};",
        f"here [{shape[0]}, {width}]",
        "the same columns in every split",
    )


# Where the file comes from


@pytest.fixture
def published(made, tmp_path, monkeypatch) -> bytes:
    """A small file that is taken for the published one."""
    content = small_ppi.pack(tmp_path / "small.zip", made).read_bytes()
    sums = {"ppi.zip": hashlib.sha256(content).hexdigest()}
    monkeypatch.setattr(ppi, "SHA256", sums)
    monkeypatch.delenv("GAT_COURSE_DATA", raising=False)
    return content


@pytest.fixture
def server(published, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.3))
    monkeypatch.setattr(download, "ROUNDS", 1)
    with serving({"ppi.zip": published}) as server:
        monkeypatch.setattr(ppi, "MIRRORS", (server.mirror("good"),))
        yield server


def test_download_then_cache(made, server, tmp_path):
    for _ in range(2):
        tissues = load_ppi(root=tmp_path / "cache")
        assert_is(tissues, made)
        assert tissues.name == "PPI"
        assert len(server.requests) == 1


def test_default_cache_is_the_users(server, tmp_path, monkeypatch):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    load_ppi()
    assert (tmp_path / "gat_course" / "ppi.zip").exists()


def test_a_damaged_file_in_the_cache_is_downloaded(published, made, server, tmp_path):
    (tmp_path / "ppi.zip").write_bytes(published[:-1])
    assert_is(load_ppi(root=tmp_path), made)
    assert len(server.requests) == 1
    assert (tmp_path / "ppi.zip").read_bytes() == published


def test_given_folder_comes_first(published, made, server, tmp_path, monkeypatch):
    given = tmp_path / "given"
    given.mkdir()
    monkeypatch.setenv("GAT_COURSE_DATA", str(given))
    assert_is(load_ppi(root=tmp_path / "cache"), made)
    assert len(server.requests) == 1
    assert list(given.iterdir()) == []

    (given / "ppi.zip").write_bytes(published)
    assert_is(load_ppi(root=tmp_path / "other cache"), made)
    assert len(server.requests) == 1
    assert list(given.iterdir()) == [given / "ppi.zip"]
    assert not (tmp_path / "other cache").exists()


@pytest.mark.parametrize("fallback", [None, "synthetic"])
def test_another_file_in_the_given_folder(server, tmp_path, monkeypatch, fallback):
    small_ppi.write(tmp_path / "ppi.zip", seed=1)
    content = (tmp_path / "ppi.zip").read_bytes()
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="is damaged or is another file") as error:
        load_ppi(root=tmp_path / "cache", fallback=fallback)
    found = hashlib.sha256(content).hexdigest()
    parts = (
        str(tmp_path / "ppi.zip"),
        ppi.SHA256["ppi.zip"],
        found,
        "use read_ppi(path)",
    )
    for part in parts:
        assert part in str(error.value)
    assert (tmp_path / "ppi.zip").read_bytes() == content
    assert server.requests == []


def test_given_folder_does_not_exist(server, tmp_path, monkeypatch):
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path / "typo"))
    with pytest.raises(FileNotFoundError, match="typo, which is not a folder.*ppi.zip"):
        load_ppi(root=tmp_path, fallback="synthetic")


@pytest.mark.parametrize("behaviour", BAD)
def test_bad_server_leaves_nothing_and_the_next_one_helps(
    made, server, tmp_path, monkeypatch, behaviour
):
    cache, bad = tmp_path / "cache", server.mirror(behaviour)
    monkeypatch.setattr(ppi, "MIRRORS", (bad,))
    with pytest.raises(DatasetUnavailable) as error:
        load_ppi(root=cache)
    for part in (
        "PPI cannot be had",
        "GAT_COURSE_DATA: not set",
        str(cache),
        f"{bad}: ppi.zip: ",
        "put ppi.zip",
        "root=",
        "fallback=",
    ):
        assert part in str(error.value)
    assert not (cache / "ppi.zip").exists()

    monkeypatch.setattr(ppi, "MIRRORS", (bad, server.mirror("good")))
    assert_is(load_ppi(root=cache), made)


def test_server_that_fails_once_is_asked_again(made, server, tmp_path, monkeypatch):
    monkeypatch.setattr(ppi, "MIRRORS", (server.mirror("fails-once"),))
    monkeypatch.setattr(download, "ROUNDS", 2)
    assert_is(load_ppi(root=tmp_path), made)
    assert len(server.requests) == 2


def test_stand_in(server, tmp_path, monkeypatch):
    nobody = "http://127.0.0.1:9/"  # the discard port: no server there
    monkeypatch.setattr(ppi, "MIRRORS", (nobody,))
    with pytest.warns(UserWarning, match="SYNTHETIC GRAPHS IN PLACE OF PPI") as caught:
        tissues = load_ppi(root=tmp_path / "cache", fallback="synthetic")
    assert nobody in str(caught[0].message)
    assert caught[0].filename == __file__
    assert tissues.name == "synthetic stand-in for PPI"


def test_stand_in_is_not_used_when_ppi_is_there(published, made, tmp_path, recwarn):
    (tmp_path / "ppi.zip").write_bytes(published)
    assert_is(load_ppi(root=tmp_path, fallback="synthetic"), made)
    assert not any("SYNTHETIC" in str(warning.message) for warning in recwarn)


# The same graphs with later labels, which no server has


def structure(sizes, split, links, gene) -> dict[str, np.ndarray]:
    """What the file of genes holds; `gene` is that of each node, tissue by tissue."""
    gene_id, row_gene = np.unique(gene, return_inverse=True)
    return {
        "graph_ptr": np.cumsum([0, *sizes]).astype(np.int32),
        "split": np.array(split),
        "edges": np.array(links, dtype=np.int32).reshape(-1, 2),
        "gene_id": gene_id.astype(np.int32),
        "row_gene": row_gene.astype(np.uint16),
    }


def genes_of(made: dict) -> np.ndarray:
    """A gene for each node of the small file, in the order of its rows."""
    n = sum(len(made[f"{split}_graph_id.npy"]) for split in small_ppi.SPLITS)
    return 3 * np.random.default_rng(0).permutation(n) + 2


@pytest.fixture
def later(made, tmp_path, monkeypatch) -> Path:
    """A folder with a small zip and genes that are taken for the known ones."""
    folder = tmp_path / "given" / "ppi"
    folder.mkdir(parents=True)
    small_ppi.pack(folder / "ppi_go2022.zip", made)
    sizes, splits, links, first = [], [], [], 0
    for split in small_ppi.SPLITS:
        ids = made[f"{split}_graph_id.npy"]
        sizes += np.unique(ids, return_counts=True)[1].tolist()
        splits += [split] * len(np.unique(ids))
        links += [
            (first + link["source"], first + link["target"])
            for link in made[f"{split}_graph.json"]["links"]
        ]
        first += len(ids)
    known = structure(sizes, splits, links, genes_of(made))
    np.savez(folder / "ppi_structure_features.npz", **known)
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ppi.GO_2022
    }
    monkeypatch.setattr(ppi, "GO_2022", sums)
    monkeypatch.setenv("GAT_COURSE_DATA", str(folder.parent))
    return folder


def test_later_labels_bring_their_genes(later, made):
    tissues = load_ppi(labels="GO-2022")
    assert_is(tissues, made)
    assert tissues.name == "PPI graphs, GO-2022 labels"
    sizes = [graph.num_nodes for graph in tissues.graphs]
    assert [len(gene) for gene in tissues.genes] == sizes
    assert torch.cat(tissues.genes).tolist() == genes_of(made).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_stray_nodes_have_their_genes_in_the_first_graph_of_the_split(seed):
    rng = np.random.default_rng(seed)
    split = ["train"] * 3 + ["val"] * 2 + ["test"]
    graphs, first = [], 0
    for _ in split:  # a path of nodes picked at random; the others have no links
        nodes = first + np.arange(rng.integers(8, 12))
        graphs.append((nodes, rng.permutation(nodes)[: len(nodes) - rng.integers(4)]))
        first += len(nodes)
    links = [pair for _, path in graphs for pair in pairwise(path)]
    gene = rng.integers(50, size=first)
    expected = []
    for part in ("train", "val", "test"):
        own = [graph for graph, its in zip(graphs, split, strict=True) if its == part]
        strays = [n for nodes, path in own[1:] for n in nodes if n not in path]
        expected.append([*own[0][0], *strays])
        expected += [sorted(path) for _, path in own[1:]]
    content = io.BytesIO()
    np.savez(content, **structure([len(n) for n, _ in graphs], split, links, gene))
    found = ppi._genes(content.getvalue())
    assert [part.tolist() for part in found] == [gene[n].tolist() for n in expected]


def test_later_labels_by_their_path_have_the_same_name(later, made):
    tissues = read_ppi(later / "ppi_go2022.zip")
    assert tissues.name == "PPI graphs, GO-2022 labels" and tissues.genes is None
    assert_is(tissues, made)


def test_later_labels_that_are_not_there(later, tmp_path, monkeypatch):
    (later / "ppi_structure_features.npz").unlink()
    with pytest.raises(FileNotFoundError, match="lacks ppi_structure_features.npz"):
        load_ppi(labels="GO-2022")
    monkeypatch.delenv("GAT_COURSE_DATA")
    with pytest.raises(DatasetUnavailable) as error:
        load_ppi(root=tmp_path / "cache", labels="GO-2022")
    told = str(error.value)
    for part in ("no server has them", "put ppi_go2022.zip, ppi_structure_", "FOLDER"):
        assert part in told
    assert "network and run this again" not in told
    with pytest.warns(UserWarning, match="IN PLACE OF PPI WITH GO-2022") as caught:
        stand_in = load_ppi(tmp_path / "cache", "synthetic", "GO-2022")
    assert caught[0].filename == __file__
    assert stand_in.name == "synthetic stand-in for PPI"


def test_damaged_later_labels_are_refused(later):
    file = later / "ppi_structure_features.npz"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="features.npz .* is damaged or is another"):
        load_ppi(labels="GO-2022")


def test_unknown_labels():
    with pytest.raises(ValueError, match="labels must be one of .*, got 'go-2022'"):
        load_ppi(labels="go-2022")


def test_unknown_fallback():
    with pytest.raises(ValueError, match='None or "synthetic", got True'):
        load_ppi(fallback=True)


# The chapter


def test_chapter_6_runs_on_a_file_in_ppis_form(tmp_path):
    """Every cell, on graphs of which nobody knows the genes, as on the published."""
    path = tmp_path / "small.zip"
    small_ppi.write(path, nodes=12)
    notebook = nbformat.read(PROJECT / "book" / "06-ppi.ipynb", 4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    parameters = next(c for c in cells if "parameters" in c.metadata.get("tags", []))
    shrunk = parameters.metadata.gat_course.test
    assert 'SOURCE = "stand-in"' in shrunk
    shrunk = shrunk.replace('SOURCE = "stand-in"', f"SOURCE = {str(path)!r}")
    parameters.source += "\n" + shrunk
    script = tmp_path / "chapter.py"
    # Joblib's processes get a notebook's classes by value, as here those of a script.
    sources = ["from IPython.display import display"]
    sources += [c.source for c in cells if "setup" not in c.metadata.get("tags", [])]
    script.write_text("\n\n".join(sources))
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "MPLBACKEND": "Agg", "TQDM_DISABLE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "small.zip, in PPI's form, each kind of row one number" in done.stdout
    assert "small.zip, in PPI's form: no list of genes, so no table" in done.stdout
    assert "small.zip, in PPI's form, 20% of genes hidden" in done.stdout
    made_up = [line for line in done.stdout.splitlines() if "synthetic" in line]
    assert len(made_up) == 2 and all("edges that matter" in line for line in made_up)
