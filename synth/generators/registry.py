"""All generators by name: ours, and those other packages register under the entry point `synth.generators`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import ValidationError

from synth.bounded import nearest
from synth.documented import field_docs
from synth.errors import InputError
from synth.generators.arithmetic import ArithmeticProblems
from synth.generators.automaton import AutomatonProblems
from synth.generators.bfs import BfsProblems
from synth.generators.binary_search import BinarySearchProblems
from synth.generators.brackets import BracketProblems
from synth.generators.deduction import Deduction
from synth.generators.generator import Generator
from synth.generators.knights import Knights
from synth.generators.parity import ParityProblems
from synth.generators.permutation import PermutationProblems
from synth.generators.query import name_and_options
from synth.generators.rules import Rules
from synth.generators.shortest_path import ShortestPathProblems
from synth.generators.sort import SortProblems
from synth.generators.symbolic import SymbolicProblems
from synth.generators.transit import Transit
from synth.plugins import plugins

__all__ = ["BUILT_IN", "all_generators", "checked", "generator_of", "list_generators", "read_generator"]

G = TypeVar("G", bound=Generator)

BUILT_IN: tuple[type[Generator], ...] = (
    ArithmeticProblems, AutomatonProblems, BfsProblems, BinarySearchProblems, BracketProblems, ParityProblems, PermutationProblems,
    ShortestPathProblems, SortProblems, SymbolicProblems, Deduction, Knights, Rules, Transit,
)  # fmt: skip
"""Those of this package."""


@cache
def all_generators() -> dict[str, type[Generator]]:
    """Every generator by its name."""
    ours = {kind.name: kind for kind in BUILT_IN}
    return {**ours, **plugins("synth.generators", ours, _wrong)}


def _wrong(name: str, thing: Any) -> str | None:
    if not (isinstance(thing, type) and issubclass(thing, Generator)):
        return "it is not a class derived from Generator"
    if getattr(thing, "name", None) != name:
        return f'its name is not "{name}"'
    return None


def generator_of(name: str, options: Mapping[str, Any]) -> Generator:
    """The generator of a name with these options; values may be texts.

    Raises:
        InputError: there is no such generator or option, or a value or a combination of values is impossible.
    """
    known = all_generators()
    where = f"make:{name}"
    if name not in known:
        near = nearest(name, known, n=3)
        what = f"there is no generator {name!r}" if name else "no generator is named"
        raise InputError(
            what, where=where, fix=f"did you mean {' or '.join(near)}?" if near else f"generators:\n{list_generators()}"
        )
    return checked(known[name], options, where)


def checked(kind: type[G], options: Mapping[str, Any], where: str) -> G:
    """A generator with these options; values may be texts.

    Args:
        kind: the generator.
        options: the options by name.
        where: what the user wrote, for errors.

    Raises:
        InputError: there is no such option, or a value or a combination of values is impossible.
    """
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        raise _mistake(kind, error.errors(include_input=True)[0], where) from error


def read_generator(text: str) -> Generator:
    """The generator that a text names with its options: `NAME?size=100&seed=1`.

    Raises:
        InputError: as `generator_of`; or what stands behind the question mark are no options.
    """
    name, options = name_and_options(text, f"make:{text}")
    return generator_of(name, options)


def _mistake(kind: type[Generator], error: Any, where: str) -> InputError:
    """The error for users of the first thing that is wrong with the options."""
    option = str(error["loc"][0]) if error["loc"] else None
    if error["type"] == "extra_forbidden":
        near = nearest(option or "", kind.model_fields)
        meant = f"did you mean {near[0]}? " if near else ""
        return InputError(f"unknown option {option!r}", where=where, fix=f"{meant}options:\n{_options(kind)}")
    says = error["msg"].removeprefix("Value error, ")
    if option is None:  # of several options together
        return InputError(says, where=where, fix=f"options:\n{_options(kind)}")
    docs = field_docs(kind).get(option, "").splitlines()
    return InputError(
        f"{option}={error['input']}: {says[:1].lower()}{says[1:]}", where=where, fix=f"{option}: {' '.join(docs)}"
    )


def _options(kind: type[Generator]) -> str:
    docs = field_docs(kind)
    return "\n".join(
        f"    {name}={field.default}: {' '.join(docs.get(name, '').split())}"
        for name, field in kind.model_fields.items()
    )


def list_generators() -> str:
    """One line a generator: its name, and what it asks."""
    return "\n".join(
        f"    {name}: {(inspect.getdoc(kind) or '').partition(chr(10))[0]}"
        for name, kind in sorted(all_generators().items())
    )
