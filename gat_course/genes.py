"""One gene in many graphs: what a split by graphs leaves known (chapter 6).

PPI has a node for each gene *and tissue*. Labels belong to the gene, so a test graph
that is new holds genes that are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gat_course import intake
from gat_course.graph import GraphData
from gat_course.graphs import Tissues, batch_graphs


def same_rows(tissues: Tissues) -> tuple[Tensor, ...]:
    """Take nodes with equal features and equal labels, in whatever graph, as one gene.

    For data that do not say which gene a node is. All nodes of a gene are found, since
    its features and labels are the same everywhere; but genes that agree in all of them
    are taken as one. So a split by these numbers keeps genes apart too. To look labels
    up by them would be circular: they are made of the labels.

    Args:
        tissues: the graphs.

    Returns:
        A number for each node, int64 `[N]` for each graph in the order train, val,
        test.

    >>> one = GraphData.from_edges([0], [1], x=torch.eye(3), y=torch.eye(3))
    >>> other = GraphData.from_edges([0], [1], x=torch.eye(3)[1:], y=torch.eye(3)[1:])
    >>> genes.same_rows(Tissues(train=[one], val=[other], test=[one], name="small"))
    (tensor([2, 1, 0]), tensor([1, 0]), tensor([2, 1, 0]))
    """
    rows = [torch.cat([g.x.to_dense(), g.y.to(g.x.dtype)], 1) for g in tissues.graphs]
    number = torch.unique(torch.cat(rows), dim=0, return_inverse=True)[1]
    return tuple(number.split([len(part) for part in rows]))


def lookup(tissues: Tissues, genes: Sequence[Tensor]) -> list[Tensor]:
    """Label the test graphs from a table, gene by gene, without learning anything.

    A node gets the labels that most nodes of its gene have in the training graphs, and
    none where its gene does not occur there.

    Args:
        tissues: the graphs. Where the training graphs have a `train_mask`, only the
            nodes in it are looked at.
        genes: which gene each node is, `[N]` for each graph, as `tissues.genes`.

    Returns:
        Labels `[N, L]`, 0.0 or 1.0, for each test graph.

    Raises:
        ValueError: `genes` does not fit the graphs.

    >>> tissues = synthetic_tissues(num_graphs=(2, 1, 1), num_nodes=20)
    >>> numbers = [torch.arange(graph.num_nodes) for graph in tissues.graphs]
    >>> [labels.shape for labels in genes.lookup(tissues, numbers)]
    [torch.Size([22, 121])]
    """
    genes, batch = _checked(genes, tissues), batch_graphs(tissues.train)
    known, number = torch.unique(torch.cat(genes), return_inverse=True)
    number = number.split([len(part) for part in genes])
    trained, y = torch.cat(number[: len(tissues.train)]), batch.y
    if batch.train_mask is not None:
        trained, y = trained[batch.train_mask], y[batch.train_mask]
    ones = y.new_zeros(len(known), y.shape[1]).index_add(0, trained, y)
    nodes = torch.bincount(trained, minlength=len(known)).unsqueeze(1)
    table = (2 * ones > nodes).to(y.dtype)  # [genes, L]
    return [table[part] for part in number[-len(tissues.test) :]]


def gene_disjoint(
    tissues: Tissues, genes: Sequence[Tensor], share: float = 0.2, seed: int = 0
) -> Tissues:
    """Hide a share of the genes from training, in all graphs.

    The genes are dealt out at random. Those that are hidden have their nodes, features
    and links still, but training never sees their labels. Half of them (one more, if
    the number is odd) choose the model on the validation graphs, the others measure it
    on the test graphs.

    Args:
        tissues: the graphs; masks that they have are replaced.
        genes: which gene each node is, `[N]` for each graph, as `tissues.genes`, or
            `same_rows(tissues)` where nobody knows.
        share: of the genes, to be hidden, between 0 and 1.
        seed: decides which.

    Returns:
        The same graphs with masks: `train_mask`, the nodes of genes that are trained on
        and occur in the training graphs; `val_mask` and `test_mask`, those of hidden
        genes that choose and that measure. `fit_graphs` keeps to them. The name tells
        the share.

    Raises:
        ValueError: `genes` does not fit the graphs, or `share` leaves too few genes to
            train on, to choose or to measure.

    >>> tissues = synthetic_tissues(num_graphs=(2, 1, 1), num_nodes=20)
    >>> numbers = [torch.arange(graph.num_nodes) for graph in tissues.graphs]
    >>> graph = genes.gene_disjoint(tissues, numbers).test[0]
    >>> graph.train_mask.sum(), graph.val_mask.sum(), graph.test_mask.sum()
    (tensor(13), tensor(2), tensor(2))
    """
    genes = _checked(genes, tissues)
    known = torch.unique(torch.cat(genes)).cpu()
    hidden = round(share * len(known)) if 0 < share < 1 else 0
    if not 2 <= hidden < len(known):
        raise ValueError(
            f"share = {share} of {len(known)} genes hides {hidden}; choose one that "
            "hides two, one to choose the model and one to measure it, or more, and "
            "leaves one to train on"
        )
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))
    chooses, measures = known[order[:hidden]].tensor_split([math.ceil(hidden / 2)])
    occurs = torch.unique(torch.cat(genes[: len(tissues.train)])).cpu()
    trained = known[order[hidden:]]
    trained = trained[torch.isin(trained, occurs)]
    roles = dict(zip(intake.MASKS, (trained, chooses, measures), strict=True))

    def masked(graph: GraphData, gene: Tensor) -> GraphData:
        masks = {m: torch.isin(gene, role.to(gene)) for m, role in roles.items()}
        return replace(graph, **masks)

    graphs = list(map(masked, tissues.graphs, genes))
    first, last = len(tissues.train), -len(tissues.test)
    return replace(
        tissues,
        train=graphs[:first],
        val=graphs[first:last],
        test=graphs[last:],
        name=f"{tissues.name}, {share:.0%} of genes hidden",
    )


def _checked(genes: Sequence[Tensor], tissues: Tissues) -> tuple[Tensor, ...]:
    """The numbers of the genes, by the rules for `Tissues.genes`."""
    if genes is None:
        raise ValueError(
            f"{tissues.name} does not say which gene a node is: genes is None. Give a "
            "number for each node, or same_rows(tissues)"
        )
    return replace(tissues, genes=tuple(genes)).genes
