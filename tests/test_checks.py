"""The checks of exercises: right answers, wrong ones, none at all, and hostile ones."""

import os
import random
import signal
import subprocess
import sys
import textwrap
from functools import partial

import answers
import hints
import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves

from gat_course import BOOK, GraphData, checks
from gat_course.checks import guard, judge, reading, showing
from gat_course.checks.question import QUESTIONS, Case, case, question

ANSWERS = answers.load()
EXERCISES = sorted({a.number for a in ANSWERS}, key=lambda n: [*map(int, n.split("."))])
RIGHT = [answer for answer in ANSWERS if answer.is_right]
WRONG = [answer for answer in ANSWERS if not answer.is_right]
FIRST = {answer.number: answer for answer in reversed(RIGHT)}
HINT = "not right yet. "


def names(answer):
    return answer.name


def ask(number, *given, **options):
    """Whether the answer is right, and what is printed at the first time."""
    checks._LAST.clear()
    with guard.captured() as printed:
        verdict = checks.exercise(number, *given, **options)
    return verdict, printed.getvalue()


# ------------------------------------------------------------ the answers


def test_every_exercise_has_answers_enough():
    for number in EXERCISES:
        own = [a for a in ANSWERS if a.number == number]
        assert sum(a.is_right for a in own) >= 3, number
        assert sum(not a.is_right for a in own) >= 8, number
    assert len({a.name for a in ANSWERS}) == len(ANSWERS)
    ask("1.1", None)  # imports a chapter; the others come with their exercises
    for chapter in range(1, 11):
        ask(f"{chapter}.1", None)
    own = [n for n in QUESTIONS if n[0] != "A"]  # not those of assignments
    assert sorted(own) == sorted(EXERCISES)


@pytest.mark.parametrize("answer", RIGHT, ids=names)
def test_a_right_answer_is_right(answer):
    assert ask(answer.number, *answer.given) == (
        True,
        f"Exercise {answer.number}: right.\n",
    )


@pytest.mark.parametrize("answer", WRONG, ids=names)
def test_a_wrong_answer_is_named_and_shown(answer):
    is_right, text = ask(answer.number, *answer.given)
    assert not is_right
    assert text.startswith(f"Exercise {answer.number}: {HINT}")
    # Its own hint, where to read, and an input that shows it. (What is too large to be
    # written out, and a value without an input, say in words what is wrong.)
    assert answer.hint in text
    assert "\n  Read: chapter" in text and BOOK in text
    shown = ("expected" in text and ("gave" in text or "raised" in text)) or (
        "is now" in text or "The graph: " in text
    )
    limit = any(word in text for word in ("numbers are right", "shares are right"))
    given = QUESTIONS[answer.number].given
    assert shown or limit or given or "a large input" in text
    if given:
        assert "expected" not in text  # it would be the solution


@pytest.mark.parametrize("number", EXERCISES)
def test_every_known_mistake_is_told_by_its_own_hint(number):
    hints.told_by_its_own(number)


@pytest.mark.parametrize("number", EXERCISES)
def test_where_to_read_is_a_heading_of_the_chapter(number):
    hints.points_to_a_heading(number)


def nothing(*_, **__):
    return None


BLANK = {"1.1": ([None] * 2,), "1.6": (None, None), "4.5": (nothing, nothing)}


@pytest.mark.parametrize("number", EXERCISES)
def test_a_starter_cell_is_not_done_yet(number):
    given = BLANK.get(number, (nothing,))
    assert ask(number, *given) == (False, f"Exercise {number}: not done yet.\n")


def test_other_ways_of_saying_nothing():
    def later(*args):
        raise NotImplementedError

    for given in (None, ..., later, lambda *args: ...):
        assert ask("1.2", given)[1] == "Exercise 1.2: not done yet.\n"
    assert "prints its result" in ask("1.2", lambda *args: print(args))[1]
    assert "`weights_of_node_4` is not filled in" in ask("1.1", [0.5, None])[1]
    u, w = FIRST["4.5"].given
    assert "`gcn_weigh` returns nothing yet" in ask("4.5", u, nothing)[1]
    assert "`gcn_coordinates` returns nothing yet" in ask("4.5", nothing, w)[1]
    some = ask("1.2", lambda s, m, t: None if t < 1 else s.softmax(1))[1]
    assert "returns nothing here" in some and "return" in some


def test_an_unknown_exercise_is_said_and_raises_nothing():
    there = ", ".join(n for n in EXERCISES if n.startswith("6."))
    said = f"There is no exercise '6.9' with a check; there are {there}.\n"
    assert ask("6.9", 1) == (False, said)
    for unknown in ("11.1", "x", "", None):
        assert "exercises of chapters 1, 2, 3, 4, 5, 6, 7, 8, 9, 10" in ask(unknown)[1]
    assert ask(6.4, None) == (False, "Exercise 6.4: not done yet.\n")


def test_a_chapters_checks_are_imported_when_one_is_asked_for():
    lines = [
        "import sys",
        "from gat_course import checks",
        "assert not checks.exercise('1.4', None)",
        "print(*(name for name in sys.modules if '.chapter_' in name))",
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = done.stdout.split("\n")[1].split()
    assert {name.split("chapter_")[1][:2] for name in modules} == {"01"}


# ------------------------------------------------------------ what explains it


def double(x):
    return 2 * x


def two(value):
    return torch.tensor([value, 1.0])


@pytest.fixture
def doubled():
    """A question without known mistakes."""
    cases = [case(two(v)) for v in (1.0, 3.0, -2.0)]
    options = {"section": "", "cases": cases, "mistakes": {}}
    question("1.99", **options)(double)
    yield
    del QUESTIONS["1.99"]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x: 4 * x, "Everything is twice"),
        (lambda x: -2 * x, "The sign is wrong"),
        (lambda x: 2 * x + 1, "It is one too many"),
        (lambda x: 2.5 * x, "Everything is 1.25 times"),
        (lambda x: 2 * x + 0.3, "It is 0.3 too large, always."),
        (lambda x: (2 * x).clamp(min=0), "A ReLU is left in"),
        (lambda x: (2 * x).flip(0), "in reverse order"),
        (lambda x: (2 * x).sum(), "are added up"),
        (lambda x: 2 * x[:1], "The last rows are missing"),
        (lambda x: (2 * x)[:, None], "a dimension of size 1 too many"),
        (lambda x: x, "Everything is half of what it should be"),
        (lambda x: torch.tensor([3.0, 5.0]), "does not depend on `x`"),
        (lambda x: 2 * x if x[0] > 0 else x * x, "where `x` holds a number below 0"),
        (lambda x: 2 * x + torch.tensor([0, x[0] ** 2]), "Only the last entry is"),
        (lambda x: 2 * x + 0.1 * torch.randn(2), "gives two results"),
        (torch.sinh, "wrong on 3 of 3 inputs"),
    ],
)
def test_an_unknown_mistake_is_described(doubled, answer, hint):
    text = ask("1.99", answer)[1]
    assert HINT in text and hint in text and "expected torch.tensor([" in text


def test_two_mistakes_at_once_are_both_named():
    later = ask("1.2", lambda s, m, t: torch.softmax(s * t, 1))[1]
    assert "Two things at once. " in later
    assert "multiplied by τ" in later and "mask is not used" in later


def test_a_hint_must_explain_every_input(doubled):
    """Right but for one input, it is no known mistake of all of them."""
    q = QUESTIONS["1.99"]
    known = {"That is x cubed.": lambda x: x**3}
    options = {"section": "", "cases": q.cases, "mistakes": known}
    question("1.99", **options)(double)
    assert "cubed" in ask("1.99", lambda x: x**3)[1]
    assert "cubed" not in ask("1.99", lambda x: x**3 if x[0] == 3 else 2 * x)[1]


def test_a_case_that_the_right_answer_fails_on_is_an_error_of_ours(doubled):
    q = QUESTIONS["1.99"]
    options = {"section": "", "cases": [*q.cases, Case(("a",))], "mistakes": {}}
    question("1.99", **options)(double)
    assert "not checked: " in ask("1.99", lambda x: x + "b")[1]


def test_an_exercise_has_one_check():
    with pytest.raises(ValueError, match="exercise 1.1 has a check already"):
        question("1.1", section="", cases=[], mistakes={})(lambda: None)


def test_values_can_be_copied_into_a_cell():
    graph = GraphData(num_nodes=3, src=[0, 1], dst=[1, 2], y=[0, 1, 1])
    values = [
        torch.tensor([[1.0, -0.25], [3.0, 1e-9]]),
        torch.tensor([True, False]),
        torch.tensor([3, 4]),
        torch.rand(3).double(),
        torch.zeros(0, 2),
        torch.rand(9, 9),
        [1, 2.5, "a", (None,)],
        np.array([1.0, 2.0]),
    ]
    inf, nan = float("inf"), float("nan")
    space = {"torch": torch, "np": np, "GraphData": GraphData, "inf": inf, "nan": nan}
    for value in values:
        again = eval(showing.literal(value, digits=17), dict(space))
        leaves = zip(tree_leaves(value), tree_leaves(again), strict=True)
        for old, new in leaves:
            assert type(old) is type(new)
            assert np.array_equal(np.asarray(old), np.asarray(new))
    again = eval(showing.literal(graph), dict(space))
    assert not judge.changed(graph, again)
    assert "shape [300]" in showing.literal(torch.zeros(300))


# ------------------------------------------------------------ form


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (3, "should be a function, not an int: hand it over without calling it"),
        (lambda scores: scores, "It is called with 3 arguments, (scores, mask, tau)"),
        (lambda s, m, t: "x", "should be numbers, not text"),
        (lambda s, m, t: {"a": 1}, "should be numbers, not a dictionary"),
        (lambda s, m, t: s.tolist() + [[1.0]], "in rows of equal length"),
        (lambda s, m, t: s.to(torch.complex64), "should be real numbers"),
        (lambda s, m, t: s.to("meta"), "on the meta device a tensor holds none"),
        (lambda s, m, t: unknown, "NameError: name 'unknown' is not defined"),  # noqa
        (lambda s, m, t: s[7], "in your line"),
        (lambda s, m, t: s / 0 + [][0], "raised   IndexError"),
    ],
)
def test_an_answer_of_another_form_gets_a_verdict(answer, hint):
    text = ask("1.2", answer)[1]
    assert text.startswith(f"Exercise 1.2: {HINT}") and hint in text


def test_values_of_another_form_get_a_verdict():
    for value in (0.599, torch.tensor(0.5), "ab", [["a"], ["b"]], 3, [1.0, [2.0]]):
        for number, given in (("1.1", (value,)), ("1.6", (value, value))):
            text = ask(number, *given)[1]
            assert HINT in text and "expected" not in text
    W, a = FIRST["1.6"].given
    assert HINT in ask("1.6", a, W)[1]


def test_fractions_and_decimals_are_numbers():
    from decimal import Decimal
    from fractions import Fraction

    numbers = [Fraction(1, 2), [Decimal("0.25"), np.float32(3)], torch.tensor(2.0)]
    found = [reading.numbers(value).tolist() for value in numbers]
    assert found == [0.5, [0.25, 3.0], 2.0]
    expected = {"6.1": lambda p, q: Fraction(2 * p * q) / Fraction(p + q)}
    assert ask("6.1", expected["6.1"])[0]
    assert ask("2.1", lambda b, k, m: Decimal(int((b / 4 / k / m) ** 0.5)))[0]


@pytest.mark.parametrize("number", EXERCISES)
def test_half_precision_and_meta_get_a_verdict(number):
    given = FIRST[number].given
    for change in (torch.Tensor.half, lambda t: t.to("meta")):
        text = ask(number, *changed(given, change))[1]
        assert text.startswith(f"Exercise {number}: ")
        assert "not checked" not in text


# ------------------------------------------------------------ hostile answers


def forever(*args):
    while True:
        pass


def stubborn(*args):
    while True:
        try:
            forever()
        except Exception:
            pass


def asleep(*args):
    import ctypes

    ctypes.CDLL(None).sleep(1000)  # does not return to Python


def leaves_python(*args):
    sys.exit("bye")


def exits_hard(*args):
    os._exit(0)


def crashes(*args):
    import ctypes

    ctypes.string_at(0)


def eats(*args):
    return [torch.ones(10**9) for _ in range(1000)]


def asks(*args):
    return input("what? ")


def shouts(*args):
    for _ in range(10_000):
        print("x" * 10_000)


HOSTILE = {
    forever: "It was stopped after 2 seconds, in the call\n    forever(torch.tensor(",
    stubborn: "stopped after 2 seconds",
    asleep: "stopped after 2 seconds",
    leaves_python: "it ends Python",
    exits_hard: "In this call it ends Python",
    crashes: "Python crashed (SIGSEGV)",
    eats: "4 GB of memory",
    asks: "cannot answer input()",
    shouts: "It prints its result; return it instead.",
}
ALONE = sys.platform == "linux"


@pytest.mark.skipif(not ALONE, reason="checks run in a process of their own on Linux")
@pytest.mark.parametrize("answer", HOSTILE, ids=lambda f: f.__name__)
def test_a_hostile_answer_ends_alone(answer):
    slow = answer in (forever, stubborn, asleep)
    text = ask("1.2", answer, **({"seconds": 2} if slow else {}))[1]
    assert text.startswith(f"Exercise 1.2: {HINT}") and HOSTILE[answer] in text


@pytest.mark.parametrize("answer", [forever, stubborn, leaves_python, exits_hard, asks])
def test_where_it_cannot_be_alone_it_is_stopped_within_python(answer, monkeypatch):
    monkeypatch.setattr(guard, "run", guard._in_the_session)
    slow = answer in (forever, stubborn)
    text = ask("1.2", answer, **({"seconds": 2} if slow else {}))[1]
    assert text.startswith(f"Exercise 1.2: {HINT}")
    assert HOSTILE[answer] in text.replace("    forever(", "    forever(")


def test_what_does_not_return_to_python_is_said(tmp_path):
    """In a process of its own, as the check cannot stop it."""
    code = """
        import ctypes, threading, os
        from gat_course import checks
        from gat_course.checks import guard
        guard.run = guard._in_the_session
        asleep = lambda s, m, t: [ctypes.CDLL(None).sleep(1) for _ in range(9)]
        checks.exercise("1.2", asleep, seconds=0.3)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "does not return to Python, so the check cannot stop it" in done.stdout
    assert "stopped after 0.3 seconds" in done.stdout


class Evil(Exception):
    def __str__(self):
        raise RuntimeError("no")


def raises(error):
    def answer(*args):
        raise error

    return answer


class Base(BaseException):
    pass


def own_list(*args):
    found = []
    found.append(found)
    return found


def writes_everywhere(*args):
    for place in range(3, 1000):
        try:
            os.write(place, b"x\n[1]\n")
        except OSError:
            pass


ODD = [
    raises(Evil()),
    raises(ValueError("\ud800")),
    raises(GeneratorExit()),
    raises(Base()),
    own_list,
    lambda *args: 10**100000,
    lambda *args: "\ud800",
]


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("answer", ODD)
def test_an_odd_answer_gets_a_verdict(answer, alone, monkeypatch):
    if not alone:
        monkeypatch.setattr(guard, "run", guard._in_the_session)
    text = ask("1.2", answer)[1]
    assert text.startswith(f"Exercise 1.2: {HINT}") and "expected" in text


@pytest.mark.skipif(not ALONE, reason="the pipe is that of a process of its own")
def test_an_answer_writes_neither_to_the_session_nor_a_verdict():
    """Not even to what is open there: a kernel's sockets, or a test runner's."""
    reading, writing = os.pipe()
    assert ask("1.2", writes_everywhere)[1] == "Exercise 1.2: not done yet.\n"
    os.close(writing)
    assert os.read(reading, 100) == b""
    os.close(reading)


@pytest.mark.skipif(not ALONE, reason="checks run in a process of its own on Linux")
def test_a_session_without_streams_gets_a_verdict():
    code = """
        import os, sys
        from gat_course import checks
        from gat_course.formulas import masked_softmax
        out = os.dup(1)
        sys.stdout = sys.stderr = None
        for stream in (0, 1, 2):
            os.close(stream)
        told = checks.exercise("1.2", lambda scores, mask, tau: scores)
        right = checks.exercise("1.2", lambda s, m, t: masked_softmax(s / t, m))
        os.write(out, repr((told, right)).encode())
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("(False, True)")


def test_odd_sessions(monkeypatch):
    right = FIRST["1.2"].given[0]
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert ask("1.2", right)[0]
    finally:
        signal.signal(signal.SIGCHLD, before)
    for seconds in (None, float("nan"), -1):
        assert ask("1.2", right, seconds=seconds)[0]
    monkeypatch.setattr(sys, "stdout", None)
    assert checks.exercise("1.2", right)


def test_a_process_that_cannot_begin_is_done_without(monkeypatch):
    monkeypatch.setattr(guard, "_in_a_process", lambda work, seconds: "")
    assert ask("1.2", FIRST["1.2"].given[0])[0]


def test_what_an_answer_prints_is_not_the_verdicts():
    def talks(scores, mask, tau):
        print("Exercise 1.2: right.")
        return scores

    text = ask("1.2", talks)[1]
    assert text.count("Exercise 1.2") == 1 and HINT in text


# ------------------------------------------------------------ the session


def state():
    return (
        torch.get_rng_state().tolist(),
        str(np.random.get_state()),
        random.getstate(),
        torch.get_default_dtype(),
        torch.empty(0).device,
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        os.getcwd(),
        dict(os.environ),
        np.geterr(),
        list(sys.path),
    )


def meddles(scores, mask, tau):
    torch.manual_seed(7), np.random.seed(7), random.seed(7)
    torch.set_default_dtype(torch.float64), torch.set_default_device("meta")
    torch.set_grad_enabled(False), np.seterr(all="raise"), sys.path.insert(0, "/x")
    os.environ["GAT_COURSE_X"] = "1"
    os.chdir("/")
    return scores


@pytest.mark.parametrize("alone", [True, False])
def test_an_answer_changes_nothing_in_the_session(alone, monkeypatch):
    if not alone:
        monkeypatch.setattr(guard, "run", guard._in_the_session)
    before = state()
    assert HINT in ask("1.2", meddles)[1]
    assert state() == before


@pytest.mark.parametrize("number", EXERCISES)
def test_a_check_does_not_mind_the_sessions_settings(number):
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            assert ask(number, *FIRST[number].given)[0]
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)


def test_the_same_verdict_comes_without_a_process_of_its_own(monkeypatch):
    chosen = [*RIGHT[::9], *WRONG[::25]]
    alone = [ask(a.number, *a.given) for a in chosen]
    monkeypatch.setattr(guard, "run", guard._in_the_session)
    assert [ask(a.number, *a.given) for a in chosen] == alone


def test_the_same_wrong_result_twice_is_said(capsys):
    for _ in range(2):
        checks.exercise("1.2", lambda s, m, t: s.softmax(1))
    checks.exercise("1.2", lambda s, m, t: s)
    again = "(The same as at the last check: what you changed did not reach it.)"
    assert [again in t for t in capsys.readouterr().out.split("Exercise")[1:]] == [
        False,
        True,
        False,
    ]


def test_where_to_read_depends_on_the_mistake():
    def masked_late(z, att_dst, att_src, mask, chunk):
        e = torch.nn.functional.leaky_relu((z @ att_dst)[:, None] + z @ att_src, 0.2)
        return (e.softmax(1) * mask) @ z

    text = ask("2.4", masked_late)[1]
    assert 'Read: chapter 2, "The mask"' in text and "#the-mask" in text
    assert "differs  in row" in text


def test_an_argument_that_is_written_into_is_named():
    def in_place(scores, mask, tau):
        scores /= tau
        from gat_course import formulas

        return formulas.masked_softmax(scores, mask)

    text = ask("1.2", in_place)[1]
    assert "You write into `scores`, which you are given" in text
    assert "scores was" in text and "scores is now" in text


# Answers that are elsewhere, or of another kind


class Elsewhere(torch.Tensor):
    """A tensor that behaves as one on a GPU does to those who forget `.cpu()`."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if func == torch.Tensor.device.__get__:
            return torch.device("cuda", 0)
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        meets_others = any(not isinstance(t, Elsewhere) and t.dim() for t in given)
        if meets_others and func is not torch.autograd.grad:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two "
                f"devices, cuda:0 and cpu! ({name})"
            )
        if name == "numpy":
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        found = super().__torch_function__(func, types, args, kwargs)
        if func is torch.autograd.grad:  # a gradient is where its tensor is
            pairs = zip(found, tree_leaves(args[1]), strict=True)
            return tuple(grad.as_subclass(type(of)) for grad, of in pairs)
        return found.as_subclass(torch.Tensor) if name == "cpu" else found


class GraphElsewhere(GraphData):
    """A graph of which nothing can be had before it is moved."""

    def __init__(self, graph):
        object.__setattr__(self, "graph", graph)

    def to(self, device):
        assert torch.device(device).type == "cpu"
        return self.graph


class LayerElsewhere(torch.nn.Module):
    """A layer that computes only once it has been moved."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.moved = layer, False

    def to(self, *where):
        self.moved = True
        return super().to(*where)

    def forward(self, graph, x, **options):
        if not self.moved:
            raise RuntimeError("Expected all tensors to be on the same device")
        return self.layer(graph, x, **options)


def changed(answer, change, graph=None, layer=None):
    """The same answer with each tensor in it, or in what it returns, changed."""
    again = partial(changed, change=change, graph=graph, layer=layer)
    if isinstance(answer, torch.Tensor):
        return change(answer)
    if isinstance(answer, (list, tuple)):
        return type(answer)(map(again, answer))
    if isinstance(answer, GraphData):
        return (graph or (lambda g: g))(answer)
    if isinstance(answer, torch.nn.Module):
        return (layer or (lambda m: m))(answer)
    if callable(answer):
        return lambda *given, **named: again(answer(*given, **named))
    return answer


def as_elsewhere(answer):
    return changed(
        answer,
        lambda tensor: tensor.as_subclass(Elsewhere),
        GraphElsewhere,
        LayerElsewhere,
    )


def test_the_stand_in_for_a_gpu_refuses_what_a_gpu_refuses():
    there, here = torch.ones(2).as_subclass(Elsewhere), torch.ones(2)
    assert (there + there).device.type == "cuda" and (2 * there)[0] == 2
    for wrong in (lambda: there + here, lambda: torch.equal(here, there)):
        with pytest.raises(RuntimeError, match="on the same device"):
            wrong()
    assert type(there.detach().cpu()) is torch.Tensor
    assert torch.equal(there.detach().cpu() + here, 2 * here)


# Their functions are handed each other's results.
IN_TWO_STEPS = ("4.5",)


@pytest.mark.parametrize("number", [n for n in EXERCISES if n not in IN_TWO_STEPS])
def test_a_right_answer_on_another_device_is_right(number):
    assert ask(number, *as_elsewhere(FIRST[number].given))[0]


def with_gradient(tensor):
    return tensor.clone().requires_grad_() if tensor.is_floating_point() else tensor


@pytest.mark.parametrize("number", EXERCISES)
@pytest.mark.parametrize(
    "change", [with_gradient, torch.Tensor.double, lambda t: t.to_sparse().to_dense()]
)
def test_another_kind_of_tensor_is_right(number, change):
    given = FIRST[number].given
    if (number, change) not in (
        ("2.5", torch.Tensor.double),  # sources must be whole numbers
        ("5.7", with_gradient),  # a loss must keep its own gradient
        ("6.3", with_gradient),
        ("7.8", with_gradient),
    ):
        given = changed(given, change)
    assert ask(number, *given)[0]


def test_extra_arguments_modules_and_partials_are_answers():
    from gat_course import formulas

    class Layer(torch.nn.Module):
        def forward(self, scores, mask, tau, more=1):
            return formulas.masked_softmax(scores / tau, mask)

    for answer in (Layer(), partial(Layer.forward, None), Layer().forward):
        assert ask("1.2", answer)[0]
