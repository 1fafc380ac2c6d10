"""The look of every figure: colours, canvas, titles, legends (all chapters)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colors as mcolors
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Eight hues close to Okabe and Ito's, on evenly spaced lightness (L* 24 to 89), in an
# order that puts at least 25 between one class and the next. Any two stay apart
# under deuteranopia, protanopia and tritanopia (tests/test_plotting.py).
CLASS_COLOURS = (
    "#0281dd",  # blue, L* 53
    "#feb86d",  # peach, 80
    "#700055",  # purple, 24
    "#10bcef",  # sky, 71
    "#c0360a",  # vermilion, 44
    "#f0e446",  # yellow, 89
    "#005c3c",  # green, 34
    "#ff5b85",  # pink, 62
)
CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

INK = "#1a1a1a"
_GREY = "#595959"
_PALE = "#d9d9d9"
_PLAIN_NODE = "#e6e6e6"
_BAR = "#56a6dc"
_WIDTH = 6.0  # inches
_STYLE = {
    "figure.dpi": 130,
    "savefig.dpi": "figure",
    "figure.facecolor": "#ffffff",
    "savefig.facecolor": "#ffffff",
    "axes.facecolor": "#ffffff",
    "axes.edgecolor": _GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 12,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "grid.color": _PALE,
    "grid.linewidth": 0.8,
    "hatch.color": "#8c8c8c",
    "hatch.linewidth": 0.8,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
}


@contextmanager
def style() -> Iterator[None]:
    """Use the course's look inside a `with` block, and only there.

    The functions of this module do so themselves. Use it where you make the figure:
    `with plotting.style(): fig, axes = plt.subplots(1, 2, layout="constrained")`.
    """
    # Only these keys are put back: a notebook's backend switches "interactive" on when
    # the first figure is made, and must find it on afterwards.
    before = {key: plt.rcParams[key] for key in _STYLE}
    plt.rcParams.update(_STYLE)
    try:
        yield
    finally:
        plt.rcParams.update(before)


# Viridis from yellow-green (light weights, still visible on white) to dark violet.
WEIGHT_MAP = mcolors.ListedColormap(
    plt.get_cmap("viridis")(np.linspace(0.82, 0.0, 256)), name="gat_course_weights"
)
_LINE_COLOURS = ("#0281dd", "#c0360a", "#005c3c", "#b8860b", "#700055", "#595959")
_PAPER = "#8a2605"  # published numbers
_GAP = {"color": "white", "linewidth": 1.5}  # between the cells of a matrix
_HALO = [patheffects.withStroke(linewidth=3, foreground="white")]
_WHITE_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


@contextmanager
def _canvas(ax: Axes | None, height: float, width: float = _WIDTH) -> Iterator[Axes]:
    """The course's style and an axes to draw into, of that size in inches if new."""
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be one matplotlib Axes, got {type(ax).__name__}")
    with style():
        if ax is None:
            _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        yield ax


def _bare(ax: Axes) -> None:
    """One scale for both directions, no frame and no ticks."""
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)


def _named(title: str, name: str | None, width: int) -> str:
    return textwrap.fill(f"{name}: {title}" if name else title, width)


def _title(ax: Axes, title: str, name: str | None = None) -> None:
    """A left-aligned title, the graph's name in front, wrapped to the axes."""
    inches = ax.get_window_extent().width / ax.figure.dpi  # before the layout
    ax.set_title(_named(title, name, max(16, int(10 * inches))), loc="left")


def _heading(figure: Figure, title: str, name: str | None) -> None:
    """A title of the whole figure, as `_title` of one panel."""
    look = {"fontsize": _STYLE["axes.titlesize"], "fontweight": "bold"}
    figure.suptitle(_named(title, name, 54), x=0.02, ha="left", **look)


def _stack(titles: Iterable[str]) -> tuple[Figure, np.ndarray]:
    """A figure with one low panel for each title, one below the other."""
    titles = list(titles)
    size = (_WIDTH, 1.4 + 1.75 * len(titles))
    figure = plt.figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0]
    for panel, title in zip(panels, titles, strict=True):
        panel.set_title(title, loc="left", fontsize=11, fontweight="normal")
        panel.grid(axis="y")
    return figure, panels


def _write(ax: Axes, place: Any, text: str, offset: Any = (0, 0), **look: Any) -> None:
    """Centre a text on a place in data coordinates, moved by `offset` points."""
    centred = {"ha": "center", "va": "center", "zorder": 5, "annotation_clip": False}
    look = {"fontsize": 11} | centred | look
    ax.annotate(text, place, xytext=offset, textcoords="offset points", **look)


def _legend(ax: Axes, handles: Sequence[Any], columns: int) -> None:
    """A legend below the axes and its label."""
    lines = ax.get_xlabel().count("\n") + 1 if ax.get_xlabel() else 0
    ticks = 1.5 if len(ax.get_xticks()) else 0.3
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        borderaxespad=ticks + 1.7 * lines,  # in letters' heights
        ncol=columns,
        handletextpad=0.5,
        columnspacing=1.2,
    )


def _norm(values: np.ndarray) -> mcolors.Normalize:
    """Colours from 0 (or the least value, if negative) to the largest value."""
    if values.size == 0:
        return mcolors.Normalize(0, 1)
    low, high = min(0.0, float(values.min())), float(values.max())
    return mcolors.Normalize(low, high if high > low else low + 1)


def _text_on(colour: Any) -> str:
    """Black or white, whichever reads better on the colour."""
    luminance = np.power(mcolors.to_rgb(colour), 2.2) @ (0.2126, 0.7152, 0.0722)
    return "#000000" if luminance > 0.21 else "#ffffff"


def _class_look(label: int) -> tuple[str, str]:
    """Colour and marker of a class; no two of the first 64 classes look the same."""
    marker = CLASS_MARKERS[(label + label // 8) % 8]
    return CLASS_COLOURS[label % 8], marker


def _colour_bar(ax: Axes, norm: mcolors.Normalize, label: str) -> Any:
    bar = ax.figure.colorbar(
        ScalarMappable(norm, WEIGHT_MAP), ax=ax, shrink=0.8, aspect=22, pad=0.03
    )
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(5)
    return bar
