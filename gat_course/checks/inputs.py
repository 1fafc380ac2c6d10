"""Inputs that several chapters' exercises are tried on, and what they take to make."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gat_course.checks.question import case
from gat_course.graph import GraphData

# In-degrees 3, 0, 1, 3, 2, 0, 1; an edge twice, a self-loop, a lonely node 5.
UNEVEN = GraphData(
    num_nodes=7,
    src=[1, 1, 4, 2, 0, 1, 6, 3, 6, 0],
    dst=[0, 0, 0, 2, 3, 3, 3, 4, 4, 6],
)


def graphs() -> list[GraphData]:
    """Small ones first; then directed, uneven, with repeated edges and lonely nodes."""
    return [
        GraphData(num_nodes=2, src=[0], dst=[1]),
        GraphData(num_nodes=3, src=[0, 2], dst=[1, 1]),
        GraphData(num_nodes=3, src=[0, 0, 1], dst=[1, 1, 1]),
        GraphData(num_nodes=3, src=[0, 1, 2], dst=[0, 0, 2]),
        UNEVEN,
    ]


def numbers(*shape: int, shift: int = 0) -> Tensor:
    """Numbers of few digits, as good as random, that a learner can copy."""
    count = torch.arange(math.prod(shape)) + shift
    return (count * count % 13 - 5).float().view(shape) / 4


def features(n: int, width: int, shift: int = 0) -> Tensor:
    """The same in halves, `[n, width]`."""
    count = torch.arange(n * width) + shift
    return (count * count % 11 - 4).float().view(n, width) / 2


class Work(TorchFunctionMode):
    """Counts the numbers that PyTorch computes, and its functions' calls."""

    def __init__(self) -> None:
        super().__init__()
        self.done = self.calls = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls += 1
        if isinstance(result, Tensor) and result.layout == torch.strided:
            self.done += result.numel()
        return result


def five_friends() -> tuple[Tensor, Tensor]:
    """Features and adjacency matrix of chapter 1's example."""
    x = torch.tensor([[1.0, 0], [2, 0], [0, 1], [1, 1], [0, 2]])
    adjacency = torch.eye(5)
    for a, b in ((0, 1), (0, 2), (0, 3), (2, 3), (3, 4)):
        adjacency[a, b] = adjacency[b, a] = 1
    return x, adjacency


_W = torch.tensor([[1.0, 0.5], [-0.5, 1.0]])
_WIDE = torch.tensor([[1.0, 0.5, -1.0], [-0.5, 1.0, 0.5]])


def directed() -> list:
    """Graphs that run one way, of uneven degrees, with a node that hears nobody."""
    x = torch.tensor([[1.0, 0.5], [-1.0, 2.0], [0.5, -1.5], [2.0, 1.0]])
    uneven = torch.tensor(
        [[0.0, 1.0, 1.0, 1.0], [0.0, 0, 0, 0], [1.0, 1.0, 0, 0], [0.0, 0, 1.0, 1.0]]
    )
    square = torch.tensor([1.0, -0.5]), torch.tensor([-1.0, 2.0])
    wide = torch.tensor([1.0, -0.5, 0.5]), torch.tensor([-1.0, 2.0, 0.25])
    friends, adjacency = five_friends()
    friends = torch.cat([friends, torch.tensor([[3.0, 1.0]])])
    lonely = torch.block_diag(adjacency.fill_diagonal_(0), torch.zeros(1, 1))
    one = torch.tensor([[1.0, 2.0]])
    return [
        case(one, torch.ones(1, 1), _W, *square),
        case(x[:2], torch.tensor([[1.0, 1.0], [0.0, 1.0]]), _W, *square),
        case(x[:2], torch.tensor([[0.0, 1.0], [0.0, 0.0]]), _W, *square),
        case(x[:3], torch.tensor([[1.0, 1, 1], [0, 1, 1], [0, 0, 1.0]]), _W, *square),
        case(x, uneven, _W, *square),
        case(x, uneven, _WIDE, *wide),
        case(x * 100, uneven, _WIDE, *wide, tag="features are as large as 200"),
        case(friends, lonely, _WIDE, *wide),
    ]
