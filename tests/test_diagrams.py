"""The schematic pictures show the numbers and the edges that they are handed.

tests/test_plotting.py holds what every figure must do; these figures are among them.
"""

from collections import defaultdict
from dataclasses import replace
from itertools import combinations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import same_color, to_hex

from gat_course import EdgeGATLayer, diagrams
from gat_course.graph import GraphData
from gat_course.plotting import look, sketch

FIVE = GraphData.from_edges(
    [0, 0, 0, 2, 3], [1, 2, 3, 3, 4], undirected=True, name="Five friends"
).with_self_loops()
# Node 4 hears 2 twice; nodes 2, 3, 5 and 7 hear nothing.
TWICE = GraphData.from_edges(
    [5, 3, 3, 1, 0, 2, 6, 2, 5, 2], [0, 0, 1, 4, 4, 4, 0, 1, 1, 6], 8, name="twice"
)
MESSAGES = torch.arange(30).reshape(15, 2) / 8 - 1


# --- the score --------------------------------------------------------------------

# Chapter 1's numbers: W = [[1, 1], [0, 1]], a = [1, 0, 1, -1].
X = torch.tensor([[1.0, 0], [2, 0], [0, 1], [1, 1], [0, 2]])
Z = X @ torch.tensor([[1.0, 1], [0, 1]])
A_DST, A_SRC = torch.tensor([1.0, 0]), torch.tensor([1.0, -1])


def patches(ax) -> dict[str, object]:
    ax.figure.draw_without_rendering()
    return {patch.get_gid(): patch for patch in ax.patches if patch.get_gid()}


def numbers_in(ax) -> dict[str, str]:
    """What is written in every box, by the box's name."""
    texts = {name: inside(ax, box) for name, box in patches(ax).items()}
    boxes = ("z_dst", "z_src", "a_dst", "a_src", "sum", "e", "exp")
    return {n: "".join(t) for n, t in texts.items() if n.split()[0] in boxes}


def weights_of(graph, z, att_dst, att_src, slope=0.2):
    layer = EdgeGATLayer(2, 2, bias=False, negative_slope=slope)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2))
        layer.att_dst.copy_(att_dst[None])
        layer.att_src.copy_(att_src[None])
        return layer(graph, z, return_attention=True)[1][:, 0]


def test_the_score_is_worked_out_by_hand():
    ax = diagrams.score(FIVE, Z, A_DST, A_SRC, target=3, source=4)
    edges = {int(FIVE.src[e]): e for e in range(15) if FIVE.dst[e] == 3}
    assert numbers_in(ax) == {
        **{"z_dst 0": "1", "z_dst 1": "2", "z_src 0": "0", "z_src 1": "2"},
        **{"a_dst 0": "1", "a_dst 1": "0", "a_src 0": "1", "a_src 1": "−1"},
        "sum": "−1",
        **{f"e {edges[0]}": "1.00", f"exp {edges[0]}": "2.72"},
        **{f"e {edges[2]}": "0.00", f"exp {edges[2]}": "1.00"},
        **{f"e {edges[3]}": "0.00", f"exp {edges[3]}": "1.00"},
        **{f"e {edges[4]}": "−0.20", f"exp {edges[4]}": "0.82"},
    }
    texts = [t.get_text() for t in ax.texts]
    assert {"sum\n5.54", "below 0:\ntimes 0.2"} <= set(texts)
    assert any(r"z_{3}$ = 1" in t for t in texts)
    assert any(r"z_{4}$ = −2" in t for t in texts)
    assert any("= {0, 2, 3, 4}" in t for t in texts)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("target", range(5))
def test_the_weights_are_those_of_the_layer(target, slope):
    generator = torch.Generator().manual_seed(target)
    z = torch.randn(5, 2, generator=generator)
    att_dst, att_src = torch.randn(2, 2, generator=generator)
    alpha = weights_of(FIVE, z, att_dst, att_src, slope)
    for source in FIVE.src[FIVE.dst == target].tolist():
        ax = diagrams.score(
            FIVE, z, att_dst, att_src, target, source, negative_slope=slope
        )
        bars = {n: p for n, p in patches(ax).items() if n.startswith("alpha ")}
        edges = [int(name.split()[1]) for name in bars]
        assert FIVE.src[edges].tolist() == sorted(FIVE.src[FIVE.dst == target].tolist())
        heights = np.array([bar.get_height() for bar in bars.values()])
        shares = heights / heights.sum()
        np.testing.assert_allclose(shares, alpha[edges].numpy(), rtol=1e-4)
        marked = [
            int(FIVE.src[e])
            for e, bar in zip(edges, bars.values(), strict=True)
            if same_color(bar.get_facecolor(), sketch.STRONG)
        ]
        assert marked == [source]
        texts = [t.get_text() for t in ax.texts]
        assert {f"{alpha[e]:.2f}" for e in edges} <= set(texts)
        # The dot is on the curve, as far from the bend as the sum says.
        curve, dot = (line for line in ax.lines if line.get_gid() in ("curve", "dot"))
        (x,), (y,) = dot.get_data()
        xs, ys = curve.get_data()
        assert np.interp(x, xs, ys) == pytest.approx(y)
        pair = float(z[target] @ att_dst + z[source] @ att_src)
        assert np.sign(x - xs[1]) == np.sign(pair)
        assert numbers_in(ax)["sum"] == f"{pair:.2f}".replace("-", "−")


def test_the_score_takes_edge_weights():
    weight = torch.linspace(0.5, 3, 15)
    graph = replace(FIVE, edge_weight=weight)
    alpha = weights_of(graph, Z, A_DST, A_SRC)
    ax = diagrams.score(graph, Z, A_DST, A_SRC, 0, 2)
    bars = {n: p for n, p in patches(ax).items() if n.startswith("alpha ")}
    heights = np.array([bar.get_height() for bar in bars.values()])
    edges = [int(name.split()[1]) for name in bars]
    np.testing.assert_allclose(heights / heights.sum(), alpha[edges], rtol=1e-4)
    assert any(t.get_text().startswith("w ") for t in ax.texts)


def test_large_scores_are_printed_relative_to_the_largest():
    ax = diagrams.score(FIVE, 9 * Z, A_DST, A_SRC, 3, 0)
    texts = [t.get_text() for t in ax.texts]
    assert "exp(e − max)" in texts and "sum\n1.00" in texts
    (edge,) = [e for e in range(15) if FIVE.dst[e] == 3 and FIVE.src[e] == 0]
    assert numbers_in(ax)[f"e {edge}"] == "9.00"
    assert numbers_in(ax)[f"exp {edge}"] == "1.00"


# --- heads ------------------------------------------------------------------------


def softmax(graph, heads, seed=0):
    """Weights `[E, K]` as a layer would give."""
    generator = torch.Generator().manual_seed(seed)
    powers = torch.randn(graph.num_edges, heads, generator=generator).exp()
    total = torch.zeros(graph.num_nodes, heads).index_add(0, graph.dst, powers)
    return powers / total[graph.dst]


@pytest.mark.parametrize("heads", [1, 2, 3, 4])
@pytest.mark.parametrize("node", range(5))
def test_every_edge_has_one_strand_a_head_as_wide_as_its_weight(node, heads):
    alpha = softmax(FIVE, heads, seed=node)
    found = patches(diagrams.head_strands(FIVE, alpha, node))
    edges = np.flatnonzero(FIVE.dst == node)
    strands = {n: p for n, p in found.items() if n.startswith("strand ")}
    assert set(strands) == {f"strand {e} {k}" for e in edges for k in range(heads)}
    weights = np.array([float(alpha[tuple(map(int, n.split()[1:]))]) for n in strands])
    widths = np.array([p.get_linewidth() for p in strands.values()])
    shown = widths > 0.7  # the least width
    ratios = widths[shown] / weights[shown]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-5)
    assert weights[~shown].max(initial=0) <= weights[shown].min()


def test_strands_run_from_source_to_target_in_their_heads_look():
    alpha = softmax(FIVE, 3)
    ax = diagrams.head_strands(FIVE, alpha, 3)
    found = patches(ax)
    looks = defaultdict(set)
    for e in np.flatnonzero(FIVE.dst == 3):
        source = int(FIVE.src[e])
        for k in range(3):
            strand = found[f"strand {e} {k}"]
            path = strand.get_path().vertices
            start, end = np.hypot(*path[[0, -1]].T)  # from the target's middle
            assert end < 0.7
            if source == 3:  # a bow that leaves and comes back
                assert len(path) == 4 and start < 0.5 and np.hypot(*path[1]) > 0.9
            else:
                circle = extent(found[f"target {source}"])
                assert len(path) == 2
                assert circle.contains(*ax.transData.transform(path[0]))
            looks[k].add((to_hex(strand.get_edgecolor()), str(strand.get_linestyle())))
    assert all(len(looks[k]) == 1 for k in range(3))
    colours, dashes = zip(*(looks[k].pop() for k in range(3)), strict=True)
    assert len(set(colours)) == len(set(dashes)) == 3


def test_weights_stand_beside_their_source_in_the_order_of_heads():
    alpha = torch.arange(45).reshape(15, 3) / 100  # all of them differ
    ax = diagrams.head_strands(FIVE, alpha, 0)
    found = patches(ax)
    for e in np.flatnonzero(FIVE.dst == 0):
        wanted = [f"{value:.2f}" for value in alpha[e]]
        column = [t for t in ax.texts if t.get_text() in wanted]
        column.sort(key=lambda t: -t.xy[1])
        assert [t.get_text() for t in column] == wanted
        colours = [found[f"strand {e} {k}"].get_edgecolor() for k in range(3)]
        for text, colour in zip(column, colours, strict=True):
            assert same_color(text.get_color(), colour)
        if FIVE.src[e] == 0:
            continue
        circles = {j: extent(found[f"target {j}"]) for j in (1, 2, 3)}
        where = ax.transData.transform(column[1].xy)
        away = {
            j: np.hypot(*(where - c.get_points().mean(0))) for j, c in circles.items()
        }
        assert min(away, key=away.get) == FIVE.src[e]


@pytest.mark.parametrize("heads", [1, 3, 4])
@pytest.mark.parametrize("loop", [True, False])
def test_no_weight_hides_a_node_or_a_box(heads, loop):
    for degree in range(1, 9):
        sources = list(range(degree)) if loop else list(range(1, degree + 1))
        graph = GraphData.from_edges(sources, [0] * degree, 9, name="star")
        ax = diagrams.head_strands(graph, softmax(graph, heads), 0)
        found = patches(ax)
        solid = [
            extent(p) for n, p in found.items() if n.split()[0] in ("target", "sum")
        ]
        texts = [t.get_window_extent() for t in ax.texts if "." in t.get_text()]
        assert len(texts) == degree * heads
        for text in texts:
            assert not any(text.overlaps(place) for place in solid), degree
        for one, other in combinations(texts, 2):
            assert not one.padded(-1).overlaps(other.padded(-1)), degree


@pytest.mark.parametrize(
    ("heads", "merge", "parts", "note"),
    [
        (3, "concat", 3, "side by side, then σ: 3 F' numbers"),
        (1, "concat", 1, "side by side, then σ: F' numbers"),
        (3, "mean", 0, "their mean, then σ: F' numbers"),
    ],
)
def test_the_sums_are_merged_as_the_layer_merges(heads, merge, parts, note):
    ax = diagrams.head_strands(FIVE, softmax(FIVE, heads), 2, merge=merge)
    found = patches(ax)
    for k in range(heads):
        assert inside(ax, found[f"sum {k}"]) == [f"sum of head {k}"]
    assert sum(name.startswith("part ") for name in found) == parts
    assert ("mean" in found) == (merge == "mean")
    assert note in ax.texts[-1].get_text()


# --- the unrolled neighbourhood -----------------------------------------------------


def ways(graph, node, steps) -> list[tuple]:
    """All walks that arrive at `node`, from the target on, up to `steps` long."""
    found = [(node,)]
    for way in found:
        if len(way) <= steps:
            sources = graph.src[graph.dst == way[-1]].tolist()
            found += [(*way, j) for j in sources]
    return found


def shown_ways(ax, kind="way") -> list[tuple]:
    names = [p.get_gid() for p in ax.patches if str(p.get_gid()).startswith(kind)]
    return [tuple(map(int, name.split()[1:])) for name in names]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("node", range(5))
def test_the_tree_holds_every_walk_and_nothing_else(node, layers):
    ax = diagrams.unrolled(FIVE, node, layers)
    walks = ways(FIVE, node, layers)
    assert sorted(shown_ways(ax)) == sorted(walks)
    assert sorted(shown_ways(ax, "from")) == sorted(walks[1:])
    leaves = [way[-1] for way in walks if len(way) == layers + 1]
    count = f"{len(leaves)} inputs from {len(set(leaves))} nodes"
    assert ax.get_xlabel().startswith(count)
    assert f"features of {len(set(leaves))} nodes" in title_of(ax)
    assert not any("more" in t.get_text() for t in ax.texts)


def title_of(ax) -> str:
    return ax.get_title(loc="left").replace("\n", " ")


def test_a_tree_of_one_leaf_has_one_input():
    ax = diagrams.unrolled(GraphData.from_edges([0, 1], [1, 2], name="path"), 2)
    assert ax.get_xlabel() == "1 input from 1 node"
    assert sorted(shown_ways(ax)) == [(2,), (2, 1), (2, 1, 0)]
    ax = diagrams.unrolled(GraphData.from_edges([0, 1], [1, 2], name="path"), 1)
    assert ax.get_xlabel() == "0 inputs from 0 nodes"  # node 0 hears nobody


def test_arrows_lead_from_left_to_right_and_the_layers_stand_in_columns():
    ax = diagrams.unrolled(FIVE, 0)
    found = patches(ax)
    where = {
        way: extent(found[" ".join(map(str, ("way", *way)))]) for way in shown_ways(ax)
    }
    for way in shown_ways(ax, "from"):
        arrow = found[" ".join(map(str, ("from", *way)))]
        path = ax.transData.transform(arrow.get_path().vertices)
        source, target = where[way], where[way[:-1]]
        assert source.x1 < path[:, 0].max() < target.x0 + 1
        assert source.y0 < path[0, 1] < source.y1
    for steps in range(3):
        lefts = [box.x0 for way, box in where.items() if len(way) == steps + 1]
        assert np.ptp(lefts) < 1
    for one, other in combinations(where.values(), 2):
        assert not one.overlaps(other)


def test_a_node_keeps_its_colour_wherever_it_is_heard():
    ax = diagrams.unrolled(FIVE, 0)
    colours = defaultdict(list)
    for patch in ax.patches:
        if str(patch.get_gid()).startswith("way"):
            node = int(patch.get_gid().split()[-1])
            colours[node].append(to_hex(patch.get_facecolor()))
    assert all(len(set(c)) == 1 for c in colours.values())
    assert len({c[0] for c in colours.values()}) == 5
    once = [node for node, c in colours.items() if len(c) == 1]
    assert once == [4] and colours[4] == [look.PLAIN_NODE]


def test_features_stand_at_the_leaves_where_they_are_short():
    ax = diagrams.unrolled(replace(FIVE, x=X), 0)
    texts = [t.get_text() for t in ax.texts if "(" in t.get_text()]
    leaves = [way[-1] for way in shown_ways(ax) if len(way) == 3]
    assert texts == [f"({X[i, 0]:.0f}, {X[i, 1]:.0f})" for i in leaves]
    for x in (torch.eye(5), X.to_sparse_csr() * 1e9, None):
        ax = diagrams.unrolled(replace(FIVE, x=x), 0)
        assert not any("(" in t.get_text() for t in ax.texts)


@pytest.mark.parametrize(("degree", "layers"), [(6, 2), (7, 2), (20, 2), (6, 3)])
def test_a_tree_that_is_too_large_says_what_it_leaves_out(degree, layers):
    # On a ring where each node hears the next ones and itself.
    nodes = torch.arange(30)
    steps = torch.arange(degree)
    dst = nodes.repeat_interleave(degree)
    graph = GraphData.from_edges((dst + steps.repeat(30)) % 30, dst, name="ring")
    ax = diagrams.unrolled(graph, 4, layers)
    shown = shown_ways(ax)
    assert set(shown) <= set(ways(graph, 4, layers)) and len(set(shown)) == len(shown)
    assert ax.get_xlabel().startswith(f"{degree**layers:,} inputs")
    more = [t for t in ax.texts if "more" in t.get_text()]
    left_out = {int(t.get_text().split()[1]) for t in more}
    assert more and min(left_out) > 1  # one more would take no more room than "1 more"
    rows = sum(len(way) == layers + 1 for way in shown) + len(more)
    assert rows <= 22 and ax.figure.get_figheight() < 9
    for way in shown:  # what is drawn and what is left out are all that it hears
        if len(way) <= layers:
            below = [w for w in shown if w[:-1] == way]
            assert below and (way[-1] in {w[-1] for w in below})
            assert len(below) == degree or degree - len(below) in left_out


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
def test_mailboxes_are_those_that_dgl_hands_to_a_reduce_function(graph):
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
    looks = (sketch.EMPTY, sketch.FILLED, sketch.STRONG)
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
strands, tree = diagrams.head_strands, diagrams.unrolled


def score(graph=FIVE, z=Z, att_dst=A_DST, att_src=A_SRC, target=0, source=1, **other):
    return diagrams.score(graph, z, att_dst, att_src, target, source, **other)


ALPHA = softmax(FIVE, 5)[:, :3]
SEVEN = GraphData.from_edges(range(7), [0] * 7, name="seven")
NINE = GraphData.from_edges([0], [8], name="nine")
DENSE = GraphData.from_edges([*range(8)] * 4, sorted([*range(4)] * 8), name="dense")
PILE = GraphData.from_edges([0] * 9, [1] * 9, name="pile")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: score(target=5), "target must be 0 to 4, got 5"),
        (lambda: score(source=-1), "source must be 0 to 4, got -1"),
        (
            lambda: score(source=4),
            "no edge 4 -> 0 in 'Five friends'; node 0 hears 0, 1",
        ),
        (lambda: score(z=Z[1:]), r"z must have shape \[5, F'\], got \[4, 2\]"),
        (lambda: score(att_dst=Z), r"att_dst must have shape \[2\], got \[5, 2\]"),
        (lambda: score(att_src=A_SRC / 0), "att_src contains .* infinite"),
        (lambda: score(z=torch.ones(5, 4)), "at most 3 features in z"),
        (lambda: score(SEVEN, torch.ones(7, 2)), "at most 6 edges into one node"),
        (lambda: score(PILE, Z[:2], source=0), "node 0 of 'pile' has no incoming edge"),
        (lambda: score(negative_slope=2), "negative_slope must be from 0 to 1, got 2"),
        (lambda: score(z=1e7 * Z), "too long for its box; divide"),
        (lambda: strands(FIVE, ALPHA, 5), "node must be 0 to 4, got 5"),
        (
            lambda: strands(FIVE, ALPHA[1:], 0),
            r"with_self_loops.*\[15, K\], got \[14, 3",
        ),
        (lambda: strands(FIVE, ALPHA[:, 0], 0), r"\[15, K\], got \[15\]"),
        (lambda: strands(FIVE, 3 * ALPHA, 0), "alpha.*between 0 and 1"),
        (lambda: strands(FIVE, softmax(FIVE, 5), 0), "at most 4 heads"),
        (lambda: strands(PILE, torch.ones(9, 1), 1), "at most 8 edges into one node"),
        (
            lambda: strands(PILE, torch.ones(9, 1), 0),
            "node 0 of 'pile' has no incoming",
        ),
        (lambda: strands(FIVE, ALPHA, 0, merge="sum"), "merge must be .*, got 'sum'"),
        (lambda: tree(FIVE, -1), "node must be 0 to 4, got -1"),
        (lambda: tree(FIVE, 0, 4), "num_layers must be 1, 2 or 3, got 4"),
        (lambda: tree(PILE, 0), "node 0 of 'pile' has no incoming edge"),
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
