"""The probes: each puts a question to the model by the graphs that it is given.

A probe returns a finding, None where the model does as the paper's, or raises `Unfit`
where the model cannot be asked.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from gat_course.diagnosis import parameters
from gat_course.diagnosis.findings import Finding
from gat_course.diagnosis.patient import Patient, Trace, Unfit, dense

Probe = Callable[[Patient], Finding | None]


def _moved(before: Tensor, after: Tensor) -> float:
    """How far an output moved, in its own size."""
    size = float(before.abs().max()) + 1e-6
    return float((before - after).abs().max()) / size


LITTLE = 1e-4  # rounding moves an output by less


def close(before: Tensor, after: Tensor) -> bool:
    """Whether two outputs are the same but for rounding."""
    return _moved(before, after) <= LITTLE


def _broken(out: Tensor) -> bool:
    return not bool(out.isfinite().all())


# ------------------------------------------------------------ the output


def finite(patient: Patient) -> Finding | None:
    out = patient.run(patient.graph)
    if not _broken(out):
        return None
    rows = int((~out.isfinite()).any(dim=-1).sum())
    return Finding("not finite", f"{rows} of {len(out)} nodes")


def width(patient: Patient) -> Finding | None:
    y, out = patient.graph.y, patient.run(patient.graph)
    if y is None or (y.dim() == 1 and y.is_floating_point()):
        raise Unfit("the graph names no classes")
    classes = patient.graph.num_classes
    shape = list(out.shape)
    if out.dim() == 2 and shape[1] == classes:
        return None
    return Finding("wrong width", f"shape {shape} for {classes} classes")


def alike(patient: Patient) -> Finding | None:
    out = patient.run(patient.graph).flatten(1)
    if len(out) < 2:
        raise Unfit("there is one node")
    spread = float((out - out[:1]).abs().max())
    if spread > LITTLE * (float(out.abs().max()) + 1e-6):
        return None
    return Finding("one answer for all", f"outputs differ by {spread:.1g} at most")


def _many_labels(patient: Patient) -> bool:
    y = patient.graph.y
    return y is not None and y.dim() == 2


def squashed(patient: Patient) -> Finding | None:
    """Probabilities, a sigmoid or another activation at the end."""
    graph = patient.graph
    out = patient.run(graph)
    large = dense(graph.x)
    wide = [patient.run(replace(graph, x=s * large)) for s in (30, -30)]
    outs = torch.cat([out, *wide])
    if _broken(outs) or outs.dim() != 2:
        raise Unfit("the output is not finite, or no table")
    low, high = float(outs.min()), float(outs.max())
    sums = outs.sum(dim=1)
    if low >= 0 and float((sums - 1).abs().max()) < 1e-3 and outs.shape[1] > 1:
        return Finding("probabilities", "every row sums to 1")
    if low >= 0 and high <= 1:
        return Finding("sigmoid", f"outputs from {low:.2f} to {high:.2f}")
    if low >= 0 and float((outs == 0).double().mean()) > 0.02:
        return Finding("activation", "a ReLU: no output is below 0, and many are 0")
    if -1 <= low < -0.99 and high > 1.5:
        return Finding("activation", "an ELU: no output is below −1", "likely")
    return None


# ------------------------------------------------------------ dropout, slope, training


def steady(patient: Patient) -> Finding | None:
    def gap() -> float:
        return _moved(patient.run(patient.graph), patient.run(patient.graph))

    patient.noisy = gap() > LITTLE
    patient.restless = True
    found = gap()
    patient.restless = False
    if found <= LITTLE:
        return None
    return Finding(
        "random when evaluated",
        f"outputs differ by {found:.0%} of their size",
    )


def drops(patient: Patient) -> Finding | None:
    if _many_labels(patient):
        raise Unfit("the paper uses none where nodes have several labels")
    one = patient.run(patient.graph, training=True)
    two = patient.run(patient.graph, training=True)
    if _moved(one, two) > LITTLE:
        return None
    return Finding("no dropout", "two calls in train mode agree")


def _traced(patient: Patient) -> Trace:
    with Trace() as trace:
        patient.run(patient.graph, training=True)
    return trace


def slope(patient: Patient) -> Finding | None:
    slopes = sorted(set(_traced(patient).slopes))
    if not slopes:
        raise Unfit("no call of leaky_relu was seen")
    if all(abs(s - 0.2) < 1e-6 for s in slopes):
        return None
    sure = "certain"
    if any(abs(s - 0.2) < 1e-6 for s in slopes):
        sure = "possible"  # one of them may be no score's
    return Finding("slope", f"slope {', '.join(f'{s:g}' for s in slopes)}", sure)


def late_dropout(patient: Patient) -> Finding | None:
    early = _traced(patient).early
    if not early:
        return None
    return Finding("dropout before the softmax", f"its output goes into {early[0]}")


# ------------------------------------------------------------ the graph


def reads_graph(patient: Patient) -> Finding | None:
    graph = patient.graph
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(graph.num_nodes, generator=generator).to(graph.device)
    other = replace(graph, src=order[graph.src])
    before, after = patient.run(graph), patient.run(other)
    if _moved(before, after) > LITTLE:
        return None
    return Finding("graph kept", "all sources were exchanged, and nothing changed")


def other_sizes(patient: Patient) -> Finding | None:
    x = patient.rows(5)
    ring = [(i, (i + 1) % 5) for i in range(5)]
    try:
        patient.run(patient.small(5, [*ring, *[p[::-1] for p in ring]], x))
    except Unfit as error:
        return Finding("one size", f"a ring of 5 nodes: {error}", "likely")
    return None


def numbering(patient: Patient) -> Finding | None:
    n = 12
    generator = torch.Generator().manual_seed(1)
    ends = torch.randint(n, (2, 30), generator=generator)
    ring = torch.arange(n)
    src = torch.cat([ends[0], ring, ring])
    dst = torch.cat([ends[1], (ring + 1) % n, (ring - 1) % n])
    order = torch.randperm(n, generator=generator)
    x = patient.rows(n).cpu()
    before = patient.run(
        patient.small(n, list(zip(src.tolist(), dst.tolist(), strict=True)), x)
    )
    new = torch.empty_like(order)
    new[order] = torch.arange(n)
    pairs = list(zip(new[src].tolist(), new[dst].tolist(), strict=True))
    after = patient.run(patient.small(n, pairs, x[order]))
    gap = _moved(before[order], after)
    if gap <= 1e-3:
        return None
    return Finding("order", f"outputs differ by {gap:.0%} of their size")


def direction(patient: Patient) -> Finding | None:
    x, other, more = patient.rows(6).split(2)
    pairs = [(0, 1), (2, 0), (2, 3), (3, 2)]  # each node hears someone: DGL asks for it

    def at(first: Tensor, second: Tensor) -> Tensor:
        rows = torch.stack([first, second, *more])
        return patient.run(patient.small(4, pairs, rows))

    plain = at(*x)
    forward = _moved(plain[1], at(5 * other[0], x[1])[1]) > LITTLE
    backward = _moved(plain[0], at(x[0], 5 * other[1])[0]) > LITTLE
    if forward and not backward:
        return None
    if backward and not forward:
        return Finding("direction", "along 0 → 1 node 0 hears node 1, and 1 hears none")
    if backward:
        return Finding("both ways", "along 0 → 1 each of the two hears the other")
    raise Unfit("neither end of an edge hears the other")


def itself(patient: Patient) -> Finding | None:
    # One neighbour: its weight is 1, whatever node 0 says.
    x, other = patient.rows(3), patient.rows(4)[3]
    pairs = [(1, 0), (2, 1), (1, 2)]
    before = patient.run(patient.small(3, pairs, x))
    changed = x.clone()
    changed[0] = 5 * other
    after = patient.run(patient.small(3, pairs, changed))
    if _moved(before[0], after[0]) > LITTLE:
        return None
    return Finding("forgets itself", "its own features were exchanged without effect")


# ------------------------------------------------------------ the softmax


def normalisation(patient: Patient) -> Finding | None:
    """With equal features a softmax gives equal outputs, whatever the degrees."""
    few = [(0, 1), (2, 3), (2, 4), (2, 5), (6, 9), (7, 9), (8, 9)]
    far = [(10, 11), (12, 13), (10, 13), (12, 11)]
    # Sources hear a node of their own each, so that none hears nobody.
    heard = [0, 2, 6, 7, 8, 10, 11, 12, 13]
    own = [(14 + k, i) for k, i in enumerate(heard)]
    few += [*own, *[pair[::-1] for pair in own]]
    n = 14 + len(heard)
    row = patient.rows(1)
    out = patient.run(patient.small(n, few, row.expand(n, -1)))
    more = patient.run(patient.small(n, few + far, row.expand(n, -1)))
    if _broken(out):
        raise Unfit("the output is not finite")
    if _moved(out[1], more[1]) > LITTLE:
        return Finding("whole graph", "four edges elsewhere move a node's output")
    by_source, by_target = _moved(out[1], out[3]), _moved(out[1], out[9])
    if by_source > LITTLE:
        return Finding(
            "wrong axis",
            "equal features, one neighbour each: the output depends on how many "
            "others the neighbour speaks to",
        )
    if by_target > LITTLE:
        return Finding(
            "not normalised", "equal features: three neighbours give more than one"
        )
    return None


def without_path(patient: Patient) -> Finding | None:
    """Two components; the features of one become others of the same size."""
    pairs = [(0, 1), (1, 0), (0, 0), (1, 1), (2, 3), (3, 2), (2, 2), (3, 3)]
    x, other = patient.rows(4), patient.rows(8)[4:]
    before = patient.run(patient.bare(4, pairs, x))
    after = patient.run(patient.bare(4, pairs, torch.cat([other[:2], x[2:]])))
    if _same(before, after):
        return None
    return Finding(
        "nodes mixed", "other features in one component move the outputs of another"
    )


def isolated(patient: Patient) -> Finding | None:
    x, other = patient.rows(3), patient.rows(6)[3:]
    pairs = [(1, 2), (2, 1), (1, 1), (2, 2)]
    before = patient.run(patient.bare(3, pairs, x))
    if _broken(before[0]):
        return Finding("isolated is NaN", "a node without an edge, not even to itself")
    after = patient.run(patient.bare(3, pairs, torch.cat([x[:1], 5 * other[1:]])))
    if _moved(before[0], after[0]) <= LITTLE:
        return None
    return Finding(
        "isolated hears all", "others' features move a node without an edge to them"
    )


def range_of_scores(patient: Patient) -> Finding | None:
    """Two components; the features of one become very large."""
    pairs = [(0, 1), (1, 0), (0, 0), (1, 1), (2, 3), (3, 2), (2, 2), (3, 3)]
    x = patient.rows(4)
    before = patient.run(patient.bare(4, pairs, x))
    for size in (1e3, -1e3, 1e5, -1e5):
        large = torch.cat([size * x[:2], x[2:]])
        after = patient.run(patient.bare(4, pairs, large))
        if _broken(after[:2]) and (_broken(after[2:]) or not _same(before, after)):
            return Finding("overflow", f"features {size:g} times as large give NaN")
        if not _same(before, after):
            what = "NaN" if _broken(after[2:]) else "another output"
            return Finding(
                "one maximum", f"large features in one component give {what} in another"
            )
        if _broken(after[:2]):
            return Finding("overflow", f"features {size:g} times as large give NaN")
    return None


def _same(before: Tensor, after: Tensor) -> bool:
    """Whether the other component kept its output."""
    return not _broken(after[2:]) and _moved(before[2:], after[2:]) <= LITTLE


# Where one of these is found the later probes would see nothing but its consequences.
SPOILERS = {
    "not finite",
    "one answer for all",
    "graph kept",
    "order",
    "whole graph",
    "wrong axis",
    "nodes mixed",
}


def on_the_model() -> dict[str, Probe]:
    """The probes, by what they examine."""
    return {
        "graphs of other sizes": other_sizes,
        "finite output": finite,
        "one column for each class": width,
        "nodes told apart": alike,
        "logits": squashed,
        "same result twice": steady,
        "dropout": drops,
        "no dropout before the softmax": late_dropout,
        "slope": slope,
        "gradients": parameters.gradients,
        "registered parameters": parameters.registered,
        "the graph that is passed": reads_graph,
        "numbering": numbering,
        "softmax over a neighbourhood": normalisation,
        "nodes without a path": without_path,
        "direction": direction,
        "self-loops": itself,
        "isolated nodes": isolated,
        "large scores": range_of_scores,
    }
