"""Run, check and address the course's notebooks: `make notebooks`, `make check`.

    python tools/notebooks.py execute [FILE ...]   run, store outputs on real data
    python tools/notebooks.py tidy [FILE ...]      header, times, metadata; runs nothing
    python tools/notebooks.py check [FILE ...]     the conventions of CONTRIBUTING.md
    python tools/notebooks.py address              spread the address in _config.yml

Without FILE: every notebook that `_toc.yml` lists.
"""

import argparse
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.address import address, write_address
from tools.book import ROOT, notebooks, page_of, read, write
from tools.conventions import problems
from tools.metadata import tidy
from tools.running import execute


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["execute", "tidy", "check", "address"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--allow-synthetic", action="store_true")
    options = parser.parse_args()
    if options.command == "address":
        for path in write_address():
            print("changed", path.relative_to(ROOT))
        return 0
    failed = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the kernel too
    for path in options.files or notebooks():
        page = page_of(path)
        try:
            if options.command == "execute":
                course = execute(path, options.allow_synthetic)
                print(f"{page}: {course['seconds']} s on {course['data']}", flush=True)
            elif options.command == "tidy":
                nb = read(path)
                tidy(nb, page, address())
                write(nb, path)
        except Exception as error:
            failed = True
            print(f"{page}: not stored\n{error}", file=sys.stderr)
            continue
        for line in problems(read(path), page, address()):
            failed = True
            print(f"{page}: {line}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
