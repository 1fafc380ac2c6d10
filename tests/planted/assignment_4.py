"""Misconceptions planted in assignment 4."""

from . import planted

PLANTED = [
    planted(
        "q1",
        "a graph is as large as its largest node number",
        """
def mini_batch(graphs, picked):
    src, dst, graph_of = [], [], []
    for place, k in enumerate(picked):
        _, own_src, own_dst = graphs[k]
        moved = len(graph_of)
        src += [node + moved for node in own_src]
        dst += [node + moved for node in own_dst]
        graph_of += [place] * (max(own_src + own_dst, default=-1) + 1)
    return src, dst, graph_of
""",
        "the check",
        "nodes without edges",
    ),
    planted(
        "q1",
        "a batch is a set of graphs",
        """
def mini_batch(graphs, picked):
    src, dst, graph_of = [], [], []
    for place, k in enumerate(dict.fromkeys(picked)):
        num_nodes, own_src, own_dst = graphs[k]
        moved = len(graph_of)
        src += [node + moved for node in own_src]
        dst += [node + moved for node in own_dst]
        graph_of += [place] * num_nodes
    return src, dst, graph_of
""",
        "the check",
        "a graph twice",
    ),
    planted(
        "q2",
        "0 / 0 takes care of itself",
        """
def label_scores(logits, labels):
    yes, true = logits > 0, labels > 0
    tp, said, there = (yes & true).sum(0), yes.sum(0), true.sum(0)
    precision, recall = tp / said, tp / there
    f1 = 2 * precision * recall / (precision + recall)
    micro = 2 * tp.sum() / (said.sum() + there.sum())
    return precision, recall, f1, f1.mean(), micro
""",
        "the check",
        "labels that no node has",
        "labels that never get a yes",
    ),
    planted(
        "q2",
        "what no node has does not count in the mean",
        """
def label_scores(logits, labels):
    yes, true = logits > 0, labels > 0
    tp, said, there = (yes & true).sum(0), yes.sum(0), true.sum(0)
    f1 = 2 * tp / (said + there).clamp(min=1)
    micro = 2 * tp.sum() / (said + there).sum().clamp(min=1)
    macro = f1[there > 0].sum() / (there > 0).sum().clamp(min=1)
    return tp / said.clamp(min=1), tp / there.clamp(min=1), f1, macro, micro
""",
        "the check",
        "labels that no node has",
    ),
    planted(
        "q3",
        "what is unknown is a no",
        """
def rare_loss(logits, labels, pos_weight):
    return F.binary_cross_entropy_with_logits(
        logits, labels.clamp(min=0), pos_weight=pos_weight
    )
""",
        "the check",
        "unknown labels",
    ),
    planted(
        "q3",
        "first the probability, then its logarithm",
        """
def rare_loss(logits, labels, pos_weight):
    p, known = torch.sigmoid(logits), labels >= 0
    loss = F.binary_cross_entropy(p, labels.clamp(min=0), reduction="none")
    loss = torch.where(labels > 0, pos_weight * loss, loss)[known]
    return loss.sum() / known.sum().clamp(min=1)
""",
        "the check",
        "large logits",
    ),
    planted(
        "q3",
        "a weighted mean",
        """
def rare_loss(logits, labels, pos_weight):
    weight = torch.where(labels > 0, pos_weight, torch.ones_like(pos_weight))
    weight = weight * (labels >= 0)
    loss = F.binary_cross_entropy_with_logits(
        logits, labels.clamp(min=0), reduction="none"
    )
    return (weight * loss).sum() / weight.sum().clamp(min=1)
""",
        "the check",
        "all labels known",
        "unknown labels",
        "large logits",
    ),
    planted(
        "q4",
        "one walk along the list",
        """
def held_out(proteins, wanted):
    out = set(wanted)
    tested = {protein for k in wanted for protein in proteins[k]}
    for k, own in enumerate(proteins):
        if tested & set(own):
            out.add(k)
            tested |= set(own)
    return [k in out for k in range(len(proteins))]
""",
        "the check",
        "long chains",
    ),
    planted(
        "q5",
        "what is in a training graph is old",
        """
def old_and_new(train_proteins, told, test_proteins, logits, labels):
    old = torch.isin(torch.cat(test_proteins), torch.cat(train_proteins))
    yes, true = torch.cat(logits) > 0, torch.cat(labels) > 0
    scores = []
    for part in (old, ~old):
        below = yes[part].sum() + true[part].sum()
        scores.append(2 * (yes & true)[part].sum() / below.clamp(min=1))
    return scores
""",
        "the check",
        "labels not shown",
    ),
    planted(
        "q5",
        "the mean of the graphs' scores",
        """
def old_and_new(train_proteins, told, test_proteins, logits, labels):
    shown = torch.cat(train_proteins)[torch.cat(told)]
    scores = []
    for p, s, y in zip(test_proteins, logits, labels):
        old, yes, true = torch.isin(p, shown), s > 0, y > 0
        for part in (old, ~old):
            below = yes[part].sum() + true[part].sum()
            scores.append(2 * (yes & true)[part].sum() / below.clamp(min=1))
    return torch.stack(scores[::2]).mean(), torch.stack(scores[1::2]).mean()
""",
        "the check",
        "several test graphs",
        "labels not shown",
    ),
]
