"""One step of each layer that `gat-course bench` measures, the course's and others'."""

import importlib.util
from collections.abc import Callable, Iterable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import datasets, dgl_compat
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers.fused import FusedGATLayer
from gat_course.layers.gat import DenseGATLayer, EdgeGATLayer
from gat_course.models import Stack
from gat_course.weights import Merged

# The contenders. "course" trains as `fit` does, on the part of a graph that the loss
# looks at; "whole" computes all nodes, as the libraries' examples do. The tricks of the
# others: the same part of the graph, sparse features, dropout by the course's function
# and a fused Adam.
NAMES = {
    "course": "course",
    "whole": "course, all nodes",
    "edges": "course, edge list",
    "dense": "course, dense",
    "dgl": "DGL",
    "dgl+": "DGL, every trick",
    "pyg": "PyG",
    "pyg+": "PyG, every trick",
}
PACKAGES = {"dgl": "dgl", "pyg": "torch_geometric"}


def installed(contenders: Iterable[str]) -> list[str]:
    """Those contenders whose library is here, DGL in a version that can be used."""
    needs = {name: PACKAGES.get(name.rstrip("+"), "torch") for name in contenders}
    found = {name for name in needs.values() if importlib.util.find_spec(name)}
    if "dgl" in found and not dgl_compat.has_dgl():
        found.remove("dgl")
    return [name for name in needs if needs[name] in found]


class Dropping(nn.Module):
    """A library's layer with dropout before it, as the libraries' examples write it.

    Args:
        layer: called as `layer(graph, x)`.
        drop: dropout on its input.
        trick: dropout by the course's function, on stored values alone.
    """

    def __init__(self, layer: nn.Module, drop: float, trick: bool) -> None:
        super().__init__()
        self.layer, self.drop = layer, drop
        self.dropout = dropout if trick else F.dropout

    def forward(self, graph, x: Tensor) -> Tensor:
        x = self.dropout(x, self.drop, self.training) if self.drop else x
        return self.layer(graph, x)


def build_layer(
    contender: str,
    features: int,
    width: int,
    heads: int,
    merge: str = "concat",
    drop: float = 0.0,
    residual: bool = False,
) -> nn.Module:
    """One contender's layer, called as `layer(graph, x)`; see `GATLayer`.

    Dropout on the input of a library's layer is left to the model.
    """
    library, size = contender.rstrip("+"), (features, width, heads)
    if library == "dgl":
        options = {"attn_drop": drop, "allow_zero_in_degree": True}
        conv = dgl_compat.import_dgl().nn.GATConv
        return Merged(conv(*size, residual=residual, **options), merge)
    if library == "pyg":
        return _PyGConv(*size, merge == "concat", dropout=drop, residual=residual)
    layer = {"edges": EdgeGATLayer, "dense": DenseGATLayer}.get(library, FusedGATLayer)
    return layer(*size, merge, residual=residual, feat_drop=drop, attn_drop=drop)


def build_model(
    contender: str, sizes: list[tuple[int, int, int]], drop: float, residual: bool
) -> Stack:
    """The network of one contender.

    Args:
        contender: a key of `NAMES`.
        sizes: of each layer: features in, features of a head, heads. The last layer's
            heads are averaged, the others' concatenated.
        drop: dropout on inputs and attention.
        residual: residual connections on all layers but the first.
    """
    merges = ["concat"] * (len(sizes) - 1) + ["mean"]
    layers = [
        build_layer(contender, *size, merge, drop, residual and number > 0)
        for number, (size, merge) in enumerate(zip(sizes, merges, strict=True))
    ]
    if contender.rstrip("+") in PACKAGES:  # the course's layers drop by themselves
        trick = contender.endswith("+")
        layers = [Dropping(layer, drop, trick) for layer in layers]
    return Stack(layers)


class _PyGConv(nn.Module):
    """PyG's layer with the order of arguments of the others."""

    def __init__(self, *size, **options) -> None:
        super().__init__()
        from torch_geometric.nn import GATConv

        self.conv = GATConv(*size, add_self_loops=False, **options)

    def forward(self, graph, x: Tensor) -> Tensor:
        return self.conv(x, graph)


def _native(contender: str, graph: GraphData, x: Tensor):
    """Graph and features in the form in which a library takes them."""
    if contender in PACKAGES and x.layout != torch.strided:
        x = x.to_dense()  # without the tricks
    if contender.startswith("dgl"):
        return graph.dgl(), x
    if contender.startswith("pyg"):
        return torch.stack([graph.src, graph.dst]), x
    return graph, x


def _training_step(
    contender: str, model: nn.Module, graph: GraphData, loss: Callable
) -> Callable[[], object]:
    native, x = _native(contender, graph, graph.x)
    fused = contender not in PACKAGES  # as their examples call Adam: without
    optimizer = torch.optim.Adam(
        model.parameters(), lr=0.005, weight_decay=5e-4, fused=fused
    )
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        loss(model(native, x)).backward()
        optimizer.step()

    return step


def citation_step(contender: str, name: str) -> Callable[[], object]:
    """One training step of the paper's GAT on a citation graph.

    Args:
        contender: a key of `NAMES`.
        name: "cora" or "citeseer"; without the data its synthetic stand-in is used.
    """
    graph = datasets.load(name, fallback="synthetic").with_self_loops()
    if contender in ("course", "dgl+", "pyg+"):
        graph = graph.receptive_field(graph.train_mask, 2)
    sizes = [(graph.num_features, 8, 8), (64, graph.num_classes, 1)]
    torch.manual_seed(0)
    model = build_model(contender, sizes, 0.6, False)
    labels = graph.y[graph.train_mask]

    def loss(logits: Tensor) -> Tensor:
        return F.cross_entropy(logits[graph.train_mask], labels)

    return _training_step(contender, model, graph, loss)


def ppi_sized_step(contender: str, scale: int = 1) -> Callable[[], object]:
    """One training step of the paper's PPI network on two random graphs of that size.

    4,744 nodes, 137,000 edges, 50 features, 121 labels; 4 heads of 256, 4 of 256, 6 of
    121 averaged, residual connections on the last two layers, no dropout.

    Args:
        contender: a key of `NAMES`.
        scale: divide nodes, edges and widths by it.
    """
    torch.manual_seed(0)
    nodes, edges, width = 4744 // scale, 137_000 // scale, 256 // scale
    half = nodes // 2  # two graphs in one, without an edge between them
    ends = torch.randint(0, half, (2, edges - nodes))
    ends = ends + half * torch.randint(0, 2, (edges - nodes,))
    loops = torch.arange(nodes).expand(2, -1)
    graph = GraphData.from_edges(
        *torch.cat([ends, loops], dim=1),
        x=torch.randn(nodes, 50),
        y=torch.randint(0, 2, (nodes, 121)).float(),
        name="two graphs of PPI's size",
    )
    sizes = [(50, width, 4), (4 * width, width, 4), (4 * width, 121, 6)]
    model = build_model(contender, sizes, 0.0, True)
    loss = partial(F.binary_cross_entropy_with_logits, target=graph.y)
    return _training_step(contender, model, graph, loss)


def layer_step(
    contender: str, num_edges: int, num_heads: int = 8
) -> Callable[[], object]:
    """Forward and backward of one layer, 64 features to `num_heads` heads of 8.

    Args:
        contender: a key of `NAMES`.
        num_edges: of a random graph with a tenth as many nodes.
        num_heads: $K$.
    """
    torch.manual_seed(0)
    nodes = max(num_edges // 10, 1)
    ends = torch.randint(0, nodes, (2, num_edges))
    graph = GraphData.from_edges(*ends, x=torch.randn(nodes, 64), name="random")
    layer = build_layer(contender, 64, 8, num_heads)
    native, x = _native(contender, graph, graph.x)

    def step() -> None:
        layer.zero_grad()
        layer(native, x).sum().backward()

    return step
