"""Molecules with a number for each atom (chapter 7)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from gat_course.chemistry import import_rdkit
from gat_course.plotting import look
from gat_course.plotting.values import checked

# How far the lines of a bond lie from its middle, in units of a bond's length.
_LINES = {"DOUBLE": (-0.07, 0.07), "TRIPLE": (-0.12, 0, 0.12)}


def molecules(
    smiles: Sequence[str],
    weights: Sequence[Any],
    *,
    title: str,
    captions: Sequence[str] | None = None,
    name: str | None = None,
    value_label: str = r"weight $\beta_i$, times the number of atoms",
) -> np.ndarray:
    r"""Draw molecules, with the size and colour of a disc behind each atom.

    A disc's area is the weight times the number of atoms: 1 for all atoms of a
    uniform readout. Atoms other than carbon carry their letters, and the bonds of an
    aromatic ring are drawn single and double in turn, as chemists do it.

    Args:
        smiles: at most six molecules.
        weights: for each molecule one number per atom, at least 0, in RDKit's order,
            that of `molecule`.
        title: what to look at.
        captions: below each molecule.
        name: the data's name, put in front of the title.
        value_label: what the discs show, for the colour bar.

    Returns:
        The axes, one for each molecule. An atom's disc has `get_gid()` `"atom i"`.

    Raises:
        ImportError: RDKit is not installed.
        TypeError: `smiles` is one string.
        ValueError: RDKit cannot read one, weights or captions do not fit, or there are
            too many molecules.

    >>> plotting.molecules(["CCO"], [[0.2, 0.2, 0.6]], title="alcohol")
    array([<Axes: ...>], dtype=object)
    """
    chem = import_rdkit()
    from rdkit.Chem.rdDepictor import Compute2DCoords

    if isinstance(smiles, str):
        raise TypeError(f"smiles must be a list of SMILES, not the string {smiles!r}")
    if not 0 < len(smiles) <= 6 or len(weights) != len(smiles):
        raise ValueError(
            f"one to six molecules, and weights for each: got {len(smiles)} and "
            f"{len(weights)}"
        )
    if captions is not None and len(captions) != len(smiles):
        raise ValueError(
            f"captions must be one for each of {len(smiles)} molecules, got "
            f"{len(captions)}"
        )
    drawn = []
    for text, own in zip(smiles, weights, strict=True):
        found = chem.MolFromSmiles(text)
        if found is None or not found.GetNumAtoms():
            raise ValueError(f"RDKit reads no molecule in {text!r}")
        atoms = found.GetNumAtoms()
        own = checked(own, f"weights of {text}", (atoms,), low=0).clip(0) * atoms
        chem.Kekulize(found, clearAromaticFlags=True)
        Compute2DCoords(found)
        drawn.append((found, own))
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    norm = look.norm(np.concatenate([own for _, own in drawn]))
    with look.style():
        grid = look.panels(2.3 * rows + 0.9, rows, columns, width=6.4).ravel()
        for panel in grid[len(drawn) :]:
            panel.remove()
        grid = grid[: len(drawn)]
        for number, (panel, (found, own)) in enumerate(zip(grid, drawn, strict=True)):
            _draw(panel, found, own, norm)
            if captions is not None:
                panel.set_xlabel(captions[number], fontsize=10)
        look.heading(grid[0].figure, title, name)
        below = {"location": "bottom", "shrink": 0.6, "aspect": 40, "pad": 0.04}
        look.colour_bar(list(grid), norm, value_label, **below)
    return grid


def _draw(panel: Axes, found: Any, weights: np.ndarray, norm: Any) -> None:
    places = found.GetConformer().GetPositions()[:, :2]
    centre = (places.max(axis=0) + places.min(axis=0)) / 2
    places = places - centre
    reach = max(np.abs(places).max(), 2.2) + 0.9
    look.bare(panel, xlim=(-reach, reach), ylim=(-reach, reach))
    for bond in found.GetBonds():
        a, b = (places[i] for i in (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        side = np.array([-(b - a)[1], (b - a)[0]])
        for shift in _LINES.get(str(bond.GetBondType()), (0,)):
            panel.plot(*(np.array([a, b]) + shift * side).T, c=look.INK, lw=1.3)
    for i, (place, weight) in enumerate(zip(places, weights, strict=True)):
        symbol = found.GetAtomWithIdx(i).GetSymbol()
        letter = symbol if symbol != "C" or len(places) == 1 else ""
        if letter:  # the bonds, which lie at 2, end short of it
            blank = {"facecolor": "white", "edgecolor": "none", "zorder": 2.05}
            panel.add_patch(Circle(place, 0.3, **blank))
        # A weight of 1 has a radius of a third of a bond.
        radius, colour = 0.4 * weight**0.5, look.WEIGHT_MAP(norm(weight))
        circle = Circle(place, radius, gid=f"atom {i}", fc=colour, ec="none")
        circle.set_zorder(2.1 if letter else 0.9)
        panel.add_patch(circle)
        if letter:
            ink = look.text_on(colour) if radius > 0.28 else look.INK
            look.write(panel, place, letter, fontsize=10, color=ink)
