"""Problems whose solution can be executed again with another number in the question: the atoms of composed problems.

A worked solution is a chain of equations: the marks `<<3*4=12>>` of arXiv:2110.14168, or what its text calculates (`There are 3 * 4 = 12 jars`).
A number of the question is replaceable if it is known what becomes of it. It stands in the question once, and each number of the chain has one
origin: that number, another one of the question, a constant that its words give reason to, such as 60 minutes, or one earlier result. Where two are
possible, and the difference matters, the number is not replaceable. Where none is, or a number in the words of the solution has none, somebody
calculated in the head, and the problem has no atom.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from synth.verify.arithmetic import arithmetic_claims
from synth.verify.calculate import Token, Unvalued, shown, value_of
from synth.verify.calculations import tokens_of

__all__ = ["Atom", "Unusable", "atoms_of", "numbers_in"]

_MARKED = re.compile(r"<<([^<>=]{1,200})=([^<>=]{1,60})>>")
_NUMBERED = re.compile(r"(?m)^[ \t]{0,8}(?:step[ ])?\d{1,3}[.):][ \t]", re.IGNORECASE)
_PLAIN_WORD = re.compile(r"[a-z]+")
_WORDS: dict[str, Fraction] = {
    word: Fraction(value)
    for words, value in {
        "one once single": "1", "two twice double doubled pair pairs couple both": "2", "three thrice triple tripled": "3", "four quadruple": "4",
        "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve dozen dozens": "12", "thirteen": "13",
        "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20", "thirty": "30",
        "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100", "thousand": "1000",
        "half halves": "1/2", "third thirds": "1/3", "quarter quarters fourth fourths": "1/4", "fifth fifths": "1/5", "tenth tenths": "1/10",
    }.items()
    for word in words.split()
}  # fmt: skip
_CONSTANTS: dict[str, str] = {
    "second": "60", "minute": "60", "hour": "60 24", "day": "24 7 30 365", "week": "7 52 4", "weekday": "5", "weekend": "2", "month": "30 12 4",
    "year": "12 52 365", "annual": "12", "annually": "12", "decade": "10", "century": "100", "dollar": "100", "cent": "100", "penny": "100",
    "pennies": "100", "nickel": "5", "dime": "10", "inch": "12", "inches": "12", "foot": "12 3", "feet": "12 3", "yard": "3", "ounce": "16",
    "pound": "16", "meter": "100 1000", "metre": "100 1000", "km": "1000", "kilometer": "1000", "cm": "100", "centimeter": "100", "gram": "1000",
    "kg": "1000", "kilogram": "1000", "liter": "1000", "ml": "1000", "percent": "100 1 1/100", "percentage": "100 1 1/100", "half": "1",
    "third": "1", "quarter": "1", "fourth": "1", "fifth": "1", "tenth": "1", "perimeter": "2", "square": "4", "average": "2",
}  # fmt: skip
"""Numbers that solutions use though no question states them, by the words of the question that give reason to."""
_BEFORE, _AFTER = frozenset("./:^#-–_"), frozenset("%/:^-–°_")
"""Signs directly beside a number that make it a part of another one, an ordinal, a date or a compound word."""
_BESIDE = frozenset({"sign", "word"})
"""Currencies and units, which stand beside numbers."""
_BOUNDED = re.compile(
    r"[ ](?:(?:hours?|days?|minutes?|weeks?|months?)[ ](?:a|an|per|each|every|of|in)|out[ ]of|%|percent|[ap]\.?m\b|o'clock)\b"
)
"""What follows a number that cannot be any other: 5 days a week, 3 out of 4."""
_MOST_NUMBERS = 100
"""Of a question, and equations of a solution: each is compared with each."""
_MOST_VALUES = 40
"""Values of a number that are tried."""
_HUNDREDTHS = 100


_FROM_NOWHERE = "a number of the solution comes from nowhere"


class Unusable(ValueError):
    """A problem has no atom; the message says why, in the same words for each."""


@dataclass(frozen=True, slots=True)
class Equation:
    """One line of a chain."""

    tokens: tuple[Token, ...]
    origins: tuple[int | None, ...]
    """For each token where its value comes from: -1 the number of the question, i the result of equation i; None: it stays."""
    result: Fraction


@dataclass(frozen=True, slots=True)
class Atom:
    """A problem with one number that can be replaced."""

    id: str
    """Id of the problem."""
    head: str
    """The question up to the number."""
    tail: str
    """The question after it."""
    number: int
    """The number that stands there."""
    answer: int
    """The gold answer with that number."""
    equations: tuple[Equation, ...]
    """The chain; its last result is the answer."""

    def asked(self, number: str) -> str:
        """The question with a text in the place of the number."""
        return f"{self.head}{number}{self.tail}"

    def results(self, number: Fraction) -> list[Fraction]:
        """The result of each equation with another number.

        Raises:
            Unvalued: an equation has none, such as a division by zero.
        """
        found: list[Fraction] = []
        for equation in self.equations:
            found.append(value_of(self._with(equation, number, found), percent=Fraction(1, 100)))
        return found

    def natural(self, number: int, largest: int) -> list[Fraction] | None:
        """The results with another number; None where one of them is not of the kind that it was: whole, positive, of two decimals at most, or it is
        above `largest`.
        """
        try:
            found = self.results(Fraction(number))
        except Unvalued:
            return None
        for equation, value in zip(self.equations, found, strict=True):
            before = equation.result
            if before.denominator == 1 and value.denominator != 1:
                return None
            if (before > 0) != (value > 0) or abs(value) > largest or _HUNDREDTHS % value.denominator:
                return None
        return found if found[-1] >= 1 else None

    def numbers(self, largest: int) -> list[int]:
        """Numbers from a third of its own to three times it that are natural, its own among them."""
        low, high = max(2, ceil(self.number / 3)), min(3 * self.number + 2, largest)
        step = max(1, (high - low) // _MOST_VALUES)
        tried = {*range(low, high + 1, step), self.number}
        return [n for n in sorted(tried) if self.natural(n, largest) is not None]

    def steps(self, number: int) -> list[str]:
        """The chain with another number, an equation each."""
        results = self.results(Fraction(number))
        return [
            f"{_written(self._with(equation, Fraction(number), results[:i]))} = {shown(results[i])}"
            for i, equation in enumerate(self.equations)
        ]

    @staticmethod
    def _with(equation: Equation, number: Fraction, results: Sequence[Fraction]) -> list[Token]:
        values = [number if o == -1 else None if o is None else results[o] for o in equation.origins]
        return [
            t if v is None else t._replace(value=v, text=shown(v)) for t, v in zip(equation.tokens, values, strict=True)
        ]


def _written(tokens: Sequence[Token]) -> str:
    """An expression with a space on both sides of each operator."""
    text = ""
    for i, token in enumerate(tokens):
        follows = i > 0 and tokens[i - 1].kind in {"number", "close", "postfix"}
        if follows and token.kind == "operator":
            text += f" {token.text} "
            continue
        text += " * " if follows and token.kind in {"number", "open"} else ""
        text += f"({token.text})" if token.text[:1] == "-" and token.kind == "number" else token.text
    return text


def atoms_of(id_: str, question: str, answer: str | None, solution: str | None) -> list[Atom]:
    """The atoms of a problem, one for each number of its question that is replaceable, in order.

    Args:
        id_: id of the problem.
        question: all that a solver sees of it.
        answer: the gold answer.
        solution: the worked solution.

    Raises:
        Unusable: it has none.
    """
    if answer is None or not answer.strip().replace(",", "").isdecimal():
        raise Unusable("the answer is no whole number")
    gold = int(answer.replace(",", ""))
    lines = _lines(solution or "")
    if not lines:
        raise Unusable("the solution calculates nothing")
    stated, constants = numbers_in(question), _constants(question)
    if max(len(lines), len(stated)) > _MOST_NUMBERS:
        raise Unusable("it has too many numbers")
    chain = [(tokens, result) for tokens, result in lines if any(t.kind == "number" for t in tokens)]
    last = next((i for i in reversed(range(len(chain))) if chain[i][1] == gold), None)
    if last is None:
        raise Unusable("no equation gives the answer")
    chain = chain[: last + 1]
    for tokens, result in chain:
        try:
            if value_of(tokens, percent=Fraction(1, 100)) != result:
                raise Unusable("an equation does not hold exactly")
        except Unvalued as why:
            raise Unusable("an equation cannot be executed") from why
    if not _numbers_of(solution or "").issubset({*stated, *constants, *(result for _, result in chain)}):
        raise Unusable(_FROM_NOWHERE)
    found = []
    for token in tokens_of(question):
        if token.kind != "number" or token.value is None or not _is_free(question, token):
            continue
        number = token.value
        if number < 2 or number in constants or stated.count(number) != 1:
            continue
        equations = _linked(chain, number, {v for v in stated if v != number} | constants)
        if equations is not None:
            found.append(Atom(id_, question[: token.start], question[token.end :], int(number), gold, equations))
    if not found:
        raise Unusable("no number of the question can be replaced")
    return found


def _lines(solution: str) -> list[tuple[list[Token], Fraction]]:
    """The equations of a solution: its marks, or where it has none what its text calculates."""
    sides = [(m[1], m[2]) for m in _MARKED.finditer(solution)]
    if not sides:
        claims = [claim.text.rpartition("=") for claim in arithmetic_claims(solution) if claim.holds]
        sides = [(left, right) for left, _, right in claims if left]
    found = []
    for left, right in sides:
        tokens, stated = ([t for t in tokens_of(side) if t.kind not in _BESIDE] for side in (left, right))
        try:
            result = value_of(stated, percent=Fraction(1, 100))
        except Unvalued:
            result = Fraction(-1)
        found.append((tokens, result))
    return found


def numbers_in(text: str) -> list[Fraction]:
    """The numbers that a text states in digits or words, in order; of a fraction its parts and its value, of a percentage also the share."""
    tokens = tokens_of(text)
    found = []
    for i, token in enumerate(tokens):
        if token.kind == "number" and token.value is not None:
            found.append(token.value)
            after = tokens[i + 1 : i + 3]
            if after and after[0].text == "%":
                found += [token.value / 100, 1 - token.value / 100]
            if len(after) == 2 and after[0].text == "/" and after[1].value:
                found.append(token.value / after[1].value)
        elif token.kind in {"word", "unknown"}:
            found += [_WORDS[word] for word in re.split(r"[-’']", token.text.casefold()) if word in _WORDS]
    return found


def _numbers_of(solution: str) -> frozenset[Fraction]:
    """The numbers that a solution has, less the numbers of its steps and those within its marks."""
    plain = _NUMBERED.sub("", _MARKED.sub("", solution))
    return frozenset(token.value for token in tokens_of(plain) if token.kind == "number" and token.value is not None)


def _constants(question: str) -> frozenset[Fraction]:
    """The numbers that the words of a question give reason to use."""
    found = {"100", "1", "1/100"} if "%" in question else set[str]()
    if "$" in question:
        found.add("100")
    for word in _PLAIN_WORD.findall(question.casefold()):
        for form in (word, word.removesuffix("s"), word.removesuffix("ly")):
            found.update(_CONSTANTS.get(form, "").split())
    return frozenset(map(Fraction, found))


def _is_free(question: str, token: Token) -> bool:
    """Whether a number is written as plain digits and is no part of anything else."""
    before, after = question[: token.start][-1:], question[token.end :]
    if _BOUNDED.match(after) is not None:
        return False
    plain = token.text.isdecimal() and before not in _BEFORE and after[:1] not in _AFTER
    return (
        plain and not before.isalnum() and not after[:1].isalnum() and not (after[:1] in ".," and after[1:2].isdigit())
    )


def _linked(
    chain: Sequence[tuple[Sequence[Token], Fraction]], number: Fraction, known: set[Fraction]
) -> tuple[Equation, ...] | None:
    """The equations with the origin of each number; None where that is unclear, or the last result does not depend on the number.

    Raises:
        Unusable: a number has no origin.
    """
    made: list[Equation] = []
    depends: list[bool] = []
    for tokens, result in chain:
        origins: list[int | None] = []
        for token in tokens:
            if token.kind != "number" or token.value is None:
                origins.append(None)
                continue
            value = token.value
            earlier = [i for i, equation in enumerate(made) if equation.result == value]
            moved: list[int] = [*([-1] if value == number else []), *(i for i in earlier if depends[i])]
            fixed = value in known or any(not depends[i] for i in earlier)
            if not moved and not fixed:
                raise Unusable(_FROM_NOWHERE)
            if moved and (fixed or len(moved) > 1):
                return None
            origins.append(moved[0] if moved else None)
        made.append(Equation(tuple(tokens), tuple(origins), result))
        depends.append(any(o is not None for o in origins))
    return tuple(made) if depends[-1] else None
