"""Calls functions of the pages' script, `site/src`, in Node."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.book import ROOT

SITE = ROOT / "site"
# What `make` installs, beside this Python and in site/node_modules.
NODE = Path(sys.executable).with_name("node")
ESBUILD, TSC, HTML_VALIDATE = (
    SITE / "node_modules" / ".bin" / name
    for name in ("esbuild", "tsc", "html-validate")
)


def functions(module: str, folder: Path) -> Callable[[str, object], object]:
    """Bundles `site/src/MODULE.ts`; the answer runs JavaScript in which it is `m`.

    The expression gets what is given as `given`, and its value is sent back as JSON.
    """
    if not ESBUILD.exists() or not NODE.exists():
        pytest.skip("Node or site/node_modules is missing: make fetches them")
    out = folder / f"{module}.cjs"
    options = ["--bundle", "--format=cjs", "--log-level=error", f"--outfile={out}"]
    source = SITE / "src" / f"{module}.ts"
    subprocess.run([ESBUILD, source, *options], check=True)

    def run(expression: str, given: object) -> object:
        script = f"""
            globalThis.document = {{ currentScript: null }};
            globalThis.location = {{ href: "file:///" }};
            const m = require({json.dumps(str(out))});
            const given = JSON.parse(require("fs").readFileSync(0, "utf-8"));
            process.stdout.write(JSON.stringify({expression}));
        """
        done = subprocess.run(
            [NODE, "-e", script],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    return run
