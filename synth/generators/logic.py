"""Statements about things that are true or false, decided exactly: a statement is the set of the worlds in which it holds.

A statement is a nested tuple: `("is", i)`, `("not", s)`, `("and", s, t, …)`, `("or", s, t, …)`, `("->", s, t)`, `("<=>", s, t)`. There are 2^n
worlds of n things; world w has thing i true where bit i of w is 1. A set of worlds is an integer with 2^n bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, reduce
from operator import and_, or_
from random import Random
from typing import Any

__all__ = ["Statement", "everywhere", "first_world", "flipped", "holds", "leaves", "random_world", "worlds_of"]

Statement = tuple[Any, ...]


@cache
def everywhere(n: int) -> int:
    """All worlds of n things."""
    return (1 << (1 << n)) - 1


@cache
def holds(thing: int, n: int) -> int:
    """The worlds of n things in which one of them is true."""
    found = ((1 << (1 << thing)) - 1) << (1 << thing)  # of the first 2^(thing + 1) worlds
    width = 2 << thing
    while width < 1 << n:
        found |= found << width
        width *= 2
    return found


def worlds_of(statement: Statement, n: int) -> int:
    """The worlds of n things in which a statement holds.

    Raises:
        ValueError: it is no statement.
    """
    sign, *parts = statement
    if sign == "is":
        return holds(parts[0], n)
    inner = [worlds_of(part, n) for part in parts]
    match sign:
        case "not":
            return everywhere(n) & ~inner[0]
        case "and":
            return reduce(and_, inner)
        case "or":
            return reduce(or_, inner)
        case "->":
            return everywhere(n) & ~inner[0] | inner[1]
        case "<=>":
            return everywhere(n) & ~(inner[0] ^ inner[1])
    raise ValueError(f"{sign!r} is no sign of a statement")


def leaves(statement: Statement) -> Iterator[int]:
    """The things a statement is about, as often as it names them."""
    if statement[0] == "is":
        yield statement[1]
    else:
        for part in statement[1:]:
            yield from leaves(part)


def first_world(worlds: int, n: int) -> Sequence[bool]:
    """The first of some worlds: which things are true in it."""
    world = (worlds & -worlds).bit_length() - 1
    return [bool(world >> i & 1) for i in range(n)]


def random_world(worlds: int, n: int, random: Random) -> Sequence[bool]:
    """One of some worlds, each as likely as the others."""
    for _ in range(random.randrange(worlds.bit_count())):
        worlds &= worlds - 1
    return first_world(worlds, n)


def flipped(worlds: int, thing: int, n: int) -> int:
    """Some worlds with one thing true where it was false, and false where it was true."""
    where, shift = holds(thing, n), 1 << thing
    return (worlds & where) >> shift | (worlds & ~where) << shift
