"""Whether a graph and a model fit together for training on classes; clear errors."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course import intake
from gat_course.graph import GraphData
from gat_course.training.history import Evaluation


def require_labels(
    graph: GraphData, mask: Tensor | Sequence[bool] | None, name: str
) -> Tensor:
    """The mask as bool `[N]`, where the graph has features and classes for its nodes.

    Raises:
        TypeError: the mask holds no numbers.
        ValueError: it has not, or the mask is none or selects no node.
    """
    if graph.x is None or graph.y is None:
        missing = "x" if graph.x is None else "y"
        raise ValueError(
            f"{graph.name} has no {missing}: training needs x and y, so build the "
            f"graph with {missing}=…"
        )
    if graph.y.dim() != 1:
        advice = "y[:, 0].long()"
        if graph.y.shape[1] > 1:
            advice = "y.argmax(dim=1); several labels per node are for fit_graphs"
        raise ValueError(
            f"y must hold one class per node, [N]; got {list(graph.y.shape)}. Build "
            f"the graph with y={advice}"
        )
    mask = _as_mask(graph, mask, name)
    if not bool(mask.any()):
        raise ValueError(f"{name} of {graph.name} selects no node")
    if graph.y.is_floating_point() or bool((graph.y[mask] < 0).any()):
        raise ValueError(
            f"the labels of {name} must be classes 0, 1, …; got "
            f"{graph.y.dtype} with minimum {graph.y[mask].min().item()}. Whole numbers "
            "become classes by y.long(); leave nodes without a class out of the mask"
        )
    return mask


def _as_mask(
    graph: GraphData, mask: Tensor | Sequence[bool] | None, name: str
) -> Tensor:
    if mask is None:
        raise ValueError(f"{name} of {graph.name} selects no node: it is None")
    n, mask = graph.num_nodes, intake.tensor(name, mask)
    if mask.dtype == torch.bool and mask.shape in ((n,), (n, 1)):
        return mask.to(graph.y.device).view(n)
    if mask.dim() == 2 and len(mask) == n:
        advice = f"It holds {mask.shape[1]} splits; choose one, as {name}[:, 0]"
    elif mask.shape == (n,) and bool(((mask == 0) | (mask == 1)).all()):
        advice = f"Zeros and ones become one by {name} == 1"
    elif mask.dim() == 1 and len(mask) and mask.dtype in (torch.int32, torch.int64):
        advice = (
            "Numbers of nodes become one by torch.isin(torch.arange(N), "
            "torch.tensor(numbers))"
        )
    else:
        advice = "It says of each node whether it counts"
    raise ValueError(
        f"{name} must be a bool vector [{n}], got {mask.dtype} {list(mask.shape)}. "
        f"{advice}"
    )


def require_outputs(
    model: nn.Module, logits: Tensor, graph: GraphData, mask: Tensor, name: str
) -> None:
    """Raise `ValueError` unless the model has a logit for every label of the mask.

    On a GPU the loss would end the process instead.
    """
    labels, width = graph.y[mask], logits.shape[1]
    top = int(labels.max()) if len(labels) else -1
    if top >= width:
        raise ValueError(
            f"y of {graph.name} holds class {top} at nodes of {name}, but "
            f"{type(model).__name__} returns {width} logits for each node, for classes "
            f"0 to {width - 1}. Build the model with num_classes = "
            f"{graph.num_classes}, or number the classes from 0 without gaps"
        )


def evaluation(
    model: nn.Module, logits: Tensor, graph: GraphData, mask: Tensor
) -> Evaluation:
    """Loss and accuracy of a model's logits `[N, C]` on the nodes of a mask."""
    require_outputs(model, logits, graph, mask, "mask")
    logits, labels = logits[mask], graph.y[mask]
    right = (logits.argmax(dim=1) == labels).double().mean()
    return Evaluation(float(F.cross_entropy(logits, labels)), 100 * float(right))
