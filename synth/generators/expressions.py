"""Boolean expressions over named elements as text, such as `active and (reported or not late)`: the syntax of Python and of synth's conditions."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from synth.generators.logic import Statement

__all__ = ["composed", "decisive", "expression_text", "read_expression", "value_of"]

_LONGEST, _DEEPEST = 2_000, 40
_BINDS = {"or": 1, "and": 2, "not": 3, "is": 4}


def expression_text(statement: Statement, names: Sequence[str]) -> str:
    """A statement of `and`, `or`, `not` and `is` as text, with brackets only where they are needed."""
    sign, *parts = statement
    if sign == "is":
        return names[parts[0]]
    words = [
        f"({text})" if _BINDS[part[0]] < _BINDS[sign] or (part[0] == sign != "not") else text
        for part, text in ((part, expression_text(part, names)) for part in parts)
    ]
    return f"not {words[0]}" if sign == "not" else f" {sign} ".join(words)


def read_expression(text: str, names: Sequence[str]) -> Statement:
    """An expression as a statement; the opposite of `expression_text`. No code is run.

    Args:
        text: the expression, which may be untrusted: at most 2,000 characters, and brackets at most 40 deep.
        names: the elements it may name.

    Raises:
        ValueError: it is no expression of `and`, `or`, `not` and these names.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"the expression has more than {_LONGEST:,} characters")
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"{text!r} is no expression of and, or, not and names") from error
    return _statement(tree.body, names, 0)


def _statement(node: ast.expr, names: Sequence[str], depth: int) -> Statement:
    if depth > _DEEPEST:
        raise ValueError("the expression is nested too deep")
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise ValueError(f"{node.id!r} is not one of {', '.join(names)}")
        return ("is", names.index(node.id))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return ("not", _statement(node.operand, names, depth + 1))
    if isinstance(node, ast.BoolOp):
        sign = "and" if isinstance(node.op, ast.And) else "or"
        return (sign, *(_statement(part, names, depth + 1) for part in node.values))
    raise ValueError("an expression has only and, or, not and names of elements")


def value_of(statement: Statement, values: Sequence[bool]) -> bool:
    """Whether a statement is true where elements have these values."""
    sign, *parts = statement
    if sign == "is":
        return values[parts[0]]
    inner = (value_of(part, values) for part in parts)
    return not next(inner) if sign == "not" else all(inner) if sign == "and" else any(inner)


def composed(statement: Statement, names: Sequence[str], values: Sequence[bool]) -> list[str]:
    """The evaluation of a statement, a step a line: the rule over the names, then each connective, from the inside out."""
    steps = [f"The rule is: {expression_text(statement, names)}."]

    def walk(part: Statement) -> bool:
        sign, *parts = part
        if sign == "is":
            return values[parts[0]]
        inner = [walk(one) for one in parts]
        result = not inner[0] if sign == "not" else all(inner) if sign == "and" else any(inner)
        words = [str(value).lower() for value in inner]
        put_in = f"not {words[0]}" if sign == "not" else f" {sign} ".join(words)
        steps.append(f"{expression_text(part, names)} is {put_in}, which is {str(result).lower()}.")
        return result

    walk(statement)
    return steps


def decisive(expression: str, values: Mapping[str, bool]) -> list[str]:
    """The elements of which each alone changes the result, were its value the other one.

    Raises:
        ValueError: it is no expression of and, or, not and these elements.
    """
    names = list(values)
    statement = read_expression(expression, names)
    given = list(values.values())
    result = value_of(statement, given)
    return [
        name
        for i, name in enumerate(names)
        if value_of(statement, [*given[:i], not given[i], *given[i + 1 :]]) is not result
    ]
