"""Time and memory of steps that take turns, each in a process of its own."""

import multiprocessing
import signal
import statistics
from collections.abc import Callable
from contextlib import ExitStack, suppress

import torch

from gat_course import measure
from gat_course.experiments.contenders import NAMES


def measure_in_turns(
    builders: dict[str, Callable], repeats: int, threads: int
) -> dict[str, dict]:
    """Median time and peak memory of each contender's step.

    Every contender lives in a process of its own, so that no library's threads or
    memory meet another's. Peak memory is that of the process, above what it held before
    the step, whoever took it.

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
    lines = {}
    with ExitStack() as ending:
        for name, build in builders.items():
            ours, theirs = context.Pipe()
            lines[name] = ending.enter_context(ours)
            process = context.Process(
                target=_serve, args=(theirs, build, threads), daemon=True
            )
            process.start()
            ending.callback(process.join)
            ending.callback(process.kill)
            theirs.close()
            _ask(name, ours, "start")
        times = {name: [] for name in lines}
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


def _ask(name: str, line, order: str):
    """Send one of the orders that `_serve` knows and wait for its answer."""
    try:
        line.send(order)
        if line.poll(600):
            return line.recv()
    except (EOFError, OSError):
        when = "in mid-step, perhaps for want of memory"
        when = "before its first step" if order == "start" else when
        raise RuntimeError(f"{NAMES[name]} ended {when}") from None
    raise RuntimeError(f"{NAMES[name]} gave no answer for ten minutes")


def _serve(line, build: Callable[[], Callable], threads: int) -> None:
    """Build a step and run it as often as asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    torch.set_num_threads(threads)
    step = build()
    step()  # builds what is cached
    answers = {
        "start": lambda: None,
        "time": lambda: measure.seconds({"step": step}, 1)["step"],
        "memory": lambda: _peak_of_process(step),
    }
    with suppress(EOFError):  # until the parent closes the line
        while True:
            line.send(answers[line.recv()]())


def _peak_of_process(step: Callable[[], object]) -> int | None:
    """Bytes that the process grows by while `step` runs; None where none can tell."""
    try:
        before = measure.start_peak()
        measure.peak()  # whether it will tell
    except OSError:
        return None
    step()
    return measure.peak() - before
