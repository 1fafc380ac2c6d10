"""PROTEINS, D&D and COLLAB: the form of the file, every fault of it, the split."""

import hashlib
import os
from pathlib import Path

import pytest
import torch

from gat_course import DatasetUnavailable, load_tu, split_by_size
from gat_course.datasets import tu

TEXT = "3\n2 5\n0 1 1\n2 1 0\n1 7\n2 0\n3 5\n0 2 0 1\n1 2 0 2\n1 1 1\n"


def test_a_text_is_read():
    pack = tu.read_tu(TEXT, "three")
    assert pack.sizes.tolist() == [2, 1, 3]
    assert pack.y.tolist() == [0, 1, 0]
    assert pack.graph.x.argmax(dim=1).tolist() == [0, 2, 2, 0, 1, 1]
    third = pack.take([2]).graph  # the self-loop is left out
    ends = set(zip(third.src.tolist(), third.dst.tolist(), strict=True))
    assert ends == {(1, 0), (0, 1), (2, 1), (1, 2)}


def test_without_kinds_the_degree_is_the_feature():
    pack = tu.read_tu("1\n3 0\n0 2 1 2\n0 1 0\n0 1 0", "star")
    assert pack.graph.x.tolist() == [[0, 1], [1, 0], [1, 0]]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "begin with the number"),
        ("2\n1 0\n0 0", "graph 1: the text ends"),
        ("1\n2 0\n0 1 1", "node 1 of graph 0: the text ends"),
        ("1\n2 0\n0 1 2\n0 0", "node 0 of graph 0 has a neighbour outside"),
        ("1\n2 0\n0 -1\n0 0", "node 0 of graph 0: the text ends"),
        ("1\n1 0\nx 0", "more than numbers"),
        ("1\n1 0\n0 0\n5 5", "2 numbers follow the last graph"),
        ("1\n0 0", "graph 0 has 0 nodes"),
        ("1\n2 0\n0 1 1\n0 0", "a neighbour that does not list it"),
    ],
)
def test_a_text_of_another_form_is_refused(text, match):
    with pytest.raises(ValueError, match=match):
        tu.read_tu(text, "bad")


def test_the_file_is_found_and_checked(tmp_path, monkeypatch):
    (tmp_path / "tu").mkdir()
    path = tmp_path / "tu" / "DD.txt"
    path.write_text(TEXT)
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="damaged"):
        load_tu("DD")
    sums = {"DD": hashlib.sha256(path.read_bytes()).hexdigest()}
    monkeypatch.setattr(tu, "SHA256", sums)
    assert load_tu("DD").name == "DD"
    with pytest.raises(ValueError, match="name must be one of DD"):
        load_tu("ENZYMES")


def test_without_a_file_a_stand_in_says_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(tu, "MIRROR", "http://127.0.0.1:9/")
    with pytest.raises(DatasetUnavailable, match="PROTEINS"):
        load_tu("PROTEINS", root=tmp_path)
    with pytest.warns(UserWarning, match="IN PLACE OF PROTEINS"):
        pack = load_tu("PROTEINS", root=tmp_path, fallback="synthetic")
    assert pack.name == "synthetic stand-in for PROTEINS"
    assert pack.num_classes == 2


def test_the_split_trains_on_small_graphs_alone():
    pack = tu.synthetic_tu("PROTEINS")
    train, test = split_by_size(pack, 25, 40, seed=3)
    assert len(train) == 40 and len(train) + len(test) == len(pack)
    assert train.sizes.max() <= 25 < test.sizes.max()
    again, _ = split_by_size(pack, 25, 40, seed=3)
    torch.testing.assert_close(train.graph.x, again.graph.x)
    small = int((pack.sizes <= 25).sum())
    for number in (0, small + 1):
        with pytest.raises(ValueError, match=f"from 1 to {small}"):
            split_by_size(pack, 25, number)


@pytest.mark.parametrize(
    ("name", "graphs", "nodes", "links"),
    [("PROTEINS", 1113, 43_471, 81_044), ("DD", 1178, 334_925, 843_046)],
)
def test_the_data_themselves(name, graphs, nodes, links):
    folder = Path(os.environ.get("GAT_COURSE_DATA", "nowhere"))
    if not (folder / "tu" / f"{name}.txt").exists():
        pytest.skip(f"GAT_COURSE_DATA has no {name}")
    pack = load_tu(name)
    assert (len(pack), pack.graph.num_nodes) == (graphs, nodes)
    assert pack.graph.num_edges == 2 * links
