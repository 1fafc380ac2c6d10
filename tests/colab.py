"""A machine like Colab's: everything is installed but the course, and no DGL.

Colab's Python is the one that runs the tests; where that is 3.13 or later, this is the
real case, as DGL has no build for it.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ABSENT = ("gat-course", "dgl")
GIT = shutil.which("git")


class Colab:
    """Folders of an imitation of Colab, and how programs are started there.

    Args:
        folder: an empty folder to make them in.
        root: the project's folder. Its state becomes a commit, changes included.
        address: where the notebooks install the course from.

    Public attributes:
        python: its Python, with the packages of the running one but `ABSENT`.
        course: a checkout of the commit. Only the tests read it.
        commit: the commit that stands at `address`.
        elsewhere: an empty folder to run in.
    """

    def __init__(self, folder: Path, root: Path, address: str) -> None:
        self.folder, self.root, self.address = folder, root, address
        self.course, self.elsewhere = folder / "course", folder / "elsewhere"
        for path in (self.course, self.elsewhere, folder / "home"):
            path.mkdir()
        self.python = self._install_python()
        self.commit = self._commit()
        self._name_kernel()

    def environment(self) -> dict[str, str]:
        """No data, an empty home, no package by a path, and the commit at `address`."""
        mine = ("PYTHON", "PYTEST_", "GAT_COURSE", "GIT_", "JUPYTER_", "XDG_", "MPL")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
        return kept | {
            "HOME": str(self.folder / "home"),
            "JUPYTER_PATH": str(self.folder / "jupyter"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{self._repository.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": self.address,
        }

    def pip(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.python, "-m", "pip", *arguments],
            cwd=self.elsewhere,
            env=self.environment(),
            capture_output=True,
            text=True,
        )

    def freeze(self) -> set[str]:
        """What is installed, a line with name and version for each package."""
        done = self.pip("freeze", "--all")
        assert done.returncode == 0, done.stderr
        return set(done.stdout.splitlines())

    def _install_python(self) -> Path:
        """A venv that finds the running environment's packages, but for some."""
        venv = self.folder / "venv"
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", venv], check=True
        )
        packages = self.folder / "packages"
        packages.mkdir()
        for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            left_out = {"__pycache__", *_entries(Path(site), ABSENT)}
            for entry in Path(site).iterdir():
                if entry.name not in left_out and entry.suffix != ".pth":
                    (packages / entry.name).symlink_to(entry)
        (own,) = venv.glob("lib/python*/site-packages")
        (own / "packages.pth").write_text(f"{packages}\n")
        return venv / "bin" / "python"

    @property
    def _repository(self) -> Path:
        return self.folder / "repository.git"

    def _commit(self) -> str:
        """The project as it lies there, but what .gitignore names, as one commit."""

        def git(*arguments: str, tree: Path = self.root) -> str:
            person = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
            trees = [f"--git-dir={self._repository}", f"--work-tree={tree}"]
            done = subprocess.run(
                [GIT, *person, *trees, *arguments],
                cwd=tree,
                env=self.environment(),
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            return done.stdout.strip()

        git("init", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "--message", "As it is")
        git("checkout", "--quiet", "--force", "HEAD", "--", ".", tree=self.course)
        return git("rev-parse", "HEAD")

    def _name_kernel(self) -> None:
        """A kernel `colab` for nbclient and nbval, which start it from outside."""
        kernel = self.folder / "jupyter" / "kernels" / "colab"
        kernel.mkdir(parents=True)
        launch = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {
            "argv": [str(word) for word in launch],
            "display_name": "Colab",
            "language": "python",
            # conftest.py puts a checkout there, which Colab has not.
            "env": {"PYTHONPATH": ""},
        }
        (kernel / "kernel.json").write_text(json.dumps(spec))


def _entries(site: Path, names: tuple[str, ...]) -> set[str]:
    """What some distributions have put into a folder of packages: its first level."""
    found = set()
    for name in names:
        for distribution in importlib.metadata.distributions(name=name, path=[site]):
            found |= {file.parts[0] for file in distribution.files or ()}
    return found
