"""Time and peak memory of a call, side by side with others (chapters 2, 3, 4 and 9)."""

import ctypes
import gc
import json
import math
import os
import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.profiler import ProfilerActivity, profile


def seconds(
    calls: Mapping[str, Callable[[], object]], repeats: int = 5
) -> dict[str, float]:
    """Median time of each call, all of them measured in turns.

    In every round each call runs twice, the second time timed: so each finds the caches
    as it leaves them itself, and a disturbance of the machine meets all alike. On a GPU
    a call is timed until the device has finished.

    Args:
        calls: what to time, by name; called without arguments.
        repeats: number of rounds, at least 1.

    Returns:
        Seconds, by name.

    Raises:
        ValueError: `repeats` is below 1.

    >>> x = torch.ones(10)
    >>> list(measure.seconds({"sum": x.sum, "mean": x.mean}, repeats=3))
    ['sum', 'mean']
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            call()
            _finish()
            start = time.perf_counter()
            call()
            _finish()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory(
    call: Callable[[], object], device: str | torch.device = "cpu"
) -> float:
    """The most memory that a call's tensors hold at one moment, in bytes.

    What lives before the call does not count, what the call returns does. Run the call
    once before, so that what it caches does not count either.

    On a CPU each allocation of PyTorch in this thread is recorded by its profiler.
    Memory that a library takes without PyTorch is not seen, and recording costs memory
    itself: keep a call below some 100,000 operations. The record's form may change with
    any release of PyTorch; where it no longer counts a known case rightly, memory is
    not measured. On a GPU it is PyTorch's own count, from which older tensors that the
    call frees are missing.

    Args:
        call: what to measure; called once, without arguments.
        device: where its tensors are, a CPU or a CUDA device.

    Returns:
        Bytes, a whole number; NaN, with a warning, where memory is not measured.

    Raises:
        ValueError: another kind of device.
        RuntimeError: a profiler is running already, such as that of another
            `peak_memory` around this one.

    >>> measure.peak_memory(lambda: torch.ones(1000))
    4000
    """
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if kind != "cpu":
        raise ValueError(f"memory is measured on a cpu or cuda device, not on {device}")
    if _profiler_is_running():
        raise RuntimeError("a profiler is running; measure memory outside of it")
    if not _allocations_are_seen():
        call()
        warnings.warn(
            f"memory is not measured, and nan stands for it: PyTorch "
            f"{torch.__version__} does not tell, in the way it is asked here, how much "
            "the tensors on a CPU take",
            stacklevel=2,
        )
        return math.nan
    return _recorded_peak(call)


def _profiler_is_running() -> bool:
    # No public name tells, and a second profiler would quietly spoil the first.
    return getattr(torch._C._autograd, "_profiler_enabled", lambda: False)()


@cache
def _allocations_are_seen() -> bool:
    """Whether the profiler's trace, as it is read here, counts a known case.

    PyTorch writes a warning when a tensor from before is freed, the first time; here
    nobody sees it.
    """
    older = [torch.ones(1000, device="cpu")]

    def known() -> torch.Tensor:
        older.clear()
        return torch.ones(1000, device="cpu").double()

    try:
        with quiet():
            return _recorded_peak(known) == 12_000
    except Exception:  # whatever another release answers with
        return False


def _recorded_peak(call: Callable[[], object]) -> int:
    recorder = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with quiet():
        recorder.start()
    try:
        call()
    finally:
        with quiet():
            recorder.stop()
    with TemporaryDirectory() as folder, quiet():
        trace = Path(folder, "trace.json")
        recorder.export_chrome_trace(str(trace))
        return _peak(json.loads(trace.read_text(encoding="utf-8"))["traceEvents"])


def _peak(events: list[dict]) -> int:
    """Highest sum of the allocations in a profiler's trace, older ones ignored."""
    changes = [
        (event["ts"], event["args"]["Addr"], event["args"]["Bytes"])
        for event in events
        if event.get("name") == "[memory]" and event["args"]["Device Type"] == 0  # CPU
    ]
    held = largest = 0
    ours = set()
    for _, address, size in sorted(changes, key=itemgetter(0)):
        if size > 0:
            ours.add(address)
        elif address in ours:
            ours.discard(address)
        else:
            continue  # a tensor from before the call
        held += size
        largest = max(largest, held)
    return largest


def start_peak() -> int:
    """Bytes that this process holds now, whoever took them; `peak` counts from here.

    Raises:
        OSError: the system does not tell, as all but Linux.
    """
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # hand back what is free
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again
    except (OSError, AttributeError) as error:
        raise OSError(
            f"this system does not tell a process's memory: {error}"
        ) from error
    return _held("VmRSS")


def peak() -> int:
    """The most bytes that this process has held since `start_peak`."""
    return _held("VmHWM")


def _held(key: str) -> int:
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(rf"{key}:\s*(\d+) kB", status)[1])
    except (OSError, TypeError) as error:
        raise OSError(f"this system does not tell {key} of a process") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the profiler writes about itself off the reader's screen.

    >>> import os
    >>> with measure.quiet():
    ...     _ = os.write(2, b"not shown")
    """
    if sys.stderr is not None:
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
