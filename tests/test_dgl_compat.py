"""Whether DGL is given or `mailbox` in its place, and what is said; with stand-ins."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.book import ROOT

NO_DGL = "sys.modules['dgl'] = None\n"
USE = """
import torch
from gat_course import dgl_compat, mailbox
dgl = dgl_compat.import_dgl()
print(dgl is mailbox, dgl_compat.has_dgl(), dgl_compat.which_dgl())
"""
INSTEAD = "True False message passing by gat_course.mailbox: "


def run(code: str, folder: Path | None = None) -> subprocess.CompletedProcess:
    path = f"import sys; sys.path[:0] = {[str(folder), str(ROOT)]!r}\n"
    return subprocess.run(
        [sys.executable, "-c", path + code], capture_output=True, text=True, timeout=600
    )


def stand_in(folder: Path, version: str | None, source: str = "") -> Path:
    """A folder with a DGL of that version in it; None: one without metadata."""
    (folder / "dgl").mkdir()
    (folder / "dgl" / "__init__.py").write_text(source)
    if version is not None:
        info = folder / f"dgl-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: dgl\nVersion: {version}\n")
    return folder


def test_without_dgl_mailbox_takes_its_place():
    done = run(NO_DGL + USE)
    assert (done.stdout, done.stderr) == (f"{INSTEAD}DGL is not installed\n", "")


@pytest.mark.parametrize("version", ["0.1.3", "1.1.3"])
def test_an_old_dgl_is_passed_over_and_told_of(tmp_path, version):
    """Python 3.13 gets DGL 0.1.3 from `pip install dgl`."""
    done = run(USE, stand_in(tmp_path, version, "raise RuntimeError('imported')"))
    why = f"the installed DGL {version} is too old"
    assert done.stdout == f"{INSTEAD}{why}\n"
    assert f"UserWarning: {why}: gat_course.mailbox takes its place" in done.stderr
    assert "imported" not in done.stderr


@pytest.mark.parametrize("version", ["2.1.0", "2.4.0+cu121", "10.0", None])
def test_a_newer_dgl_is_imported(tmp_path, version):
    folder = stand_in(tmp_path, version, "LOADED = True\n__version__ = '2.9'")
    done = run(f"{USE}\nimport dgl as it\nassert it is dgl and it.LOADED", folder)
    told = "False True message passing by DGL 2.9\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")


def test_a_dgl_that_fails_on_import_is_passed_over_and_told_of(tmp_path):
    done = run(USE, stand_in(tmp_path, "2.1.0", "import missing_thing"))
    why = "the installed DGL cannot be imported (No module named 'missing_thing')"
    assert done.stdout == f"{INSTEAD}{why}\n"
    assert f"UserWarning: {why}" in done.stderr


def test_what_is_not_dgl_is_passed_over(tmp_path):
    """A module of the reader's own, and a folder that git has cloned."""
    done = run(USE, stand_in(tmp_path, None, "mine = True"))
    assert done.stdout.startswith(f"{INSTEAD}the installed DGL cannot be imported")
    (tmp_path / "dgl" / "__init__.py").unlink()
    hidden = "sys.path[2:] = [p for p in sys.path[2:] if 'site-packages' not in p]\n"
    hidden += f"sys.path.append({str(tmp_path)!r})\n"
    find = "import importlib.util as u\nassert u.find_spec('dgl').origin is None\n"
    told = "from gat_course import dgl_compat\nprint(dgl_compat.which_dgl())"
    torch_here = f"import torch, lazy_loader\n{hidden}{find}{told}"
    done = run(torch_here, tmp_path)
    assert done.stdout.endswith("DGL is not installed\n"), done.stderr


def test_a_dgl_that_was_imported_before_is_guarded_too(dgl):
    done = run(
        "from gat_course import dgl_compat\n"
        "dgl_compat.graphbolt_can_load(dgl_compat.Path('.'))\n"
        "sys.modules['dgl.graphbolt'] = type(sys)('dgl.graphbolt')\n"
        "import dgl\n"
        "assert dgl_compat.import_dgl() is dgl\n"
        "from dgl.backend.pytorch import sparse\n"
        "print(sparse.EdgeSoftmax.backward.__name__)"
    )
    assert done.stdout == "guarded\n", done.stderr


def test_the_choice_holds_for_the_whole_process(tmp_path):
    """Graphs of both kinds in one process could not be mixed."""
    folder = stand_in(tmp_path, "2.1.0", "LOADED = True")
    later = "del sys.modules['dgl']\nassert dgl_compat.import_dgl() is mailbox"
    assert run(f"{NO_DGL}{USE}{later}", folder).returncode == 0


def test_dgls_progress_bars_ask_for_no_widgets(tmp_path):
    warn = "import warnings\nwarnings.warn('IProgress not found. Please update')"
    warn += "\n__version__ = '2.1'"
    done = run(USE, stand_in(tmp_path, "2.1.0", warn))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
