"""Files from the network, kept only if their SHA-256 is the known one."""

import hashlib
import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

TIMEOUT = (3, 5)  # seconds: to connect to a server, and without a byte from it
GIVE_UP_AFTER = 12  # seconds without a complete file: no second round starts
ROUNDS = 3  # how often the list of mirrors is gone through
LOCK_TIMEOUT = 300  # seconds to wait while another process downloads


def read_intact(sums: Mapping[str, str], folder: Path) -> dict[str, bytes]:
    """Read those files of a folder whose checksum is right.

    Args:
        sums: SHA-256 of each file, by its name.
        folder: where they may lie.

    Returns:
        Their content, by name. A file that is missing, unreadable or damaged is left
        out.
    """
    files = {}
    for name, expected in sums.items():
        try:
            content = (folder / name).read_bytes()
        except OSError:  # not there, or not readable: to be downloaded
            continue
        if hashlib.sha256(content).hexdigest() == expected:
            files[name] = content
    return files


def import_pooch() -> ModuleType:
    """Pooch, without the warning that its progress bars find no ipywidgets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import pooch

    return pooch


def fetch(
    sums: Mapping[str, str], folder: Path, mirrors: Sequence[str], label: str
) -> list[str]:
    """Bring the files that a folder lacks, or holds damaged, into it.

    Pooch writes under another name and renames the file once its checksum is right, so
    whatever interrupts a download, no partial file gets a name that is read. Of two
    processes one downloads and the other waits.

    Args:
        sums: SHA-256 of each file, by its name.
        folder: where they go; made if it is not there.
        mirrors: addresses of folders, each ending in "/" and holding all files. What
            one of them cannot give is asked of the next.
        label: stands at the progress bar, and in lower case names the lock.

    Returns:
        What went wrong, a line for each place; empty if the files are there now.
    """
    import filelock

    pooch = import_pooch()
    lock = filelock.FileLock(folder / f"{label.lower()}.lock", timeout=LOCK_TIMEOUT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock, _quiet(pooch.get_logger()):
            return _fetch_missing(sums, folder, mirrors, label)
    except filelock.Timeout:
        return [f"{folder}: another process has been downloading for {LOCK_TIMEOUT} s"]
    except (OSError, NotImplementedError) as error:
        return [f"cache {folder} cannot be written to: {error}"]


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Silence pooch's line per file: the progress bar says enough."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _fetch_missing(
    sums: Mapping[str, str], folder: Path, mirrors: Sequence[str], label: str
) -> list[str]:
    from requests import RequestException
    from tqdm import tqdm

    pooch = import_pooch()

    missing = sums.keys() - read_intact(sums, folder).keys()
    if not missing:  # another process has brought them while this one waited
        return []
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    failures = {}
    last_success = time.monotonic()
    with tqdm(total=len(missing), desc=f"Downloading {label}", unit="file") as bar:
        for attempt in range(ROUNDS):
            time.sleep(attempt)
            for mirror in mirrors:
                if attempt and time.monotonic() - last_success > GIVE_UP_AFTER:
                    return list(failures.values())
                try:
                    for file in sorted(missing):
                        pooch.retrieve(
                            mirror + file,
                            known_hash=sums[file],
                            fname=file,
                            path=folder,
                            downloader=downloader,
                        )
                        missing.remove(file)
                        bar.update()
                        last_success = time.monotonic()
                    return []
                except (RequestException, ValueError) as error:  # ValueError: checksum
                    failures[mirror] = f"{mirror}: {file}: {error}"
    return list(failures.values())
