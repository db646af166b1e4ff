"""How the time of a pattern, or of a function over a text, grows with the text; and texts that make it grow.

`Attacks` are made of a pattern's own parse tree: what each of its repetitions repeats, and what leads to it, many times
over and with an end that does not fit. Others are of any kind: signs, words and brackets, each many times.
"""

from __future__ import annotations

import ast
import gc
import importlib
import inspect
import os
import pkgutil
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any, NamedTuple

from methods import code_of

import synth
from synth.pipeline import catalogue
from synth.shipped import shipped

Attack = tuple[str, str, str]
"""A beginning, what comes many times, and an end."""
ROOT = Path(synth.__file__).parent
SIGNS = " \t\n\u3000aAé答10_.,:;?!'\"`*#-+=/\\()[]{}<>^$%&@|~\u0301²。…“"
"""A sign of every kind that patterns treat alike."""
END = "\0"
"""A sign that no pattern expects."""


class TooSlowError(Exception):
    """A probe took more than its time."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """End what takes more processor time than this. `re` looks for signals, so that also one match of a pattern ends.

    The collector rests meanwhile: an error that is raised within a callback of it, such as Hypothesis has, ends nothing.
    """

    def stop(*_: Any) -> None:
        raise TooSlowError

    before, collects = signal.signal(signal.SIGPROF, stop), gc.isenabled()
    gc.disable()
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        if collects:
            gc.enable()


def seconds_of(call: Callable[[], object], most: float) -> float:
    """Processor seconds of a call; `most` where it takes longer."""
    try:
        with at_most(most):
            begin = time.thread_time()
            call()
            return min(most, time.thread_time() - begin)
    except TooSlowError:
        return most


# Which patterns there are.


class Found(NamedTuple):
    """A pattern of the source."""

    where: str
    """Module, line, and the name of what holds it or of the function that makes it."""
    pattern: re.Pattern[Any]
    ways: frozenset[str]
    """The methods by which it is used."""


class _Site(NamedTuple):
    """A place in the source that makes a pattern."""

    module: ModuleType
    call: ast.Call
    used: str | None
    """The method that is called on what it makes, where that is called at once."""
    owner: str
    """What a module's attribute is called that holds it; else the function around it."""
    within: bool
    """Whether it is in a function."""

    def __str__(self) -> str:
        return f"{name_of(self.module)}:{self.call.lineno} ({self.owner})"


_MAKERS = {"compile", "match", "search", "fullmatch", "findall", "finditer", "sub", "subn", "split"}


def modules() -> list[ModuleType]:
    """All modules of the package, and the Python of its methods."""
    names = [m.name for m in pkgutil.walk_packages([str(ROOT)], "synth.") if not m.name.endswith("__main__")]
    brought = [(name, file) for name, at in catalogue().items() for file in sorted(at.parent.glob("*.py"))]
    return [synth, *map(importlib.import_module, names), *(code_of(name, file.name) for name, file in brought)]


def name_of(module: ModuleType) -> str:
    """Its name; of the Python of a method, FAMILY.METHOD.FILE."""
    path = Path(module.__file__ or "")
    if path.is_relative_to(shipped("pipelines")):
        return ".".join(path.relative_to(shipped("pipelines")).with_suffix("").parts)
    return module.__name__


def patterns(made_by: Callable[[], object]) -> tuple[list[Found], list[str]]:
    """Every pattern of the package that `re` compiles; and the places in the source of which none was seen.

    What a module holds, and what is made of literals, is found by itself; the rest while it is made.

    Args:
        made_by: calls the functions that make patterns of their arguments.
    """
    found: list[Found] = []
    open_sites: list[_Site] = []
    for site in (site for module in modules() for site in _sites(module)):
        made = _evaluated(site) or ([] if site.within else [*_held(getattr(site.module, site.owner, None))])
        found += [Found(str(site), pattern, _ways(site)) for pattern in made]
        open_sites += [] if made else [site]
    with _intercepted() as seen:
        made_by()
    missing = []
    for site in open_sites:
        lines = range(site.call.lineno, (site.call.end_lineno or site.call.lineno) + 1)
        made = [p for file, line, p in seen if file == site.module.__file__ and line in lines]
        found += [Found(str(site), pattern, _ways(site)) for pattern in dict.fromkeys(made)]
        missing += [] if made else [str(site)]
    return found, missing


def _sites(module: ModuleType) -> Iterator[_Site]:
    def visit(node: ast.AST, above: ast.AST | None, owner: str, within: bool) -> Iterator[_Site]:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            owner, within = node.name, True
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            owner = owner if within and not target.startswith("self.") else target
        method = node.func if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
        if method is not None and method.attr in _MAKERS and ast.unparse(method.value) == "re":
            own = None if method.attr == "compile" else method.attr
            yield _Site(module, node, above.attr if isinstance(above, ast.Attribute) else own, owner, within)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, node, owner, within)

    yield from visit(_tree(module), None, "", False)


@cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _evaluated(site: _Site) -> list[re.Pattern[Any]]:
    """The pattern, where it is made of what the module holds."""
    call = site.call
    at = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(call.func.attr, 2)  # type: ignore[attr-defined]
    flags = [*(k.value for k in call.keywords if k.arg == "flags"), *call.args[at : at + 1]]
    try:
        text, *more = (eval(ast.unparse(e), dict(vars(site.module))) for e in (call.args[0], *flags))
    except NameError:
        return []
    return [re.compile(text, *more)]


def _held(value: Any, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 4 and isinstance(value, (dict, list, tuple, set, frozenset)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _held(inner, depth + 1)


def _ways(site: _Site) -> frozenset[str]:
    """The methods by which a pattern is used: `finditer` stands for all that go through a text."""
    if site.used is not None:
        return frozenset({site.used})
    uses = {"finditer", "match", "fullmatch"}
    if site.owner.startswith("self.") or not site.within:
        uses &= _methods_of(site.module, site.owner)
    return frozenset(uses) or frozenset({"finditer"})


def _methods_of(module: ModuleType, owner: str) -> set[str]:
    """The methods that a module calls on what it calls so, or on what that holds; all where it does anything else with it."""
    name, uses = owner.removeprefix("self."), set[str]()
    tree = _tree(module)
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        named = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None
        if named != name or not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
            continue
        outer = above[node]
        while isinstance(outer, ast.Subscript):
            outer = above[outer]
        if isinstance(outer, ast.Compare):
            continue
        if not isinstance(outer, ast.Attribute):
            return {"finditer", "match", "fullmatch"}
        uses.add(outer.attr if outer.attr in {"match", "fullmatch"} else "finditer")
    return uses


@contextmanager
def _intercepted() -> Iterator[list[tuple[str, int, re.Pattern[Any]]]]:
    """The patterns that are made meanwhile, with file and line."""
    seen: list[tuple[str, int, re.Pattern[Any]]] = []
    real = re._compile  # type: ignore[attr-defined]

    def noted(pattern: Any, flags: int) -> Any:
        made = real(pattern, flags)
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename == re.__file__:
            frame = frame.f_back
        seen.append((frame.f_code.co_filename, frame.f_lineno, made))
        return made

    re._compile = noted  # type: ignore[attr-defined]
    try:
        yield seen
    finally:
        re._compile = real  # type: ignore[attr-defined]


# Texts that a pattern may be slow on.

_REPEATS = {_parser.MAX_REPEAT, _parser.MIN_REPEAT, _parser.POSSESSIVE_REPEAT}
_ONE_SIGN = {_parser.LITERAL, _parser.NOT_LITERAL, _parser.ANY, _parser.IN}
_MOST_ATTACKS = 300
_MANY = 5
"""Repetitions from which on one is worth an attack."""


class _Tree:
    """The parse tree of a pattern."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.bytes = isinstance(pattern.pattern, bytes)
        self.flags = pattern.flags & ~re.DEBUG
        self.root = _parser.parse(pattern.pattern, self.flags)
        signs = SIGNS.encode("ascii", "ignore").decode() if self.bytes else SIGNS
        nodes = list(self._signs_in(self.root))
        literal = "".join(chr(av) for op, av in nodes if op in {_parser.LITERAL, _parser.NOT_LITERAL})
        kinds: dict[tuple[bool, ...], str] = {}
        distinct = list(dict.fromkeys(map(repr, nodes)))
        by_repr = {repr(n): n for n in nodes}
        for sign in dict.fromkeys(signs + literal):
            kinds.setdefault(tuple(self.fits(by_repr[r], sign) for r in distinct), sign)
        self.signs = list(kinds.values())
        """One of each kind that the pattern treats alike."""

    def _signs_in(self, items: Any) -> Iterator[tuple[Any, Any]]:
        for op, av in items:
            if op in _ONE_SIGN:
                yield op, av
            for inner in _inside(op, av):
                yield from self._signs_in(inner)

    def fits(self, node: tuple[Any, Any], sign: str) -> bool:
        op, av = node
        fold = bool(self.flags & re.IGNORECASE)
        if op is _parser.LITERAL:
            return chr(av) == sign or (fold and chr(av).lower() == sign.lower())
        if op is _parser.NOT_LITERAL:
            return chr(av) != sign
        if op is _parser.ANY:
            return sign != "\n" or bool(self.flags & re.DOTALL)
        negated, hit = False, False
        for kind, what in av:
            if kind is _parser.NEGATE:
                negated = True
            elif kind is _parser.LITERAL:
                hit = hit or chr(what) == sign or (fold and chr(what).lower() == sign.lower())
            elif kind is _parser.RANGE:
                low, high = what
                hit = hit or any(
                    low <= ord(c) <= high for c in ({sign.lower()[:1], sign.upper()[:1]} if fold else {sign})
                )
            else:
                hit = hit or _of_category(str(what), sign)
        return hit != negated

    def sign_of(self, node: tuple[Any, Any]) -> str:
        op, av = node
        if op is _parser.LITERAL:
            return chr(av)
        fitting = next((s for s in "a1 .-" if self.fits(node, s)), None)
        if fitting is None:
            fitting = next((s for s in SIGNS if self.fits(node, s)), None)
        if fitting is None and op is _parser.IN:
            kind, what = next((k, w) for k, w in av if k in {_parser.LITERAL, _parser.RANGE})
            fitting = chr(what if kind is _parser.LITERAL else what[0])
        return fitting or "a"

    def example(self, items: Any, groups: dict[int, str], branch: int = 0) -> str:
        """A short text that the items match, assertions aside."""
        made = ""
        for op, av in items:
            if op in _ONE_SIGN:
                made += self.sign_of((op, av))
            elif op in _REPEATS:
                made += self.example(av[2], groups, branch) * max(av[0], min(1, av[1]))
            elif op is _parser.BRANCH:
                made += self.example(av[1][branch % len(av[1])], groups, branch)
            elif op is _parser.SUBPATTERN:
                inner = self.example(av[3], groups, branch)
                if av[0] is not None:
                    groups[av[0]] = inner
                made += inner
            elif op is _parser.ATOMIC_GROUP:
                made += self.example(av, groups, branch)
            elif op is _parser.GROUPREF:
                made += groups.get(av, "")
        return made

    def repeats(self, items: Any, before: str) -> Iterator[tuple[str, Any]]:
        """What is repeated, each with a text that leads to it."""
        for op, av in items:
            if op in _REPEATS:
                if av[1] >= _MANY:
                    yield before, av[2]
                yield from self.repeats(av[2], before)
            elif op is _parser.BRANCH:
                for one in av[1]:
                    yield from self.repeats(one, before)
            else:
                for inner in _inside(op, av):
                    yield from self.repeats(inner, before)
            before += self.example([(op, av)], {})


def _inside(op: Any, av: Any) -> list[Any]:
    if op in _REPEATS:
        return [av[2]]
    if op is _parser.BRANCH:
        return list(av[1])
    if op is _parser.SUBPATTERN:
        return [av[3]]
    if op is _parser.ATOMIC_GROUP:
        return [av]
    if op in {_parser.ASSERT, _parser.ASSERT_NOT}:
        return [av[1]]
    return []


def _of_category(name: str, sign: str) -> bool:
    kind = name.rsplit("_", 1)[-1]
    hit = {"SPACE": sign.isspace(), "DIGIT": sign.isdigit(), "WORD": sign.isalnum() or sign == "_"}[kind]
    return hit != ("NOT" in name)


UNITS = (
    "a ", "a, ", "1 ", "1,", "1.", "1/", "12 ", "a.", ". A", "\n\n", " \n", "a\n", "A ", "ab ", "()", "[]", "{}",
    "(a", "[a", "{a", "<a", "<a>", "$a", "**", "__", "``", "```", "```\n", "\\a", "\\{", "--", "a-", "://", "a:", "a=", "=a",
)  # fmt: skip


def attacks(pattern: re.Pattern[Any]) -> list[Attack]:
    """Texts as (beginning, what comes many times, end)."""
    tree = _Tree(pattern)
    made: dict[Attack, None] = {}

    def add(before: str, unit: str) -> None:
        if unit:
            made[before, unit, END] = None
            if before:
                made["", before + unit, END] = None

    for unit in (*tree.signs, *UNITS):
        made["", unit, END] = None
    for before, body in tree.repeats(tree.root, ""):
        if len(body) == 1 and body[0][0] in _ONE_SIGN:
            units = [s for s in tree.signs if tree.fits(body[0], s)]
        else:
            units = list(dict.fromkeys(tree.example(body, {}, b) for b in range(6)))
        for unit in units:
            add(before, unit)
    whole: list[str] = list(dict.fromkeys(tree.example(tree.root, {}, b) for b in range(4)))
    for one in whole:
        for cut in {len(one), len(one) - 1, len(one) // 2}:
            if cut > 0:
                made["", one[:cut], END] = None
                made["", one[:cut] + "\n", END] = None
                made["", one[:cut] + " ", END] = None
    return list(made)[:: 1 + len(made) // _MOST_ATTACKS]


def text_of(attack: Attack, size: int) -> str:
    """An attack as a text of at least so many signs."""
    before, unit, end = attack
    return before + unit * (1 + (size - len(before)) // len(unit)) + end


def scan(found: Found, text: str) -> None:
    """Look for a pattern in a text, in the ways it is looked for."""
    given = text.encode("utf-8", "surrogatepass") if isinstance(found.pattern.pattern, bytes) else text
    for way in found.ways & {"match", "fullmatch"}:
        getattr(found.pattern, way)(given)
    if found.ways - {"match", "fullmatch"}:
        deque(found.pattern.finditer(given), 0)


class Slow(NamedTuple):
    """What took too long."""

    what: str
    attack: Attack
    size: int
    per_sign: float
    """Seconds."""

    def __str__(self) -> str:
        before, unit, end = (part if len(part) <= 60 else f"{part[:60]}…" for part in self.attack)
        return f"{self.what}: {before!r} + {unit!r} × many + {end!r}, {self.size} signs: {self.per_sign * 1e6:.1f} µs a sign"


PROSE = "First we count the apples: 3 + 4 = 7, as the text says. Then we take two away.\nThe answer is 5.\n\n"


def size_for(run: Callable[[str], object]) -> int:
    """Signs of a text, which nobody made for it, that something takes a little time for."""
    text = text_of(("", PROSE, ""), 2000)
    run(text)  # what is made once is made
    usual = min(seconds_of(lambda: run(text), 1.0) for _ in range(3)) / len(text)
    return int(max(500, min(8_000, _SECONDS / usual)))


def probe(
    what: str,
    attack: Attack,
    run: Callable[[str], object],
    *,
    size: int,
    most: float,
    never: float,
    least: float = 0.0,
) -> Slow | None:
    """Whether something takes more time for each sign the longer the text is.

    Three lengths, each four times the one before: the next is looked at only where one takes much more time a sign than
    the one before. Times are of the processor, and the least of several.

    Args:
        what: what it is called.
        attack: what the text is made of.
        run: does it.
        size: signs of the shortest text.
        most: seconds a sign above which it is too slow for the longest text, where that grew.
        never: seconds a sign that are too many for a text of any length.
        least: seconds a sign below which the first text is enough.
    """
    size = max(size, min(_UNITS * len(attack[1]), 4 * size)) * _TIMES

    def per_sign(times: int, tries: int) -> float:
        text = text_of(attack, times * size)
        return min(seconds_of(lambda: run(text), never * len(text)) for _ in range(tries)) / len(text)

    if (first := per_sign(1, 1)) >= never and (first := per_sign(1, 3)) >= never:
        return Slow(what, attack, size, first)
    if first < least:
        return None
    if (second := per_sign(4, 1)) < max(most / 8, _GROWN * first):
        return None
    first, second = min(first, per_sign(1, 3)), min(second, per_sign(4, 2))
    if second < max(most / 8, _GROWN * first):
        return None
    if second >= never or second > max(most, _CLEARLY * first):
        return Slow(what, attack, 4 * size, second)
    third = per_sign(16, 3)
    return Slow(what, attack, 16 * size, third) if third >= never or third > max(most, 2 * _GROWN * first) else None


_TIMES = int(os.environ.get("SYNTH_PROBE", "1"))
"""How many times as long all texts are: `SYNTH_PROBE=10` looks for what grows slowly."""
_SECONDS = 0.00008
_UNITS, _GROWN, _CLEARLY = 400, 1.7, 2.8
