"""The schematic pictures show the graph's own mailboxes and matrices (chapter 3).

tests/test_plotting.py holds what every figure must do; these figures are among them.
"""

from collections import defaultdict

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import same_color

from gat_course import diagrams
from gat_course.graph import GraphData

FIVE = GraphData.from_edges(
    [0, 0, 0, 2, 3], [1, 2, 3, 3, 4], undirected=True, name="Five friends"
).with_self_loops()
# Node 4 hears 2 twice; nodes 2, 3, 5 and 7 hear nothing.
TWICE = GraphData.from_edges(
    [5, 3, 3, 1, 0, 2, 6, 2, 5, 2], [0, 0, 1, 4, 4, 4, 0, 1, 1, 6], 8, name="twice"
)
MESSAGES = torch.arange(30).reshape(15, 2) / 8 - 1


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


# --- mailboxes ------------------------------------------------------------------


def drawn(ax) -> dict[str, dict[int, object]]:
    """The patches by kind and number, with the figure's layout done."""
    ax.figure.canvas.draw()
    found = defaultdict(dict)
    for patch in ax.patches:
        if patch.get_gid():
            kind, number = patch.get_gid().split()
            found[kind][int(number)] = patch
    return found


def extent(patch):
    return patch.get_window_extent()


def inside(ax, patch) -> list[str]:
    """The texts inside a patch, from the top."""
    box = extent(patch)
    places = [(t.get_text(), ax.transData.transform(t.xy)) for t in ax.texts]
    return [text for text, place in places if box.contains(*place)]


def shown_buckets(ax) -> dict[int, dict[int, list[int]]]:
    """From the picture: degree -> target -> its edges from left to right."""
    parts, found = drawn(ax), {}
    for degree, frame in parts["bucket"].items():
        found[degree], place = {}, extent(frame)
        for i, circle in parts["target"].items():
            level = (extent(circle).y0 + extent(circle).y1) / 2
            if place.y0 < level < place.y1:
                row = [
                    (extent(box).x0, e)
                    for e, box in parts["message"].items()
                    if extent(box).y0 < level < extent(box).y1
                ]
                found[degree][i] = [e for _, e in sorted(row)]
    return found


@pytest.mark.parametrize("graph", [FIVE, TWICE], ids=["five", "twice"])
def test_mailboxes_are_those_that_dgl_hands_to_a_reduce_function(graph, dgl):
    handed = {}

    def reduce(nodes):
        rows = nodes.mailbox["edge"].tolist()  # [B, D]
        targets = nodes.nodes().tolist()
        handed[len(rows[0])] = dict(zip(targets, rows, strict=True))
        return {"sum": nodes.mailbox["edge"].sum(1)}

    g = graph.dgl()
    g.edata["edge"] = torch.arange(graph.num_edges)
    g.update_all(lambda edges: {"edge": edges.data["edge"]}, reduce)
    ax = diagrams.mailboxes(graph)
    assert shown_buckets(ax) == handed
    texts = [t.get_text() for t in ax.texts if "one call" in t.get_text()]
    assert texts == [
        f"degree {degree}: one call on [B={len(rows)}, D={degree}, F']"
        for degree, rows in sorted(handed.items())
    ]
    assert f"{len(handed)} reduce calls" in ax.get_title(loc="left").replace("\n", " ")


def test_boxes_hold_their_own_edge_and_stay_in_their_bucket():
    ax = diagrams.mailboxes(FIVE, MESSAGES)
    boxes = drawn(ax)["message"]
    assert sorted(boxes) == list(range(15))
    for e, box in boxes.items():
        numbers = "\n".join(f"{v:.2f}" for v in MESSAGES[e]).replace("-", "−")
        assert inside(ax, box) == [f"from {FIVE.src[e]}", numbers]
    for degree, rows in shown_buckets(ax).items():
        frame = extent(drawn(ax)["bucket"][degree])
        for i, edges in rows.items():
            assert len(edges) == degree == FIVE.in_degrees[i]
            for box in (extent(boxes[e]) for e in edges):
                assert frame.x0 < box.x0 and box.x1 < frame.x1
                assert frame.y0 < box.y0 and box.y1 < frame.y1
    assert "degree 4: one call on [B=2, D=4, F'=2]" in [t.get_text() for t in ax.texts]


def test_buckets_come_by_degree_and_nodes_without_a_mailbox_last():
    ax = diagrams.mailboxes(TWICE)
    parts = drawn(ax)
    tops = [extent(parts["bucket"][degree]).y1 for degree in (1, 3)]
    alone = [extent(parts["target"][i]).y1 for i in (2, 3, 5, 7)]
    assert tops[0] > tops[1] > max(alone) == min(alone)
    texts = [t.get_text() for t in ax.texts]
    assert "degree 0: no mailbox, no call" in texts
    assert not any("degree 0" in t.get_text() for t in diagrams.mailboxes(FIVE).texts)


@pytest.mark.parametrize(
    ("factor", "shown"),
    [
        (1, "1.50\n−0.25"),
        (8, "12\n−2"),
        (1234.5, "1851.75\n−308.62"),
        (12345678.9, "18518518\n−3086420"),
    ],
)
def test_numbers_fit_their_box(factor, shown):
    messages = torch.tensor([[1.5, -0.25]] * 15, dtype=torch.float64) * factor
    ax = diagrams.mailboxes(FIVE, messages)
    boxes = [extent(box) for box in drawn(ax)["message"].values()]
    texts = [t.get_window_extent() for t in ax.texts if t.get_text() == shown]
    for box, text in zip(boxes, texts, strict=True):
        assert box.x0 < text.x0 and text.x1 < box.x1
        assert box.y0 < text.y0 and text.y1 < box.y1


def test_a_graph_without_edges_has_no_mailbox():
    ax = diagrams.mailboxes(GraphData(num_nodes=3, src=[], dst=[]), torch.zeros(0, 2))
    parts = drawn(ax)
    assert sorted(parts["target"]) == [0, 1, 2]
    assert not parts["bucket"] and not parts["message"]
    assert "0 reduce calls" in ax.get_title(loc="left").replace("\n", " ")


# --- sparse products ------------------------------------------------------------


def cells(ax, name, rows, columns) -> np.ndarray:
    """A matrix as drawn: 0 empty, 1 filled, 2 highlighted."""
    looks = (diagrams._EMPTY, diagrams._FILLED, diagrams._STRONG)
    found = np.full((rows, columns), -1)
    for patch in ax.patches:
        if str(patch.get_gid()).startswith(f"{name} "):
            i, j = map(int, patch.get_gid().split()[1:])
            (found[i, j],) = [
                k for k, c in enumerate(looks) if same_color(patch.get_facecolor(), c)
            ]
    return found


@pytest.mark.parametrize("target", range(5))
def test_filled_cells_are_edges_and_highlights_belong_to_the_target(target):
    above, below = diagrams.sparse_products(FIVE, target=target)
    edges = np.zeros((5, 5), dtype=int)
    edges[FIVE.dst, FIVE.src] = 1
    sources = np.flatnonzero(edges[target])
    scores = cells(above, "scores", 5, 5)
    np.testing.assert_array_equal(scores > 0, edges)
    assert np.argwhere(scores == 2).tolist() == [[target, sources.max()]]
    s_dst, s_src = cells(above, "s_dst", 5, 1), cells(above, "s_src", 1, 5)
    assert np.argwhere(s_dst == 2).tolist() == [[target, 0]] and s_dst.min() == 1
    assert np.argwhere(s_src == 2).tolist() == [[0, sources.max()]] and s_src.min() == 1

    row = np.arange(5)[:, None] == target
    np.testing.assert_array_equal(cells(below, "alpha", 5, 5), edges * (1 + row))
    picked = 1 + edges[target][:, None].repeat(2, axis=1)
    np.testing.assert_array_equal(cells(below, "Z", 5, 2), picked)
    np.testing.assert_array_equal(cells(below, "heads", 5, 2), (1 + row).repeat(2, 1))


def test_arrows_lead_from_both_terms_into_their_sum():
    above, _ = diagrams.sparse_products(FIVE, target=2)
    above.figure.canvas.draw()
    patches = {patch.get_gid(): patch for patch in above.patches}
    for term, cell in (("from s_dst", "s_dst 2 0"), ("from s_src", "s_src 0 3")):
        corners = above.transData.transform(patches[term].get_path().vertices)
        assert extent(patches[cell]).contains(*corners[0])
        assert any(extent(patches["scores 2 3"]).contains(*c) for c in corners[1:])


def test_the_products_say_what_they_compute():
    above, below = diagrams.sparse_products(FIVE, target=2)
    words = " ".join(t.get_text() for t in above.texts).replace("\n", " ")
    assert "computed: |E| = 15 cells of N² = 25" in words
    assert "cell (2, 3): s_dst[2] + s_src[3]" in words
    assert "{0, 2, 3}" in below.get_xlabel()
    titles = [ax.get_title(loc="left") for ax in (above, below)]
    assert titles == [
        "u_add_v: an SDDMM fills the edges' cells only",
        "u_mul_e + sum: an SpMM adds the neighbours' rows",
    ]


# --- refusals -------------------------------------------------------------------

mailboxes, products = diagrams.mailboxes, diagrams.sparse_products
NINE = GraphData.from_edges([0], [8], name="nine")
DENSE = GraphData.from_edges([*range(8)] * 4, sorted([*range(4)] * 8), name="dense")
PILE = GraphData.from_edges([0] * 9, [1] * 9, name="pile")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mailboxes(NINE), "at most 8 nodes, 'nine' has 9"),
        (lambda: mailboxes(DENSE), "at most 30 edges, 'dense' has 32"),
        (lambda: mailboxes(PILE), "at most 8 edges into one node, 'pile' has 9"),
        (lambda: mailboxes(FIVE, MESSAGES[1:]), r"messages.*\[15, F'\], got \[14, 2\]"),
        (lambda: mailboxes(FIVE, torch.zeros(15, 5)), "at most 4 numbers in a message"),
        (lambda: mailboxes(FIVE, MESSAGES / 0), "messages contains .* infinite"),
        (lambda: mailboxes(FIVE, 1e12 * MESSAGES), "too long for its box; divide"),
        (lambda: products(NINE), "at most 8 nodes, 'nine' has 9"),
        (lambda: products(PILE), "edge 0 -> 1 is in the graph 9 times"),
        (lambda: products(FIVE, target=5), "target must be 0 to 4, got 5"),
        (lambda: products(FIVE, target=-1), "target must be 0 to 4, got -1"),
        (
            lambda: products(GraphData.from_edges([0], [1])),
            "target 0 has no incoming edge",
        ),
    ],
)
def test_refusals_say_what_was_wrong(call, message):
    with pytest.raises((ValueError, IndexError), match=message):
        call()
    assert not plt.get_fignums()
