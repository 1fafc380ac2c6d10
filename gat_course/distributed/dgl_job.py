"""One process of a job over several machines: a server of a partition, or a trainer.

`machines.py` starts it. The engine is DGL's: its servers hold the partitions, and its
sampler asks them for edges and features over sockets. The model is the course's own.
Each trainer averages over its own share of a batch; shares differ in the last batches.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from gat_course.blockwise import Blockwise
from gat_course.distributed.engine import require_dgl
from gat_course.files import write_json
from gat_course.graph import GraphData
from gat_course.models import GAT
from gat_course.sampling import Batch, Block


def main(argv: Sequence[str] | None = None) -> int:
    """Serve or train, as the environment variable DGL_ROLE says; see `machines.py`."""
    args = _parser().parse_args(argv)
    torch.set_num_threads(args.threads)
    dgl = require_dgl("distributed")
    importlib.import_module("dgl.dataloading")
    config = json.loads(Path(args.config).read_text())
    name = config["graph_name"]
    if args.classes is None:
        args.classes = config["num_classes"]
    machine = os.environ.get("GAT_COURSE_MACHINE")
    if machine is not None:
        _several_on_one_host(int(machine), name)
    dgl.distributed.initialize(args.hosts)  # a server ends in here
    torch.distributed.init_process_group("gloo")
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    graph = dgl.distributed.DistGraph(name, part_config=args.config)
    try:
        told = _train(dgl, graph, args, world)
        if rank == 0 and args.output:
            write_json(args.output, {"by_trainer": told})
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # DGL's own end would wait for the other trainers
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    dgl.distributed.exit_client()
    return 0


def _several_on_one_host(machine: int, graph_name: str) -> None:
    """Let this process take itself for one of several machines.

    DGL tells machines apart by their addresses, and names the memory that processes of
    a machine share by what lies in it. On one host both would be mixed up.
    """
    from dgl.distributed import kvstore, rpc_client

    share = kvstore.empty_shared_mem
    kvstore.empty_shared_mem = lambda name, *rest: share(f"{graph_name}-{name}", *rest)
    for module in (rpc_client, kvstore):
        if hasattr(module, "get_local_machine_id"):
            module.get_local_machine_id = lambda namebook: machine


def _train(dgl, graph, args: argparse.Namespace, world: int) -> list[dict]:
    """Train some epochs; what each process read from where, and how long it took."""
    book = graph.get_partition_book()
    own = dgl.distributed.node_split(graph.ndata["train_mask"], book)
    sampler = dgl.dataloading.NeighborSampler(args.fanouts)
    batches = dgl.dataloading.DistNodeDataLoader(
        graph, own, sampler, batch_size=args.batch_size // world, shuffle=True
    )
    width = graph.ndata["x"].shape[1]
    torch.manual_seed(args.seed)
    shape = {"hidden": args.hidden, "num_heads": args.heads, "dropout": args.dropout}
    model = GAT(width, args.classes, **shape)
    model = DistributedDataParallel(Blockwise(model))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    found = {"steps": 0, "rows": 0, "rows from others": 0, "losses": []}
    start, traffic = time.perf_counter(), _loopback()
    for _ in range(args.epochs):
        with model.join():  # a process that has fewer batches waits for the others
            for inputs, targets, blocks in batches:
                optimizer.zero_grad()
                x, y = graph.ndata["x"][inputs], graph.ndata["y"][targets].long()
                loss = F.cross_entropy(model(as_batch(inputs, targets, blocks), x), y)
                loss.backward()
                optimizer.step()
                found["losses"].append(loss.item())
                found["steps"] += 1
                found["rows"] += len(inputs)
                other = book.nid2partid(inputs) != book.partid
                found["rows from others"] += int(other.sum())
    torch.distributed.barrier()
    found["seconds"] = time.perf_counter() - start
    found["loopback bytes"] = _loopback() - traffic
    found["bytes a row"] = 4 * width
    found["bytes of gradients"] = sum(4 * p.numel() for p in model.parameters())
    if args.model and torch.distributed.get_rank() == 0:  # the same in all of them
        torch.save(model.module.model.state_dict(), args.model)
    all_of_them = [None] * world
    torch.distributed.all_gather_object(all_of_them, found)
    return all_of_them


def as_batch(inputs: Tensor, targets: Tensor, blocks: Sequence) -> Batch:
    """What DGL's sampler drew, as the course's `Batch`.

    Both put the targets first; each target gets a self-loop here.
    """
    found = []
    for block in blocks:
        src, dst = block.edges()
        loop = torch.arange(block.num_dst_nodes())
        graph = GraphData(
            num_nodes=block.num_src_nodes(),
            src=torch.cat([src, loop]),
            dst=torch.cat([dst, loop]),
            name="block",
        )
        found.append(Block(graph, block.num_dst_nodes()))
    return Batch(targets, inputs, found)


def _loopback() -> int:
    """Bytes that went through this host's loopback device, whoever sent them."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0])
    raise OSError("this host has no loopback device lo, whose bytes are counted")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gat_course.distributed.dgl_job")
    add = parser.add_argument
    add("--hosts", required=True, help="file of the machines' addresses")
    add("--config", required=True, help="the partitions' file")
    add("--classes", type=int, help="by default as many as the graph has")
    add("--fanouts", type=int, nargs="+", default=[10, 10])
    add("--batch-size", type=int, default=512, help="over all trainers")
    add("--hidden", type=int, default=8)
    add("--heads", type=int, default=8)
    add("--dropout", type=float, default=0.2)
    add("--lr", type=float, default=0.005)
    add("--epochs", type=int, default=1)
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=1)
    add("--output", help="JSON file of what was measured")
    add("--model", help="file of the trained parameters")
    return parser


if __name__ == "__main__":
    sys.exit(main())
