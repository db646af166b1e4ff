"""The rows of a generator: problems without duplicates, each with its twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from random import Random
from typing import Any
from urllib.parse import urlencode

from synth.errors import InputError
from synth.generators.generator import At, Generator, Item, NotUnique, Twin, Values

__all__ = ["made_rows"]

MOST_TRIES = 2_000
"""Draws in a row that give no new problem, before a world counts as used up. Of a world in which a share p of the draws is still new, one
is missed with probability (1-p)^2000: below e^-10 from p = 0.5 % on."""

_OWN = ("size", "seed", "twins")
"""Options that every generator has."""


def made_rows(generator: Generator) -> Iterator[dict[str, Any]]:
    """The rows of a generator, which columns of a problem are named after; what else there is becomes its `meta`.

    `item` identifies a problem within all generators; `index` counts problems from 0 without their twins; `turn` is the position, from 0,
    of its values among the combinations of the ranges, where there is more than one.

    Raises:
        InputError: the world is used up: it has fewer distinct problems than were asked for, or none; or it has no twins.
    """
    ranges = {
        name: value for name in type(generator).model_fields if isinstance(value := getattr(generator, name), Values)
    }
    turns: list[At] = [dict(zip(ranges, values, strict=True)) for values in product(*ranges.values())]
    kinds: tuple[Twin, ...] = {"none": (), "both": ("same", "changed")}.get(generator.twins, (generator.twins,))  # type: ignore[assignment]
    if kinds and type(generator).twin is Generator.twin:
        raise InputError("this generator makes no twins", where=f"make:{generator.name}", fix="leave twins away")
    name = _name(generator)
    seen: set[int] = set()
    for index in range(generator.size):
        turn = index % len(turns)
        at = turns[turn]
        seed = f"{generator.name}/{generator.seed}/{index}"
        item = _new(partial(generator.make, at=at), seed, seen)
        if item is None:
            raise _used_up(generator, index, turn, turns)
        place = f"{name}#{index}"
        meta = {"generator": generator.name, "seed": generator.seed, "index": index}
        meta |= {"turn": turn} if len(turns) > 1 else {}
        yield _row(item, {**meta, "item": place})
        for kind in kinds:
            twin = _new(partial(generator.twin, item, kind, at=at), f"{seed}/{kind}", seen, kind, item)
            if twin is None:
                raise InputError(
                    f"no twin ({kind}) of problem {index} was found in {MOST_TRIES:,} draws",
                    where=f"make:{generator.name}",
                    fix="use another seed, larger problems, or leave twins away",
                )
            yield _row(twin, {**meta, "item": f"{place}/{kind}", "twin_of": place, "twin": kind})


def _new(
    make: Callable[[Random], Item], seed: str, seen: set[int], kind: Twin | None = None, of: Item | None = None
) -> Item | None:
    """The first draw that gives a problem which is not there yet; None where many in a row give none."""
    for attempt in range(MOST_TRIES):
        try:
            item = make(Random(f"{seed}/{attempt}"))
        except NotUnique:
            continue
        if kind is not None and of is not None and (_asked(item) == _asked(of)) is not (kind == "same"):
            continue
        keys = {hash(" ".join(f"{item.context or ''} {item.question}".casefold().split()))}
        keys |= {hash(("key", item.key))} if item.key is not None and kind != "same" else set()
        if not keys & seen:
            seen |= keys
            return item
    return None


def _asked(item: Item) -> str:
    """The answer in words."""
    return item.choices[ord(item.answer) - ord("A")] if item.choices else item.answer


def _used_up(generator: Generator, index: int, turn: int, turns: list[At]) -> InputError:
    have = len(range(turn, index, len(turns)))
    values = ", ".join(f"{name}={value}" for name, value in turns[turn].items())
    which = f" with {values}" if values else ""
    what = f"{have:,} distinct problems{which} were found, and the next {MOST_TRIES:,} draws gave none that is new"
    fix = f"ask for size={index}, or for larger problems" if index else "ask for larger problems"
    return InputError(what, where=f"make:{generator.name}", fix=fix)


def _name(generator: Generator) -> str:
    """The generator with the options that make its problems what they are."""
    given = {
        name: getattr(generator, name)
        for name, field in type(generator).model_fields.items()
        if name not in _OWN and getattr(generator, name) != field.default
    }
    return f"{generator.name}?{urlencode({**given, 'seed': generator.seed})}"


def _row(item: Item, meta: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "question": item.question,
        "context": item.context,
        "choices": list(item.choices) or None,
        "answer": item.answer,
        "answer_kind": item.answer_kind,
        "reference_solution": "\n".join([*item.solution, f"The answer is {item.answer}."]),
        **meta,
        "difficulty": item.difficulty,
        **item.meta,
    }
