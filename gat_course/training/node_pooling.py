"""Training networks that pool by attention, with and without a teacher (chapter 8)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from gat_course.graph import GraphData
from gat_course.graph_packs import GraphPack
from gat_course.layers.node_pooling import Pooled, pooled_graph
from gat_course.layers.readout import members
from gat_course.training.history import Curves, Evaluation
from gat_course.training.loop import fit_task, predict, require_trainable
from gat_course.training.record import Run
from gat_course.training.tasks import Task


def attention_divergence(graph: GraphData, target: Tensor, alpha: Tensor) -> Tensor:
    r"""The KL divergence $\sum_i t_i\log(t_i/\alpha_i)$ of each graph, in nats.

    Args:
        graph: a batch of $G$ graphs.
        target: the weights that are wanted, `[N]`; over a graph they sum to 1 or to 0.
        alpha: the weights that are given, `[N]`, above 0.

    Returns:
        `[G]`; 0 for a graph whose targets are all 0.

    Raises:
        ValueError: one of them has not a weight for each node.

    >>> pair = GraphData.from_edges([0], [1])
    >>> even = torch.tensor([0.5, 0.5])
    >>> attention_divergence(pair, torch.tensor([1.0, 0.0]), even)  # log 2
    tensor([0.6931])
    """
    if not target.shape == alpha.shape == (graph.num_nodes,):
        raise ValueError(
            f"target and alpha must be [{graph.num_nodes}], one weight for each node; "
            f"got {list(target.shape)} and {list(alpha.shape)}"
        )
    target = target.to(alpha.dtype)
    tiny = torch.finfo(alpha.dtype).tiny
    terms = torch.xlogy(target, target) - target * alpha.clamp(min=tiny).log()
    zeros = terms.new_zeros(graph.num_graphs)
    return zeros.index_add(0, members(graph), terms)


def pooling_loss(
    outputs: Tensor, done: Sequence[Pooled], pack: GraphPack, beta: float = 0.0
) -> Tensor:
    r"""Task loss, and $\beta$ times how far the attention is from the wanted one.

    The task loss is the cross-entropy, or the mean squared error of numbers. The second
    part is the mean over graphs of the KL divergence divided by the number of nodes,
    summed over the pooling layers. Behind the first of these the wanted weights are
    those of the nodes that are left, scaled to sum to 1.

    Args:
        outputs: `[G, C]` or `[G, 1]`.
        done: what each pooling layer did.
        pack: the answers and, where `beta` is above 0, the wanted attention.
        beta: weight of the second part.

    Source: Knyazev, Taylor and Amer, NeurIPS 2019, equation 5, and their code, which
    divides by the number of nodes.
    """
    if pack.has_numbers:
        loss = F.mse_loss(outputs[:, 0], pack.y.to(outputs.dtype))
    else:
        loss = F.cross_entropy(outputs, pack.y)
    if not beta:
        return loss
    if not done:
        raise ValueError(
            "beta is above 0, but the model has no pooling layer whose attention could "
            "be taught: give it pooling=NodePooling(...), or leave beta at 0"
        )
    target = pack.attention
    for step in done:
        graph_of, number = members(step.graph), step.graph.num_graphs
        sums = target.new_zeros(number).index_add(0, graph_of, target)
        target = target / sums.masked_fill(sums == 0, 1)[graph_of]
        sizes = torch.bincount(graph_of, minlength=number)
        divergence = attention_divergence(step.graph, target, step.alpha)
        loss = loss + beta * (divergence / sizes).mean()
        target = target[step.kept]
    return loss


def fit_pooling(
    model: nn.Module,
    train: GraphPack,
    val: GraphPack,
    *,
    beta: float = 0.0,
    lr: float = 0.001,
    max_epochs: int = 100,
    decay_at: Sequence[int] = (),
    progress: bool = True,
) -> Curves:
    r"""Train by Adam for so many epochs; the parameters of the last one stay.

    The weight decay is 0.0001, and a step takes 32 graphs. As in the paper, nothing is
    chosen by validation.

    Args:
        model: a `PoolingNetwork`, or another model that is called as
            `model(graph, x, return_attention=True)` and returns outputs and a list of
            `Pooled`.
        train: graphs, on the model's device.
        val: graphs whose loss and score are recorded after each epoch.
        beta: weight of the distance from `train.attention`; 0 leaves the attention to
            the task.
        lr: learning rate.
        max_epochs: epochs.
        decay_at: epochs after which the learning rate is divided by 10.
        progress: show a progress bar.

    Returns:
        The `Curves`; `val_score` is the accuracy in percent.

    Raises:
        ValueError: `beta` is negative, or above 0 where no attention is known or the
            model does not pool; or the model returns something else than is asked for.
        FloatingPointError: a loss became NaN or infinite.

    >>> sets = counting.colors(num_train=40, num_val=5, num_test=5)
    >>> model = PoolingNetwork(4, 1, pooling=NodePooling((2,), threshold=0.05))
    >>> options = {"beta": 100, "max_epochs": 2, "progress": False}
    >>> fit_pooling(model, sets["train"], sets["val"], **options).epochs
    2
    """
    if beta < 0 or (beta and train.attention is None):
        raise ValueError(
            f"beta must be at least 0, and 0 where the graphs have no attention; got "
            f"{beta} for {train}"
        )
    task = PooledAnswers(train, val=val, beta=beta)
    return fit_task(
        model,
        task,
        lr=lr,
        weight_decay=1e-4,
        max_epochs=max_epochs,
        patience=None,
        decay_at=decay_at,
        progress=progress,
    )


class PooledAnswers(Task):
    """Graphs that have an answer each, and perhaps a wanted attention."""

    history, record, fit = Curves, Run, staticmethod(fit_pooling)
    batch_size = 32

    def __init__(self, data: GraphPack, val: GraphPack, beta: float = 0.0) -> None:
        super().__init__(data)
        self.val, self.beta = val, beta
        self.options = {"beta": beta}

    def prepare(self, model: nn.Module) -> None:
        require_trainable(model)
        was_training = model.training
        model.eval()  # no dropout: the check draws no random number
        try:
            for pack in (self.val, self.data):
                few = pack.take(range(min(2, len(pack))))
                outputs, done = _both(model, few.graph)
                _require_fit(outputs, few, self.data.num_classes)
        finally:
            model.train(was_training)
        most = 0 if self.val.has_numbers else int(self.val.y.max())
        if self.val.has_numbers != self.data.has_numbers or most >= outputs.shape[1]:
            raise ValueError(
                f"val must have answers like those of train; it holds {self.val}"
            )
        pooling_loss(outputs, done, few, self.beta)

    def batches(self) -> list[tuple[GraphPack, int]]:
        order = torch.randperm(len(self.data), device=self.data.device)
        return (
            (self.data.take(some), len(some)) for some in order.split(self.batch_size)
        )

    def loss(self, model: nn.Module, batch: GraphPack) -> Tensor:
        outputs, done = model(batch.graph, batch.graph.x, return_attention=True)
        return pooling_loss(outputs, done, batch, self.beta)

    def validate(self, model: nn.Module) -> Evaluation:
        outputs = predict_pack(model, self.val)[0]
        loss = pooling_loss(outputs, (), self.val)
        return Evaluation(float(loss), 100 * float(right(outputs, self.val).mean()))

    def judge(
        self, val: Evaluation, best_loss: float, best_score: float
    ) -> tuple[bool, bool]:
        return True, True  # the last epoch stays

    def require_scores(self) -> None:
        """Nothing is tested here; see `evaluate_pooling`."""

    def scores(self, model: nn.Module) -> dict[str, float]:
        return {"val_accuracy": self.validate(model).accuracy}


@torch.no_grad()
def predict_pack(
    model: nn.Module, pack: GraphPack, batch_size: int = 100
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Outputs `[G, C]`, and weights and kept nodes of the first pooling layer.

    These are lists with a tensor for each batch, empty where the model does not pool.
    Dropout is off.

    >>> from gat_course.training.node_pooling import predict_pack
    >>> test = counting.colors(num_train=1, num_val=1, num_test=5)["Test-Orig"]
    >>> outputs, alphas, kept = predict_pack(PoolingNetwork(4, 1), test)
    >>> outputs.shape == (len(test), 1), alphas, kept
    (True, [], [])
    """
    was_training = model.training
    model.eval()
    outputs, alphas, kept = [], [], []
    try:
        for some in torch.arange(len(pack), device=pack.device).split(batch_size):
            part = pack.take(some)
            found, done = _both(model, part.graph)
            _require_fit(found, part, 1 if pack.has_numbers else 0)
            if not bool(torch.isfinite(found).all()):
                raise FloatingPointError(
                    f"the outputs for {pack.name} are NaN or infinite: look for "
                    "extreme features, or train with a smaller learning rate"
                )
            outputs.append(found)
            if done:
                alphas.append(done[0].alpha)
                kept.append(done[0].kept)
    finally:
        model.train(was_training)
    return torch.cat(outputs), alphas, kept


def _both(model: nn.Module, graph: GraphData) -> tuple[Tensor, list[Pooled]]:
    """Outputs of a model of this kind, and what its pooling layers did."""
    try:
        outputs, done = model(graph, graph.x, return_attention=True)
    except (TypeError, ValueError) as error:
        if "return_attention" not in str(error) and "unpack" not in str(error):
            raise
        raise TypeError(
            f"{type(model).__name__} is no model that pools: call it as model(graph, "
            "x, return_attention=True) and return outputs and a list of Pooled"
        ) from error
    return outputs, done


def _require_fit(outputs: Tensor, pack: GraphPack, wanted: int) -> None:
    """Raise unless there is a row for each graph, of one number or enough classes."""
    fits = outputs.dim() == 2 and len(outputs) == len(pack)
    wide = fits and outputs.shape[1]
    if not fits or wide < wanted or (pack.has_numbers and wide != 1):
        what = "1" if pack.has_numbers else f"at least {max(wanted, 1)}"
        raise ValueError(
            f"the model returns {list(outputs.shape)} for {len(pack)} graphs; it needs "
            f"a row for each, and outputs={what} for {pack.name}"
        )


def right(outputs: Tensor, pack: GraphPack) -> Tensor:
    """Whether each answer is right, numbers after rounding, `[G]` of 0 and 1.

    >>> from gat_course.training.node_pooling import right
    >>> test = counting.colors(num_train=1, num_val=1, num_test=5)["Test-Orig"]
    >>> right(test.y.unsqueeze(1) + 0.4, test).mean()
    tensor(1., dtype=torch.float64)
    """
    found = outputs[:, 0].round() if pack.has_numbers else outputs.argmax(dim=1)
    return (found == pack.y).double()


def evaluate_pooling(model: nn.Module, pack: GraphPack) -> dict[str, float]:
    """Accuracy in percent and, where both are known, the AUC of the attention.

    Args:
        model: a `PoolingNetwork`.
        pack: the graphs. Numbers count as right if rounding gives them.

    Returns:
        "accuracy"; of a model that pools "kept", the share of nodes in percent that
        stay; and where the pack's attention is known "auc", in percent: how often,
        among all nodes of all graphs, a node whose weight should be above 0 gets a
        larger one than a node whose weight should be 0.

    >>> test = counting.colors(num_train=1, num_val=1, num_test=5)["Test-Orig"]
    >>> sorted(evaluate_pooling(PoolingNetwork(4, 1), test))
    ['accuracy']
    """
    outputs, alphas, kept = predict_pack(model, pack)
    found = {"accuracy": 100 * float(right(outputs, pack).mean())}
    if alphas:
        found["kept"] = 100 * float(torch.cat(kept).double().mean())
        target = pack.attention
        if target is not None and bool((target > 0).any() & (target == 0).any()):
            found["auc"] = attention_auc(target, torch.cat(alphas))
    return found


def attention_auc(target: Tensor, alpha: Tensor) -> float:
    """AUC in percent: do nodes that should count get the larger weights?

    Args:
        target: the right weights, `[N]`.
        alpha: the weights that are given, `[N]`.

    Raises:
        ValueError: all nodes should count, or none; or the two do not fit.
        FloatingPointError: a weight is NaN or infinite.

    >>> attention_auc(torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.2, 0.7, 0.1]))
    100.0
    """
    alpha = alpha.detach().double().cpu()
    if target.shape != alpha.shape or target.dim() != 1:
        raise ValueError(
            f"target and alpha must be [N], one weight for each node; got "
            f"{list(target.shape)} and {list(alpha.shape)}"
        )
    if not bool(torch.isfinite(alpha).all()):
        raise FloatingPointError("alpha holds NaN or infinite numbers")
    counts = (target > 0).cpu()
    if bool(counts.all()) or not bool(counts.any()):
        raise ValueError("there is no AUC where all nodes should count, or none")
    return 100 * float(roc_auc_score(counts, alpha))


def node_effects(model: nn.Module, pack: GraphPack, batch_size: int = 250) -> Tensor:
    r"""How much a model's answer depends on each node: weak labels for attention.

    Each node is taken out in turn, with its edges, and the graphs that are left go
    through the model in batches. With $y$ its output (of classes the logit of the
    predicted one) and $y_i$ the same without node $i$,

    $$\alpha_i=|y_i-y|/\sum_j|y_j-y|$$

    Args:
        model: without attention, trained on the same task.
        pack: the graphs; a graph of one node gets the weight 1.
        batch_size: how many graphs go through the model at a time; few fit into the
            caches of a CPU.

    Returns:
        `[N]`; over a graph they sum to 1, or to 0 where no node changes the output.

    Source: Knyazev, Taylor and Amer, NeurIPS 2019, equation 6.

    >>> test = counting.colors(num_train=1, num_val=1, num_test=5)["Test-Orig"]
    >>> node_effects(PoolingNetwork(4, 1), test).shape == test.graph_of.shape
    True
    """
    outputs = predict_pack(model, pack)[0]  # [G, C]
    chosen = outputs.argmax(dim=1)  # of numbers 0, the only one
    graph_of, sizes = pack.graph_of, pack.sizes
    moved = torch.zeros(len(graph_of), dtype=outputs.dtype, device=pack.device)
    jobs = (sizes[graph_of] > 1).nonzero()[:, 0]  # a node to take out of its graph
    for some in jobs.split(batch_size):
        graphs = graph_of[some]
        left = _without(pack.take(graphs).graph, some - _starts(sizes)[graphs])
        rows = predict(model, left).gather(1, chosen[graphs].unsqueeze(1))[:, 0]
        moved[some] = (rows - outputs[graphs, chosen[graphs]]).abs()
    moved[(sizes == 1)[graph_of]] = 1
    sums = moved.new_zeros(len(pack)).index_add(0, graph_of, moved)
    return moved / sums.masked_fill(sums == 0, 1)[graph_of]


def _starts(sizes: Tensor) -> Tensor:
    return sizes.cumsum(0) - sizes


def _without(graph: GraphData, places: Tensor) -> GraphData:
    """Each graph of a batch without one of its nodes, the one at its place."""
    sizes = torch.bincount(graph.graph_of)
    kept = torch.ones(graph.num_nodes, dtype=torch.bool, device=graph.device)
    kept[_starts(sizes) + places] = False
    return pooled_graph(graph, kept)
