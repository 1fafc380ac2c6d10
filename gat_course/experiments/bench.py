"""`gat-course bench`: the course's layers beside DGL's and PyG's (chapter 9)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gat_course import __version__, datasets, files
from gat_course.experiments.contenders import (
    NAMES,
    PACKAGES,
    citation_step,
    installed,
    layer_step,
    ppi_sized_step,
)
from gat_course.experiments.turns import measure_in_turns

if TYPE_CHECKING:
    import pandas as pd

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
    everyone = [name for name in NAMES if name != "dense"]
    rows = [
        (f"{title}, training step", citation_step, {"name": name}, everyone, rounds)
        for name, title in titles.items()
    ]
    title = "PPI-sized, training step"
    if quick:
        rows.append((f"{title}, a 4th of it", ppi_sized_step, {"scale": 4}, plain, 3))
    else:
        pairs = ["course", "dense"]
        rows += [
            (f"{titles['cora']}, N×N", citation_step, {"name": "cora"}, pairs, 3),
            (title, ppi_sized_step, {"scale": 1}, plain, 5),
        ]
    for edges in (10_000, 100_000) if quick else EDGES:
        title, size = f"one layer, {edges:,} edges", {"num_edges": edges}
        who = plain if edges <= 10**6 else [c for c in plain if c != "edges"]
        rows.append((title, layer_step, size, who, rounds if edges < 10**6 else 3))
    for heads in () if quick else (1, 2, 4, 16):
        title = f"one layer, 1,000,000 edges, K = {heads}"
        size = {"num_edges": 10**6, "num_heads": heads}
        rows.append((title, layer_step, size, plain, 3))
    return rows


def machine(threads: int) -> dict[str, object]:
    """What the numbers depend on besides the code.

    >>> bench.machine(threads=1)["threads"]
    1
    """
    processor = platform.processor() or platform.machine()
    with suppress(OSError, AttributeError):  # another system keeps no such file
        about = Path("/proc/cpuinfo").read_text()
        processor = re.search(r"^model name\s*:\s*(.*\S)", about, re.M).group(1)
    versions = {"gat_course": __version__, "python": platform.python_version()}
    versions["torch"] = torch.__version__  # with its build, as "+cpu"
    for package in PACKAGES.values():
        if importlib.util.find_spec(package):
            versions[package] = "?"
            with suppress(importlib.metadata.PackageNotFoundError):
                versions[package] = importlib.metadata.version(package)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.platform(),
        "versions": versions,
    }


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
    absent = [NAMES[name] for name in NAMES if name not in installed(NAMES)]
    if absent:
        print(
            f"not installed, so left out: {', '.join(absent)} (pip install "
            "'gat-course[bench]' brings PyG; 'gat-course[dgl]' brings DGL, up to "
            "Python 3.12)"
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
        print(f"\n{table(entry).to_string()}", flush=True)
        files.write_json(growing, record)
    os.replace(growing, output)
    print(f"\nstored in {output}")
    return 0


def stored() -> dict:
    """The full measurement that comes with this package, as `main` wrote it.

    Raises:
        FileNotFoundError: the package has none.

    >>> bench.stored()["measured"][0]["title"]
    'Cora, training step'
    """
    path = Path(__file__).parents[1] / "results" / "bench.json"
    if not path.exists():
        raise FileNotFoundError(
            "the package holds no measurement; make one with `gat-course bench`"
        )
    return json.loads(path.read_text())


def describe(about: dict) -> str:
    """The machine in one paragraph.

    >>> print(bench.describe(bench.stored()["machine"]))
    AMD EPYC, 2 cores, 2 threads
    ...
    """
    cores = f"{about['cores']} cores, {about['threads']} threads"
    versions = (
        f"{package} {version}" for package, version in about["versions"].items()
    )
    return "\n".join([f"{about['processor']}, {cores}", about["system"], *versions])


def table(entry: dict) -> pd.DataFrame:
    """One measurement: time, its ratio to the course's, and peak memory of each.

    A `~` behind a ratio: the ranges of both times, from the fastest round to the
    slowest, overlap, so that a difference is not shown.

    >>> bench.table(bench.stored()["measured"][0]).loc["course", "times"]
    '1.0'
    """
    import pandas as pd

    ours, rows = entry["contenders"]["course"], {}
    for name, found in entry["contenders"].items():
        held, seconds = found["bytes"], found["seconds"]
        apart = found["fastest"] > ours["slowest"] or ours["fastest"] > found["slowest"]
        mark = "" if apart or name == "course" else " ~"
        rows[NAMES[name]] = {
            "ms": f"{1e3 * seconds:,.1f}",
            "times": f"{seconds / ours['seconds']:.1f}{mark}",
            "MB": "?" if held is None else f"{held / 1e6:,.0f}",
        }
    title = f"{entry['title']}, median of {entry['rounds']}"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(columns=title)
