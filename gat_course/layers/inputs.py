"""What every layer asks of its input; the errors say how to mend it."""

import torch
from torch import Tensor

from gat_course.graph import GraphData


def check_input(graph: GraphData, x: Tensor, weight: Tensor) -> None:
    """Raise unless `x` belongs to this graph and to a layer with this `weight`.

    Args:
        graph: the graph, $N$ nodes.
        x: what the layer is called with; should be `[N, F]`.
        weight: the matrix that `x` meets, `[F, ...]`.

    Raises:
        TypeError: the first argument is no graph, or `x` no tensor of the same kind of
            numbers as the parameters.
        ValueError: `x` is missing, has another shape, or is elsewhere than the graph
            or the parameters.

    >>> graph, layer = GraphData.from_edges([0], [1]), EdgeGATLayer(3, 4)
    >>> layers.check_input(graph, torch.ones(2, 5), layer.weight)
    Traceback (most recent call last):
    ValueError: x must be [2, 3] (nodes of the graph, in_features of the layer), ...
    """
    if not isinstance(graph, GraphData):
        raise TypeError(f"call layer(graph, x): {type(graph).__name__} is no GraphData")
    if x is None:
        raise ValueError(
            f"x is None: {graph.name} has no features. Build the graph with x=…, for "
            "example torch.eye(num_nodes), which gives each node a feature of its own"
        )
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}: use graph.x")
    if x.shape != (graph.num_nodes, len(weight)):
        raise ValueError(
            f"x must be [{graph.num_nodes}, {len(weight)}] (nodes of the graph, "
            f"in_features of the layer), got {list(x.shape)}"
        )
    if not x.device == weight.device == graph.device:
        raise ValueError(
            f"the graph is on {graph.device}, x on {x.device} and the parameters on "
            f"{weight.device}: move them together, graph = graph.to(device), "
            "model.to(device), and call model(graph, graph.x)"
        )
    mixed = x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type)
    if mixed or not x.is_floating_point():
        kinds = [str(t.dtype).removeprefix("torch.") for t in (x, weight)]
        raise TypeError(
            f"x is {kinds[0]} and the parameters are {kinds[1]}: build the graph with "
            f"x.to(torch.{kinds[1]})"
            + (f", or use model.to(torch.{kinds[0]})" if x.is_floating_point() else "")
        )
