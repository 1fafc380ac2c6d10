"""Tests of the loader: the real files, and small ones from a server that misbehaves."""

import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import small_ppi
import torch
from server import BAD, serving

from gat_course import download, load_ppi, ppi
from gat_course.datasets import DatasetUnavailable, load, planetoid, row_normalize

GIVEN = os.environ.get("GAT_COURSE_DATA")
needs_real_files = pytest.mark.skipif(
    not GIVEN, reason="GAT_COURSE_DATA is not set: the real files are not here"
)
PROJECT = Path(__file__).parent.parent
TIMEOUT, GIVE_UP_AFTER = download.TIMEOUT, download.GIVE_UP_AFTER


# The real files


@needs_real_files
@pytest.mark.parametrize(
    "name, nodes, edges, features, classes, isolated, train",
    [
        ("cora", 2708, 10556, 1433, 7, 0, 140),
        ("citeseer", 3327, 9104, 3703, 6, 48, 120),
    ],
)
def test_real_data_has_the_known_figures(
    name, nodes, edges, features, classes, isolated, train
):
    graph = load(name)
    assert graph.name == name.title()
    assert (graph.num_nodes, graph.num_edges) == (nodes, edges)
    assert (graph.num_features, graph.num_classes) == (features, classes)
    assert int((graph.in_degrees == 0).sum()) == isolated
    pairs = set(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    assert len(pairs) == edges
    assert all((j, i) in pairs and i != j for i, j in pairs)
    assert graph.x.layout == torch.sparse_csr and graph.x.dtype == torch.float32
    assert set(graph.x.values().tolist()) == {1.0}
    masks = torch.stack([graph.train_mask, graph.val_mask, graph.test_mask])
    assert masks.sum(1).tolist() == [train, 500, 1000]
    assert int(masks.sum(0).max()) == 1
    assert graph.train_mask[:train].all()
    assert torch.bincount(graph.y[graph.train_mask]).tolist() == [20] * classes


@needs_real_files
def test_citeseers_nodes_without_a_row():
    graph = load("citeseer")
    index = Path(GIVEN, "planetoid", "ind.citeseer.test.index").read_text().split()
    listed = {int(i) for i in index}
    absent = sorted(set(range(min(listed), graph.num_nodes)) - listed)
    assert len(absent) == 15
    assert graph.x.to_dense()[absent].sum() == 0
    assert graph.y[absent].tolist() == [0] * 15
    for mask in (graph.train_mask, graph.val_mask, graph.test_mask):
        assert not mask[absent].any()


# Small files in the same format


class Python2Pickler(pickle._Pickler):
    """Writes byte strings and text as Python 2 wrote its only kind of string."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        raw = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + len(raw).to_bytes(4, "little") + raw)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string


def dumps(value, old_names=True) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    content = file.getvalue()
    if old_names:
        for new, old in (("numpy._core", "numpy.core"), ("sparse._csr", "sparse.csr")):
            content = content.replace(new.encode(), old.encode())
    return content


class Small:
    """A graph of 533 nodes, and the eight files that describe it."""

    nodes, known, train, features, classes = 533, 520, 6, 5, 3

    def __init__(self, old_names=True):
        rng = np.random.default_rng(0)
        self.x = (rng.random((self.nodes, self.features)) < 0.4).astype("f4")
        self.y = rng.integers(self.classes, size=self.nodes)
        absent = [522, 530]  # in no table, as in Citeseer
        self.x[absent], self.y[absent] = 0, 0
        test = np.setdiff1d(np.arange(self.known, self.nodes), absent)
        self.test = rng.permutation(test)
        links = rng.integers(1, self.nodes, size=(900, 2))  # none at node 0
        links = np.concatenate([links, links[:20], [[7, 7]]])
        self.adjacency = np.zeros((self.nodes, self.nodes), dtype=bool)
        neighbours = defaultdict(list)
        for node in range(self.nodes):
            neighbours[node] = []
        for a, b in links.tolist():
            neighbours[a].append(b)
            neighbours[b].append(a)
            self.adjacency[a, b] = self.adjacency[b, a] = a != b
        one_hot = np.eye(self.classes, dtype=np.int32)[self.y]
        tables = {
            "x": sp.csr_matrix(self.x[: self.train]),
            "y": one_hot[: self.train],
            "tx": sp.csr_matrix(self.x[self.test]),
            "ty": one_hot[self.test],
            "allx": sp.csr_matrix(self.x[: self.known]),
            "ally": one_hot[: self.known],
            "graph": neighbours,
        }
        self.files = {s: dumps(table, old_names) for s, table in tables.items()}
        self.files["test.index"] = "\n".join(map(str, self.test)).encode()

    def sums(self) -> dict[str, str]:
        return {s: hashlib.sha256(f).hexdigest() for s, f in self.files.items()}

    def write(self, root: Path, leave_out=()) -> Path:
        folder = root / "planetoid"
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in self.files.keys() - set(leave_out):
            (folder / f"ind.cora.{suffix}").write_bytes(self.files[suffix])
        return folder


@pytest.fixture
def small(monkeypatch):
    small = Small()
    monkeypatch.setattr(planetoid, "SHA256", {"cora": small.sums()})
    monkeypatch.delenv("GAT_COURSE_DATA", raising=False)
    return small


@pytest.fixture
def server(small, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.3))
    monkeypatch.setattr(download, "ROUNDS", 1)
    with serving({f"ind.cora.{s}": file for s, file in small.files.items()}) as server:
        monkeypatch.setattr(planetoid, "MIRRORS", (server.mirror("good"),))
        yield server


def assert_is(graph, small):
    assert np.array_equal(graph.x.to_dense().numpy(), small.x)
    assert graph.y.tolist() == small.y.tolist()
    adjacency = graph.dense_adjacency().numpy()
    assert np.array_equal(adjacency, small.adjacency)
    assert graph.train_mask.nonzero().flatten().tolist() == list(range(small.train))
    val = range(small.train, small.train + 500)
    assert graph.val_mask.nonzero().flatten().tolist() == list(val)
    assert graph.test_mask.nonzero().flatten().tolist() == sorted(small.test)


@pytest.mark.parametrize("old_names", [True, False], ids=["python2", "numpy2"])
def test_files_are_put_together_as_they_were_taken_apart(
    old_names, tmp_path, monkeypatch
):
    small = Small(old_names)
    monkeypatch.setattr(planetoid, "SHA256", {"cora": small.sums()})
    small.write(tmp_path)
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    assert_is(load("cora"), small)


def test_pytorchs_defaults_change_nothing(small, tmp_path, monkeypatch):
    small.write(tmp_path)
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            graph = load("cora")
    finally:
        torch.set_default_dtype(torch.float32)
    assert graph.x.dtype == torch.float32
    assert_is(graph, small)


# Where the files come from


def test_download_then_cache(small, server, tmp_path):
    assert_is(load("cora", root=tmp_path), small)
    assert len(server.requests) == 8
    assert_is(load("cora", root=tmp_path), small)
    assert len(server.requests) == 8


def test_default_cache_is_the_users(small, server, tmp_path, monkeypatch):
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    load("cora")
    assert (tmp_path / "gat_course" / "planetoid" / "ind.cora.x").exists()


def test_given_folder_comes_first_and_is_not_written_to(
    small, server, tmp_path, monkeypatch
):
    folder = small.write(tmp_path / "given")
    before = sorted(folder.iterdir())
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path / "given"))
    assert_is(load("cora", root=tmp_path / "cache"), small)
    assert server.requests == []
    assert sorted(folder.iterdir()) == before
    assert not (tmp_path / "cache").exists()


def test_given_folder_without_this_data_set_is_passed_over(
    small, server, tmp_path, monkeypatch
):
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    assert_is(load("cora", root=tmp_path / "cache"), small)
    assert len(server.requests) == 8


@pytest.mark.parametrize("fallback", [None, "synthetic"])
def test_damaged_file_in_given_folder(small, server, tmp_path, monkeypatch, fallback):
    path = small.write(tmp_path) / "ind.cora.allx"
    expected = small.sums()["allx"]
    path.write_bytes(small.files["allx"][:-1])
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="damaged") as error:
        load("cora", root=tmp_path / "cache", fallback=fallback)
    for part in (str(path), expected, found, "Replace the file"):
        assert part in str(error.value)
    assert path.read_bytes() == small.files["allx"][:-1]
    assert server.requests == []


def test_given_folder_with_files_missing(small, tmp_path, monkeypatch):
    small.write(tmp_path, leave_out=("ty", "graph"))
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"lacks ind.cora.ty, ind.cora.graph"):
        load("cora", root=tmp_path / "cache", fallback="synthetic")


def test_given_folder_does_not_exist(small, tmp_path, monkeypatch):
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path / "typo"))
    with pytest.raises(FileNotFoundError, match="typo, which is not a folder"):
        load("cora", root=tmp_path, fallback="synthetic")


def test_damaged_and_missing_files_in_the_cache_are_downloaded(small, server, tmp_path):
    folder = small.write(tmp_path, leave_out=("ty",))
    (folder / "ind.cora.x").write_bytes(b"")
    (folder / "ind.cora.graph").write_bytes(small.files["x"])
    assert_is(load("cora", root=tmp_path), small)
    asked = {request.removeprefix("/good/ind.cora.") for request in server.requests}
    assert asked == {"ty", "x", "graph"}


# Servers that misbehave


@pytest.mark.parametrize("behaviour", BAD)
def test_bad_server_leaves_nothing_and_the_next_one_helps(
    small, server, tmp_path, monkeypatch, behaviour
):
    bad = server.mirror(behaviour)
    monkeypatch.setattr(planetoid, "MIRRORS", (bad,))
    with pytest.raises(DatasetUnavailable) as error:
        load("cora", root=tmp_path)
    for part in ("GAT_COURSE_DATA: not set", str(tmp_path), bad, "root=", "fallback="):
        assert part in str(error.value)
    assert not list((tmp_path / "planetoid").glob("ind.*"))

    monkeypatch.setattr(planetoid, "MIRRORS", (bad, server.mirror("good")))
    assert_is(load("cora", root=tmp_path), small)


def test_server_that_fails_once_is_asked_again(small, server, tmp_path, monkeypatch):
    monkeypatch.setattr(planetoid, "MIRRORS", (server.mirror("fails-once"),))
    monkeypatch.setattr(download, "ROUNDS", 2)
    assert_is(load("cora", root=tmp_path), small)
    assert len(server.requests) == 9


def test_what_has_arrived_is_kept(small, server, tmp_path, monkeypatch):
    monkeypatch.setattr(planetoid, "MIRRORS", (server.mirror("stalls-later"),))
    with pytest.raises(DatasetUnavailable, match="Read timed out"):
        load("cora", root=tmp_path)
    assert len(server.requests) == 4
    monkeypatch.setattr(planetoid, "MIRRORS", (server.mirror("good"),))
    assert_is(load("cora", root=tmp_path), small)
    assert len(server.requests) == 4 + 5


def test_servers_that_never_answer_cost_a_bounded_time(
    small, server, tmp_path, monkeypatch
):
    # The limits here are a tenth of the real ones, which keep within 24 seconds: each
    # of three mirrors is asked once, and then it is too late to ask again.
    # Without them it would be 8 files, 3 mirrors and 3 rounds of half a second each.
    assert GIVE_UP_AFTER <= 3 * sum(TIMEOUT) <= 24
    monkeypatch.setattr(download, "TIMEOUT", (0.3, 0.5))
    monkeypatch.setattr(download, "GIVE_UP_AFTER", 1.2)
    monkeypatch.setattr(download, "ROUNDS", 3)
    monkeypatch.setattr(planetoid, "MIRRORS", (server.mirror("silent"),) * 3)
    start = time.monotonic()
    with pytest.raises(DatasetUnavailable):
        load("cora", root=tmp_path)
    assert time.monotonic() - start < 5
    assert len(server.requests) == 3


def test_a_slow_first_mirror_leaves_time_for_the_second(
    small, server, tmp_path, monkeypatch
):
    monkeypatch.setattr(download, "GIVE_UP_AFTER", 0)
    mirrors = server.mirror("corrupts"), server.mirror("good")
    monkeypatch.setattr(planetoid, "MIRRORS", mirrors)
    assert_is(load("cora", root=tmp_path), small)


def test_no_network(small, server, tmp_path, monkeypatch):
    nobody = "http://127.0.0.1:9/"  # the discard port: no server there
    monkeypatch.setattr(planetoid, "MIRRORS", (nobody,))
    with pytest.raises(DatasetUnavailable, match="refused"):
        load("cora", root=tmp_path)
    with pytest.warns(UserWarning, match="SYNTHETIC GRAPH IN PLACE OF CORA") as caught:
        graph = load("cora", root=tmp_path, fallback="synthetic")
    assert nobody in str(caught[0].message)
    assert caught[0].filename == __file__
    assert graph.name == "synthetic stand-in for Cora"


def test_fallback_is_not_used_when_the_data_are_there(small, tmp_path, recwarn):
    small.write(tmp_path)
    assert_is(load("cora", root=tmp_path, fallback="synthetic"), small)
    assert not any("SYNTHETIC" in str(warning.message) for warning in recwarn)


# The cache, shared and unwritable


def unwritable_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "cache"


def unwritable_by_the_system(tmp_path):
    if not Path("/proc/self").exists():
        pytest.skip("no /proc on this system")
    return Path("/proc/gat_course")


def unwritable_by_permission(tmp_path):
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("permissions do not bind this user (root, for one)")
    return folder


@pytest.mark.parametrize(
    "make",
    [unwritable_below_a_file, unwritable_by_the_system, unwritable_by_permission],
)
def test_unwritable_cache(small, server, tmp_path, make):
    root = make(tmp_path)
    with pytest.raises(DatasetUnavailable, match="cannot be written to") as error:
        load("cora", root=root)
    assert str(root) in str(error.value)
    assert server.requests == []


LOAD = {
    "cora": "planetoid.SHA256 = {'cora': sums}; print(load('cora', root=root))",
    "ppi": "ppi.SHA256 = sums; print(ppi.load_ppi(root=root))",
}


def start_load(name, sums, mirrors, root) -> subprocess.Popen:
    """Load a small data set in a new process that turns warnings into errors."""
    program = (
        "import json, sys\n"
        "from gat_course import load, ppi\n"
        "from gat_course.datasets import planetoid\n"
        "sums, mirrors, root = json.loads(sys.argv[1])\n"
        f"planetoid.MIRRORS = ppi.MIRRORS = mirrors\n{LOAD[name]}\n"
    )
    settings = json.dumps([sums, mirrors, str(root)])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, settings],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once(small, server, tmp_path):
    slow = [server.mirror("slow")]
    both = [start_load("cora", small.sums(), slow, tmp_path) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "GraphData('Cora', 533 nodes" in out
    assert len(server.requests) == len(set(server.requests)) == 8


@pytest.mark.parametrize(
    "name, behaviour, complete", [("cora", "stalls-later", 3), ("ppi", "stalls", 0)]
)
def test_killed_download_leaves_nothing_that_is_trusted(
    small, server, tmp_path, monkeypatch, name, behaviour, complete
):
    cache = tmp_path / "cache"
    folder, sums, load_again = cache / "planetoid", small.sums(), partial(load, "cora")
    if name == "ppi":
        folder, load_again = cache, load_ppi
        small_ppi.write(tmp_path / "ppi.zip")
        server.files = {"ppi.zip": (tmp_path / "ppi.zip").read_bytes()}
        sums = {"ppi.zip": hashlib.sha256(server.files["ppi.zip"]).hexdigest()}
        monkeypatch.setattr(ppi, "SHA256", sums)
        monkeypatch.setattr(ppi, "MIRRORS", (server.mirror("good"),))
    process = start_load(name, sums, [server.mirror(behaviour)], cache)
    assert server.stalled.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    named = [path for path in folder.iterdir() if path.name in server.files]
    assert len(named) == complete
    for path in named:
        assert path.read_bytes() == server.files[path.name]
    load_again(root=cache)
    assert len(server.requests) == len(server.files) + 1
    for file, content in server.files.items():
        assert (folder / file).read_bytes() == content


# Files that try to run code

HOSTILE = {
    "os.system": b"cos\nsystem\n(S'touch MARK'\ntR.",
    "posix.system": b"cposix\nsystem\n(S'touch MARK'\ntR.",
    "__builtin__.eval": b'c__builtin__\neval\n(S\'open("MARK", "w")\'\ntR.',
    "builtins.getattr": b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR.",
    "numpy.load": b"cnumpy\nload\n(S'MARK'\ntR.",
    "numpy.core.multiarray.fromfile": b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.",
    "numpy.testing.rundocs": b"cnumpy.testing\nrundocs\n(S'MARK'\ntR.",
    "scipy.sparse.csr.coo_matrix": b"cscipy.sparse.csr\ncoo_matrix\n(tR.",
    "numpy.ndarray.tofile": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
    "collections.Counter": b"ccollections\nCounter\n(tR.",
}


@pytest.mark.parametrize("asked_for", HOSTILE)
def test_hostile_pickle_is_refused_although_its_checksum_matches(
    small, tmp_path, monkeypatch, asked_for
):
    mark = tmp_path / "mark"
    small.files["graph"] = HOSTILE[asked_for].replace(b"MARK", bytes(mark))
    monkeypatch.setattr(planetoid, "SHA256", {"cora": small.sums()})
    small.write(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match=f"asks for {asked_for},"):
        load("cora", root=tmp_path, fallback="synthetic")
    assert not mark.exists()


def test_the_hostile_pickle_would_have_run(tmp_path):
    mark = tmp_path / "mark"
    pickle.loads(HOSTILE["os.system"].replace(b"MARK", bytes(mark)))
    assert mark.exists()


def test_nothing_is_opened_before_its_checksum_matches(small, tmp_path, monkeypatch):
    folder = small.write(tmp_path)
    (folder / "ind.cora.test.index").write_text("not the index")
    opened = []
    monkeypatch.setattr(planetoid, "_unpickle", opened.append)
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="test.index .* is damaged"):
        load("cora")
    assert opened == []


# Arguments, and row_normalize


def test_unknown_name_and_fallback():
    with pytest.raises(ValueError, match="'Cora'; choose one of cora, citeseer, pubm"):
        load("Cora")
    with pytest.raises(ValueError, match='None or "synthetic", got True'):
        load("cora", fallback=True)


def test_row_normalize_dense_and_sparse():
    rng = np.random.default_rng(0)
    x = rng.random((30, 8)) * (rng.random((30, 8)) < 0.3)
    x[4] = 0
    sums = x.sum(1)
    expected = np.array([row / s if s else row for row, s in zip(x, sums, strict=True)])
    dense = torch.from_numpy(x)
    assert torch.allclose(row_normalize(dense), torch.from_numpy(expected))
    sparse = row_normalize(dense.to_sparse_csr())
    assert sparse.layout == torch.sparse_csr
    assert torch.allclose(sparse.to_dense(), torch.from_numpy(expected))


@pytest.mark.parametrize("make", [np.array, pd.DataFrame, sp.csr_matrix, sp.coo_array])
def test_row_normalize_takes_what_a_graph_takes(make):
    x = row_normalize(make([[1.0, 3.0], [0.0, 0.0], [2.0, 0.0]]))
    assert x.dtype == torch.float32
    assert x.to_dense().tolist() == [[0.25, 0.75], [0, 0], [1, 0]]


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_row_normalize_refuses(wrong, layout):
    x = torch.tensor([[1.0, 0.0], [wrong, 3.0]])
    with pytest.raises(ValueError, match="finite numbers, none of them negative"):
        row_normalize(x if layout == "dense" else x.to_sparse_csr())
