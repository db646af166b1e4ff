"""Knights and knaves (arXiv:2502.14768; the grammar of the puzzles is that of arXiv:2410.23123)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from synth.generators.cases import Line, prove
from synth.generators.generator import At, Generator, Item, NotUnique, Range, Twin, Values, within
from synth.generators.logic import Statement, everywhere, first_world, holds, leaves, worlds_of
from synth.generators.names import NAMES

__all__ = ["Knights", "solutions"]

_SAID = (
    '{name} says: "{said}."', '{name} said, "{said}."', '"{said}," {name} said.', '"{said}," {name} claimed.', '{name} stated, "{said}."',
    'According to {name}, "{said}."', '{name} remarked, "{said}."', 'In the words of {name}: "{said}."', '{name} asserted: "{said}."',
    '"{said}," {name} declared.', 'As {name} put it, "{said}."', '{name} was heard saying, "{said}."',
)  # fmt: skip
_OPENING = (
    "On an island there are only knights and knaves. Knights always tell the truth, and knaves always lie.",
    "Every inhabitant of an island is either a knight, who always tells the truth, or a knave, who always lies.",
    "A knight only says what is true, and a knave only says what is false. Everybody on this island is one or the other.",
)
_MEETING = (
    "You meet {count} inhabitants: {names}.",
    "{count} of them talk to you: {names}.",
    "Here are {count} of them: {names}.",
)
_ASKING = (
    "Who is a knight and who is a knave?",
    "So who is a knight, and who is a knave?",
    "Say of each of them: knight or knave?",
)
_ASIDE = (
    "The island lies far from any coast.",
    "It is a warm evening on the island.",
    "The island has two harbours and one lighthouse.",
    "A ferry calls at the island once a week.",
)
"""Facts that bear on nothing."""


@dataclass(frozen=True, slots=True)
class _World:
    """A puzzle before it is put in words: who is asked about, what each says, and how it is worded."""

    names: Sequence[str]
    statements: tuple[Statement, ...]
    words: str
    """The seed of the wording."""
    order: Sequence[int]
    """In which the statements are reported."""
    aside: str | None = None


class Knights(Generator):
    """Find who is a knight and who is a knave from what each of several people says.

    Each says one statement about who is what. Exactly one assignment of roles makes the statements of knights true and those of knaves
    false. The difficulty is the number of people; `meta.cases` counts the suppositions that the solution needs. `meta.statements` has the
    statements as nested lists: `["telling-truth", 2]` (the third person is a knight), `["lying", 0]`, `["not", s]`, `["and", s, t]`, `["or", s, t]`,
    `["->", s, t]`, `["<=>", s, t]`. Of few people there are few puzzles.
    """

    name: ClassVar[str] = "knights"

    people: Annotated[Range, within(2, 12)] = Values(3, 3)
    """How many people there are, from 2 to 12."""
    depth: Annotated[int, Field(ge=1, le=4)] = 2
    """How deep statements are at most: 1 names one person, 2 connects such."""
    width: Annotated[int, Field(ge=2, le=4)] = 2
    """How many parts a conjunction or disjunction has at most."""
    reward: Literal["correct", "tags"] = "correct"
    """What rewards completions: `correct`, or `tags`, which counts form and answer as arXiv:2502.14768 does."""

    def make(self, random: Random, at: At) -> Item:
        """A puzzle with exactly one solution."""
        n = at["people"]
        statements = tuple(self._statement(random, who, n, self.depth) for who in range(n))
        names = random.sample(NAMES, n)
        return self._item(_World(names, statements, str(random.random()), range(n)))

    def twin(self, item: Item, kind: Twin, random: Random, at: At) -> Item:
        """The statements in another order and words beside a fact that bears on nothing; or another statement of one person."""
        world: _World = item.world
        n = at["people"]
        if kind == "same":
            order = random.sample(range(n), n)
            return self._item(replace(world, words=str(random.random()), order=order, aside=random.choice(_ASIDE)))
        who = random.randrange(n)
        statements = list(world.statements)
        statements[who] = self._changed(random, statements[who], who, n)
        return self._item(replace(world, statements=tuple(statements)))

    def _statement(self, random: Random, who: int, n: int, depth: int) -> Statement:
        sign = random.choice(("leaf", "leaf", "not", "and", "or", "->", "<=>")) if depth > 1 else "leaf"
        if sign == "leaf":
            person, knight = random.randrange(n), random.random() < 0.5
            if person == who and not knight:  # "I am a knave" is a paradox
                return self._statement(random, who, n, 1)
            return ("is", person) if knight else ("not", ("is", person), "knave")
        parts: list[Statement] = []
        want = 1 if sign == "not" else random.randint(2, self.width) if sign in {"and", "or"} else 2
        for _ in range(20):  # with two people and one level there may be fewer different parts than are wanted
            part = self._statement(random, who, n, depth - 1)
            if part not in parts:
                parts.append(part)
            if len(parts) == want:
                return (sign, *parts)
        raise NotUnique

    def _changed(self, random: Random, statement: Statement, who: int, n: int) -> Statement:
        """A statement with one leaf drawn again, or another one."""
        if random.random() < 0.5:
            return self._statement(random, who, n, self.depth)
        place = random.randrange(sum(1 for _ in leaves(_plain(statement))))
        leaf = self._statement(random, who, n, 1)
        return _with_leaf(statement, leaf, [place])

    def _item(self, world: _World) -> Item:
        n = len(world.names)
        plain = [_plain(s) for s in world.statements]
        constraints = [_fits(who, statement, n) for who, statement in enumerate(plain)]
        left = everywhere(n)
        for constraint in constraints:
            left &= constraint
        if left.bit_count() != 1:
            raise NotUnique
        roles = first_world(left, n)
        about = [sorted({who, *leaves(statement)}) for who, statement in enumerate(plain)]
        lines = prove(constraints, about, n)
        steps = _Words(world).steps(lines, roles)
        return Item(
            question=_Words(world).question(),
            answer=json.dumps(dict(zip(world.names, map(_role, roles), strict=True))),
            answer_kind="assignment",
            solution=steps,
            difficulty=n,
            key=str(world.statements),
            reward=None if self.reward == "correct" else {"name": self.reward, "args": {}},
            meta={
                "names": list(world.names),
                "statements": [_shown(s) for s in world.statements],
                "knights": list(roles),
                "cases": sum(line.kind == "suppose" for line in lines),
            },
            world=world,
        )


def solutions(statements: Sequence[Sequence[JsonValue]]) -> list[list[bool]]:
    """Every assignment of roles that fits statements as `meta.statements` has them: of each person, whether it is a knight."""
    n = len(statements)
    left = everywhere(n)
    for who, statement in enumerate(statements):
        left &= _fits(who, _read(statement), n)
    found = []
    while left:
        found.append(list(first_world(left, n)))
        left &= left - 1
    return found


def _fits(who: int, statement: Statement, n: int) -> int:
    """The worlds in which what somebody says is true just where it is a knight."""
    return everywhere(n) & ~(holds(who, n) ^ worlds_of(statement, n))


def _is_knave(statement: Statement) -> bool:
    """Whether it is the leaf `… is a knave`, which is worded otherwise than `… is not a knight`."""
    return len(statement) == 3 and statement[2] == "knave"


def _plain(statement: Statement) -> Statement:
    """A statement for the solver, which knows no knaves."""
    if _is_knave(statement):
        return statement[:2]
    return statement if statement[0] == "is" else (statement[0], *map(_plain, statement[1:]))


def _shown(statement: Statement) -> JsonValue:
    if statement[0] == "is":
        return ["telling-truth", statement[1]]
    if _is_knave(statement):
        return ["lying", statement[1][1]]
    return [statement[0], *map(_shown, statement[1:])]


def _read(shown: Sequence[JsonValue]) -> Statement:
    sign, *parts = shown
    if sign == "telling-truth":
        return ("is", parts[0])
    if sign == "lying":
        return ("not", ("is", parts[0]))
    return (sign, *(_read(part) for part in parts if isinstance(part, Sequence)))


def _with_leaf(statement: Statement, leaf: Statement, place: list[int]) -> Statement:
    """A statement with another leaf in one place, counted from 0."""
    if statement[0] == "is" or _is_knave(statement):
        place[0] -= 1
        return leaf if place[0] == -1 else statement
    return (statement[0], *(_with_leaf(part, leaf, place) for part in statement[1:]))


def _role(is_knight: bool) -> str:
    return "knight" if is_knight else "knave"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}{',' * (len(parts) > 2)} and {parts[-1]}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


class _Words:
    """A puzzle in words."""

    def __init__(self, world: _World) -> None:
        self.names, self.world = world.names, world

    def said(self, statement: Statement, *, inner: bool = False) -> str:
        """A statement in words; a connected one within another stands in brackets."""
        if statement[0] == "is":
            return f"{self.names[statement[1]]} is a knight"
        if _is_knave(statement):
            return f"{self.names[statement[1][1]]} is a knave"
        sign, *parts = statement
        if sign == "not":
            part = parts[0]
            if part[0] == "is" or _is_knave(part):
                return self.said(part).replace(" is a ", " is not a ")
            return f"it is not the case that {self.said(part, inner=True)}"
        words = [self.said(part, inner=True) for part in parts]
        match sign:
            case "->":
                text = f"if {words[0]}, then {words[1]}"
            case "<=>":
                text = f"{words[0]} if and only if {words[1]}"
            case _:
                text = f" {sign} ".join(words)
        return f"({text})" if inner else text

    def question(self) -> str:
        random = Random(self.world.words)
        opening, meeting, asking = (random.choice(kind) for kind in (_OPENING, _MEETING, _ASKING))
        frames = {who: random.choice(_SAID) for who in range(len(self.names))}
        count = ("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")[
            len(self.names) - 2
        ]
        count = count if meeting.startswith("{count}") else count.lower()
        said = [frames[who].format(name=self.names[who], said=self._quoted(who)) for who in self.world.order]
        aside = [self.world.aside] if self.world.aside else []
        return " ".join([opening, *aside, meeting.format(count=count, names=_listed(self.names)), *said, asking])

    def _quoted(self, who: int) -> str:
        return _upper(self.said(self.world.statements[who]))

    def steps(self, lines: Sequence[Line], roles: Sequence[bool]) -> list[str]:
        """A proof, one step a line; a step in a case names it, so that each can be judged alone."""
        checked = _listed([f"{name} {_role(is_)}" for name, is_ in zip(self.names, roles, strict=True)])
        end = f"With {checked}, what each knight says is true and what each knave says is false."
        return [*(self._case(line) + self._line(line) for line in lines), end]

    def _case(self, line: Line) -> str:
        assumed = line.assumed[:-1] if line.kind == "suppose" else line.assumed
        return f"In the case that {' and '.join(self._fact(*one) for one in assumed)}: " if assumed else ""

    def _fact(self, thing: int, value: bool) -> str:
        return f"{self.names[thing]} is a {_role(value)}"

    def _line(self, line: Line) -> str:
        if line.kind == "suppose":
            return f"Suppose that {self._fact(*line.assumed[-1])}."
        if line.thing is not None and line.value is not None:
            fact, other = self._fact(line.thing, line.value), self._fact(line.thing, not line.value)
        if line.kind == "so":
            return f"It is impossible that {other}, so {fact}."
        assert line.by is not None
        assert line.known is not None
        who = line.by
        speaker, quote = self.names[who], f'"{self._quoted(who)}"'
        others = [self._fact(*one) for one in line.known.items() if one[0] != who]
        since = f"Since {_listed(others)}, the" if others else "The"
        if line.kind == "clash":
            is_true = self._truth(who, line.known)
            if is_true is None:
                return (
                    f"{since} statement of {speaker}, {quote}, fits neither a knight nor a knave, which is impossible."
                )
            return f"{since} statement of {speaker}, {quote}, is {str(is_true).lower()}, but {self._fact(who, not is_true)}, which is impossible."
        if line.thing == who:
            is_true = self._truth(who, line.known)
            if is_true is not None:
                return f"{since} statement of {speaker}, {quote}, is {str(is_true).lower()}, so {fact}."
            return f"{since} statement of {speaker}, {quote}, can only be said if {fact}, so {fact}."
        if who in line.known:
            role = line.known[who]
            given = f"{_upper(_listed([self._fact(who, role), *others]))}"
            return f"{given}, and the statement of {speaker}, {quote}, must be {str(role).lower()}, so {fact}."
        return f"{since} statement of {speaker}, {quote}, can be said by neither a knight nor a knave if {other}, so {fact}."

    def _truth(self, who: int, known: object) -> bool | None:
        """Whether a statement is true or false wherever what is known of others holds; None where that is open."""
        assert isinstance(known, dict)
        n = len(self.names)
        where = everywhere(n)
        for thing, value in known.items():
            if thing != who:
                where &= holds(thing, n) if value else ~holds(thing, n)
        inside = worlds_of(_plain(self.world.statements[who]), n) & where
        return True if inside == where else False if not inside else None
