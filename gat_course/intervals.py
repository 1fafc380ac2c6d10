"""How far two means can be told apart: standard errors and 95 % intervals (chapter 5).

A standard deviation tells how far one run strays. Means of many runs stray less, and
whether two of them differ is for the interval of their difference to say.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import stats

LEVEL = 0.95


class Scored(Protocol):
    """Such as `Runs`: a score for each run."""

    scores: Sequence[float]


@dataclass(frozen=True)
class Difference:
    """A difference of two means with its 95 % interval, in the unit of the scores.

    Args:
        mean: mean of the first minus mean of the second.
        low: lower end of the interval.
        high: upper end.
        paired: whether it was computed from the differences of pairs.
    """

    mean: float
    low: float
    high: float
    paired: bool = False

    @property
    def verdict(self) -> str:
        """ "higher" or "lower" where the interval excludes zero, else "not shown"."""
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "not shown"

    def __str__(self) -> str:
        digits = 3 if max(abs(self.low), abs(self.high)) < 1 / 2 else 2
        mean, low, high = (f"{v:+.{digits}f}" for v in (self.mean, self.low, self.high))
        return f"{mean}, 95 % interval {low} to {high}: {self.verdict}"


def standard_error(scores: Scored | Sequence[float]) -> float:
    r"""Standard error of a mean, $s/\sqrt n$: how far the mean of n runs strays.

    Args:
        scores: one number for each run, at least two; or `Runs`.

    Raises:
        ValueError: fewer than two scores, or one is not finite.

    >>> round(standard_error([80.0, 82.0, 84.0]), 3)
    1.155
    """
    return float(stats.sem(_scores("scores", scores)))


def difference(
    a: Scored | Sequence[float], b: Scored | Sequence[float], *, paired: bool = False
) -> Difference:
    r"""Mean of `a` minus mean of `b`, with the 95 % interval of Student's t.

    Unpaired it is Welch's: both sides have a spread of their own. Paired it looks at
    the differences run by run, for sides that share something in each run, such as a
    random split or a made-up graph; what they share then cancels.

    Args:
        a: one score for each run, at least two; or `Runs`.
        b: likewise. Paired, the runs of both stand in the same order; `Runs` must have
            the same seeds.
        paired: whether run number $r$ of both sides shares its data.

    Returns:
        The `Difference`. Where its interval contains zero, a difference was not shown;
        that does not show that there is none.

    Raises:
        ValueError: fewer than two scores, one is not finite, or pairs do not match.

    Source: Welch, Biometrika 34, 1947.

    >>> print(difference([83.0, 84.0, 85.0], [80.0, 81.0, 82.0]))
    +3.00, 95 % interval +0.73 to +5.27: higher
    """
    first, second = _scores("a", a), _scores("b", b)
    if paired:
        seeds = [[getattr(run, "seed", None) for run in side] for side in (a, b)]
        if len(first) != len(second) or seeds[0] != seeds[1]:
            raise ValueError(
                f"paired runs must match one by one: a has {len(first)}, b has "
                f"{len(second)}; their seeds are {seeds[0]} and {seeds[1]}"
            )
    mean = float(first.mean() - second.mean())
    spread = np.ptp(first - second) if paired else np.ptp(first) + np.ptp(second)
    if spread == 0:  # every run the same: there is nothing to be uncertain about
        return Difference(mean, mean, mean, paired)
    with warnings.catch_warnings():  # scipy doubts runs that are nearly the same
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        if paired:
            test = stats.ttest_rel(first, second)
        else:
            test = stats.ttest_ind(first, second, equal_var=False)
    low, high = test.confidence_interval(LEVEL)
    return Difference(mean, float(low), float(high), paired)


def _scores(name: str, scores: Scored | Sequence[float]) -> np.ndarray:
    values = np.asarray(getattr(scores, "scores", scores), dtype=float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"{name} must hold one score for each run, at least two; got shape "
            f"{list(values.shape)}. One run has no spread: train more seeds"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds a score that is NaN or infinite: {values}")
    return values
