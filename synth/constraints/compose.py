"""Constraints drawn for a question: never in conflict, and never without a text that complies with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal

from synth.constraints.catalogue import kind_of
from synth.constraints.composed import CONDITIONS, Chain, Judged, Selection
from synth.constraints.conflicts import conflicts
from synth.constraints.kind import ConstraintKind, Seed
from synth.constraints.satisfy import satisfying_text
from synth.records import Constraint
from synth.texts import count_words

__all__ = ["Composition", "draw_constraints", "question_with", "sentence_of"]

Composition = Literal["and", "chain", "selection"]
On = Literal["response", "reasoning", "both"]
_TRIES = 60
"""Draws for one place, before it stays empty."""
_INNER = 4
"""Constraints that a chain or a selection is drawn of: two for each of two parts, or one for each branch."""


def draw_constraints(
    question: str,
    count: int,
    rng: Random,
    *,
    kinds: Sequence[type[ConstraintKind]],
    given: Sequence[Constraint] = (),
    on: On = "response",
    composition: Sequence[Composition] = ("and",),
    soft: int = 0,
) -> list[Constraint]:
    """Constraints for a question, in an order in which each fits those before it. The first of them are the same for every `count`.

    Args:
        question: the question.
        count: how many; fewer where no more fit.
        rng: the source of chance.
        kinds: what they are drawn from; no kind twice.
        given: constraints that the question has already.
        on: what has to comply.
        composition: how they are composed, in turn: one beside the others (`and`), in parts one after the other (`chain`), or one or
            another by a condition on the question (`selection`). At most one chain.
        soft: every so many-th constraint is one that a judge decides; 0 for none.
    """
    found: list[Constraint] = []
    for place in range(count):
        how: Composition = composition[place % len(composition)]
        judged = bool(soft) and (place + 1) % soft == 0
        # Chance of its own for each place: how often one was tried changes none of those that follow.
        own = Random(rng.random())
        for _ in range(_TRIES):
            seed = Seed(question, own, [*given, *found])
            one = _soft(seed, on) if judged else _one(seed, how, kinds, on)
            if one is None or any(one.id == other.id and not judged for other in seed.taken):
                continue
            both = [*given, *found, one]
            if conflicts(both) or any(satisfying_text(_at(both, part)) is None for part in ("response", "reasoning")):
                continue
            found.append(one)
            break
        else:
            return found
    return found


def sentence_of(constraint: Constraint) -> str:
    """What a constraint asks for, in words to a model."""
    said = kind_of(constraint).sentence()
    if constraint.on == "reasoning":
        return f"While you reason, before you state the answer: {said}"
    return f"In your reasoning and in your reply: {said}" if constraint.on == "both" else said


def question_with(question: str, constraints: Sequence[Constraint]) -> str:
    """A question with what its constraints ask for, a line each."""
    said = [sentence_of(one) for one in constraints]
    # "Repeat the request above" is about the question alone: it comes first.
    first = [s for s, one in zip(said, constraints, strict=True) if one.id == "combination:repeat_prompt"]
    return "\n\n".join([question, "\n".join([*first, *(s for s in said if s not in first)])])


def _at(constraints: Sequence[Constraint], part: str) -> list[Constraint]:
    return [one for one in constraints if one.on in {part, "both"}]


def _soft(seed: Seed, on: On) -> Constraint | None:
    made = Judged.draw(seed)
    return None if made is None else made.record(on)


def _one(seed: Seed, how: Composition, kinds: Sequence[type[ConstraintKind]], on: On) -> Constraint | None:
    if how == "and":
        made = seed.rng.choice(kinds).draw(seed)
        return None if made is None else made.record(on)
    simple = [kind for kind in kinds if kind.drawn]
    drawn = [kind.draw(seed) for kind in seed.rng.sample(simple, min(_INNER, len(simple)))]
    inner = [one.record() for one in drawn if one is not None and one.id != "combination:repeat_prompt"]
    if len(inner) < 2:
        return None
    if how == "chain":
        half = (len(inner) + 1) // 2
        return Chain(parts=(tuple(inner[:half]), tuple(inner[half:]))).record(on)
    holds = {
        "has_digit": any(c.isdigit() for c in seed.question),
        "has_question_mark": "?" in seed.question,
        "many_words": count_words(seed.question).least > 30,
    }
    name = seed.rng.choice(sorted(CONDITIONS))
    chosen = Selection(condition=CONDITIONS[name], holds=holds[name], then=(inner[0],), otherwise=(inner[1],))
    return chosen.record(on)
