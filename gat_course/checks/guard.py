"""Running a learner's code so that it can neither hang nor change the session.

On Linux without a GPU the check runs in a process of its own, a fork of the kernel:
whatever the code does (a loop without end, `exit()`, a crash, a gigabyte of memory, a
changed seed) ends with that process. Elsewhere it runs in the session itself, with a
time limit that works as long as the code returns to Python, and what it may have
changed is put back.
"""

import builtins
import contextlib
import copy
import ctypes
import io
import json
import os
import random
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

Report = Callable[[str], None]  # told the call that begins
Work = Callable[[Report], str]  # a check: returns its verdict

MEMORY = 4 * 2**30  # bytes that an answer may take beyond what the session has
WHOLE = 6  # a check may take so many times as long as one call


class TimeUp(BaseException):
    """A call takes too long; no answer's `except Exception` may catch it."""


class Ended(BaseException):
    """The answer wants to end Python."""


def run(work: Work, seconds: float) -> str:
    """The verdict of a check, or what stopped it.

    Args:
        work: the check; it tells each call that begins.
        seconds: the longest that one call may take.
    """
    alone = sys.platform == "linux" and not torch.cuda.is_available()
    if alone and (verdict := _in_a_process(work, seconds)):
        return verdict
    return _in_the_session(work, seconds)


def too_long(call: str, seconds: float) -> str:
    indented = call.replace("\n", "\n    ")
    return (
        f"not right yet. It was stopped after {seconds:g} seconds, in the call\n"
        f"    {indented}\n  Is there a loop that does not end?"
    )


# ----------------------------------------------------------- in a process of its own


def _in_a_process(work: Work, seconds: float) -> str:
    """The verdict; nothing where the process could not even begin.

    That happens if another thread of the session held one of PyTorch's locks.
    """
    reading, writing = os.pipe()
    with contextlib.suppress(Exception):  # a stream may be closed, or be none
        sys.stdout.flush(), sys.stderr.flush()
    with warnings.catch_warnings():
        # Python warns of forks beside threads; the child uses none of theirs.
        warnings.simplefilter("ignore")
        process = os.fork()
    if process == 0:
        _child(work, writing)
    os.close(writing)
    call, status = "", 0
    try:
        for word, text in _messages(reading, seconds):
            if word == "verdict":
                return text
            call = text
    except TimeUp:
        return too_long(call, seconds) if call else ""
    finally:
        os.close(reading)
        with contextlib.suppress(OSError):
            os.killpg(process, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # nobody waits for children
            status = os.waitpid(process, 0)[1]
    return _died(call, status)


def _died(call: str, status: int) -> str:
    how = "it ends Python"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        how = f"Python crashed ({signal.Signals(number).name})"
    indented = call.replace("\n", "\n    ")
    return f"not right yet. In this call {how}:\n    {indented}"


def _messages(reading: int, seconds: float) -> Iterator[tuple[str, str]]:
    """What the child says, until it falls silent for so long, or ends."""
    received, start = b"", time.monotonic()
    waiting = select.poll()
    waiting.register(reading, select.POLLIN)
    while True:
        left = min(seconds, start + WHOLE * seconds - time.monotonic())
        if left <= 0 or not waiting.poll(1000 * left):
            raise TimeUp
        if not (piece := os.read(reading, 2**16)):
            return
        received += piece
        *lines, received = received.split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError):  # an answer may write there, too
                word, text = json.loads(line)
                yield word, text


def _child(work: Work, writing: int) -> None:
    """Check, say the verdict, and end without touching what the kernel holds."""
    try:
        os.setsid()
        writing = _alone(writing)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        torch.set_num_threads(1)  # the kernel's threads are not here
        _limit_memory()

        def say(word: str, text: str) -> None:
            data = json.dumps([word, text]).encode() + b"\n"
            while data:
                data = data[os.write(writing, data) :]

        with settings():
            say("call", "the answer itself")
            say("verdict", work(lambda call: say("call", call)))
    except BaseException as error:
        with contextlib.suppress(BaseException):
            say("verdict", f"not checked: {type(error).__name__}: {error}")
    finally:
        os._exit(0)


def _alone(kept: int) -> int:
    """Close what the session has open, but for this one: its number afterwards."""
    import fcntl
    import resource

    kept = fcntl.fcntl(kept, fcntl.F_DUPFD, 3)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    with contextlib.suppress(OSError):
        most = max(map(int, os.listdir("/proc/self/fd"))) + 1
    os.closerange(0, kept)
    os.closerange(kept + 1, most)
    for _ in range(3):  # 0, 1 and 2, the lowest that are free
        os.open(os.devnull, os.O_RDWR)
    return kept


def _limit_memory() -> None:
    import resource

    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = now + MEMORY
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


# ----------------------------------------------------------- in the session itself


def _in_the_session(work: Work, seconds: float) -> str:
    calls, done = ["the answer itself"], threading.Event()
    begun = [time.monotonic()]

    def report(call: str) -> None:
        calls[:], begun[:] = [call], [time.monotonic()]

    with _kept(), settings(), _no_way_out():
        watch = threading.Thread(
            target=_watch,
            args=(threading.get_ident(), begun, seconds, done),
            daemon=True,
        )
        watch.start()
        try:
            return work(report)
        except TimeUp:
            return too_long(calls[0], seconds)
        except Ended:
            return f"not right yet. In this call it ends Python:\n    {calls[0]}"
        finally:
            done.set()
            watch.join()


def _watch(
    thread: int, begun: list[float], seconds: float, done: threading.Event
) -> None:
    """Interrupt a call that takes too long; say so if that does not help."""
    start, told = time.monotonic(), False
    while not done.wait(min(0.1, seconds / 4)):
        now = time.monotonic()
        late = now - begun[0] > seconds or now - start > WHOLE * seconds
        if late:
            _interrupt(thread, ctypes.py_object(TimeUp))
        if now - begun[0] > 2 * seconds and not told:
            told = True
            sys.__stdout__.write(
                "This call does not return to Python, so the check cannot stop it: "
                "interrupt or restart the kernel.\n"
            )


def _interrupt(thread: int, error: Any) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """`exit()`, in all its forms, raises instead of ending the kernel."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise Ended

    places = [(os, "_exit"), (os, "abort"), (builtins, "exit"), (builtins, "quit")]
    shell = getattr(builtins, "get_ipython", lambda: None)()
    if shell is not None:
        places.append((shell, "ask_exit"))
    before = [(of, name, getattr(of, name)) for of, name in places if hasattr(of, name)]
    for of, name, _ in before:
        setattr(of, name, refuse)
    try:
        yield
    finally:
        for of, name, value in before:
            setattr(of, name, value)


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Put back what an answer may have changed in the session."""
    folder, environment = os.getcwd(), dict(os.environ)
    numpy_state, python_state = np.random.get_state(), random.getstate()
    dtype, path = torch.get_default_dtype(), list(sys.path)
    gradients, threads = torch.is_grad_enabled(), torch.get_num_threads()
    errors, device = np.geterr(), torch.empty(0).device
    depth, shown = sys.getrecursionlimit(), copy.copy(torch._tensor_str.PRINT_OPTS)
    precision = torch.get_float32_matmul_precision()
    exact = torch.are_deterministic_algorithms_enabled()
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            yield
    finally:
        os.chdir(folder)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        torch.set_default_dtype(dtype)
        if torch.empty(0).device != device:
            torch.set_default_device(device)
        torch.set_grad_enabled(gradients)
        torch.use_deterministic_algorithms(exact)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        np.seterr(**errors)
        sys.setrecursionlimit(depth)
        torch._tensor_str.PRINT_OPTS = shown
        torch.set_float32_matmul_precision(precision)
        sys.path[:] = path


# ----------------------------------------------------------- for both


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """What every answer finds: a seed, float32, the CPU, gradients, whatever is set."""
    dtype = torch.get_default_dtype()
    cpu: Any = contextlib.nullcontext()
    if torch.empty(0).device.type != "cpu":
        cpu = torch.device("cpu")
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.random.fork_rng(devices=[]),
        cpu,
        _nobody_to_ask(),
    ):
        try:
            torch.set_default_dtype(torch.float32)
            torch.manual_seed(0)
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextlib.contextmanager
def _nobody_to_ask() -> Iterator[None]:
    """`input` and `breakpoint` raise: a check has nobody to ask."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a check calls your code and cannot answer input()")

    before = builtins.input, sys.breakpointhook
    builtins.input, sys.breakpointhook = refuse, refuse
    try:
        yield
    finally:
        builtins.input, sys.breakpointhook = before


class Printed(io.StringIO):
    """What an answer prints; the rest of very much is dropped."""

    def write(self, text: str) -> int:
        return super().write(text) if self.tell() < 10_000 else len(text)


@contextlib.contextmanager
def captured() -> Iterator[Printed]:
    """Catch what is printed meanwhile."""
    printed = Printed()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed
