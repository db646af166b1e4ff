"""Rules that come in data: arithmetic and comparisons over named numbers, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from synth.errors import UserError
from synth.prompts.environment import shown, value_tree
from synth.prompts.expression import Expression

__all__ = ["Rule"]

MOST_LETTERS = 2000
"""Characters of a rule."""


class Rule:
    """A rule such as `3 if count >= 3 else count`: numbers, names, `+ - * / // %`, comparisons, `and or not`, `… if … else …`.

    It is an expression of a smaller language, for those that are written in the rows of a data set.

    Args:
        source: its text.

    Raises:
        UserError: it is not of that language.
    """

    def __init__(self, source: str) -> None:
        _check(source)
        self._expression = Expression(source)

    def __call__(self, numbers: Mapping[str, float]) -> float:
        """Its value.

        Raises:
            UserError: it has none, such as where it divides by zero.
        """
        try:
            return float(self._expression(numbers))
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"the rule {shown(self._expression.source)} gives no number: {error}") from error

    def unknown_names(self, known: Mapping[str, frozenset[str] | None]) -> list[str]:
        """Names it uses that are not on offer."""
        return self._expression.unknown_names(known)


@lru_cache(maxsize=4096)
def _check(source: str) -> None:
    from jinja2 import nodes

    from synth.prompts.rewrite import walk

    if len(source) > MOST_LETTERS:
        raise UserError(f"it has {len(source):,} characters, and may have {MOST_LETTERS:,}")
    arithmetic = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos)
    logic = (nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Name, nodes.Const)
    for node, _ in walk(value_tree(source)):
        inside = isinstance(node, (*arithmetic, *logic, nodes.Template, nodes.Assign))
        member = isinstance(node, nodes.Operand) and node.op in {"in", "notin"}
        text = isinstance(node, nodes.Const) and not isinstance(node.value, (int, float))
        if not inside or member or text:
            part = repr(node.value)[:60] if isinstance(node, nodes.Const) else type(node).__name__.lower()
            what = f"a rule has numbers, names, comparisons, and, or, not, if and else; it has no {part}"
            raise UserError(what)
