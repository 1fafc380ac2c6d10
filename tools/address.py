"""The public address of the course: set in `_config.yml`, written everywhere else."""

import re
from pathlib import Path
from typing import NamedTuple

import yaml

from tools.book import ROOT

GITHUB = r"https://github\.com/([\w.-]+/[\w.-]+)"
TEXTS = ["*.md", "*.cff", "book/**/*.md", "book/**/*.ipynb", "gat_course/**/*.py"]


class Address(NamedTuple):
    """Where the course is published, derived from `repository` in `_config.yml`."""

    slug: str  # owner/name
    branch: str

    @property
    def repository(self) -> str:
        return f"https://github.com/{self.slug}"

    @property
    def site(self) -> str:
        owner, name = self.slug.split("/")
        return f"https://{owner}.github.io/{name}"


def address(root: Path = ROOT) -> Address:
    """The address set in `_config.yml`; ValueError where it is not a GitHub one."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    url, branch = config["repository"]["url"], config["repository"]["branch"]
    match = re.fullmatch(GITHUB, url)
    if not match:
        raise ValueError(
            f"_config.yml: repository url is {url!r}; expected "
            "https://github.com/OWNER/NAME without anything after it"
        )
    return Address(match[1], branch)


def write_address(root: Path = ROOT) -> list[Path]:
    """Replace the address that pyproject.toml holds by the one in `_config.yml`.

    Returns the files that changed. pyproject.toml comes last: after an interruption
    the next run still knows the old address.
    """
    new = address(root)
    pyproject = root / "pyproject.toml"
    found = re.search(GITHUB, pyproject.read_text(encoding="utf-8"))
    if not found:
        raise ValueError("pyproject.toml: no https://github.com/OWNER/NAME in it")
    old = Address(found[1], new.branch)
    slug = rf"(github(?:\.com)?/){re.escape(old.slug)}(?![\w-])"
    branch = rf"(github(?:\.com)?/{re.escape(new.slug)}/(?:blob|tree)/)[^/]+"
    changed = []
    for path in [*(p for text in TEXTS for p in sorted(root.glob(text))), pyproject]:
        before = path.read_text(encoding="utf-8")
        text = before.replace(old.site, new.site)
        text = re.sub(slug, rf"\g<1>{new.slug}", text)
        text = re.sub(branch, rf"\g<1>{new.branch}", text)
        if text != before:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed
