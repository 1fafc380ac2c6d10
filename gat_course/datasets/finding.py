"""Data files, looked for on this machine and on the network (chapters 5 and 6)."""

import hashlib
import os
import warnings
import zlib
from pathlib import Path

from gat_course.datasets.download import (
    RemoteFiles,
    contents,
    fetch,
    import_pooch,
    read_intact,
)


class DatasetUnavailable(RuntimeError):
    """A data set is neither on this machine nor to be downloaded.

    The message lists each place that was tried with what went wrong there, and what
    to do.

    >>> try:
    ...     graph = load("cora")
    ... except DatasetUnavailable:
    ...     graph = synthetic_citation("cora")
    >>> graph.num_nodes
    2708
    """


def find_files(
    files: RemoteFiles, root: str | os.PathLike | None, fallback: str | None
) -> dict[str, bytes] | None:
    """Look for the files of a data set in the three places that `load` names.

    Returns:
        The content of every file, checked, by its name. None where `fallback` is
        "synthetic" and they cannot be had; the caller's caller has been warned.

    Raises:
        ValueError, FileNotFoundError, DatasetUnavailable: as `load` says.
    """
    if fallback not in (None, "synthetic"):
        raise ValueError(f'fallback must be None or "synthetic", got {fallback!r}')
    tried = ["GAT_COURSE_DATA: not set"]
    if given := os.environ.get("GAT_COURSE_DATA"):
        folder = Path(given).expanduser()
        if found := _read_given(files, folder):
            return found
        folder /= files.subfolder
        tried = [f"GAT_COURSE_DATA: no file of {files.label} in {folder}"]

    cache = Path(root or import_pooch().os_cache("gat_course")).expanduser()
    folder = cache / files.subfolder
    found = read_intact(files, folder)
    if len(found) < len(files.sums):
        tried.append(f"cache {folder}: {len(found)} of {len(files.sums)} files")
        if files.mirrors:
            tried += fetch(files, folder)
            found = read_intact(files, folder)
        else:
            tried.append("the network: no server has them")
    if len(found) == len(files.sums):
        return found

    origin = f", from {files.mirrors[0]}," if files.mirrors else ""
    remedies = [
        f"put {', '.join(files.sums)}{origin} into {Path('FOLDER', files.subfolder)} "
        "and set the environment variable GAT_COURSE_DATA to FOLDER",
        f'{files.call}fallback="synthetic") for {files.stand_in}',
    ]
    if files.mirrors:
        again = "check the network and run this again: complete files are kept"
        elsewhere = f"{files.call}root=FOLDER) with a folder that you can write to"
        remedies = [again, remedies[0], elsewhere, remedies[1]]
    lines = [
        f"{files.label} cannot be had. Tried:",
        *(f"  - {place}" for place in tried),
        "What to do, one of:",
        *(f"  - {remedy};" for remedy in remedies[:-1]),
        f"  - {remedies[-1]}.",
    ]
    reason = "\n".join(lines)
    if fallback is None:
        raise DatasetUnavailable(reason)
    warnings.warn(
        f"USING {files.stand_in.upper()} IN PLACE OF {files.label.upper()}: what is "
        f"shown says nothing about {files.label}. {reason}",
        stacklevel=3,
    )
    return None


def _read_given(files: RemoteFiles, given: Path) -> dict[str, bytes]:
    """Read the user's own folder: all files, or none, or an error."""
    if not given.is_dir():
        raise FileNotFoundError(
            f"GAT_COURSE_DATA names {given.absolute()}, which is not a folder. "
            "Set it to the folder that holds planetoid/, ppi.zip, tu/ and the like, or "
            "unset it."
        )
    folder = given / files.subfolder
    missing = [name for name in files.sums if not (folder / name).exists()]
    if len(missing) == len(files.sums):
        return {}
    if missing:
        raise FileNotFoundError(
            f"{folder} (from GAT_COURSE_DATA) lacks {', '.join(missing)}. "
            "Copy the missing files there, or unset GAT_COURSE_DATA."
        )
    found = read_intact(files, folder)
    for name in files.sums:
        if name not in found:
            known, its = files.sums[name], _sum_of(files, folder / name)
            raise ValueError(
                f"{folder / name} (from GAT_COURSE_DATA) is damaged or is another "
                f"file: its SHA-256 should be {known} but is {its}. It is not used. "
                f"Replace the file, or unset GAT_COURSE_DATA.{files.otherwise}"
            )
    return found


def _sum_of(files: RemoteFiles, path: Path) -> str:
    try:
        return hashlib.sha256(contents(files, path)).hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        return f"not to be had ({error})"
