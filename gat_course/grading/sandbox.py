"""A submission in a sandbox: what it defines can be called, and can do nothing else.

Around it is bubblewrap: no network, a system that cannot be written, a scratch folder
in memory, no other process to be seen, and of the course's files only the package,
without the checks. What it says back is read as data (`wire`), by someone who runs no
code of it. Where a process dies or hangs it is started anew, and what did it is left
out.
"""

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from gat_course.grading import wire

PACKAGE = Path(__file__).parents[1]
NOBODY = 61_000  # the first of some users without rights, where root grades
PAUSE = 0.2  # seconds between two looks at what a submission takes


class Limits(NamedTuple):
    """What a submission may take.

    Args:
        call: seconds for one call of one of its functions.
        cell: seconds for one cell.
        whole: seconds for everything.
        memory: bytes, of each process and of all together.
        processes: at a time.
        file_size: bytes of each file, and of the scratch folder.
        restarts: how often it is started anew.
    """

    call: float = 10.0
    cell: float = 60.0
    whole: float = 300.0
    memory: int = 4 * 2**30
    processes: int = 64
    file_size: int = 2**26
    restarts: int = 4


class Gone(Exception):
    """A call that has no answer; the message says why."""


def _like(said: str) -> Exception:
    """An error as the submission's was: its name and its message, nothing of it."""
    name, _, text = said.partition(": ")
    if name == "NotImplementedError":
        return NotImplementedError(text)
    return type(name if name.isidentifier() else "Error", (Gone,), {})(text)


class _Died(Exception):
    """The process ended, or had to; the message says why."""


Cage = Callable[[dict, int], list[str]]  # settings, place in line → the command


def bubblewrap(settings: dict, place: int) -> list[str]:
    """The command of a submission within bubblewrap.

    Args:
        settings: for `inside`; the user is chosen here.
        place: a number of its own for each that runs at the same time.
    """
    root = os.geteuid() == 0
    settings = settings | {"user": NOBODY + place if root else None}
    kept = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"]
    kept += [sys.base_prefix, sys.prefix, str(PACKAGE)]
    command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    command += ["--unshare-cgroup-try", *([] if root else ["--unshare-user"])]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for path in dict.fromkeys(kept):
        for parent in reversed(Path(path).parents[:-1]):  # bwrap's own are closed
            command += ["--perms", "0755", "--dir", str(parent)]
        command += ["--ro-bind-try", path, path]
    command += ["--perms", "0755", "--tmpfs", str(PACKAGE / "checks")]
    for folder in ("/tmp", "/scratch"):
        command += ["--perms", "1777", "--size", str(settings["file_size"])]
        command += ["--tmpfs", folder]
    command += ["--remount-ro", "/", "--chdir", "/scratch"]
    for name, value in _environment("/tmp").items():
        command += ["--setenv", name, value]
    return [*command, *_python(settings)]


def trusting(settings: dict, place: int) -> list[str]:
    """The command without a sandbox: the submission may do what you may do."""
    return _python(settings | {"user": None, "processes": 0})


def _python(settings: dict) -> list[str]:
    return [sys.executable, "-m", "gat_course.grading.inside", json.dumps(settings)]


def _environment(home: str) -> dict[str, str]:
    """What a submission finds in its environment: nothing of the grader's."""
    return {
        "HOME": home,
        "IPYTHONDIR": f"{home}/.ipython",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": home,
        "OMP_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PACKAGE.parent),
        "TQDM_DISABLE": "1",
    }


@cache
def without_bubblewrap() -> str:
    """Why bubblewrap cannot be used here; nothing if it can."""
    if sys.platform != "linux":
        return "bubblewrap runs on Linux alone"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian and Ubuntu: apt install bubblewrap)"
    settings = {"file_size": 2**20}
    command = bubblewrap(settings, 0)
    command = command[: command.index(sys.executable)] + ["/bin/true"]
    done = subprocess.run(command, capture_output=True, text=True)
    return f"bubblewrap fails: {done.stderr.strip()}" if done.returncode else ""


class Student:
    """A submission: its functions by name, each called in the sandbox.

    Args:
        cells: its code cells, each with its number.
        limits: what it may take.
        cage: the sandbox.
        place: a number of its own for each that runs at the same time.

    As a dictionary of names it is what Otter's tests ask: `get(name)`.
    """

    def __init__(
        self,
        cells: Sequence[tuple[int, str]],
        limits: Limits,
        cage: Cage = bubblewrap,
        place: int = 0,
    ) -> None:
        self.cells, self.limits, self.cage, self.place = cells, limits, cage, place
        self.notes: list[str] = []  # what the student and the grader should know
        self._left_out: set[int] = set()  # cells that end the process
        self._broken: dict[str, str] = {}  # functions that do
        self._process: subprocess.Popen | None = None
        self._received = b""
        self._starts, self._ends_at = 0, time.monotonic() + limits.whole

    def get(self, name: str, default: Any = None) -> Any:
        """What stands under a name; a function is called in the sandbox."""
        try:
            found = self._ask({"name": name})
        except Gone:
            return default
        return Function(self, name) if isinstance(found, Function) else found

    def _ask(self, request: dict, args: tuple[Any, ...] | None = None) -> Any:
        name = request["name"]
        if name in self._broken:
            raise Gone(self._broken[name])
        if args is not None:
            request = request | {"args": wire.pack(args)}
        self.start()
        request = request | {"id": secrets.token_hex(8)}
        try:
            self._send(request)
            until = time.monotonic() + self.limits.call
            while (reply := self._receive(until)).get("to") != request["id"]:
                self._forges()
        except _Died as why:
            self._end()
            self._broken[name] = f"{why}, in a call of {name}"
            self.notes.append(f"{self._broken[name]}.")
            raise Gone(self._broken[name]) from None
        if "missing" in reply:
            raise Gone(f"{name} is not defined")
        if "error" in reply:
            raise _like(str(reply["error"])[:400])
        if args is not None and "given" in reply:
            _written_into(args, wire.unpack(reply["given"]))
        return wire.unpack(reply.get("value"), lambda inner: Function(self, inner))

    def start(self) -> None:
        """Start the process and run the cells, unless that was done.

        Raises:
            RuntimeError: the sandbox does not start: no fault of the submission.
            Gone: it ended, or had to be ended, too often.
        """
        while self._process is None:
            if self._starts > self.limits.restarts:
                raise Gone("it ended, or had to be ended, too often")
            self._starts += 1
            cell = None
            try:
                self._spawn()
                cells = [c for c in self.cells if c[0] not in self._left_out]
                self._send({"cells": [[n, source] for n, source in cells]})
                patience = self.limits.cell + 30
                until = time.monotonic() + patience
                while "ready" not in (said := self._receive(until)):
                    until = time.monotonic() + patience
                    if type(said.get("cell")) is int:
                        cell = said["cell"]
                    elif cell is None:  # nothing of the submission has run yet
                        raise _Died(said.get("fails", "it names no cell"))
            except _Died as why:
                self._end()
                if cell is None and self._starts == 1:  # later it may be out of time
                    raise RuntimeError(f"the sandbox does not start: {why}") from None
                if cell is None or time.monotonic() > self._ends_at:
                    raise Gone(f"{why}, before all cells had run") from None
                self._left_out.add(cell)
                self.notes.append(f"Cell {cell} is left out: {why}.")
                continue
            if not any(note.startswith("In cell") for note in self.notes):
                self.notes += _errors(said.get("errors"), self.cells)

    def _spawn(self) -> None:
        limits = self.limits
        settings = {
            "cell": limits.cell,
            "memory": limits.memory,
            "processes": limits.processes,
            "file_size": limits.file_size,
        }
        self._received = b""
        self._process = subprocess.Popen(
            self.cage(settings, self.place),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment("/tmp"),  # it can be read inside: nothing of the grader's
            start_new_session=True,
        )
        os.set_blocking(self._process.stdin.fileno(), False)

    def _send(self, message: dict) -> None:
        data, until = wire.line(message), time.monotonic() + self.limits.call
        place = self._process.stdin.fileno()
        while data:
            try:
                data = data[os.write(place, data) :]
            except BlockingIOError:
                if time.monotonic() > until:
                    raise _Died("it does not listen") from None
                select.select([], [place], [], PAUSE)
            except OSError:
                raise _Died(self._how()) from None

    def _forges(self) -> None:
        note = "It writes messages to the grader that nobody asked for: passed over."
        if note not in self.notes:
            self.notes.append(note)

    def _receive(self, until: float) -> dict:
        """The next message until a time; what is none is passed over."""
        until, begun = min(until, self._ends_at), time.monotonic()
        place, looked = self._process.stdout.fileno(), begun
        while True:
            if time.monotonic() > looked + PAUSE:  # also while it talks
                self._look()
                looked = time.monotonic()
            if time.monotonic() > until:
                late = time.monotonic() > self._ends_at
                limit = self.limits.whole if late else until - begun
                raise _Died(f"it was stopped after {limit:.0f} seconds")
            line, found, rest = self._received.partition(b"\n")
            if found:
                self._received = rest
                with contextlib.suppress(wire.Unreadable):
                    return wire.read_line(line)
                continue
            if len(self._received) > wire.SIZE:
                raise _Died(f"it hands over more than {wire.SIZE // 2**20} MB")
            if not select.select([place], [], [], PAUSE)[0]:
                continue
            piece = os.read(place, 2**20)
            if not piece:
                raise _Died(self._how())
            self._received += piece

    def _look(self) -> None:
        """End it if all its processes together take too much."""
        limits = self.limits
        family = started(self._process.pid)
        if len(family) > limits.processes - 8:  # the kernel lets it have no more
            raise _Died(f"it starts more than {limits.processes - 8} processes")
        if sum(map(memory, family)) > limits.memory:
            raise _Died(f"it takes more than {limits.memory / 2**30:.0f} GB")

    def _how(self) -> str:
        """How it ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(5)
            number = -code if code < 0 else code - 128
            if 0 < number < 65 and number != signal.SIGKILL:
                with contextlib.suppress(ValueError):
                    return f"Python crashed ({signal.Signals(number).name})"
            if number == signal.SIGKILL:
                return "it was killed, perhaps for its memory"
        return "it ends Python"

    def _end(self) -> None:
        """End the process and all that it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        for stop in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                stop(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        process.wait()

    def close(self) -> None:
        """End it; what it left running ends with it."""
        self._end()


def _errors(said: Any, cells: Sequence[tuple[int, str]]) -> list[str]:
    """Notes of the errors in cells: it may have said anything."""
    known, found = {number for number, _ in cells}, []
    for entry in said[:20] if isinstance(said, list) else []:
        if isinstance(entry, list) and len(entry) == 2 and type(entry[0]) is int:
            if entry[0] in known:
                found.append(f"In cell {entry[0]}: {str(entry[1])[:300]}.")
    return found


class Function:
    """A function of the submission; calling it calls it in the sandbox."""

    def __init__(self, student: Student, name: str) -> None:
        self.student, self.__name__ = student, name

    def __call__(self, *args: Any) -> Any:
        return self.student._ask({"name": self.__name__}, args)


def _written_into(before: tuple, after: Any) -> None:
    """What the submission did to its arguments is done to ours, so that it is seen."""
    if not isinstance(after, tuple) or len(after) != len(before):
        return
    for old, new in zip(before, after, strict=True):
        if isinstance(old, Tensor) and isinstance(new, Tensor):
            if old.shape == new.shape and old.dtype == new.dtype:
                old.copy_(new)
        elif isinstance(old, list) and isinstance(new, list) and repr(old) != repr(new):
            old[:] = new


def started(pid: int) -> set[int]:
    """A process, what it has started, and what that has started in its turn."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                text = Path(entry.path, "stat").read_text(errors="replace")
                parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    family, new = {pid}, {pid}
    while new:
        new = {p for p, parent in parents.items() if parent in new} - family
        family |= new
    return family


def memory(pid: int) -> int:
    """Bytes of a process, with its share of what it has in common with others."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0
