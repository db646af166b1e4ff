"""Expressions: one line of Jinja2 that is true or false, or a value, of a record."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from synth.errors import UserError
from synth.prompts.environment import environment, undefined_names

__all__ = ["Expression"]


class Expression:
    """A compiled expression such as `score.correct and rationale.steps | length >= 2`.

    Args:
        source: the text of the expression.

    Raises:
        jinja2.TemplateSyntaxError: it does not compile.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._call = _compile(source)

    def __call__(self, variables: Mapping[str, Any]) -> Any:
        """Its value.

        Raises:
            jinja2.UndefinedError: it uses a name that is not there.
            TypeError: it compares what cannot be compared, such as a missing score with a number.
        """
        return self._call(**variables)

    def holds(self, variables: Mapping[str, Any], where: str) -> bool:
        """Whether it is true. False where it compares a score that is not there.

        Args:
            variables: what it sees.
            where: step and record, for the error.

        Raises:
            UserError: it cannot be evaluated.
        """
        try:
            return bool(self(variables))
        except TypeError:
            return False
        except Exception as error:
            raise UserError(f"the expression {self.source!r} fails: {error}", where=where) from error

    def unknown_names(self, known: Mapping[str, frozenset[str] | None]) -> list[str]:
        """Names it uses that are not on offer."""
        return [name for name, _ in undefined_names("{{ (" + self.source + ") }}", dict(known))]


@lru_cache(maxsize=1024)
def _compile(source: str) -> Any:
    return environment().compile_expression(source, undefined_to_none=False)
