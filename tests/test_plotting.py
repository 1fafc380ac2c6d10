"""What is drawn equals the data, is legible, and leaves matplotlib as it was."""

import math
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
import torch
from matplotlib.colors import same_color, to_rgb
from matplotlib.patches import FancyArrowPatch, Rectangle
from scipy import stats

from gat_course import diagrams, plotting
from gat_course.graph import GraphData
from gat_course.plotting import look
from gat_course.plotting.values import plain
from gat_course.training.history import Curves


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    """No function may open a window."""

    def show(*_, **__):
        raise AssertionError("plt.show() was called")

    monkeypatch.setattr(plt, "show", show)


def star(leaves: int, *, loop: bool = True, **fields) -> GraphData:
    """Node 0 listens to nodes 1 to `leaves`, and to itself."""
    src = list(range(0 if loop else 1, leaves + 1))
    return GraphData.from_edges(
        src, [0] * len(src), leaves + 1, name="demo graph", **fields
    )


FIVE = GraphData.from_edges(
    [0, 0, 1, 2, 3],
    [1, 2, 2, 3, 4],
    5,
    undirected=True,
    y=torch.tensor([0, 1, 2, 0, 1]),
    name="demo graph",
).with_self_loops()
HISTORY = SimpleNamespace(
    train_loss=[2.0, 1.5, 1.2, 1.0],
    val_loss=[2.0, 1.6, 1.4, 1.5],
    val_accuracy=[14.0, 55.0, 80.0, 79.0],
    best_epoch=2,
)


F1_HISTORY = SimpleNamespace(
    train_loss=[0.7, 0.4, 0.3], val_loss=[0.7, 0.5, 0.4], val_f1=[0.3, 0.6, 0.7]
)
F1_HISTORY.best_epoch = 2
RELATIVE = {
    "layer 1": torch.rand(50, 6, generator=torch.Generator().manual_seed(0)),
    "the mean": torch.tensor([[0.1], [0.2], [float("nan")], [1.0]]),
}
WEIGHTS = {
    f"layer {layer}": (np.logspace(-4, 2, 40), np.arange(40) > 25) for layer in (1, 2)
}
RESULTS = {"GAT": [82.0, 83.5, 84.0], "MLP": torch.tensor([55.0])}
PUBLISHED = {"GAT": (83.0, 0.7), "MLP": (55.1, None)}


def uniform_alpha(graph: GraphData, heads: int = 2) -> torch.Tensor:
    return (1 / graph.in_degrees[graph.dst])[:, None].repeat(1, heads)


LIMIT = FIVE.in_degrees.float().log()
ALPHA = uniform_alpha(FIVE)
KARATE = GraphData.from_networkx(
    nx.karate_club_graph(), name="demo graph", drop=["club", "weight"]
).with_self_loops()
FULL = GraphData.from_edges(
    [*range(8)] * 3, [0] * 8 + [6] * 8 + [7] * 8, name="demo graph"
)
HUB = star(168, y=torch.arange(169) % 7)
SIX = star(5)
CROWD = star(12, y=torch.arange(13) % 7)
MODELS = {model: [HISTORY, HISTORY] for model in ("GAT", "GCN", "MLP")}
LABELS = [f"{value:.2f}" for value in ALPHA[:, 0]]
POINTS = [[0.0, 0], [1, 5], [2, 1], [4, 4], [5, 2]]
NAME = {"name": "demo graph"}
SIZES = [100, 200, 500, 1000, 20_000]
COSTS = {
    "dense": [0.5, 1.4, 8, 30, None],
    "edge list": [0.4, 0.5, float("nan"), 1.3, 20],
    "not run": [None] * 5,
}
SLOPES = {"slopes": {"N²": 2, "N": 1}}
LABELLED = {"xlabel": "nodes N", "ylabel": "time (ms)", "title": "which one grows?"}
SCORES = {
    "GAT": {"seen": [[0.2, 0.6, 0.8], [0.4, 0.6]], "hidden": [[0.2, 0.3, 0.4]]},
    "MLP": {"seen": [[0.1, 0.2, 0.3]]},
}
TITLED = {"title": "seen is higher", "ylabel": "micro-F1"}
AGAINST = {"GAT": {4: [25, 30, 28], 20: [5, 6]}, "GATv2": {4: [100], 20: [99, 100]}}
AXES = {"xlabel": "keys", "ylabel": "accuracy (%)", "title": "which one answers?"}
SMILES = {"CCO": [0.2, 0.3, 0.5], "O=C=O": [0, 0, 1], "c1ccccc1": [1 / 6] * 6}
# Every function, on small and on crowded data; the first six can draw into axes.
FIGURES = {
    "graph": lambda **k: plotting.draw_graph(
        FIVE, FIVE.y, edge_values=ALPHA[:, 0], **k
    ),
    "matrix": lambda **k: plotting.attention_matrix(
        torch.rand(5, 5), "rows", mask=FIVE.dense_adjacency() > 0, **NAME, **k
    ),
    "neighbourhood": lambda **k: plotting.attention_neighbourhood(FIVE, ALPHA, 2, **k),
    "scaling": lambda **k: plotting.scaling(
        COSTS, SIZES, **LABELLED, **SLOPES, **NAME, **k
    ),
    "against": lambda **k: plotting.against(
        AGAINST, guide={4: 25, 20: 5}, **AXES, **NAME, **k
    ),
    "mailboxes": lambda **k: diagrams.mailboxes(FIVE, torch.randn(15, 4), **k),
    "labelled edges": lambda: plotting.draw_graph(FIVE, edge_labels=LABELS),
    "karate club": lambda: plotting.draw_graph(
        KARATE, edge_values=uniform_alpha(KARATE)[:, 0]
    ),
    "large matrix": lambda: plotting.attention_matrix(torch.rand(34, 34), "t", **NAME),
    "twelve sources": lambda: plotting.attention_neighbourhood(
        CROWD, uniform_alpha(CROWD), 0
    ),
    "degrees": lambda: plotting.degree_histogram(FIVE),
    "hub": lambda: plotting.degree_histogram(HUB),
    "entropy": lambda: plotting.entropy_histogram(LIMIT[:, None], LIMIT, **NAME),
    "eight heads": lambda: plotting.entropy_histogram(
        LIMIT[:, None].repeat(1, 8), LIMIT, **NAME
    ),
    "relative": lambda: plotting.relative_entropy_histogram(RELATIVE, **NAME)[0],
    "weights": lambda: plotting.weight_histogram(WEIGHTS, **NAME)[0],
    "F1 curves": lambda: plotting.learning_curves(F1_HISTORY, **NAME)[1],
    "curves": lambda: plotting.learning_curves(HISTORY, **NAME)[0],
    "three models": lambda: plotting.learning_curves(MODELS, **NAME)[0],
    "score curves": lambda: plotting.score_curves(SCORES, **TITLED, **NAME),
    "embedding": lambda: plotting.embedding(POINTS, FIVE.y, **NAME),
    "accuracy": lambda: plotting.accuracy_comparison(RESULTS, PUBLISHED, **NAME),
    "three sizes": lambda: plotting.scaling(
        {"one": [1.0, 1.1, 1.2]}, [100, 200, 400], slopes={"N": 1}, **LABELLED, **NAME
    ),
    "subgraph": lambda: plotting.draw_graph(
        CROWD, CROWD.y, edge_values=uniform_alpha(CROWD)[:, 0], target=0
    ),
    "hundred seeds": lambda: plotting.accuracy_comparison(
        {model: np.linspace(78, 84, 100) for model in ("GAT", "GCN")},
        {"GAT": (83.0, 0.7)},
        **NAME,
    ),
    "depths": lambda: plotting.against(
        {f"model {m}": {2**d: [m, m + d] for d in range(1, 6)} for m in range(6)},
        log=True,
        **AXES,
        **NAME,
    ),
    "molecules": lambda: plotting.molecules(
        list(SMILES), list(SMILES.values()), title="which atom?", **NAME
    )[0],
    "six molecules": lambda: plotting.molecules(
        ["C", "CN(C)C=O", "C#N", "CCCCCCCCCCCC", "c1ccc2ccccc2c1", "[Na+].[Cl-]"],
        [np.full(n, 1 / n) for n in (1, 5, 2, 12, 10, 2)],
        title="how do they differ?",
        captions=[f"molecule {n}, −{n}.00" for n in range(6)],
        **NAME,
    )[0],
    "score": lambda: diagrams.score(FIVE, POINTS, [1, 0], [1, -0.5], 2, 1),
    "crowded score": lambda: diagrams.score(
        SIX, -torch.rand(6, 3) - 1, [-1.23] * 3, [-2.34] * 3, 0, 4, negative_slope=0
    ),
    "heads": lambda: diagrams.head_strands(FIVE, uniform_alpha(FIVE, 3), 2),
    "crowded heads": lambda: diagrams.head_strands(
        SIX, uniform_alpha(SIX, 4), 0, merge="mean"
    ),
    "unrolled": lambda: diagrams.unrolled(replace(FIVE, x=torch.rand(5, 2)), 2),
    "unrolled thrice": lambda: diagrams.unrolled(KARATE, 11, 3),
    "crowded mailboxes": lambda: diagrams.mailboxes(FULL, 10 * torch.randn(24, 4)),
    "products": lambda: diagrams.sparse_products(FIVE)[0],
    "crowded products": lambda: diagrams.sparse_products(FULL, target=7)[1],
}


# --- every figure ---------------------------------------------------------------


@pytest.mark.parametrize("kind", FIGURES)
def test_settings_are_untouched_and_the_title_names_the_graph(kind):
    before = dict(plt.rcParams)
    figure = FIGURES[kind]().figure
    assert dict(plt.rcParams) == before
    texts = " ".join(text.get_text() for text in visible_texts(figure))
    assert "demo graph: " in texts
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("kind", list(FIGURES)[:6])
def test_draws_into_the_axes_it_is_given(kind):
    figure, ax = plt.subplots(figsize=(6, 6))
    assert FIGURES[kind](ax=ax) is ax
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("kind", FIGURES)
def test_background_is_white_under_a_dark_style(kind):
    with plt.style.context("dark_background"):
        ax = FIGURES[kind]()
    assert same_color(ax.figure.get_facecolor(), "white")
    for text in visible_texts(ax.figure):
        on_nodes_and_cells = text.axes.texts if text.axes else []
        if text not in on_nodes_and_cells or kind == "accuracy":
            assert luminance(text.get_color()) < 0.2, text.get_text()


@pytest.mark.parametrize("kind", FIGURES)
def test_no_text_is_cut_off_or_hides_another(kind):
    figure = FIGURES[kind]().figure
    figure.canvas.draw()
    inside = figure.bbox.padded(1)
    boxes = [(t, t.get_window_extent()) for t in visible_texts(figure)]
    boxes = [(t, box) for t, box in boxes if box.width > 1]  # shared axes' labels
    assert len(boxes) >= 3
    for text, box in boxes:
        assert inside.containsx(box.x0) and inside.containsx(box.x1), text
        assert inside.containsy(box.y0) and inside.containsy(box.y1), text
        # At 360 pixels for the figure's 6 inches, letters still have 8 pixels.
        assert text.get_fontsize() * 360 / (72 * 6) >= 8, text
    for (a, box_a), (b, box_b) in combinations(boxes, 2):
        assert not box_a.padded(-1).overlaps(box_b.padded(-1)), (a, b)


def visible_texts(figure):
    """Every text that a reader sees."""
    figure.canvas.draw()
    found = []
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text().strip() and text.get_visible():
            found.append(text)
    shown = []
    for ax in figure.axes:  # ticks outside the limits exist but are not drawn
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                low, high = sorted(limits)
                hidden = not low - 1e-9 <= tick.get_loc() <= high + 1e-9
                for label in (tick.label1, tick.label2):
                    if hidden or not axis.get_visible():
                        shown.append(label)
    return [text for text in found if text not in shown]


def test_importing_changes_no_setting():
    code = (
        "import matplotlib; matplotlib.use('Agg'); import matplotlib.pyplot as plt\n"
        "before = dict(plt.rcParams)\n"
        "import gat_course.plotting\n"
        "assert dict(plt.rcParams) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_style_reaches_only_its_block():
    before = plt.rcParams["font.size"], plt.rcParams["figure.dpi"]
    with plotting.style():
        assert plt.rcParams["figure.dpi"] == 130
    assert (plt.rcParams["font.size"], plt.rcParams["figure.dpi"]) == before


# --- colours --------------------------------------------------------------------


def luminance(colour) -> float:
    c = np.array(to_rgb(colour))
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def lightness(colour) -> float:
    """CIE L*, 0 to 100."""
    return 116 * np.cbrt(luminance(colour)) - 16


# Machado, Oliveira, Fernandes 2009: what a dichromat sees, on linear RGB.
SIGHT = {
    "normal": "1 0 0  0 1 0  0 0 1",
    "deuteranopia": "0.367 0.861 -0.228  0.280 0.673 0.047  -0.012 0.043 0.969",
    "protanopia": "0.152 1.053 -0.205  0.115 0.786 0.099  -0.004 -0.048 1.052",
    "tritanopia": "1.256 -0.077 -0.179  -0.078 0.931 0.148  0.005 0.691 0.304",
}
TO_XYZ = "0.4125 0.3576 0.1804  0.2127 0.7152 0.0722  0.0193 0.1192 0.9503"


def numbers(matrix):
    return np.array(matrix.split(), dtype=float).reshape(3, 3)


def lab(colours, sight):
    c = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ numbers(sight).T, 0, 1) @ numbers(TO_XYZ).T
    f = np.cbrt(xyz / (0.95047, 1, 1.08883))
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


@pytest.mark.parametrize("sight", SIGHT)
def test_classes_and_weights_differ_to_everyone(sight):
    seen = lab(plotting.CLASS_COLOURS, SIGHT[sight])
    for (i, a), (j, b) in combinations(enumerate(seen), 2):
        assert np.linalg.norm(a - b) > 15, (i, j)  # 2.3 is just noticeable
    # Heavier weights are darker, and the lightest still shows on white.
    shades = lab(plotting.WEIGHT_MAP(np.linspace(0, 1, 20)), SIGHT[sight])[:, 0]
    assert (np.diff(shades) < 0).all() and shades[0] < 85


def test_classes_differ_in_grey_and_in_marker():
    grey = [lightness(colour) for colour in plotting.CLASS_COLOURS]
    assert np.diff(sorted(grey)).min() > 7
    assert np.abs(np.diff(grey)).min() > 25  # one class to the next
    assert len(set(plotting.CLASS_MARKERS)) == len(plotting.CLASS_MARKERS) == 8


def test_text_on_every_weight_reads_well():
    weights = np.linspace(0, 1, 100).reshape(10, 10)
    ax = plotting.attention_matrix(weights, "all weights")
    assert len(ax.texts) == 100
    for text, weight in zip(ax.texts, weights.ravel(), strict=True):
        ground, ink = (
            luminance(plotting.WEIGHT_MAP(weight)),
            luminance(text.get_color()),
        )
        dark, light = sorted([ground, ink])
        assert (light + 0.05) / (dark + 0.05) > 3.8, weight


# --- draw_graph -----------------------------------------------------------------


def arrows(ax) -> dict[int, FancyArrowPatch]:
    return {
        int(patch.get_gid().removeprefix("edge ")): patch
        for patch in ax.patches
        if isinstance(patch, FancyArrowPatch)
    }


def test_arrows_run_from_source_to_target():
    graph = GraphData.from_edges([0, 1, 2], [1, 2, 0], name="cycle")
    pos = {0: (0, 0), 1: (4, 0), 2: (2, 3)}
    ax = plotting.draw_graph(graph, pos=pos)
    ax.figure.canvas.draw()
    for e, arrow in arrows(ax).items():
        source, target = (pos[int(nodes[e])] for nodes in (graph.src, graph.dst))
        # Three corners are the shaft, from its beginning, three the head.
        corners = arrow.get_path().vertices[:6]
        to_source, to_target = (
            np.linalg.norm(corners - place, axis=1) for place in (source, target)
        )
        assert to_source[0] < to_target[0]
        assert (to_target[3:] < to_source[3:]).all() and to_target.min() > 0.05
    assert len(arrows(ax)) == 3


def test_heavier_edges_are_wider_and_darker():
    weights = np.array([0.05, 0.3, 0.1, 0.0, 0.4, 0.15])
    ax = plotting.draw_graph(star(6, loop=False), edge_values=weights)
    shown = [arrows(ax)[e] for e in range(6)]
    shade = [luminance(arrow.get_facecolor()) for arrow in shown]
    width = [arrow.get_linewidth() for arrow in shown]
    assert np.argsort(shade).tolist() == np.argsort(-weights).tolist()
    assert np.argsort(width).tolist() == np.argsort(weights).tolist()
    assert len(ax.figure.axes) == 2  # a colour bar


def test_a_target_is_marked_and_self_loops_of_a_large_graph_are_rings():
    weights = np.linspace(0.01, 1, 13)
    ax = plotting.draw_graph(CROWD, CROWD.y, edge_values=weights, target=0)
    sizes = {c.get_gid(): c.get_sizes()[0] for c in ax.collections if c.get_gid()}
    (loop,) = np.flatnonzero(CROWD.src == CROWD.dst)
    assert set(sizes) == {"target", f"edge {loop}"} and len(arrows(ax)) == 12
    nodes = [c for c in ax.collections if not c.get_gid()]
    others = np.concatenate([c.get_sizes() for c in nodes])
    assert sizes["target"] == others.max() > 2 * np.median(others)
    assert sizes[f"edge {loop}"] > sizes["target"]
    ring = next(c for c in ax.collections if c.get_gid() == f"edge {loop}")
    share = weights[loop] / weights.max()
    assert same_color(ring.get_edgecolor()[0], plotting.WEIGHT_MAP(share))
    assert ax.get_xlabel() == "large: the target, ring: the weight on itself"
    assert not ax.texts  # the ids of a part say nothing
    few = plotting.draw_graph(FIVE, target=2)
    assert [t.get_text() for t in few.texts] == list("01234") and not few.get_xlabel()


def test_the_colour_bar_says_what_the_weights_are():
    ax = plotting.draw_graph(FIVE, edge_values=ALPHA[:, 0], value_label="over uniform")
    assert ax.figure.axes[1].get_ylabel() == "over uniform"


def test_edges_there_and_back_do_not_cover_each_other():
    graph = GraphData.from_edges([0, 1], [1, 0], name="pair")
    ax = plotting.draw_graph(graph, pos=[[0, 0], [1, 0]], edge_labels=["a", "b"])
    ax.figure.canvas.draw()
    one, two = (arrows(ax)[e].get_path().vertices[1, 1] for e in (0, 1))
    places = {t.get_text(): t.xy for t in ax.texts}
    # graph.src is 1, 0 after sorting by target: "a" belongs to 1 -> 0.
    assert one * two < 0 and places["a"][1] * one > 0 and places["b"][1] * two > 0


def test_edge_labels_stand_on_their_edges():
    graph = GraphData.from_edges([0, 1, 2], [1, 2, 2], name="path")
    pos = np.array([[0.0, 0], [2, 0], [4, 1]])
    ax = plotting.draw_graph(graph, pos=pos, edge_labels=["p", "q", "loop"])
    places = {t.get_text(): t.xy for t in ax.texts}
    np.testing.assert_allclose(places["p"], [1, 0])
    np.testing.assert_allclose(places["q"], [3, 0.5])
    np.testing.assert_allclose(places["loop"], pos[2])  # and moved off the node


def test_a_large_graph_is_drawn_with_lines_and_without_ids():
    nodes = list(range(99))
    ax = plotting.draw_graph(GraphData.from_edges(nodes[:-1], nodes[1:], name="path"))
    lines = [c for c in ax.collections if hasattr(c, "get_segments")]
    assert not ax.texts and not arrows(ax)
    assert [len(c.get_segments()) for c in lines] == [98]
    assert sorted(t.get_text() for t in plotting.draw_graph(FIVE).texts) == list(
        "01234"
    )


def test_ids_read_well_on_every_class():
    graph = GraphData(num_nodes=8, src=[], dst=[], name="eight classes")
    ax = plotting.draw_graph(graph, np.arange(8))
    for text, colour in zip(ax.texts, plotting.CLASS_COLOURS, strict=True):
        dark, light = sorted([luminance(text.get_color()), luminance(colour)])
        assert (light + 0.05) / (dark + 0.05) > 3.8, colour


def test_the_layout_is_the_same_at_every_call_and_keeps_nodes_apart():
    places = []
    for _ in range(2):
        ax = plotting.draw_graph(KARATE)
        places.append(np.array([t.xy for t in ax.texts]))
    np.testing.assert_array_equal(*places)
    ax.figure.canvas.draw()
    points = ax.transData.transform(places[0]) * 72 / ax.figure.dpi
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    size = ax.collections[-1].get_sizes()[0] ** 0.5  # a node's diameter in points
    assert apart[~np.eye(34, dtype=bool)].min() > 0.9 * size


@pytest.mark.parametrize(
    ("graph", "count"),
    [
        (GraphData(num_nodes=1, src=[], dst=[], name="one"), 1),
        (GraphData(num_nodes=13, src=[], dst=[], name="no edges"), 13),
        (GraphData.from_edges([0, 0], [1, 1], name="twice"), 2),
    ],
)
def test_odd_graphs(graph, count):
    ax = plotting.draw_graph(graph)
    ax.figure.canvas.draw()
    assert len(ax.texts) == count


# --- attention ------------------------------------------------------------------


def test_matrix_shows_its_numbers_and_tells_zero_from_no_edge():
    scores = torch.tensor([[0.0, 0.25], [-torch.inf, 1.0], [torch.nan, -0.004]])
    ax = plotting.attention_matrix(scores, "scores")
    shown = ax.images[0].get_array()
    np.testing.assert_array_equal(shown.mask, [[0, 0], [1, 0], [1, 0]])
    np.testing.assert_array_equal(
        shown.compressed(), scores[scores.isfinite()].numpy().astype(float)
    )
    numbers = {t.xy: t.get_text() for t in ax.texts}
    assert numbers == {(0, 0): "0.00", (1, 0): "0.25", (1, 1): "1.00", (1, 2): "0.00"}
    assert ax.patch.get_hatch() and "no edge" in ax.get_xlabel()
    assert len(ax.figure.axes) == 1  # the numbers stand for the colour bar


def test_a_large_matrix_has_a_colour_bar_instead_of_numbers():
    ax = plotting.attention_matrix(np.random.default_rng(0).random((30, 30)), "large")
    assert not ax.texts and len(ax.figure.axes) == 2


def spokes(ax):
    (lines,) = [c for c in ax.collections if c.get_gid() == "edges"]
    return lines


def test_neighbourhood_width_shade_and_clock_follow_the_weights():
    graph = star(7, y=torch.arange(8) % 3)
    alpha = torch.tensor([0.2, 0.05, 0.3, 0.1, 0.02, 0.15, 0.08, 0.1])[:, None]
    ax = plotting.attention_neighbourhood(graph, alpha, 0)
    lines, weights = spokes(ax), np.sort(alpha[1:, 0].numpy())[::-1]
    widths = lines.get_linewidths()
    shade = np.array([luminance(c) for c in lines.get_colors()])
    assert (np.diff(widths) <= 0).all() and widths[0] > 3 * widths[-1]
    assert (np.diff(shade) >= 0).all() and shade[0] < shade[-1]
    starts = np.array([segment[0] for segment in lines.get_segments()])
    np.testing.assert_allclose(starts[0], [0, 1], atol=1e-9)  # twelve o'clock
    clock = (np.pi / 2 - np.arctan2(starts[:, 1], starts[:, 0]) + 1e-9) % (2 * np.pi)
    assert (np.diff(clock) > 0).all()
    # Each weight stands on the line of its own source.
    at = {t.get_text(): np.array(t.xy) for t in ax.texts}
    for j, weight in ((2, "0.300"), (5, "0.150"), (4, "0.020")):
        assert at[str(j)] @ at[weight] > 0.98 * np.prod(
            [np.linalg.norm(at[text]) for text in (str(j), weight)]
        )
    assert {f"{w:.3f}" for w in weights} | {str(j) for j in range(8)} == set(at)
    assert "weight 0.2" in ax.get_xlabel()


def test_neighbourhood_calls_no_weight_0_or_1_that_is_neither():
    graph = star(2)
    alpha = torch.tensor([[0.0002], [0.9998], [0.0]])  # itself, 1, 2
    ax = plotting.attention_neighbourhood(graph, alpha, 0)
    assert {">0.999", "0.000"} <= {t.get_text() for t in ax.texts}
    assert "weight <0.001" in ax.get_xlabel()


def test_neighbourhood_takes_one_head_or_the_mean():
    graph = star(2, loop=False)
    alpha = torch.tensor([[0.9, 0.3], [0.1, 0.7]])
    for head, which, wanted in (
        (0, "head 0", ["1", "0.900", "2", "0.100"]),
        (1, "head 1", ["2", "0.700", "1", "0.300"]),
        (None, "mean over heads", ["1", "0.600", "2", "0.400"]),
    ):
        ax = plotting.attention_neighbourhood(graph, alpha, 0, head)
        assert [t.get_text() for t in ax.texts] == ["0", *wanted]
        assert which in ax.get_title(loc="left").replace("\n", " ")


def test_neighbourhood_marks_the_uniform_weight():
    graph = star(7)
    ax = plotting.attention_neighbourhood(graph, uniform_alpha(graph), 0)
    bar = ax.figure.axes[1]
    ticks = dict(zip(bar.get_yticks(), bar.get_yticklabels(), strict=True))
    assert ticks[1 / 8].get_text() == "uniform\n1/8"
    assert len({tuple(c) for c in spokes(ax).get_colors()}) == 1
    assert any(c.get_gid() == "self-loop" for c in ax.collections)
    plain = star(7, loop=False)
    ax = plotting.attention_neighbourhood(plain, uniform_alpha(plain), 0)
    assert not any(c.get_gid() == "self-loop" for c in ax.collections)


def heights(ax) -> list[float]:
    return [p.get_height() for p in ax.patches if isinstance(p, Rectangle)]


def test_entropy_bars_count_every_node_once():
    rng = np.random.default_rng(0)
    limit = np.log(rng.integers(1, 30, 200))
    entropy = torch.tensor(limit[:, None] * rng.random((200, 3)))
    ax = plotting.entropy_histogram(entropy, limit)
    bars = heights(ax)[:24]
    edges = [p.get_x() for p in ax.patches[:24]] + [limit.max() * 1.0001]
    np.testing.assert_array_equal(bars, np.histogram(limit, edges)[0])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    for k, line in enumerate(ax.patches[24:]):
        drawn = line.get_xy()[1:-1:2, 1]
        np.testing.assert_array_equal(drawn, np.histogram(entropy[:, k], edges)[0])
        share = 100 * entropy[:, k].mean() / limit.mean()
        assert f"head {k}: {share:.1f} %" in labels
    assert len(labels) == 4


def test_uniform_attention_is_the_outline_of_its_heap():
    limit = FIVE.in_degrees.float().log()
    ax = plotting.entropy_histogram(limit[:, None], limit)
    drawn = ax.patches[24].get_xy()[1:-1:2, 1]
    assert list(drawn) == heights(ax)[:24]
    assert "100.0 %" in ax.get_legend().get_texts()[1].get_text()


def test_relative_entropy_lines_are_the_shares_of_the_nodes():
    panels = plotting.relative_entropy_histogram(RELATIVE)
    for panel, values in zip(panels, RELATIVE.values(), strict=True):
        assert len(panel.patches) == values.shape[1]
        for k, line in enumerate(panel.patches):
            known = values[~values[:, k].isnan(), k]
            shares = np.histogram(known, np.linspace(0, 1.0001, 26))[0] / len(known)
            drawn = line.get_xy()[1:-1:2, 1]
            np.testing.assert_allclose(drawn, 100 * shares, atol=1e-9)
        assert list(panel.lines[0].get_xdata()) == [1, 1]  # uniform
    assert panels[1].get_title(loc="left") == "the mean: mean 0.43"


def test_heaps_of_weights_hold_every_edge_of_their_kind_once():
    for panel in plotting.weight_histogram(WEIGHTS):
        noise, relevant = np.split(np.array(heights(panel)), 2)
        assert noise.sum() == pytest.approx(100) and relevant.sum() == pytest.approx(
            100
        )
        edges = np.logspace(-3, np.log10(30), 41)
        weights, matters = WEIGHTS["layer 1"]
        for drawn, part in ((noise, ~matters), (relevant, matters)):
            inside = np.clip(weights[part], edges[0], edges[-1])
            shares = np.histogram(inside, edges)[0] / part.sum()
            np.testing.assert_allclose(drawn, 100 * shares, atol=1e-9)


# --- data and results -----------------------------------------------------------


def test_degree_bars_count_every_node_once():
    src = [0] * 9 + [1, 2, 3, 4, 5]
    graph = GraphData.from_edges(
        [*range(1, 10), 0, 0, 1, 2, 3], src, 12, name="degrees"
    )
    ax = plotting.degree_histogram(graph)
    labels = [t.get_text() for t in ax.get_xticklabels()]
    counts = dict(zip(labels, heights(ax), strict=True))
    # In-degrees: node 0 has 9, nodes 1 to 5 have 1, six nodes have none.
    assert counts == {"0": 6, "1": 5, "2–3": 0, "4–7": 0, "8–15": 1}
    assert sum(counts.values()) == graph.num_nodes
    assert "at most 0 sources" in ax.get_title(loc="left").replace("\n", " ")


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 7, 8, 255, 256])
def test_a_degree_falls_into_the_bar_that_names_it(degree):
    ax = plotting.degree_histogram(star(degree, loop=False))
    labels = [t.get_text().replace("\n", "") for t in ax.get_xticklabels()]
    ends = [int(end) for end in labels[-1].split("–")]
    assert ends[0] <= degree <= ends[-1]
    assert heights(ax)[-1] == 1 and sum(heights(ax)) == degree + 1


def test_curves_are_the_history():
    loss, accuracy = plotting.learning_curves(HISTORY)
    lines = {line.get_label(): line.get_ydata() for line in loss.lines}
    np.testing.assert_array_equal(lines["train_loss"], HISTORY.train_loss)
    np.testing.assert_array_equal(lines["val_loss"], HISTORY.val_loss)
    np.testing.assert_array_equal(accuracy.lines[0].get_ydata(), HISTORY.val_accuracy)
    for ax in (loss, accuracy):
        assert list(ax.lines[-1].get_xdata()) == [HISTORY.best_epoch] * 2


def test_curves_of_micro_f1():
    _, score = plotting.learning_curves(F1_HISTORY)
    np.testing.assert_array_equal(score.lines[0].get_ydata(), F1_HISTORY.val_f1)
    assert score.get_ylabel() == "validation\nmicro-F1"


def test_several_runs_are_their_mean_while_half_of_them_train():
    short, middle, long = (
        SimpleNamespace(
            train_loss=[start] * epochs,
            val_loss=[start] * epochs,
            val_accuracy=[10.0 * start] * epochs,
            best_epoch=epochs - 1,
        )
        for start, epochs in ((1.0, 3), (2.0, 5), (6.0, 9))
    )
    loss, _ = plotting.learning_curves({"GAT": [short, middle, long]})
    (mean,) = [x for x in loss.lines if x.get_label() == "GAT val_loss"]
    np.testing.assert_allclose(mean.get_ydata(), [3, 3, 3, 4, 4])
    band = loss.collections[1].get_paths()[0].vertices
    for epoch, mean, spread in ((0, 3, np.std([1, 2, 6])), (4, 4, np.std([2, 6]))):
        there = band[band[:, 0] == epoch, 1]
        assert there.min() == pytest.approx(mean - spread)
        assert there.max() == pytest.approx(mean + spread)
    assert list(loss.lines[-1].get_xdata()) == [4, 4]  # the median best epoch


def test_models_differ_in_marker_and_appear_in_the_legend():
    _, accuracy = plotting.learning_curves({"GAT": HISTORY, "GCN": HISTORY})
    legend = [t.get_text() for t in accuracy.get_legend().get_texts()]
    models = ["GAT: best epoch 2", "GCN: best epoch 2"]
    assert legend == ["training", "validation", *models]
    assert accuracy.lines[0].get_marker() != accuracy.lines[2].get_marker()


def test_embedding_shows_every_point_in_its_class():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 2)), rng.integers(0, 4, 60)
    ax = plotting.embedding(points, torch.tensor(labels), list("abcd"))
    assert len(ax.collections) == 4
    for label, dots in enumerate(ax.collections):
        np.testing.assert_array_equal(dots.get_offsets(), points[labels == label])
        assert same_color(dots.get_facecolor()[0], plotting.CLASS_COLOURS[label])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == list("abcd")


def test_accuracies_means_and_published_numbers_are_where_they_belong():
    ax = plotting.accuracy_comparison(RESULTS, PUBLISHED)
    lines = {line.get_gid(): line for line in ax.lines if line.get_gid()}
    np.testing.assert_array_equal(lines["seeds GAT"].get_xdata(), RESULTS["GAT"])
    mean, std = np.mean(RESULTS["GAT"]), np.std(RESULTS["GAT"], ddof=1)
    bars = [bar.lines for bar in ax.containers]
    middles = [data.get_xdata()[0] for data, _, _ in bars]
    np.testing.assert_allclose(middles, [mean, 83.0, 55.0, 55.1])
    ends = [line.get_segments()[0][:, 0] for _, _, (line,) in bars[:2]]
    np.testing.assert_allclose(ends, [[mean - std, mean + std], [82.3, 83.7]])
    texts = [t.get_text() for t in ax.texts]
    assert texts == ["83.2 ± 1.0", "83.0 ± 0.7", "55.0", "55.1"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["GAT", "MLP"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is on top
    assert ax.get_title(loc="left") == "test accuracy over 1 to 3 seeds"


def test_from_twenty_runs_on_the_interval_of_the_mean_is_drawn():
    rng = np.random.default_rng(0)
    runs = {"GAT": rng.normal(82, 0.7, 100), "GCN": rng.normal(81, 0.7, 20)}
    ax = plotting.accuracy_comparison(runs)
    lines = {line.get_gid(): line for line in ax.lines}
    for model, values in runs.items():
        test = stats.ttest_1samp(values, 0).confidence_interval()
        np.testing.assert_allclose(lines[f"mean {model}"].get_xdata(), list(test))
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["one seed", "mean ± std", "mean, 95 % interval"]
    few = plotting.accuracy_comparison(runs | {"MLP": values[:19]})
    assert not [g for line in few.lines if (g := line.get_gid() or "")[:4] == "mean"]


def scaling(results=COSTS, x=SIZES, **options):
    return plotting.scaling(results, x, **LABELLED, **options)


def curves(ax) -> dict:
    return {line.get_gid(): line for line in ax.lines}


def test_costs_are_drawn_where_they_were_measured():
    ax = scaling(**NAME)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    for label, costs in COSTS.items():
        np.testing.assert_array_equal(curves(ax)[label].get_xdata(), SIZES)
        wanted = [np.nan if cost is None else cost for cost in costs]
        np.testing.assert_array_equal(curves(ax)[label].get_ydata(), wanted)
    looks = [(line.get_color(), line.get_marker()) for line in ax.lines]
    assert len({c for c, _ in looks}) == len({m for _, m in looks}) == 3
    legend = ax.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == list(COSTS)
    ax.figure.canvas.draw()
    assert not legend.get_window_extent().overlaps(ax.get_window_extent())


def test_panels_can_share_one_legend():
    figure, panels = plt.subplots(1, 2)
    other = {label: COSTS["dense"] for label in COSTS}
    one, two = (
        curves(scaling(costs, legend=False, ax=ax))
        for costs, ax in zip((COSTS, other), panels, strict=True)
    )
    for label in COSTS:
        assert one[label].get_color() == two[label].get_color()
        assert one[label].get_marker() == two[label].get_marker()
    assert not any(ax.get_legend() for ax in panels)


@pytest.mark.parametrize("exponents", [{"N²": 2, "N": 1}, {"flat": 0}, {"1/N": -1}])
def test_slopes_are_slopes_and_stay_below_the_costs(exponents):
    ax = scaling(slopes=exponents)
    lines = {k: np.log(v.get_xydata()) for k, v in curves(ax).items()}
    for text, exponent in exponents.items():
        (x0, y0), (x1, y1) = line = lines[f"slope {text}"]
        assert (y1 - y0) / (x1 - x0) == pytest.approx(exponent)
        for label in ("dense", "edge list"):
            costs = lines[label][~np.isnan(lines[label][:, 1])]
            x = np.linspace(x0, min(x1, costs[-1, 0]), 100)
            assert (np.interp(x, *line.T) < np.interp(x, *costs.T)).all(), label
        (note,) = [t for t in ax.texts if t.get_text() == text]
        np.testing.assert_allclose(np.log(note.xy), line[1])


def ticks(axis) -> list[str]:
    axis.figure.canvas.draw()
    low, high = axis.get_view_interval()
    labels = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [t.get_text() for place, t in labels if low <= place <= high]


def test_ticks_are_plain_numbers():
    ax = scaling()
    assert ticks(ax.xaxis) == ["100", "1,000", "10,000"]
    assert ticks(ax.yaxis) == ["1", "10"]
    ax = scaling({"GAT": [3.0, 3.1]}, [2.5, 1000])
    assert ticks(ax.xaxis) == ["2.5", "1,000"] and ticks(ax.yaxis) == ["1", "2", "5"]
    ax = scaling({"GAT": [3e-5, 2e-4]}, [1, 2])
    assert ticks(ax.yaxis) == [r"$5 \cdot 10^{-5}$", "0.0001", "0.0002"]
    ax = scaling({"GAT": [3e6, 2e7]}, [1, 2])
    assert ticks(ax.yaxis) == ["5,000,000", "$10^{7}$", r"$2 \cdot 10^{7}$"]
    assert plain(0.000_099_999_999_999_999) == "0.0001"  # Matplotlib 3.7 asks for this


# --- refusals -------------------------------------------------------------------

graph, matrix = plotting.draw_graph, plotting.attention_matrix
around, entropy = plotting.attention_neighbourhood, plotting.entropy_histogram
accuracy = plotting.accuracy_comparison
relative, heaps = plotting.relative_entropy_histogram, plotting.weight_histogram
NAN = [float("nan")] * 15


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: graph(FIVE, [0, 1]), r"labels must have shape \[5\], got \[2\]"),
        (lambda: graph(FIVE, [0, 1, -1, 0, 0]), "labels.*-1"),
        (lambda: graph(FIVE, np.ones(5)), "labels must be integers"),
        (lambda: graph(FIVE, FIVE.y, class_names=["a", "b"]), "class 2 has no name"),
        (lambda: graph(FIVE, pos={0: (0, 0)}), "no position for node 1"),
        (lambda: graph(FIVE, pos=np.zeros((5, 3))), r"pos must have shape \[5, 2\]"),
        (lambda: graph(FIVE, edge_values=-np.ones(15)), "edge_values must be .* 0"),
        (lambda: graph(FIVE, edge_values=NAN), "15 values that are NaN"),
        (lambda: graph(FIVE, edge_labels=["a"]), "needs 15 texts, got 1"),
        (lambda: graph(FIVE, target=5), "target must be 0 to 4, got 5"),
        (lambda: matrix(ALPHA[0], "t"), r"matrix must have shape \[N, M\], got \[2\]"),
        (lambda: matrix([[np.nan]], "t"), "no edge to show"),
        (lambda: matrix([[np.inf]], "t"), "infinite"),
        (lambda: matrix(np.eye(2), "t", mask=np.ones((3, 3))), r"mask.*\[2, 2\]"),
        (lambda: around(FIVE, ALPHA[1:], 0), r"with_self_loops.*\[15, K\].*\[14, 2\]"),
        (lambda: around(FIVE, 3 * ALPHA, 0), "alpha.*between 0 and 1"),
        (lambda: around(FIVE, ALPHA, 5), "node must be 0 to 4, got 5"),
        (lambda: around(FIVE, ALPHA, 0, head=2), "head must be 0 to 1, got 2"),
        (lambda: around(star(2), torch.ones(3, 1) / 3, 1), "1 has no incoming edge"),
        (lambda: entropy(ALPHA, LIMIT), r"uniform must have shape \[15\], got \[5\]"),
        (lambda: entropy(2 * LIMIT[:, None], LIMIT), "exceeds"),
        (lambda: entropy(-LIMIT[:, None], LIMIT), "entropy must be between 0"),
        (lambda: plotting.learning_curves([]), "no history"),
        (
            lambda: plotting.learning_curves({"a": HISTORY, "b": F1_HISTORY}),
            "some histories hold one kind of score and others another",
        ),
        (lambda: relative({}), "relative is empty"),
        (lambda: relative({"a": np.ones(3)}), r"\['a'\] must be \[N, K\].*got \[3\]"),
        (lambda: relative({"a": np.ones((3, 7))}), r"at most 6 heads, got \[3, 7\]"),
        (lambda: relative({"a": np.full((3, 1), 1.1)}), "numbers from 0 to 1"),
        (lambda: relative({"a": np.full((3, 1), np.nan)}), "no value but NaN"),
        (lambda: relative({"a": [[0.5, np.nan]]}), "a head of .*no value but NaN"),
        (lambda: heaps({}), "panels is empty"),
        (lambda: heaps({"a": ([1.0], [True])}), "some True and some False"),
        (lambda: heaps({"a": ([1.0, 2], [1.0, 0])}), "a bool for each of its 2 edges"),
        (lambda: heaps({"a": ([1.0, 2], [True])}), "a bool for each of its 2 edges"),
        (lambda: heaps({"a": ([-1.0, 2], [True, False])}), "weights of 'a'"),
        (lambda: plotting.embedding(np.zeros((4, 3)), [0] * 4), r"points.*\[N, 2\]"),
        (lambda: accuracy({}), "results is empty"),
        (lambda: accuracy({"GAT": []}), r"results\['GAT'\].*\[seeds\], got \[0\]"),
        (lambda: accuracy({"GAT": [0.83]}), "multiply fractions by 100"),
        (lambda: accuracy({"GAT": [183.0]}), "between 0 and 100"),
        (lambda: accuracy({"GAT": [83.0]}, {"GCN": (81.5, None)}), "results has GAT"),
        (lambda: scaling({"GAT": [1]}, [1, 2]), r"results\['GAT'\].*\[2\], got \[1\]"),
        (lambda: scaling({"GAT": [1, 0]}, [1, 2]), "positive and finite.*got 0;.*None"),
        (lambda: scaling({"GAT": [np.inf]}, [1]), "positive and finite.*got inf"),
        (lambda: scaling({}, [1]), "no measurement"),
        (lambda: scaling({"GAT": [1, 2]}, [2, 1]), r"ascending, got \[2.0, 1.0\]"),
        (lambda: scaling({"GAT": [1, 2]}, [0, 1]), "x must be positive"),
    ],
)
def test_refusals_say_what_was_wrong(call, message):
    with pytest.raises((ValueError, IndexError), match=message):
        call()
    assert not plt.get_fignums()


def test_ax_must_be_one_axes():
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes, got str"):
        graph(FIVE, ax="here")


def test_the_style_leaves_alone_what_a_notebooks_backend_sets():
    # The first figure of a notebook switches interactive mode on, inside the style;
    # switched off again, no later figure would be shown.
    with plt.rc_context({"interactive": False}):
        with plotting.style():
            plt.ion()
        assert plt.isinteractive()


def test_costs_that_were_not_measured_are_named_in_the_picture():
    ax = scaling({"GAT": [None, math.nan]}, [1, 10], slopes={"N²": 2})
    assert "not measured" in [text.get_text() for text in ax.texts]


def test_score_curves_are_means_over_the_runs_that_go_on():
    ax = plotting.score_curves(SCORES, **TITLED)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert set(lines) == {"GAT seen", "GAT hidden", "MLP seen"}
    np.testing.assert_allclose(lines["GAT seen"].get_ydata(), [0.3, 0.6, 0.8])
    np.testing.assert_allclose(lines["GAT hidden"].get_ydata(), [0.2, 0.3, 0.4])
    colours = {label: line.get_color() for label, line in lines.items()}
    assert colours["GAT seen"] == colours["GAT hidden"] != colours["MLP seen"]
    dashes = {label: line.get_linestyle() for label, line in lines.items()}
    assert dashes["GAT seen"] == dashes["MLP seen"] != dashes["GAT hidden"]
    assert len(ax.collections) == 1  # a band where there is more than one run
    entries = [text.get_text() for text in ax.get_legend().get_texts()]
    assert entries == ["GAT", "MLP", "seen", "hidden"]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({}, "no curve to draw"),
        ({"GAT": {}}, "no curve to draw"),
        ({"GAT": {"seen": []}}, "no curve to draw"),
        ({"GAT": {str(k): [[1.0]] for k in range(4)}}, "1 models and 4 kinds of data"),
        ({str(m): {"seen": [[1.0]]} for m in range(7)}, "7 models and 1 kinds of data"),
    ],
)
def test_score_curves_refuse_what_cannot_be_drawn(scores, message):
    with pytest.raises(ValueError, match=message):
        plotting.score_curves(scores, **TITLED)


# --- against --------------------------------------------------------------------


def test_a_line_is_the_mean_and_its_bars_reach_the_extremes():
    ax = plotting.against(AGAINST, guide={20: 5, 4: 25}, **AXES)
    lines = {line.get_gid(): line for line in ax.lines if line.get_gid()}
    np.testing.assert_allclose(lines["GAT"].get_ydata(), [27 + 2 / 3, 5.5])
    np.testing.assert_allclose(lines["GATv2"].get_ydata(), [100, 99.5])
    np.testing.assert_allclose(lines["guide"].get_xdata(), [4, 20])
    np.testing.assert_allclose(lines["guide"].get_ydata(), [25, 5])
    bars = [path.vertices[:, 1] for path in ax.collections[0].get_paths()]
    assert [sorted(ends) for ends in bars] == [[25, 30], [5, 6]]
    apart = lines["GATv2"].get_xdata() - lines["GAT"].get_xdata()
    assert (apart > 0).all() and (apart < 0.5).all()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["4", "20"]


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({}, "results must hold 1 to 6 models, got 0"),
        ({str(n): {1: [1]} for n in range(7)}, "1 to 6 models, got 7"),
        ({"GAT": {4: []}}, "results\\['GAT'\\] must have shape"),
        ({"GAT": {4: [float("nan")]}}, "contains 1 values that are NaN"),
        ({"GAT": {}}, "a model without a score"),
    ],
)
def test_what_cannot_be_drawn_against_anything_is_refused(results, message):
    with pytest.raises(ValueError, match=message):
        plotting.against(results, **AXES)
    assert not plt.get_fignums()


# --- molecules ------------------------------------------------------------------


def test_an_atoms_disc_has_the_area_and_the_colour_of_its_weight():
    grid = plotting.molecules(list(SMILES), list(SMILES.values()), title="which atom?")
    assert len(grid) == 3
    for panel, weights in zip(grid, SMILES.values(), strict=True):
        discs = {p.get_gid(): p for p in panel.patches if p.get_gid()}
        assert list(discs) == [f"atom {i}" for i in range(len(weights))]
        areas = np.array([disc.radius**2 for disc in discs.values()])
        np.testing.assert_allclose(areas, 0.16 * len(weights) * np.array(weights))
        for disc, weight in zip(discs.values(), weights, strict=True):
            colour = plotting.WEIGHT_MAP(weight * len(weights) / 3)  # 3: the largest
            assert same_color(disc.get_facecolor(), colour)
    letters = [[text.get_text() for text in panel.texts] for panel in grid]
    assert letters == [["O"], ["O", "O"], []]
    assert [len(panel.lines) for panel in grid] == [2, 4, 9]  # of benzene 3 are double


@pytest.mark.parametrize(
    ("smiles", "weights", "message"),
    [
        ([], [], "one to six molecules"),
        (["C"] * 7, [[1]] * 7, "one to six molecules"),
        (["C"], [], "got 1 and 0"),
        (["C("], [[1]], "RDKit reads no molecule in 'C\\('"),
        (["CC"], [[1]], "weights of CC must have shape \\[2\\]"),
        (["CC"], [[1.5, -0.5]], "weights of CC must be between 0"),
    ],
)
def test_what_is_no_weighted_molecule_is_refused(smiles, weights, message):
    with pytest.raises(ValueError, match=message):
        plotting.molecules(smiles, weights, title="none")
    assert not plt.get_fignums()


def test_curves_of_any_score_can_be_drawn():
    curves = Curves(train_loss=[2, 1], val_loss=[2, 1], val_score=[3, 2], best_epoch=1)
    _, score = plotting.learning_curves(curves, metric="RMSE")
    assert score.get_ylabel() == "validation\nRMSE"
    np.testing.assert_array_equal(score.lines[0].get_ydata(), [3, 2])


@pytest.mark.parametrize(
    ("results", "options", "message"),
    [
        ({"GAT": {0: [1]}}, {"log": True}, "on a log axis settings are above 0"),
        ({"GAT": {4: [1]}}, {"guide": {4: float("nan")}}, "guide contains 1 values"),
        ({"GAT": {4: [1]}, "GCN": {}}, {}, "a model without a score"),
    ],
)
def test_odd_lines_are_refused(results, options, message):
    with pytest.raises(ValueError, match=message):
        plotting.against(results, **AXES, **options)
    assert not plt.get_fignums()


def test_odd_molecules_are_refused():
    with pytest.raises(TypeError, match="smiles must be a list of SMILES"):
        plotting.molecules("CCO", [[1], [1], [1]], title="three")
    with pytest.raises(ValueError, match="captions must be one for each of 2"):
        plotting.molecules(["C", "C"], [[1], [1]], title="two", captions=["one"])
    with pytest.raises(ValueError, match="RDKit reads no molecule in ''"):
        plotting.molecules([""], [[]], title="none")
    (panel,) = plotting.molecules(["CC"], [[1, -5e-5]], title="rounding")
    assert panel.patches[1].radius == 0


# --- pooling --------------------------------------------------------------------


def test_dropped_nodes_are_hollow_and_their_edges_pale():
    path = GraphData.from_edges([0, 1, 2], [1, 2, 3], num_nodes=5, undirected=True)
    weights = {"true": [0, 1, 1, 0, 0], "ours": [0.1, 0.4, 0.2, 0.2, 0.1]}
    kept = {"ours": [False, True, True, False, False]}
    grid = plotting.node_weights(path, weights, kept, title="which?")
    assert len(grid) == 2
    for panel, (key, own) in zip(grid, weights.items(), strict=True):
        (nodes,) = (c for c in panel.collections if c.get_gid() == "nodes")
        faces = nodes.get_facecolors()
        for i, weight in enumerate(own):
            stays = kept.get(key, [True] * 5)[i]
            colour = look.PALE_MAP(weight / 1.0) if stays else "white"
            assert same_color(faces[i], colour)
        pale, strong = (len(c.get_segments()) for c in panel.collections[:2])
        assert (pale, strong) == ((2, 1) if key in kept else (0, 3))


def test_patches_have_the_colours_of_their_weights():
    (panel,) = plotting.patch_weights([[0, 1], [1, 2]], {"x": [0, 2, 4]}, title="t")
    np.testing.assert_array_equal(panel.images[0].get_array(), [[0, 2], [2, 4]])


@pytest.mark.parametrize(
    ("weights", "kept", "message"),
    [
        ({}, None, "one to 6 panels"),
        ({str(i): [1, 1] for i in range(7)}, None, "one to 6 panels"),
        ({"a": [1]}, None, "weights of a must have shape \\[2\\]"),
        ({"a": [1, -1]}, None, "weights of a must be between 0"),
        ({"a": [1, 1]}, {"b": [True, True]}, "kept names 'b'"),
        ({"a": [1, 1]}, {"a": [True]}, "kept of a must have shape"),
    ],
)
def test_odd_weights_of_nodes_are_refused(weights, kept, message):
    graph = GraphData.from_edges([0], [1])
    with pytest.raises(ValueError, match=message):
        plotting.node_weights(graph, weights, kept, title="none")
    assert not plt.get_fignums()


def test_too_large_a_graph_and_odd_patches_are_refused():
    with pytest.raises(ValueError, match="at most 200 nodes"):
        graph = GraphData.from_edges([], [], num_nodes=201)
        plotting.node_weights(graph, {"a": np.ones(201)}, title="none")
    with pytest.raises(ValueError, match="whole numbers"):
        plotting.patch_weights([[0.5]], {"a": [1]}, title="none")
