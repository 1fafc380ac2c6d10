"""What pooling by attention keeps of a graph, or of an image (chapter 8)."""

from collections.abc import Mapping
from typing import Any

import networkx
import numpy as np
from matplotlib.collections import LineCollection

from gat_course.graph import GraphData
from gat_course.plotting import look, values
from gat_course.plotting.graphs import layout
from gat_course.plotting.values import checked

_MOST = 6  # panels


def node_weights(
    graph: GraphData,
    weights: Mapping[str, Any],
    kept: Mapping[str, Any] | None = None,
    *,
    title: str,
    pos: Any = None,
    name: str | None = None,
    value_label: str = r"weight $\alpha_i$ of a node",
) -> np.ndarray:
    r"""Draw one graph several times, its nodes sized and coloured by weights.

    Args:
        graph: at most 200 nodes.
        weights: for each panel, at most six, a weight for each node, `[N]`, at least
            0, by what is written above it.
        kept: which nodes stay, bool `[N]`, by the same names: the others are hollow,
            and edges that lose an end are pale. Panels without an entry keep all.
        title: what to look at.
        pos: where the nodes are, a mapping from node to $(x, y)$ or `[N, 2]`. None
            computes a layout, the same at every call.
        name: the data's name, put in front of the title; by default the graph's.
        value_label: what the weights are, for the colour bar.

    Returns:
        The axes, one for each panel. The nodes' `get_gid()` is "nodes".

    Raises:
        ValueError: too many nodes or panels, or weights and masks that do not fit.

    >>> path = GraphData.from_edges([0, 1], [1, 2], undirected=True)
    >>> plotting.node_weights(path, {"true": [0, 1, 0]}, title="the middle")
    array([<Axes: ...>], dtype=object)
    """
    n, kept = graph.num_nodes, kept or {}
    if n > 200:
        raise ValueError(f"a graph of at most 200 nodes can be drawn, got {n}")
    rows = _checked(weights, n)
    masks = {}
    for key, mask in kept.items():
        if key not in rows:
            raise ValueError(f"kept names {key!r}, which weights does not")
        masks[key] = checked(mask, f"kept of {key}", (n,), low=0, high=1) > 0
    where, ends = _places(graph, pos), values.ends(graph)
    ends = np.unique(np.sort(ends, axis=1), axis=0)  # each link once, whatever its way
    ends = ends[ends[:, 0] < ends[:, 1]]
    norm = look.norm(np.concatenate(list(rows.values())))
    with look.style():
        grid = _grid(len(rows))
        for panel, (key, own) in zip(grid, rows.items(), strict=True):
            stays = masks.get(key, np.ones(n, dtype=bool))
            both = stays[ends].all(axis=1) if len(ends) else np.zeros(0, dtype=bool)
            look.bare(panel)
            panel.margins(0.08)
            for lines, colour in ((ends[~both], look.PALE), (ends[both], look.GREY)):
                paint = {"colors": colour, "linewidths": 0.9, "zorder": 1}
                panel.add_collection(LineCollection(where[lines], **paint))
            area = np.interp(n, (5, 25, 200), (190, 90, 14))
            sizes = area * (0.35 + 0.65 * norm(own))
            colours = look.PALE_MAP(norm(own))
            faces = np.where(stays[:, None], colours, (1, 1, 1, 1))
            edges = np.where(stays[:, None], colours, (0.55, 0.55, 0.55, 1))
            paint = {"facecolors": faces, "edgecolors": edges, "linewidths": 1}
            panel.scatter(*where.T, sizes, gid="nodes", zorder=2, **paint)
            look.panel_title(panel, key)
        _finish(grid, norm, title, name or graph.name, value_label)
    return grid


def patch_weights(
    patches: Any,
    weights: Mapping[str, Any],
    *,
    title: str,
    name: str | None = None,
    value_label: str = r"weight $\alpha_i$ of a superpixel",
) -> np.ndarray:
    r"""Draw an image several times, each patch in the colour of its weight.

    Args:
        patches: number of each pixel's patch, from 0, `[H, W]`.
        weights: for each panel, at most six, a weight for each patch, `[N]`, at least
            0, by what is written above it.
        title: what to look at.
        name: the data's name, put in front of the title.
        value_label: what the weights are, for the colour bar.

    Returns:
        The axes, one for each panel.

    Raises:
        ValueError: too many panels, or weights that do not fit.

    >>> plotting.patch_weights([[0, 0], [1, 1]], {"true": [0, 1]}, title="below")
    array([<Axes: ...>], dtype=object)
    """
    patches = checked(patches, "patches", ("H", "W"), low=0)
    if patches.dtype.kind not in "iu":
        raise ValueError(f"patches must be whole numbers, got {patches.dtype}")
    rows = _checked(weights, int(patches.max()) + 1)
    norm = look.norm(np.concatenate(list(rows.values())))
    with look.style():
        grid = _grid(len(rows))
        for panel, (key, own) in zip(grid, rows.items(), strict=True):
            look.bare(panel)
            panel.imshow(own[patches], cmap=look.PALE_MAP, norm=norm)
            look.panel_title(panel, key)
        _finish(grid, norm, title, name, value_label)
    return grid


def _places(graph: GraphData, pos: Any) -> np.ndarray:
    """Where the nodes are, `[N, 2]`: what hangs together, the largest part on top."""
    if pos is not None:
        return layout(graph, pos)
    plain = networkx.Graph(graph.networkx())
    parts = sorted(networkx.connected_components(plain), key=len, reverse=True)
    where = np.zeros((graph.num_nodes, 2))
    for number, part in enumerate(parts):
        nodes = sorted(part)
        found = networkx.kamada_kawai_layout(plain.subgraph(nodes))
        own = np.array([found[i] for i in nodes])
        if number:  # in a row below the largest part
            x = (2 * number - 1) / (len(parts) - 1) - 1
            own = (x, -1.35) + 0.08 * own * len(nodes) ** 0.5
        where[nodes] = own
    return where


def _checked(weights: Mapping[str, Any], count: int) -> dict[str, np.ndarray]:
    if not 0 < len(weights) <= _MOST:
        raise ValueError(f"one to {_MOST} panels can be drawn, got {len(weights)}")
    return {
        key: checked(own, f"weights of {key}", (count,), low=0).clip(0)
        for key, own in weights.items()
    }


def _grid(count: int) -> np.ndarray:
    columns = 2 if count == 4 else min(3, count)
    rows = -(-count // columns)
    grid = look.panels(2.35 * rows + 0.9, rows, columns, width=6.4).ravel()
    for panel in grid[count:]:
        panel.remove()
    return grid[:count]


def _finish(
    grid: np.ndarray, norm: Any, title: str, name: str | None, value_label: str
) -> None:
    look.heading(grid[0].figure, title, name)
    below = {"location": "bottom", "shrink": 0.6, "aspect": 40, "pad": 0.04}
    look.colour_bar(list(grid), norm, value_label, look.PALE_MAP, **below)
