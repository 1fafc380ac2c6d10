"""Answers to chapter 2's exercises."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F

from answers import right, wrong
from gat_course import GraphData, formulas
from gat_course.formulas import masked_softmax


def _lists(graph):
    nodes = range(graph.num_nodes)
    return [graph.src[graph.dst == i].tolist() for i in nodes]


def _filled(lists, width, empty=0):
    sources = torch.full((len(lists), width), empty, dtype=torch.long)
    mask = torch.zeros(len(lists), width, dtype=torch.bool)
    for i, near in enumerate(lists):
        near = near[:width]
        sources[i, : len(near)] = torch.as_tensor(near, dtype=torch.long)
        mask[i, : len(near)] = True
    return sources, mask


@right("2.1")
def exact_root(num_bytes, num_heads, matrices):
    a_cell = 4 * Fraction(str(num_heads)) * Fraction(str(matrices))
    return math.isqrt(Fraction(str(num_bytes)) // a_cell)


@right("2.1")
def by_halving(num_bytes, num_heads, matrices):
    a_cell = 4 * num_heads * Fraction(str(matrices))
    fits, too_large = 0, 1
    while a_cell * too_large**2 <= num_bytes:
        too_large *= 2
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        if a_cell * middle**2 <= num_bytes:
            fits = middle
        else:
            too_large = middle
    return fits


@right("2.1")
def decimal_root(num_bytes, num_heads, matrices):
    with localcontext() as context:
        context.prec = 100
        a_cell = 4 * num_heads * Decimal(str(matrices))
        return int((Decimal(str(num_bytes)) / a_cell).sqrt())


@wrong(
    "2.1",
    "rounded to the nearest whole number",
    "It is rounded to the nearest whole number: half",
)
def rounded(num_bytes, num_heads, matrices):
    return round(math.sqrt(num_bytes / (4 * num_heads * matrices)))


@wrong(
    "2.1",
    "the memory grows with N, so there is no root",
    "That is a number of cells, N²; the number of",
)
def no_root(num_bytes, num_heads, matrices):
    return int(num_bytes / (4 * num_heads * matrices))


@wrong(
    "2.1",
    "the heads share their matrices",
    "The heads are left out: each has matrices of",
)
def heads_share(num_bytes, num_heads, matrices):
    return int(math.sqrt(num_bytes / (4 * matrices)))


@wrong("2.1", "a number is a byte", "The 4 bytes of a number are left out.")
def one_byte_each(num_bytes, num_heads, matrices):
    return int(math.sqrt(num_bytes / (num_heads * matrices)))


@wrong(
    "2.1",
    "one matrix for each head is all there is",
    "The matrices are left out: a step holds several",
)
def one_matrix(num_bytes, num_heads, matrices):
    return int(math.sqrt(num_bytes / (4 * num_heads)))


@wrong(
    "2.1",
    "matrices are counted in whole numbers",
    "`matrices` need not be whole: 8.2 became 8.",
)
def whole_matrices(num_bytes, num_heads, matrices):
    return math.isqrt(int(num_bytes // (4 * num_heads * int(matrices))))


@wrong(
    "2.1",
    "the root is returned as it is, a float",
    "A graph has a whole number of nodes: round down.",
)
def a_float(num_bytes, num_heads, matrices):
    return math.sqrt(num_bytes / (4 * num_heads * matrices))


@wrong(
    "2.1", "the first N that does not fit any more", "It is one too many, every time."
)
def first_too_large(num_bytes, num_heads, matrices):
    return int(math.sqrt(num_bytes / (4 * num_heads * matrices))) + 1


@wrong(
    "2.1",
    "the heads are rows too: the matrix is K N by K N",
    "The root is taken of the bytes and matrices",
)
def heads_squared(num_bytes, num_heads, matrices):
    return int(math.sqrt(num_bytes / (4 * matrices)) / num_heads)


@wrong(
    "2.1",
    "A whole number comes from rounding the root",
    "It is rounded to the nearest whole number: half",
)
def rounded_root(num_bytes, num_heads, matrices):
    return round(math.sqrt(num_bytes / (4 * num_heads * matrices)))


@right("2.2")
def word_by_word(num_words, w):
    src, dst = [], []
    for i in range(num_words):
        for j in range(max(0, i - w), i + 1):
            src.append(j)
            dst.append(i)
    src, dst = (torch.tensor(ends, dtype=torch.long) for ends in (src, dst))
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@right("2.2")
def band_of_a_matrix(num_words, w):
    ones = torch.ones(num_words, num_words)
    dst, src = ones.tril().triu(-w).nonzero().t()
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@right("2.2")
def distances(num_words, w):
    dst, back = np.meshgrid(np.arange(num_words), np.arange(w + 1))
    src = dst - back
    dst, src = dst[src >= 0], src[src >= 0]
    ends = torch.from_numpy(src), torch.from_numpy(dst)
    return GraphData.from_edges(*ends, num_nodes=num_words)


@wrong(
    "2.2",
    "source and target swapped: a word looks at those that follow",
    "The words look ahead. An edge goes from the",
)
def looks_ahead(num_words, w):
    ones = torch.ones(num_words, num_words)
    src, dst = ones.tril().triu(-w).nonzero().t()
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@wrong(
    "2.2",
    "the window reaches in both directions",
    "A word looks both ways; it may look back only.",
)
def both_directions(num_words, w):
    ones = torch.ones(num_words, num_words)
    dst, src = ones.tril(w).triu(-w).nonzero().t()
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@wrong("2.2", "a word does not look at itself", "Each word may look at itself, too.")
def no_self_loop(num_words, w):
    pairs = [(j, i) for i in range(num_words) for j in range(max(0, i - w), i)]
    ends = torch.tensor(pairs, dtype=torch.long).view(-1, 2)
    return GraphData(num_nodes=num_words, src=ends[:, 0], dst=ends[:, 1])


@wrong(
    "2.2",
    "the word itself is one of the w words",
    "The word itself is none of the w words before",
)
def itself_counts(num_words, w):
    ones = torch.ones(num_words, num_words)
    dst, src = ones.tril().triu(1 - w).nonzero().t()
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@wrong(
    "2.2",
    "the first words look at the end of the text, as on a ring",
    "The window wraps around: the first words see",
)
def wraps_around(num_words, w):
    dst = torch.arange(num_words).repeat_interleave(w + 1)
    src = (dst - torch.arange(w + 1).repeat(num_words)) % num_words
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@wrong(
    "2.2",
    "clamped at word 0, so early words see it several times",
    "The first words see fewer than w before them;",
)
def clamped(num_words, w):
    dst = torch.arange(num_words).repeat_interleave(w + 1)
    src = (dst - torch.arange(w + 1).repeat(num_words)).clamp(min=0)
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@wrong(
    "2.2",
    "only words that have w words before them look at anything",
    "Words that have fewer than w before them are",
)
def whole_windows_only(num_words, w):
    src, dst = [], []
    for i in range(w, num_words):
        src += range(i - w, i + 1)
        dst += [i] * (w + 1)
    src, dst = (torch.tensor(ends, dtype=torch.long) for ends in (src, dst))
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@wrong(
    "2.2",
    "causal, but without the window: all words before",
    "The window is not used: each word sees all",
)
def no_window(num_words, w):
    dst, src = torch.ones(num_words, num_words).tril().nonzero().t()
    return GraphData(num_nodes=num_words, src=src, dst=dst)


@wrong(
    "2.2",
    "the mask is returned, not a graph",
    "The result should be a GraphData, not a Tensor.",
)
def the_mask_itself(num_words, w):
    return torch.ones(num_words, num_words).tril().triu(-w)


@wrong(
    "2.2",
    "A window of w words holds w words, the word itself among them",
    "The word itself is none of the w words before",
)
def window_with_itself(num_words, w):
    first = [max(0, i - w + 1) for i in range(num_words)]
    pairs = [(j, i) for i in range(num_words) for j in range(first[i], i + 1)]
    src, dst = [j for j, _ in pairs], [i for _, i in pairs]
    return GraphData.from_edges(src, dst, num_words)


@wrong(
    "2.2",
    "Before the first word stands the first word, so they clamp at 0",
    "The first words see fewer than w before them;",
)
def clamped_window(num_words, w):
    dst = torch.arange(num_words).repeat_interleave(w + 1)
    back = torch.arange(w + 1).repeat(num_words)
    return GraphData.from_edges((dst - back).clamp(min=0), dst, num_words)


@right("2.3")
def vectorised_sums(weights, mask):
    weights, mask = weights.double(), mask != 0
    for name, dim in (("rows", 1), ("columns", 0)):
        sums = weights.sum(dim=dim)[mask.any(dim=dim)]
        if ((sums - 1).abs() < 1e-4).all():
            return name
    return "neither"


@right("2.3")
def lists_of_sums(weights, mask):
    weights, mask = weights.tolist(), mask.tolist()

    def sum_to_one(weights, mask):
        return all(
            abs(math.fsum(row) - 1) < 1e-4
            for row, allowed in zip(weights, mask)
            if any(allowed)
        )

    if sum_to_one(weights, mask):
        return "rows"
    return "columns" if sum_to_one(zip(*weights), zip(*mask)) else "neither"


@right("2.3")
def numpy_sums(weights, mask):
    w, m = weights.detach().numpy().astype(float), mask.numpy() != 0
    bad = [(np.abs(w.sum(axis=axis) - 1) > 1e-4) & m.any(axis=axis) for axis in (1, 0)]
    if not bad[0].any():
        return "rows"
    return "neither" if bad[1].any() else "columns"


@wrong(
    "2.3", "the sums must be exactly one", "Sums are compared exactly; they are 1 up to"
)
def exactly_one(weights, mask):
    if (weights.sum(dim=1)[mask.sum(dim=1) > 0] == 1).all():
        return "rows"
    if (weights.sum(dim=0)[mask.sum(dim=0) > 0] == 1).all():
        return "columns"
    return "neither"


@wrong(
    "2.3",
    "empty rows and columns count, too",
    "Rows and columns that the mask leaves empty",
)
def empty_ones_count(weights, mask):
    if torch.allclose(weights.sum(dim=1), torch.ones(weights.shape[0])):
        return "rows"
    if torch.allclose(weights.sum(dim=0), torch.ones(weights.shape[1])):
        return "columns"
    return "neither"


@wrong(
    "2.3",
    "only the allowed entries are summed",
    "Masked entries are left out of the sums; whole",
)
def allowed_entries_only(weights, mask):
    kept = weights * mask
    for name, dim in (("rows", 1), ("columns", 0)):
        sums = kept.sum(dim=dim)[mask.sum(dim=dim) > 0]
        if torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
            return name
    return "neither"


@wrong("2.3", "dim=0 sums the rows", "Rows and columns are mixed up: `weights.sum(1)`")
def dim_zero_sums_rows(weights, mask):
    for name, dim in (("rows", 0), ("columns", 1)):
        sums = weights.sum(dim=dim)[mask.sum(dim=dim) > 0]
        if torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
            return name
    return "neither"


@wrong(
    "2.3", "the columns are tried first", 'If both sum to one, the answer is "rows".'
)
def columns_first(weights, mask):
    for name, dim in (("columns", 0), ("rows", 1)):
        sums = weights.sum(dim=dim)[mask.sum(dim=dim) > 0]
        if torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
            return name
    return "neither"


@wrong(
    "2.3",
    "one row that sums to one is enough",
    "One row that sums to one is not enough: all",
)
def any_row_will_do(weights, mask):
    for name, dim in (("rows", 1), ("columns", 0)):
        sums = weights.sum(dim=dim)[mask.sum(dim=dim) > 0]
        if ((sums - 1).abs() < 1e-4).any():
            return name
    return "neither"


@wrong(
    "2.3",
    "the sums must be one on average",
    "Only the average of the sums is looked at;",
)
def one_on_average(weights, mask):
    for name, dim in (("rows", 1), ("columns", 0)):
        sums = weights.sum(dim=dim)[mask.sum(dim=dim) > 0]
        if abs(sums.mean().item() - 1) < 1e-4:
            return name
    return "neither"


@wrong(
    "2.3",
    "what is not normalised by rows is normalised by columns",
    "What does not sum to one by rows need not do so",
)
def never_neither(weights, mask):
    sums = weights.sum(dim=1)[mask.sum(dim=1) > 0]
    by_rows = torch.allclose(sums, torch.ones_like(sums), atol=1e-4)
    return "rows" if by_rows else "columns"


@wrong(
    "2.3",
    "empty rows are cut out before the columns are summed",
    "Empty rows are cut out before the columns are",
)
def empty_rows_cut_out(weights, mask):
    rows, columns = mask.sum(dim=1) > 0, mask.sum(dim=0) > 0
    kept = weights[rows][:, columns]
    if torch.allclose(kept.sum(dim=1), torch.ones(len(kept)), atol=1e-4):
        return "rows"
    if torch.allclose(kept.sum(dim=0), torch.ones(kept.shape[1]), atol=1e-4):
        return "columns"
    return "neither"


@wrong(
    "2.3",
    "A row is empty if its weights sum to zero; the mask is not needed",
    "Your answer does not depend on `mask`; the",
)
def empty_by_the_sum(weights, mask):
    rows, columns = weights.sum(dim=1), weights.sum(dim=0)
    for name, sums in (("rows", rows), ("columns", columns)):
        sums = sums[sums > 0]
        if torch.allclose(sums, torch.ones_like(sums), atol=1e-5):
            return name
    return "neither"


@wrong(
    "2.3",
    "Masked entries are no weights, so they are left out of the sums",
    "Masked entries are left out of the sums; whole",
)
def sums_inside_the_mask(weights, mask):
    inside, has = weights * (mask != 0), mask != 0
    for name, dim in (("rows", 1), ("columns", 0)):
        sums = inside.sum(dim=dim)[has.any(dim=dim)]
        if torch.allclose(sums, torch.ones_like(sums), atol=1e-5):
            return name
    return "neither"


@right("2.4")
def slices_of_rows(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    out = torch.zeros_like(z)
    for start in range(0, len(z), chunk):
        rows = slice(start, start + chunk)
        scores = F.leaky_relu(s_dst[rows].unsqueeze(1) + s_src, 0.2)
        out[rows] = masked_softmax(scores, mask[rows]) @ z
    return out


@right("2.4")
def neighbours_of_one_node(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    out = []
    for i in range(len(z)):
        near = mask[i].nonzero().flatten()
        scores = F.leaky_relu(s_dst[i] + s_src[near], 0.2)
        out.append(torch.softmax(scores, dim=0) @ z[near])
    return torch.stack(out)


@right("2.4")
def split_and_join(z, att_dst, att_src, mask, chunk):
    s_src = torch.einsum("nf,f->n", z, att_src)
    s_dst = torch.einsum("nf,f->n", z, att_dst)
    parts = []
    for s, part in zip(s_dst.split(chunk), mask.split(chunk)):
        scores = F.leaky_relu(s[:, None] + s_src[None], 0.2)
        scores = scores.masked_fill(part == 0, -math.inf)
        parts.append(scores.softmax(dim=1).nan_to_num(0.0) @ z)
    return torch.cat(parts)


@wrong(
    "2.4",
    "all scores are made first, and then cut into chunks",
    "bytes at one moment. A full matrix of scores",
)
def scores_made_at_once(z, att_dst, att_src, mask, chunk):
    scores = F.leaky_relu((z @ att_dst).unsqueeze(1) + z @ att_src, 0.2)
    pairs = zip(scores.split(chunk), mask.split(chunk))
    return torch.cat([masked_softmax(part, m) @ z for part, m in pairs])


@wrong(
    "2.4",
    "rows left over after the last whole chunk are skipped",
    "The rows after the last whole chunk are left",
)
def rest_is_skipped(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    out = torch.zeros_like(z)
    for k in range(len(z) // chunk):
        rows = slice(k * chunk, (k + 1) * chunk)
        scores = F.leaky_relu(s_dst[rows].unsqueeze(1) + s_src, 0.2)
        out[rows] = masked_softmax(scores, mask[rows]) @ z
    return out


@wrong(
    "2.4",
    "the sources are cut into chunks, each with a softmax of its own",
    "Chunks are taken of the sources: a softmax over",
)
def chunks_of_sources(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    out = torch.zeros_like(z)
    for start in range(0, len(z), chunk):
        part = slice(start, start + chunk)
        scores = F.leaky_relu(s_dst.unsqueeze(1) + s_src[part], 0.2)
        out += masked_softmax(scores, mask[:, part]) @ z[part]
    return out


@wrong(
    "2.4",
    "-inf and torch.softmax, so an isolated node gets NaN",
    "Masked scores are set to −∞. That is right",
)
def nan_if_isolated(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    parts = []
    for s, part in zip(s_dst.split(chunk), mask.split(chunk)):
        scores = F.leaky_relu(s.unsqueeze(1) + s_src, 0.2)
        scores = scores.masked_fill(part == 0, -math.inf)
        parts.append(torch.softmax(scores, dim=1) @ z)
    return torch.cat(parts)


@wrong(
    "2.4",
    "-9e15 for no edge, so an isolated node gets the mean of all",
    "Masked scores are set to a large negative",
)
def mean_if_isolated(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    parts = []
    for s, part in zip(s_dst.split(chunk), mask.split(chunk)):
        scores = F.leaky_relu(s.unsqueeze(1) + s_src, 0.2)
        scores = scores.masked_fill(part == 0, -9e15)
        parts.append(torch.softmax(scores, dim=1) @ z)
    return torch.cat(parts)


@wrong(
    "2.4",
    "att_src meets the target and att_dst the source",
    "The halves of a are swapped: the first is for",
)
def ends_swapped(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_src, z @ att_dst
    out = torch.zeros_like(z)
    for start in range(0, len(z), chunk):
        rows = slice(start, start + chunk)
        scores = F.leaky_relu(s_dst[rows].unsqueeze(1) + s_src, 0.2)
        out[rows] = masked_softmax(scores, mask[rows]) @ z
    return out


@wrong(
    "2.4",
    "leaky_relu without its slope, which is then 0.01",
    "LeakyReLU has slope 0.01 here, PyTorch's",
)
def slope_forgotten(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    out = torch.zeros_like(z)
    for start in range(0, len(z), chunk):
        rows = slice(start, start + chunk)
        scores = F.leaky_relu(s_dst[rows].unsqueeze(1) + s_src)
        out[rows] = masked_softmax(scores, mask[rows]) @ z
    return out


@wrong(
    "2.4",
    "the mask is cut by columns: row = source",
    "Messages run backwards: row i of the mask is",
)
def mask_cut_by_columns(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    out = torch.zeros_like(z)
    for start in range(0, len(z), chunk):
        rows = slice(start, start + chunk)
        scores = F.leaky_relu(s_dst[rows].unsqueeze(1) + s_src, 0.2)
        out[rows] = masked_softmax(scores, mask[:, rows].t()) @ z
    return out


@wrong(
    "2.4",
    "exp without the largest score subtracted, which overflows",
    "Nothing is subtracted before the exponential,",
)
def plain_exponentials(z, att_dst, att_src, mask, chunk):
    s_dst, s_src = z @ att_dst, z @ att_src
    out = torch.zeros_like(z)
    for start in range(0, len(z), chunk):
        rows = slice(start, start + chunk)
        scores = F.leaky_relu(s_dst[rows].unsqueeze(1) + s_src, 0.2)
        weights = scores.exp() * mask[rows]
        total = weights.sum(dim=1, keepdim=True)
        out[rows] = weights @ z / total.masked_fill(total == 0, 1)
    return out


@wrong(
    "2.4",
    "The range ends where no whole chunk fits any more",
    "The rows after the last whole chunk are left",
)
def whole_chunks_only(z, att_dst, att_src, mask, chunk):
    out, s_src = torch.zeros_like(z), z @ att_src
    for start in range(0, len(z) - chunk + 1, chunk):
        rows = slice(start, start + chunk)
        scores = F.leaky_relu((z[rows] @ att_dst)[:, None] + s_src, 0.2)
        out[rows] = formulas.masked_softmax(scores, mask[rows]) @ z
    return out


@wrong(
    "2.4",
    "Only the softmax is dear; the scores may be made at once",
    "bytes at one moment. A full matrix of scores",
)
def all_scores_at_once(z, att_dst, att_src, mask, chunk):
    scores = F.leaky_relu((z @ att_dst)[:, None] + z @ att_src, 0.2)
    parts = zip(scores.split(chunk), mask.split(chunk), strict=True)
    return torch.cat([formulas.masked_softmax(s, m) @ z for s, m in parts])


@right("2.5")
def append_and_fill(graph):
    lists = [[] for _ in range(graph.num_nodes)]
    for j, i in zip(graph.src.tolist(), graph.dst.tolist()):
        lists[i].append(j)
    longest = max(map(len, lists), default=0)
    sources = torch.zeros(graph.num_nodes, longest, dtype=torch.long)
    mask = torch.zeros(graph.num_nodes, longest, dtype=torch.bool)
    for i, near in enumerate(lists):
        sources[i, : len(near)] = torch.tensor(near, dtype=torch.long)
        mask[i, : len(near)] = True
    return sources, mask


@right("2.5")
def places_in_rows(graph):
    degrees = torch.bincount(graph.dst, minlength=graph.num_nodes)
    order = torch.argsort(graph.dst, stable=True)
    src, dst = graph.src[order], graph.dst[order]
    first = degrees.cumsum(0) - degrees
    place = torch.arange(graph.num_edges) - first[dst]
    longest = int(degrees.max()) if len(degrees) else 0
    sources = torch.zeros(graph.num_nodes, longest, dtype=torch.long)
    sources[dst, place] = src
    return sources, torch.arange(longest) < degrees.unsqueeze(1)


@right("2.5")
def numpy_mask_filled(graph):
    src, dst = graph.src.numpy(), graph.dst.numpy()
    degrees = np.bincount(dst, minlength=graph.num_nodes)
    mask = np.arange(degrees.max(initial=0))[None, :] < degrees[:, None]
    sources = np.repeat(np.arange(graph.num_nodes)[:, None], mask.shape[1], axis=1)
    sources[mask] = src[np.argsort(dst, kind="stable")]
    return torch.from_numpy(sources), torch.from_numpy(mask)


@wrong(
    "2.5",
    "the lists of a node's targets, not of its sources",
    "The lists hold the targets of each node; asked",
)
def lists_of_targets(graph):
    nodes = range(graph.num_nodes)
    lists = [graph.dst[graph.src == i].tolist() for i in nodes]
    return _filled(lists, max(map(len, lists)))


@wrong(
    "2.5",
    "read off the adjacency matrix, where a repeated edge is one cell",
    "An edge that occurs twice stands there once; it",
)
def repeats_merged(graph):
    lists = [row.nonzero().flatten() for row in graph.dense_adjacency()]
    return _filled(lists, max(map(len, lists)))


@wrong(
    "2.5",
    "filled up to N entries, as many as a node could have",
    "The lists are as long as there are nodes; the",
)
def filled_up_to_n(graph):
    return _filled(_lists(graph), graph.num_nodes)


@wrong(
    "2.5",
    "filled with -1, which is no node",
    "Where there is no source put any node, so that",
)
def filled_with_minus_one(graph):
    lists = _lists(graph)
    return _filled(lists, max(map(len, lists)), empty=-1)


@wrong(
    "2.5",
    "real is what is not 0, so node 0 is no source",
    "Node 0 is lost as a source: a 0 is not the same",
)
def zero_is_empty(graph):
    lists = _lists(graph)
    sources, _ = _filled(lists, max(map(len, lists)))
    return sources, sources != 0


@wrong(
    "2.5",
    "each list is filled by repeating its sources, and all are real",
    "The lists are filled up by repeating sources",
)
def filled_by_repeating(graph):
    lists = _lists(graph)
    width = max(map(len, lists))
    lists = [(near * width)[:width] for near in lists]
    return _filled(lists, width)


@wrong(
    "2.5",
    "the mask tells which entries are filled up",
    "The mask is upside down: 1 is for what is real.",
)
def mask_of_the_filling(graph):
    lists = _lists(graph)
    sources, mask = _filled(lists, max(map(len, lists)))
    return sources, ~mask


@wrong(
    "2.5",
    "the node itself is put into its list",
    "A node is put into its own list; it is there",
)
def node_itself_added(graph):
    lists = [[i, *near] for i, near in enumerate(_lists(graph))]
    return _filled(lists, max(map(len, lists)))


@wrong(
    "2.5",
    "one place too few: the last neighbour of the longest list is lost",
    "The longest list is cut short by one.",
)
def one_place_short(graph):
    return _filled(_lists(graph), int(graph.in_degrees.max()) - 1)


@wrong(
    "2.5",
    "The matrix knows the edges, and an edge that occurs twice is one entry",
    "An edge that occurs twice stands there once; it",
)
def lists_from_the_matrix(graph):
    n = graph.num_nodes
    matrix = torch.zeros(n, n, dtype=torch.bool)
    matrix[graph.dst, graph.src] = True
    d = int(matrix.sum(dim=1).max())
    mask, sources = matrix.long().sort(dim=1, descending=True, stable=True)
    return sources[:, :d], mask[:, :d].bool()


@wrong(
    "2.5",
    "Filled up with zeros, so what is not zero is real",
    "Node 0 is lost as a source: a 0 is not the same",
)
def real_if_not_zero(graph):
    d = int(graph.in_degrees.max())
    sources = torch.zeros(graph.num_nodes, d, dtype=torch.long)
    for i in range(graph.num_nodes):
        mine = graph.src[graph.dst == i]
        sources[i, : len(mine)] = mine
    return sources, sources != 0
