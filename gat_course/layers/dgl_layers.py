"""The graph attention layer in DGL, by user-defined functions and by built-ins.

Chapter 3 builds both. They hold the parameters of `layers.GATLayer`, so that one state
dict serves all implementations. DGL is imported on first use; where it cannot be had,
`mailbox` computes the same (`dgl_compat.import_dgl`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from gat_course import dgl_compat, formulas
from gat_course.dropout import dropout
from gat_course.graph import GraphData
from gat_course.layers.gat import GATLayer


class UDFGATLayer(GATLayer):
    """Graph attention as user-defined functions (UDFs) on edges and mailboxes.

    Arguments and shapes: see `GATLayer`.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3))
    >>> UDFGATLayer(3, 4, num_heads=2)(graph, graph.x).shape
    torch.Size([3, 8])
    """

    def edge_scores(self, edges) -> dict[str, Tensor]:
        """Equation (2) for a batch of edges."""
        scores = edges.dst["s_dst"] + edges.src["s_src"]  # [E, K]
        return {"e": F.leaky_relu(scores, self.negative_slope)}

    def message(self, edges) -> dict[str, Tensor]:
        """What an edge carries: the source's features and the edge's score."""
        return {"z": edges.src["z"], "e": edges.data["e"]}

    def reduce(self, nodes) -> dict[str, Tensor]:
        """Equations (3) and (4) for a batch of B targets that share a degree D."""
        alpha = torch.softmax(nodes.mailbox["e"], dim=1)  # [B, D, K]
        alpha = dropout(alpha, self.attn_drop, self.training)
        weighted = alpha.unsqueeze(-1) * nodes.mailbox["z"]  # [B, D, K, F']
        return {"heads": weighted.sum(dim=1)}

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (2) to (4) as messages; see `GATLayer.attend`."""
        g = graph.dgl()
        with g.local_scope():
            g.ndata["z"] = z
            g.ndata["s_dst"] = (z * self.att_dst).sum(dim=-1)  # [N, K]
            g.ndata["s_src"] = (z * self.att_src).sum(dim=-1)
            g.apply_edges(self.edge_scores)
            if graph.edge_weight is not None:  # w exp(e) = exp(e + log w)
                log_w = graph.edge_weight.to(z.dtype).log().unsqueeze(1)  # [E, 1]
                g.edata["e"] = g.edata["e"] + log_w
            # A mailbox is gone after its reduce: the weights to return are made again.
            alpha = formulas.edge_softmax(g.edata["e"], graph.dst, len(z))
            if graph.num_edges == 0:  # no message, so DGL would not make "heads"
                ends = graph.src, graph.dst
                return formulas.aggregate(alpha, z, *ends, len(z)), alpha
            g.update_all(self.message, self.reduce)
            return g.ndata["heads"], alpha


class DGLGATLayer(GATLayer):
    """Graph attention by DGL's built-in functions, without materialising messages.

    `u_add_v` is a sampled dense-dense product (SDDMM), `u_mul_e` with `sum` a
    sparse-dense product (SpMM). DGL's gradients cannot be differentiated again, and
    `mailbox` does materialise the messages.
    Arguments and shapes: see `GATLayer`.

    >>> graph = GraphData.from_edges([0, 1], [1, 2], x=torch.eye(3))
    >>> DGLGATLayer(3, 4, num_heads=2)(graph, graph.x).shape
    torch.Size([3, 8])
    """

    def attend(self, graph: GraphData, z: Tensor) -> tuple[Tensor, Tensor]:
        """Equations (2) to (4) by built-ins; see `GATLayer.attend`."""
        dgl = dgl_compat.import_dgl()
        fn = dgl.function
        g = graph.dgl()
        with g.local_scope():
            g.ndata["z"] = z
            g.ndata["s_dst"] = (z * self.att_dst).sum(dim=-1, keepdim=True)
            g.ndata["s_src"] = (z * self.att_src).sum(dim=-1, keepdim=True)
            g.apply_edges(fn.u_add_v("s_src", "s_dst", "e"))
            scores = F.leaky_relu(g.edata["e"], self.negative_slope)  # [E, K, 1]
            if graph.edge_weight is not None:
                log_w = graph.edge_weight.to(z.dtype).log()
                scores = scores + log_w.view(-1, 1, 1)
            alpha = dgl.nn.functional.edge_softmax(g, scores)
            dropped = dropout(alpha, self.attn_drop, self.training)
            g.edata["alpha"] = dropped.to(z.dtype)  # they differ under autocast
            g.update_all(fn.u_mul_e("z", "alpha", "m"), fn.sum("m", "heads"))
            return g.ndata["heads"], alpha.squeeze(-1)
