"""The experiments of chapters 7, 8 and 10; `gat-course reproduce NAME` makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gat_course.datasets.puzzles import MIXED
from gat_course.experiments import (
    claims,
    costs,
    departures,
    grids,
    pooling,
    scale,
    variants,
)
from gat_course.experiments.grids import Grid

if TYPE_CHECKING:
    import pandas as pd

SEEDS, MANY = range(5), range(10)


def _taught(
    name: str, graphs: int, epochs: int, seeds: Sequence[int], stored: bool = True
) -> Grid:
    """Attention taught in four ways, on so many graphs for so many epochs."""
    kinds = list(pooling.TEACHING)
    sizes = {"graphs": [graphs], "epochs": [epochs]}
    measure, what = {
        "triangles": (pooling.measure_triangles, "triangles counted"),
        "mnist-75sp": (pooling.measure_mnist, "digits made of superpixels"),
    }[name.removesuffix("-part")]
    about = f"{what}, with attention taught in four ways"
    axes = {"kind": kinds} | sizes | {"seed": seeds}
    return Grid(name, axes, measure, about, stored=stored)


def _grown(name: str, seeds: Sequence[int]) -> Grid:
    """Classes of large graphs, trained on small ones."""
    kinds = ["global", "unsupervised", "weakly supervised"]
    axes = {"name": [name], "kind": kinds, "seed": seeds}
    about = "classes of large graphs, trained on small ones"
    return Grid(name.lower(), axes, pooling.measure_tu, about)


GRIDS = {
    grid.name: grid
    for grid in (
        Grid(
            "lookup",
            {
                "layer": ["GAT", "GATv2", "dot product"],
                "keys": [4, 8, 12, 16, 20],
                "heads": [1, 8],
                "seed": SEEDS,
            },
            variants.measure_lookup,
            "a dictionary looked up by one layer of attention",
        ),
        Grid(
            "mixed",
            {
                "layer": ["uniform", "encoder, uniform", "GAT", "edge features"],
                "task": list(MIXED),
                "heads": [1, 8],
                "seed": SEEDS,
            },
            variants.measure_mixed,
            "kinds of nodes and edges that decide, or do not",
        ),
        Grid(
            "esol",
            {
                "split": ["random", "scaffold", "made-up"],
                "readout": ["sum", "mean", "max", "attention"],
                "bonds": [True, False],
                "seed": SEEDS,
            },
            variants.measure_esol,
            "solubility of molecules, RMSE of the logarithm",
            lambda s: s["split"] != "made-up" or s["readout"] == "mean",
        ),
        Grid(
            "beta",
            {"seed": SEEDS},
            variants.measure_beta,
            "what a readout's attention says about a molecule",
        ),
        Grid(
            "links",
            {"encoder": ["MLP", "GCN", "GAT"], "leak": [False, True], "seed": MANY},
            variants.measure_links,
            "links of Cora, AUC and hits",
        ),
        Grid(
            "depth",
            {
                "model": ["GCN", "GAT", "GATv2"],
                "skip": list(claims.SKIPS),
                "depth": [2, 4, 8, 16, 32],
                "seed": SEEDS,
            },
            claims.measure_depth,
            "networks of 2 to 32 layers on Cora",
            lambda s: s["depth"] > 2 or s["skip"] == "none",
        ),
        Grid(
            "reach",
            {
                "layer": ["GAT", "uniform"],
                "hops": [2, 4, 6],
                "extra": [-1, 0, 2],
                "seed": SEEDS,
            },
            claims.measure_reach,
            "a word passed on over some steps",
        ),
        Grid(
            "transfer",
            {"weights": list(claims.WEIGHTS), "task": ["mean", "count"], "seed": MANY},
            claims.measure_transfer,
            "trained on a graph of degree 8, tested on others",
        ),
        Grid(
            "explain",
            {"name": ["cora", "citeseer"], "seed": SEEDS},
            claims.measure_explain,
            "what deleting an edge does to a prediction",
        ),
        Grid(
            "colors",
            {"kind": list(pooling.TEACHING), "dim": [3, 16], "seed": range(20)},
            pooling.measure_colors,
            "green nodes counted, with attention taught in four ways",
            lambda s: s["dim"] == 3 or s["seed"] < 5,
        ),
        Grid(
            "colors-input",
            {"dim": [3, 16], "seed": SEEDS},
            pooling.measure_input,
            "green nodes counted, pooled before the first layer",
        ),
        Grid(
            "readouts",
            {"readout": ["sum", "mean", "max"], "seed": SEEDS},
            pooling.measure_readouts,
            "green nodes counted without attention, by three readouts",
        ),
        Grid(
            "layers",
            {
                "task": ["colors", "triangles"],
                "layer": ["GCN", "GIN", "ChebyNet", "ChebyGIN"],
                "kind": ["global", "supervised"],
                "seed": range(3),
            },
            pooling.measure_layers,
            "counted by four kinds of layers",
        ),
        _taught("triangles", 30_000, 100, range(5), stored=False),  # hours
        _taught("triangles-part", 10_000, 30, range(3)),
        Grid(
            "triangles-once",
            {
                "kind": list(pooling.TEACHING),
                "graphs": [30_000],
                "epochs": [100],
                "seed": [0],
            },
            pooling.measure_triangles,
            "triangles counted at the paper's size, one run of each kind",
        ),
        Grid(
            "triangles-open",
            {
                "kind": list(pooling.TEACHING[1:]),
                "graphs": [10_000],
                "epochs": [30],
                "score": ["network"],
                "seed": range(3),
            },
            pooling.measure_triangles,
            "triangles counted, with scores that do not end in a ReLU",
        ),
        _taught("mnist-75sp", 55_000, 30, range(5), stored=False),  # hours
        _taught("mnist-75sp-part", 6_000, 20, range(3)),
        Grid(
            "mnist-75sp-scaled",
            {
                "kind": list(pooling.TEACHING[1:]),
                "graphs": [6_000],
                "epochs": [20],
                "scaled": [True],
                "seed": range(3),
            },
            pooling.measure_mnist,
            "digits made of superpixels, with weights times the number of nodes",
        ),
        Grid(
            "pictures",
            {
                "task": ["triangles", "mnist"],
                "kind": list(pooling.TEACHING[1:]),
                "seed": [0],
            },
            pooling.measure_picture,
            "weights of the nodes of one graph, for figures",
        ),
        Grid(
            "costs",
            {
                "edges": [10**4, 10**5, 10**6, 10**7, 10**8],
                "degree": [5, 20],
                "degrees": list(costs.EXPONENT),
                "widths": list(costs.WIDTHS),
                "seed": range(3),
            },
            costs.measure_costs,
            "time and memory of full-batch training, one thread",
            # A run of the largest takes minutes and 20 GB; others would not fit.
            lambda s: (
                (s["edges"] <= 10**6 or s["seed"] == 0)
                and (
                    s["edges"] < 10**8
                    or (s["degree"], s["widths"] == "4 of 32") == (20, False)
                )
            ),
        ),
        Grid(
            "costs-real",
            {
                "graph": list(scale.LARGE[1:]),
                "numbers": ["as given", "shuffled"],
                "seed": range(3),
            },
            scale.measure_real,
            "time and memory of full-batch training on real graphs, one thread",
        ),
        Grid(
            "fanouts",
            {
                "graph": ["cora", "power law"],
                "edges": ["full batch", *reversed(scale.FANOUTS)],
                "seed": SEEDS,
            },
            scale.measure_fanout,
            "accuracy when each layer sees only some of a node's edges",
        ),
        Grid(
            "throughput",
            {"graph": list(scale.LARGE), "fanout": [5, 10, 25], "seed": range(3)},
            scale.measure_throughput,
            "batches drawn, and trained on, beside DGL",
        ),
        Grid(
            "processes",
            {"processes": list(scale.PROCESSES), "seed": range(3)},
            scale.measure_processes,
            "an epoch in one process and in two",
        ),
        Grid(
            "partitions",
            {
                "graph": list(scale.LARGE),
                "method": ["random", "METIS"],
                "parts": [2, 4, 8, 16],
                "seed": range(3),
            },
            scale.measure_partition,
            "edges and nodes that cross from part to part",
        ),
        Grid(
            "machines",
            {"method": ["random", "metis"], "seed": range(3)},
            scale.measure_machines,
            "bytes between two servers and two trainers on one host",
        ),
        Grid(
            "departures",
            {"change": list(departures.CHANGES), "seed": MANY},
            departures.measure_departure,
            "accuracy on Cora with one thing other than in the paper",
        ),
        _grown("PROTEINS", SEEDS),
        _grown("DD", range(3)),
        _grown("COLLAB", range(3)),
    )
}


def stored(name: str) -> pd.DataFrame:
    """The runs of an experiment that come with the package, a row for each.

    Raises:
        KeyError: there is no such experiment.

    >>> catalogue.stored("explain").columns.tolist()
    ['name', 'seed', 'most attended', 'largest gradient', ...]
    """
    return grids.stored(GRIDS[name])
