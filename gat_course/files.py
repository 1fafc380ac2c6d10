"""Files that are whole or not there: results and checkpoints (chapters 5 and 6)."""

import glob
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """Hand out the name of a new file, which takes the place of `path` at the end.

    A process that is killed in between leaves the old file as it was; so does an error.
    Folders that are missing are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = f"{os.getpid()}-{threading.get_ident()}"
    unfinished = path.with_name(f"{path.name}.{own}.tmp")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def sweep(path: str | os.PathLike) -> None:
    """Remove what killed processes left unfinished beside `path`; `path` stays.

    Call it where no other process is writing `path`.
    """
    path = Path(path)
    for unfinished in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        unfinished.unlink(missing_ok=True)


@contextmanager
def alone(path: str | os.PathLike) -> Iterator[None]:
    """Keep other processes of this machine from writing `path` meanwhile.

    The lock ends with the process, however that ends.

    Raises:
        ValueError: another process is writing `path`.
    """
    from filelock import FileLock, Timeout

    place = hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()[:32]
    lock = FileLock(Path(tempfile.gettempdir(), f"gat_course-{place}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"another process is writing {path}; wait for it, or choose another path"
        ) from None
    try:
        yield
    finally:
        lock.release()


def write_json(path: str | os.PathLike, content: dict) -> None:
    """Write a file of JSON whole or not at all.

    Raises:
        ValueError: `content` holds NaN or infinity, which JSON has not.
    """
    with whole(path) as unfinished:
        unfinished.write_text(
            json.dumps(content, indent=1, allow_nan=False), encoding="utf-8"
        )
