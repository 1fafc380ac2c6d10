"""Training over several machines: cut a graph with METIS, start servers and trainers.

    python -m gat_course.distributed.machines partition --folder job --parts 2
    python -m gat_course.distributed.machines launch --folder job --hosts hosts.txt

`hosts.txt` names a machine in each line, `ADDRESS PORT`. The same command serves k
machines (each is reached by ssh, and has the folder at the same place) and one host
that plays them all on its loopback device.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from gat_course import measure
from gat_course.datasets.power_law import power_law_graph
from gat_course.distributed.engine import require_dgl
from gat_course.distributed.hosts import is_here, read_hosts
from gat_course.files import write_json
from gat_course.graph import GraphData
from gat_course.partition import edge_cut, halo_sizes
from gat_course.training.labels import require_labels

JOB = "gat_course.distributed.dgl_job"


def main(argv: Sequence[str] | None = None) -> int:
    """Cut a graph, or train on one that was cut; 0, or 2 for an error."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"gat_course: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def metis(graph: GraphData, num_parts: int) -> Tensor:
    """The part of each node, `[N]`, by METIS: as many nodes each, few edges cut.

    Raises:
        RuntimeError: DGL, which has METIS, cannot be had here.
        ValueError: there are fewer nodes than parts.

    Source: Karypis and Kumar, SIAM Journal on Scientific Computing 20, 1998.

    >>> from gat_course.distributed import machines
    >>> machines.metis(power_law_graph(100, 1000), 2).unique()
    tensor([0, 1])
    """
    _require_number(graph, num_parts)
    dgl = require_dgl("partition")
    if num_parts == 1:  # METIS would divide by zero
        return torch.zeros(graph.num_nodes, dtype=torch.int64)
    whole = dgl.graph((graph.src, graph.dst), num_nodes=graph.num_nodes)
    with measure.quiet(), contextlib.redirect_stdout(io.StringIO()):  # it tells a lot
        return dgl.metis_partition_assignment(dgl.to_simple(whole), num_parts).long()


def _require_number(graph: GraphData, num_parts: int) -> None:
    if not 1 <= num_parts <= graph.num_nodes:
        raise ValueError(
            f"num_parts must be from 1 to {graph.num_nodes}, the nodes; got {num_parts}"
        )


@contextlib.contextmanager
def _each_edge_once(dgl: ModuleType) -> Iterator[None]:
    """METIS, as DGL calls it, ends the process on graphs in which edges repeat."""
    partition = dgl.distributed.partition
    assign = partition.metis_partition_assignment

    def simplified(graph, *given, **options):
        return assign(dgl.to_simple(graph), *given, **options)

    partition.metis_partition_assignment = simplified
    try:
        yield
    finally:
        partition.metis_partition_assignment = assign


def cut(
    graph: GraphData,
    num_parts: int,
    folder: str | os.PathLike,
    method: str = "metis",
) -> Tensor:
    """Cut a graph into parts with as many nodes each and few edges between them.

    Args:
        graph: with `x`, `y` and `train_mask`; self-loops are left out.
        num_parts: as many as machines.
        folder: gets the parts, and `graph.json`, which says where they are.
        method: "metis", or "random" to compare with.

    Returns:
        The part of each node, `[N]`.

    Raises:
        RuntimeError: DGL cannot be had here.
        ValueError: a field is missing, edges have weights or features, which would be
            lost; there are fewer nodes than parts, or a part would have no edge.

    >>> from gat_course.distributed import machines
    >>> part = machines.cut(power_law_graph(100, 1000), 2, "job")
    >>> len(part)
    100
    """
    require_labels(graph, graph.train_mask, "train_mask")
    for name in ("edge_weight", "edge_attr"):
        if getattr(graph, name) is not None:
            raise ValueError(f"{graph.name} has {name}, which a job would not look at")
    _require_number(graph, num_parts)
    if method not in ("metis", "random"):
        raise ValueError(f"method must be metis or random, got {method!r}")
    dgl = require_dgl("distributed")
    other = graph.src != graph.dst
    whole = dgl.graph((graph.src[other], graph.dst[other]), num_nodes=graph.num_nodes)
    whole.ndata["x"] = graph.x.to_dense()
    whole.ndata["y"], whole.ndata["train_mask"] = graph.y, graph.train_mask
    silent = contextlib.redirect_stdout(io.StringIO())
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
        try:
            with _each_edge_once(dgl), measure.quiet(), silent:
                order, _ = dgl.distributed.partition_graph(
                    whole,
                    "graph",
                    num_parts,
                    unfinished,
                    part_method=method if num_parts > 1 else "random",
                    return_mapping=True,
                )
        except (IndexError, KeyError, TypeError, dgl.DGLError) as error:
            raise ValueError(
                f"{graph.name} cannot be cut into {num_parts} parts: each needs a node "
                "and an edge into it; choose fewer parts"
            ) from error
        config = json.loads(Path(unfinished, "graph.json").read_text())
        for number in range(num_parts):
            part_folder = Path(folder, f"part{number}")
            shutil.rmtree(part_folder, ignore_errors=True)
            shutil.move(Path(unfinished, part_folder.name), part_folder)
    write_json(Path(folder) / "graph.json", config | {"num_classes": graph.num_classes})
    part = torch.empty(graph.num_nodes, dtype=torch.int64)
    for number, (first, end) in enumerate(config["node_map"]["_N"]):
        part[order[first:end]] = number
    return part


@dataclass(frozen=True)
class Process:
    """One process of a job: on which machine, in which role, and how it is started."""

    role: str
    machine: int
    address: str
    variables: dict[str, str]
    command: list[str]

    @property
    def name(self) -> str:
        return f"{self.role} {self.machine}"

    def arguments(self) -> list[str]:
        """What starts it: a command of this host, or one that ssh takes to another."""
        if is_here(self.address):
            return [sys.executable, *self.command]
        given = [f"{k}={v}" for k, v in self.variables.items()]
        line = shlex.join(["env", *given, "python", *self.command])
        # -tt: what runs there ends with the ssh that started it
        return ["ssh", "-tt", "-o", "BatchMode=yes", self.address, line]


def processes(
    folder: str | os.PathLike, hosts: Sequence[tuple[str, int]], job: Sequence[str] = ()
) -> list[Process]:
    """For each machine a server of its partition, then for each a trainer.

    Args:
        folder: where `partition` wrote; every machine sees it at the same place.
        hosts: address and port of each machine, in the order of the partitions.
        job: further arguments of `dgl_job`.

    >>> from gat_course.distributed import machines
    >>> hosts = [("192.168.0.5", 30050), ("192.168.0.6", 30050)]
    >>> [process.name for process in machines.processes("job", hosts)]
    ['server 0', 'server 1', 'trainer 0', 'trainer 1']
    """
    folder, number = Path(folder).absolute(), len(hosts)
    alone = len({address for address, _ in hosts}) < number  # one host plays several
    shared = {
        "DGL_DIST_MODE": "distributed",
        "DGL_IP_CONFIG": str(folder / "hosts.txt"),
        "DGL_NUM_SERVER": "1",  # of each machine
        "DGL_NUM_CLIENT": str(number),
        "DGL_NUM_SAMPLER": "0",
        "DGLBACKEND": "pytorch",
        "MASTER_ADDR": hosts[0][0],
        "MASTER_PORT": str(hosts[0][1] - 1),
        "WORLD_SIZE": str(number),
    }
    found = []
    for role in ("server", "trainer"):
        for machine, (address, _) in enumerate(hosts):
            own, config = dict(shared), folder / "graph.json"
            if alone:
                config = folder / f"graph-{machine}.json"
                own["GAT_COURSE_MACHINE"] = str(machine)
            own["DGL_CONF_PATH"] = str(config)
            if role == "server":
                own |= {"DGL_ROLE": "server", "DGL_SERVER_ID": str(machine)}
            else:
                own |= {"DGL_ROLE": "client", "RANK": str(machine)}
            command = ["-m", JOB, "--hosts", str(folder / "hosts.txt")]
            command += ["--config", str(config), *job]
            found.append(Process(role, machine, address, own, command))
    return found


def launch(
    folder: str | os.PathLike,
    hosts: Sequence[tuple[str, int]],
    job: Sequence[str] = (),
    timeout: float = 3600.0,
) -> None:
    """Start all processes of a job and wait for them; each has a log in the folder.

    Raises:
        ValueError: the folder has not as many partitions as there are machines.
        RuntimeError: a process ended with an error, or the time is over. The others
            are ended too; the message names it, and its last words.

    >>> from gat_course.distributed import machines
    >>> _ = machines.cut(power_law_graph(200, 2000), 1, "job")
    >>> from gat_course.distributed.hosts import free_hosts
    >>> machines.launch("job", free_hosts(1), ["--epochs", "1"])
    """
    folder = Path(folder).absolute()
    config = _config(folder, len(hosts))
    lines = [f"{address} {port}\n" for address, port in hosts]
    (folder / "hosts.txt").write_text("".join(lines))
    for machine in range(len(hosts)):  # for one host that plays several
        name = f"{config['graph_name']}-{os.getpid()}-{machine}"
        write_json(folder / f"graph-{machine}.json", config | {"graph_name": name})
    started: dict[str, subprocess.Popen] = {}
    try:
        for process in processes(folder, hosts, job):
            with open(_log(folder, process.name), "wb") as log:
                started[process.name] = subprocess.Popen(
                    process.arguments(),
                    env=os.environ | process.variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        _wait(folder, started, time.monotonic() + timeout)
    finally:
        for process in started.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        mine = f"{config['graph_name']}-{os.getpid()}-*"
        for left in Path("/dev/shm").glob(mine):  # by those that were killed
            left.unlink(missing_ok=True)


def _config(folder: Path, machines: int) -> dict:
    """What `cut` wrote into the folder, if it is for so many machines."""
    file = folder / "graph.json"
    try:
        config = json.loads(file.read_text())
        number = config["num_parts"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is damaged: cut the graph again") from error
    if number != machines:
        raise ValueError(
            f"{folder} holds {number} partitions for {machines} machines: cut the "
            "graph into as many"
        )
    return config


def _wait(folder: Path, started: dict[str, subprocess.Popen], end: float) -> None:
    while any(process.poll() is None for process in started.values()):
        for name, process in started.items():
            if process.poll():
                raise RuntimeError(
                    f"{name} ended with exit code {process.returncode}, so the job was "
                    f"stopped. Its last words in {_log(folder, name)}: "
                    f"{_last_words(folder, name)}"
                )
        if time.monotonic() > end:
            left = [name for name, p in started.items() if p.poll() is None]
            raise RuntimeError(
                f"the time is over and {', '.join(left)} still run, so the job was "
                f"stopped; the logs are in {folder}"
            )
        time.sleep(0.1)


def _log(folder: Path, name: str) -> Path:
    return folder / f"{name.replace(' ', '-')}.log"


def _last_words(folder: Path, name: str) -> str:
    lines = _log(folder, name).read_text(errors="replace").split("\n")
    told = (line.strip() for line in reversed(lines))  # [bt]: C++'s way there
    return next((line for line in told if line and "[bt]" not in line), "none")


def _partition(args: argparse.Namespace) -> int:
    graph = power_law_graph(args.nodes, args.edges)
    part = cut(graph, args.parts, args.folder)
    print(f"{graph} in {args.parts} parts: {args.folder}")
    print(f"cut: {edge_cut(graph, part):.1%} of the edges")
    for number, size in enumerate(halo_sizes(graph, part, args.parts)):
        print(f"part {number}: {int((part == number).sum())} nodes, halo {size}")
    return 0


def _launch(args: argparse.Namespace) -> int:
    hosts = read_hosts(args.hosts)
    if args.dry_run:
        _config(Path(args.folder), len(hosts))
        for process in processes(Path(args.folder), hosts, args.job):
            given = [f"{k}={v}" for k, v in process.variables.items()]
            given = ["env", *given] if is_here(process.address) else []
            print(f"# {process.name}\n{shlex.join([*given, *process.arguments()])}")
        return 0
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        launch(args.folder, hosts, args.job, args.timeout)
    finally:  # however it ends, nothing it started runs on
        signal.signal(signal.SIGTERM, before)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gat_course.distributed.machines",
        description="Train a GAT over several machines, or over one that plays them.",
    )
    commands = parser.add_subparsers(title="commands", required=True)
    one = commands.add_parser("partition", help="cut a made-up graph with METIS")
    one.add_argument("--folder", required=True, help="gets the parts")
    one.add_argument("--parts", type=int, required=True, help="as many as machines")
    one.add_argument("--nodes", type=int, default=20_000)
    one.add_argument("--edges", type=int, default=400_000)
    one.set_defaults(run=_partition)
    two = commands.add_parser(
        "launch", help="start a server and a trainer on each machine"
    )
    two.add_argument("--folder", required=True, help="where the parts are")
    two.add_argument("--hosts", required=True, help="file: ADDRESS PORT in each line")
    two.add_argument("--timeout", type=float, default=3600.0, help="seconds")
    two.add_argument("--dry-run", action="store_true", help="print what would start")
    two.add_argument("job", nargs="*", help="after --: arguments of dgl_job")
    two.set_defaults(run=_launch)
    return parser


if __name__ == "__main__":
    sys.exit(main())
