"""Pooling by attention, taught in four ways, on four kinds of graphs (chapter 8).

Each `measure_...` makes one run of a `Grid`; see `catalogue`. Networks and numbers are
those of Knyazev, Taylor and Amer, NeurIPS 2019, and of their code, but for these: Adam
is PyTorch's, with betas of 0.9 and 0.999 (theirs 0.5 and 0.999), and of each graph the
best node stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product

import torch
from torch import nn

from gat_course.datasets import counting
from gat_course.datasets.superpixels import SuperpixelPack, load_mnist_75sp
from gat_course.datasets.tu import load_tu, split_by_size
from gat_course.graph_models import NodePooling, PoolingNetwork
from gat_course.graph_packs import GraphPack
from gat_course.training.node_pooling import (
    attention_auc,
    evaluate_pooling,
    fit_pooling,
    node_effects,
    predict_pack,
    right,
)

TEACHING = ("global", "unsupervised", "supervised", "weakly supervised")


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    Args:
        network: options of `PoolingNetwork`, without those of pooling.
        before: layers before which it pools.
        score: one of `NodePooling`'s.
        thresholds: what pooling keeps is above it, for each kind of teaching.
        epochs: of a network that pools, and of one that does not.
        decay_at: for each of the two.
        beta: weight of the attention's loss where it is taught.
        scaled: as in `NodePooling`; the paper's recipes are not.
    """

    network: Mapping
    before: Sequence[int]
    score: str
    thresholds: Mapping[str, float]
    epochs: tuple[int, int]
    decay_at: tuple[Sequence[int], Sequence[int]]
    beta: float = 100.0
    scaled: bool = False


COLORS = Recipe(
    network={"widths": (64, 64), "readout": "sum", "order": 2},
    before=(2,),
    score="projection",
    thresholds={"unsupervised": 0.03, "supervised": 0.05, "weakly supervised": 0.05},
    epochs=(300, 100),
    decay_at=((280,), (90,)),
)
TRIANGLES = Recipe(
    network={
        "widths": (64, 64, 64),
        "readout": "max",
        "order": 7,
        "aggregation": "sum",
        "hidden": 64,
    },
    before=(2, 3),
    score="relu network",
    thresholds={"unsupervised": 1e-4, "supervised": 1e-3, "weakly supervised": 1e-2},
    epochs=(100, 100),
    decay_at=((85, 95), (85, 95)),
)
MNIST = Recipe(
    network={"widths": (4, 64, 512), "readout": "max", "order": 4, "dropout": 0.5},
    before=(3,),
    score="projection",
    thresholds=dict.fromkeys(TEACHING[1:], 0.01),
    epochs=(30, 30),
    decay_at=((20, 25), (20, 25)),
)
# Largest graph to train on, and the order of the layers, of each data set.
TU = {"PROTEINS": (25, 1), "DD": (300, 3), "COLLAB": (35, 3)}
TRIED = {"threshold": (0.001, 0.01, 0.05), "beta": (1.0, 10.0)}


def shorter(recipe: Recipe, epochs: int) -> Recipe:
    """The same recipe for fewer epochs; the learning rate falls at the same shares."""
    late = tuple(
        tuple(round(at * epochs / whole) for at in decays)
        for decays, whole in zip(recipe.decay_at, recipe.epochs, strict=True)
    )
    return replace(recipe, epochs=(epochs, epochs), decay_at=late)


def build(recipe: Recipe, kind: str, data: GraphPack) -> PoolingNetwork:
    """The untrained network for a kind of teaching."""
    pooling = None
    if kind != "global":
        threshold = recipe.thresholds[kind]
        pooling = NodePooling(
            recipe.before, recipe.score, threshold, scaled=recipe.scaled
        )
    return PoolingNetwork(
        data.num_features, data.num_classes, pooling=pooling, **recipe.network
    )


def teach(
    recipe: Recipe,
    kind: str,
    train: GraphPack,
    val: GraphPack,
    seed: int,
    progress: bool = False,
) -> PoolingNetwork:
    """Train a network in one of the ways `TEACHING`.

    "global" does not pool; "unsupervised" learns its attention from the task alone;
    "supervised" is shown the right attention; "weakly supervised" is shown
    `node_effects` of a network without attention, trained before on the same graphs.

    Raises:
        ValueError: `kind` is none of them.
    """
    if kind not in TEACHING:
        raise ValueError(f"kind must be one of {', '.join(TEACHING)}, got {kind!r}")
    if kind == "weakly supervised":
        train = labelled(recipe, train, val, seed, progress)
    torch.manual_seed(seed)
    model = build(recipe, kind, train).to(train.device)
    pools = 0 if kind == "global" else 1
    fit_pooling(
        model,
        train,
        val,
        beta=recipe.beta if kind in TEACHING[2:] else 0.0,
        max_epochs=recipe.epochs[1 - pools],
        decay_at=recipe.decay_at[1 - pools],
        progress=progress,
    )
    return model


def labelled(
    recipe: Recipe, train: GraphPack, val: GraphPack, seed: int, progress: bool = False
) -> GraphPack:
    """The training graphs with weak labels, of a network without attention."""
    teacher = teach(recipe, "global", train, val, seed, progress)
    return train.with_attention(node_effects(teacher, train))


def by_size(
    model: nn.Module, pack: GraphPack, limits: Sequence[int]
) -> dict[str, float]:
    """Accuracy in percent among graphs of at most so many nodes, and above the last."""
    hits = right(predict_pack(model, pack)[0], pack)
    found, low = {}, 0
    for high in limits:
        own = (pack.sizes > low) & (pack.sizes <= high)
        if bool(own.any()):
            found[f"to {high} nodes"] = 100 * float(hits[own].mean())
        low = high
    return found


def scores(model: PoolingNetwork, tests: Mapping[str, GraphPack]) -> dict[str, float]:
    """Accuracy, and what is known of the attention, on each test set."""
    found = {}
    for name, pack in tests.items():
        own = evaluate_pooling(model, pack)
        found[name] = own.pop("accuracy")
        found |= {f"{name}, {what}": value for what, value in own.items()}
    return found


@lru_cache(maxsize=1)
def _colors(dim: int, seed: int) -> dict[str, GraphPack]:
    return counting.colors(dim=dim, seed=seed)


def measure_colors(kind: str, dim: int, seed: int) -> dict[str, float]:
    """Accuracy and AUC in percent on COLORS' three test sets.

    Of "global" the AUC on Test-Orig is that of `node_effects`.
    """
    sets = _colors(dim, seed)
    train, val = sets["train"], _some(sets["val"])
    tests = _tests(sets)
    start = {}
    if kind != "global":
        torch.manual_seed(seed)  # the network that `teach` starts from
        alone = evaluate_pooling(build(COLORS, kind, train), tests["Test-Orig"])
        start = {"start, auc": alone["auc"]}
    model = teach(COLORS, kind, train, val, seed)
    found = scores(model, tests) | start
    if kind == "global":
        effects = node_effects(model, tests["Test-Orig"])
        found["Test-Orig, auc"] = attention_auc(tests["Test-Orig"].attention, effects)
    limits = (25, 50, 100, 150, 200)
    return found | by_size(model, tests["Test-Large"], limits)


def measure_input(dim: int, seed: int) -> dict[str, float]:
    """The same for supervised attention that pools before the first layer."""
    sets = _colors(dim, seed)
    recipe = replace(COLORS, before=(1,))
    val = _some(sets["val"])
    model = teach(recipe, "supervised", sets["train"], val, seed)
    return scores(model, _tests(sets))


def measure_readouts(readout: str, seed: int) -> dict[str, float]:
    """Accuracy in percent on COLORS of global pooling by a sum, mean or maximum."""
    sets = _colors(3, seed)
    recipe = replace(COLORS, network=dict(COLORS.network) | {"readout": readout})
    val = _some(sets["val"])
    model = teach(recipe, "global", sets["train"], val, seed)
    return scores(model, _tests(sets))


def measure_layers(task: str, layer: str, kind: str, seed: int) -> dict[str, float]:
    """Accuracy in percent on COLORS or TRIANGLES of the four kinds of layers.

    TRIANGLES with 2,000 graphs and 30 epochs.
    """
    if task == "colors":
        sets, recipe = _colors(3, seed), COLORS
    else:
        sets, recipe = _triangles(2000), shorter(TRIANGLES, 30)
    network = dict(recipe.network)
    one = {"order": 1} if layer in ("GCN", "GIN") else {}
    how = "sum" if "GIN" in layer else "mean"
    recipe = replace(recipe, network=network | one | {"aggregation": how})
    val = _some(sets["val"])
    model = teach(recipe, kind, sets["train"], val, seed)
    return scores(model, _tests(sets))


def _some(pack: GraphPack) -> GraphPack:
    """At most 200 graphs: enough to watch a training."""
    return pack.take(range(min(200, len(pack))))


def _tests(sets: Mapping[str, GraphPack]) -> dict[str, GraphPack]:
    return {part: pack for part, pack in sets.items() if part.startswith("Test")}


@lru_cache(maxsize=1)
def _triangles(num_train: int) -> dict[str, GraphPack]:
    return counting.triangles(num_train, 500, 5000)


def measure_triangles(
    kind: str, graphs: int, epochs: int, seed: int, score: str = "relu network"
) -> dict[str, float]:
    """Accuracy and AUC in percent on TRIANGLES' two test sets."""
    sets = _triangles(graphs)
    tests = _tests(sets)
    recipe = replace(shorter(TRIANGLES, epochs), score=score)
    model = teach(recipe, kind, sets["train"], sets["val"], seed)
    limits = (25, 40, 60, 80, 100)
    return scores(model, tests) | by_size(model, tests["Test-Large"], limits)


@lru_cache(maxsize=1)
def _mnist(graphs: int) -> dict[str, SuperpixelPack]:
    return load_mnist_75sp(graphs, workers=2)


def measure_mnist(
    kind: str, graphs: int, epochs: int, seed: int, scaled: bool = False
) -> dict[str, float]:
    """Accuracy and AUC in percent on MNIST-75SP's three test sets."""
    sets = _mnist(graphs)
    tests = _tests(sets)
    recipe = replace(shorter(MNIST, epochs), scaled=scaled)
    model = teach(recipe, kind, sets["train"], sets["val"], seed)
    return scores(model, tests)


@cache
def _tu(name: str) -> GraphPack:
    return load_tu(name)


def tu_recipe(name: str, threshold: float, beta: float) -> Recipe:
    """The network for PROTEINS, DD or COLLAB, of 50 epochs."""
    late = (25, 35, 45)
    return Recipe(
        network={
            "widths": (64, 64, 64),
            "readout": "max",
            "order": TU[name][1],
            "dropout": 0.1,
        },
        before=(3,),
        score="projection",
        thresholds=dict.fromkeys(TEACHING[1:], threshold),
        epochs=(50, 50),
        decay_at=(late, late),
        beta=beta,
    )


def measure_tu(name: str, kind: str, seed: int) -> dict[str, float]:
    """Accuracy in percent on large graphs, trained on small ones.

    Where there is something to choose, a fifth of the training graphs chooses it: the
    threshold, and of weakly supervised attention its weight in the loss.
    """
    pack, largest = _tu(name), TU[name][0]
    small = int((pack.sizes <= largest).sum())
    train, test = split_by_size(pack, largest, min(500, small), seed)
    thresholds = TRIED["threshold"] if kind != "global" else TRIED["threshold"][:1]
    betas = TRIED["beta"] if kind == "weakly supervised" else TRIED["beta"][:1]
    tried = [tu_recipe(name, t, b) for t, b in product(thresholds, betas)]
    cut = len(train) // 5
    held, own = train.take(range(cut)), train.take(range(cut, len(train)))
    weak = kind == "weakly supervised"
    known = "supervised" if weak else kind  # labels once for all trials: one teacher
    best = tried[0]
    if len(tried) > 1:
        given = labelled(best, own, held, seed) if weak else own
        found = [
            evaluate_pooling(teach(recipe, known, given, held, seed), held)["accuracy"]
            for recipe in tried
        ]
        best = tried[max(range(len(tried)), key=found.__getitem__)]
    given = labelled(best, train, held, seed) if weak else train
    model = teach(best, known, given, held, seed)
    left = evaluate_pooling(model, test)
    chosen = {"threshold": best.thresholds[TEACHING[1]], "beta": best.beta}
    return {"test": left.pop("accuracy")} | left | (chosen if len(tried) > 1 else {})


def picture_of(task: str) -> dict[str, GraphPack]:
    """The test graphs whose weights `measure_picture` keeps, one to a pack.

    A graph of TRIANGLES, larger than those to train on; or MNIST's first test image,
    without and with noise.

    >>> from gat_course.experiments import pooling
    >>> pooling.picture_of("triangles")
    {'Test-Large': GraphPack('TRIANGLES, Test-Large', 1 graphs, ...)}
    """
    if task == "triangles":
        pack = counting.triangles(1, 1, 60, seed=1)["Test-Large"]
        inside = (pack.sizes >= 35) & (pack.sizes <= 50) & (pack.y >= 4)
        return {"Test-Large": pack.take(inside.nonzero()[0])}
    sets = _tests(_mnist(6000))
    return {part: pack.choose([0]) for part, pack in sets.items()}


def measure_picture(task: str, kind: str, seed: int) -> dict[str, float]:
    """The weight of each node of one graph, and whether it stays, 1 or 0.

    The network is that of "triangles-part" or of "mnist-75sp-scaled".
    """
    if task == "triangles":
        sets, recipe = _triangles(10_000), shorter(TRIANGLES, 30)
    else:
        sets, recipe = _mnist(6000), replace(shorter(MNIST, 20), scaled=True)
    model = teach(recipe, kind, sets["train"], sets["val"], seed)
    found = {}
    for part, pack in picture_of(task).items():
        _, (alpha,), (kept,) = predict_pack(model, pack)
        for node, (weight, stays) in enumerate(zip(alpha, kept, strict=True)):
            found[f"{part}, node {node}"] = float(weight)
            found[f"{part}, node {node} stays"] = float(stays)
    return found
