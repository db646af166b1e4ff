"""What generators of algorithmic problems share: the true steps, the instance as data, and twins by an edit that a step reads or not."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from random import Random
from typing import Any

from synth.algorithms import Algorithm, Instance
from synth.generators.generator import At, Generator, Item, NotUnique, Twin

__all__ = ["Traced"]


class Traced(Generator):
    """A generator whose problems are instances of an algorithm.

    The solution is the trace of the algorithm, a state a line. `meta.algorithm` and `meta.instance` are what `check_steps` with `trace`
    recalculates steps by, `meta.form` is the form of the lines. `meta.same_steps` of a twin is how many first steps it shares with its problem.
    """

    @abstractmethod
    def draw(self, random: Random, at: At) -> tuple[Algorithm[Any, Any], Any]:
        """An algorithm and an instance of it.

        Raises:
            NotUnique: this draw gives none.
        """

    def edit(self, algorithm: Algorithm[Any, Any], given: Any, kind: Twin, random: Random) -> Instance | None:
        """The instance with one change, of which rows are made where it keeps the answer or changes it as it is to; None where there is none.

        For `same` the change lies beyond what some step reads, which is drawn; for `changed` it is what that step reads, so that this step is the
        first that differs.
        """
        trace = algorithm.trace(given)
        return algorithm.vary(given, trace, random.randrange(len(trace)), kind == "changed", random)

    def make(self, random: Random, at: At) -> Item:
        """A problem with its trace."""
        algorithm, given = self.draw(random, at)
        return self._item(algorithm, given)

    def twin(self, item: Item, kind: Twin, random: Random, at: At) -> Item:  # noqa: ARG002
        """The problem with one change."""
        algorithm, given = item.world
        other = self.edit(algorithm, given, kind, random)
        # The answers are compared here too, before lines are written: most edits are dropped.
        if other is None or (algorithm.solve(other) == item.answer) is not (kind == "same"):
            raise NotUnique
        made = self._item(algorithm, other)
        return replace(made, meta={**made.meta, "same_steps": algorithm.shared(given, other)})

    def _item(self, algorithm: Algorithm[Any, Any], given: Any) -> Item:
        trace = algorithm.trace(given)
        if not trace:
            raise NotUnique
        data = given.model_dump(mode="json")
        return Item(
            question=algorithm.ask(given),
            answer=algorithm.answer(given, trace[-1]),
            answer_kind=algorithm.kind,
            solution=[algorithm.form.say(state) for state in trace],
            difficulty=len(trace),
            key=given.model_dump_json(),
            meta={"algorithm": algorithm.name, "form": algorithm.form.text, "instance": data},
            world=(algorithm, given),
        )
