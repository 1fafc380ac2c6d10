"""Links held out of a graph, to be predicted from the others (chapter 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gat_course import intake
from gat_course.graph import GraphData

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LinkSplit:
    r"""An undirected graph whose links are split into three parts.

    Messages run along training links alone: `graph` has no other edges, so nothing of
    what is asked for can reach the answer.

    Args:
        graph: the nodes, and the training links in both directions.
        links: of each part the pairs of nodes that are linked, `[2, M]`.
        others: of "val" and "test" as many pairs that are not linked anywhere.
        name: printed in every plot title and table.

    Raises:
        ValueError: a part is missing or empty, or its pairs are not `[2, M]` numbers of
            nodes.

    `forbidden` `[P]` holds the number $iN+j$, $i<j$, of every pair that is linked in
    any part; training draws its pairs without a link from the rest.
    """

    graph: GraphData
    links: dict[str, Tensor]
    others: dict[str, Tensor]
    name: str

    def __post_init__(self) -> None:
        for field, wanted in (("links", PARTS), ("others", PARTS[1:])):
            kind = getattr(self, field)
            if set(kind) != set(wanted):
                raise ValueError(f"{field} must have the parts {', '.join(wanted)}")
            for part, given in kind.items():
                what, n = f"{field}[{part!r}]", self.graph.num_nodes
                pairs = intake.numbers(what, given)
                inside = (pairs >= 0) & (pairs < n)
                shaped = pairs.dim() == 2 and len(pairs) == 2 and pairs.shape[1] > 0
                if not shaped or not bool(inside.all()):
                    raise ValueError(
                        f"{what} must be [2, M], at least one pair of nodes 0 to "
                        f"{n - 1}, got {list(pairs.shape)}"
                    )

    @property
    def graphs(self) -> tuple[GraphData, ...]:
        """The graph, in a tuple: what a checksum looks at."""
        return (self.graph,)

    @property
    def num_features(self) -> int:
        """Features per node, $F$."""
        return self.graph.num_features

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.graph.device

    @property
    def forbidden(self) -> Tensor:
        """The number of each linked pair, sorted."""
        pairs = torch.cat([self.links[part] for part in PARTS], dim=1)
        return pair_numbers(pairs, self.graph.num_nodes).unique()

    def to(self, device: str | torch.device) -> LinkSplit:
        """The same with every tensor on `device`."""
        links, others = (
            {part: pairs.to(device) for part, pairs in kind.items()}
            for kind in (self.links, self.others)
        )
        return replace(self, graph=self.graph.to(device), links=links, others=others)

    def with_self_loops(self) -> LinkSplit:
        """The same with an edge from each node to itself for the messages."""
        return replace(self, graph=self.graph.with_self_loops())

    def __repr__(self) -> str:
        sizes = "/".join(str(self.links[part].shape[1]) for part in PARTS)
        return (
            f"LinkSplit({self.name!r}, {sizes} links for train/val/test, "
            f"{self.graph.num_nodes} nodes, {self.num_features} features)"
        )


def pair_numbers(pairs: Tensor, num_nodes: int) -> Tensor:
    """One number for each unordered pair of nodes, `[2, M]` to `[M]`.

    >>> from gat_course.links import pair_numbers
    >>> pair_numbers(torch.tensor([[0, 2], [2, 0]]), num_nodes=3)
    tensor([2, 2])
    """
    return pairs.amin(dim=0) * num_nodes + pairs.amax(dim=0)


def unlinked_pairs(
    num_nodes: int, forbidden: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """Draw pairs of different nodes that have no link, each at most once.

    Args:
        num_nodes: $N$.
        forbidden: numbers of the pairs that are not to be drawn, as from
            `pair_numbers`.
        count: how many.
        generator: of the random numbers, on the CPU.

    Returns:
        `[2, count]`, the smaller number first, on the CPU.

    Raises:
        ValueError: there are not so many.

    >>> from gat_course.links import unlinked_pairs
    >>> rest = unlinked_pairs(3, torch.tensor([1, 2]), 1, torch.Generator())
    >>> rest.flatten()
    tensor([1, 2])
    """
    forbidden = forbidden.cpu().unique()
    free = num_nodes * (num_nodes - 1) // 2 - len(forbidden)
    if count > free:
        raise ValueError(
            f"{count} pairs without a link are asked for, and there are {free}"
        )
    found = forbidden.new_empty(0)
    while len(found) < count:
        more = torch.randint(num_nodes, (2, 2 * count + 16), generator=generator)
        more = pair_numbers(more[:, more[0] != more[1]], num_nodes)
        found = torch.cat([found, more[~torch.isin(more, forbidden)]]).unique()
    found = found[torch.randperm(len(found), generator=generator)[:count]]
    return torch.stack([found // num_nodes, found % num_nodes])


def split_links(
    graph: GraphData, val: float = 0.05, test: float = 0.1, seed: int = 0
) -> LinkSplit:
    """Hold a share of an undirected graph's links out, at random.

    Self-loops are left out, repeated links count once, weights and features of edges
    are dropped. For each link held out a pair of nodes without one is drawn.

    Args:
        graph: undirected: each edge in both directions.
        val: share of the links that choose the model.
        test: share of those that measure it.
        seed: the same seed gives the same split on every machine.

    Raises:
        ValueError: an edge has no reverse, or a part would be empty, or the graph is so
            dense that there are not enough pairs without a link.

    Source: Kipf and Welling, "Variational Graph Auto-Encoders", 2016, for the shares.

    >>> graph = GraphData.from_edges(range(20), range(1, 21), undirected=True)
    >>> split_links(graph, val=0.1, test=0.2)
    LinkSplit('graph', 14/2/4 links for train/val/test, 21 nodes, 0 features)
    """
    n, pairs = graph.num_nodes, torch.stack([graph.src, graph.dst]).cpu()
    pairs = pairs[:, pairs[0] != pairs[1]]
    there, back = (p[0] * n + p[1] for p in (pairs, pairs.flip(0)))
    if not bool(torch.isin(there, back).all()):
        raise ValueError(
            f"{graph.name} has edges without a reverse; build it with undirected=True"
        )
    number = pair_numbers(pairs, n).unique()
    generator = torch.Generator().manual_seed(seed)
    number = number[torch.randperm(len(number), generator=generator)]
    sizes = [round(share * len(number)) for share in (val, test)]
    if min(sizes) < 1 or sum(sizes) >= len(number):
        raise ValueError(
            f"val = {val} and test = {test} of {len(number)} links leave a part empty"
        )
    parts = number.split([len(number) - sum(sizes), *sizes])
    links = {
        part: torch.stack([chosen // n, chosen % n])
        for part, chosen in zip(PARTS, parts, strict=True)
    }
    others = unlinked_pairs(n, number, sum(sizes), generator).split(sizes, dim=1)
    src, dst = torch.cat([links["train"], links["train"].flip(0)], dim=1)
    kept = replace(
        graph,
        src=src.to(graph.device),
        dst=dst.to(graph.device),
        edge_weight=None,
        edge_attr=None,
    )
    found = LinkSplit(
        graph=kept,
        links=links,
        others=dict(zip(PARTS[1:], others, strict=True)),
        name=graph.name,
    )
    return found.to(graph.device)
