"""What is said where DGL is missing, too old, or noisy; with stand-ins for DGL."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.book import ROOT

IMPORT = "from gat_course import dgl_compat\ndgl_compat.import_dgl()"
ON_3_13 = (
    "import sys\nfrom gat_course import dgl_compat\nsys.version_info = (3, 13, 0)\n"
)
ON_3_12 = ON_3_13.replace("(3, 13, 0)", "(3, 12, 0)")
NO_DGL = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda n, *a: None if n == "dgl" else find(n, *a)
"""


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


def complaint(done: subprocess.CompletedProcess) -> str:
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: "), done.stderr
    return last


def test_a_missing_dgl_is_installed_from_2_1_on():
    told = complaint(run(NO_DGL + ON_3_12 + IMPORT))
    assert "DGL is not installed" in told
    assert "pip install 'dgl>=2.1' packaging pandas" in told
    assert "EdgeGATLayer" in told


def test_where_python_has_no_dgl_nothing_is_advised_to_be_installed():
    told = complaint(run(NO_DGL + ON_3_13 + IMPORT))
    assert "no build for Python 3.13 or later" in told and "Python 3.12" in told
    assert "EdgeGATLayer" in told and "pip install" not in told


@pytest.mark.parametrize("version", ["0.1.3", "1.1.3"])
def test_an_old_dgl_is_refused_by_name(tmp_path, version):
    folder = stand_in(tmp_path, version, "raise RuntimeError('imported')")
    told = complaint(run(ON_3_12 + IMPORT, folder))
    assert f"DGL {version} is installed, which is too old" in told
    assert "'dgl>=2.1'" in told and "imported" not in told
    told = complaint(run(ON_3_13 + IMPORT, folder))
    assert f"DGL {version}" in told and "pip install" not in told


@pytest.mark.parametrize("version", ["2.1.0", "2.4.0+cu121", "10.0", None])
def test_a_newer_dgl_is_imported(tmp_path, version):
    folder = stand_in(tmp_path, version, "LOADED = True")
    done = run(f"{IMPORT}\nimport dgl\nassert dgl.LOADED", folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dgl_that_fails_on_import_is_told_of(tmp_path):
    folder = stand_in(tmp_path, "2.1.0", "import missing_thing")
    told = complaint(run(ON_3_12 + IMPORT, folder))
    assert "cannot be imported: No module named 'missing_thing'" in told
    assert "'dgl>=2.1' packaging pandas" in told


def test_dgls_progress_bars_ask_for_no_widgets(tmp_path):
    warn = "import warnings\nwarnings.warn('IProgress not found. Please update')"
    done = run(IMPORT, stand_in(tmp_path, "2.1.0", warn))
    assert (done.returncode, done.stderr) == (0, "")
