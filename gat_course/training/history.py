"""What training measures and records (chapters 5 and 6)."""

from dataclasses import dataclass, field
from operator import attrgetter


@dataclass(frozen=True)
class Evaluation:
    """Cross-entropy in nats and accuracy in percent, the score, over some nodes."""

    loss: float
    accuracy: float
    score = property(attrgetter("accuracy"))
    seen_f1 = None


@dataclass(frozen=True)
class LabelEvaluation:
    """Mean cross-entropy of a label in nats, and micro-F1, the score, from 0 to 1.

    `seen_f1` is the micro-F1 of the nodes whose genes were trained on, where
    `gene_disjoint` tells them apart; the other two are then of hidden genes alone.
    """

    loss: float
    f1: float
    seen_f1: float | None = None
    score = property(attrgetter("f1"))


@dataclass(frozen=True)
class NumberEvaluation:
    """Mean squared error and its root, the score: in the unit of what is predicted."""

    loss: float
    rmse: float
    score = property(attrgetter("rmse"))
    seen_f1 = None


@dataclass(frozen=True)
class LinkEvaluation:
    """Cross-entropy of a pair in nats; AUC, the score, and hits, in percent."""

    loss: float
    auc: float
    hits: float
    score = property(attrgetter("auc"))
    seen_f1 = None


@dataclass
class Curves:
    """What training recorded: one entry per epoch, losses in nats.

    `train_loss` is measured with dropout on, during the step; the validation values
    with dropout off, after it. `val_seen_f1` has entries where `LabelEvaluation` has a
    `seen_f1`. `best_epoch` is the epoch whose parameters were kept.
    `peak_memory`, in bytes, is what PyTorch had allocated on a GPU at most; on a CPU
    the most that this process ever held, where the system tells, else None.
    """

    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_score: list[float] = field(default_factory=list)
    val_seen_f1: list[float] = field(default_factory=list)
    best_epoch: int = -1
    seconds: float = 0.0
    peak_memory: int | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs that ran."""
        return len(self.train_loss)


class History(Curves):
    """`Curves` of `fit`: `val_score` is `val_accuracy`, in percent."""

    val_accuracy = property(attrgetter("val_score"))


class GraphHistory(Curves):
    """`Curves` of `fit_graphs`: losses of a label, `val_score` is `val_f1`, 0 to 1."""

    val_f1 = property(attrgetter("val_score"))
