"""The kinds of answers, and the form in which models are asked for each."""

from __future__ import annotations

from typing import Literal

__all__ = ["COMPARE", "FORMS", "AnswerKind"]

AnswerKind = Literal[
    "number", "choice", "math", "text", "boolean", "set", "list", "interval", "assignment", "action", "ranking", "code"
]
"""How an answer is compared: as a number, as one of the choices, as a mathematical expression, as words, as yes/no; as a set, a list, an
interval, values assigned to names, an action with fields, a ranking of given items, a program that must pass tests."""

COMPARE = "$compare"
"""The field of a gold action that says how its other fields are compared. No answer states it."""

FORMS: dict[AnswerKind, str] = {
    "number": "a number, without units",
    "choice": "the letter of the right option",
    "math": "the final answer alone",
    "text": "the final answer alone",
    "boolean": "yes or no",
    "set": 'a JSON list of its members in any order, such as [1, 2] or ["red", "blue"]',
    "list": 'a JSON list in the right order, such as [1, 2] or ["red", "blue"]',
    "interval": "an interval, or a union of intervals, such as [0, 1) or (-∞, 2] ∪ (5, ∞)",
    "assignment": 'a JSON object that gives each name its value, such as {"Ann": "red", "Bob": "blue"}',
    "action": "a JSON object with the fields of the action",
    "ranking": "a JSON list of all the items, the first one first",
    "code": "the program in Python, in a block that begins with ```python and ends with ```",
}
"""What the final answer is, in the words of a prompt: "where X is …"."""
