"""Message passing in plain PyTorch: the part of DGL that the course uses (chapter 3).

`dgl_compat.import_dgl` gives this module where DGL cannot be had. Names, arguments and
numbers are DGL's, on any device. Unlike DGL's, built-ins make their messages, gradients
can be differentiated again, equal messages share the gradient of their `max`, and one
that is infinite or NaN stays so. A name that is not here raises `AttributeError`.
Source: Wang et al., 2019, https://arxiv.org/abs/1909.01315, section 3.
"""

from collections import UserDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import permutations
from typing import Any

import torch
from torch import Tensor


class DGLError(Exception):
    """Raised, as by DGL, for data and functions that do not fit the graph."""


def _missing(name: str) -> AttributeError:
    where = "Look for it in DGL 2, built for Python 3.10 to 3.12"
    return AttributeError(f"gat_course.mailbox has no {name}. {where}")


class _Part:
    """A part of DGL, with the path at which its names are looked for."""

    def __init__(self, path: str, **names: Any) -> None:
        vars(self).update(names, _path=path)

    def __getattr__(self, name: str) -> None:
        raise _missing(f"{vars(self).get('_path', type(self).__name__)}.{name}")


class _Batch(_Part):
    def __len__(self) -> int:
        return self.batch_size()


class Frame(UserDict):
    """Tensors by name with one row for each node or edge: `ndata` and `edata`."""

    def __init__(self, rows: int, kind: str, given: Mapping | None = None) -> None:
        self.rows, self.kind = rows, kind
        super().__init__(given)

    def __setitem__(self, name: str, value: Tensor) -> None:
        got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        if got[:1] != [self.rows]:
            wanted = f"a tensor with one row for each of the {self.rows} {self.kind}"
            raise DGLError(f"{name!r} must be {wanted}, got {got}")
        super().__setitem__(name, value)

    def __missing__(self, name: str) -> None:
        raise KeyError(f"{name!r} is not stored on the {self.kind}, only {list(self)}")


class Rows(UserDict):
    """Rows of a frame; those of a name are gathered when the name is asked for."""

    def __init__(self, frame: Mapping, rows: Tensor) -> None:
        self.data, self.frame, self.rows = dict.fromkeys(frame), frame, rows

    def __getitem__(self, name: str) -> Tensor:
        if self.data.get(name) is None:
            self.data[name] = self.frame[name].index_select(0, self.rows)
        return self.data[name]

    def __repr__(self) -> str:
        return repr({**self})


class EdgeBatch(_Batch):
    """All edges; `src`, `dst` and `data` hold what is stored on ends and edges."""

    def __init__(self, g: "Graph") -> None:
        self.src, self.dst = (Rows(g.ndata, ends) for ends in g.edges())
        self.data, self.edges = g.edata, partial(g.edges, form="all")
        self.batch_size = g.num_edges


class NodeBatch(_Batch):
    """B targets of one degree D: their messages, `mailbox` `[B, D, …]`, and `data`."""

    def __init__(self, g: "Graph", targets: Tensor, mailbox: dict) -> None:
        self.data, self.mailbox = Rows(g.ndata, targets), mailbox
        self.nodes, self.batch_size = lambda: targets, lambda: len(targets)


# A message or reduce function that is told by its name, such as "u_mul_e" or "sum".
BuiltIn = namedtuple("BuiltIn", "name, fields, out")


def call(function: Callable, batch: EdgeBatch | NodeBatch, kind: str) -> Frame:
    """What a user-defined function returns, if it is tensors that fit its batch."""
    made = function(batch)
    if not isinstance(made, Mapping):
        got = type(made).__name__
        raise DGLError(f"a function on {kind} must return a dict of tensors, got {got}")
    return Frame(len(batch), f"{kind} that the function got", made)


def buckets(dst: Tensor, num_nodes: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Targets that share a degree, and the edges that arrive there; smallest D first.

    `dst` `[E]` holds each edge's target. Yields targets `[B]` and, for each of them,
    the numbers of its edges, `[B, D]`. A node without edges is in no bucket.
    """
    by_target = torch.argsort(dst, stable=True)  # [E]
    degrees = torch.bincount(dst, minlength=num_nodes)
    first = degrees.cumsum(0) - degrees  # where a target's edges start in by_target
    for degree in degrees[degrees > 0].unique().tolist():
        targets = (degrees == degree).nonzero().squeeze(1)  # [B]
        step = torch.arange(degree, device=dst.device)
        places = first[targets].unsqueeze(1) + step  # [B, D]
        yield targets, by_target[places]


def reduce_buckets(g: "Graph", function: Callable, messages: Mapping) -> dict:
    """Call a reduce function once for each degree; nodes without messages get zeros.

    `function` takes a `NodeBatch` and returns tensors `[B, …]` by name, `messages` are
    tensors `[E, …]` by name. Returns tensors `[N, …]` by name, none if there are none.
    """
    called, results = [], []
    for targets, edges in buckets(g.edges()[1], g.num_nodes()):
        mailbox = {}
        for name, message in messages.items():
            rows = message.index_select(0, edges.flatten())  # [B * D, …]
            mailbox[name] = rows.view(*edges.shape, *message.shape[1:])
        results.append(call(function, NodeBatch(g, targets, mailbox), "targets"))
        called.append(targets)
    merged = {}
    for name in results[0] if results else ():
        rows = torch.cat([result[name] for result in results])
        zeros = rows.new_zeros(g.num_nodes(), *rows.shape[1:])
        merged[name] = zeros.index_copy(0, torch.cat(called), rows)
    return merged


def on_edges(g: "Graph", name: str, *fields: str) -> Tensor:
    """What a built-in message function, such as "u_mul_e", makes of `fields`, `[E, …]`.

    u is the source, v the target, e the edge. Dimensions after the first broadcast.
    """
    src, dst = g.edges()
    ends = {"u": Rows(g.ndata, src), "v": Rows(g.ndata, dst), "e": g.edata}
    if name.startswith("copy_"):
        return ends[name[-1]][fields[0]]
    left, operation, right = name.split("_")
    pair = ends[left][fields[0]], ends[right][fields[1]]
    dims = max(2, *(x.dim() for x in pair))
    a, b = (x.reshape(len(x), *[1] * (dims - x.dim()), *x.shape[1:]) for x in pair)
    if operation != "dot":
        out = getattr(torch, operation)(a, b)  # add, sub, mul, div
    elif a.shape[-1] == b.shape[-1]:
        out = (a * b).sum(dim=-1, keepdim=True)
    else:
        raise ValueError("the last dimensions differ")
    return out.squeeze(1) if pair[0].dim() == pair[1].dim() == 1 else out


def at_targets(name: str, messages: Tensor, dst: Tensor, num_nodes: int) -> Tensor:
    """What "sum", "mean", "max" or "min" makes of messages `[E, …]`, `[N, …]`.

    They arrive at the targets `dst`, `[E]`. Where none arrives, the result is 0.
    """
    if not messages.is_floating_point():
        raise DGLError(f"{name} takes floating point, not {messages.dtype}: .float()")
    out = messages.new_zeros(num_nodes, *messages.shape[1:])
    ones = [1] * (messages.dim() - 1)
    if name in ("max", "min"):
        index = dst.view(-1, *ones).expand_as(messages)
        return out.scatter_reduce(0, index, messages, f"a{name}", include_self=False)
    total = out.index_add(0, dst, messages)
    if name == "sum":
        return total
    degrees = torch.bincount(dst, minlength=num_nodes).clamp(min=1)
    return total / degrees.view(-1, *ones)


def send(g: "Graph", function: Any) -> Mapping:
    """What an edge or message function makes: tensors `[E, …]` by name."""
    if not isinstance(function, BuiltIn):
        return call(function, EdgeBatch(g), "edges")
    try:
        return {function.out: on_edges(g, function.name, *function.fields)}
    except (RuntimeError, ValueError) as error:
        raise DGLError(f"{function} cannot be computed on the edges: {error}") from None


def receive(g: "Graph", function: Any, messages: Mapping) -> Mapping:
    """What a reduce function makes of the messages: tensors `[N, …]` by name."""
    if not isinstance(function, BuiltIn):
        return reduce_buckets(g, function, messages)
    name, fields, out = function
    if "_" in name or fields[0] not in messages:
        raise DGLError(f"{function} cannot reduce the messages {list(messages)}")
    return {out: at_targets(name, messages[fields[0]], g.edges()[1], g.num_nodes())}


class Graph(_Part):
    """Edges, with data on the nodes, in `ndata`, and on the edges, in `edata`."""

    def __init__(self, src: Tensor, dst: Tensor, num_nodes: int) -> None:
        self._src, self._dst = src, dst
        self.ndata, self.edata = Frame(num_nodes, "nodes"), Frame(len(src), "edges")
        self.num_nodes, self.num_edges = partial(int, num_nodes), partial(int, len(src))
        self.in_degrees = partial(torch.bincount, dst, None, num_nodes)
        self.out_degrees = partial(torch.bincount, src, None, num_nodes)

    srcdata = dstdata = property(lambda self: self.ndata)

    def edges(self, form: str = "uv", order: str = "eid") -> tuple[Tensor, ...]:
        """Sources and targets, `[E]` each; with form="all" also the edges' numbers."""
        if form not in ("uv", "all") or order != "eid":
            raise _missing(f"Graph.edges(form={form!r}, order={order!r})")
        ends = self._src, self._dst
        return ends if form == "uv" else (*ends, torch.arange(len(ends[0])).to(ends[0]))

    @contextmanager
    def local_scope(self) -> Iterator[None]:
        """Take away, at its end, what was stored on the graph within."""
        kept = dict(self.ndata), dict(self.edata)
        try:
            yield
        finally:
            self.ndata.data, self.edata.data = kept

    def apply_edges(self, func: Any) -> None:
        """Store on the edges what an edge function makes."""
        self.edata.update(send(self, func))

    def update_all(self, message_func: Any, reduce_func: Any) -> None:
        """Send messages along the edges; store on the targets what becomes of them."""
        self.ndata.update(receive(self, reduce_func, send(self, message_func)))

    def __repr__(self) -> str:
        sizes = f"num_nodes={self.num_nodes()}, num_edges={self.num_edges()}"
        return f"Graph({sizes}, ndata={list(self.ndata)}, edata={list(self.edata)})"


def graph(data: tuple, *, num_nodes: int | None = None) -> Graph:
    """A graph from sources and targets, integers `[E]` each; see `GraphData.dgl`."""
    src, dst = (e if isinstance(e, Tensor) else torch.tensor(e) for e in data)
    src, dst = (e if len(e) else e.long() for e in (src, dst))
    ids = torch.cat([src, dst])
    if src.shape != dst.shape or ids.dtype not in (torch.int32, torch.int64):
        raise DGLError(f"ends must be as many integers each, got {src} and {dst}")
    largest = int(ids.max()) if len(ids) else -1
    nodes = largest + 1 if num_nodes is None else num_nodes
    if largest >= nodes or (ids < 0).any():
        raise DGLError(f"an edge ends at {largest} or below 0, of {nodes} nodes")
    return Graph(src, dst, nodes)


def reverse(g: Graph) -> Graph:
    """The graph with every edge turned round; node data stay, edge data do not."""
    other = graph(g.edges()[::-1], num_nodes=g.num_nodes())
    other.ndata.update(g.ndata)
    return other


def edge_softmax(graph: Graph, logits: Tensor) -> Tensor:
    """Softmax of scores `[E, …]` over the edges that arrive at one target."""
    dst, n = graph.edges()[1], graph.num_nodes()
    Frame(len(dst), "edges")["logits"] = logits  # looks whether they fit
    largest = at_targets("max", logits.detach(), dst, n)
    weights = torch.exp(logits - largest.index_select(0, dst))
    return weights / at_targets("sum", weights, dst, n).index_select(0, dst)


def _on_pairs(name: str, lhs_field: str, rhs_field: str, out: str) -> BuiltIn:
    return BuiltIn(name, (lhs_field, rhs_field), out)


function = _Part(
    "function",
    copy_u=lambda u, out: BuiltIn("copy_u", (u,), out),
    copy_e=lambda e, out: BuiltIn("copy_e", (e,), out),
    sum=lambda msg, out: BuiltIn("sum", (msg,), out),
    mean=lambda msg, out: BuiltIn("mean", (msg,), out),
    max=lambda msg, out: BuiltIn("max", (msg,), out),
    min=lambda msg, out: BuiltIn("min", (msg,), out),
)
for _left, _right in permutations("uve", 2):
    for _operation in ("add", "sub", "mul", "div", "dot"):
        _name = f"{_left}_{_operation}_{_right}"
        setattr(function, _name, partial(_on_pairs, _name))
nn = _Part("nn", functional=_Part("nn.functional", edge_softmax=edge_softmax))
utils = _Part("utils", set_num_threads=torch.set_num_threads)


def __getattr__(name: str) -> None:
    raise _missing(name)
