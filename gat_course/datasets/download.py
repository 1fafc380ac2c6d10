"""Files from the network, kept only if their SHA-256 is the known one."""

import gzip
import hashlib
import time
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType

TIMEOUT = (3, 5)  # seconds: to connect to a server, and without a byte from it
GIVE_UP_AFTER = 12  # seconds without a complete file: no second round starts
ROUNDS = 3  # how often the list of mirrors is gone through
LOCK_TIMEOUT = 300  # seconds to wait while another process downloads


@dataclass(frozen=True)
class RemoteFiles:
    """The files of a data set, and where they are to be had.

    Args:
        label: what the data set is called.
        sums: SHA-256 of each file, by its name.
        mirrors: addresses of folders, each ending in "/" and holding all files. What
            one of them cannot give is asked of the next. None: no server has them.
        call: how the loader is called, up to `root` and `fallback`: 'load("cora", '.
        subfolder: where in the cache and in `GAT_COURSE_DATA` the files lie.
        stand_in: what `fallback="synthetic"` gives in their place.
        otherwise: what else to do about a damaged file in `GAT_COURSE_DATA`.
        gzipped: the files are compressed, and `sums` are of what is in them: the same
            data can be packed in many ways.
    """

    label: str
    sums: Mapping[str, str]
    mirrors: Sequence[str]
    call: str
    subfolder: str = ""
    stand_in: str = "a synthetic graph"
    otherwise: str = ""
    gzipped: bool = False


def read_intact(files: RemoteFiles, folder: Path) -> dict[str, bytes]:
    """Read those files of a folder whose checksum is right; their content, by name."""
    found = {}
    for name, expected in files.sums.items():
        try:
            content = contents(files, folder / name)
        except (OSError, EOFError, zlib.error):  # not there, not readable, not whole
            continue
        if hashlib.sha256(content).hexdigest() == expected:
            found[name] = content
    return found


def contents(files: RemoteFiles, path: Path) -> bytes:
    """What is in a file, unpacked if it is compressed.

    Raises:
        OSError, EOFError, zlib.error: it is not there, or cannot be unpacked.
    """
    return gzip.decompress(path.read_bytes()) if files.gzipped else path.read_bytes()


def import_pooch() -> ModuleType:
    """Pooch, without the warning that its progress bars find no ipywidgets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import pooch

    pooch.get_logger().setLevel("WARNING")  # no line per file: our bar says enough
    return pooch


def fetch(files: RemoteFiles, folder: Path) -> list[str]:
    """Bring the files that a folder lacks, or holds damaged, into it.

    Pooch writes under another name and renames the file once its checksum is right, so
    whatever interrupts a download, no partial file gets a name that is read. Of two
    processes one downloads and the other waits. Returns what went wrong, a line for
    each place; nothing if the files are there now.
    """
    import filelock

    lock = folder / f"{files.label.lower()}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(lock, timeout=LOCK_TIMEOUT):
            return _fetch_missing(files, folder)
    except filelock.Timeout:
        return [f"{folder}: another process has been downloading for {LOCK_TIMEOUT} s"]
    except (OSError, NotImplementedError) as error:
        return [f"cache {folder} cannot be written to: {error}"]


def _retrieve(files: RemoteFiles, url: str, name: str, folder: Path, http) -> None:
    """Bring one file into the folder, or raise `ValueError` if it is another one."""
    known = None if files.gzipped else files.sums[name]
    if known is None:  # pooch would keep a damaged file whose sum it is not told
        (folder / name).unlink(missing_ok=True)
    import_pooch().retrieve(url, known, name, folder, downloader=http)
    if known is None and name not in read_intact(files, folder):
        (folder / name).unlink()
        raise ValueError(f"what is in it does not have the SHA-256 {files.sums[name]}")


def _fetch_missing(files: RemoteFiles, folder: Path) -> list[str]:
    from requests import RequestException
    from tqdm import tqdm

    http = import_pooch().HTTPDownloader(timeout=TIMEOUT)
    missing = sorted(files.sums.keys() - read_intact(files, folder).keys())
    if not missing:  # another process has brought them while this one waited
        return []
    failures = {}
    last_success = time.monotonic()
    with tqdm(
        total=len(missing), desc=f"Downloading {files.label}", unit="file"
    ) as bar:
        for attempt, mirror in product(range(ROUNDS), files.mirrors):
            if attempt and time.monotonic() - last_success > GIVE_UP_AFTER:
                break
            time.sleep(attempt / len(files.mirrors))
            try:
                while missing:
                    name = missing[0]
                    _retrieve(files, mirror + name, name, folder, http)
                    del missing[0]
                    bar.update()
                    last_success = time.monotonic()
                return []
            except (RequestException, ValueError) as error:  # ValueError: checksum
                failures[mirror] = f"{mirror}: {name}: {error}"
    return list(failures.values())
