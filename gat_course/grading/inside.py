"""What runs a submission, alone with it in the sandbox: `python -m … SETTINGS`.

It runs the cells, and then calls the submission's functions with what it is asked to.
It knows neither tests nor answers, so nothing here needs to be safe from the submission
with which it shares a process: that can spoil its own answers, and no more.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import types
from collections.abc import Callable
from typing import Any

Say = Callable[..., None]
NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS


class TimeUp(BaseException):
    """A cell takes too long; no cell's `except Exception` may catch it."""


def main() -> None:
    """Run the cells of the first message, then answer until the pipe ends."""
    settings = json.loads(sys.argv[1])
    asked, answered = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    try:
        _limit(settings)
        import torch

        from gat_course.grading import wire

        torch.set_num_threads(1)
        _hide_the_checks()
    except Exception as error:
        os.write(answered, json.dumps({"fails": said(error)}).encode() + b"\n")
        return
    requests = os.fdopen(asked, "rb")

    def say(**message: Any) -> None:
        data = wire.line(message)
        while data:
            data = data[os.write(answered, data) :]

    cells = wire.read_line(requests.readline())["cells"]
    space, errors = _run(cells, settings["cell"], say)
    say(ready=True, errors=errors)
    kept: list[Any] = []
    while line := requests.readline():
        request = wire.read_line(line)
        say(to=request["id"], **_answer(request, space, kept))


def _answer(asked: dict, space: dict, kept: list) -> dict[str, Any]:
    """What is to be said: a value, that there is none, or an error."""
    from gat_course.grading import wire

    def keep(function: Any) -> str:
        kept.append(function)
        return f"#{len(kept) - 1}"

    name = asked["name"]
    if name not in space and not name.startswith("#"):
        return {"missing": True}
    try:
        found = kept[int(name[1:])] if name.startswith("#") else space[name]
        if "args" not in asked:
            return {"value": wire.pack(found, keep)}
        args = wire.unpack(asked["args"])
        found = found(*args)
        return {"value": wire.pack(found, keep), "given": wire.pack(args)}
    except BaseException as error:
        return {"error": said(error)}


def said(error: BaseException) -> str:
    """An error in a line."""
    try:
        text = str(error).strip().split("\n")[0][:300]
    except Exception:  # an error of the submission's own may be anything
        text = ""
    name = type(error).__name__[:80]
    return f"{name}: {text}" if text else name


def _run(cells: list[list], seconds: float, say: Say) -> tuple[dict, list[list]]:
    """Run the cells as a notebook does, and go on after an error."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.ask_exit = lambda: None
    signal.signal(signal.SIGALRM, _late)
    errors = []
    for number, source in cells:
        say(cell=number)
        sys.stdout = sys.stderr = _Nowhere()
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            result = shell.run_cell(source, silent=True)
            error = result.error_before_exec or result.error_in_exec
        except BaseException as raised:
            error = raised
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if isinstance(error, TimeUp):
            errors.append([number, f"stopped after {seconds:g} seconds"])
        elif error is not None:
            errors.append([number, said(error)])
    return shell.user_ns, errors


def _late(*args: Any) -> None:
    raise TimeUp


class _Nowhere:
    """Where prints go."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def _hide_the_checks() -> None:
    """The course's checks know the answers: here they say nothing."""
    import gat_course

    silent = types.ModuleType("gat_course.checks")
    silent.exercise = lambda number, *answer, **options: False
    sys.modules["gat_course.checks"] = silent
    gat_course.checks = silent


def _limit(settings: dict) -> None:
    """Limits of a process, and the rights of nobody."""
    limits = {
        "RLIMIT_AS": settings["memory"],
        "RLIMIT_FSIZE": settings["file_size"],
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 256,
    }
    for name, most in limits.items():
        _set(name, most)
    user = settings["user"]
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    if settings["processes"]:  # last: there may be more of root's
        _set("RLIMIT_NPROC", settings["processes"])
    ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _set(name: str, most: int) -> None:
    kind = getattr(resource, name)
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
