"""What a chapter's run leaves for the interactive figures of its page.

`tools/notebooks.py execute` calls `write` in the kernel of a notebook that ran on real
data; each function here takes the names that the notebook ended with, and returns what
becomes `book/_static/figures/NAME.json`. The page's script computes from these numbers
(`site/src`), and `tests/test_figures.py` compares what it finds with the package.
"""

import base64
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gat_course import GraphData, attention, formulas
from gat_course.experiments.variants import OneLayer
from gat_course.layers import FusedGATLayer, GATv2Layer
from gat_course.layers.gat import GATLayer
from tools.book import ROOT

FOLDER = ROOT / "book" / "_static" / "figures"
MAX_BYTES = 400_000
Names = dict[str, Any]


def write(figures: list[str], names: Names) -> None:
    """Write the files of these figures, all or none."""
    makers = {make.__name__: make for make in (cora, senders, tissues, lookup)}
    made = {name: makers[name](names) for name in figures}
    texts = {n: json.dumps(own, separators=(",", ":")) for n, own in made.items()}
    for name, text in texts.items():
        if len(text) > MAX_BYTES:
            raise ValueError(f"{name}.json has {len(text)} bytes, at most {MAX_BYTES}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (FOLDER / f"{name}.json").write_text(f"{text}\n", "utf-8")


def packed(values: Tensor, kind: str) -> str:
    """Base64 of numbers in the little-endian type that the page reads."""
    array = values.detach().cpu().numpy()
    if not np.isfinite(array).all():
        raise ValueError("a number is NaN or infinite")
    if kind == "u2" and not (array == array.astype("<u2")).all():
        raise ValueError("the numbers are no integers of 16 bits")
    return base64.b64encode(np.ascontiguousarray(array, f"<{kind}")).decode()


def halves(model: torch.nn.Module, graph: GraphData) -> list[tuple[Tensor, Tensor]]:
    """What each layer's scores add up: `s_dst` and `s_src` of every node, `[N, K]`."""
    inputs = {}
    layers = [m for m in model.modules() if isinstance(m, GATLayer)]

    def note(layer, given):
        inputs[layer] = given[1]

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    with torch.no_grad():
        try:
            model.eval()(graph, graph.x)
        finally:
            for hook in hooks:
                hook.remove()
        found = []
        for layer in layers:
            z = formulas.transform(inputs[layer], layer.weight)
            z = z.view(-1, layer.num_heads, layer.out_features)
            found.append(((z * layer.att_dst).sum(-1), (z * layer.att_src).sum(-1)))
    return found


def network(model: torch.nn.Module, graph: GraphData) -> Names:
    """A graph and, for each layer and head, what its attention is computed from."""
    if graph.edge_weight is not None:
        raise ValueError("the page's attention knows no weights of edges")
    (slope,) = {m.negative_slope for m in model.modules() if isinstance(m, GATLayer)}
    order = graph.dst.argsort(stable=True)
    s = halves(model, graph)
    every = torch.cat([torch.stack(pair).permute(2, 0, 1) for pair in s])  # [K, 2, N]
    return {
        "heads": [len(dst.T) for dst, _ in s],
        "slope": slope,
        "degrees": packed(graph.in_degrees, "u2"),
        "sources": packed(graph.src[order], "u2"),
        "halves": packed(every, "f4"),
    }


def cora(names: Names) -> Names:
    """Chapter 5's network after training, and what it says of each paper."""
    graph = names["graph"].to("cpu")
    model = names["runs"]["GAT"][0].model.to("cpu").eval()
    with torch.no_grad():
        predicted = model(graph, graph.x).argmax(dim=1)
    return {
        "name": graph.name,
        "classes": names["class_names"],
        "labels": "".join(map(str, graph.y.tolist())),
        "predicted": "".join(map(str, predicted.tolist())),
        "start": names["node"],  # the paper of the chapter's figure
        **network(model, graph),
    }


def senders(names: Names) -> Names:
    """Chapter 6's made-up graphs, where only senders matter, and one layer on them."""
    graph = names["batch"]["senders"].to("cpu")
    model = names["worlds_runs"]["senders"]["one layer"][0].model.to("cpu")
    role = names["roles"]["senders"].long().cpu()
    return {
        "name": "made-up graphs with senders",
        "classes": ["receiver", "sender"],
        "labels": "".join(map(str, role.tolist())),
        **network(model, graph),
    }


def tissues(names: Names) -> Names:
    """Some genes that are in all 24 tissues: whom each hears in which, and how much."""
    data, model = names["tissues"], names["live"]["GAT"][0].model.to("cpu")
    if data.genes is None:
        raise ValueError("nobody says which gene a node is")
    graphs = [graph.to("cpu") for graph in data.graphs]
    genes = [numbers.cpu() for numbers in data.genes]
    alphas = [
        [alpha.mean(dim=1) for alpha in attention.extract(model, graph)]
        for graph in graphs
    ]
    everywhere = set.intersection(*(set(numbers.tolist()) for numbers in genes))
    found = []
    for gene in sorted(everywhere):
        heard: list[dict[int, list[float]]] = []
        for graph, numbers, layers in zip(graphs, genes, alphas, strict=True):
            into = (numbers[graph.dst] == gene).nonzero().flatten()
            from_ = numbers[graph.src[into]].tolist()
            weights = torch.stack([alpha[into] for alpha in layers], dim=1).tolist()
            heard.append(dict(zip(from_, weights, strict=True)))
        sources = sorted(set().union(*heard))
        if 5 <= len(sources) <= 30:
            found.append({"gene": gene, "sources": sources, "weights": heard})
    # Some fifteen of them, evenly from few sources to many.
    found.sort(key=lambda own: (len(own["sources"]), own["gene"]))
    start = next(own for own in found if own["gene"] == names["gene"])
    chosen = found[:: max(1, len(found) // 15)][:16]
    chosen += [start] if start not in chosen else []
    for own in chosen:
        own["weights"] = _table(own["sources"], own["weights"], len(alphas[0]))
    return {
        "name": data.name,
        "tissues": [graph.name.removeprefix("tissue ") for graph in graphs],
        "start": start["gene"],
        "genes": sorted(chosen, key=lambda own: own["gene"]),
    }


def _table(sources: list[int], heard: list[dict], num_layers: int) -> list:
    """Weights in units of 1e-5, `[layers, sources, tissues]`; -1 where no link is."""
    return [
        [
            [round(1e5 * here[s][layer]) if s in here else -1 for here in heard]
            for s in sources
        ]
        for layer in range(num_layers)
    ]


def lookup(names: Names) -> Names:
    """Chapter 7's two layers, trained to look values up among five keys."""
    models = {}
    for name, layer in (("GAT", FusedGATLayer), ("GATv2", GATv2Layer)):
        model: OneLayer = names["train_lookup"](layer).cpu()
        models[name] = {
            key: [round(v, 6) for v in value.flatten().tolist()]
            for key, value in model.state_dict().items()
        }
    one, layer = names["one"], model.layer
    keys = one.num_nodes // 2
    return {
        "keys": keys,
        "start": one.y[keys:].tolist(),  # the values in the chapter's figure
        "width": layer.out_features,
        "slope": layer.negative_slope,
        "models": models,
    }
