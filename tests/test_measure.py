"""Peak memory against what tensors must take; times as medians taken in turns."""

import math
import os
import time
import warnings
from pathlib import Path

import pytest
import torch

from gat_course import EdgeGATLayer, GraphData, checks, formulas, measure

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


def test_gradients_count_and_a_step_always_costs_the_same(x):
    leaf = x.clone().requires_grad_()

    def step():
        leaf.grad = None  # of the step before: freed here, and not to be counted
        leaf.exp().sum().backward()

    step()
    # exp's result is kept for the backward pass, which makes the gradient.
    peaks = [measure.peak_memory(step) for _ in range(4)]
    assert peaks == peaks[:1] * 4
    assert 2 * MATRIX <= peaks[0] < 2.01 * MATRIX


def test_a_cache_filled_by_one_measured_call_and_emptied_by_the_next(x):
    cache = []
    assert measure.peak_memory(lambda: cache.append(x + x)) == MATRIX
    assert measure.peak_memory(lambda: [cache.clear(), x + x]) == MATRIX


def test_what_cannot_be_measured_is_refused(x):
    with pytest.raises(RuntimeError, match="measure memory outside of it"):
        measure.peak_memory(lambda: measure.peak_memory(lambda: x + x))
    with pytest.raises(ValueError, match="a cpu or cuda device, not on mps"):
        measure.peak_memory(lambda: x + x, "mps")


class OtherProfiler:
    """A profiler of another release, which writes no trace."""

    def __init__(self, **options):
        pass

    def start(self):
        pass

    def stop(self):
        pass


def another_trace(recorder, path):
    Path(path).write_text('{"traceEvents": [{"name": "[memory]", "ts": 1}]}')


@pytest.fixture(params=["no trace", "another trace", "another error", "nothing seen"])
def another_pytorch(request, monkeypatch):
    """A PyTorch in which some name has gone, or means something else."""

    def gone(events):
        raise AttributeError("'NoneType' object has no attribute 'alloc_size'")

    if request.param == "no trace":
        monkeypatch.setattr(measure, "profile", OtherProfiler)
    elif request.param == "another trace":
        monkeypatch.setattr(
            torch.profiler.profile, "export_chrome_trace", another_trace
        )
    elif request.param == "another error":
        monkeypatch.setattr(measure, "_peak", gone)
    else:
        monkeypatch.setattr(measure, "_peak", lambda events: 0)
    measure._allocations_are_seen.cache_clear()
    yield
    measure._allocations_are_seen.cache_clear()


def test_where_pytorch_does_not_tell_memory_is_not_measured(x, another_pytorch):
    calls = []
    with pytest.warns(UserWarning, match="not measured, and nan stands") as told:
        peak = measure.peak_memory(lambda: calls.append(x + x))
    assert math.isnan(peak) and len(calls) == 1
    assert told[0].filename == __file__
    with pytest.raises(ZeroDivisionError):
        measure.peak_memory(lambda: 1 / 0)
    with pytest.raises(ValueError, match="not on mps"):
        measure.peak_memory(lambda: x, "mps")


def test_nan_goes_through_what_chapters_do_with_it(x, another_pytorch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peaks = {k: measure.peak_memory(lambda: x + x) for k in ("a", "b")}
        solved = checks.exercise("2.4", rows_at_a_time)
    assert solved  # its answers are checked, its memory cannot be
    assert f"{peaks['a'] / 1e6:8.1f} MB".strip() == "nan MB"
    assert f"{peaks['a'] / peaks['b']:.1f}" == "nan"


def rows_at_a_time(z, att_dst, att_src, mask, chunk):
    rows = []
    for k in range(0, len(z), chunk):
        scores = formulas.attention_scores(z, att_dst, att_src)[k : k + chunk]
        rows.append(formulas.masked_softmax(scores, mask[k : k + chunk]) @ z)
    return torch.cat(rows)


def test_the_name_that_tells_of_a_running_profiler_may_go(x, monkeypatch):
    monkeypatch.delattr(torch._C._autograd, "_profiler_enabled")
    assert measure.peak_memory(lambda: x + x) == MATRIX


def test_of_a_trace_the_cpus_allocations_count_in_the_order_of_time():
    def change(time, address, size, device=0):
        about = {"Addr": address, "Bytes": size, "Device Type": device}
        return {"name": "[memory]", "ts": time, "args": about}

    events = [
        {"name": "aten::add", "ts": 0},
        change(1, 10, 100),
        change(2, 11, 1000, device=1),  # a GPU's
        change(4, 12, 100),
        change(3, 10, -100),
        change(5, 13, -100),  # older than the trace
        change(6, 14, 50),
    ]
    assert measure._peak(events) == 150


def test_on_cuda_pytorchs_own_counters_are_used(monkeypatch):
    done = []
    for name, value in (
        ("synchronize", None),
        ("memory_allocated", 100),
        ("reset_peak_memory_stats", None),
        ("max_memory_allocated", 350),
    ):
        record = lambda device, name=name, value=value: done.append(name) or value  # noqa: E731
        monkeypatch.setattr(torch.cuda, name, record)
    assert measure.peak_memory(lambda: done.append("call"), "cuda") == 250
    assert done == [
        "synchronize",
        "memory_allocated",
        "reset_peak_memory_stats",
        "call",
        "synchronize",
        "max_memory_allocated",
    ]


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


def test_what_the_call_itself_writes_is_seen(x, capfd):
    measure.peak_memory(lambda: os.write(2, b"hello"))
    assert capfd.readouterr().err == "hello"


def test_calls_are_timed_in_turns_each_after_itself():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    times = measure.seconds(calls, repeats=3)
    assert order == list("aabb" * 3)
    assert list(times) == ["a", "b"]


def test_a_gpu_has_finished_before_the_clock_is_read(monkeypatch):
    order = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: order.append("finish"))
    monkeypatch.setattr(time, "perf_counter", lambda: order.append("clock") or 0)
    measure.seconds({"a": lambda: order.append("call")}, repeats=1)
    assert order == ["call", "finish", "clock", "call", "finish", "clock"]


def test_the_median_leaves_out_a_disturbance(monkeypatch):
    # The three timed calls take one, ten and two units.
    clock = iter([0, 1, 10, 20, 30, 32])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert measure.seconds({"a": lambda: None}, repeats=3) == {"a": 2}


def test_zero_rounds_are_refused():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        measure.seconds({"a": lambda: None}, repeats=0)
