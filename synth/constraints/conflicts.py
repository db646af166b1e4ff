"""Constraints that no text complies with together, found by what they claim of a text.

Only what is certain counts: two constraints without a conflict may still be hard to comply with at once, or impossible for a reason that no
claim states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from synth.constraints.catalogue import kind_of, misfit
from synth.constraints.composed import Selection
from synth.constraints.keywords import count_phrase
from synth.constraints.kind import Claims, Phrase
from synth.records import Constraint
from synth.texts import words_of

__all__ = ["Conflict", "conflicts", "why_unfit"]

Place = Literal["response", "reasoning"]


class Conflict(NamedTuple):
    """Two constraints, by their places in a list, that exclude each other; one and the same where it contradicts itself."""

    first: int
    second: int
    reason: str


class _Given(NamedTuple):
    place: int
    claims: Claims


def conflicts(constraints: Sequence[Constraint]) -> list[Conflict]:
    """The constraints that no text complies with together, each with a reason.

    Args:
        constraints: constraints of the catalogue, of one problem.
    """
    found: dict[tuple[int, int], Conflict] = {}
    places: tuple[Place, ...] = ("response", "reasoning")
    for place in places:
        given = [
            _Given(i, claims)
            for i, one in enumerate(constraints)
            if one.on in {place, "both"}
            for claims in _claims(one)
        ]
        for conflict in _within(given):
            found.setdefault((conflict.first, conflict.second), conflict)
    return list(found.values())


def why_unfit(constraints: Sequence[Constraint]) -> str | None:
    """Why these constraints cannot stand on one problem: one is none of the catalogue, its arguments do not fit, or two contradict each
    other. None where they can.
    """
    for number, one in enumerate(constraints, 1):
        if (why := misfit(one)) is not None:
            return f"constraint {number}: {why}"
    for conflict in conflicts(constraints):
        first, second = constraints[conflict.first].id, constraints[conflict.second].id
        pair = (
            f"{first} and {second} contradict each other"
            if conflict.first != conflict.second
            else f"{first} contradicts itself"
        )
        return f"{pair}: {conflict.reason}"
    return None


def _claims(one: Constraint) -> Iterator[Claims]:
    """What a constraint claims; of a selection what the constraints claim that it comes to."""
    kind = kind_of(one)
    if isinstance(kind, Selection):
        for inner in kind.chosen:
            yield from _claims(inner)
    else:
        yield kind.claims()


def _within(given: Sequence[_Given]) -> Iterator[Conflict]:
    """The conflicts among claims on one text."""
    yield from _counts(given)
    yield from _phrases(given)
    for a, b in combinations(given, 2):
        for reason in (_letters(a.claims, b.claims), _languages(a.claims, b.claims), _edges(a.claims, b.claims)):
            if reason is not None:
                yield Conflict(a.place, b.place, reason)
    whole = [_Given(one.place, _inherited(one.claims)) for one in given]
    for one in given:
        for part in one.claims.parts:
            inner = [_Given(one.place, claims) for constraint in part for claims in _claims(constraint)]
            yield from _within([*(w for w in whole if w.place != one.place), *inner])


def _inherited(claims: Claims) -> Claims:
    """What is true of every part of a text as well."""
    return Claims(at_most=claims.at_most, bars=claims.bars, bars_words=claims.bars_words, letters=claims.letters)


def _counts(given: Sequence[_Given]) -> Iterator[Conflict]:
    """Something that has to be there more often than it may, also as a part of phrases that have to be there."""
    least: dict[str, tuple[int, int]] = {}
    most: dict[str, tuple[int, int]] = {}

    def demand(name: str, count: int, index: int) -> None:
        if count > least.get(name, (0, 0))[0]:
            least[name] = (count, index)

    for index, claims in given:
        for name, count in claims.at_least.items():
            demand(name, count, index)
        for name, count in claims.at_most.items():
            if name not in most or count < most[name][0]:
                most[name] = (count, index)
    for index, claims in given:
        for phrase in claims.holds:
            for name in most:
                demand(name, phrase.times * _times_in(phrase.text, name), index)
    for name, (limit, by) in most.items():
        count, index = least.get(name, (0, 0))
        if count > limit:
            first, second = sorted((index, by))
            yield Conflict(first, second, f"{count} of {name} at least, and {limit} at most")


def _times_in(text: str, name: str) -> int:
    """How often something that is counted stands in a phrase."""
    what, _, which = name.partition(":")
    if what == "letter":
        return text.casefold().count(which)
    if what == "word":
        return count_phrase(text, which)
    return len(words_of(text)) if what == "words" else 0


def _phrases(given: Sequence[_Given]) -> Iterator[Conflict]:
    """Phrases that have to be there and hold what may not be, or letters of the other case."""
    for index, claims in given:
        for phrase in claims.holds:
            for by, other in given:
                if (reason := _barred(phrase, other)) is not None:
                    first, second = sorted((index, by))
                    yield Conflict(first, second, reason)


def _barred(phrase: Phrase, other: Claims) -> str | None:
    text = phrase.text.casefold()
    for sign in other.bars:
        if sign.casefold() in text:
            return f"{phrase.text[:60]!r} has to be there, and {sign!r} may not"
    if phrase.exact and other.letters is not None:
        fits = phrase.text == (phrase.text.upper() if other.letters == "upper" else phrase.text.lower())
        if not fits:
            return f"{phrase.text[:60]!r} has to be there as it is written, and all letters are {other.letters} case"
    return None


def _letters(a: Claims, b: Claims) -> str | None:
    if a.letters is not None and b.letters is not None and a.letters != b.letters:
        return "letters of different cases"
    for one, other in ((a, b), (b, a)):
        if one.letters == "lower" and other.at_least.get("capital words", 0) > 0:
            return "words in capitals, and small letters only"
    return None


def _languages(a: Claims, b: Claims) -> str | None:
    if a.language is not None and b.language is not None and a.language != b.language:
        return f"the languages {a.language} and {b.language}"
    return None


def _edges(a: Claims, b: Claims) -> str | None:
    """Beginnings, or ends, of which no two fit."""
    for ours, theirs, fits, what in (
        (a.begins, b.begins, str.startswith, "begin"),
        (a.ends, b.ends, str.endswith, "end"),
    ):
        if not ours or not theirs:
            continue
        pairs = [(one.casefold().strip(), other.casefold().strip()) for one in ours for other in theirs]
        if not any(fits(one, other) or fits(other, one) for one, other in pairs):
            return f"it would {what} with {ours[0][:40]!r} and with {theirs[0][:40]!r}"
    return None
