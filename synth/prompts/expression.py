"""Expressions: one line of Jinja2 that is true or false, or a value, of a record."""

from __future__ import annotations

from collections import ChainMap, deque
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from synth.errors import UserError
from synth.prompts.environment import compile_tree, environment, keys_read, reason, shown, undefined_names, value_tree
from synth.prompts.lazy import Lazy
from synth.prompts.work import begin, end

__all__ = ["Expression"]


class Expression:
    """A compiled expression such as `score.correct and rationale.steps | length >= 2`.

    Args:
        source: the text of the expression.

    Raises:
        UserError: it does not compile.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._value = _compile(source)

    def __call__(self, variables: Mapping[str, Any]) -> Any:
        """Its value.

        Raises:
            TypeError: it compares what cannot be compared, such as a missing score with a number.
            UserError: it cannot be evaluated: it uses what is not there, calls what cannot be called, takes too much work.
        """
        before = begin()
        try:
            return self._value(variables)
        except TypeError:
            raise
        except Exception as error:
            raise UserError(
                f"the expression {shown(self.source)} fails: {reason(error)}",
                fix="docs/expressions.md says what can stand in one",
            ) from error
        finally:
            end(before)

    def holds(self, variables: Mapping[str, Any], where: str) -> bool:
        """Whether it is true. False where it compares a score that is not there.

        Args:
            variables: what it sees.
            where: step and record, for the error.

        Raises:
            UserError: it cannot be evaluated.
        """
        return bool(self.value(variables, where))

    def value(self, variables: Mapping[str, Any], where: str) -> Any:
        """Its value; None where it reckons with a score that is not there.

        Args:
            variables: what it sees.
            where: step and record, for the error.

        Raises:
            UserError: it cannot be evaluated.
        """
        try:
            return self(variables)
        except TypeError:
            return None
        except UserError as error:
            raise UserError(error.what, where=where, fix=error.fix) from error

    def unknown_names(self, known: Mapping[str, frozenset[str] | None]) -> list[str]:
        """Names and attributes it uses that are not on offer."""
        return [name for name, _ in undefined_names(value_tree(self.source), known)]

    def keys_read(self, owners: Collection[str], field: str) -> list[str]:
        """Keys it reads of the mapping `field` of these variables, as in `problem.meta.topic`."""
        return [key for key, _ in keys_read(value_tree(self.source), owners, field)]


@lru_cache(maxsize=1024)
def _compile(source: str) -> Callable[[Mapping[str, Any]], Any]:
    template = compile_tree(value_tree(source))
    made, known, run = template.environment, template.globals, template.root_render_func
    context_class, checked = made.context_class, environment().result

    def value(variables: Mapping[str, Any]) -> Any:
        names = ChainMap(variables, known) if isinstance(variables, Lazy) else {**known, **variables}
        context = context_class(made, names, None, {})  # type: ignore[arg-type]  # any mapping will do
        deque(run(context), maxlen=0)  # it has no text
        return checked(context.vars["result"])

    return value
