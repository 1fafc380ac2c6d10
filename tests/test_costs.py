"""The cost model: memory as measured, rates found again, and what the command says."""

import math
import os
from dataclasses import replace
from functools import partial
from itertools import product
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from gat_course import GAT, cli, measure, power_law_graph
from gat_course.experiments import catalogue, costs
from gat_course.experiments.costs import Shape, fit_rates, memory, step_seconds

SIZES = ["nodes", "edges", "features", "heads", "hidden", "classes"]
RATES = {
    "step": 2e-3,
    "multiplications": 4e-11,
    "numbers of nodes": 3e-9,
    "edges and heads": 6e-9,
    "numbers gathered": 5e-10,
    "far look-ups": 7e-10,
    "far numbers": 2e-11,
    "new memory": 1e-9,
}


pytestmark = pytest.mark.usefixtures("one_thread")


def made_up_runs(rates=RATES):
    """A run of each shape, as long as the rates say, and slower repetitions."""
    rows = []
    axes = [10**4, 10**5, 10**6, 10**7], [5, 20], list(costs.WIDTHS)
    for (edges, degree, widths), seed in product(product(*axes), range(2)):
        seconds = step_seconds(costs.shape_of(edges, degree, widths), rates)
        row = {"edges": edges, "degree": degree, "degrees": "even", "widths": widths}
        row |= {"seed": seed, "seconds": seconds * (1 + seed), "base": 3e8 + 1e8 * seed}
        peak = memory(costs.shape_of(edges, degree, widths))["peak"]
        row["bytes"] = 1.2 * peak + (0.2 + 0.1 * seed) * row["base"]
        rows.append(row)
    return pd.DataFrame(rows)


# Memory


def measured(shape, exponent=2.5):
    """Bytes of a step of training, after a first one that caches what it likes."""
    graph = power_law_graph(
        shape.nodes, shape.edges, shape.features, shape.classes, exponent=exponent
    )
    step = costs.training_step(graph, shape.heads, shape.hidden)
    step()
    return measure.peak_memory(step)


def require_foretold(shape, exponent=2.5, share=0.1, spare=6e6):
    """Within a share, and some megabytes of a chunk of edges, which are left out."""
    found, foretold = measured(shape, exponent), memory(shape)["step"]
    if math.isnan(found):
        pytest.skip("memory is not measured here")
    assert foretold <= 1.05 * found
    assert found <= (1 + share) * foretold + spare


@pytest.mark.parametrize(
    ("nodes", "edges", "features", "heads", "hidden"),
    [
        (30_000, 60_000, 32, 8, 8),
        (30_000, 60_000, 128, 4, 32),
        (30_000, 30_000, 500, 2, 8),
        (60_000, 60_000, 128, 1, 8),
        (60_000, 60_000, 16, 1, 64),
    ],
)
def test_a_step_takes_the_memory_foretold(nodes, edges, features, heads, hidden):
    sizes = {"nodes": nodes, "edges": edges, "features": features}
    shape = Shape(heads=heads, hidden=hidden, **sizes)
    require_foretold(shape, share=0.001, spare=0)


@pytest.mark.parametrize("exponent", [2.5, math.inf])
@pytest.mark.parametrize(
    ("nodes", "edges", "features", "heads", "hidden"),
    [
        (50_000, 100_000, 128, 1, 32),
        (100_000, 100_000, 16, 4, 8),
        (30_000, 300_000, 32, 8, 8),
    ],
)
def test_edges_add_no_more_than_a_chunk(
    nodes, edges, features, heads, hidden, exponent
):
    sizes = {"nodes": nodes, "edges": edges, "features": features}
    require_foretold(Shape(heads=heads, hidden=hidden, **sizes), exponent)


@pytest.mark.parametrize("classes", [2, 16, 47, 64])
def test_a_step_takes_the_memory_foretold_for_any_number_of_classes(classes):
    require_foretold(Shape(nodes=60_000, edges=60_000, features=16, classes=classes))


@pytest.mark.parametrize("hidden", [4, 12, 16])
def test_a_step_takes_the_memory_foretold_for_heads_of_any_width(hidden):
    require_foretold(Shape(nodes=40_000, edges=40_000, features=16, hidden=hidden))


def test_the_graph_takes_the_memory_foretold():
    shape = Shape(nodes=1000, edges=50_000, features=30)
    graph = power_law_graph(shape.nodes, shape.edges, shape.features)
    held = [graph.src, graph.dst, graph.x, graph.y, graph.train_mask]
    for order in (graph.by_target, graph.by_source):
        held += [order.starts, order.near, order.far, order.edge]
    size = sum(tensor.numel() * tensor.element_size() for tensor in held)
    assert memory(shape)["graph"] == pytest.approx(size, rel=0.02)


def test_the_peak_is_the_larger_of_its_two_moments():
    step_larger = memory(Shape(nodes=10**6, edges=10**6, features=32))
    parts = sum(step_larger[name] for name in ("graph", "step", "holes"))
    assert step_larger["peak"] == parts > step_larger["making"]
    sorting_larger = memory(Shape(nodes=1000, edges=10**8, features=1))
    parts = sum(sorting_larger[name] for name in ("graph", "step", "holes"))
    assert sorting_larger["peak"] == sorting_larger["making"] > parts


def test_holes_are_half_of_small_tables_and_16_mb_of_large_ones():
    small = memory(Shape(nodes=10**4, edges=10**4, features=32))
    assert small["holes"] == small["step"] / 2
    large = memory(Shape(nodes=10**8, edges=10**8, features=1))
    tables = 1 + 5 + 4 + 6 + 1  # x, rows of the hidden layer, its scores, classes' rows
    assert large["holes"] == tables * 2**24


def test_every_measured_process_held_what_is_foretold():
    runs = catalogue.stored("costs")
    assert len(runs) == 124 and runs["edges"].max() == 10**8
    for run in runs.itertuples():
        shape = costs.shape_of(run.edges, run.degree, run.widths)
        foretold = memory(shape)["peak"] + run.base
        assert foretold == pytest.approx(run.bytes + run.base, rel=0.25)


def test_every_measured_step_took_the_time_foretold():
    runs = catalogue.stored("costs")
    rates = fit_rates(runs)
    axes = ["edges", "degree", "degrees", "widths"]
    for run in runs.groupby(axes, as_index=False)["seconds"].min().itertuples():
        shape = costs.shape_of(run.edges, run.degree, run.widths)
        assert 1 / 1.5 < step_seconds(shape, rates) / run.seconds < 1.5


def test_the_terms_of_a_step_are_those_of_the_chapter():
    n, e, f, k, w, c = 2**20, 10**7, 32, 8, 64, 8
    # the hidden layer's table is 2^8 MB, that of the classes 2^5, the features' 2^7
    assert costs.time_terms(Shape(nodes=n, edges=e, features=f)) == {
        "step": 1,
        "multiplications": n * w * (f + c),
        "numbers of nodes": n * (f + w),
        "edges and heads": e * (k + 1),
        "numbers gathered": e * (w + c),
        "far look-ups": e * (k * 8 + 5),
        "far numbers": e * w * 8,
        "new memory": n * (w + f),
    }
    small = costs.time_terms(Shape(nodes=4000, edges=10**5, features=32))
    names = "far look-ups", "far numbers", "new memory"
    assert [small[name] for name in names] == [0, 0, 0]


def larger(size):
    """Pairs of shapes of which one has more of `size`."""
    small = {"nodes": 3000, "edges": 10_000, "features": 7}
    large = {"nodes": 2 * 10**6, "edges": 10**7, "features": 128}
    for sizes in (small, large, large | {"heads": 1, "hidden": 32}):
        shape = Shape(**sizes)
        for times in (1.3, 4, 100):
            more = math.ceil(getattr(shape, size) * times)
            yield shape, Shape(**{**vars(shape), size: more})


@pytest.mark.parametrize("size", SIZES)
def test_more_of_anything_never_takes_less(size):
    for shape, more in larger(size):
        less, most = memory(shape), memory(more)
        assert all(0 < less[name] <= most[name] for name in less)
        before = costs.time_terms(shape)
        after = costs.time_terms(more)
        assert all(0 <= before[name] <= after[name] for name in before)
        assert 0 < step_seconds(shape, RATES) < step_seconds(more, RATES)


# Time


def test_rates_are_found_again_from_runs_that_follow_them():
    found = fit_rates(made_up_runs())
    assert found == pytest.approx(RATES, rel=1e-6)


def test_slower_repetitions_do_not_count_and_no_rate_is_negative():
    runs = made_up_runs()
    slow = runs.assign(seconds=runs["seconds"] * 3, seed=9)
    assert fit_rates(pd.concat([runs, slow])) == fit_rates(runs)
    noise = torch.rand(len(runs), generator=torch.Generator().manual_seed(0)).numpy()
    noisy = fit_rates(runs.assign(seconds=runs["seconds"] * (0.5 + noise)))
    assert noisy.keys() == RATES.keys()
    assert all(rate >= 0 for rate in noisy.values())
    shape = Shape(nodes=10**5, edges=10**6, features=32)
    truth = step_seconds(shape, RATES)
    assert 0.4 * truth < step_seconds(shape, noisy) < 1.6 * truth


def test_rates_that_are_zero_are_found_to_be():
    rates = {**RATES, "far numbers": 0.0, "new memory": 0.0}
    found = fit_rates(made_up_runs(rates))
    assert found == pytest.approx(rates, rel=1e-6, abs=1e-15)


def test_shapes_of_runs_are_those_of_the_measured_models():
    shape = costs.shape_of(10**5, 20, "4 of 32")
    assert vars(shape) == {
        "nodes": 5000,
        "edges": 10**5,
        "features": 128,
        "heads": 4,
        "hidden": 32,
        "classes": 8,
    }


def test_a_step_trains_a_model_of_this_shape(monkeypatch):
    made = []

    def noted(*sizes, **options):
        made.append(GAT(*sizes, **options))
        return made[-1]

    monkeypatch.setattr(costs, "GAT", noted)
    graph = power_law_graph(200, 2000, 8, 3)
    step = costs.training_step(graph, heads=2, hidden=4)
    (model,) = made
    before = [p.clone() for p in model.parameters()]
    step()
    assert not any(map(torch.equal, before, model.parameters()))
    assert model(graph, graph.x).shape == (200, 3)
    assert (model.layer1.num_heads, model.layer1.out_features) == (2, 4)


# Measured in a process of its own


def test_a_tiny_case_is_measured():
    found = costs.measure_costs(2000, 5, "power law", "8 heads of 8", seed=0)
    names = "seconds", "sorting", "bytes", "making", "given", "base"
    assert set(found) == set(names)
    assert all(math.isfinite(found[n]) and found[n] > 0 for n in ("seconds", "base"))
    assert all(math.isfinite(number) and number >= 0 for number in found.values())
    assert found["base"] > found["bytes"]  # PyTorch is larger than a tiny graph


def test_a_process_that_dies_is_told_of():
    with pytest.raises(RuntimeError, match="exit code 7, perhaps for want.*: a graph$"):
        costs.measure_training(partial(os._exit, 7), "a graph", 3, 1, 8)


def test_an_error_in_the_process_is_told():
    message = "30 edges, degree 5, 1 of 32: ValueError: num_nodes must be at least"
    with pytest.raises(RuntimeError, match=message):
        costs.measure_costs(30, 5, "even", "1 of 32", seed=0)
    with pytest.raises(ValueError, match="nodes must be at least 1, got 0"):
        costs.measure_costs(3, 5, "even", "1 of 32", seed=0)


# What is asked and answered


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", [0, -7])
def test_a_shape_without_some_size_is_refused(size, number):
    sizes = {"nodes": 10, "edges": 20, "features": 3, size: number}
    with pytest.raises(ValueError, match=f"^{size} must be at least 1, got {number}$"):
        Shape(**sizes)


SHAPE = Shape(nodes=10**6, edges=10**7, features=32)


def test_the_report_says_whether_it_fits():
    runs = made_up_runs()
    base = 3.5e8  # the median of the runs
    peak = memory(SHAPE)["peak"] + base
    enough = costs.report(SHAPE, 1.001 * peak, runs)
    assert enough[0] == (
        "1,000,000 nodes, 10,000,000 edges, 32 dense features; 8 heads of 8, 8 classes"
    )
    assert any(line.startswith("peak") and ": it fits" in line for line in enough)
    assert "largest that fits: 1.00 times this graph" in enough
    assert "a measured process held up to 30% more than predicted" in enough
    short = costs.report(SHAPE, 0.999 * peak, runs)
    assert any(line.endswith("it does not fit") for line in short)
    assert f"graph and features {0.553:12.2f} GB" in short
    assert f"Python and PyTorch {0.35:12.2f} GB" in short
    half = costs.report(SHAPE, base + memory(SHAPE)["peak"] / 2, runs)
    assert times_that_fit(half) == pytest.approx(0.5, rel=0.2)
    nothing = costs.report(SHAPE, 0.5 * base, runs)
    assert not any(line.startswith("largest that fits") for line in nothing)
    assert nothing[-1].endswith("on this CPU, 1 thread")


def times_that_fit(lines):
    (line,) = [line for line in lines if line.startswith("largest that fits: ")]
    return float(line.split()[3].replace(",", ""))


@pytest.mark.parametrize("gigabytes", [1, 8, 24, 100])
@pytest.mark.parametrize(
    ("nodes", "edges"), [(100, 400), (10**5, 10**6), (10**7, 10**8)]
)
def test_the_largest_that_fits_does_and_one_larger_does_not(nodes, edges, gigabytes):
    runs = made_up_runs()
    limit = gigabytes * 1e9
    shape = Shape(nodes=nodes, edges=edges, features=32)
    times = times_that_fit(costs.report(shape, limit, runs))
    for factor, fits in ((0.97 * times, True), (1.03 * times, False)):
        sizes = {"nodes": int(nodes * factor), "edges": int(edges * factor)}
        peak = memory(replace(shape, **sizes))["peak"] + 3.5e8
        assert (peak <= limit and max(sizes.values()) * 8 < 2**31) == fits


def test_what_32_bits_cannot_count_does_not_fit():
    lines = costs.report(
        Shape(nodes=10**6, edges=3 * 10**8, features=8), 1e15, made_up_runs()
    )
    assert any("no: nodes or edges times heads need more than 32" in x for x in lines)
    assert times_that_fit(lines) == pytest.approx(2**31 / 8 / (3 * 10**8), rel=0.02)


def test_the_time_is_that_of_this_machine(monkeypatch):
    monkeypatch.setattr(costs, "speed_here", lambda rates: 2.0)
    seconds = 2 * step_seconds(SHAPE, RATES)
    last = costs.report(SHAPE, 1e10, made_up_runs())[-1]
    assert f"about {seconds:.2g} seconds on this CPU" in last
    shapes = [Shape(nodes=10**6, edges=10**k, features=32) for k in (9, 11, 13)]
    units = ("seconds", "minutes", "hours", "days")
    found = [costs.report(s, 1e10, made_up_runs())[-1] for s in shapes]
    for shape, line in zip(shapes, found, strict=True):
        seconds = 2 * step_seconds(shape, RATES)
        number, unit = line.split("about ")[1].split(" on this")[0].split()
        length = dict(zip(units, (1, 60, 3600, 86_400), strict=True))[unit]
        assert float(number) * length == pytest.approx(seconds, rel=0.06)


def test_a_machine_is_as_slow_as_its_fastest_step(monkeypatch):
    ticks = iter([0.0, 9.0, 10.0, 12.0, 20.0, 25.0])  # steps of 9, 2 and 5 seconds
    clock = SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr(costs, "time", clock)
    foretold = step_seconds(Shape(nodes=10_000, edges=100_000, features=32), RATES)
    assert costs.speed_here(RATES, repeats=3) == pytest.approx(2 / foretold)


# The command

ASKED = ["cost", "--nodes", "1000", "--edges", "20000", "--features", "32"]


@pytest.fixture
def stored(monkeypatch):
    asked = []

    def runs(name):
        asked.append(name)
        return made_up_runs()

    monkeypatch.setattr(catalogue, "stored", runs)
    return asked


@pytest.mark.parametrize(("memory_", "answer"), [("8", "it fits"), ("0.1", "it does")])
def test_the_command_prints_the_report(stored, capsys, memory_, answer):
    assert cli.main([*ASKED, "--memory", memory_]) == 0
    out, err = capsys.readouterr()
    assert stored == ["costs"] and err == ""
    assert out.startswith("1,000 nodes, 20,000 edges, 32 dense features; 8 heads of 8")
    assert f"GB of {memory_}: {answer}" in out
    assert len(out.splitlines()) == (10 if answer == "it fits" else 9)


def test_the_command_takes_every_size(stored, capsys):
    sizes = ["--heads", "4", "--hidden", "16", "--classes", "3", "--memory", "2"]
    assert cli.main([*ASKED, *sizes]) == 0
    assert "4 heads of 16, 3 classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--memory", "0", "--memory must be above 0, in GB; got 0.0"),
        ("--memory", "-1", "--memory must be above 0, in GB; got -1.0"),
        ("--memory", "nan", "--memory must be above 0, in GB; got nan"),
        ("--nodes", "0", "nodes must be at least 1, got 0"),
        ("--edges", "-5", "edges must be at least 1, got -5"),
        ("--heads", "0", "heads must be at least 1, got 0"),
    ],
)
def test_the_command_refuses_in_one_line(stored, capsys, option, value, message):
    assert cli.main([*ASKED, "--memory", "8", option, value]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err == f"gat-course: {message}\n"


@pytest.mark.parametrize("missing", ["--nodes", "--edges", "--features", "--memory"])
def test_the_command_asks_for_what_is_missing(capsys, missing):
    asked = [*ASKED, "--memory", "8"]
    place = asked.index(missing)
    with pytest.raises(SystemExit) as ended:
        cli.main(asked[:place] + asked[place + 2 :])
    assert ended.value.code == 2
    assert f"required: {missing}" in capsys.readouterr().err
