"""The verifier `gym`: problems of `reasoning-gym`, judged by the task's own scoring function."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal

from synth.errors import SetupError
from synth.records import Problem, Rationale
from synth.verify.verdict import Verdict

__all__ = ["GYM", "is_plain", "runs_answers", "verify_by_gym"]

GYM = "gym"
"""The name of the verifier."""

_LONGEST = 4_000
_NEARLY = 1 - 1e-9
_MOST_POWER = 100
_EVALUATES = {
    "eval": "data",
    "exec": "data",
    "parse_expr": "formula",
    "sympify": "formula",
    "S": "formula",
    "parse_latex": "formula",
}
"""Functions that run text as Python, some of them within sympy, and which text may be given to them."""
_FORMULA_NAMES = frozenset(
    ("sin", "cos", "tan", "exp", "log", "ln", "sqrt", "Abs", "asin", "acos", "atan", "sinh", "cosh", "tanh", "pi", "E")
)


def verify_by_gym(rationale: Rationale, problem: Problem) -> Verdict:
    """Whether a solution is right by the scoring function of the task that the problem is of (`meta.gym_task`).

    The problem is generated again from its task, options, seed and index, and scored as reasoning-gym does: right from a score of 1 on;
    a smaller score is the grade. Scoring
    functions of some tasks run the answer as Python, directly or within sympy. These are only given answers that are plain data (numbers, texts and
    lists of such, or no Python at all) or plain formulas; all other answers to such tasks are `undecided`.

    Raises:
        SetupError: the package is not installed.
    """
    task, index = problem.meta.get("gym_task"), problem.meta.get("gym_index")
    if not isinstance(task, str) or not isinstance(index, int):
        return _undecided(rationale, problem, "the problem does not come from gym:, or its meta is lost")
    options = problem.meta.get("gym_options")
    if not isinstance(options, Mapping):
        options = {"seed": problem.meta.get("gym_seed"), "size": index + 1}
    dataset = _dataset(task, tuple(sorted((str(k), v) for k, v in options.items())))
    entry = _entry(dataset, index)
    if entry is None or str(entry["question"]).strip() != problem.question:
        return _undecided(rationale, problem, f"this version of reasoning-gym does not make this problem of {task}")
    answer = rationale.answer
    if answer is None:
        return Verdict("unparsed", None, problem.answer or "", _method(), "no answer was found")
    form = runs_answers(dataset)
    if form is not None and not is_plain(answer, form):
        return _undecided(
            rationale, problem, f"the scoring of {task} runs answers as Python, and this one is no plain {form}"
        )
    score = float(dataset.score_answer(answer, entry))
    label: Literal["right", "wrong"] = "right" if score >= 1 else "wrong"
    partial = min(max(score, 0.0), _NEARLY) if label == "wrong" else None
    return Verdict(label, answer, problem.answer or "", _method(), f"{task} scores it {score:.3g} of 1", partial)


def _entry(dataset: Any, index: int) -> Any:
    """The item of a task; None where it has no such."""
    try:
        return dataset[index] if dataset is not None and 0 <= index < len(dataset) else None
    except (TypeError, ValueError, IndexError):  # of options that are none
        return None


def _undecided(rationale: Rationale, problem: Problem, why: str) -> Verdict:
    return Verdict("undecided", rationale.answer, problem.answer or "", _method(), why)


def _method() -> str:
    return f"{GYM}/1"


@lru_cache(maxsize=64)
def _dataset(task: str, options: tuple[tuple[str, Any], ...]) -> Any:
    """A task with its options; None where the package knows no such."""
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ImportError as error:
        raise SetupError(
            "the verifier gym needs an extra", where="verifier: gym", fix="pip install 'synth-rationales[gym]'"
        ) from error
    if task not in DATASETS:
        return None
    try:
        return reasoning_gym.create_dataset(task, **dict(options))
    except (TypeError, ValueError, AssertionError):
        return None


def runs_answers(dataset: Any) -> Literal["data", "formula"] | None:
    """Whether the scoring function of a task may run text as Python, and which text it can be given all the same; None where it does not.

    All functions of its module that scoring reaches are looked through.
    """
    kind = type(dataset)
    found: Literal["data", "formula"] | None = None
    for base in kind.__mro__:
        if "score_answer" not in base.__dict__:
            continue
        try:
            tree = ast.parse(inspect.getsource(sys.modules[base.__module__]))
        except (OSError, TypeError, KeyError):  # no source: nothing is known of it
            return "data"
        functions = {n.name: n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        reached, waiting = {"score_answer"}, ["score_answer"]
        while waiting:
            for name in _called(functions[waiting.pop()]):
                if name in _EVALUATES and name not in functions:
                    found = "formula" if "formula" in {found, _EVALUATES[name]} else "data"
                elif name in functions and name not in reached:
                    reached.add(name)
                    waiting.append(name)
        break
    return found


def _called(node: ast.AST) -> Iterator[str]:
    """The names of all that a function may call, or hand on to be called."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr


def is_plain(text: str, form: Literal["data", "formula"]) -> bool:
    """Whether running a text as Python can do nothing but give a value.

    Args:
        text: the text, which a model wrote.
        form: `data`: numbers, texts, and lists of such, a single word, or text that is no Python; `formula`: numbers, letters and calls of
            mathematical functions under the four operations and powers of at most 100.
    """
    if len(text) > _LONGEST:
        return False
    try:
        return _is_formula(ast.parse(text.strip(), mode="eval").body, 1) if form == "formula" else _is_data(text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return False


def _is_data(text: str) -> bool:
    """Whether a text is plain data.

    Raises:
        ValueError: it is something else, as `ast.literal_eval` says it.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):  # it is looked up, and nothing is done with it
            return True
        ast.literal_eval(tree)
    except SyntaxError:
        return _is_no_python(text)
    return True


def _is_no_python(text: str) -> bool:
    """Whether a text cannot be run, and no line of it does more than to give a value."""
    for part in (text, *text.splitlines()):
        try:
            body = ast.parse(part.strip()).body
        except SyntaxError:
            continue
        for statement in body:
            if not isinstance(statement, ast.Expr):
                return False
            if not isinstance(statement.value, ast.Name):
                ast.literal_eval(statement.value)
    return True


def _is_formula(node: ast.expr, power: float) -> bool:
    """Whether a part of a formula is plain; `power` is the product of the exponents around it."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return not isinstance(value, bool) and abs(value) < 1e15
        case ast.Name(id=name):
            return name in _FORMULA_NAMES or (len(name) == 1 and name.isascii() and name.isalpha())
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            return _is_formula(operand, power)
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), left=left, right=right):
            return _is_formula(left, power) and _is_formula(right, power)
        case ast.BinOp(op=ast.Pow(), left=left, right=right):
            exponent = right.operand if isinstance(right, ast.UnaryOp) else right
            if isinstance(exponent, ast.Constant) and isinstance(exponent.value, (int, float)):
                total = power * max(1.0, abs(exponent.value))
                return total <= _MOST_POWER and _is_formula(left, total)
            return _is_small(right) and _is_formula(left, power)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return name in _FORMULA_NAMES and _is_small(argument)
    return False


def _is_small(node: ast.expr) -> bool:
    """Whether an exponent, or the argument of a function, stays small whatever its letters are: three numbers of at most 20, powers of 3."""
    parts = list(ast.walk(node))
    numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
    few = len(numbers) <= 3 and all(isinstance(n, (int, float)) and abs(n) <= 20 for n in numbers)
    return few and not any(isinstance(part, ast.Call) for part in parts) and _is_formula(node, _MOST_POWER / 3)
