"""A model in the doctor's hands: called on graphs of the doctor's choice."""

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gat_course import dgl_compat
from gat_course.graph import GraphData

Forward = Callable[[nn.Module, GraphData], Tensor]


def _edges(graph: GraphData) -> Tensor:
    return torch.stack([graph.src, graph.dst])


# How models are commonly called; the first that gives a row for each node is taken.
FORWARDS: dict[str, Forward] = {
    "model(graph, x)": lambda m, g: m(g, g.x),
    "model(x, edge_index)": lambda m, g: m(g.x, _edges(g)),
    "model(dgl_graph, x)": lambda m, g: m(g.dgl(), g.x),
    "model(x, adjacency)": lambda m, g: m(g.x, g.dense_adjacency()),
    "model(adjacency, x)": lambda m, g: m(g.dense_adjacency(), g.x),
}


class Unfit(Exception):
    """The model cannot be called on such a graph; the message says why."""


def copied(model: nn.Module) -> nn.Module:
    """A copy; what a forward pass left in it is kept without its history."""
    memo: dict[int, Any] = {}

    def detach(value: Any) -> None:
        if isinstance(value, Tensor) and value.grad_fn is not None:
            memo[id(value)] = value.detach()
        elif isinstance(value, (list, tuple)):
            for part in value:
                detach(part)
        elif isinstance(value, dict):
            for part in value.values():
                detach(part)

    for module in model.modules():
        detach(vars(module))
    return copy.deepcopy(model, memo)


def dense(x: Tensor) -> Tensor:
    """Features as a plain matrix, `[N, F]`."""
    return x if x.layout == torch.strided else x.to_dense()


def said(error: BaseException) -> str:
    """An error in a line."""
    text = " ".join(str(error).split())
    if len(text) > 120:
        text = f"{text[:120].rsplit(' ', 1)[0]} …"
    return f"{type(error).__name__}: {text}"


class Patient:
    """A model, its graph, and how the one is called on the other.

    Args:
        model: the network.
        graph: the graph on which it is trained, with features. Sparse ones are made
            dense for a model that cannot take them.
        forward: calls the model; without it the common ways are tried.

    Raises:
        TypeError: no way of calling the model works, or it returns no row for a node.
    """

    def __init__(
        self, model: nn.Module, graph: GraphData, forward: Forward | None
    ) -> None:
        self.graph = graph
        self.model = copied(model).to(graph.device)
        self.restless = False  # leave dropout as the model has it, in eval mode, too
        self.noisy = False  # two calls differ, and not by PyTorch's dropout
        self.loops = bool((graph.src == graph.dst).sum() >= 0.9 * graph.num_nodes)
        ways = {"forward": forward} if forward else FORWARDS
        graphs = [graph]
        if graph.x.layout != torch.strided:
            graphs.append(replace(graph, x=dense(graph.x)))
        for self.graph in graphs:
            self.forward, tried = self._way(ways)
            if self.forward:
                return
        problems = "\n  ".join(tried)
        if forward:
            raise TypeError(f"your function that calls the model fails.\n  {problems}")
        raise TypeError(
            "the doctor does not know how to call the model; give it a function: "
            "doctor(model, graph, lambda model, graph: …), where graph has x, src and "
            f"dst. It tried\n  {problems}"
        )

    def _way(self, ways: dict[str, Forward]) -> tuple[Forward | None, list[str]]:
        """The first that works in both modes, or what each of them said."""
        tried = []
        for name, forward in ways.items():
            if "dgl" in name and not dgl_compat.has_dgl():
                continue
            self.forward = forward
            problem = self._problem()
            if not problem:
                return forward, []
            tried.append(f"{name}: {problem}")
        return None, tried

    def _problem(self) -> str:
        """Why the model cannot be called like this."""
        kinds = {p.dtype for p in self.model.parameters() if p.is_floating_point()}
        own, x = self.model, self.graph.x
        try:
            for training in (False, True):
                self.model = copied(own)  # what a call leaves behind is not kept
                self.run(self.graph, training)
        except Unfit as error:
            if kinds and x.dtype not in kinds:
                found = ", ".join(str(kind).removeprefix("torch.") for kind in kinds)
                own_kind = str(x.dtype).removeprefix("torch.")
                return f"the model is {found}, the features are {own_kind}"
            return str(error)
        finally:
            self.model = own
        return ""

    def run(self, graph: GraphData, training: bool = False) -> Tensor:
        """The output `[N, C]` on a graph, without gradients.

        Raises:
            Unfit: the model fails on it, or gives no row for each node.
        """
        model = copied(self.model) if training else self.model
        graph = copy.deepcopy(graph)  # a model may write into its features
        model.train(training)
        still = contextlib.nullcontext() if training or self.restless else Still()
        try:
            with torch.no_grad(), still:
                out = self.forward(model, graph)
        except Exception as error:
            raise Unfit(said(error)) from None
        if not isinstance(out, Tensor):
            raise Unfit(f"it returns {type(out).__name__}, not a tensor [N, C]")
        if out.dim() == 0 or len(out) != graph.num_nodes:
            raise Unfit(
                f"it returns shape {list(out.shape)} for {graph.num_nodes} nodes"
            )
        return out.detach().double()

    def small(
        self, num_nodes: int, pairs: list[tuple[int, int]], x: Tensor
    ) -> GraphData:
        """A graph of the doctor's, with self-loops if the reader's graph has them."""
        pairs = list(pairs)
        if self.loops:
            pairs += [(i, i) for i in range(num_nodes)]
        return self.bare(num_nodes, pairs, x)

    def bare(
        self, num_nodes: int, pairs: list[tuple[int, int]], x: Tensor
    ) -> GraphData:
        """A graph of these edges alone."""
        src, dst = [p[0] for p in pairs], [p[1] for p in pairs]
        own = self.graph
        fields = {}
        if own.y is not None:
            fields["y"] = own.y[torch.arange(num_nodes) % len(own.y)].cpu()
        if own.edge_weight is not None:
            fields["edge_weight"] = torch.ones(len(src), dtype=own.edge_weight.dtype)
        if own.edge_attr is not None:
            fields["edge_attr"] = own.edge_attr[:1].cpu().expand(len(src), -1)
        x = x.cpu().to(own.x.dtype)
        graph = GraphData(num_nodes=num_nodes, src=src, dst=dst, x=x, **fields)
        return graph.to(self.graph.device)

    def rows(self, number: int) -> Tensor:
        """Rows of the reader's own features, all different, `[number, F]`."""
        x = dense(self.graph.x)
        norms = x.abs().sum(dim=1)
        order = norms.argsort(descending=True)
        step = max(len(x) // (3 * number), 1)
        places = torch.arange(number, device=x.device) * step % len(x)
        picked = x[order[places]].float()
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand(picked.shape, generator=generator).to(picked)
        return picked + 0.1 * picked.abs().mean() * noise


_DROPOUT = ("dropout", "feature_dropout", "alpha_dropout")
_STILL_SCORES = ("masked_fill", "where", "sub", "__sub__", "view", "unsqueeze") + (
    "leaky_relu",
    "leaky_relu_",
)


class Still(TorchFunctionMode):
    """Dropout does nothing, so that one defect does not hide the others."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__name__", "") in _DROPOUT and args:
            return args[0]
        return func(*args, **(kwargs or {}))


class Trace(TorchFunctionMode):
    """Which of PyTorch's functions a model calls, with what."""

    def __init__(self) -> None:
        super().__init__()
        self.slopes: list[float] = []
        self.dropped: dict[int, Tensor] = {}
        self.early: list[str] = []  # dropout before a softmax

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ("leaky_relu", "leaky_relu_"):
            slope = kwargs.get("negative_slope", args[1] if len(args) > 1 else 0.01)
            self.slopes.append(float(slope))
        if name in ("softmax", "exp") and args:
            if id(args[0]) in self.dropped:
                self.early.append(name)
        result = func(*args, **kwargs)
        if name in _DROPOUT:
            rate = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
            active = kwargs.get("training", args[2] if len(args) > 2 else True)
            if active and rate > 0 and isinstance(result, Tensor):
                self.dropped[id(result)] = result
        elif args and isinstance(args[0], Tensor) and id(args[0]) in self.dropped:
            # What is only masked, shifted or reshaped is still what dropout gave.
            if name in _STILL_SCORES:
                if isinstance(result, Tensor):
                    self.dropped[id(result)] = result
        return result
