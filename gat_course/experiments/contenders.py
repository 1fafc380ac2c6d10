"""One step of each layer that `gat-course bench` measures, the course's and others'."""

import importlib.util
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import datasets, dgl_compat
from gat_course.dropout import dropout
from gat_course.fused import FusedGATLayer
from gat_course.graph import GraphData
from gat_course.layers import DenseGATLayer, EdgeGATLayer

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


class Stack(nn.Module):
    """Layers one after the other, called as each library's examples call them.

    Args:
        layers: each is called as `layer(graph, x)`.
        contender: a key of `NAMES`.
        drop: dropout on each layer's input, where the layer does not do it itself.
    """

    def __init__(
        self, layers: Sequence[nn.Module], contender: str, drop: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        # The tricks: dropout by the course's function, on stored values alone.
        self.dropout = dropout if contender.endswith("+") else F.dropout
        outside = contender in ("pyg", "pyg+", "dgl+")
        self.drop = drop if outside else 0.0
        self.heads_apart = contender.startswith("dgl")  # its layers give [N, K, F']

    def forward(self, graph, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers, 1):
            last = number == len(self.layers)
            if self.drop:
                x = self.dropout(x, self.drop, self.training)
            x = layer(graph, x)
            if self.heads_apart:
                x = x.mean(1) if last else x.flatten(1)
            if not last:
                x = F.elu(x)
        return x


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

    Dropout on the input is left to the model where the library leaves it there.
    """
    library, cheap = contender.rstrip("+"), contender.endswith("+")
    if library == "dgl":
        return dgl_compat.import_dgl().nn.GATConv(
            features,
            width,
            heads,
            feat_drop=0.0 if cheap else drop,
            attn_drop=drop,
            residual=residual,
            allow_zero_in_degree=True,
        )
    if library == "pyg":
        return _PyGConv(features, width, heads, merge == "concat", drop, residual)
    layer = {"edges": EdgeGATLayer, "dense": DenseGATLayer}.get(library, FusedGATLayer)
    drops = {"feat_drop": drop, "attn_drop": drop}
    return layer(features, width, heads, merge, residual=residual, **drops)


def build_model(
    contender: str, sizes: list[tuple[int, int, int]], drop: float, residual: bool
) -> nn.Module:
    """The network of one contender.

    Args:
        contender: a key of `NAMES`.
        sizes: of each layer: features in, features of a head, heads. The last layer's
            heads are averaged, the others' concatenated.
        drop: dropout on inputs and attention.
        residual: residual connections on all layers but the first.
    """
    layers = [
        build_layer(
            contender,
            *size,
            "mean" if number == len(sizes) else "concat",
            drop,
            residual and number > 1,
        )
        for number, size in enumerate(sizes, 1)
    ]
    return Stack(layers, contender, drop)


class _PyGConv(nn.Module):
    """PyG's layer with the order of arguments of the others."""

    def __init__(self, features, width, heads, concat, drop, residual) -> None:
        super().__init__()
        from torch_geometric.nn import GATConv

        options = {"residual": residual, "add_self_loops": False}
        self.conv = GATConv(features, width, heads, concat, dropout=drop, **options)

    def forward(self, graph, x: Tensor) -> Tensor:
        return self.conv(x, graph)


def _native(contender: str, graph: GraphData, x: Tensor):
    """Graph and features in the form in which a library takes them."""
    library, cheap = contender.rstrip("+"), contender.endswith("+")
    if library in ("dgl", "pyg") and not cheap and x.layout != torch.strided:
        x = x.to_dense()
    if library == "dgl":
        return graph.dgl(), x
    if library == "pyg":
        return torch.stack([graph.src, graph.dst]), x
    return graph, x


def _training_step(
    contender: str, model: nn.Module, graph: GraphData, loss: Callable
) -> Callable[[], object]:
    native, x = _native(contender, graph, graph.x)
    fused = contender not in ("dgl", "pyg")  # as their examples call Adam: without
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
    return _training_step(
        contender,
        model,
        graph,
        lambda logits: F.cross_entropy(logits[graph.train_mask], labels),
    )


def ppi_sized_step(contender: str, scale: int = 1) -> Callable[[], object]:
    """One training step of the paper's PPI network on two random graphs of that size.

    4,744 nodes, 137,000 edges, 50 features, 121 labels; 4 heads of 256, 4 of 256, 6 of
    121 averaged, residual connections on the last two layers, no dropout.

    Args:
        contender: a key of `NAMES`.
        scale: divide nodes, edges and widths by it.
    """
    generator = torch.Generator().manual_seed(0)
    nodes, edges, width = 4744 // scale, 137_000 // scale, 256 // scale
    half = nodes // 2  # two graphs in one, without an edge between them
    ends = torch.randint(0, half, (2, edges - nodes), generator=generator)
    ends = ends + half * torch.randint(0, 2, (edges - nodes,), generator=generator)
    loops = torch.arange(nodes)
    graph = GraphData.from_edges(
        *torch.cat([ends, loops.expand(2, -1)], dim=1),
        x=torch.randn(nodes, 50, generator=generator),
        y=torch.randint(0, 2, (nodes, 121), generator=generator).float(),
        name="two graphs of PPI's size",
    )
    sizes = [(50, width, 4), (4 * width, width, 4), (4 * width, 121, 6)]
    torch.manual_seed(0)
    model = build_model(contender, sizes, 0.0, True)
    return _training_step(
        contender,
        model,
        graph,
        lambda logits: F.binary_cross_entropy_with_logits(logits, graph.y),
    )


def layer_step(
    contender: str, num_edges: int, num_heads: int = 8
) -> Callable[[], object]:
    """Forward and backward of one layer, 64 features to `num_heads` heads of 8.

    Args:
        contender: a key of `NAMES`.
        num_edges: of a random graph with a tenth as many nodes.
        num_heads: $K$.
    """
    generator = torch.Generator().manual_seed(0)
    nodes = max(num_edges // 10, 1)
    ends = torch.randint(0, nodes, (2, num_edges), generator=generator)
    x = torch.randn(nodes, 64, generator=generator)
    graph = GraphData.from_edges(*ends, x=x, name="random")
    torch.manual_seed(0)
    layer = build_layer(contender, 64, 8, num_heads)
    native, x = _native(contender, graph, graph.x)

    def step() -> None:
        layer.zero_grad()
        layer(native, x).sum().backward()

    return step


def installed(contenders: Sequence[str]) -> list[str]:
    """Those contenders whose library is here."""
    package = {"dgl": "dgl", "pyg": "torch_geometric"}
    return [
        name
        for name in contenders
        if (need := package.get(name.rstrip("+"))) is None
        or importlib.util.find_spec(need)
    ]
