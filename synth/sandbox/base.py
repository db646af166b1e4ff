"""What is run, within which limits, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

__all__ = ["MOST_LETTERS", "Limits", "Program", "Result", "Sandbox", "Status", "as_data", "refused", "shortened"]

Status = Literal["ok", "error", "timeout", "memory", "output", "unsupported", "refused"]
"""How a run ended. `ok`: all of it ran; `error`: it raised, or the process ended by itself; `timeout`, `memory`, `output`: it went beyond a
limit; `unsupported`: it needs something of Python that this sandbox does not have, which says nothing about the program; `refused`: it was
not run, because it is too long or no text that Python takes."""

MOST_LETTERS = 1_000_000
"""Characters of a program with its tests and input, at most."""
_MOST_OF_ERROR = 500
_DEEPEST = 50
_INTEGER = 2**63


class Limits(NamedTuple):
    """What a run may take."""

    seconds: float = 5.0
    """Of run time, the start of the sandbox aside."""
    memory: int = 512 * 2**20
    """Bytes of memory: of the heap in Monty, of the address space in bubblewrap."""
    output: int = 64 * 2**10
    """Bytes of standard output, and as many of standard error."""


class Program(NamedTuple):
    """What is run, in one module, in this order."""

    code: str
    """The program itself."""
    then: str | None = None
    """Python that runs after it, such as assertions."""
    value: str | None = None
    """An expression, evaluated at the end."""
    stdin: str | None = None
    """What the program reads from standard input. With it the program is a script (`__name__` is `__main__`), else it is imported."""

    @property
    def letters(self) -> int:
        """Characters of all of it."""
        return sum(len(text or "") for text in self)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    status: Status
    sandbox: str
    """Name and version of the sandbox."""
    seconds: float
    """Run time, the start of the sandbox included."""
    stdout: str = ""
    """What it wrote, up to the limit."""
    stderr: str = ""
    """What it wrote to standard error, with the traceback of an error; up to the limit."""
    error: str | None = None
    """What went wrong, in one line: `AssertionError: …`; None where nothing did."""
    value: Any = field(default=None)
    """The value of the expression as JSON has it; None where there is none, or `status` is another than `ok`."""


class Sandbox(Protocol):
    """A place where programs run that nobody trusts. Several runs may be under way at once; cancelling one ends its process."""

    @property
    def name(self) -> str:
        """What it is called: `monty`, `bubblewrap`."""

    @property
    def version(self) -> str:
        """Its version and that of the Python in it: with another one, a program may behave differently."""

    async def run(self, program: Program, limits: Limits) -> Result:
        """Run a program. Whatever it does is a result, and no exception."""

    async def close(self) -> None:
        """End the processes that wait for programs."""


def refused(program: Program, sandbox: str) -> Result | None:
    """The result of a program that no sandbox runs; None for all others."""
    if program.letters > MOST_LETTERS:
        why = f"it has {program.letters:,} characters, and at most {MOST_LETTERS:,} are run"
    elif any("\0" in (text or "") for text in program):
        why = "it contains a NUL character"
    else:
        try:
            "".join(text or "" for text in program).encode()
        except UnicodeEncodeError:
            why = "it contains half of a surrogate pair, which is no text"
        else:
            return None
    return Result("refused", sandbox, 0.0, error=why)


def shortened(text: str) -> str:
    """An error message as a result has it: one line, valid text, cut off where it is long."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= _MOST_OF_ERROR else f"{line[:_MOST_OF_ERROR]}…"


def as_data(value: Any, depth: int = 0) -> Any:
    """A value that came out of a sandbox, as JSON has it: a tuple is a list, keys are texts.

    Raises:
        ValueError: JSON has no such value: an object, a set, a number beyond 64 bits or infinite, half of a surrogate pair, lists within
            each other more than 50 deep.
    """
    if depth > _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} deep")
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        if not -_INTEGER <= value < _INTEGER:
            raise ValueError("it holds a number beyond 64 bits")
        return value
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - not a number
            raise ValueError("it holds a number that JSON does not have")
        return value
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError("it holds half of a surrogate pair") from error
        return value
    if kind in {list, tuple}:
        return [as_data(one, depth + 1) for one in value]
    if isinstance(value, Mapping):
        if not all(type(key) in {str, int, float, bool, type(None)} for key in value):
            raise ValueError("it holds a key that is no text or number")
        return {as_data(str(key)): as_data(one, depth + 1) for key, one in value.items()}
    raise ValueError(f"a value of type {kind.__name__} is no JSON"[:200])
