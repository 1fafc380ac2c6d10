"""Training on sampled neighbourhoods, in one process or in several (chapter 10).

Early stopping, loss and score are those of `fit`; what differs is a step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gat_course.blockwise import Blockwise, device_of, equal_parts, infer
from gat_course.graph import GraphData
from gat_course.sampling import Batch, NeighborSampler
from gat_course.training.history import Evaluation, History
from gat_course.training.labels import evaluation, require_labels, require_outputs
from gat_course.training.loop import fit_task, require_trainable
from gat_course.training.one_graph import NodeClasses


def evaluate_sampled(
    model: nn.Module,
    graph: GraphData,
    mask: Tensor | Sequence[bool],
    batch_size: int = 10_000,
) -> Evaluation:
    """What `evaluate` gives, for a graph too large for it: computed by `infer`.

    All edges count; nothing is drawn. Arguments and errors: see `evaluate`.

    Args:
        model: a `GAT` or another `Stack`.
        graph: the graph, with `x` and `y`.
        mask: the nodes to measure, bool `[N]`.
        batch_size: nodes that a layer computes at a time.

    >>> graph = power_law_graph(1000, 20_000).with_self_loops()
    >>> model = GAT(graph.num_features, graph.num_classes)
    >>> 0 <= evaluate_sampled(model, graph, graph.test_mask).accuracy <= 100
    True
    """
    mask = require_labels(graph, mask, "mask")
    return evaluation(model, infer(model, graph, batch_size), graph, mask)


def fit_sampled(
    model: nn.Module,
    graph: GraphData,
    fanouts: Sequence[int],
    *,
    batch_size: int = 512,
    lr: float = 0.005,
    weight_decay: float = 5e-4,
    max_epochs: int = 10_000,
    patience: int | None = 100,
    checkpoint: str | os.PathLike | None = None,
    rank: int = 0,
    world: int = 1,
    progress: bool = True,
) -> History:
    """Train as `fit` does, each step on some training nodes and drawn neighbours.

    An epoch goes through the training nodes once, in random order. Validation uses all
    edges, layer by layer. The model comes back in evaluation mode, with the best
    parameters. The graph may stay in the CPU's memory while the model is on a GPU: each
    batch is brought there.

    Several processes train one model when each calls this with its `rank`, after
    `torch.distributed.init_process_group` and the same `torch.manual_seed`. A step
    looks at the same nodes, whatever `world` is: each process takes its share of every
    batch, and `DistributedDataParallel` averages their gradients. What is drawn and
    dropped differs.

    Args:
        model: a `GAT` or another `Stack`, of as many layers as `fanouts` has entries.
        graph: with `x`, `y`, `train_mask` and `val_mask`.
        fanouts: edges drawn into a target, the first layer's first; -1 for all.
        batch_size: training nodes in a step, over all processes, at most.
        lr: Adam's learning rate.
        weight_decay: weight of the L2 penalty inside Adam's gradient.
        max_epochs: stop after so many epochs in any case.
        patience: epochs in which neither loss nor accuracy is at its best; None trains
            `max_epochs` epochs and keeps the last parameters.
        checkpoint: as for `fit_graphs`; rank 0 writes it, all ranks read it.
        rank: number of this process, from 0.
        world: number of processes.
        progress: show a progress bar.

    Returns:
        The `History`; its training losses are those of this process's share.

    Raises:
        TypeError: as `fit`.
        ValueError: as `fit`; or the model cannot be computed in blocks, `rank` is not
            one of `world`, or a batch is smaller than `world`.
        FloatingPointError: as `fit`.

    >>> graph = power_law_graph(1000, 20_000).with_self_loops()
    >>> model = GAT(graph.num_features, graph.num_classes)
    >>> fit_sampled(model, graph, [10, 10], max_epochs=2, progress=False).epochs
    2
    """
    if not isinstance(graph, GraphData):
        raise TypeError(
            f"fit_sampled trains on a GraphData, not on {type(graph).__name__}"
        )
    task = SampledClasses(
        graph, fanouts=fanouts, batch_size=batch_size, rank=rank, world=world
    )
    return fit_task(
        model,
        task,
        lr=lr,
        weight_decay=weight_decay,
        max_epochs=max_epochs,
        patience=patience,
        checkpoint=checkpoint,
        progress=progress,
    )


class SampledClasses(NodeClasses):
    """One graph whose nodes have a class each, in batches of some training nodes.

    >>> from gat_course.training.sampled import SampledClasses
    >>> graph = power_law_graph(1000, 20_000).with_self_loops()
    >>> task = SampledClasses(graph, [5, 5], batch_size=500)
    >>> task.prepare(GAT(graph.num_features, graph.num_classes))
    >>> (share, number), size = next(task.batches())
    >>> len(share.targets) == number == size
    True
    """

    fit, resumable = staticmethod(fit_sampled), True
    evaluate = staticmethod(evaluate_sampled)

    def __init__(
        self,
        graph: GraphData,
        fanouts: Sequence[int],
        batch_size: int = 512,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__(graph)
        if not 0 <= rank < world:
            raise ValueError(
                f"rank must be from 0 to world - 1, got rank {rank} of world {world}; "
                "torchrun tells both by the variables RANK and WORLD_SIZE"
            )
        self.sampler = NeighborSampler(graph, fanouts)
        own = {"batch_size": batch_size, "world": world}
        self.options = {"fanouts": self.sampler.fanouts} | own
        self.rank, self.world, self.writes = rank, world, rank == 0

    def prepare(self, model: nn.Module) -> None:
        graph = self.data
        for name in ("train_mask", "val_mask"):
            require_labels(graph, getattr(graph, name), name)
        require_trainable(model)
        self.nodes = graph.train_mask.nonzero()[:, 0]
        smallest = min(map(len, self._cut(self.nodes)))
        if smallest < self.world:
            raise ValueError(
                f"a batch of {smallest} training nodes cannot be shared by "
                f"{self.world} processes; choose a larger batch_size or fewer processes"
            )
        self.network = Blockwise(model)
        with torch.no_grad():
            first = self.sampler(self.nodes[:1])
            logits = self._logits(first).expand(graph.num_nodes, -1)
        for name in ("train_mask", "val_mask", "test_mask"):
            mask = getattr(graph, name)
            if mask is not None:
                require_outputs(model, logits, graph, mask, name)
        if self.world > 1:
            self.network = nn.parallel.DistributedDataParallel(self.network)

    def _logits(self, batch: Batch) -> Tensor:
        device = device_of(self.network)
        x = batch.rows(self.data.x).to(device)
        return self.network(batch.to(device), x)

    def _cut(self, nodes: Tensor) -> list[Tensor]:
        return equal_parts(nodes, self.options["batch_size"])

    def batches(self) -> Iterator[tuple[tuple[Batch, int], int]]:
        """This process's share of every batch, with how many nodes the batch has.

        All processes begin and end an epoch with one state of the random numbers, that
        of rank 0's checkpoint; in between each has draws of its own.
        """
        order = self.nodes[torch.randperm(len(self.nodes), device="cpu")]
        seed, after = torch.randint(2**62, (2,), device="cpu").tolist()
        self._require_alike(seed)
        torch.manual_seed(seed + self.rank)
        for part in self._cut(order):
            share = part[self.rank :: self.world]
            yield (self.sampler(share), len(part)), len(part)
        torch.manual_seed(after)

    def _require_alike(self, seed: int) -> None:
        if self.world == 1:
            return
        device = device_of(self.network)
        seeds = torch.tensor([seed, -seed], device=device)  # the largest, the smallest
        torch.distributed.all_reduce(seeds, torch.distributed.ReduceOp.MAX)
        if int(seeds.sum()):
            raise ValueError(
                "the processes are not at the same point of their training: they need "
                "one torch.manual_seed, and a checkpoint that all of them can read"
            )

    def loss(self, model: nn.Module, batch: tuple[Batch, int]) -> Tensor:
        """The share's part of the batch's mean; the mean of all parts is that mean."""
        share, number = batch
        logits = self._logits(share)
        labels = self.data.y.index_select(0, share.targets).to(logits.device)
        total = F.cross_entropy(logits, labels, reduction="sum")
        return total * self.world / number

    def validate(self, model: nn.Module) -> Evaluation:
        """By rank 0, so that all processes stop after the same epoch."""
        found = torch.zeros(2, dtype=torch.float64, device=device_of(model))
        if self.rank == 0:
            val = self.evaluate(model, self.data, self.data.val_mask)
            found += torch.tensor([val.loss, val.accuracy], dtype=torch.float64)
        if self.world > 1:
            torch.distributed.broadcast(found, src=0)
        return Evaluation(*found.tolist())
