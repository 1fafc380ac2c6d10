"""Data files, looked for on this machine and on the network (chapters 5 and 6)."""

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from gat_course.datasets.download import fetch, import_pooch, read_intact


class DatasetUnavailable(RuntimeError):
    """A data set is neither on this machine nor to be downloaded.

    The message lists each place that was tried with what went wrong there, and what
    to do.
    """


def find_files(
    label: str,
    sums: Mapping[str, str],
    mirrors: Sequence[str],
    root: str | os.PathLike | None,
    fallback: str | None,
    *,
    advice: Sequence[str],
    subfolder: str = "",
    otherwise: str = "",
    stand_in: str = "A SYNTHETIC GRAPH",
) -> dict[str, bytes] | None:
    """Look for the files of a data set in the three places that `load` names.

    Args:
        label: what the data set is called.
        sums: SHA-256 of each file, by its name.
        mirrors: addresses of folders that hold the files, each ending in "/".
        root: folder of the cache; by default the user's cache folder.
        fallback: None, or "synthetic" for a warning instead of `DatasetUnavailable`.
        advice: what to do where the files cannot be had, a line each.
        subfolder: where in `root` and in `GAT_COURSE_DATA` the files lie.
        otherwise: what else to do about a damaged file in `GAT_COURSE_DATA`.
        stand_in: what the warning says is used in place of the data set.

    Returns:
        The content of every file, checked, by its name. None where the caller is to
        use a synthetic graph; the caller's caller has been warned.

    Raises:
        ValueError, FileNotFoundError, DatasetUnavailable: as `load` says.
    """
    if fallback not in (None, "synthetic"):
        raise ValueError(f'fallback must be None or "synthetic", got {fallback!r}')
    files, tried = _search(label, sums, mirrors, root, subfolder, otherwise)
    if len(files) == len(sums):
        return files
    reason = "\n".join(
        [f"{label} cannot be had. Tried:"]
        + [f"  - {place}" for place in tried]
        + ["What to do, one of:"]
        + [f"  - {line}" for line in advice]
    )
    if fallback is None:
        raise DatasetUnavailable(reason)
    warnings.warn(
        f"USING {stand_in} IN PLACE OF {label.upper()}: what is shown says nothing "
        f"about {label}. {reason}",
        stacklevel=3,
    )
    return None


def _search(
    label: str,
    sums: Mapping[str, str],
    mirrors: Sequence[str],
    root: str | os.PathLike | None,
    subfolder: str,
    otherwise: str,
) -> tuple[dict[str, bytes], list[str]]:
    """The files that were found, and the places that lack some, with what is wrong."""
    pooch = import_pooch()
    tried = []
    if given := os.environ.get("GAT_COURSE_DATA"):
        folder = Path(given).expanduser()
        files = _read_given(folder, subfolder, sums, otherwise)
        if files:
            return files, []
        tried.append(f"GAT_COURSE_DATA: no file of {label} in {folder / subfolder}")
    else:
        tried.append("GAT_COURSE_DATA: not set")

    folder = Path(root or pooch.os_cache("gat_course")).expanduser() / subfolder
    files = read_intact(sums, folder)
    if len(files) < len(sums):
        tried.append(f"cache {folder}: {len(files)} of {len(sums)} files")
        tried += fetch(sums, folder, mirrors, label)
        files = read_intact(sums, folder)
    return files, tried


def _read_given(
    given: Path, subfolder: str, sums: Mapping[str, str], otherwise: str
) -> dict[str, bytes]:
    """Read the user's own folder: all files, or none, or an error."""
    if not given.is_dir():
        raise FileNotFoundError(
            f"GAT_COURSE_DATA names {given.absolute()}, which is not a folder. "
            "Set it to the folder that holds planetoid/ or ppi.zip, or unset it."
        )
    folder = given / subfolder
    missing = [name for name in sums if not (folder / name).exists()]
    if len(missing) == len(sums):
        return {}
    if missing:
        raise FileNotFoundError(
            f"{folder} (from GAT_COURSE_DATA) lacks {', '.join(missing)}. "
            "Copy the missing files there, or unset GAT_COURSE_DATA."
        )
    files = {name: (folder / name).read_bytes() for name in sums}
    for name, expected in sums.items():
        found = hashlib.sha256(files[name]).hexdigest()
        if found != expected:
            raise ValueError(
                f"{folder / name} (from GAT_COURSE_DATA) is damaged or is another "
                f"file: its SHA-256 should be {expected} but is {found}. It was not "
                f"opened. Replace the file, or unset GAT_COURSE_DATA.{otherwise}"
            )
    return files
