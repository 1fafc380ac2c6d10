"""Time and memory of steps that take turns, each in a process of its own."""

import ctypes
import gc
import multiprocessing
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from gat_course.experiments.contenders import NAMES


def _serve(line, build: Callable[[], Callable], threads: int) -> None:
    """Build a step and run it as often as asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    torch.set_num_threads(threads)
    step = build()
    step()  # builds what is cached
    line.send("ready")
    with suppress(EOFError):  # until the parent closes the line
        while order := line.recv():
            if order == "time":
                step()
                start = time.perf_counter()
                step()
                line.send(time.perf_counter() - start)
            else:
                line.send(_peak_of_process(step))


def _peak_of_process(step: Callable[[], object]) -> int | None:
    """Bytes that the process grows by while `step` runs; None where none can tell."""

    def read(key: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(key))
        return 1024 * int(line.split()[1])

    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # hand back what is free
        # The peak starts again at what is held now.
        Path("/proc/self/clear_refs").write_text("5")
        before, _ = read("VmRSS"), read("VmHWM")
    except (
        OSError,
        AttributeError,
        TypeError,
        ValueError,
    ):  # not, or not all, of Linux
        return None
    step()
    return read("VmHWM") - before


def measure_in_turns(
    builders: dict[str, Callable], repeats: int, threads: int
) -> dict[str, dict]:
    """Median time and peak memory of each contender's step.

    Args:
        builders: by contender, a function that returns the step; picklable.
        repeats: number of rounds; in each, every contender steps twice and the second
            step is timed.
        threads: of each process.

    Returns:
        By contender: "seconds" (median), "fastest" and "slowest", "bytes" (None where
        the system does not tell).

    Raises:
        RuntimeError: a contender's process ended, or gave no answer for ten minutes.
    """
    context = multiprocessing.get_context("spawn")
    processes, lines = [], {}
    try:
        for name, build in builders.items():
            lines[name], theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, build, threads), daemon=True
            )
            process.start()
            theirs.close()
            processes.append(process)
            _answer(name, lines[name], "before its first step")
        times = {name: [] for name in builders}
        for _ in range(repeats):
            for name, line in lines.items():
                times[name].append(_ask(name, line, "time"))
        return {
            name: {
                "seconds": statistics.median(times[name]),
                "fastest": min(times[name]),
                "slowest": max(times[name]),
                "bytes": _ask(name, line, "memory"),
            }
            for name, line in lines.items()
        }
    finally:
        for line in lines.values():
            line.close()
        for process in processes:
            process.kill()
            process.join()


def _ask(name: str, line, order: str):
    with suppress(OSError):  # an end that has closed speaks in the answer
        line.send(order)
    return _answer(name, line, "in mid-step, perhaps for want of memory")


def _answer(name: str, line, when: str):
    try:
        if line.poll(600):
            return line.recv()
    except (EOFError, OSError):
        raise RuntimeError(f"{NAMES[name]} ended {when}") from None
    raise RuntimeError(f"{NAMES[name]} gave no answer for ten minutes")
