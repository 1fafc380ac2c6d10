"""Molecules as graphs, read by RDKit (chapter 7)."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import torch

from gat_course.graph import GraphData

ELEMENTS = ("C", "O", "N", "Cl", "S", "F", "Br", "P", "I")
BONDS = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
ATOM_COLUMNS = (*ELEMENTS, "other", "charge", "hydrogens", "aromatic", "in a ring")
BOND_COLUMNS = (*BONDS, "conjugated", "in a ring")


def import_rdkit() -> ModuleType:
    """RDKit's `Chem`, which turns SMILES into atoms and bonds.

    Raises:
        ImportError: it is not installed; the message says how to get it.
    """
    try:
        from rdkit import Chem
    except ImportError as error:
        raise ImportError(
            f"molecules need RDKit: pip install rdkit, or 'gat-course[molecules]' "
            f"({error})"
        ) from error
    return Chem


def molecule(smiles: str) -> GraphData:
    """A molecule as a graph: atoms are nodes, a bond is an edge in each direction.

    Hydrogens are not nodes; each atom says how many it has.

    Args:
        smiles: the molecule in SMILES notation.

    Returns:
        A graph named by its SMILES, with `x` `[N, 14]`, the columns `ATOM_COLUMNS`, and
        `edge_attr` `[E, 6]`, `BOND_COLUMNS`; no self-loops.

    Raises:
        ImportError: RDKit is not installed.
        ValueError: RDKit cannot read it, or it has no atom.

    >>> from gat_course.chemistry import molecule
    >>> molecule("CCO")  # alcohol
    GraphData('CCO', 3 nodes, 4 edges of 6 features, 14 features)
    """
    chem = import_rdkit()
    found = chem.MolFromSmiles(smiles) if isinstance(smiles, str) else None
    if found is None or not found.GetNumAtoms():
        raise ValueError(f"RDKit reads no molecule in {smiles!r}")
    x = torch.zeros(found.GetNumAtoms(), len(ATOM_COLUMNS))
    place = {element: column for column, element in enumerate(ELEMENTS)}
    for i, atom in enumerate(found.GetAtoms()):
        x[i, place.get(atom.GetSymbol(), len(ELEMENTS))] = 1
        x[i, len(ELEMENTS) + 1 :] = torch.tensor(
            [
                atom.GetFormalCharge(),
                atom.GetTotalNumHs(),
                atom.GetIsAromatic(),
                atom.IsInRing(),
            ]
        )
    bonds = list(found.GetBonds())
    attr = torch.zeros(len(bonds), len(BOND_COLUMNS))
    for i, bond in enumerate(bonds):
        kind = str(bond.GetBondType())
        if kind in BONDS:
            attr[i, BONDS.index(kind)] = 1
        attr[i, len(BONDS) :] = torch.tensor([bond.GetIsConjugated(), bond.IsInRing()])
    return GraphData.from_edges(
        [bond.GetBeginAtomIdx() for bond in bonds],
        [bond.GetEndAtomIdx() for bond in bonds],
        len(x),
        undirected=True,
        x=x,
        edge_attr=attr,
        name=smiles,
    )


def canonical(smiles: Sequence[str]) -> list[str]:
    """One and the same SMILES for one and the same molecule."""
    chem = import_rdkit()
    return [chem.MolToSmiles(chem.MolFromSmiles(text)) for text in smiles]


def scaffolds(smiles: Sequence[str]) -> list[str]:
    """The Murcko scaffold of each molecule, as SMILES; empty without a ring."""
    import_rdkit()
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    return [MurckoScaffoldSmiles(text) for text in smiles]
