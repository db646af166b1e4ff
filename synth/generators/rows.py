"""The rows of a generator: problems without duplicates, each with its twins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from random import Random
from typing import Any
from urllib.parse import urlencode

from synth.errors import InputError
from synth.generators.generator import At, Generator, Item, NotUnique, Twin, Values

__all__ = ["made_rows"]

MOST_TRIES = 10_000
"""Draws in a row that give no new problem, before a world counts as used up. A world in which a share p of the draws is
still new is taken for used up with probability (1-p)^10000: below e^-10 from p = 0.1 % on."""

MOST_TWIN_TRIES, MOST_ALONE = 1_000, 100
"""Draws of a twin before its problem is replaced by another, and problems replaced in a row before there are no twins."""

_OWN = ("size", "seed", "twins")
"""Options that every generator has."""


def made_rows(generator: Generator) -> Iterator[dict[str, Any]]:
    """The rows of a generator, which columns of a problem are named after; what else there is becomes its `meta`.

    `item` identifies a problem within all generators; `index` counts problems from 0 without their twins; `stage`, the place in a
    curriculum, is the position, from 0, of its values among the combinations of the ranges, where there is more than one.

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
        items = _family(generator, at, seed, kinds, seen)
        if items is None:
            raise _used_up(generator, index, turn, turns)
        place = f"{name}#{index}"
        meta = {"generator": generator.name, "seed": generator.seed, "index": index}
        meta |= {"stage": turn} if len(turns) > 1 else {}
        yield _row(items[0], {**meta, "item": place})
        for kind, twin in zip(kinds, items[1:], strict=True):
            yield _row(twin, {**meta, "item": f"{place}/{kind}", "twin_of": place, "twin": kind})


def _family(generator: Generator, at: At, seed: str, kinds: Sequence[Twin], seen: set[int]) -> list[Item] | None:
    """The first problem that is not there yet, with its twins; None where many draws in a row give none. `seen` grows.

    Raises:
        InputError: many problems in a row have no twin.
    """
    alone = 0
    for item in _draws(partial(generator.make, at=at), seed, MOST_TRIES):
        keys = _keys(item)
        if keys & seen:
            continue
        family = [item]
        for kind in kinds:
            for twin in _draws(partial(generator.twin, item, kind, at=at), f"{seed}/{kind}", MOST_TWIN_TRIES):
                more = _keys(twin, keyed=kind != "same")  # the same problem in other words
                if (_asked(twin) == _asked(item)) is (kind == "same") and not more & seen and not more & keys:
                    family.append(twin)
                    keys |= more
                    break
            else:
                alone += 1
                break
        if len(family) == 1 + len(kinds):
            seen |= keys
            return family
        if alone == MOST_ALONE:
            raise InputError(
                f"{alone} problems in a row had no twin ({kinds[len(family) - 1]}) in {MOST_TWIN_TRIES:,} draws",
                where=f"make:{generator.name}",
                fix="ask for larger problems, or leave twins away",
            )
    return None


def _draws(make: Callable[[Random], Item], seed: str, most: int) -> Iterator[Item]:
    """The draws that give a problem."""
    for attempt in range(most):
        with suppress(NotUnique):
            yield make(Random(f"{seed}/{attempt}"))


def _keys(item: Item, *, keyed: bool = True) -> set[int]:
    """What a problem is known by: its words, and the key that it gives itself."""
    words = hash(" ".join(f"{item.context or ''} {item.question} {item.choices}".casefold().split()))
    return {words, hash(("key", item.key))} if keyed and item.key is not None else {words}


def _asked(item: Item) -> str:
    """The answer in words."""
    return item.choices[ord(item.answer) - ord("A")] if item.choices else item.answer


def _stated(item: Item) -> str:
    """The answer as a reply states it."""
    return f"{item.answer}) {_asked(item)}" if item.choices else item.answer


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
        "reference_solution": "\n".join([*item.solution, f"The answer is {_stated(item)}."]),
        "reward_function": item.reward,
        **meta,
        "difficulty": item.difficulty,
        **item.meta,
    }
