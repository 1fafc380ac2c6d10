"""Peak memory against what tensors must take; times as medians taken in turns."""

import os
import time

import pytest
import torch

from gat_course import EdgeGATLayer, GraphData, measure

MATRIX = 4 * 500 * 500  # one of the matrices below


@pytest.fixture(scope="module")
def x():
    return torch.randn(500, 500)


def test_one_new_matrix_is_one_matrix(x):
    assert measure.peak_memory(lambda: x + x) == MATRIX


def test_the_peak_counts_what_lives_at_the_same_time(x):
    # 2x, then 3x while 2x lives; 2x is freed before relu makes its own.
    assert measure.peak_memory(lambda: (x + x + x).relu()) == 2 * MATRIX
    assert measure.peak_memory(lambda: [x + x for _ in range(5)]) == 5 * MATRIX


def test_what_lives_before_or_makes_no_copy_does_not_count(x):
    assert measure.peak_memory(lambda: x.t()[::2]) == 0
    assert measure.peak_memory(lambda: x.sigmoid_()) == 0


def test_what_is_freed_inside_does_not_lower_the_peak(x):
    kept = [torch.randn(500, 500)]

    def call():
        kept.clear()  # older than the call, so its end must not be counted
        return x + x

    assert measure.peak_memory(call) == MATRIX


def test_gradients_count(x):
    leaf = x.clone().requires_grad_()

    def call():
        leaf.grad = None
        leaf.exp().sum().backward()

    call()
    # exp's result is kept for the backward pass, which makes the gradient.
    assert 2 * MATRIX <= measure.peak_memory(call) < 3.01 * MATRIX


def test_a_layers_memory_grows_with_its_edges():
    def peak(num_edges):
        ends = torch.randint(100, (2, num_edges))
        graph = GraphData(num_nodes=100, src=ends[0], dst=ends[1])
        layer, x = EdgeGATLayer(4, 8), torch.randn(100, 4)
        layer(graph, x)
        return measure.peak_memory(lambda: layer(graph, x))

    small, large = peak(20_000), peak(40_000)
    assert 1.9 < large / small < 2.1


def test_an_error_of_the_call_comes_through_and_stderr_works_again(capfd):
    with pytest.raises(ZeroDivisionError):
        measure.peak_memory(lambda: 1 / 0)
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_nothing_is_printed(x, capfd):
    measure.peak_memory(lambda: x + x)
    assert capfd.readouterr() == ("", "")


def test_calls_are_timed_in_turns_after_a_warm_up():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    times = measure.seconds(calls, repeats=3)
    assert order == list("ab" * 4)
    assert list(times) == ["a", "b"]
    assert all(t >= 0 for t in times.values())


def test_the_median_leaves_out_a_disturbance(monkeypatch):
    # Each call takes one unit, the second of the three timed ones ten.
    clock = iter([0, 1, 10, 20, 30, 31])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert measure.seconds({"a": lambda: None}, repeats=3) == {"a": 1}


def test_zero_rounds_are_refused():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        measure.seconds({"a": lambda: None}, repeats=0)
