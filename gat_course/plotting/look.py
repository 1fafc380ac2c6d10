"""The look of every figure: colours, canvas, titles, legends (all chapters)."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import colors as mcolors
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
LINE_COLOURS = ("#0281dd", "#c0360a", "#005c3c", "#b8860b", "#700055", "#595959")
# Viridis from yellow-green (light weights, still visible on white) to dark violet.
WEIGHT_MAP = mcolors.ListedColormap(
    plt.get_cmap("viridis")(np.linspace(0.82, 0.0, 256)), name="gat_course_weights"
)
# The same from pale grey, for nodes of which green would say that they are green.
PALE_MAP = mcolors.LinearSegmentedColormap.from_list(
    "gat_course_pale", ["#e4e4ea", WEIGHT_MAP(0.5), WEIGHT_MAP(1.0)]
)
INK = "#1a1a1a"
GREY = "#595959"
PALE = "#d9d9d9"
PLAIN_NODE = "#e6e6e6"
BAR = "#56a6dc"
WHITE_BOX = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
WIDTH = 6.0  # inches
STYLE = {
    "figure.dpi": 130,
    "savefig.dpi": "figure",
    "figure.facecolor": "#ffffff",
    "savefig.facecolor": "#ffffff",
    "axes.facecolor": "#ffffff",
    "axes.edgecolor": GREY,
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
    "grid.color": PALE,
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

    The functions that draw do so themselves. Use it where you make the figure:
    `with plotting.style(): fig, axes = plt.subplots(1, 2, layout="constrained")`.

    >>> from matplotlib import pyplot as plt
    >>> with plotting.style():
    ...     figure, axes = plt.subplots(1, 2, layout="constrained")
    """
    # Only these keys are put back: a notebook's backend switches "interactive" on when
    # the first figure is made, and must find it on afterwards.
    before = {key: plt.rcParams[key] for key in STYLE}
    plt.rcParams.update(STYLE)
    try:
        yield
    finally:
        plt.rcParams.update(before)


@contextmanager
def canvas(ax: Axes | None, height: float, width: float = WIDTH) -> Iterator[Axes]:
    """The course's style and an axes to draw into, of that size in inches if new."""
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"ax must be one matplotlib Axes, got {type(ax).__name__}")
    given = ax
    with style():
        ax = given or panels(height, width=width)[0, 0]
        try:
            yield ax
        except Exception:
            if given is None:  # nobody sees a figure that is not finished
                plt.close(ax.figure)
            raise


def panels(
    height: float, rows: int = 1, columns: int = 1, width: float = WIDTH, **share: Any
) -> np.ndarray:
    """The axes `[rows, columns]` of a new figure of that size in inches."""
    share |= {"figsize": (width, height), "layout": "constrained", "squeeze": False}
    return plt.subplots(rows, columns, **share)[1]


def bare(ax: Axes, **limits: Any) -> None:
    """One scale for both directions, no frame and no ticks."""
    ax.set(xticks=[], yticks=[], aspect="equal", **limits)
    ax.spines[:].set_visible(False)


def wrapped(text: str, name: str | None, letters: int) -> str:
    """A title with the graph's name in front, in lines of that many letters."""
    return textwrap.fill(f"{name}: {text}" if name else text, letters)


def title(ax: Axes, text: str, name: str | None = None) -> None:
    """A left-aligned title, wrapped to the axes."""
    inches = ax.get_window_extent().width / ax.figure.dpi  # before the layout
    ax.set_title(wrapped(text, name, max(16, int(10 * inches))), loc="left")


def heading(figure: Figure, text: str, name: str | None, left: float = 0.02) -> None:
    """A title of the whole figure, as `title` of one axes."""
    paint = {"fontsize": STYLE["axes.titlesize"], "fontweight": "bold"}
    figure.suptitle(wrapped(text, name, 54), x=left, ha="left", **paint)


def panel_title(panel: Axes, text: str, size: float = 11) -> None:
    """What is special to one panel of a figure."""
    panel.set_title(text, loc="left", fontsize=size, fontweight="normal")


def write(ax: Axes, place: Any, text: str, offset: Any = (0, 0), **paint: Any) -> None:
    """Centre a text on a place in data coordinates, moved by `offset` points."""
    centred = {"ha": "center", "va": "center", "zorder": 5, "annotation_clip": False}
    paint = {"fontsize": 11} | centred | paint
    ax.annotate(text, place, xytext=offset, textcoords="offset points", **paint)


def legend(ax: Axes, handles: Sequence[Any], columns: int) -> None:
    """A legend below the axes and its label."""
    lines = ax.get_xlabel().count("\n") + 1 if ax.get_xlabel() else 0
    pad = 1.7 * lines + (1.5 if len(ax.get_xticks()) else 0.3)  # in letters' heights
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "borderaxespad": pad}
    gaps = {"handletextpad": 0.5, "columnspacing": 1.2}
    ax.legend(handles=handles, ncol=columns, **place, **gaps)


def norm(numbers: np.ndarray) -> mcolors.Normalize:
    """Colours from 0 (or the least number, if negative) to the largest."""
    low = numbers.min(initial=0.0)
    high = numbers.max(initial=low)
    return mcolors.Normalize(low, high if high > low else low + 1)


def text_on(colour: Any) -> str:
    """Black or white, whichever reads better on the colour."""
    luminance = np.power(mcolors.to_rgb(colour), 2.2) @ (0.2126, 0.7152, 0.0722)
    return "#000000" if luminance > 0.21 else "#ffffff"


def of_class(label: int) -> tuple[str, str]:
    """Colour and marker of a class; no two of the first 64 classes look the same."""
    return CLASS_COLOURS[label % 8], CLASS_MARKERS[(label + label // 8) % 8]


def of_line(number: int) -> tuple[str, str]:
    """Colour and marker of one line among several."""
    return LINE_COLOURS[number % 6], CLASS_MARKERS[number % 8]


def colour_bar(
    ax: Axes | list[Axes],
    norm: mcolors.Normalize,
    label: str,
    cmap: mcolors.Colormap = WEIGHT_MAP,
    **place: Any,
) -> Any:
    """A bar beside the axes, or for several: which weight has which colour."""
    colours = ScalarMappable(norm, cmap)
    figure = (ax[0] if isinstance(ax, list) else ax).figure
    place = {"shrink": 0.8, "aspect": 22, "pad": 0.03} | place
    bar = figure.colorbar(colours, ax=ax, **place)
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(5)
    return bar
