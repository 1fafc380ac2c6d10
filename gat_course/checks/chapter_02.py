"""Checks of chapter 2's exercises."""

import math
from collections.abc import Callable
from functools import partial
from itertools import product

import torch

from gat_course import measure
from gat_course.checks import answers
from gat_course.checks.answers import case, check, random, refuse, tensor
from gat_course.graph import GraphData


@check("2.1")
def _largest_graph(function: Callable) -> None:
    full = 4 * 8 * 5 * 200**2  # 200 nodes fill it
    cases = (full, 8, 5), (full - 1, 8, 5), (16 * 10**9, 3, 8.2), (100, 8, 5)
    for num_bytes, heads, matrices in cases:
        n = float(tensor(function(num_bytes, heads, matrices), ()))
        mistakes = {
            f"{n:g} leaves out the 4 bytes of a number.": 200 * 4**0.5,
            f"{n:g} leaves out the heads.": 200 * 8**0.5,
            f"{n:g} leaves out the matrices.": 200 * 5**0.5,
            f"{n:g} is a number of cells, not of nodes.": 200**2,
        }
        cells = num_bytes / (4 * heads * matrices)
        limits = {
            f"a graph has a whole number of nodes, not {n:.2f}.": n % 1 != 0,
            f"a graph of {n:g} nodes does not fit.": n**2 > cells,
            f"a graph of {n + 1:g} nodes fits as well.": (n + 1) ** 2 <= cells,
        }
        with case(f"{num_bytes:,} bytes, {heads} heads of {matrices} matrices:"):
            refuse(mistakes if num_bytes == full else {}, n, tolerance=0.7)
            refuse(limits)


@check("2.2")
def _window_graph(function: Callable) -> None:
    for n, w in ((6, 2), (4, 0), (3, 7), (1, 1)):
        graph = answers.done(function(n, w))
        graph = answers.kind(graph, GraphData, "Build a GraphData").to("cpu")
        back = torch.arange(n).unsqueeze(1) - torch.arange(n)
        right = ((back >= 0) & (back <= w)).float()
        with case(f"N = {n}, w = {w}:"):
            seen, others = graph.dense_adjacency(), right - torch.eye(n)
            mistakes = {
                f"the graph has {graph.num_nodes} nodes.": graph.num_nodes != n,
                "an edge occurs twice.": (seen > 1).any(),
                "each word may look at itself, too.": others if n > 1 else (),
                "the words look ahead. An edge goes from the word that is looked at to "
                "the word that looks.": right.t(),
            }
            refuse(mistakes, seen, right)
            for i in reversed(range(n)):
                words = seen[i].nonzero()[:, 0].tolist()
                wrong = not torch.equal(seen[i], right[i])
                refuse({f"word {i} looks at the words {words}.": wrong})


@check("2.3")
def _normalised_axis(function: Callable) -> None:
    def ask(weights: torch.Tensor, mask: torch.Tensor, right: str, hint: str) -> None:
        answer = answers.done(function(weights, mask))
        if answer not in ("rows", "columns", "neither"):
            hint = 'Return "rows", "columns" or "neither", not'
            raise answers.Wrong(f"{hint} {answer!r}.")
        refuse({f'{hint} You return "{answer}".': answer != right})

    (scores,) = random((6, 6))
    full = torch.ones(6, 6)
    mask = full.clone()
    mask[2], mask[:, 4] = 0, 0  # node 2 hears nobody, nobody hears node 4
    axes = (1, "rows"), (0, "columns")
    for axis, right in axes:
        hint = f"torch.softmax over dim={axis}, all nodes connected (32-bit numbers)."
        ask(torch.softmax(scores, axis), full, right, hint)
    uneven = torch.tensor([1.0, 0.9, 1.1, 1.0, 1.0, 1.0])
    for axis, name in ((1, "Row"), (0, "Column")):
        weights = torch.softmax(scores, axis) * uneven.unsqueeze(axis)
        ask(weights, full, "neither", f"{name} sums of 1, 0.9, 1.1, 1, 1, 1.")
    empty = "that sum to one, and one that the mask leaves empty."
    for axis, right in axes:
        weights = torch.softmax(scores.masked_fill(mask == 0, -math.inf), axis)
        ask(weights.nan_to_num(0), mask, right, f"{right.capitalize()} {empty}")
    for number, (axis, right) in product((-math.inf, -9e15), axes):
        weights = torch.softmax(scores.masked_fill(mask == 0, number), axis)
        hint = f"The mask set as {number:g}: what stands in an empty row or column is"
        ask(weights, mask, right, f"{hint} not to count.")
    ring = (torch.eye(6) + torch.eye(6).roll(1, 0)) / 2
    ask(ring, (ring > 0).float(), "rows", "Rows and columns both sum to one.")


@check("2.4")
def _chunked_attention(function: Callable) -> None:
    z, *halves, noise = random((7, 2), (2,), (2,), (7, 7))
    mask = (noise > 0).float()
    mask[4] = 0  # an isolated node
    given = [half.clone() for half in halves]
    for chunk in (7, 3, 1, 100):
        what = f"With N = 7 and chunk = {chunk}"
        out = function(z.clone(), *given, mask.clone(), chunk)
        out = tensor(out, (7, 2), f"{what} the output")
        answers.close_nodes(out, z, mask, *halves, case=what)

    n = 300  # few enough for a loop over pairs, whose every step is recorded
    z, *halves, noise = random((n, 4), (4,), (4,), (n, n))
    few, many = (
        measure.peak_memory(partial(function, z, *halves, (noise > 1).float(), chunk))
        for chunk in (5, 60)
    )
    mistakes = {
        "Compute with PyTorch: the check sees its tensors only.": few < 4 * 2 * n,
        f"N = {n}, chunk = 5: it held {few:,} bytes at one moment; a full matrix of "
        f"scores takes {4 * n**2:,}.": few >= 4 * n**2,
        f"N = {n}: it held {few:,} bytes with chunk = 5 and {many:,} with chunk = 60. "
        "A chunk is a number of rows, not of pieces.": few > 2 * many,
    }
    refuse(mistakes)


@check("2.5")
def _neighbour_lists(function: Callable) -> None:
    first = GraphData(num_nodes=5, src=[1, 2, 3, 0, 0, 3, 0], dst=[0, 0, 0, 1, 3, 3, 4])
    twice = GraphData(num_nodes=3, src=[0, 0, 1, 2], dst=[1, 1, 1, 0])
    for graph in (first, twice):
        hint = "Return two things: the sources and the mask."
        answer = answers.parts(function(graph), 2, hint)
        shape, what = (graph.num_nodes, 3), "The longest list has 3 entries: the"
        sources = tensor(answer[0], shape, f"{what} sources")
        mask = tensor(answer[1], shape, f"{what} mask")
        dtype = torch.as_tensor(answer[0]).dtype
        floating, other = dtype.is_floating_point, (mask != 0) & (mask != 1)
        mistakes = {
            "The sources come first, then the mask.": dtype == torch.bool,
            "The sources should be integers, so that they can index.": floating,
            "The mask should hold True or False, or 1 or 0.": other.any(),
        }
        refuse(mistakes)
        for i in range(graph.num_nodes):
            listed = sorted(sources[i][mask[i] == 1].long().tolist())
            into = sorted(graph.src[graph.dst == i].tolist())
            hint = f"The edges into node {i} come from {into}, the list says {listed}."
            refuse({hint: listed != into})
