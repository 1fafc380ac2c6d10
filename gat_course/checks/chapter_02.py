"""Checks of chapter 2's exercises."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from gat_course import formulas, measure
from gat_course.checks.answers import (
    _check,
    _close,
    _NotDone,
    _random,
    _tensor,
    _Wrong,
)
from gat_course.graph import GraphData


@_check("2.1")
def _largest_graph(function: Callable) -> None:
    for num_bytes, heads, matrices in (
        (4 * 8 * 5 * 200**2, 8, 5),
        (4 * 8 * 5 * 200**2 - 1, 8, 5),
        (16 * 10**9, 3, 8.2),
        (100, 8, 5),
    ):
        answer = _tensor(function(num_bytes, heads, matrices), (), "The result")
        n = float(answer)
        case = f"{num_bytes:,} bytes, {heads} heads of {matrices} matrices"
        if num_bytes == 4 * 8 * 5 * 200**2:
            parts = {"the 4 bytes of a number": 4, "the heads": 8, "the matrices": 5}
            for what, factor in parts.items():
                if abs(n - 200 * factor**0.5) < 1:
                    raise _Wrong(f"{case}: {n:g} leaves out {what}.")
            if abs(n - 200**2) < 1:
                raise _Wrong(f"{case}: {n:g} is a number of cells, not of nodes.")
        if n % 1 != 0:
            raise _Wrong(f"{case}: a graph has a whole number of nodes, not {n:.2f}.")
        if 4 * heads * matrices * n**2 > num_bytes:
            raise _Wrong(f"{case}: a graph of {n:g} nodes does not fit.")
        if 4 * heads * matrices * (n + 1) ** 2 <= num_bytes:
            raise _Wrong(f"{case}: a graph of {n + 1:g} nodes fits as well.")


@_check("2.2")
def _window_graph(function: Callable) -> None:
    for num_words, w in ((6, 2), (4, 0), (3, 7), (1, 1)):
        graph, case = function(num_words, w), f"N = {num_words}, w = {w}"
        if graph is None:
            raise _NotDone
        if not isinstance(graph, GraphData):
            raise _Wrong(f"Build a GraphData, not a {type(graph).__name__}.")
        graph = graph.to("cpu")
        if graph.num_nodes != num_words:
            raise _Wrong(f"{case}: the graph has {graph.num_nodes} nodes.")
        seen = graph.dense_adjacency()
        back = torch.arange(num_words).unsqueeze(1) - torch.arange(num_words)
        expected = ((back >= 0) & (back <= w)).float()
        if bool((seen > 1).any()):
            raise _Wrong(f"{case}: an edge occurs twice.")
        if num_words > 1 and torch.equal(seen, expected - torch.eye(num_words)):
            raise _Wrong(f"{case}: each word may look at itself, too.")
        if w and num_words > 1 and torch.equal(seen, expected.t()):
            raise _Wrong(
                f"{case}: the words look ahead. An edge goes from the word that is "
                "looked at to the word that looks."
            )
        wrong = (seen != expected).any(dim=1).nonzero()[:, 0].tolist()
        if wrong:
            words = seen[wrong[-1]].nonzero()[:, 0].tolist()
            raise _Wrong(f"{case}: word {wrong[-1]} looks at the words {words}.")


@_check("2.3")
def _normalised_axis(function: Callable) -> None:
    def ask(weights: Tensor, mask: Tensor, expected: str, hint: str) -> None:
        answer = function(weights, mask)
        if answer is None:
            raise _NotDone
        if answer not in ("rows", "columns", "neither"):
            raise _Wrong(f'Return "rows", "columns" or "neither", not {answer!r}.')
        if answer != expected:
            raise _Wrong(f'{hint} You return "{answer}".')

    (scores,) = _random((6, 6))
    full = torch.ones(6, 6)
    rows = torch.softmax(scores, dim=1)
    for weights, expected, axis in ((rows, "rows", 1), (rows.t(), "columns", 0)):
        hint = f"torch.softmax over dim={axis}, all nodes connected (32-bit numbers)."
        ask(weights, full, expected, hint)
    uneven = torch.tensor([1.0, 0.9, 1.1, 1.0, 1.0, 1.0]).unsqueeze(1)
    ask(rows * uneven, full, "neither", "Row sums of 1, 0.9, 1.1, 1, 1, 1.")
    columns = rows.t() * uneven.t()
    ask(columns, full, "neither", "Column sums of 1, 0.9, 1.1, 1, 1, 1.")

    mask = full.clone()
    mask[2], mask[:, 4] = 0, 0  # node 2 hears nobody, nobody hears node 4
    rows = formulas.masked_softmax(scores, mask)
    columns = formulas.masked_softmax(scores.t(), mask.t()).t()
    ask(rows, mask, "rows", "Rows that sum to one, and one that the mask leaves empty.")
    hint = "Columns that sum to one, and one that the mask leaves empty."
    ask(columns, mask, "columns", hint)
    for number in (-math.inf, -9e15):
        hint = f"The mask set as {number:g}: what stands in an empty row or column is"
        hint += " not to count."
        for axis, expected in ((1, "rows"), (0, "columns")):
            weights = torch.softmax(scores.masked_fill(mask == 0, number), dim=axis)
            ask(weights, mask, expected, hint)
    ring = (torch.eye(6) + torch.eye(6).roll(1, 0)) / 2
    ask(ring, (ring > 0).float(), "rows", "Rows and columns both sum to one.")


@_check("2.4")
def _chunked_attention(function: Callable) -> None:
    z, att_dst, att_src, noise = _random((7, 2), (2,), (2,), (7, 7))
    mask = (noise > 0).float()
    mask[4] = 0  # an isolated node

    def by_hand(first: Tensor, second: Tensor) -> Tensor:
        out = torch.zeros(7, 2)
        for i in range(7):
            sources = mask[i].nonzero()[:, 0]
            pairs = z[i] @ first + z[sources] @ second
            scores = torch.where(pairs > 0, pairs, 0.2 * pairs)
            out[i] = torch.softmax(scores, 0) @ z[sources]  # an empty sum is zero
        return out.double()

    expected, swapped = by_hand(att_dst, att_src), by_hand(att_src, att_dst)
    for chunk in (7, 3, 1, 100):
        what = f"With N = 7 and chunk = {chunk}"
        out = _tensor(
            function(z.clone(), att_dst, att_src, mask.clone(), chunk),
            (7, 2),
            f"{what} the output",
        )
        _close(out[4], torch.zeros(2), f"{what} the isolated node's output")
        if torch.allclose(out, swapped, atol=1e-5):
            raise _Wrong("The halves of a are swapped: a_dst meets the target.")
        for i in range(7):
            _close(out[i], expected[i], f"{what} node {i}'s output")

    n = 300  # few enough for a loop over pairs, whose every step is recorded
    z, att_dst, att_src, noise = _random((n, 4), (4,), (4,), (n, n))
    mask = (noise > 1).float()
    held = {
        chunk: measure.peak_memory(partial(function, z, att_dst, att_src, mask, chunk))
        for chunk in (5, 60)
    }
    if held[5] < 4 * 2 * n:
        raise _Wrong("Compute with PyTorch: the check sees its tensors only.")
    if held[5] >= 4 * n**2:
        raise _Wrong(
            f"N = {n}, chunk = 5: it held {held[5]:,} bytes at one moment; a full "
            f"matrix of scores takes {4 * n**2:,}."
        )
    if held[5] > 2 * held[60]:
        raise _Wrong(
            f"N = {n}: it held {held[5]:,} bytes with chunk = 5 and {held[60]:,} "
            "with chunk = 60. A chunk is a number of rows, not of pieces."
        )


@_check("2.5")
def _neighbour_lists(function: Callable) -> None:
    into = [[1, 2, 3], [0], [], [0, 3], [0]]
    src = [j for sources in into for j in sources]
    dst = [i for i, sources in enumerate(into) for _ in sources]
    first = GraphData(num_nodes=5, src=src, dst=dst)
    twice = GraphData(num_nodes=3, src=[0, 0, 1, 2], dst=[1, 1, 1, 0])
    for graph in (first, twice):
        answer = function(graph)
        if answer is None:
            raise _NotDone
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise _Wrong("Return two things: the sources and the mask.")
        shape = (graph.num_nodes, 3)
        name = "The longest list has 3 entries: the"
        sources, mask = (
            _tensor(part, shape, f"{name} {what}")
            for part, what in zip(answer, ("sources", "mask"), strict=True)
        )
        if torch.as_tensor(answer[0]).dtype == torch.bool:
            raise _Wrong("The sources come first, then the mask.")
        if torch.as_tensor(answer[0]).is_floating_point():
            raise _Wrong("The sources should be integers, so that they can index.")
        if bool(((mask != 0) & (mask != 1)).any()):
            raise _Wrong("The mask should hold True or False, or 1 or 0.")
        for i in range(graph.num_nodes):
            listed = sorted(sources[i][mask[i] == 1].long().tolist())
            into_i = sorted(graph.src[graph.dst == i].tolist())
            if listed != into_i:
                raise _Wrong(
                    f"The edges into node {i} come from {into_i}, the list says "
                    f"{listed}."
                )
