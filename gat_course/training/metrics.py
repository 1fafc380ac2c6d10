"""Scores: how each is called and written, and how micro-F1 is counted (chapter 6)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """A kind of score and its one unit, which is the same wherever it is written.

    Args:
        name: the field's name for it.
        unit: "%" for scores from 0 to 100, "" for scores from 0 to 1.
        digits: decimals of a mean and its standard deviation.
    """

    name: str
    unit: str
    digits: int

    def write(self, mean: float, std: float | None = None) -> str:
        """The mean, ± the standard deviation where there is one, without the unit."""
        spread = "" if std is None else f" ± {std:.{self.digits}f}"
        return f"{mean:.{self.digits}f}{spread}"


ACCURACY = Metric("accuracy", "%", 1)
MICRO_F1 = Metric("micro-F1", "", 3)
RMSE = Metric("RMSE", "", 3)
AUC = Metric("AUC", "%", 1)


def label_counts(logits: Tensor, labels: Tensor) -> Tensor:
    """Count true positives, false positives and false negatives, over all labels.

    A label is predicted where its logit is above 0, that is, its probability above 1/2.

    Args:
        logits: `[N, L]`.
        labels: 0 or 1, `[N, L]`.

    Returns:
        TP, FP, FN, integers `[3]`. Counts of several batches may be added.

    Raises:
        ValueError: the shapes differ, a logit is NaN, or a label is not 0 or 1.

    >>> label_counts(torch.tensor([[1.0, 2.0, -1.0]]), torch.tensor([[1.0, 0.0, 1.0]]))
    tensor([1, 1, 1])
    """
    if logits.shape != labels.shape:
        raise ValueError(
            f"logits {list(logits.shape)} and labels {list(labels.shape)} must have "
            "one shape, [N, L]"
        )
    if bool(logits.isnan().any()):
        raise ValueError("logits hold NaN: there is nothing to count")
    if not bool(((labels == 0) | (labels == 1)).all()):
        raise ValueError("labels must be 0 or 1; call label_counts(logits, labels)")
    predicted, true = logits > 0, labels > 0.5
    hits = (predicted & true).sum()
    return torch.stack([hits, predicted.sum() - hits, true.sum() - hits])


def micro_f1(counts: Tensor) -> float:
    r"""$F_1=2\,\mathrm{TP}/(2\,\mathrm{TP}+\mathrm{FP}+\mathrm{FN})$ of pooled counts.

    Args:
        counts: TP, FP, FN, `[3]`, as from `label_counts`.

    Returns:
        Between 0 and 1.

    Raises:
        ValueError: all three are zero; then the score has no value.

    >>> micro_f1(torch.tensor([1, 1, 1]))
    0.5
    """
    tp, fp, fn = counts.tolist()
    if tp + fp + fn == 0:
        raise ValueError("micro-F1 has no value: no label is true and none predicted")
    return 2 * tp / (2 * tp + fp + fn)
