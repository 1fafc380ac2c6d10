"""Standard errors and intervals against closed forms, coverage and known figures."""

import math

import numpy as np
import pytest
from scipy import stats

from gat_course import difference, reproduce, standard_error
from gat_course.training.record import Run, Runs


def runs(scores, seeds=None):
    seeds = range(len(scores)) if seeds is None else seeds
    return Runs(
        Run(seed, score, 0.0, 1, 0, 0.0)
        for seed, score in zip(seeds, scores, strict=True)
    )


def test_the_standard_error_is_the_spread_over_the_root_of_the_number():
    scores = [81.0, 82.5, 80.0, 83.5]
    expected = np.std(scores, ddof=1) / math.sqrt(4)
    assert standard_error(scores) == pytest.approx(expected)
    assert standard_error(runs(scores)) == pytest.approx(expected)


def test_welchs_interval_is_the_textbooks_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(83, 0.7, 100), rng.normal(82, 0.5, 30)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    degrees = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = stats.t.ppf(0.975, degrees) * math.sqrt(va + vb)
    found = difference(runs(a), b)
    mean = a.mean() - b.mean()
    assert found.mean == pytest.approx(mean)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half))


def test_what_pairs_share_cancels():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 10, 20)
    a, b = shared + rng.normal(1, 0.1, 20), shared + rng.normal(0, 0.1, 20)
    assert difference(a, b).verdict == "not shown"
    found = difference(a, b, paired=True)
    assert found.verdict == "higher" and found.high - found.low < 0.3
    one = stats.ttest_1samp(a - b, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((one.low, one.high))


@pytest.mark.parametrize("paired", [False, True])
def test_nineteen_of_twenty_intervals_hold_the_truth(paired):
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(1000):
        found = difference(rng.normal(2, 1, 6), rng.normal(0, 1, 6), paired=paired)
        hits += found.low <= 2 <= found.high
    assert 930 <= hits <= 970


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ([3.0, 3.1, 2.9], [1.0, 1.1, 0.9], "higher"),
        ([1.0, 1.1, 0.9], [3.0, 3.1, 2.9], "lower"),
        ([1.0, 3.0, 2.0], [1.5, 2.5, 2.2], "not shown"),
        ([1.0, 1.0], [1.0, 1.0], "not shown"),
        ([2.0, 2.0], [1.0, 1.0], "higher"),
    ],
)
def test_the_verdict_follows_the_interval(a, b, verdict):
    assert difference(a, b).verdict == verdict
    assert str(difference(a, b)).endswith(f": {verdict}")


def test_it_reads_as_a_sentence():
    text = str(difference([83.0, 84.0, 82.0], [80.0, 81.0, 79.5]))
    assert text == "+2.83, 95 % interval +0.76 to +4.91: higher"
    assert str(difference([0.91, 0.92], [0.90, 0.91])).startswith("+0.010, ")


def test_the_hundred_stored_runs_say_what_the_course_says():
    on = {m: reproduce.stored("cora", m)[0] for m in ("gat", "uniform", "gcn")}
    gap = difference(on["gat"], on["gcn"])
    assert (gap.mean, gap.low, gap.high) == pytest.approx((0.32, 0.14, 0.51), abs=0.006)
    gap = difference(on["gat"], on["uniform"])
    assert (gap.mean, gap.low, gap.high) == pytest.approx((0.11, -0.09, 0.31), abs=0.01)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0], [1.0, 2.0], "a must hold .* at least two"),
        ([1.0, 2.0], [], "b must hold"),
        ([1.0, math.nan], [1.0, 2.0], "a holds a score that is NaN"),
        ([[1.0, 2.0]], [1.0, 2.0], "a must hold one score for each run"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        difference(a, b)


def test_pairs_must_match():
    with pytest.raises(ValueError, match="must match one by one"):
        difference([1.0, 2.0], [1.0, 2.0, 3.0], paired=True)
    with pytest.raises(ValueError, match="seeds are"):
        difference(runs([1.0, 2.0], [0, 1]), runs([1.0, 2.0], [1, 2]), paired=True)
    with pytest.raises(ValueError, match="at least two"):
        standard_error([1.0])
