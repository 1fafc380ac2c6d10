"""Data-parallel training on sampled neighbourhoods, as `torchrun` starts it.

    torchrun --nproc-per-node 2 -m gat_course.distributed.processes --data cora

Each process holds the graph and the model, and computes its share of every batch.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from gat_course.datasets.planetoid import load
from gat_course.datasets.power_law import power_law_graph
from gat_course.files import write_json
from gat_course.graph import GraphData
from gat_course.models import GAT
from gat_course.training import checkpoint as checkpoints
from gat_course.training.sampled import evaluate_sampled, fit_sampled

CITATIONS = ("cora", "citeseer", "pubmed")


def main(argv: Sequence[str] | None = None) -> int:
    """Train as the arguments say; every process of a job calls it with the same ones.

    Returns:
        The exit code: 0; 2 for an error in what was asked; 3 where another process of
        the job ended, or the job was stopped. Each process tells of it on stderr.
    """
    args = _parser().parse_args(argv)
    rank, world = (
        int(os.environ.get(n, d)) for n, d in (("RANK", 0), ("WORLD_SIZE", 1))
    )
    signal.signal(signal.SIGTERM, _end)
    try:
        _require_sense(args)
        told = _train(args, rank, world)
        if rank == 0 and args.output:
            write_json(args.output, told)
    except (ValueError, OSError, FloatingPointError) as error:
        return _stop(2, f"process {rank} of {world}: {error}")
    except RuntimeError as error:  # gloo's and NCCL's are of this kind
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if world == 1 or not _lost(error):
            raise
        kept = args.checkpoint and Path(args.checkpoint).exists()
        again = f"goes on from {args.checkpoint}" if kept else "begins anew"
        return _stop(
            3,
            f"process {rank} of {world} ends, because another one of the job ended or "
            f"hangs, or the job was stopped. The same command {again}",
        )
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    if rank == 0:
        print(json.dumps(told))
    return 0


def _end(*_) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise _StoppedError  # torchrun sends SIGTERM to the others when one process ends


class _StoppedError(RuntimeError):
    pass


def _require_sense(args: argparse.Namespace) -> None:
    if args.threads is not None and args.threads < 1:
        raise ValueError(f"--threads must be at least 1, got {args.threads}")
    if not 1 <= args.patience_seconds <= 1e6:
        raise ValueError(
            f"--patience-seconds must be from 1 to 1e6, got {args.patience_seconds:g}"
        )
    if not args.checkpoint_every >= 0:
        raise ValueError(
            f"--checkpoint-every must be at least 0, got {args.checkpoint_every:g}"
        )
    if args.output and Path(args.output).is_dir():
        raise ValueError(f"--output must be a file, {args.output} is a folder")


def _train(args: argparse.Namespace, rank: int, world: int) -> dict:
    if args.threads:
        torch.set_num_threads(args.threads)
    device = _device()
    if world > 1:
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            timeout=timedelta(seconds=args.patience_seconds),
        )
    checkpoints.EVERY = args.checkpoint_every  # of this process alone
    graph = _graph(args).with_self_loops()
    torch.manual_seed(args.seed)  # one for all: they begin with the same parameters
    model = GAT(
        graph.num_features,
        graph.num_classes,
        hidden=args.hidden,
        num_heads=args.heads,
        dropout=args.dropout,
    ).to(device)
    history = fit_sampled(
        model,
        graph,
        args.fanouts,
        batch_size=args.batch_size,
        max_epochs=args.epochs,
        patience=None,
        checkpoint=args.checkpoint,
        rank=rank,
        world=world,
        progress=False,
    )
    if rank:
        return {}
    found = evaluate_sampled(model, graph, graph.test_mask)
    return {
        "graph": repr(graph),
        "processes": world,
        "epochs": history.epochs,
        "seconds": history.seconds,
        "val_loss": history.val_loss[-1],
        "val_accuracy": history.val_accuracy[-1],
        "test_loss": found.loss,
        "test_accuracy": found.accuracy,
    }


def _device() -> torch.device:
    """A GPU for each process of this machine, or the CPU for all."""
    if torch.cuda.device_count() < int(os.environ.get("LOCAL_WORLD_SIZE", 1)):
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    return device


def _graph(args: argparse.Namespace) -> GraphData:
    if args.data in CITATIONS:
        return load(args.data)
    return power_law_graph(args.nodes, args.edges, noise=args.noise)


def _lost(error: RuntimeError) -> bool:
    """Whether an error says that another process cannot be reached."""
    said = str(error).lower()
    words = "closed by peer", "reset by peer", "timed out", "timeout", "broken pipe"
    return isinstance(error, _StoppedError | dist.DistError) or any(
        word in said for word in words
    )


def _stop(code: int, message: str) -> int:
    print(f"gat_course: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torchrun --nproc-per-node P -m gat_course.distributed.processes",
        description="Train a GAT on sampled neighbourhoods in P processes.",
    )
    add = parser.add_argument
    add("--data", choices=[*CITATIONS, "power-law"], default="power-law")
    add("--nodes", type=int, default=20_000, help="of power-law")
    add("--edges", type=int, default=400_000, help="of power-law")
    add("--noise", type=float, default=4.0, help="of power-law's features")
    add("--fanouts", type=int, nargs="+", default=[10, 10])
    add("--batch-size", type=int, default=512, help="over all processes")
    add("--hidden", type=int, default=8, help="features of a hidden head")
    add("--heads", type=int, default=8)
    add("--dropout", type=float, default=0.2)
    add("--epochs", type=int, default=5)
    add("--seed", type=int, default=0)
    add("--threads", type=int, help="of each process")
    add("--checkpoint", help="file to go on from")
    add("--checkpoint-every", type=float, default=30.0, help="seconds")
    add("--patience-seconds", type=float, default=300.0, help="for a silent process")
    add("--output", help="JSON file of the result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
