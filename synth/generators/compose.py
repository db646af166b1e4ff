"""Problems made of several problems, each of which needs the answer of the one before (arXiv:2510.07312)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from random import Random
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field, PrivateAttr

from synth.generators.atoms import Atom, numbers_in
from synth.generators.generator import At, Generator, Item, NotUnique, Range, Values, within
from synth.verify.calculate import Unvalued

__all__ = ["Compose", "Link", "final_answer"]

_LETTERS = "ABCDEFGHIJKLMNOPQRST"
_ASKED = (
    "Solve these problems in their order. Each one after the first needs the answer to the problem before it. "
    "Give the answer to the last one."
)
_FEWEST = 3
"""Numbers that an atom must be able to have: with fewer its answer hardly depends on it."""
_FARTHEST = 100
"""What is added at most on the way to the next problem."""
_SCALES = range(2, 11)
_CHANGES = (-3, -2, -1, 1, 2, 3)
"""Changes of an answer after each of which the last answer must be another."""


class Link(NamedTuple):
    """How the number of a problem comes from the answer to the one before: (answer * times / by) + plus."""

    times: int = 1
    by: int = 1
    plus: int = 0

    def of(self, answer: Fraction) -> Fraction:
        """The number of the next problem."""
        return answer * self.times / self.by + self.plus

    def said(self, answer: str) -> str:
        """The same in words, of an answer in words."""
        if self.times > 1:
            return f"{self.times} times {answer}"
        if self.by > 1:
            return f"{answer} divided by {self.by}"
        return answer if not self.plus else f"{abs(self.plus)} {'more' if self.plus > 0 else 'less'} than {answer}"

    def written(self, answer: int) -> str:
        """The same as an equation."""
        shown = (
            f"{answer} * {self.times}" if self.times > 1 else f"{answer} / {self.by}" if self.by > 1 else str(answer)
        )
        if self.plus:
            shown += f" {'+' if self.plus > 0 else '-'} {abs(self.plus)}"
        value = self.of(Fraction(answer))
        return f"{shown} = {value}" if shown != str(value) else shown


class Compose(Generator):
    """Chains of problems, of which each needs the answer of the one before.

    In each problem but the first a number is replaced by an unknown, which is the answer to the problem before, times, divided by, plus or minus a
    small number. All results are natural: whole and positive where they were, of two decimals at most, and at most `largest`. The answer is computed by
    executing the solutions. Every link is alive: if the answer of any problem changes by up to three, the last answer changes. No answer stands in
    the question.

    `meta` has `links` (how many problems), `atoms` (ids of these), `sub_answers` (their answers in order), `numbers` (what stands in their places) and
    `adapters`. The difficulty is the number of equations that have to be calculated.
    """

    name: ClassVar[str] = "compose"

    links: Annotated[Range, within(1, len(_LETTERS))] = Values(2, 5)
    """Problems in a chain."""
    largest: Annotated[int, Field(ge=10, le=1_000_000_000)] = 10_000
    """The largest number and result."""
    _atoms: tuple[tuple[tuple[Atom, tuple[int, ...]], ...], ...] = PrivateAttr(())

    def over(self, atoms: Sequence[Sequence[Atom]]) -> Compose:
        """The same generator with its problems: for each one its atoms."""
        made = self.model_copy()
        usable = (
            tuple((atom, tuple(numbers)) for atom in same if len(numbers := atom.numbers(self.largest)) >= _FEWEST)
            for same in atoms
        )
        made._atoms = tuple(same for same in usable if same)  # noqa: SLF001  # it is its own
        return made

    @property
    def problems(self) -> int:
        """How many problems it draws from."""
        return len(self._atoms)

    def make(self, random: Random, at: At) -> Item:
        links = at["links"]
        if links > len(self._atoms):
            raise NotUnique
        chosen = [random.choice(same) for same in random.sample(self._atoms, links)]
        numbers, adapters = [random.choice(chosen[0][1])], [Link()]
        answers = [int(chosen[0][0].results(Fraction(numbers[0]))[-1])]
        for atom, possible in chosen[1:]:
            link = self._link(answers[-1], atom, possible, random)
            number = int(link.of(Fraction(answers[-1])))
            adapters.append(link)
            numbers.append(number)
            answers.append(int(atom.results(Fraction(number))[-1]))
        atoms = [atom for atom, _ in chosen]
        if not _is_alive(atoms, adapters, answers):
            raise NotUnique
        texts = [_text(i, atom, numbers[0], link) for i, (atom, link) in enumerate(zip(atoms, adapters, strict=True))]
        question = "\n\n".join([_ASKED, *texts]) if links > 1 else atoms[0].asked(str(numbers[0]))
        if not {Fraction(a) for a in answers}.isdisjoint(numbers_in(question)):
            raise NotUnique
        return Item(
            question=question,
            answer=str(answers[-1]),
            answer_kind="number",
            solution=_solution(atoms, numbers, answers, adapters),
            difficulty=sum(len(atom.equations) for atom in atoms),
            key=repr([(atom.id, number) for atom, number in zip(atoms, numbers, strict=True)]),
            meta={
                "links": links,
                "atoms": [atom.id for atom in atoms],
                "sub_answers": [str(answer) for answer in answers],
                "numbers": list(numbers),
                "adapters": [list(link) for link in adapters[1:]],
            },
        )

    def _link(self, answer: int, atom: Atom, possible: Sequence[int], random: Random) -> Link:
        """A way from an answer to a number of the next problem.

        Raises:
            NotUnique: there is none without large numbers.
        """
        low, high = possible[0], possible[-1]
        found = []
        if low <= answer <= high:
            found.append(Link())
        found += [Link(by=k) for k in _SCALES if answer % k == 0 and low <= answer // k <= high]
        found += [Link(times=k) for k in _SCALES if low <= answer * k <= high]
        found = [link for link in found if atom.natural(int(link.of(Fraction(answer))), self.largest) is not None]
        shift = random.choice(possible) - answer
        if 0 < abs(shift) <= _FARTHEST:
            found.append(Link(plus=shift))
        if not found:
            raise NotUnique
        return random.choice(found)


def _unknown(i: int) -> str:
    return f"X_{_LETTERS[i]}"


def _text(i: int, atom: Atom, first: int, link: Link) -> str:
    if i == 0:
        return f"Problem A: {atom.asked(str(first))}"
    text = atom.asked(_unknown(i))
    return (
        f"Problem {_LETTERS[i]}: {text}\nHere {_unknown(i)} is {link.said(f'the answer to problem {_LETTERS[i - 1]}')}."
    )


def _solution(
    atoms: Sequence[Atom], numbers: Sequence[int], answers: Sequence[int], links: Sequence[Link]
) -> list[str]:
    lines: list[str] = []
    for i, atom in enumerate(atoms):
        if i:
            lines.append(f"For problem {_LETTERS[i]}, {_unknown(i)} is {links[i].written(answers[i - 1])}.")
        lines += [f"{line}." for line in atom.steps(numbers[i])]
        if len(atoms) > 1:
            lines.append(f"So problem {_LETTERS[i]} gives {answers[i]}.")
    return lines


def final_answer(atoms: Sequence[Atom], links: Sequence[Link], at: int, answer: Fraction) -> Fraction:
    """The last answer of a chain in which the answer of problem `at`, from 0, is another.

    Raises:
        Unvalued: a problem has none then.
    """
    for atom, link in zip(atoms[at + 1 :], links[at + 1 :], strict=True):
        answer = atom.results(link.of(answer))[-1]
    return answer


def _is_alive(atoms: Sequence[Atom], links: Sequence[Link], answers: Sequence[int]) -> bool:
    """Whether the last answer changes with each of the others; where it then has none, it changes too."""
    for at, answer in enumerate(answers[:-1]):
        for change in _CHANGES:
            with suppress(Unvalued):
                if final_answer(atoms, links, at, Fraction(answer + change)) == answers[-1]:
                    return False
    return True
