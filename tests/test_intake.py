"""What people bring to a graph: it works, or the error names field and remedy."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from gat_course import GAT, GraphData, fit

RING = {"src": [0, 1, 2], "dst": [1, 2, 0]}
X = np.array([[0.5, 1.0], [2.0, 0.0], [0.0, -3.0]])


def ring(**fields):
    return GraphData.from_edges(**RING, **fields)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        yield


# Features


@pytest.mark.parametrize(
    "given",
    [
        X,
        X.astype(np.float16),
        X.astype(">f8"),
        X.astype(np.longdouble),
        X[::-1][::-1],
        np.asfortranarray(X),
        X.tolist(),
        [torch.tensor(row) for row in X],
        pd.DataFrame(X),
        pd.DataFrame(X).astype("Float64"),
        pd.DataFrame({"a": X[:, 0].astype(object), "b": X[:, 1]}),
    ],
)
def test_features_that_are_no_tensor_become_float32(given):
    x = ring(x=given).x
    assert x.dtype == torch.float32 and x.layout == torch.strided
    assert torch.equal(x, torch.from_numpy(X).float())


def test_numbers_and_truth_values_that_are_no_tensor_become_features():
    frame = pd.DataFrame({"age": [30, 40, 50], "new": [True, False, True]})
    assert ring(x=frame).x.tolist() == [[30, 1], [40, 0], [50, 1]]
    assert ring(x=np.eye(3, dtype=bool)).x.dtype == torch.float32
    assert ring(x=[[1], [2], [3]]).x.dtype == torch.float32


def test_tensors_stay_what_they_are():
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        x = torch.from_numpy(X).to(kind)
        assert ring(x=x).x is x


FORMATS = ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, bool])
def test_scipys_sparse_features_become_csr_float32(form, kind, dtype):
    given = getattr(sp, f"{form}_{kind}")(X.astype(dtype))
    before = given.toarray()
    x = GraphData.from_edges(**RING, x=given).x
    assert x.layout == torch.sparse_csr and x.dtype == torch.float32
    assert np.array_equal(x.to_dense().numpy(), X.astype(dtype).astype(np.float32))
    assert np.array_equal(given.toarray(), before)


def test_scipys_unsorted_and_repeated_entries_are_put_in_order():
    given = sp.csr_matrix(([1.0, 2, 3, 4], [1, 0, 1, 1], [0, 3, 3, 4]), shape=(3, 2))
    assert ring(x=given).x.to_dense().tolist() == [[2, 4], [0, 0], [0, 4]]
    assert given.indices.tolist() == [1, 0, 1, 1]  # not touched


@pytest.mark.parametrize("make", [np.asarray, pd.DataFrame, sp.csr_matrix])
def test_a_model_trains_on_what_numpy_pandas_and_scipy_give(make):
    graph = ring(
        x=make(X),
        y=pd.Series([0, 1, 0]),
        train_mask=[True, True, False],
        val_mask=np.array([False, False, True]),
    ).with_self_loops()
    assert fit(GAT(2, 2), graph, max_epochs=2, progress=False).epochs == 2


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (pd.DataFrame({"age": [1, 2, 3], "job": list("abc")}), TypeError, "'a'.*dumm"),
        (pd.DataFrame({"age": [1, None, 3]}), ValueError, "x contains 1 values.*NaN"),
        (
            pd.DataFrame({"a": pd.to_datetime(["2020", "2021", "2022"])}),
            TypeError,
            "x ",
        ),
        ([[1.0], [None], [3.0]], TypeError, "x must hold numbers, got None; .*missing"),
        ([[1.0], [2.0, 3.0], [4.0]], TypeError, "x cannot be read.*equally long"),
        (pd.Series([1.0, 2, 3]), ValueError, r"x must be \[N, F\].*x.reshape\(-1, 1\)"),
        (np.ones((3, 2)) * 1j, TypeError, "x must hold real numbers"),
        (sp.csr_matrix(np.eye(3) * 1j), TypeError, "x must hold real numbers"),
        (np.full((3, 1), 1e300), ValueError, "infinite as torch.float32"),
        (torch.ones(3, 2).long(), TypeError, r"x must be floating point.*x.float\(\)"),
        (torch.eye(3).to_sparse(), TypeError, r"x.to_sparse_csr\(\)"),
        (np.float64(2), ValueError, r"x must have one row per node \(3\)"),
    ],
)
def test_features_that_make_no_sense_are_named(x, error, message):
    with pytest.raises(error, match=message):
        ring(x=x, num_nodes=3)


# Ends of edges


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        torch.tensor,
        pd.Series,
        pd.Index,
        lambda ends: pd.array(ends, dtype="Int64"),
        lambda ends: range(ends[0], ends[-1] + 1),
        *[
            lambda ends, kind=kind: np.array(ends, kind)
            for kind in ("u1", "u2", "u4", "u8", "i1", ">i4", object)
        ],
        *[
            lambda ends, kind=kind: torch.tensor(ends, dtype=getattr(torch, kind))
            for kind in ("uint8", "uint16", "uint32", "uint64", "int16")
        ],
    ],
)
def test_node_numbers_of_any_kind(make):
    graph = GraphData.from_edges(make([0, 1]), make([1, 2]))
    assert graph.src.tolist() == [0, 1] and graph.dst.tolist() == [1, 2]
    assert graph.src.dtype == torch.int64 and graph.num_nodes == 3


@pytest.mark.parametrize(
    ("src", "error", "message"),
    [
        (["ann", "bob"], TypeError, "src must hold numbers, got .*'ann'.*number_nodes"),
        (pd.Series(["ann", None]), TypeError, "src .*'ann'.*number_nodes"),
        ([2**63, 1], TypeError, "src must hold integers.*too large.*number_nodes"),
        ([2**70, 1], TypeError, "src .*number_nodes"),
        (np.array([2**64 - 1, 1], np.uint64), TypeError, "src .*number_nodes"),
        ([None, 1], TypeError, "src must hold numbers, got None"),
        (pd.Series([0, None]), TypeError, "src must hold integers.*missing.*drop"),
        (
            {0: 1, 1: 2}.keys(),
            TypeError,
            "src must hold numbers, got dict_keys; give a",
        ),
        ([[0, 1]], ValueError, "src must be one-dimensional"),
        ("01", TypeError, "src must hold numbers, got str"),
    ],
)
def test_node_numbers_that_make_no_sense_are_named(src, error, message):
    for build in (
        GraphData.from_edges,
        lambda s, d: GraphData(num_nodes=3, src=s, dst=d),
    ):
        with pytest.raises(error, match=message):
            build(src, [1, 2])


def test_ids_with_most_numbers_unused_are_refused():
    with pytest.raises(ValueError, match=r"name 2 nodes .* 1001\..*number_nodes.*1002"):
        GraphData.from_edges([1001], [0])
    assert GraphData.from_edges([1001], [0], 1002).num_nodes == 1002
    assert GraphData.from_edges([1001], [0], y=[0] * 1002).num_nodes == 1002
    assert GraphData.from_edges([999], [0]).num_nodes == 1000
    half = torch.arange(0, 4000, 2)
    assert GraphData.from_edges(half, half).num_nodes == 3999
    with pytest.raises(ValueError, match="number_nodes"):
        GraphData.from_edges(half[1::2], half[1::2])


def test_rows_decide_the_number_of_nodes_and_must_suffice():
    for x in (X, X.tolist(), sp.csr_matrix(X), torch.from_numpy(X)):
        assert GraphData.from_edges([0], [1], x=x).num_nodes == 3
        with pytest.raises(
            ValueError, match="x has 3 rows, but src and dst name node 3"
        ):
            GraphData.from_edges([0], [3], x=x)
    assert GraphData.from_edges([0], [1], y=pd.Series([0, 1, 1])).num_nodes == 3
    with pytest.raises(ValueError, match=r"src\[0\] = 7 .*number_nodes numbers other"):
        GraphData(num_nodes=3, src=[7], dst=[1])
    with pytest.raises(ValueError, match=r"src\[0\] = -1 is not a node"):
        GraphData.from_edges([-1], [-2])


@pytest.mark.parametrize("count", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_num_nodes_may_be_any_whole_number(count):
    assert type(GraphData(num_nodes=count, src=[0], dst=[1]).num_nodes) is int


@pytest.mark.parametrize("count", [True, np.True_, 3.0, "3", None, torch.tensor(2.0)])
def test_num_nodes_is_nothing_else(count):
    with pytest.raises(TypeError, match="num_nodes must be a whole number, got"):
        GraphData(num_nodes=count, src=[0], dst=[1])


# Labels and masks


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([2, 0, 1], [2, 0, 1]),
        (np.array([2, 0, 1], np.uint8), [2, 0, 1]),
        (pd.Series([2, 0, 1]), [2, 0, 1]),
        (pd.DataFrame({"y": [2, 0, 1]}), [2, 0, 1]),
        (torch.tensor([[2], [0], [1]]), [2, 0, 1]),
        ([True, False, True], [1, 0, 1]),
        (np.array([[True], [False], [True]]), [1, 0, 1]),
        ([-1, 0, 1], [-1, 0, 1]),
    ],
)
def test_classes(given, expected):
    y = ring(y=given).y
    assert y.dtype == torch.int64 and y.tolist() == expected


def test_several_labels_a_node():
    labels = np.array([[1, 0], [0, 0], [1, 1]])
    assert ring(y=labels).num_classes == 2
    assert ring(y=sp.csr_matrix(labels)).y.tolist() == labels.tolist()
    one = ring(y=torch.tensor([[1.0], [0.0], [1.0]]))  # float: a label, not a class
    assert one.y.shape == (3, 1) and one.num_classes == 1


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (["cat", "dog", "cat"], TypeError, "y must hold numbers.*'cat'.*numpy.unique"),
        (pd.Series(list("aba"), dtype="category"), TypeError, "y .*numpy.unique"),
        ([0, None, 1], TypeError, "y must hold numbers, got None"),
        ([0, 1j, 1], TypeError, "y must hold real numbers"),
        (np.zeros((3, 1, 1)), ValueError, r"y must be \[N\] or \[N, L\]"),
    ],
)
def test_labels_that_make_no_sense_are_named(y, error, message):
    with pytest.raises(error, match=message):
        ring(y=y)


def test_the_remedies_work():
    names, y = np.unique(["cat", "dog", "cat"], return_inverse=True)
    assert ring(y=y).y.tolist() == [0, 1, 0] and names.tolist() == ["cat", "dog"]
    expected = [True, False, True]
    for mask in (
        torch.tensor([1, 0, 1]) == 1,
        torch.isin(torch.arange(3), torch.tensor([0, 2])),
        np.array(["train", "val", "train"]) == "train",
        np.array([[True, False], [False, False], [True, True]])[:, 0],
    ):
        assert ring(train_mask=mask).train_mask.tolist() == expected
    assert ring(x=pd.get_dummies(pd.DataFrame({"job": list("aba")}))).num_features == 2


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.array,
        torch.tensor,
        pd.Series,
        lambda m: pd.Series(m).astype("boolean"),
        lambda m: pd.DataFrame({"mask": m}),
        lambda m: torch.tensor(m).unsqueeze(1),
    ],
)
def test_masks(make):
    mask = ring(val_mask=make([True, False, True])).val_mask
    assert mask.dtype == torch.bool and mask.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (
            [0, 2],
            TypeError,
            r"train_mask must be a bool.*torch.isin\(torch.arange\(N\)",
        ),
        ([1, 0, 1], TypeError, r"train_mask must be a bool.*torch.tensor\(ones\) == 1"),
        (
            [0.0, 1.0, 1.0],
            TypeError,
            "train_mask must be a bool vector, got torch.float",
        ),
        ([True, False], ValueError, r"train_mask must have one row per node \(3\)"),
        (np.ones((3, 10), bool), ValueError, r"got \[3, 10\].*train_mask\[:, 0\]"),
        (
            ["train", "val", "train"],
            TypeError,
            'train_mask .*numpy.array.split. == "train"',
        ),
        ([True, None, False], TypeError, "train_mask must hold numbers, got None"),
    ],
)
def test_masks_that_make_no_sense_are_named(mask, error, message):
    with pytest.raises(error, match=message):
        ring(train_mask=mask)
