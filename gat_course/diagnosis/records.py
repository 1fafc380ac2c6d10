"""What can be seen without the model: the data, and what a training recorded."""

from collections.abc import Iterator

import torch

from gat_course.diagnosis.findings import Finding
from gat_course.diagnosis.patient import Unfit, dense
from gat_course.graph import GraphData

Result = Finding | Unfit | None  # found, not to be examined, as in the paper
_LOSSES = ("val_loss", "valid_loss", "validation_loss")


def on_the_data(graph: GraphData) -> Iterator[tuple[str, Result]]:
    """The graph itself: features, edges, split."""
    x = dense(graph.x)
    sums = x.sum(dim=1)
    found = None
    counts = bool((x >= 0).all()) and float((x == 0).double().mean()) > 0.5
    used = sums[sums > 0]
    if counts and len(used) > 1 and float(used.std() / used.mean()) > 1e-2:
        low, high = float(used.min()), float(used.max())
        found = Finding(
            "features not normalised", f"rows sum to {low:g} up to {high:g}"
        )
    whole = len(used) > 0 and float((used - 1).abs().max()) < 1e-2
    if found is None and not whole:
        found = Unfit("the features are no counts")
    yield "row-normalised features", found
    key = graph.src * graph.num_nodes + graph.dst
    back = graph.dst * graph.num_nodes + graph.src
    other = graph.src != graph.dst
    alone = ~torch.isin(key[other], back[other])
    share = float(alone.double().mean()) if len(alone) else 0.0
    found = None
    if share > 0.5:
        found = Finding("one way", f"{share:.0%} of the edges", "possible")
    yield "edges in both directions", found
    repeats = len(key) - len(key.unique())
    found = None
    if repeats:
        found = Finding("edges repeated", f"{repeats:,} of {len(key):,} edges")
    yield "each edge once", found
    yield "masks apart", _split(graph)


def _split(graph: GraphData) -> Result:
    masks = {n: getattr(graph, f"{n}_mask") for n in ("train", "val", "test")}
    there = {name: mask for name, mask in masks.items() if mask is not None}
    if not there:
        return Unfit("the graph has no masks")
    problems = [f"there is no {n}_mask" for n in masks if n not in there]
    problems += [f"{n}_mask is empty" for n, m in there.items() if not bool(m.any())]
    for a, b in (("train", "test"), ("val", "test"), ("train", "val")):
        if a in there and b in there and (both := int((there[a] & there[b]).sum())):
            problems.append(f"{both} nodes are in {a}_mask and {b}_mask")
    return Finding("split", "; ".join(problems)) if problems else None


def on_the_history(
    history: dict[str, list[float]],
) -> Iterator[tuple[str, Result]]:
    """What a training recorded, epoch by epoch."""
    names = [n for n in history if n in _LOSSES]
    if not names:
        recorded = ", ".join(sorted(history)) or "nothing"
        found: Result = Unfit(f"it has no val_loss; it has {recorded}")
        asked = any(name.startswith("val") for name in history)
        if any(name.startswith("test") for name in history) and not asked:
            found = Finding("chosen by test", f"recorded: {recorded}")
        yield "history", found
        return
    losses = history[names[0]]
    if not losses:
        yield "history", Unfit(f"its {names[0]} is empty")
        return
    values = torch.as_tensor(losses, dtype=torch.float64)
    if not bool(values.isfinite().all()):
        first = int((~values.isfinite()).long().argmax()) + 1
        yield "history", Finding("loss not finite", f"from epoch {first} on")
        return
    best, length = int(values.argmin()), len(values)
    found = None
    spread = float(values.max() - values.min())
    if length > 5 and spread < 1e-4 * float(values.abs().max()):
        yield "history", Finding("loss does not move", f"by {spread:.1g} in all")
        return
    if best >= length - max(5, length // 50):
        found = Finding("too few epochs", f"best in epoch {best + 1} of {length}")
    yield "epochs enough", found
    found = None
    if length - best > 150:
        found = Finding(
            "trained too long", f"best in epoch {best + 1} of {length}", "likely"
        )
    yield "early stopping", found
