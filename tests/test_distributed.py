"""Several processes train one model: on one machine, killed, and over machines."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

import gat_course
from gat_course import GAT, Blockwise, dgl_compat
from gat_course.datasets.power_law import power_law_graph
from gat_course.distributed import dgl_job, engine, machines, processes
from gat_course.distributed.hosts import free_hosts, read_hosts
from gat_course.graph import GraphData
from gat_course.partition import edge_cut
from gat_course.sampling import NeighborSampler
from gat_course.training import checkpoint as checkpoints
from gat_course.training.sampled import evaluate_sampled

LONGEST = 600  # seconds until something that hangs is ended
SMALL = "--nodes 2000 --edges 20000".split()
NUMBERS = "val_loss", "val_accuracy", "test_loss", "test_accuracy"
HOSTS = [("10.0.0.1", 30050), ("10.0.0.2", 30050), ("10.0.0.3", 30060)]


OTHERS: list[psutil.Process] = []  # started by the tests of other files


@pytest.fixture(scope="module", autouse=True)
def others():
    OTHERS[:] = psutil.Process().children(recursive=True)


def children() -> list[psutil.Process]:
    """What tests of this file started and what runs still."""
    found = psutil.Process().children(recursive=True)
    return [process for process in found if process not in OTHERS]


@contextmanager
def job(number: int, *arguments: str | Path):
    """A program in so many processes by torchrun, or as it is for 0; none is left."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    launcher = [*launcher, str(number)] if number else []
    started = subprocess.Popen(
        [sys.executable, *launcher, *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        for process in children():
            process.kill()
        started.communicate()


def run(number: int, *arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, and what is said on stdout and on stderr."""
    with job(number, *arguments) as started:
        out, err = started.communicate(timeout=LONGEST)
        return started.returncode, out, err


TRAIN = ["-m", "gat_course.distributed.processes", *SMALL]


@pytest.fixture
def alone(monkeypatch, capsys):
    """The same program in this process: exit code, stdout and stderr."""

    def main(*arguments: str | Path) -> tuple[int, str, str]:
        code = processes.main([*SMALL, *map(str, arguments)])
        return code, *capsys.readouterr()

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(checkpoints, "EVERY", checkpoints.EVERY)
    return main


def wait_for(event: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST
    while not event():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def complaints(err: str) -> list[str]:
    """The package's own lines in what a job says; it may not show a traceback."""
    assert str(Path(gat_course.__file__).parent) not in err
    return [line for line in err.splitlines() if line.startswith("gat_course: ")]


# ------------------------------------------------ processes of one machine


def test_two_processes_train_as_one_does(alone, tmp_path):
    arguments = "--fanouts -1 -1 --dropout 0 --epochs 2 --batch-size 301".split()
    told = []
    for number, start in enumerate((alone, partial(run, 2, *TRAIN)), 1):
        output = tmp_path / f"{number}.json"
        code, out, err = start(*arguments, "--output", output)
        assert code == 0, err
        told.append(json.loads(output.read_text()))
        assert json.loads(out) == told[-1]  # told once, by one process
        assert (told[-1]["processes"], told[-1]["epochs"]) == (number, 2)
    one, two = told
    for name in NUMBERS:
        assert two[name] == pytest.approx(one[name], rel=1e-5), name


# Shares of 4 nodes and of 3. The mean of their means is another gradient than the mean
# of all 7; the worker makes sure of that too.
GRADIENTS = """
import copy, json, os, sys
from dataclasses import replace
from pathlib import Path
import torch
import torch.nn.functional as F
from gat_course import GAT
from gat_course.datasets.power_law import power_law_graph
from gat_course.training.sampled import SampledClasses

def gradients(model, rank, world):
    model = copy.deepcopy(model)
    task = SampledClasses(graph, [-1, -1], batch_size=7, rank=rank, world=world)
    task.prepare(model)
    torch.manual_seed(1)
    ((batch, size),) = task.batches()
    assert size == 7
    task.loss(model, batch).backward()
    return flat(model), batch[0].targets

def flat(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])

def mean_of(model, nodes):
    model = copy.deepcopy(model)
    F.cross_entropy(model(graph, graph.x)[nodes], graph.y[nodes]).backward()
    return flat(model)

rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
torch.distributed.init_process_group("gloo")
graph = power_law_graph(200, 2000).with_self_loops()
train = torch.arange(200) % 29 == 3
graph = replace(graph, x=graph.x.double(), train_mask=train)
torch.manual_seed(0)
model = GAT(graph.num_features, graph.num_classes, dropout=0.0).double()
found, share = gradients(model, rank, world)
shares = [None] * world
torch.distributed.all_gather_object(shares, share)
if rank == 0:
    alone, _ = gradients(model, 0, 1)
    told = {
        "shares": sorted(map(len, shares)),
        "nodes": sorted(torch.cat(shares).tolist()),
        "wanted": train.nonzero()[:, 0].tolist(),
        "as one": torch.allclose(found, alone),
        "as all at once": torch.allclose(found, mean_of(model, train)),
        "as the mean of means": torch.allclose(
            found, sum(mean_of(model, s) for s in shares) / world, rtol=1e-2
        ),
    }
    Path(sys.argv[1]).write_text(json.dumps(told))
torch.distributed.destroy_process_group()
"""


def test_two_processes_have_the_gradients_of_one_for_shares_of_unlike_size(tmp_path):
    program, output = tmp_path / "gradients.py", tmp_path / "told.json"
    program.write_text(GRADIENTS)
    code, _, err = run(2, program, output)
    assert code == 0, err
    told = json.loads(output.read_text())
    assert told["shares"] == [3, 4]
    assert told["nodes"] == told["wanted"]
    assert told["as one"] and told["as all at once"]
    assert not told["as the mean of means"]


def test_a_killed_process_ends_the_job_and_the_same_command_goes_on(tmp_path):
    epochs, file = 40, tmp_path / "run.pt"
    command = [*TRAIN, "--batch-size", "400", "--epochs", str(epochs)]
    command += ["--checkpoint-every", "0", "--checkpoint"]
    with job(2, *command, file) as started:
        wait_for(lambda: file.exists() or started.poll() is not None)
        workers = {p.environ().get("RANK"): p for p in children()}
        workers["1"].kill()
        out, err = started.communicate(timeout=LONGEST)
        assert psutil.wait_procs(workers.values(), timeout=LONGEST)[1] == []
    assert started.returncode not in (0, None) and out == ""
    (said,) = complaints(err)
    assert said.startswith("gat_course: process 0 of 2 ends, because another one of ")
    assert said.endswith(f". The same command goes on from {file}")

    kept = torch.load(file)  # marked, as a run from the start has the same numbers
    done = len(kept["history"]["train_loss"])
    assert 1 <= done < epochs
    kept["history"]["train_loss"][0] = 1234.5
    torch.save(kept, file)
    told = []
    for checkpoint in (file, tmp_path / "other.pt"):
        output = checkpoint.with_suffix(".json")
        code, _, err = run(2, *command, checkpoint, "--output", output)
        assert code == 0, err
        told.append(json.loads(output.read_text()))
    again, whole = told
    assert again["epochs"] == whole["epochs"] == epochs
    assert [again[name] for name in NUMBERS] == [whole[name] for name in NUMBERS]
    losses, others = (
        torch.load(path)["history"]["train_loss"]
        for path in (file, tmp_path / "other.pt")
    )
    assert losses[0] == 1234.5 and losses[1:] == others[1:]


def test_a_bad_argument_is_told_of_in_one_line_by_two_processes():
    code, out, err = run(2, *TRAIN, "--batch-size", "1")
    assert code not in (0, None) and out == ""
    message = "a batch of 1 training nodes cannot be shared by 2 processes"
    assert any(message in line for line in complaints(err))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fanouts", "5"], "fanouts needs a number for each layer"),
        (
            ["--fanouts", "5", "-2"],
            "fanouts must hold a number for each layer, -1 for all",
        ),
        (["--batch-size", "0"], "batch_size must be at least 1, got 0"),
        (["--epochs", "0"], "max_epochs and patience must be at least 1"),
        (["--nodes", "1"], "num_nodes must be at least num_classes"),
        (["--checkpoint", str(Path(__file__).parent)], "Is a directory"),
    ],
)
def test_a_bad_argument_is_told_of_in_one_line(arguments, message, alone):
    code, out, err = alone(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("gat_course: ") and err.count("\n") == 1
    assert message in err


# ------------------------------------------------ machines, played by this host


def shared_memory() -> list[str]:
    """What lies in the memory that processes share, by jobs of this process."""
    return [path.name for path in Path("/dev/shm").glob(f"graph-{os.getpid()}-*")]


@pytest.fixture(scope="module")
def graph():
    """A small graph, each of whose edges is there once."""
    graph = power_law_graph(2000, 20_000)
    pair = torch.unique(graph.src * graph.num_nodes + graph.dst)
    src, dst = pair // graph.num_nodes, pair % graph.num_nodes
    return replace(graph, src=src, dst=dst)


@pytest.fixture(scope="module")
def parts(graph, dgl, tmp_path_factory):
    """A folder with the graph in two parts, and the part of each node."""
    folder = tmp_path_factory.mktemp("parts")
    return folder, machines.cut(graph, 2, folder)


# `dgl_job`, which first saves what its machine gets to see of the graph.
WATCHED = """
import os, sys
from pathlib import Path
import torch
from gat_course.distributed import dgl_job

train = dgl_job._train

def watched(dgl, graph, args, world):
    nodes = torch.arange(graph.num_nodes())
    seen = {name: graph.ndata[name][nodes] for name in ("x", "y", "train_mask")}
    edges = dgl.distributed.sample_neighbors(graph, nodes, -1).edges()
    seen["edges"] = torch.stack(edges)
    seen["part"] = graph.get_partition_book().nid2partid(nodes)
    torch.save(seen, Path(args.output).with_name(f"seen-{os.environ['RANK']}.pt"))
    return train(dgl, graph, args, world)

dgl_job._train = watched
sys.exit(dgl_job.main())
"""


@pytest.fixture(scope="module")
def launched(graph, parts, tmp_path_factory):
    """A job of two servers and two trainers: its folder and what each trainer told."""
    code, out = tmp_path_factory.mktemp("code"), tmp_path_factory.mktemp("out")
    (code / "watched_job.py").write_text(WATCHED)
    arguments = "--classes 8 --epochs 10 --batch-size 128 --fanouts 5 5".split()
    arguments += ["--output", str(out / "told.json"), "--model", str(out / "model.pt")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machines, "JOB", "watched_job")
        patch.setenv("PYTHONPATH", str(code), prepend=os.pathsep)
        machines.launch(parts[0], free_hosts(2), arguments, timeout=LONGEST)
    left = shared_memory(), children()
    return out, json.loads((out / "told.json").read_text())["by_trainer"], left


def test_metis_cuts_few_edges_into_parts_of_one_size(graph, parts):
    folder, part = parts
    assert json.loads((folder / "graph.json").read_text())["num_parts"] == 2
    sizes = part.bincount()
    assert len(sizes) == 2 and int(sizes.max()) <= 1.05 * graph.num_nodes / 2
    random = torch.randint(2, (graph.num_nodes,))
    assert edge_cut(graph, random) > 0.45
    assert edge_cut(graph, part) < 0.2
    assert edge_cut(graph, machines.metis(graph, 2)) < 0.2


def test_a_random_cut_is_worse(graph, dgl, tmp_path):
    part = machines.cut(graph, 2, tmp_path / "parts", method="random")
    assert 0.9 < int(part.sum()) / (graph.num_nodes / 2) < 1.1
    assert edge_cut(graph, part) > 0.45


def test_the_command_cuts_a_graph_in_which_edges_are_there_twice(dgl, tmp_path):
    program = ["-m", "gat_course.distributed.machines", "partition", *SMALL]
    code, out, err = run(0, *program, "--folder", tmp_path / "parts", "--parts", "2")
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()[1:]] == [
        "cut",
        "part 0",
        "part 1",
    ]


def test_two_machines_train_together_and_read_from_each_other(launched):
    _, told, _ = launched
    assert len(told) == 2
    assert told[0]["steps"] == told[1]["steps"] == len(told[0]["losses"])
    for trainer in told:
        assert 0 < trainer["rows from others"] < trainer["rows"]
        sent = trainer["rows from others"] * trainer["bytes a row"]
        assert trainer["bytes a row"] == 4 * 32 and trainer["loopback bytes"] >= sent
        first, last = trainer["losses"][:10], trainer["losses"][-10:]
        assert sum(last) < sum(first) / 2


def test_each_machine_sees_the_whole_graph_and_nothing_else(graph, parts, launched):
    out, _, _ = launched
    for rank in range(2):
        seen = torch.load(out / f"seen-{rank}.pt")
        # DGL numbers the nodes anew; no two have the same features.
        old = torch.cdist(seen["x"].double(), graph.x.double()).argmin(dim=1)
        assert sorted(old.tolist()) == list(range(graph.num_nodes))
        assert torch.equal(seen["x"], graph.x[old])
        assert torch.equal(seen["y"], graph.y[old])
        assert torch.equal(seen["train_mask"].bool(), graph.train_mask[old])
        assert torch.equal(seen["part"], parts[1][old])
        edges = sorted(zip(*old[seen["edges"]].tolist(), strict=True))
        pairs = sorted(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
        assert edges == pairs


def test_what_the_machines_trained_knows_the_classes(graph, launched):
    model = GAT(graph.num_features, graph.num_classes)
    whole = graph.with_self_loops()
    before = evaluate_sampled(model, whole, whole.test_mask).accuracy
    model.load_state_dict(torch.load(launched[0] / "model.pt"))
    after = evaluate_sampled(model, whole, whole.test_mask).accuracy
    assert before < 30 and after > 65


def test_nothing_of_a_job_is_left(launched):
    assert launched[2] == ([], [])


def test_a_trainer_that_fails_alone_ends_the_job_and_nothing_is_left(parts, tmp_path):
    (tmp_path / "file").write_text("in the way of a folder")
    job = ["--classes", "8", "--output", str(tmp_path / "file" / "told.json")]
    with pytest.raises(RuntimeError, match="^trainer 0 ended with exit code 1") as told:
        machines.launch(parts[0], free_hosts(2), job, timeout=LONGEST)
    assert str(tmp_path / "file") in str(told.value)
    assert (shared_memory(), children()) == ([], [])


def test_a_batch_drawn_by_dgl_is_computed_as_one_of_the_course(graph, dgl):
    sampler = engine.require_dgl("dataloading").dataloading.NeighborSampler
    theirs = dgl.graph((graph.src, graph.dst), num_nodes=graph.num_nodes)
    whole, targets = graph.with_self_loops(), torch.randperm(graph.num_nodes)[:50]
    model = GAT(graph.num_features, graph.num_classes).eval()
    for fanouts in ([-1, -1], [2, 3]):
        batch = dgl_job.as_batch(*sampler(fanouts).sample(theirs, targets))
        found = Blockwise(model)(batch, graph.x[batch.nodes])
        # Independent: each layer on a graph of all nodes, with the edges drawn.
        first, second = (
            GraphData(
                num_nodes=graph.num_nodes,
                src=batch.nodes[block.graph.src],
                dst=batch.nodes[block.graph.dst],
            )
            for block in batch.blocks
        )
        h = model.activation(model.layer1(first, graph.x))
        assert torch.allclose(found, model.layer2(second, h)[targets], atol=1e-4)
        if fanouts == [-1, -1]:
            ours = NeighborSampler(whole, fanouts)(targets)
            assert sorted(ours.nodes.tolist()) == sorted(batch.nodes.tolist())
            same = Blockwise(model)(ours, graph.x[ours.nodes])
            assert torch.allclose(found, same, atol=1e-4)
        else:
            # a self-loop, and the edges drawn
            assert [int(g.in_degrees.max()) for g in (first, second)] == [3, 4]


# ------------------------------------------------ what goes wrong at a start


# In place of `dgl_job`: all do nothing, for very long; or one fails.
STUBBORN = """
import os, sys, time
if "--fail" in sys.argv and os.environ.get("RANK") == "1":
    sys.exit("\\nno memory is left\\n")
time.sleep(3600)
"""


@pytest.fixture
def stubborn(tmp_path, monkeypatch):
    """A folder with the file of two partitions, and a job that does nothing there."""
    config = {"num_parts": 2, "graph_name": "graph"}
    (tmp_path / "graph.json").write_text(json.dumps(config))
    (tmp_path / "stubborn_job.py").write_text(STUBBORN)
    monkeypatch.setattr(machines, "JOB", "stubborn_job")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_a_process_that_fails_ends_the_job_with_its_last_words(stubborn):
    message = (
        "^trainer 1 ended with exit code 1, so the job was stopped. Its last words in "
        ".*/trainer-1.log: no memory is left$"
    )
    with pytest.raises(RuntimeError, match=message):
        machines.launch(stubborn, free_hosts(2), ["--fail"], LONGEST)
    assert children() == []


def test_a_job_beyond_its_time_is_ended(stubborn):
    message = "the time is over and server 0, server 1, .* still run.*logs are in /"
    with pytest.raises(RuntimeError, match=message):
        machines.launch(stubborn, free_hosts(2), timeout=0.0)
    assert children() == []


def test_the_command_tells_of_a_failure_in_one_line(stubborn, capsys):
    hosts = stubborn / "asked.txt"
    hosts.write_text("127.0.0.1 30050\n127.0.0.1 30060\n")
    arguments = ["--folder", str(stubborn), "--hosts", str(hosts), "--", "--fail"]
    assert machines.main(["launch", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("gat_course: trainer 1 ended with exit code 1")
    assert err.count("\n") == 1


@pytest.mark.parametrize("number", [1, 3])
def test_a_job_needs_a_partition_for_each_machine(stubborn, number):
    with pytest.raises(ValueError, match=f"holds 2 partitions for {number} machines"):
        machines.launch(stubborn, free_hosts(number))
    assert list(stubborn.glob("*.log")) == []


# ------------------------------------------------ without starting anything


def test_free_hosts_are_this_host_on_different_ports():
    hosts = free_hosts(4)
    assert {address for address, _ in hosts} == {"127.0.0.1"}
    ports = [port for _, port in hosts]
    assert len({*ports, *(port - 1 for port in ports)}) == 8


def test_a_file_of_hosts_is_read(tmp_path):
    file = tmp_path / "hosts.txt"
    file.write_text("\n10.0.0.1 30050\n\n  10.0.0.2   30050 \n10.0.0.2 30060\n\n")
    hosts = [("10.0.0.1", 30050), ("10.0.0.2", 30050), ("10.0.0.2", 30060)]
    assert read_hosts(file) == hosts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "hosts.txt names no machine"),
        ("\n \n", "hosts.txt names no machine"),
        (
            "10.0.0.1 30050\n10.0.0.2\n",
            "line 2: a machine is an IPv4 address and a port",
        ),
        ("10.0.0.1 port\n", "line 1: a machine is an IPv4 address .*'10.0.0.1 port'"),
        ("10.0.0.256 30050\n", "line 1: a machine is an IPv4 address and a port"),
        ("\nnode1 30050\n", "line 2: a machine is an IPv4 address and a port.*node1"),
        ("10.0.0.1 80\n", "line 1: no port to use: 80"),
        ("10.0.0.1 65536\n", "line 1: no port to use: 65536"),
        ("10.0.0.1 3000\n\n10.0.0.1 3000\n", "line 3 names a machine twice"),
        ("10.0.0.1 30050 4\n", "line 1: a machine is an IPv4 address"),
        ("::1 30050\n", "line 1: a machine is an IPv4 address"),
        ("127.0.0.1 3005\n10.0.0.1 3005\n", "this host by its loopback address"),
        ("10.0.0.1 3005\n10.0.0.1 3004\n", "port 3004 is taken by the trainers"),
    ],
)
def test_a_file_of_hosts_that_makes_no_sense_is_refused(tmp_path, text, message):
    (tmp_path / "hosts.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_hosts(tmp_path / "hosts.txt")


def roles(found: list[machines.Process]) -> list[tuple[str, str]]:
    """Role and number of each process, as DGL and PyTorch are told."""
    told = [process.variables for process in found]
    assert all(("RANK" in v) != ("DGL_SERVER_ID" in v) for v in told)
    return [(v["DGL_ROLE"], v.get("DGL_SERVER_ID", v.get("RANK"))) for v in told]


THREE = [(role, str(k)) for role in ("server", "client") for k in range(3)]


def test_three_machines_get_a_server_and_a_trainer_each(tmp_path):
    job = ["--classes", "8", "--output", "a file's name"]
    found = machines.processes(tmp_path, HOSTS, job)
    assert [process.name.split()[0] for process in found] == 3 * ["server"] + 3 * [
        "trainer"
    ]
    assert [process.address for process in found] == 2 * [a for a, _ in HOSTS]
    assert roles(found) == THREE
    config, hosts = str(tmp_path / "graph.json"), str(tmp_path / "hosts.txt")
    for process in found:
        given = process.variables
        assert (given["WORLD_SIZE"], given["DGL_NUM_CLIENT"]) == ("3", "3")
        assert given["DGL_NUM_SERVER"] == "1"
        assert (given["MASTER_ADDR"], given["MASTER_PORT"]) == ("10.0.0.1", "30049")
        assert (given["DGL_CONF_PATH"], given["DGL_IP_CONFIG"]) == (config, hosts)
        assert "GAT_COURSE_MACHINE" not in given
        *ssh, line = process.arguments()
        assert ssh == ["ssh", "-tt", "-o", "BatchMode=yes", process.address]
        env, *words = shlex.split(line)  # as the shell of that machine reads it
        variables = dict(word.split("=", 1) for word in words[: len(given)])
        assert (env, variables) == ("env", given)
        command = ["python", "-m", machines.JOB, "--hosts", hosts, "--config", config]
        assert words[len(given) :] == [*command, *job]


def test_one_host_plays_three_machines_that_are_told_apart(tmp_path):
    hosts = [("127.0.0.1", port) for port in (30050, 30060, 30070)]
    found = machines.processes(tmp_path, hosts, ["--classes", "8"])
    assert roles(found) == THREE
    for number, process in enumerate(found):
        given, machine = process.variables, number % 3
        config = str(tmp_path / f"graph-{machine}.json")
        assert given["GAT_COURSE_MACHINE"] == str(machine)
        assert given["DGL_CONF_PATH"] == config
        assert (given["WORLD_SIZE"], given["DGL_NUM_CLIENT"]) == ("3", "3")
        assert process.arguments()[:3] == [sys.executable, "-m", machines.JOB]
        assert process.arguments()[-4:] == ["--config", config, "--classes", "8"]


def test_a_dry_run_prints_what_would_start(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    file = tmp_path / "asked.txt"
    file.write_text("".join(f"{address} {port}\n" for address, port in HOSTS))
    arguments = ["--folder", str(tmp_path), "--hosts", str(file), "--dry-run"]
    assert machines.main(["launch", *arguments]) == 2
    assert "graph.json" in capsys.readouterr().err
    (tmp_path / "graph.json").write_text('{"num_parts": 3}')
    assert machines.main(["launch", *arguments, "--", "--classes", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = machines.processes(tmp_path, HOSTS, ["--classes", "8"])
    assert lines[::2] == [f"# {process.name}" for process in found]
    assert [shlex.split(line) for line in lines[1::2]] == [
        process.arguments() for process in found
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"asked.txt", "graph.json"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["launch", "--hosts", "nowhere.txt"], "nowhere.txt"),
        (["partition", "--parts", "0", *SMALL], "num_parts must be from 1 to 2000"),
        (["partition", "--parts", "2", "--nodes", "1"], "at least num_classes"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(arguments, message, tmp_path, capsys):
    assert machines.main([*arguments, "--folder", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("gat_course: ") and err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_metis_cuts_into_one_part_and_no_more_than_there_are_nodes(graph, dgl):
    assert machines.metis(graph, 1).tolist() == [0] * graph.num_nodes
    for number in (0, -1, graph.num_nodes + 1):
        with pytest.raises(ValueError, match="num_parts must be from 1 to 2000"):
            machines.metis(graph, number)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"edges": 0}, {}, "cannot be cut into 2 parts: each needs a node and an edge"),
        ({}, {"method": "foo"}, "method must be metis or random, got 'foo'"),
        ({"edge_weight": 1}, {}, "has edge_weight, which a job would not look at"),
        ({"edge_attr": 1}, {}, "has edge_attr, which a job would not look at"),
        ({"train_mask": 0}, {}, "train_mask of .* selects no node"),
    ],
)
def test_a_graph_that_makes_no_job_is_not_cut(
    graph, dgl, tmp_path, changes, options, message
):
    whole = tmp_path / "whole"
    machines.cut(graph, 2, whole)
    before = {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()}
    if "edges" in changes:
        graph = power_law_graph(graph.num_nodes, 0)
    elif "train_mask" in changes:
        graph = replace(graph, train_mask=torch.zeros_like(graph.train_mask))
    else:
        width = (graph.num_edges, 1) if "edge_attr" in changes else (graph.num_edges,)
        graph = replace(graph, **{name: torch.ones(width) for name in changes})
    with pytest.raises(ValueError, match=message):
        machines.cut(graph, 2, whole, **options)
    after = {p: p.read_bytes() for p in whole.rglob("*") if p.is_file()}
    assert after == before and list(whole.glob(".*")) == []


@pytest.mark.parametrize("parts", ["100", "150"])
def test_too_many_parts_for_the_edges_are_refused(dgl, tmp_path, capsys, parts):
    sizes = ["--nodes", "200", "--edges", "2000"]
    arguments = ["--parts", parts, "--folder", str(tmp_path), *sizes]
    assert machines.main(["partition", *arguments]) == 2
    assert f"cannot be cut into {parts} parts" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_is_terminated_leaves_nothing_running(stubborn):
    hosts = stubborn / "asked.txt"
    hosts.write_text("127.0.0.1 30050\n127.0.0.1 30060\n")
    source = (
        "import sys; from gat_course.distributed import machines; "
        f"machines.JOB = 'stubborn_job'; sys.exit(machines.main({['launch']!r} + "
        f"{['--folder', str(stubborn), '--hosts', str(hosts)]!r}))"
    )
    with job(0, "-c", source) as started:
        while len(children()) < 5:  # it, two servers and two trainers
            assert started.poll() is None
            time.sleep(0.1)
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=LONGEST) == 143
        assert children() == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1"])
def test_a_damaged_partition_is_named(stubborn, text):
    (stubborn / "graph.json").write_text(text)
    with pytest.raises(ValueError, match="graph.json is damaged: cut the graph again"):
        machines.launch(stubborn, free_hosts(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "-1"], "--threads must be at least 1, got -1"),
        (["--threads", "0"], "--threads must be at least 1, got 0"),
        (
            ["--patience-seconds", "0"],
            "--patience-seconds must be from 1 to 1e6, got 0",
        ),
        (["--patience-seconds", "1e20"], "--patience-seconds must be from 1 to 1e6"),
        (["--checkpoint-every", "nan"], "--checkpoint-every must be at least 0"),
        (["--output", "/"], "--output must be a file, / is a folder"),
    ],
)
def test_options_that_make_no_sense_are_refused_at_once(arguments, message, capsys):
    assert processes.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"gat_course: process 0 of 1: {message}")


@pytest.mark.parametrize(("gpus", "kind"), [(0, "cpu"), (1, "cpu"), (2, "cuda")])
def test_two_processes_that_share_one_gpu_train_on_the_cpu(monkeypatch, gpus, kind):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    assert processes._device().type == kind


def test_a_graph_without_labels_is_not_cut(graph, tmp_path):
    with pytest.raises(ValueError, match="has no y: training needs x and y"):
        machines.cut(replace(graph, y=None), 2, tmp_path)


def test_without_dgl_it_is_said_what_is_missing(graph, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dgl_compat, "has_dgl", lambda: False)
    for call in (
        lambda: engine.require_dgl("distributed"),
        lambda: machines.metis(graph, 2),
        lambda: machines.cut(graph, 2, tmp_path),
    ):
        with pytest.raises(RuntimeError, match=r"^this takes DGL \(message passing by"):
            call()
    arguments = ["partition", "--parts", "2", "--folder", str(tmp_path), *SMALL]
    assert machines.main(arguments) == 2
    assert capsys.readouterr().err.startswith("gat_course: this takes DGL (")
    assert list(tmp_path.iterdir()) == []
