"""The notebooks of the book: which there are, and how a file is read and written."""

import os
import re
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent


def pages(root: Path = ROOT) -> list[str]:
    """The pages that `_toc.yml` lists, in order, without their suffix."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    return [toc["root"], *chapters]


def notebooks(root: Path = ROOT) -> list[Path]:
    """The notebooks that `_toc.yml` lists, in order."""
    paths = (root / f"{page}.ipynb" for page in pages(root))
    return [path for path in paths if path.exists()]


def page_of(path: Path) -> str:
    """A notebook's name in `_toc.yml`."""
    return path.resolve().relative_to(ROOT).with_suffix("").as_posix()


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def uses_dgl(nb: NotebookNode) -> bool:
    """Whether a notebook's code asks for DGL, by `dgl_compat`, its layers or graphs."""
    asks = r"(?m)import_dgl|has_dgl|\b(UDF|DGL)GATLayer|\.dgl\(|^\s*(import|from) dgl\b"
    code = (cell.source for cell in nb.cells if cell.cell_type == "code")
    return any(re.search(asks, source) for source in code)


def write(nb: NotebookNode, path: Path) -> None:
    """Write through a temporary file, so that an interruption keeps the old one."""
    temporary = path.with_name(f".{path.name}.new")
    nbformat.write(nb, temporary)
    os.replace(temporary, path)
