"""Time and peak memory of a call, side by side with others (chapters 2, 3, 4 and 9)."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch.profiler import ProfilerActivity, profile


def seconds(
    calls: Mapping[str, Callable[[], object]], repeats: int = 5
) -> dict[str, float]:
    """Median time of each call, all of them measured in turns.

    Each call runs once to warm up. Then every round runs each of them once, so that a
    disturbance of the machine meets all alike. On a GPU a call is timed until the
    device has finished.

    Args:
        calls: what to time, by name; called without arguments.
        repeats: number of rounds, at least 1.

    Returns:
        Seconds, by name.

    Raises:
        ValueError: `repeats` is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            _finish()
            start = time.perf_counter()
            call()
            _finish()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory(call: Callable[[], object], device: str | torch.device = "cpu") -> int:
    """The most memory that a call's tensors hold at one moment, in bytes.

    What lives before the call does not count; what the call returns does. Only tensors
    on `device` count. On a CPU each allocation of PyTorch is recorded by its profiler;
    memory that a library takes without PyTorch is not seen. Run the call once before,
    so that what it caches does not count.

    Args:
        call: what to measure; called once, without arguments.
        device: where its tensors are.

    Returns:
        Bytes.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        result = call()
        torch.cuda.synchronize(device)
        del result
        return torch.cuda.max_memory_allocated(device) - before
    recorder = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with _quiet(), recorder:
        result = call()
        del result
    events = recorder.profiler.kineto_results.events()
    changes = [e for e in events if e.name() == "[memory]"]
    held = largest = 0
    for event in sorted(changes, key=lambda e: e.start_ns()):
        held += event.nbytes()
        largest = max(largest, held)
    return largest


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the profiler writes about itself off the reader's screen."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
