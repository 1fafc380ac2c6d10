"""`mailbox` computes what DGL computes, on hundreds of random multigraphs.

Nodes without edges, loops, repeated edges, one node, no edges; one to three dimensions.
"""

import copy
import itertools
import pickle
import subprocess
import sys

import pytest
import torch

from gat_course import GraphData, dgl_compat, formulas, mailbox
from gat_course.layers import DGLGATLayer, EdgeGATLayer, UDFGATLayer
from tools.book import ROOT

BINARY = [
    f"{a}_{op}_{b}"
    for a, b in itertools.permutations("uve", 2)
    for op in ("add", "sub", "mul", "div", "dot")
]
REDUCES = ["sum", "mean", "max", "min"]
SHAPES = [
    ((), ()),
    ((3,), (3,)),
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 1), (2, 3)),
    ((2, 3), (2, 1)),
    ((), (2,)),
    ((2,), ()),
    ((1,), ()),
]


def draw(seed):
    """Ends of a random multigraph and its number of nodes."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [(1, 0), (1, 3), (4, 0), (5, 4), (6, 15), (9, 20), (30, 60), (12, 90)]
    nodes, edges = sizes[seed % len(sizes)]
    src, dst = torch.randint(nodes, (2, edges), generator=generator)
    return src, dst % max(1, nodes - 2), nodes  # the last nodes hear nothing


def fill(g, shapes, seed):
    """The same random numbers on the nodes, "x", and on the edges, "w", to learn."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for rows, shape in zip((g.num_nodes(), g.num_edges()), shapes, strict=True):
        numbers = 0.5 + torch.rand(rows, *shape, generator=generator).double()
        made.append(numbers.requires_grad_())
    g.ndata["x"], g.edata["w"] = made
    return made


def outcome(kind, seed, shapes, compute):
    """What `compute` makes on one library's graph, and the gradients of its inputs."""
    src, dst, nodes = draw(seed)
    g = kind.graph((src, dst), num_nodes=nodes)
    learned = fill(g, shapes, seed)
    out = compute(kind, g)
    factors = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    total = (out * factors).sum()
    if not total.requires_grad:  # nothing arrived anywhere
        return [out]
    options = {"allow_unused": True, "materialize_grads": True}
    return [out, *torch.autograd.grad(total, learned, **options)]


def compare(dgl, seed, shapes, compute, largest=False):
    ours = outcome(mailbox, seed, shapes, compute)
    if largest and len(draw(seed)[0]) == 0:
        # Without edges DGL's gradient of a maximum fails, or is that of node 0.
        with torch.no_grad():
            theirs = outcome(dgl, seed, shapes, compute)
        assert not any(one.any() for one in ours)
        ours = ours[:1]
    else:
        theirs = outcome(dgl, seed, shapes, compute)
    for a, b in itertools.zip_longest(ours, theirs):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


# ------------------------------------------------ equal to DGL


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("seed", range(8))
def test_built_ins_on_edges_are_dgls(dgl, name, seed):
    left, operation, right = name.split("_")
    names = {"u": "x", "v": "x", "e": "w"}

    def compute(kind, g):
        made = getattr(kind.function, name)(names[left], names[right], "out")
        g.apply_edges(made)
        return g.edata["out"]

    for shapes in SHAPES:
        sizes = [shapes[side == "e"] for side in (left, right)]
        if operation == "dot" and len({(size or (1,))[-1] for size in sizes}) > 1:
            for kind in (mailbox, dgl):
                with pytest.raises(kind.DGLError, match="(?i)last dim|dot operator"):
                    outcome(kind, seed, shapes, compute)
        else:
            compare(dgl, seed, shapes, compute)


@pytest.mark.parametrize("reduce", REDUCES)
@pytest.mark.parametrize("message", ["copy_u", "copy_e", "u_mul_e", "v_sub_u"])
@pytest.mark.parametrize("seed", range(16))
def test_built_in_pairs_are_dgls(dgl, reduce, message, seed):
    fields = {"copy_u": ["x"], "copy_e": ["w"], "u_mul_e": ["x", "w"]}

    def compute(kind, g):
        sent = getattr(kind.function, message)(*fields.get(message, ["x", "x"]), "m")
        g.update_all(sent, getattr(kind.function, reduce)("m", "out"))
        return g.ndata["out"]

    for shapes in SHAPES[:7]:
        compare(dgl, seed, shapes, compute, reduce in ("max", "min"))


def softmax_sum(nodes):
    alpha = torch.softmax(nodes.mailbox["e"], dim=1)
    return {"out": (alpha * nodes.mailbox["z"]).sum(1) - nodes.data["x"]}


def both_ends(edges):
    return {"z": edges.src["x"], "e": edges.dst["x"] * edges.data["w"]}


@pytest.mark.parametrize("seed", range(40))
def test_user_defined_functions_give_dgls_numbers(dgl, seed):
    def compute(kind, g):
        g.ndata["out"] = torch.ones_like(g.ndata["x"])  # is written over
        g.update_all(both_ends, softmax_sum)
        return g.ndata["out"]

    def mixed(kind, g):
        g.update_all(both_ends, kind.function.max("z", "top"))
        g.update_all(
            kind.function.copy_u("x", "z"), lambda n: {"b": n.mailbox["z"][:, 0]}
        )
        return g.ndata["top"] + g.ndata.get("b", torch.zeros(()))

    for shapes in SHAPES[:3]:
        compare(dgl, seed, shapes, compute)
        compare(dgl, seed, shapes, mixed, largest=True)


@pytest.mark.parametrize("seed", range(40))
def test_functions_are_called_as_dgl_calls_them(dgl, seed):
    """One call on all edges; then one a degree, on which nodes, in which order."""

    def calls(kind):
        src, dst, nodes = draw(seed)
        g = kind.graph((src, dst), num_nodes=nodes)
        fill(g, ((2,), (3,)), seed)
        g.edata["number"] = torch.arange(len(src))
        seen, names = [], []

        def message(edges):
            stored = [sorted(d) for d in (edges.src, edges.dst, edges.data)]
            names.append(stored)
            seen.append([len(edges), edges.batch_size(), *edges.edges()])
            return {"number": edges.data["number"], "z": edges.src["x"]}

        def reduce(nodes):
            names.append([sorted(nodes.data), sorted(nodes.mailbox)])
            # Smallest first: DGL's sort may turn the nodes of one degree round.
            order = nodes.nodes().argsort()
            assert kind is dgl or (nodes.nodes().diff() > 0).all()
            mailbox = {name: m[order] for name, m in nodes.mailbox.items()}
            data = {name: d[order] for name, d in nodes.data.items()}
            seen.append([len(nodes), nodes.nodes()[order], data, mailbox])
            return {"first": nodes.mailbox["z"][:, 0]}

        g.update_all(message, reduce)
        g.apply_edges(message)
        return names, [seen, dict(g.ndata), dict(g.edata)]

    (names, seen), (their_names, theirs) = calls(mailbox), calls(dgl)
    assert names == their_names
    torch.testing.assert_close(seen, theirs)


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("shape", [(), (4,), (4, 1), (2, 3)])
def test_edge_softmax_is_dgls(dgl, seed, shape):
    def compute(kind, g):
        return kind.nn.functional.edge_softmax(g, 300 * g.edata["w"])

    compare(dgl, seed, ((), shape), compute)


@pytest.mark.parametrize("seed", range(8))
def test_the_structure_is_dgls(dgl, seed):
    src, dst, nodes = draw(seed)

    def facts(kind):
        g = kind.graph((src, dst), num_nodes=nodes)
        g.ndata["x"], g.edata["w"] = torch.arange(nodes), torch.arange(len(src))
        back = kind.reverse(g)
        with g.local_scope():
            g.ndata["x"] = g.ndata["x"] + 1
            g.ndata["y"] = g.srcdata["x"]
            g.edata.pop("w")
            within = dict(g.dstdata), dict(g.edata)
        return [
            (g.num_nodes(), g.num_edges(), g.in_degrees(), g.out_degrees()),
            (*g.edges(), *g.edges(form="all"), *back.edges(order="eid")),
            (*within, dict(g.ndata), dict(g.edata)),
            (dict(back.ndata), dict(back.edata)),
        ]

    torch.testing.assert_close(facts(mailbox), facts(dgl))


def test_a_graph_may_be_given_as_lists():
    g = mailbox.graph(([0, 1], [1, 2]))
    assert (g.num_nodes(), g.num_edges()) == (3, 2)
    assert mailbox.graph(([], [])).num_nodes() == 0
    assert mailbox.graph(([], []), num_nodes=4).in_degrees().tolist() == [0, 0, 0, 0]


# ------------------------------------------------ the layers on it


@pytest.fixture
def without_dgl(monkeypatch):
    monkeypatch.setattr(dgl_compat, "_find", lambda: (mailbox, "not here"))


@pytest.mark.parametrize("kind", [UDFGATLayer, DGLGATLayer])
@pytest.mark.parametrize("seed", range(16))
def test_the_layers_need_no_dgl(without_dgl, kind, seed):
    src, dst, nodes = draw(seed)
    weight = 0.1 + torch.rand(len(src)) if seed % 2 else None
    graph = GraphData(num_nodes=nodes, src=src, dst=dst, edge_weight=weight)
    x = torch.randn(nodes, 3, requires_grad=True)
    layer, other = (one(3, 4, num_heads=2) for one in (kind, EdgeGATLayer))
    other.load_state_dict(layer.state_dict())
    results = []
    for one in (layer, other):
        out, alpha = one(graph, x, return_attention=True)
        wanted = [x, *one.parameters()]
        grads = torch.autograd.grad(out.square().sum(), wanted, materialize_grads=True)
        results.append([out, alpha, *grads])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)
    assert isinstance(graph.dgl(), mailbox.Graph)


def test_unlike_dgls_its_gradients_can_be_differentiated_again(without_dgl):
    graph = GraphData.from_edges([0, 0, 1, 2], [1, 2, 2, 0])
    layer = DGLGATLayer(2, 1).double()
    x = torch.randn(3, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(graph, x), [x])


def test_edge_softmax_is_the_formula():
    src, dst, nodes = draw(5)
    scores = torch.randn(len(src), 3) * 100
    g = mailbox.graph((src, dst), num_nodes=nodes)
    ours = mailbox.nn.functional.edge_softmax(g, scores)
    torch.testing.assert_close(ours, formulas.edge_softmax(scores, dst, nodes))


# ------------------------------------------------ what it refuses


def five_edges():
    g = mailbox.graph(([0, 0, 1, 2, 2], [1, 2, 2, 0, 3]), num_nodes=5)
    g.ndata["x"] = torch.ones(5, 2)
    return g


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda g: g.ndta, "Graph.ndta"),
        (lambda g: g.multi_update_all, "Graph.multi_update_all"),
        (lambda g: g.edges(form="eid"), "Graph.edges(form='eid', order='eid')"),
        (lambda g: g.edges(order="srcdst"), "order='srcdst'"),
        (lambda g: mailbox.heterograph, "no heterograph"),
        (lambda g: mailbox.nn.GATConv, "nn.GATConv"),
        (lambda g: mailbox.nn.functional.edge_softmax_, "nn.functional.edge_softmax_"),
        (lambda g: mailbox.function.u_pow_v, "function.u_pow_v"),
        (lambda g: g.apply_edges(lambda edges: edges.kind), "EdgeBatch.kind"),
        (
            lambda g: g.update_all(mailbox.function.copy_u("x", "m"), lambda n: n.kind),
            "NodeBatch.kind",
        ),
    ],
)
def test_what_is_missing_is_named_with_where_it_is(use, name):
    with pytest.raises(AttributeError) as caught:
        use(five_edges())
    assert name in str(caught.value) and "Look for it in DGL 2" in str(caught.value)


def with_edges(g, made):
    g.edata["w"] = torch.ones(5, 3)
    return made


def refusals():
    fn = mailbox.function
    copied = fn.copy_u("x", "m")
    return {
        "'q' must be a tensor with one row for each of the 5 nodes, got [4, 2]": (
            lambda g: g.ndata.update(q=torch.ones(4, 2))
        ),
        "each of the 5 edges, got list": lambda g: g.edata.update(q=[1, 2, 3, 4, 5]),
        "each of the 5 edges, got []": lambda g: g.edata.update(q=torch.tensor(1.0)),
        "function on edges must return a dict of tensors, got NoneType": (
            lambda g: g.apply_edges(lambda edges: None)
        ),
        "'m' must be a tensor with one row for each of the 5 edges that the function": (
            lambda g: g.update_all(lambda edges: {"m": torch.ones(4)}, fn.sum("m", "h"))
        ),
        "'h' must be a tensor with one row for each of the 3 targets that the": (
            lambda g: g.update_all(copied, lambda nodes: {"h": torch.ones(2)})
        ),
        "function on targets must return a dict of tensors, got Tensor": (
            lambda g: g.update_all(copied, lambda nodes: torch.ones(3))
        ),
        "name='sum', fields=('q',), out='h') cannot reduce the messages ['m']": (
            lambda g: g.update_all(copied, fn.sum("q", "h"))
        ),
        "name='copy_e', fields=('m',), out='h') cannot reduce the messages": (
            lambda g: g.update_all(copied, fn.copy_e("m", "h"))
        ),
        "name='sum', fields=('x',), out='m') cannot be computed on the edges": (
            lambda g: g.update_all(fn.sum("x", "m"), fn.sum("m", "h"))
        ),
        "fields=('x', 'w'), out='m') cannot be computed on the edges: The size": (
            lambda g: g.apply_edges(with_edges(g, fn.u_mul_e("x", "w", "m")))
        ),
        "sum takes floating point, not torch.bool: .float()": (
            lambda g: g.update_all(
                lambda edges: {"m": edges.src["x"] > 0}, fn.sum("m", "h")
            )
        ),
        "'logits' must be a tensor with one row for each of the 5 edges, got [6]": (
            lambda g: mailbox.nn.functional.edge_softmax(g, torch.ones(6))
        ),
        "an edge ends at 3 or below 0, of 3 nodes": (
            lambda g: mailbox.graph(([0], [3]), num_nodes=3)
        ),
        "an edge ends at 1 or below 0, of 2 nodes": (
            lambda g: mailbox.graph(([0, -1], [1, 1]))
        ),
        "ends must be as many integers each, got tensor([0, 1])": (
            lambda g: mailbox.graph(([0, 1], [1]))
        ),
        "ends must be as many integers each, got tensor([0.5000])": (
            lambda g: mailbox.graph(([0.5], [1]))
        ),
    }


@pytest.mark.parametrize("message", refusals())
def test_what_does_not_fit_is_refused_and_nothing_is_stored(message):
    g = five_edges()
    with pytest.raises(mailbox.DGLError) as caught:
        refusals()[message](g)
    assert message in str(caught.value)
    assert list(g.ndata) == ["x"] and list(g.edata) in ([], ["w"])


def test_a_missing_field_is_named_with_those_that_are_there():
    g = five_edges()
    with pytest.raises(KeyError, match="'z' is not stored on the nodes, only .*'x'"):
        g.apply_edges(mailbox.function.u_add_v("z", "x", "e"))
    assert list(g.edata) == []


def test_what_a_function_stores_in_its_batch_stays_there(dgl):
    def message(edges):
        edges.src["x"] = 2 * edges.src["x"]
        edges.dst["y"] = edges.src["x"]
        return {"m": edges.dst.pop("y")}

    def reduce(nodes):
        nodes.data["x"] = nodes.mailbox["m"].sum(1)
        return {"h": nodes.data["x"]}

    made = []
    for kind in (mailbox, dgl):
        g = kind.graph(([0, 1, 2], [1, 2, 0]))  # one bucket holds all nodes
        g.ndata["x"] = torch.arange(3.0)
        g.update_all(message, reduce)
        made.append(dict(g.ndata))
    torch.testing.assert_close(*made)
    assert made[0]["x"].tolist() == [0, 1, 2]


def test_a_batch_shows_its_own_rows():
    shown = []
    five_edges().apply_edges(lambda edges: shown.append(repr(edges.src)) or {})
    assert shown == [repr({"x": torch.ones(5, 2)})]


def test_a_view_taken_before_a_local_scope_is_the_graphs():
    g = five_edges()
    view = g.ndata
    with g.local_scope():
        view["y"] = torch.ones(5)
        g.srcdata["z"] = torch.ones(5)
        assert list(g.dstdata) == ["x", "y", "z"]
    assert list(view) == list(g.ndata) == ["x"]


def test_built_ins_take_dgls_names_of_arguments():
    fn, g = mailbox.function, five_edges()
    g.ndata["x"] = torch.arange(5.0)
    g.update_all(fn.copy_u(u="x", out="m"), fn.mean(msg="m", out="h"))
    g.apply_edges(fn.v_sub_u(lhs_field="x", rhs_field="h", out="d"))
    g.apply_edges(fn.copy_e(e="d", out="e"))
    assert g.edata["e"].tolist() == [-1, 0, 2, -0.5, 2.5]


def test_a_failure_within_a_local_scope_takes_away_what_was_stored():
    g = five_edges()
    with pytest.raises(ZeroDivisionError), g.local_scope():
        g.ndata["y"] = torch.ones(5)
        1 / 0  # noqa: B018
    assert list(g.ndata) == ["x"]


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))]
)
def test_a_graph_can_be_copied_and_sent(copied):
    g = five_edges()
    other = copied(g)
    other.update_all(mailbox.function.copy_u("x", "m"), mailbox.function.sum("m", "h"))
    assert other.ndata["h"][:, 0].tolist() == [1, 1, 2, 1, 0]
    assert list(g.ndata) == ["x"]


def test_it_needs_torch_alone():
    code = (
        "import sys\n"
        "from gat_course import mailbox\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'dgl', 'scipy', 'pandas', 'matplotlib', 'networkx'}"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=600)
    assert len((ROOT / "gat_course" / "mailbox.py").read_text().splitlines()) <= 300
