"""`gat-course bench`: the course's layers beside DGL's and PyG's (chapter 9 reads it).

Every contender lives in a process of its own, so that no library's threads or memory
meet another's. All take turns: a round asks each of them for one step, and what is
reported is the median over the rounds. Peak memory is that of the process, above what
it held before the step, whoever took it.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from gat_course import __version__, datasets, files
from gat_course.experiments.contenders import (
    NAMES,
    citation_step,
    installed,
    layer_step,
    ppi_sized_step,
)
from gat_course.experiments.turns import measure_in_turns

EDGES = (10_000, 100_000, 1_000_000, 5_000_000, 10_000_000)


def plan(quick: bool) -> list[tuple[str, Callable, dict, list[str], int]]:
    """What is measured: title, step, its arguments, contenders, rounds.

    Args:
        quick: smaller graphs and fewer rounds, about a minute in all.
    """
    plain = ["course", "edges", "dgl", "pyg"]  # no dropout, so no tricks
    rounds = 5 if quick else 15
    # A stand-in says in its name that it is one.
    titles = {
        name: datasets.load(name, fallback="synthetic").name
        for name in ("cora", "citeseer")
    }
    rows = []
    for name in titles:
        title = f"{titles[name]}, training step"
        who = [contender for contender in NAMES if contender != "dense"]
        rows.append((title, citation_step, {"name": name}, who, rounds))
    if not quick:
        who = ["course", "dense"]
        rows.append((f"{titles['cora']}, N×N", citation_step, {"name": "cora"}, who, 3))
    scale = 4 if quick else 1
    title = "PPI-sized, training step" + (f", a {scale}th of it" if quick else "")
    rows.append((title, ppi_sized_step, {"scale": scale}, plain, 3 if quick else 5))
    for edges in (10_000, 100_000) if quick else EDGES:
        title, size = f"one layer, {edges:,} edges", {"num_edges": edges}
        who = plain if edges <= 10**6 else [c for c in plain if c != "edges"]
        rows.append((title, layer_step, size, who, rounds if edges < 10**6 else 3))
    for heads in () if quick else (1, 2, 4, 16):
        size = {"num_edges": 10**6, "num_heads": heads}
        title = f"one layer, 1,000,000 edges, K = {heads}"
        rows.append((title, layer_step, size, plain, 3))
    return rows


def machine(threads: int) -> dict[str, object]:
    """What the numbers depend on besides the code."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    packages = {"gat_course": __version__, "python": platform.python_version()}
    packages["torch"] = torch.__version__  # with its build, as "+cpu"
    for package in ("dgl", "torch_geometric"):
        if importlib.util.find_spec(package):
            packages[package] = _version(package)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.platform(),
        "versions": packages,
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # installed without pip
        return "?"


def main(quick: bool = False, output: str | os.PathLike | None = None) -> int:
    """Measure, print as it goes, and store what was measured.

    Args:
        quick: see `plan`.
        output: the JSON file to write, by default results/bench.json (with `quick`
            results/bench-quick.json). Until all is measured it is called `.partial`.

    Returns:
        0, for the command line.
    """
    output = Path(output or f"results/bench{'-quick' if quick else ''}.json")
    threads = torch.get_num_threads()
    record = {"quick": quick, "machine": machine(threads), "measured": []}
    growing = output.with_name(f"{output.name}.partial")
    print(describe(record["machine"]))
    absent = [name for name in NAMES if name not in installed(list(NAMES))]
    if absent:
        print(
            "not installed, so left out: "
            + ", ".join(NAMES[name] for name in absent)
            + " (pip install 'gat-course[bench]' brings PyG; 'gat-course[dgl]' brings "
            "DGL, up to Python 3.12)"
        )
    for title, step, arguments, contenders, rounds in plan(quick):
        builders = {
            name: partial(step, name, **arguments) for name in installed(contenders)
        }
        entry = {
            "title": title,
            "arguments": arguments,
            "rounds": rounds,
            "contenders": measure_in_turns(builders, rounds, threads),
        }
        record["measured"].append(entry)
        print(table(entry), flush=True)
        files.write_json(growing, record)
    os.replace(growing, output)
    print(f"\nstored in {output}")
    return 0


def stored() -> dict:
    """The full measurement that comes with this package, as `main` wrote it.

    Raises:
        FileNotFoundError: the package has none.
    """
    path = Path(__file__).parents[1] / "results" / "bench.json"
    if not path.exists():
        raise FileNotFoundError(
            "the package holds no measurement; make one with `gat-course bench`"
        )
    return json.loads(path.read_text())


def describe(about: dict) -> str:
    """The machine in one paragraph."""
    versions = "\n".join(f"{k} {v}" for k, v in about["versions"].items())
    return (
        f"{about['processor']}, {about['cores']} cores, {about['threads']} threads\n"
        f"{about['system']}\n{versions}"
    )


def table(entry: dict) -> str:
    """One measurement: time, its ratio to the course's, and peak memory of each.

    A `~` behind a ratio: the ranges of both times, from the fastest round to the
    slowest, overlap, so that a difference is not shown.
    """
    row = "{:18}{:>9}{:>6}{:1}{:>7}".format  # fits on a phone
    rounds = f"median of {entry['rounds']}"
    lines = ["", entry["title"], row(rounds, "ms", "times", "", "MB")]
    ours = entry["contenders"]["course"]
    for name, found in entry["contenders"].items():
        held, seconds = found["bytes"], found["seconds"]
        memory = "?" if held is None else f"{held / 1e6:,.0f}"
        times = f"{seconds / ours['seconds']:.1f}"
        apart = found["fastest"] > ours["slowest"] or ours["fastest"] > found["slowest"]
        mark = "" if apart or name == "course" else "~"
        lines.append(row(NAMES[name], f"{1e3 * seconds:,.1f}", times, mark, memory))
    return "\n".join(lines)
