"""Runs the course on Python 3.10 to 3.14 with old and new libraries: `make matrix`.

    python -m tools.matrix run [CELL ...]   run cells, then write and print the page
    python -m tools.matrix page             write the page from the results there are
    python -m tools.matrix cells            list the cells

Without CELL: all. A cell leaves its result in `tools/runs/CELL.json`, and what was
printed in `_build/matrix/CELL.log`. It is not run again until a file changes on which
it depends, or until it has passed. So a run that was stopped goes on where it stopped.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from gat_course.files import alone, sweep, write_json
from tools import status
from tools.cells import (
    CANNOT,
    CELLS,
    FAILED,
    FOLDER,
    PASSED,
    RESULTS,
    Cell,
    attempt,
    inputs,
)


def read(folder: Path) -> dict[str, dict]:
    """The results in a folder, by the names of their cells."""
    paths = ((cell.name, folder / f"{cell.name}.json") for cell in CELLS)
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name, path in paths
        if path.exists()
    }


def run(
    cells: Sequence[Cell],
    folder: Path = RESULTS,
    attempt: Callable[[Cell, Path], dict] = attempt,
) -> bool:
    """Run the cells that have not passed as things are; True if none failed.

    A result is stored whole or not at all. Where a cell cannot be run, one that another
    machine has stored in the same folder is kept.
    """
    now, good = inputs(), True
    folder.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        path = folder / f"{cell.name}.json"
        with alone(path):
            sweep(path)
            old = read(folder).get(cell.name, {})
            if old.get("inputs") == now and old["outcome"] == PASSED:
                print(f"{cell.name}: has passed before", flush=True)
                continue
            print(f"{cell.name}: runs ...", end=" ", flush=True)
            result = attempt(cell, FOLDER) | {"inputs": now}
            print(status.outcome(result), flush=True)
            good &= result["outcome"] != FAILED
            ran = old.get("outcome") in (PASSED, FAILED)
            if not (ran and result["outcome"] == CANNOT):
                write_json(path, result)
    return good


def find(names: Sequence[str]) -> list[Cell]:
    """The cells of these names; all where there are no names.

    Raises:
        ValueError: there is no such cell.
    """
    known = {cell.name: cell for cell in CELLS}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no cell {unknown[0]!r}; there are: {', '.join(known)}")
    return [known[name] for name in names] or CELLS


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["run", "page", "cells"])
    parser.add_argument("cells", nargs="*", metavar="CELL")
    options = parser.parse_args()
    try:
        chosen = find(options.cells)
    except ValueError as error:
        parser.error(str(error))
    if options.command == "cells":
        print("\n".join(cell.name for cell in chosen))
        return 0
    good = options.command == "page" or run(chosen)
    results = read(RESULTS)
    status.write(results)
    print(status.table(results))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
