"""Training to predict links, by dot products of embeddings (chapter 7)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.graphs import digest
from gat_course.links import LinkSplit, unlinked_pairs
from gat_course.training.history import Curves, LinkEvaluation
from gat_course.training.loop import fit_task, predict, require_trainable
from gat_course.training.record import LinkRun
from gat_course.training.tasks import Task

HITS = 100  # a link is a hit above the pair without a link of this rank


def link_scores(z: Tensor, pairs: Tensor) -> Tensor:
    r"""Dot products $z_i^\top z_j$ of pairs of nodes: logits of "there is a link".

    Args:
        z: an embedding for each node, `[N, F]`.
        pairs: `[2, M]`.

    Returns:
        `[M]`.

    Raises:
        ValueError: `pairs` is not `[2, M]`.

    >>> link_scores(torch.eye(2), torch.tensor([[0, 0], [0, 1]]))
    tensor([1., 0.])
    """
    if pairs.dim() != 2 or len(pairs) != 2:
        raise ValueError(
            f"pairs must be [2, M], a column for each pair, got {list(pairs.shape)}; a "
            "row for each pair is turned by pairs.t()"
        )
    return (z[pairs[0]] * z[pairs[1]]).sum(dim=1)


def evaluate_links(model: nn.Module, data: LinkSplit, part: str) -> LinkEvaluation:
    """How well `model` tells links from pairs without one, with dropout off.

    Args:
        model: called as `model(graph, x)`, returns embeddings `[N, F]`; its training
            mode is put back afterwards.
        data: the links.
        part: "val" or "test".

    Returns:
        Cross-entropy in nats; AUC, how often a link scores higher than a pair without
        one (ties count half), in percent; hits, the share of links that score higher
        than all but the 99 best pairs without one, in percent.

    Raises:
        ValueError: another `part`, or embeddings of another shape.

    >>> data = split_links(synthetic_citation("cora")).with_self_loops()
    >>> evaluate_links(GCN(data.num_features, 16), data, "test")
    LinkEvaluation(loss=..., auc=..., hits=...)
    """
    if part not in ("val", "test"):
        raise ValueError(f'part must be "val" or "test", got {part!r}')
    z = _embeddings(model, data)
    there = link_scores(z, data.links[part])
    nowhere = link_scores(z, data.others[part])
    loss = _loss(there, nowhere)
    if not bool(torch.isfinite(loss)):
        return LinkEvaluation(float(loss), float("nan"), float("nan"))
    from sklearn.metrics import roc_auc_score

    truth = torch.cat([torch.ones_like(there), torch.zeros_like(nowhere)])
    auc = roc_auc_score(truth.cpu(), torch.cat([there, nowhere]).cpu())
    hits = 1.0  # with less than a hundred pairs there is nothing to beat
    if len(nowhere) >= HITS:
        bar = nowhere.topk(HITS).values[-1]
        hits = float((there > bar).double().mean())
    return LinkEvaluation(float(loss), 100 * float(auc), 100 * hits)


def _embeddings(model: nn.Module, data: LinkSplit) -> Tensor:
    z = predict(model, data.graph)
    if not isinstance(z, Tensor) or z.dim() != 2 or len(z) != data.graph.num_nodes:
        found = list(z.shape) if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(
            f"{type(model).__name__} must return embeddings [{data.graph.num_nodes}, "
            f"F], one row for each node; it returns {found}"
        )
    return z.detach()


def _loss(there: Tensor, nowhere: Tensor) -> Tensor:
    logits = torch.cat([there, nowhere])
    truth = torch.cat([torch.ones_like(there), torch.zeros_like(nowhere)])
    return F.binary_cross_entropy_with_logits(logits, truth)


def fit_links(
    model: nn.Module,
    data: LinkSplit,
    *,
    lr: float = 0.01,
    weight_decay: float = 0.0,
    max_epochs: int = 500,
    patience: int | None = 50,
    progress: bool = True,
) -> Curves:
    """Train embeddings whose dot products tell links from pairs without one.

    An epoch is one step on all training links and as many pairs without a link (or all,
    where there are fewer), drawn anew. The training links are among the messages, as is
    usual. Training stops when the validation AUC has had no new best value for
    `patience` epochs; the parameters of its best epoch are kept. The model comes back
    in evaluation mode. The test links are not looked at.

    Args:
        model: called as `model(graph, x)`, returns embeddings `[N, F]`.
        data: the links, on the model's device.
        lr, weight_decay, max_epochs, patience, progress: as for `fit`.

    Returns:
        The `Curves`; `val_score` is AUC in percent.

    Raises:
        TypeError: `data` is no `LinkSplit`.
        ValueError: a number makes no sense, the model returns no embeddings, or no
            parameter requires a gradient.
        FloatingPointError: a loss became NaN or infinite.

    >>> data = split_links(synthetic_citation("cora")).with_self_loops()
    >>> fit_links(GCN(data.num_features, 16), data, max_epochs=2, progress=False).epochs
    2
    """
    if not isinstance(data, LinkSplit):
        raise TypeError(
            f"fit_links trains on a LinkSplit, not on {type(data).__name__}: "
            "split_links(graph) makes one"
        )
    return fit_task(
        model,
        Links(data),
        lr=lr,
        weight_decay=weight_decay,
        max_epochs=max_epochs,
        patience=patience,
        progress=progress,
    )


class Links(Task, data=LinkSplit):
    """A graph of which some links are held out."""

    history, record, fit = Curves, LinkRun, staticmethod(fit_links)

    def __init__(self, data: LinkSplit, **_) -> None:
        super().__init__(data)

    def describe(self, model: nn.Module, options: dict, threads: int) -> dict:
        found = super().describe(model, options, threads)
        pairs = [*self.data.links.values(), *self.data.others.values()]
        return found | {"links": digest(pairs)}

    @property
    def num_outputs(self) -> int:
        raise TypeError("an embedding may have any width: build the model yourself")

    def prepare(self, model: nn.Module) -> None:
        require_trainable(model)
        _embeddings(model, self.data)
        self.forbidden = self.data.forbidden.cpu()

    def batches(self) -> list[tuple[Tensor, int]]:
        seed = int(torch.randint(2**31, (), device="cpu"))
        generator = torch.Generator().manual_seed(seed)
        graph, n = self.data.graph, self.data.graph.num_nodes
        count = self.data.links["train"].shape[1]
        count = min(count, n * (n - 1) // 2 - len(self.forbidden))
        pairs = unlinked_pairs(n, self.forbidden, count, generator)
        return [(pairs.to(graph.device), 2 * count)]

    def loss(self, model: nn.Module, batch: Tensor) -> Tensor:
        graph = self.data.graph
        z = model(graph, graph.x)
        return _loss(link_scores(z, self.data.links["train"]), link_scores(z, batch))

    def validate(self, model: nn.Module) -> LinkEvaluation:
        return evaluate_links(model, self.data, "val")

    def judge(
        self, val: LinkEvaluation, best_loss: float, best_score: float
    ) -> tuple[bool, bool]:
        return val.score > best_score, val.score > best_score

    def require_scores(self) -> None:
        """A `LinkSplit` has test links."""

    def scores(self, model: nn.Module) -> dict[str, float]:
        val, test = (evaluate_links(model, self.data, part) for part in ("val", "test"))
        return {"val_auc": val.auc, "test_auc": test.auc, "test_hits": test.hits}
