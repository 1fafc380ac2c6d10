"""Random citation graphs, for when the real ones cannot be had (chapter 5).

Papers cite papers of their own subfield, a few papers are cited by many, and a paper's
words come partly from its subfield. Nothing in them was measured on a real paper.
"""

from typing import NamedTuple

import numpy as np

from gat_course import intake
from gat_course.graph import GraphData

_SUBFIELDS = 8  # per class; the k-th largest has a share in proportion to 1 / k
_FAVOURITES = 50  # words that a subfield uses more than others do
_PER_CLASS, _VALIDATION, _TEST = 20, 500, 1000  # the Planetoid split


class _Shape(NamedTuple):
    """Sizes are the real data's; the last three bring its degrees and difficulty."""

    class_sizes: tuple[int, ...]
    links: int
    vocabulary: int
    words: float  # per paper
    popularity: float  # the k-th most popular paper draws k^-popularity of citations
    inside: float  # share of citations that stay inside the subfield
    favoured: float  # share of a paper's words that are its subfield's favourites


_CORA = 351, 217, 418, 818, 426, 298, 180
_CITESEER = 264, 590, 668, 701, 596, 508
_SHAPES = {
    "cora": _Shape(_CORA, 5278, 1433, 18.2, 0.76, 0.81, 0.38),
    "citeseer": _Shape(_CITESEER, 4552, 3703, 31.8, 0.74, 0.7, 0.19),
    "pubmed": _Shape((4103, 7739, 7875), 44324, 500, 50.1, 0.5, 0.7, 0.27),
}


def synthetic_citation(like: str = "cora", seed: int = 0) -> GraphData:
    """Make a citation graph of the size of a real one.

    Like Cora it has classes that cite mostly themselves, a few papers that are cited by
    very many, binary bag-of-words features, and the Planetoid split (20 training nodes
    per class, 500 for validation, 1,000 for testing). Unlike Citeseer it has no node
    without a neighbour, and unlike Pubmed's its features are 0 or 1.

    Args:
        like: whose number of nodes, links, words and classes to use: "cora",
            "citeseer" or "pubmed".
        seed: the same seed gives the same graph on every machine.

    Returns:
        A graph with `x` in sparse CSR, `y`, the three masks, and a name that says what
        it is: "synthetic stand-in for Cora". Each link is two directed edges.

    Raises:
        ValueError: `like` is not one of the three names.

    >>> synthetic_citation("cora").y.unique()
    tensor([0, 1, 2, 3, 4, 5, 6])
    """
    from scipy.sparse import csr_matrix

    if like not in _SHAPES:
        names = ", ".join(_SHAPES)
        raise ValueError(f"unknown data set {like!r}; choose one of {names}")
    shape = _SHAPES[like]
    rng = np.random.default_rng(seed)
    counts = shape.class_sizes
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    shares = 1 / np.arange(1, _SUBFIELDS + 1)
    subfield = y * _SUBFIELDS + _draw(shares, len(y), rng)
    one, other = _links(subfield, shape, rng)
    words = csr_matrix(_words(subfield, shape, rng))

    train = np.concatenate(
        [np.flatnonzero(y == c)[:_PER_CLASS] for c in range(len(counts))]
    )
    number = np.arange(len(y))
    rest = np.setdiff1d(number, train)
    return GraphData.from_edges(
        one,
        other,
        undirected=True,
        x=intake.tensor("x", words).float(),  # whatever PyTorch's default dtype is
        y=y,
        train_mask=np.isin(number, train),
        val_mask=np.isin(number, rest[:_VALIDATION]),
        test_mask=np.isin(number, rest[-_TEST:]),
        name=f"synthetic stand-in for {like.title()}",
    )


def _draw(weights: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `n` positions, each with a chance in proportion to its weight."""
    return rng.choice(len(weights), n, p=weights / weights.sum())


def _links(
    subfield: np.ndarray, shape: _Shape, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Let every paper cite one other, then popular papers cite until there are enough.

    Returns the two ends of each link: no link is there twice, none leads from a paper
    to itself, and no paper is left without one.
    """
    n = len(subfield)
    by_subfield = np.argsort(subfield, kind="stable")
    rank = rng.permutation(n) + 1
    popularity = rank**-shape.popularity
    # Lay the papers side by side on a line, subfield by subfield, each as wide as it is
    # popular. A citation is then a random point inside, or outside, one stretch of it.
    ends = np.cumsum(popularity[by_subfield])
    length = ends[-1]
    first = np.searchsorted(subfield[by_subfield], subfield)
    after = np.searchsorted(subfield[by_subfield], subfield, side="right")
    left = np.concatenate([[0], ends])[first]  # where one's own stretch begins, [N]
    right = ends[after - 1]  # and where it stops, [N]

    links = np.empty(0, dtype=np.int64)  # one number per link: smaller end * n + larger
    citing = np.arange(n)
    while len(citing):
        inside = rng.random(len(citing)) < shape.inside
        point = rng.random(len(citing))
        width = right[citing] - left[citing]
        at_inside = left[citing] + point * width
        at_outside = (right[citing] + point * (length - width)) % length
        at = np.where(inside, at_inside, at_outside)
        place = np.searchsorted(ends, at, side="right").clip(max=n - 1)
        cited = by_subfield[place]
        new = np.minimum(citing, cited) * n + np.maximum(citing, cited)
        links = np.unique(np.concatenate([links, new[citing != cited]]))
        linked = np.zeros(n, dtype=bool)
        linked[links // n] = linked[links % n] = True
        citing = np.flatnonzero(~linked)
        if not len(citing):
            citing = _draw(popularity, shape.links - len(links), rng)
    return links // n, links % n


def _words(subfield: np.ndarray, shape: _Shape, rng: np.random.Generator) -> np.ndarray:
    """Which paper uses which word, bool `[N, F]`."""
    vocabulary, favoured = shape.vocabulary, shape.favoured
    common = rng.permutation(np.arange(1, vocabulary + 1) ** -0.5)
    common /= common.sum()
    chance = np.tile((1 - favoured) * common, (subfield.max() + 1, 1))
    for row in chance:
        favourites = rng.permutation(vocabulary)[:_FAVOURITES]
        row[favourites] += favoured * common[favourites] / common[favourites].sum()
    return rng.random((len(subfield), vocabulary)) < shape.words * chance[subfield]
