"""The command `gat-course`."""

import argparse
import sys
from collections.abc import Sequence

_OF_PAPERS = ("runs", "models", "labels", "split", "width", "epochs")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its arguments; by default those of this process.

    Returns:
        The exit code: 0; 2 for an error, of which one line on stderr tells; 130 when
        it was interrupted from the keyboard.

    >>> from gat_course.cli import main
    >>> sizes = ["--nodes", "1000", "--edges", "20000", "--features", "32"]
    >>> main(["cost", *sizes, "--memory", "8"])
    1,000 nodes, 20,000 edges, 32 dense features; ...
    0
    """
    args = _parser().parse_args(argv)
    errors = (ValueError, OSError, FloatingPointError, RuntimeError, ImportError)
    try:
        return args.run(args)
    except errors as error:
        print(f"gat-course: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ngat-course: interrupted. {args.interrupted}", file=sys.stderr)
        return 130


def _reproduce(args: argparse.Namespace) -> int:
    from gat_course.experiments import catalogue, papers, reproduce

    if args.name in catalogue.GRIDS:
        return _run_grid(args)
    plan = papers.EXPERIMENTS[args.name]
    asked = {name: getattr(args, name) for name in _OF_PAPERS[2:]}
    asked = {name: value for name, value in asked.items() if value is not None}
    if asked and args.name != "ppi":
        raise ValueError(f"--{', --'.join(asked)}: for ppi alone, not {args.name}")
    if asked:
        plan = papers.on_ppi(**asked)
    if plan.costs:
        args.interrupted += (
            " The run that was under way goes on from its last checkpoint: at most "
            "half a minute and one epoch are lost."
        )
    models = args.models or ["gat"]
    if args.published:
        models = ["gat", *reproduce.AS[args.published], *models]
    results = reproduce.reproduce(
        plan,
        args.runs,
        models,
        folder=args.folder,
        workers=args.workers,
    )
    print(reproduce.table(plan, results, args.folder).to_string())
    if len(results) > 1 and "gat" in results and min(map(len, results.values())) > 1:
        print(f"\n{reproduce.gaps(results).to_string()}")
    found = reproduce.lookup_of(plan, results, args.folder) if plan.costs else None
    if found:
        print(
            f"\na table 'gene: its labels', without learning: micro-F1 "
            f"{found['micro-F1']:.3f}; it knows {found['known']:,} of "
            f"{found['nodes']:,} test nodes"
        )
    return 0


def _run_grid(args: argparse.Namespace) -> int:
    from gat_course.experiments import catalogue, grids
    from gat_course.training.workers import usable_cores

    given = {name: getattr(args, name) for name in _OF_PAPERS}
    given = [f"--{name}" for name, value in given.items() if value is not None]
    if given or args.published:
        given += ["--as"] if args.published else []
        raise ValueError(f"{', '.join(given)}: not for {args.name}, whose runs are set")
    workers = usable_cores() if args.workers is None else args.workers
    grid = catalogue.GRIDS[args.name]
    runs = grids.run_grid(grid, args.folder, workers=workers)
    print(f"{grid.about}: mean and standard deviation over seeds")
    print(grids.summary(grid, runs).to_string())
    return 0


def _bench(args: argparse.Namespace) -> int:
    from gat_course.experiments import bench

    return bench.main(quick=args.quick, output=args.output)


def _cost(args: argparse.Namespace) -> int:
    from gat_course.experiments import catalogue, costs

    if not args.memory > 0:
        raise ValueError(f"--memory must be above 0, in GB; got {args.memory}")
    names = "nodes", "edges", "features", "heads", "hidden", "classes"
    shape = costs.Shape(**{name: getattr(args, name) for name in names})
    runs = catalogue.stored("costs")
    print("\n".join(costs.report(shape, 1e9 * args.memory, runs)))
    return 0


def _grade(args: argparse.Namespace) -> int:
    from gat_course.grading import command

    return command.run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gat-course", description="The course's experiments and assignments."
    )
    commands = parser.add_subparsers(title="commands", required=True)
    _add_reproduce(commands)
    _add_bench(commands)
    _add_cost(commands)
    _add_grade(commands)
    return parser


def _add_reproduce(commands: argparse._SubParsersAction) -> None:
    from gat_course.datasets import ppi
    from gat_course.experiments import catalogue, papers

    text = "Train as the GAT paper did, many times; compare with its table 2 or 3."
    other = "; ".join(f"{name}: {grid.about}" for name, grid in catalogue.GRIDS.items())
    command = commands.add_parser(
        "reproduce",
        help=text,
        description=f"{text} Finished runs are kept: the same command goes on where "
        "it was stopped, on PPI within a run too. PPI is trained on a GPU where "
        "PyTorch sees one, else on the CPU, where it takes far longer. The other names "
        f"make an experiment of chapters 7, 8 and 10, on the CPU: {other}.",
    )
    add = command.add_argument
    names = [*papers.EXPERIMENTS, *catalogue.GRIDS]
    add("name", choices=names, help="the data set, or an experiment")
    paper = "runs of each model (default: the paper's number, 100, for ppi 10)"
    add("--runs", type=int, help=paper)
    add(
        "--models",
        nargs="+",
        metavar="MODEL",
        help=f"{', '.join(papers.MODELS)} (default: gat); uniform is gat with its "
        "attention frozen",
    )
    add(
        "--as",
        dest="published",
        choices=list(papers.AS),
        help="also gat as the paper's code has it: each of its differences, and all",
    )
    add("--labels", choices=ppi.LABELS, help="of ppi (default: published)")
    share = f"{papers.HIDDEN_GENES:.0%}%"
    add(
        "--split",
        choices=papers.SPLITS,
        help=f"of ppi; gene-disjoint hides {share} of the genes (default: published)",
    )
    add("--width", type=int, help="of ppi: features of a hidden head (default: 256)")
    add("--epochs", type=int, help="of ppi, at most (default: 10000, with patience)")
    add("--folder", default="results", help="gets the files (default: results)")
    beside = "runs side by side (default: one on each core; 1 on a GPU)"
    add("--workers", type=int, help=beside)
    again = "Finished runs are kept; the same command goes on where it stopped."
    command.set_defaults(run=_reproduce, interrupted=again)


def _add_bench(commands: argparse._SubParsersAction) -> None:
    text = "Measure the layers' time and memory beside DGL's and PyG's."
    command = commands.add_parser(
        "bench",
        help=text,
        description=f"{text} The whole table takes some ten minutes and 16 GB.",
    )
    quick = "small graphs and few rounds, about a minute"
    command.add_argument("--quick", action="store_true", help=quick)
    command.add_argument(
        "--output", metavar="PATH", help="the file (default: results/bench.json)"
    )
    kept = "What was measured is in the file that ends in .partial."
    command.set_defaults(run=_bench, interrupted=kept)


def _add_cost(commands: argparse._SubParsersAction) -> None:
    text = "Predict whether a graph fits into memory, and how long an epoch takes."
    command = commands.add_parser(
        "cost",
        help=text,
        description=f"{text} For the paper's two-layer GAT, trained on all of the "
        "graph at once on a CPU, by the cost model of chapter 10. It times a step of "
        "100,000 edges on this machine.",
    )
    add = command.add_argument
    add("--nodes", type=int, required=True)
    add("--edges", type=int, required=True, help="directed: a link counts twice")
    add("--features", type=int, required=True, help="of a node")
    add("--heads", type=int, default=8, help="of the hidden layer (default: 8)")
    add("--hidden", type=int, default=8, help="features of a head (default: 8)")
    add("--classes", type=int, default=8, help="(default: 8)")
    add("--memory", type=float, required=True, help="what there is, in GB")
    command.set_defaults(run=_cost, interrupted="Nothing is kept.")


def _add_grade(commands: argparse._SubParsersAction) -> None:
    text = "Grade a folder of submissions to an assignment, in a sandbox."
    command = commands.add_parser(
        "grade",
        help=text,
        description=f"{text} Otter-Grader's tests judge; bubblewrap keeps strangers' "
        "code from the network, the disk, the tests and each other, or Docker does. "
        "Submissions are notebooks NAME.ipynb, or folders with one each, as Canvas and "
        "Moodle hand them out. A table of grades and a page for each student are "
        "written. What was graded is kept: the same command goes on where it stopped, "
        "and grades again what changed, a submission or a test.",
    )
    add = command.add_argument
    add("submissions", help="the folder")
    place = "its number, after `make assignments`; or an autograder, folder or zip"
    add("--assignment", required=True, help=place)
    add("--out", help="gets the grades (default: grades-assignment-N)")
    add("--roster", help="a gradebook exported from Canvas: fills its columns")
    add("--workers", type=int, help="submissions at a time (default: one on each core)")
    seconds = "that one call of an answer may take (default: 10)"
    add("--seconds", type=float, default=10.0, help=seconds)
    add("--similar", action="store_true", help="also list pairs that look alike")
    trust = "run them without a sandbox: each may do what you may do"
    add("--trust-submissions", action="store_true", help=trust)
    again = "What was graded is kept; the same command goes on where it stopped."
    command.set_defaults(run=_grade, interrupted=again)
