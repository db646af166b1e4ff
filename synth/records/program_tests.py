"""Tests that a program must pass."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator

__all__ = ["Test"]


class Test(BaseModel):
    """One test of a program, in one of three forms: `code`, `call` with `expected`, or `stdin` with `stdout`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    __test__: ClassVar[bool] = False  # the name makes pytest look for tests in it

    code: str | None = None
    """Python that runs after the program, in the same module: `assert add(1, 2) == 3`. It passes where it ends without an error."""
    call: str | None = None
    """An expression over the names that the program defines: `add(1, 2)`. It passes where its value is `expected`."""
    expected: JsonValue = None
    """The value of `call`, as JSON has it: a tuple is a list, keys are texts."""
    stdin: str | None = None
    """What the program reads from its standard input; "" for nothing."""
    stdout: str | None = None
    """What it then writes to its standard output; blanks at the ends of lines and of the text aside."""
    entry_point: str | None = None
    """The function that `code` and `call` use, where known."""

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        if sum(given is not None for given in (self.code, self.call, self.stdout)) != 1:
            raise ValueError("a test has code, or call and expected, or stdin and stdout")
        if self.stdout is None and self.stdin is not None:
            raise ValueError("a test with stdin needs stdout, what the program must write")
        if self.call is None and self.expected is not None:
            raise ValueError("a test with expected needs call, the expression of which it is the value")
        return self
