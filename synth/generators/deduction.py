"""Facts and rules from which something follows, its opposite, or neither (the task of arXiv:2012.13048 with an open world)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from random import Random
from typing import Annotated, Any, ClassVar, NamedTuple

from synth.generators.generator import At, Generator, Item, NotUnique, Range, Twin, Values, within
from synth.generators.logic import Statement, everywhere, first_world, holds, worlds_of
from synth.generators.names import NAMES

__all__ = ["Deduction", "Rule", "derive"]

_TRAITS = (
    "kind", "quiet", "round", "green", "young", "rich", "brave", "tall", "cold", "smart", "honest", "strong", "gentle", "proud", "lucky", "hungry",
    "famous", "patient", "clumsy", "cheerful", "curious", "sleepy", "modest", "stubborn",
)  # fmt: skip
_CHOICES = ("yes", "no", "it does not follow either way")
_MOST_THINGS = 16


class Rule(NamedTuple):
    """Who has all of some traits has, or has not, another one."""

    given: tuple[int, ...]
    trait: int
    value: bool


@dataclass(frozen=True, slots=True)
class _World:
    name: str
    traits: tuple[str, ...]
    facts: tuple[int, ...]
    """Traits that are given as facts."""
    rules: tuple[Rule, ...]
    asked: int
    order: str
    """The seed of the order of sentences."""
    aside: str | None = None


class Deduction(Generator):
    """Decide whether something follows from facts and rules, its opposite does, or neither.

    Someone has some traits, and rules say who else has which: everyone who is A and B is C, or is not C. The answer is what is so in every world
    that fits all sentences, found by trying all of them; the three answers are about equally frequent. The difficulty is the number of rules that
    the shortest chain to the answer needs; where neither follows, one sentence of such a chain is missing. `meta.facts`, `meta.rules` (`given`,
    `trait`, `value`) and `meta.asked` have the structure.
    """

    name: ClassVar[str] = "deduction"

    steps: Annotated[Range, within(1, 6)] = Values(3, 3)
    """How many rules follow one another, from 1 to 6."""
    distractors: Annotated[Range, within(0, 6)] = Values(3, 3)
    """How many further facts and rules there are, from 0 to 6."""

    def make(self, random: Random, at: At) -> Item:
        """A chain of rules with further ones around it; in a third of the cases one of its sentences is missing."""
        steps = at["steps"]
        free = list(range(min(_MOST_THINGS, 2 * steps + 2 + at["distractors"])))
        traits = tuple(random.sample(_TRAITS, len(free)))
        chain = [free.pop()]
        facts, rules = [chain[0]], []
        for step in range(steps):
            given = [chain[-1]]
            if random.random() < 0.4:
                facts.append(free.pop())
                given.append(facts[-1])
            chain.append(free.pop())
            value = step < steps - 1 or random.random() < 0.5
            rules.append(Rule(tuple(random.sample(given, len(given))), chain[-1], value))
        facts, rules = self._missing(random, facts, rules) if random.random() < 1 / 3 else (facts, rules)
        for _ in range(at["distractors"]):
            if random.random() < 0.4 and free:
                facts.append(free.pop())
            else:
                given = (
                    random.sample([*chain[:-1], *free], random.randint(1, 2))
                    if len(chain) + len(free) > 2
                    else chain[:1]
                )
                rest = [trait for trait in free if trait not in given]
                if not rest:
                    raise NotUnique
                rules.append(Rule(tuple(given), random.choice(rest), random.random() < 0.7))
        world = _World(random.choice(NAMES), traits, tuple(facts), tuple(rules), chain[-1], str(random.random()))
        return self._item(world, steps)

    def _missing(self, random: Random, facts: list[int], rules: list[Rule]) -> tuple[list[int], list[Rule]]:
        place = random.randrange(len(facts) + len(rules))
        if place < len(facts):
            return [fact for i, fact in enumerate(facts) if i != place], rules
        return facts, [rule for i, rule in enumerate(rules) if i != place - len(facts)]

    def twin(self, item: Item, kind: Twin, random: Random, at: At) -> Item:
        """The sentences in another order beside one about somebody else; or a sentence less, or one more."""
        world: _World = item.world
        if kind == "same":
            other, trait = random.choice([name for name in NAMES if name != world.name]), random.choice(_TRAITS)
            return self._item(replace(world, order=str(random.random()), aside=f"{other} is {trait}."), at["steps"])
        facts, rules = list(world.facts), list(world.rules)
        if item.answer == "C":
            given = tuple(random.sample(facts, 1)) if facts else ()
            rules += [Rule(given, world.asked, random.random() < 0.5)] if given else []
            if not given:
                raise NotUnique
        else:
            facts, rules = self._missing(random, facts, rules)
        return self._item(replace(world, facts=tuple(facts), rules=tuple(rules)), None)

    def _item(self, world: _World, steps: int | None) -> Item:
        """The problem of a world.

        Raises:
            NotUnique: it contradicts itself, or the shortest chain is not as long as it should be.
        """
        n = len(world.traits)
        if len(set(world.rules)) < len(world.rules):
            raise NotUnique
        worlds = reduce(and_, (worlds_of(s, n) for s in _statements(world)), everywhere(n))
        yes, no = worlds & holds(world.asked, n), worlds & ~holds(world.asked, n)
        if not worlds:
            raise NotUnique
        found = derive(world.facts, world.rules)
        depth = found.get(world.asked)
        if (depth is None) is not bool(yes and no):  # follows, but by no chain of rules
            raise NotUnique
        if steps is not None and depth is not None and depth[0] != steps:
            raise NotUnique
        letter = "C" if yes and no else "A" if yes else "B"
        words = _Words(world)
        solution = words.both(first_world(yes, n), first_world(no, n), found) if letter == "C" else words.chain(found)
        meta: dict[str, Any] = {
            "name": world.name,
            "facts": [world.traits[i] for i in world.facts],
            "rules": [
                {"given": [world.traits[i] for i in rule.given], "trait": world.traits[rule.trait], "value": rule.value}
                for rule in world.rules
            ],
            "asked": world.traits[world.asked],
            "steps": None if depth is None else depth[0],
        }
        return Item(
            question=words.question(),
            choices=_CHOICES,
            answer=letter,
            answer_kind="choice",
            solution=solution,
            difficulty=steps or (depth[0] if depth else 0),
            meta=meta,
            world=world,
        )


def derive(facts: Sequence[int], rules: Sequence[Rule]) -> dict[int, tuple[int, bool, Rule | None]]:
    """What chains of rules give: of each trait the length of the shortest chain, its value, and the last rule of it.

    Rules are applied in rounds, so that a trait comes with the fewest rounds; a trait that is not there yields nothing.
    """
    found: dict[int, tuple[int, bool, Rule | None]] = dict.fromkeys(facts, (0, True, None))
    rounds = 0
    while True:
        rounds += 1
        new = {
            rule.trait: (rounds, rule.value, rule)
            for rule in rules
            if rule.trait not in found and all(t in found and found[t][1] for t in rule.given)
        }
        if not new:
            return found
        found |= new


def _statements(world: _World) -> list[Statement]:
    facts: list[Statement] = [("is", fact) for fact in world.facts]
    for given, trait, value in world.rules:
        parts = [("is", one) for one in given]
        head: Statement = ("is", trait) if value else ("not", ("is", trait))
        facts.append(("->", parts[0] if len(parts) == 1 else ("and", *parts), head))
    return facts


class _Words:
    """A world in words."""

    def __init__(self, world: _World) -> None:
        self.world = world

    def _is(self, trait: int, value: bool = True) -> str:
        return f"is {'' if value else 'not '}{self.world.traits[trait]}"

    def _rule(self, rule: Rule) -> str:
        given = " and ".join(self.world.traits[i] for i in rule.given)
        return f"everyone who is {given} {self._is(rule.trait, rule.value)}"

    def question(self) -> str:
        world = self.world
        said = [f"{world.name} {self._is(fact)}." for fact in world.facts]
        said += [f"E{self._rule(rule)[1:]}." for rule in world.rules]
        said += [world.aside] if world.aside else []
        Random(world.order).shuffle(said)
        return f"{' '.join(said)}\n\nIs {world.name} {world.traits[world.asked]}?"

    def chain(self, found: Mapping[int, tuple[int, bool, Rule | None]]) -> list[str]:
        """The rules that lead to what is asked, in order."""
        needed: list[int] = []

        def need(trait: int) -> None:
            rule = found[trait][2]
            for one in rule.given if rule is not None else ():
                need(one)
            if rule is not None and trait not in needed:
                needed.append(trait)

        need(self.world.asked)
        return [self._derived(trait, found) for trait in needed]

    def _derived(self, trait: int, found: Mapping[int, tuple[int, bool, Rule | None]]) -> str:
        _, value, rule = found[trait]
        assert rule is not None
        given = " and ".join(self.world.traits[i] for i in rule.given)
        name = self.world.name
        return f"{name} is {given}, and {self._rule(rule)}, so {name} {self._is(trait, value)}."

    def both(
        self, yes: Sequence[bool], no: Sequence[bool], found: Mapping[int, tuple[int, bool, Rule | None]]
    ) -> list[str]:
        """All that follows by rules, and two worlds that fit all sentences, of which each has another answer."""
        derived = [self._derived(trait, found) for trait, (_, _, rule) in found.items() if rule is not None]
        name, asked = self.world.name, self.world.asked
        steps = [*derived, f"No rule applies any more, so no chain of rules says whether {name} {self._is(asked)}."]
        for values in (yes, no):
            has = [trait for i, trait in enumerate(self.world.traits) if values[i]]
            only = f"is {', '.join(has)} and has none of the other traits" if has else "has none of the traits"
            steps.append(
                f"Every sentence about {name} holds where {name} {only}; then {name} {self._is(asked, values[asked])}."
            )
        return [*steps, "So it does not follow either way."]
