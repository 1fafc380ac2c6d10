"""Run, check and address the course's notebooks: `make notebooks`, `make check`.

    python tools/notebooks.py execute [FILE ...]   run, store outputs on real data
    python tools/notebooks.py tidy [FILE ...]      header, times, metadata; runs nothing
    python tools/notebooks.py check [FILE ...]     the conventions of CONTRIBUTING.md
    python tools/notebooks.py address              spread the address in _config.yml

Without FILE: every notebook that `_toc.yml` lists.
"""

import argparse
import ast
import base64
import io
import json
import math
import os
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = "synthetic stand-in"  # in the name of every graph that replaces real data
MAX_SECONDS = 240  # a notebook's run on two cores
MAX_LINES, MAX_COLUMNS = 30, 79
DGL_CHAPTERS = "chapters 3 and 9"  # those that use DGL
TAGS = {
    "setup",
    "parameters",
    "nbval-ignore-output",
    "hide-input",
    "hide-output",
    "hide-cell",
}
CELL_KEYS = {"tags", "mystnb", "gat_course"}
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",  # `nbconvert --to script` writes Python by it
    "pygments_lexer": "ipython3",
}


# ---------------------------------------------------------------- the book's files


def pages(root: Path = ROOT) -> list[str]:
    """The pages that `_toc.yml` lists, in order, without their suffix."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    return [toc["root"], *chapters]


def notebooks(root: Path = ROOT) -> list[Path]:
    """The notebooks that `_toc.yml` lists, in order."""
    paths = [root / f"{page}.ipynb" for page in pages(root)]
    return [path for path in paths if path.exists()]


def page_of(path: Path) -> str:
    """A notebook's name in `_toc.yml`."""
    return path.resolve().relative_to(ROOT).with_suffix("").as_posix()


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def write(nb: NotebookNode, path: Path) -> None:
    """Write through a temporary file, so that an interruption keeps the old one."""
    temporary = path.with_name(f".{path.name}.new")
    nbformat.write(nb, temporary)
    os.replace(temporary, path)


# ---------------------------------------------------------------- the public address


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
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", url)
    if not match:
        raise ValueError(
            f"_config.yml: repository url is {url!r}; expected "
            "https://github.com/OWNER/NAME without anything after it"
        )
    return Address(match[1], branch)


def colab_link(page: str, where: Address) -> str:
    """The second line of a notebook: a text link, as a badge asks a third party."""
    blob = f"github/{where.slug}/blob/{where.branch}/{page}.ipynb"
    return f"[Open in Colab](https://colab.research.google.com/{blob})"


def setup_source(where: Address, dgl: bool = False) -> str:
    """The first code cell of every notebook; with DGL for those that use it."""
    source = f"""\
from importlib.util import find_spec

if find_spec("gat_course") is None:  # on Colab: adds the course, keeps torch
    %pip install -q git+{where.repository}"""
    if not dgl:
        return source
    return f"""\
import sys
{source}
if sys.version_info >= (3, 13):
    print("Python 3.13 and later have no DGL, which {DGL_CHAPTERS} use")
elif find_spec("dgl") is None:  # this chapter needs DGL too
    %pip install -q "dgl>=2.1" packaging pandas"""


def uses_dgl(nb: NotebookNode) -> bool:
    """Whether a notebook's code asks for DGL, by `import_dgl`, its layers or graphs."""
    code = (c.source for c in nb.cells if c.cell_type == "code")
    own = (source for source in code if "%pip" not in source)
    asks = r"(?m)import_dgl|\b(UDF|DGL)GATLayer|\.dgl\(|^\s*(import|from) dgl\b"
    return any(re.search(asks, source) for source in own)


def add_header(nb: NotebookNode, page: str, where: Address) -> None:
    """Give a notebook its Colab link, below the title, and its setup cell.

    Both are replaced where they are and added where they are missing.
    """
    title, *rest = nb.cells[0].source.splitlines()
    body = [line for line in rest if not line.startswith("[Open in Colab]")]
    text = "\n".join(body).strip("\n")
    nb.cells[0].source = f"{title}\n\n{colab_link(page, where)}\n\n{text}".rstrip()
    kinds = [cell.cell_type for cell in nb.cells]
    index = kinds.index("code") if "code" in kinds else len(kinds)
    if index == len(kinds) or "%pip install" not in nb.cells[index].source:
        nb.cells.insert(index, nbformat.v4.new_code_cell())
    nb.cells[index].source = setup_source(where, uses_dgl(nb))
    nb.cells[index].metadata.tags = ["setup", "hide-input"]


def write_address(root: Path = ROOT) -> list[Path]:
    """Replace the address that pyproject.toml holds by the one in `_config.yml`.

    Returns the files that changed. pyproject.toml comes last: after an interruption
    the next run still knows the old address.
    """
    new = address(root)
    pyproject = root / "pyproject.toml"
    found = re.search(r"https://github\.com/([\w.-]+/[\w.-]+)", pyproject.read_text())
    if not found:
        raise ValueError("pyproject.toml: no https://github.com/OWNER/NAME in it")
    old = Address(found[1], new.branch)
    branch_in_link = rf"(github(?:\.com)?/{re.escape(new.slug)}/(?:blob|tree)/)[^/]+"
    texts = ["*.md", "*.cff", "book/**/*.md", "book/**/*.ipynb", "gat_course/*.py"]
    files = [path for pattern in texts for path in sorted(root.glob(pattern))]
    changed = []
    for path in [*files, pyproject]:
        before = path.read_text(encoding="utf-8")
        text = before.replace(old.site, new.site)
        text = re.sub(
            rf"(github(?:\.com)?/){re.escape(old.slug)}(?![\w-])",
            lambda match: match[1] + new.slug,
            text,
        )
        text = re.sub(branch_in_link, lambda match: match[1] + new.branch, text)
        if text != before:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


# ---------------------------------------------------------------- the stated times

WORDS_A_MINUTE, LINES_A_MINUTE, FIGURES_A_MINUTE = 180, 12, 3
EQUATION, FORMULA = " word" * 30, " word" * 2  # what they take, in words
STEP = 5  # minutes; reading times are rounded to it
TIMES = re.compile(r"\*\*Time:\*\* (\d+) minutes to read, (.+?) to run\b")
RUN_TIMES = {  # what may be said of a run, and the seconds that it stands for
    "under a minute": (0, 60),
    "about a minute": (40, 80),
    "under two minutes": (60, 120),
    "about two minutes": (100, 140),
    "two to three minutes": (120, 180),
    "about three minutes": (160, 200),
    "three to four minutes": (180, 240),
}


def reading_minutes(nb: NotebookNode) -> int:
    """How long a notebook takes to read, in minutes, rounded to `STEP`."""
    return STEP * max(1, round(_reading_time(nb) / STEP))


def _reading_time(nb: NotebookNode) -> float:
    """Minutes for the prose, for the code that is shown and for the figures."""
    prose, lines, figures = "", 0, 0
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            text, fenced = _prose(cell.source)
            prose += text + " "
        elif {"setup", "hide-input", "hide-cell"}.isdisjoint(
            cell.metadata.get("tags", [])
        ):
            fenced = cell.source
        else:
            fenced = ""
        lines += sum(bool(line.strip()) for line in fenced.splitlines())
        figures += sum(
            "image/png" in o.get("data", {}) for o in cell.get("outputs", [])
        )
    words = sum(bool(re.search(r"\w", word)) for word in prose.split())
    return words / WORDS_A_MINUTE + lines / LINES_A_MINUTE + figures / FIGURES_A_MINUTE


def _prose(source: str) -> tuple[str, str]:
    """A Markdown cell's words and its fenced code.

    An equation of its own takes as long as `EQUATION`, a formula within a line as
    `FORMULA`, a piece of code within a line as one word.
    """
    fence = re.compile(r"(?ms)^\s*(```+|~~~+).*?\n(.*?)^\s*\1\s*$")
    code = "\n".join(match[2] for match in fence.finditer(source))
    text = fence.sub(" ", source)
    text = re.sub(r"`[^`]+`", "word", text)
    text = re.sub(r"(?s)\$\$.+?\$\$", EQUATION, text)
    text = re.sub(r"\$[^$]+\$", FORMULA, text)
    text = re.sub(r"(?s)<!--.*?-->|<[^>\n]+>", " ", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)  # a link's target is not read
    return text.replace("|", " "), code


def write_times(nb: NotebookNode) -> None:
    """Put the measured times into the opening, where it states any.

    What it says of the run is replaced where it does not fit `gat_course.seconds`.
    """

    def measured(match: re.Match) -> str:
        said, seconds = match[2], nb.metadata.get("gat_course", {}).get("seconds")
        if seconds is not None and not _fits(said, seconds, tolerance=1):
            fitting = (words for words in RUN_TIMES if seconds <= RUN_TIMES[words][1])
            said = next(fitting, said)
        return f"**Time:** {reading_minutes(nb)} minutes to read, {said} to run"

    nb.cells[0].source = TIMES.sub(measured, nb.cells[0].source)


def _fits(words: str, seconds: float, tolerance: float = 1.5) -> bool:
    """Whether a run of so many seconds can be announced by these words."""
    low, high = RUN_TIMES.get(words, (math.inf, 0))
    return low / tolerance <= seconds <= high * tolerance


# ---------------------------------------------------------------- running


def execute(path: Path, allow_synthetic: bool = False) -> dict:
    """Run a notebook in its folder and store its outputs.

    The kernel is this interpreter. The file changes only if every cell ran and, unless
    `allow_synthetic`, no graph was a stand-in for real data that the page's first cell
    does not declare. Returns what it stores in
    the notebook's metadata: the names of the graphs at the end, and the seconds.
    """
    from nbclient import NotebookClient

    nb = read(path)
    add_header(nb, page_of(path), address())
    client = NotebookClient(
        nb,
        timeout=None,
        extra_arguments=["--log-level=ERROR"],
        kernel_manager_class=_kernel_manager(),
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        coalesce_streams=True,
    )
    environment = {
        **os.environ,
        "TQDM_DISABLE": "1",
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        ),
    }
    start = time.perf_counter()
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(nb.cells):
            client.execute_cell(cell, index)
        seconds = round(time.perf_counter() - start, 1)
        nb.cells.append(nbformat.v4.new_code_cell(_GRAPH_NAMES))
        client.execute_cell(nb.cells[-1], len(nb.cells) - 1, store_history=False)
    data = json.loads(nb.cells.pop().outputs[-1].text)
    synthetic = [name for name in data if STAND_IN in name]
    if synthetic and not allow_synthetic and not declares_stand_in(nb):
        raise RuntimeError(
            f"{path.name} ran on {synthetic[0]!r}, so its outputs are not stored. Set "
            "GAT_COURSE_DATA or connect to the network; --allow-synthetic stores them "
            "all the same"
        )
    course = dict(nb.metadata.get("gat_course", {}), data=data, seconds=seconds)
    nb.metadata.gat_course = course
    for output in (o for cell in nb.cells for o in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = smaller_png(output.data["image/png"])
    tidy(nb, page_of(path), address())
    write(nb, path)
    return course


def tidy(nb: NotebookNode, page: str, where: Address) -> None:
    """Bring what surrounds cells and outputs into the form of CONTRIBUTING.md.

    That is the header, the stated times and all metadata; stderr is dropped. Needs no
    run: `python tools/notebooks.py tidy` does this to a file.
    """
    add_header(nb, page, where)
    write_times(nb)
    course = nb.metadata.get("gat_course", {})
    nb.metadata = NotebookNode(
        kernelspec=KERNELSPEC, language_info=LANGUAGE, gat_course=course
    )
    for cell in nb.cells:
        cell.metadata = NotebookNode(
            {key: cell.metadata[key] for key in sorted(CELL_KEYS & set(cell.metadata))}
        )
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = _described(cell, output)
    nb.nbformat_minor = 5


def _described(cell: NotebookNode, output: NotebookNode) -> NotebookNode:
    """An output's metadata: for a picture the alternative text that the cell gives it.

    It stands where `IPython.display.Image(alt=…)` puts it and nbconvert's template
    `classic` reads it; the book reads the cell's.
    """
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    if not alt or "image/png" not in output.get("data", {}):
        return NotebookNode()
    return NotebookNode({"image/png": {"alt": alt}})


# The names of all graphs in the kernel, wherever they are kept; "graph" is no name.
_GRAPH_NAMES = """
import gc, json, gat_course
print(json.dumps(sorted({
    o.name for o in gc.get_objects()
    if type(o) in (gat_course.GraphData, gat_course.Tissues)
    and not o.name.startswith(("tissue ", "graph"))  # one of many, or unnamed
} - {"graph"})))
"""


def declares_stand_in(nb: NotebookNode) -> bool:
    """Whether the first cell tells readers that outputs come from a stand-in."""
    return STAND_IN in nb.cells[0].source


def _kernel_manager() -> type:
    """A kernel manager that starts this interpreter, whatever kernels are installed."""
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisInterpreter(KernelSpecManager):
        def get_kernel_spec(self, kernel_name):
            return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

    class Manager(AsyncKernelManager):
        def __init__(self, **kwargs):
            super().__init__(kernel_spec_manager=ThisInterpreter(), **kwargs)

    return Manager


def smaller_png(encoded: str, tolerance: int = 20) -> str:
    """A base64 PNG with 256 colours where no channel then differs by over `tolerance`.

    Pictures that need more colours, or are transparent, keep them; none grows.
    """
    from PIL import Image, ImageChops

    original = base64.b64decode(encoded)
    picture = Image.open(io.BytesIO(original)).convert("RGBA")
    if picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
        few = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=0)
        difference = ImageChops.difference(picture, few.convert("RGB"))
        if max(high for _, high in difference.getextrema()) <= tolerance:
            picture = few
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    best = min(original, buffer.getvalue(), key=len)
    return base64.b64encode(best).decode()


# ---------------------------------------------------------------- conventions

_MACHINE_PATH = re.compile(
    r"(?<![\w.:/~>-])/(?:home|root|Users|tmp|var|opt|mnt|work|srv)/\w|\b[A-Z]:\\\w"
)
_MYST = re.compile(
    r"(?m)^\s*(?:```+|~~~+|:::+)\{|(?<![`$\\\w])\{[a-zA-Z:_-]+\}`|^\([\w-]+\)=\s*$"
)
_THIRD_PARTY = re.compile(
    r"!\[[^\]]*\]\(\s*<?(?:https?:)?//|<script|\bsrc\s*=\s*[\"']?(?:https?:)?//", re.I
)
_PROGRESS = re.compile(r"\r|\d+%\||it/s\]")


def problems(nb: NotebookNode, page: str, where: Address) -> list[str]:
    """What in a notebook departs from the conventions; empty where nothing does.

    `page` is its name in `_toc.yml`. Each line says which cell (as counted by an
    editor, from 1), what is wrong and what is expected.
    """
    found = [*_header_problems(nb, page, where), *_metadata_problems(nb)]
    found += _time_problems(nb, page)
    repeated = [i for i, n in Counter(c.get("id") for c in nb.cells).items() if n > 1]
    if repeated:
        found.append(f"cells share the id {repeated[0]!r}, or have none")
    counts = [c.execution_count for c in nb.cells if c.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        found.append(f"its cells were not run once each, in order: {counts}")
    for number, cell in enumerate(nb.cells, start=1):
        of_cell = []
        if cell.cell_type == "code":
            of_cell += _code_problems(cell)
        elif cell.cell_type == "markdown":
            of_cell += _markdown_problems(cell.source)
        else:
            of_cell.append(f"is of type {cell.cell_type}, expected markdown or code")
        if extra := set(cell.metadata) - CELL_KEYS:
            of_cell.append(f"has metadata that no reader uses: {sorted(extra)}")
        if match := _MACHINE_PATH.search(cell.source):
            of_cell.append(f"names a path of one machine: {match[0]}…")
        found += [f"cell {number} {text}" for text in of_cell]
    return found


def _header_problems(nb: NotebookNode, page: str, where: Address) -> list[str]:
    found = []
    first = nb.cells[0]
    lines = [line for line in first.source.splitlines() if line.strip()]
    link = colab_link(page, where)
    if first.cell_type != "markdown" or not lines or not lines[0].startswith("# "):
        found.append("cell 1 must be Markdown and begin with the title, `# …`")
    elif lines[1:2] != [link]:
        found.append(f"cell 1: the line after the title must be {link}")
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    setup = setup_source(where, uses_dgl(nb))
    if not code or code[0].source != setup:
        found.append(f"the first code cell must be:\n{setup}")
    elif "setup" not in code[0].metadata.get("tags", []):
        found.append("the first code cell must carry the tag `setup`")
    return found


def _time_problems(nb: NotebookNode, page: str) -> list[str]:
    """What is wrong with the times that a chapter's opening states."""
    stated = TIMES.search(nb.cells[0].source)
    if not stated:
        is_chapter = re.fullmatch(r"book/\d\d-[\w-]+", page)
        form = "**Time:** N minutes to read, under a minute to run"
        return [f"cell 1 must state its times: {form}"] * bool(is_chapter)
    found = []
    if abs(int(stated[1]) - _reading_time(nb)) > STEP:
        found.append(
            f"cell 1 says {stated[1]} minutes to read, measured are "
            f"{reading_minutes(nb)}: run `tidy`"
        )
    seconds = nb.metadata.get("gat_course", {}).get("seconds", 0)
    if stated[2] not in RUN_TIMES:
        found.append(
            f"cell 1 says {stated[2]!r} to run, expected one of {[*RUN_TIMES]}"
        )
    elif not _fits(stated[2], seconds):
        found.append(f"cell 1 says {stated[2]} to run, measured are {seconds} s")
    return found


def _metadata_problems(nb: NotebookNode) -> list[str]:
    found = []
    if nb.metadata.get("kernelspec") != KERNELSPEC:
        found.append(f"the kernelspec must be {KERNELSPEC}")
    if nb.metadata.get("language_info") != LANGUAGE:
        found.append(f"the language_info must be {LANGUAGE}: run `tidy`")
    if extra := set(nb.metadata) - {"kernelspec", "language_info", "gat_course"}:
        found.append(f"the notebook has metadata that no reader uses: {sorted(extra)}")
    course = nb.metadata.get("gat_course", {})
    if not {"data", "seconds"} <= set(course):
        found.append("it was not stored by `tools/notebooks.py execute`: run that")
    elif any(STAND_IN in name for name in course["data"]) and not declares_stand_in(nb):
        found.append(
            "its outputs come from a synthetic stand-in: run it on real data, or say "
            "so in the first cell"
        )
    elif course["seconds"] > MAX_SECONDS:
        found.append(f"it ran {course['seconds']} s, at most {MAX_SECONDS} s are meant")
    return found


def _markdown_problems(source: str) -> list[str]:
    found = []
    if match := _MYST.search(source):
        found.append(f"uses MyST, which GitHub and Colab show raw: {match[0].strip()}")
    if match := _THIRD_PARTY.search(source):
        found.append(f"asks a third party: {match[0]}…")
    if re.search(r"!\[\s*\]\(|<img(?![^>]*\balt\s*=)", source):
        found.append("has an image without alternative text")
    return found


def _code_problems(cell: NotebookNode) -> list[str]:
    found = []
    lines = cell.source.splitlines()
    tags = cell.metadata.get("tags", [])
    if not cell.source.strip():
        found.append("is empty")
    if len(lines) > MAX_LINES:
        found.append(f"has {len(lines)} lines, at most {MAX_LINES} fit on a screen")
    if any(len(line) > MAX_COLUMNS for line in lines):
        found.append(f"has a line of more than {MAX_COLUMNS} characters")
    if unknown := set(tags) - TAGS:
        found.append(f"has unknown tags {sorted(unknown)}; known are {sorted(TAGS)}")
    found += _test_problems(cell)
    for output in cell.outputs:
        found += _output_problems(output)
    images = sum("image/png" in output.get("data", {}) for output in cell.outputs)
    if images > 1:
        found.append(f"shows {images} figures; one a cell, so that each has a caption")
    if images:
        mystnb = cell.metadata.get("mystnb", {})
        figure, alt = mystnb.get("figure", {}), mystnb.get("image", {}).get("alt")
        if not (figure.get("caption") and figure.get("name") and alt):
            found.append(
                "shows a figure without caption, name or alternative text in its "
                'metadata: {"mystnb": {"figure": {"caption": "…", "name": "fig-…"}, '
                '"image": {"alt": "…"}}}'
            )
        elif not re.fullmatch(r"fig-[a-z0-9-]+", figure["name"]):
            found.append(f"names its figure {figure['name']!r}, expected fig-…")
        if any(o.metadata != _described(cell, o) for o in cell.outputs if "data" in o):
            found.append("shows a figure without its alternative text: run `tidy`")
    return found


def _test_problems(cell: NotebookNode) -> list[str]:
    """What is wrong with the text that shrinks a cell in tests."""
    shrink = cell.metadata.get("gat_course", {}).get("test")
    if shrink is None:
        return []
    if "parameters" not in cell.metadata.get("tags", []):
        return ["has a test text but not the tag `parameters`"]
    if cell.outputs and "nbval-ignore-output" not in cell.metadata.tags:
        return ["is shrunk in tests and shows something: tag it `nbval-ignore-output`"]
    try:
        unknown = _assigned(shrink) - _assigned(cell.source)
    except SyntaxError as error:
        return [f"or its test text is not Python: {error}"]
    return [f"has a test text that sets {sorted(unknown)}, it does not"] * bool(unknown)


def _assigned(source: str) -> set[str]:
    nodes = ast.walk(ast.parse(source))
    return {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _output_problems(output: NotebookNode) -> list[str]:
    if output.output_type == "error":
        return [f"ends in an error: {output.ename}: {output.evalue}"]
    if output.get("name") == "stderr":
        return ["stores stderr (a warning or a progress bar)"]
    data = output.get("data", {"text/plain": output.get("text", "")})
    if any("widget" in kind for kind in data):
        return ["stores a widget, whose scripts come from a third party"]
    found = []
    text = "\n".join(str(value) for kind, value in data.items() if "text" in kind)
    if match := _MACHINE_PATH.search(text):
        found.append(f"prints a path of one machine: {match[0]}…")
    if match := re.search(r"\bat 0x[0-9a-f]+", text):
        found.append(f"prints an address in memory: {match[0]}")
    if _PROGRESS.search(text):
        found.append("prints a progress bar")
    if "text/html" in data and (match := _THIRD_PARTY.search(str(data["text/html"]))):
        found.append(f"asks a third party: {match[0]}…")
    return found


def figure_names(nb: NotebookNode) -> list[str]:
    """The names that a notebook's cells give to their figures."""
    figures = (c.metadata.get("mystnb", {}).get("figure", {}) for c in nb.cells)
    return [figure["name"] for figure in figures if "name" in figure]


# ---------------------------------------------------------------- command line


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["execute", "tidy", "check", "address"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--allow-synthetic", action="store_true")
    options = parser.parse_args(arguments)
    if options.command == "address":
        for path in write_address():
            print("changed", path.relative_to(ROOT))
        return 0
    paths = options.files or notebooks()
    failed = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the kernel too
    for path in paths:
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
            failed += 1
            print(f"{page}: not stored\n{error}", file=sys.stderr)
            continue
        for line in problems(read(path), page, address()):
            failed += 1
            print(f"{page}: {line}", file=sys.stderr)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
