"""What the doctor can find, what it costs, and where the book speaks of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gat_course import BOOK


class Ailment(NamedTuple):
    """A departure from the paper that the doctor knows."""

    says: str
    cost: str
    page: str  # of the book, with the heading's anchor


# Costs are differences of means to the paper's GAT on Cora, by the paper's protocol,
# with 95 % intervals: chapter 5's, of five seeds, and `reproduce departures`', of ten.
_CAUSES = "05-cora.html#why-can-i-not-reach-83"
_ERRATA = "errata.html"
_PROTOCOL = "05-cora.html#the-protocol"

AILMENTS = {
    "slope": Ailment(
        "LeakyReLU has another slope than the paper's 0.2.",
        "not shown on Cora: +0.1 points, interval −0.9 to +1.1",
        _CAUSES,
    ),
    "random when evaluated": Ailment(
        "Two calls in eval mode differ: dropout acts when the model is tested.",
        "20.6 points on Cora, interval 18.3 to 22.8 (dropout left on)",
        _CAUSES,
    ),
    "no dropout": Ailment(
        "Two calls in train mode agree: there is no dropout. The paper drops 0.6 "
        "of the "
        "features and of the attention weights on citation graphs.",
        "2.6 points on Cora, interval 1.4 to 3.7",
        _CAUSES,
    ),
    "dropout before the softmax": Ailment(
        "Dropout acts on scores before the softmax; the paper drops weights, after it.",
        "not shown on Cora: −0.5 points, interval −1.1 to +0.1",
        _ERRATA,
    ),
    "probabilities": Ailment(
        "Rows are probabilities, they sum to 1. If the loss is cross_entropy, a "
        "softmax "
        "is applied twice; return the logits.",
        "25.0 points on Cora, interval 18.1 to 32.0: the loss cannot fall below "
        "log(1 + (C − 1)/e)",
        _ERRATA,
    ),
    "sigmoid": Ailment(
        "All outputs lie between 0 and 1, however large the input: a sigmoid is "
        "left in. "
        "If the loss is binary_cross_entropy_with_logits, it is applied twice.",
        "0.7 points on Cora, with cross_entropy, interval 0.2 to 1.3; with several "
        "labels a node it was not measured",
        "06-ppi.html#a-loss-for-each-label",
    ),
    "activation": Ailment(
        "An activation bounds the logits from below: leave it out after the last "
        "layer.",
        "not shown on Cora: ReLU +0.1 points, interval −0.3 to +0.6",
        "04-heads.html#merging-the-heads",
    ),
    "wrong width": Ailment(
        "The output does not have one column for each class.",
        "concatenated output heads: average them, and then take the softmax",
        "04-heads.html#merging-the-heads",
    ),
    "one answer for all": Ailment(
        "All nodes get the same output: is a mean taken over nodes as well as "
        "heads, as "
        "torch.mean(torch.stack(heads)) does?",
        "the model cannot tell nodes apart",
        "04-heads.html#merging-the-heads",
    ),
    "not finite": Ailment(
        "The output holds NaN or infinite numbers on your graph.",
        "nothing can be learned",
        "02-dense.html#the-mask",
    ),
    "graph kept": Ailment(
        "The output does not change with the edges that are passed: the model "
        "keeps the "
        "graph of its construction, or looks at no graph.",
        "other graphs cannot be used, and an MLP has 58 % on Cora in chapter 5",
        _ERRATA,
    ),
    "one size": Ailment(
        "The model fails on a graph of another size: it is bound to the graph of its "
        "construction.",
        "it cannot be tested on new graphs",
        _ERRATA,
    ),
    "order": Ailment(
        "Numbering the nodes in another order changes the result.",
        "what is learned depends on the numbering",
        "01-attention.html#the-numbering-does-not-matter",
    ),
    "direction": Ailment(
        "Messages run backwards: a node hears the targets of its edges.",
        "none on an undirected graph",
        "01-attention.html#what-a-graph-is-here",
    ),
    "both ways": Ailment(
        "Messages run both ways along an edge that has one direction.",
        "none on an undirected graph",
        "01-attention.html#what-a-graph-is-here",
    ),
    "forgets itself": Ailment(
        "A node's own features do not reach it: neither your graph nor the model has "
        "self-loops.",
        "not shown on Cora: −0.8 points, interval −1.8 to +0.1",
        _CAUSES,
    ),
    "whole graph": Ailment(
        "Edges elsewhere change a node's output: one softmax runs over the whole "
        "graph.",
        "68.4 points on Cora, interval 68.0 to 68.9: nothing is learned",
        "03-message-passing.html#without-messages-two-sparse-products",
    ),
    "wrong axis": Ailment(
        "A weight depends on how many targets its source has: the softmax runs "
        "over the "
        "targets of a source, not over the sources of a target.",
        "not shown on Cora: −0.4 points, interval −1.0 to +0.2; it has flat attention "
        "and edges both ways",
        _ERRATA,
    ),
    "not normalised": Ailment(
        "With equal features a node of many neighbours gets more: its weights do not "
        "sum to 1.",
        "4.5 points on Cora, interval 3.7 to 5.3 (a sigmoid of each score)",
        "01-attention.html#3-normalise",
    ),
    "isolated hears all": Ailment(
        "A node without neighbours hears everyone: the mask is a large negative "
        "number.",
        "none where every node has a self-loop",
        "02-dense.html#the-mask",
    ),
    "isolated is NaN": Ailment(
        "A node without neighbours gets NaN: its row of the mask is −∞ throughout.",
        "none where every node has a self-loop; else training ends in NaN",
        "02-dense.html#the-mask",
    ),
    "one maximum": Ailment(
        "Large scores elsewhere change a node's output: one maximum is subtracted for "
        "the whole graph, and the weights of other neighbourhoods underflow.",
        "deeper layers' weights become 0 instead of summing to 1",
        _ERRATA,
    ),
    "overflow": Ailment(
        "Large features give NaN: nothing is subtracted before the exponential.",
        "training can end in NaN",
        "01-attention.html#softmax-from-scores-to-weights",
    ),
    "dead parameters": Ailment(
        "Some parameters get no gradient: they play no part, or are detached.",
        "they stay as they were drawn",
        "01-attention.html#2-score",
    ),
    "not registered": Ailment(
        "A tensor or a module is kept in a plain attribute or list: "
        "`model.parameters()` does not know it. Use nn.Parameter, nn.ModuleList.",
        "it stays as it was drawn: the optimiser never sees it",
        "01-attention.html#2-score",
    ),
    "nodes mixed": Ailment(
        "Nodes without a path between them influence each other: is there a norm or a "
        "softmax over all nodes?",
        "a node's output depends on who else is in the batch; not measured",
        "04-heads.html#merging-the-heads",
    ),
    "features not normalised": Ailment(
        "The features are counts or flags whose rows have different sums; the paper "
        "divides each row by its sum.",
        "2.7 points on Cora, interval 1.5 to 3.9",
        _CAUSES,
    ),
    "one way": Ailment(
        "Most edges have no reverse. The benchmark's citation graphs are undirected.",
        "8.4 points on Cora, interval 7.9 to 9.0 (each link one way)",
        "05-cora.html#the-data-seen",
    ),
    "edges repeated": Ailment(
        "Edges occur several times, and each counts: was undirected=True given a list "
        "that holds both directions? `without_repeats()` mends it.",
        "not shown on Cora: −0.3 points, interval −0.9 to +0.3 (each link twice)",
        "05-cora.html#your-own-graph",
    ),
    "split": Ailment(
        "The masks do not split the nodes.",
        "a score on nodes that were trained on says nothing",
        "05-cora.html#what-is-known-and-what-is-asked",
    ),
    "too few epochs": Ailment(
        "The best validation loss is among the last epochs: it was still falling.",
        "10.7 points on Cora for 30 epochs at rate 0.001, interval 5.7 to 15.7",
        _CAUSES,
    ),
    "trained too long": Ailment(
        "The validation loss was best long before the end: stop early, or keep that "
        "epoch's weights.",
        "0.6 points on Cora, interval 0.1 to 1.2 (the last of 1000 epochs)",
        _PROTOCOL,
    ),
    "loss not finite": Ailment(
        "The recorded validation loss is NaN or infinite.",
        "nothing is learned from there on",
        "02-dense.html#the-mask",
    ),
    "loss does not move": Ailment(
        "The recorded validation loss stays where it was: nothing is learned.",
        "the model predicts as it did before training",
        _PROTOCOL,
    ),
    "chosen by test": Ailment(
        "There is no validation score, but one of the test: what chooses the "
        "epoch must "
        "not be what is reported.",
        "the reported number is a maximum, and too high",
        _PROTOCOL,
    ),
}


@dataclass(frozen=True)
class Finding:
    """One departure from the paper.

    Args:
        name: its name in `AILMENTS`.
        evidence: what was seen, with numbers.
        sure: "certain" (seen), "likely" (nothing else known does this) or "possible".
    """

    name: str
    evidence: str
    sure: str = "certain"

    @property
    def ailment(self) -> Ailment:
        return AILMENTS[self.name]

    def __str__(self) -> str:
        says, cost, page = self.ailment
        return (
            f"{self.name} ({self.sure}). {says}\n   Seen: {self.evidence}\n"
            f"   Cost: {cost}\n   Read: {BOOK}/{page}"
        )


@dataclass(frozen=True)
class Report:
    """What the doctor found; print it.

    Args:
        findings: departures from the paper, the surest first.
        clean: names of what was examined and found as in the paper.
        open: what could not be examined, and why.
    """

    findings: list[Finding] = field(default_factory=list)
    clean: list[str] = field(default_factory=list)
    open: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of the findings."""
        return [finding.name for finding in self.findings]

    def __repr__(self) -> str:
        found = len(self.findings)
        what = {0: "Nothing was found", 1: "One thing departs from the paper"}.get(
            found, f"{found} things depart from the paper"
        )
        lines = [f"{what}; of {found + len(self.clean) + len(self.open)} questions "]
        lines[0] += f"{len(self.clean)} were answered as by the paper's network"
        lines[0] += f", {len(self.open)} could not be asked." if self.open else "."
        for number, finding in enumerate(self.findings, 1):
            lines.append(f"{number}. {finding}")
        if self.clean:
            lines.append(f"As by the paper's network: {_listed(self.clean)}.")
        for why in dict.fromkeys(self.open.values()):
            own = [name for name, reason in self.open.items() if reason == why]
            lines.append(f"Not examined: {_listed(own)} ({why}).")
        lines.append("A fault that changes none of these answers is not seen.")
        return "\n".join(lines)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
