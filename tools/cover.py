"""The book's cover: the five friends of chapter 1 with their attention.

`python -m tools.cover` draws `book/_static/cover.svg`, for the front page, and
`cover.png`, which a shared link shows, 1200 pixels by 630.
"""

import matplotlib.pyplot as plt
import torch

from gat_course import GraphData, formulas, plotting
from tools.book import ROOT

FOLDER = ROOT / "book" / "_static"
PLACES = [(0, 0), (-1, 0.5), (0.45, -0.9), (1.2, 0), (2.2, 0.5)]


def friends() -> tuple[GraphData, torch.Tensor]:
    """The graph of chapter 1, and the attention of its layer for each edge, `[E]`."""
    x = torch.tensor([[1.0, 0], [2, 0], [0, 1], [1, 1], [0, 2]])
    ends = [0, 0, 0, 2, 3], [1, 2, 3, 3, 4]
    graph = GraphData.from_edges(*ends, undirected=True, x=x).with_self_loops()
    z = formulas.transform(x, torch.tensor([[1.0, 1], [0, 1]]))
    halves = torch.tensor([1.0, 0]), torch.tensor([1.0, -1])
    scores = formulas.attention_scores(z, *halves)
    alpha = formulas.masked_softmax(scores, graph.dense_adjacency())
    return graph, alpha[graph.dst, graph.src]


def draw(panel, title: str) -> None:
    graph, alpha = friends()
    plotting.draw_graph(graph, pos=PLACES, edge_values=alpha, title=title, ax=panel)


def main() -> None:
    torch.set_num_threads(1)
    plt.rcParams["svg.hashsalt"] = "cover"  # the same file each time
    with plotting.style():
        figure, panel = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    draw(panel, "who is heard by whom (j → i)")
    figure.savefig(FOLDER / "cover.svg", metadata={"Date": None})
    with plotting.style():
        figure = plt.figure(figsize=(12, 6.3), dpi=100)
        panel = figure.add_axes((0.4, 0.05, 0.58, 0.9))
    draw(panel, "")
    words = "Graph\nAttention\nfrom the\nGround Up"
    figure.text(0.05, 0.5, words, fontsize=44, weight="bold", va="center")
    figure.savefig(FOLDER / "cover.png", dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
