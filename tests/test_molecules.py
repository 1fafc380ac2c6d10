"""Molecules as graphs, ESOL's file in every condition, and the made-up molecules."""

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from server import serving

from gat_course import DatasetUnavailable, chemistry, load_esol, synthetic_molecules
from gat_course.datasets import molecules

HEAD = (
    "Compound ID,ESOL predicted log solubility in mols per litre,"
    "measured log solubility in mols per litre,smiles\n"
)
SMILES = ["OCC", "CCO", "c1ccccc1", "Cc1ccccc1", "C#N", "[Na+].[Cl-]", "C", "CC", "CCC"]
SMILES += ["CCCC", "CCCCC", "CCN", "CCCl", "CCBr", "C1CCCCC1", "CC(=O)O", "OO", "N"]
SMILES += ["CCF", "CCS", "c1ccncc1"]


@pytest.fixture
def rdkit():
    return pytest.importorskip("rdkit")


@pytest.fixture
def folder(rdkit, tmp_path, monkeypatch):
    """A folder with a file in ESOL's form, whose sum is the known one."""
    rows = "".join(f"x,0.0,{-i / 10},{s} \n" for i, s in enumerate(SMILES))
    (tmp_path / "esol").mkdir()
    path = tmp_path / "esol" / molecules.FILE
    path.write_text(HEAD + rows)
    known = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(molecules, "SHA256", {molecules.FILE: known})
    monkeypatch.setenv("GAT_COURSE_DATA", str(tmp_path))
    return tmp_path


def columns(names, values):
    return {n: v for n, v in zip(names, values.tolist(), strict=True) if v}


def test_a_molecule_is_its_atoms_and_bonds(rdkit):
    graph = chemistry.molecule("C#N")
    assert [columns(chemistry.ATOM_COLUMNS, row) for row in graph.x] == [
        {"C": 1, "hydrogens": 1},
        {"N": 1},
    ]
    assert graph.num_edges == 2
    assert columns(chemistry.BOND_COLUMNS, graph.edge_attr[0]) == {"TRIPLE": 1}
    benzene = chemistry.molecule("c1ccccc1")
    atom = {"C": 1, "hydrogens": 1, "aromatic": 1, "in a ring": 1}
    assert columns(chemistry.ATOM_COLUMNS, benzene.x[0]) == atom
    bond = {"AROMATIC": 1, "conjugated": 1, "in a ring": 1}
    assert columns(chemistry.BOND_COLUMNS, benzene.edge_attr[0]) == bond
    assert benzene.in_degrees.tolist() == [2] * 6
    ions = chemistry.molecule("[Na+].[Cl-]")
    assert ions.num_edges == 0 and ions.x[:, 10].tolist() == [1, -1]
    assert columns(chemistry.ATOM_COLUMNS, ions.x[0]) == {"other": 1, "charge": 1}


def test_each_bond_has_the_same_features_in_both_directions(rdkit):
    graph = chemistry.molecule("CC(=O)Oc1ccccc1C(=O)O")  # aspirin
    seen = {}
    for src, dst, attr in zip(
        graph.src.tolist(), graph.dst.tolist(), graph.edge_attr, strict=True
    ):
        pair = tuple(sorted((src, dst)))
        assert torch.equal(seen.setdefault(pair, attr), attr)
    assert len(seen) * 2 == graph.num_edges


@pytest.mark.parametrize("text", ["", "C(", "no molecule", None, 7])
def test_what_is_no_molecule_is_refused(text, rdkit):
    with pytest.raises(ValueError, match="RDKit reads no molecule in"):
        chemistry.molecule(text)


@pytest.mark.parametrize("split", molecules.SPLITS)
def test_a_file_in_esols_form(folder, split):
    data = load_esol(split=split)
    assert data.name == f"ESOL, {split} split"
    assert [graph.name for graph in data.graphs] == SMILES
    expected = -torch.arange(len(SMILES)) / 10
    torch.testing.assert_close(data.y, expected)
    held = round(0.1 * len(SMILES))
    assert len(data.val) == len(data.test) == held
    parts = [data.train, data.val, data.test]
    assert sorted(torch.cat(parts).tolist()) == list(range(len(SMILES)))


def test_one_molecule_written_twice_is_in_one_part(folder):
    assert chemistry.canonical(["OCC", "CCO"])[0] == "CCO"
    for seed in range(20):
        data = load_esol(seed=seed)
        where = [i for i, part in enumerate(_parts(data)) if {0, 1} & part]
        assert len(where) == 1
    assert _parts(load_esol(seed=1)) != _parts(load_esol(seed=2))


def _parts(data):
    return [set(part.tolist()) for part in (data.train, data.val, data.test)]


def test_a_scaffold_is_in_one_part(folder):
    data = load_esol(split="scaffold")
    keys = chemistry.scaffolds(SMILES)
    assert keys[2] == keys[3] == "c1ccccc1" and keys[0] == ""
    for key in set(keys):
        members = {i for i, k in enumerate(keys) if k == key}
        assert sum(bool(members & part) for part in _parts(data)) == 1


def test_groups_are_dealt_whole_and_sizes_kept():
    for seed in range(30):
        random = np.random.default_rng(seed)
        keys = [str(k) for k in random.integers(0, 25, size=60)]
        dealt = molecules.parts(keys, 0.2, None if seed % 2 else seed)
        assert sorted(sum(dealt, [])) == list(range(60))
        assert all(len(part) <= 12 for part in dealt[1:])
        groups = [{keys[i] for i in part} for part in dealt]
        assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]


def test_from_a_server_and_then_from_the_cache(folder, tmp_path, monkeypatch):
    content = (folder / "esol" / molecules.FILE).read_bytes()
    monkeypatch.delenv("GAT_COURSE_DATA")
    with serving({molecules.FILE: content}) as server:
        mirrors = server.mirror("corrupts"), server.mirror("good")
        monkeypatch.setattr(molecules, "MIRRORS", mirrors)
        first = load_esol(root=tmp_path / "cache")
        asked = len(server.requests)
        again = load_esol(root=tmp_path / "cache")
        assert asked == len(server.requests) == 2
    assert torch.equal(first.y, again.y)


def test_without_file_and_network(tmp_path, monkeypatch):
    monkeypatch.delenv("GAT_COURSE_DATA", raising=False)
    monkeypatch.setattr(molecules, "MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(DatasetUnavailable, match="ESOL cannot be had"):
        load_esol(root=tmp_path)
    with pytest.warns(UserWarning, match="USING SYNTHETIC MOLECULES IN PLACE OF ESOL"):
        data = load_esol(root=tmp_path, fallback="synthetic")
    assert data.name == "synthetic stand-in for ESOL"
    with pytest.raises(ValueError, match="split must be one of random, scaffold"):
        load_esol(split="time")


def test_without_rdkit(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(ImportError, match="pip install rdkit"):
        chemistry.molecule("C")


def test_made_up_answers_follow_the_rule():
    data = synthetic_molecules(num_graphs=20, seed=3)
    for graph, y in zip(data.graphs, data.y, strict=True):
        value, double = graph.x[:, 4], graph.edge_attr[:, 1] == 1
        means = []
        for i in range(graph.num_nodes):
            sources = graph.src[(graph.dst == i) & double].tolist()
            means.append(float(value[[i, *sources]].mean()) * float(value[i]))
        assert float(y) == pytest.approx(sum(means) / len(means), abs=1e-5)
        assert graph.num_edges == 2 * (graph.num_nodes - 1)
    same = synthetic_molecules(num_graphs=20, seed=3)
    assert torch.equal(same.y, data.y)
    assert not torch.equal(synthetic_molecules(num_graphs=20).y, data.y)
    with pytest.raises(ValueError, match="num_graphs must be at least 10"):
        synthetic_molecules(num_graphs=5)


DATA = Path(os.environ.get("GAT_COURSE_DATA", "nowhere"))


@pytest.mark.skipif(
    not (DATA / "esol" / molecules.FILE).exists(),
    reason=f"GAT_COURSE_DATA has no esol/{molecules.FILE}",
)
def test_esol_itself(rdkit):
    """Counts of the file, and the mean that MoleculeNet's readers know."""
    data = load_esol()
    assert len(data.graphs) == len(data.y) == 1_128
    assert sum(graph.num_nodes for graph in data.graphs) == 14_991
    assert float(data.y.mean()) == pytest.approx(-3.0501, abs=1e-4)
    keys = chemistry.canonical([graph.name for graph in data.graphs])
    assert len(set(keys)) == 1_117
    for part in _parts(data):
        others = {keys[i] for i in range(1_128) if i not in part}
        assert not others & {keys[i] for i in part}
