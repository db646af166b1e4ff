"""Rules that combine conditions, applied to facts (the task of arXiv:2402.10400)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from random import Random
from typing import Annotated, Any, ClassVar

from synth.generators.expressions import composed, decisive, expression_text, value_of
from synth.generators.generator import At, Generator, Item, Range, Twin, Values, within
from synth.generators.logic import Statement, everywhere, flipped, random_world, worlds_of
from synth.generators.themes import THEMES, Element, Theme

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class _World:
    theme: Theme
    elements: tuple[Element, ...]
    statement: Statement
    values: tuple[bool, ...]
    facts: tuple[str, ...]
    """One an element."""
    order: Sequence[int]
    """In which the facts are reported."""
    aside: str | None = None


class Rules(Generator):
    """Apply a rule, which combines conditions by and, or and not, to the facts of a case.

    Each condition is named once in the rule, and one fact says whether it is met. Half of the answers are yes, and of each case at least one
    condition decides: were it otherwise, the result would be too. The difficulty is the number of conditions. `meta.expression` is the rule as a
    boolean expression over the names of `meta.elements`, a list of `name`, `text` and `verdict`; `meta.decisive` names the elements that decide.
    The solution judges each element, then combines.
    """

    name: ClassVar[str] = "rules"

    elements: Annotated[Range, within(2, 8)] = Values(4, 4)
    """How many conditions the rule has, from 2 to 8."""

    def make(self, random: Random, at: At) -> Item:
        """A rule and a case with one answer."""
        theme = random.choice(THEMES)
        count = at["elements"]
        elements = tuple(random.sample(theme.elements, count))
        statement = _combined(random, list(range(count)), outermost=True)
        worlds = worlds_of(statement, count)
        want = worlds if random.random() < 0.5 else everywhere(count) & ~worlds
        undecided = want & reduce(or_, (worlds ^ flipped(worlds, thing, count) for thing in range(count)))
        values = tuple(random_world(undecided, count, random))
        facts = tuple(element.fact(random, value) for element, value in zip(elements, values, strict=True))
        return self._item(_World(theme, elements, statement, values, facts, random.sample(range(count), count)))

    def twin(self, item: Item, kind: Twin, random: Random, at: At) -> Item:
        """The facts in another order beside one that bears on nothing; or the opposite fact for one element that decides."""
        world: _World = item.world
        count = at["elements"]
        if kind == "same":
            order = random.sample(range(count), count)
            return self._item(replace(world, order=order, aside=random.choice(world.theme.asides)))
        i = random.choice(_decisive(world))
        values = (*world.values[:i], not world.values[i], *world.values[i + 1 :])
        facts = (*world.facts[:i], world.elements[i].fact(random, values[i]), *world.facts[i + 1 :])
        return self._item(replace(world, values=values, facts=facts))

    def _item(self, world: _World) -> Item:
        result = value_of(world.statement, world.values)
        names = [element.name for element in world.elements]
        expression = expression_text(world.statement, names)
        verdicts = dict(zip(names, world.values, strict=True))
        rule = "\n".join(_rule(world))
        facts = [world.facts[i] for i in world.order]
        if world.aside:
            facts.insert(len(facts) // 2, world.aside)
        meta: dict[str, Any] = {
            "rule": rule,
            "facts": facts,
            "expression": expression,
            "elements": [
                {"name": e.name, "text": e.text, "verdict": v}
                for e, v in zip(world.elements, world.values, strict=True)
            ],
            "decisive": decisive(expression, verdicts),
        }
        return Item(
            question=f"{world.theme.question} Answer yes or no.",
            context=f"Rule. {rule}\n\nFacts. {' '.join(facts)}",
            answer="yes" if result else "no",
            answer_kind="boolean",
            solution=[
                *_judged(world),
                *composed(world.statement, names, world.values),
                f"So {world.theme.result if result else world.theme.opposite}.",
            ],
            difficulty=len(names),
            meta=meta,
            world=world,
        )


def _combined(random: Random, things: list[int], *, outermost: bool = False, within_: str = "") -> Statement:
    """A statement that names each thing once; a group is of another sign than the one it stands in."""
    if len(things) == 1:
        leaf: Statement = ("is", things[0])
        return ("not", leaf) if random.random() < 0.25 else leaf
    signs = [sign for sign in ("and", "or") if sign != within_]
    sign = random.choice(signs)
    cuts = sorted(random.sample(range(1, len(things)), random.randint(1, min(2, len(things) - 1))))
    groups = [things[a:b] for a, b in zip([0, *cuts], [*cuts, len(things)], strict=True)]
    made: Statement = (sign, *(_combined(random, group, within_=sign) for group in groups))
    return ("not", made) if not outermost and random.random() < 0.15 else made


_HEAD = {"and": "all of these hold", "or": "at least one of these holds"}
_NOT = {"and": "not all of these hold", "or": "none of these holds"}


def _rule(world: _World) -> list[str]:
    """The rule in words, a condition a line; what belongs together is indented."""
    sign, *parts = world.statement
    head = f"{world.theme.result[:1].upper()}{world.theme.result[1:]} if {_HEAD[sign]}, and otherwise not:"
    return [head, *(line for part in parts for line in _conditions(world, part, 1))]


def _conditions(world: _World, statement: Statement, depth: int) -> list[str]:
    sign, *parts = statement
    dash = f"{'  ' * (depth - 1)}- "
    if sign == "is" or (sign == "not" and parts[0][0] == "is"):
        return [dash + _clause(world, statement)]
    heads, inner = (_NOT, parts[0]) if sign == "not" else (_HEAD, statement)
    lines = [f"{dash}{heads[inner[0]]}:"]
    return lines + [line for part in inner[1:] for line in _conditions(world, part, depth + 1)]


def _clause(world: _World, statement: Statement) -> str:
    """A condition or its opposite as a clause."""
    sign, *parts = statement
    return world.elements[parts[0]].text if sign == "is" else f"it is not so that {_clause(world, parts[0])}"


def _decisive(world: _World) -> list[int]:
    names = [f"e{i}" for i in range(len(world.values))]
    found = decisive(expression_text(world.statement, names), dict(zip(names, world.values, strict=True)))
    return [names.index(name) for name in found]


def _judged(world: _World) -> list[str]:
    """One step an element."""
    return [
        f"{element.name}: {element.text}. {fact} So {element.name} is {str(value).lower()}."
        for element, fact, value in zip(world.elements, world.facts, world.values, strict=True)
    ]
