"""A model that does as it is told, to see when training stops and what it keeps."""

import torch
from torch import nn


class Scripted(nn.Module):
    """A model whose validation loss and score follow a script, epoch by epoch.

    A subclass makes logits `[N, width]` of a line of the script. The parameter `marker`
    holds the number of the epoch, so one sees which epoch's parameters were kept.
    """

    width: int

    def __init__(self, script):
        super().__init__()
        self.script, self.calls = script, 0
        self.marker = nn.Parameter(torch.zeros(1))

    def forward(self, graph, x):
        if self.training:
            self.calls += 1
            with torch.no_grad():
                self.marker.fill_(self.calls - 1)
            return torch.zeros(graph.num_nodes, self.width) + 0 * self.marker
        return self.logits(graph, *self.script[self.calls - 1])

    def logits(self, graph, *line):
        raise NotImplementedError
