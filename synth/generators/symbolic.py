"""Symbolic tasks of CoT-ICL Lab: words made of words by a graph, with solved examples of which a schedule says how many show their chain.

Sources: arXiv:2502.15132 (the tasks), arXiv:2512.05318 (words, and the schedule).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product
from math import perm, prod
from random import Random
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, JsonValue, model_validator

from synth.algorithms import Chain, WordChain
from synth.algorithms.symbolic import caesar, joined_halves
from synth.generators.generator import At, Item, NotUnique, Range, Values, within
from synth.generators.traced import Traced

__all__ = ["SymbolicProblems", "chain_probability"]

MOST_GRAPHS = 20_000
"""That are tried to see whether the examples leave one answer: a tenth of a second."""
_ALGORITHM = WordChain()


def chain_probability(
    place: float, *, power: float, share: float = 1.0, lowest: float = 0.0, highest: float = 1.0
) -> float:
    """The probability that an example shows its chain, at a place from 0 to 1 of the stream of problems (arXiv:2512.05318).

    Over the stream it is share / (1 + power) on average, where neither bound is met.
    """
    risen: float = place**power
    return min(share * risen + lowest, highest)


class _Example(NamedTuple):
    words: tuple[str, ...]
    chain: tuple[str, ...]
    shown: bool


class SymbolicProblems(Traced):
    """Make words of words by a graph: join second halves of words, shift the letters, and give the last word.

    The difficulty is the number of steps, one a word of the chain. With `rule=hidden` the question does not say which words each is made of: solved
    examples have to show it, and every graph that fits them gives the same answer. `meta.examples` are the examples, `meta.shown` how many of them
    show their chain, `meta.share` the probability of that, `meta.place` the place in the stream, above 0 and up to 1.
    """

    name: ClassVar[str] = "symbolic"
    place: Annotated[Range, within(1, 100_000)] = Values(1, 1)
    """Places in the stream of the schedule, which the problems take in turn: 1-1000 for a stream of 1000 problems."""
    inputs: Annotated[Range, within(1, 10)] = Values(4, 4)
    """Words that are given (N)."""
    parents: Annotated[Range, within(1, 4)] = Values(2, 2)
    """Words that each word of the chain is made of (M); no more than are given."""
    chain: Annotated[Range, within(1, 6)] = Values(3, 3)
    """Words of the chain (C); the last is the answer."""
    letters: Annotated[Range, within(2, 16)] = Values(8, 8)
    """Letters of a given word. With an even number and `parents=2` all words are of one length."""
    shift: Annotated[int, Field(ge=0, le=25)] = 1
    """By how many letters a word is shifted."""
    examples: Annotated[Range, within(0, 100)] = Values(0, 0)
    """Solved examples of the same graph before the question (K)."""
    rule: Literal["shown", "hidden"] = "shown"
    """Whether the question says which words each word is made of."""
    power: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How late examples show their chain (alpha): 0 always, 1 in a straight line from none, more: ever later."""
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Probability that an example shows its chain at the end of the stream."""
    lowest: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Added to the probability (p0)."""
    highest: Annotated[float, Field(ge=0, le=1)] = 1.0
    """What it is at most (p1)."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.parents.high > self.inputs.low:
            raise ValueError("parents: a word cannot be made of more words than are given")
        if self.lowest > self.highest:
            raise ValueError("lowest is above highest")
        if self.rule == "hidden":
            if self.examples.low == 0:
                raise ValueError("rule=hidden needs examples that show the rule, such as examples=8")
            if self._graphs() > MOST_GRAPHS:
                raise ValueError(
                    f"rule=hidden tries all graphs, {MOST_GRAPHS:,} at most: ask for fewer inputs, parents or a shorter chain"
                )
        if self.twins != "none" and self.examples.high:
            raise ValueError("there are no twins of problems with examples")
        return self

    def _graphs(self) -> int:
        inputs, parents = self.inputs.high, self.parents
        return max(prod(perm(inputs + i, many) for i in range(self.chain.high)) for many in parents)

    def draw(self, random: Random, at: At) -> tuple[WordChain, Chain]:
        """Random words, and random parents among the words before."""
        inputs, many = at["inputs"], at["parents"]
        parents = tuple(tuple(random.sample(range(1, inputs + i + 1), many)) for i in range(at["chain"]))
        if len(set(parents)) < len(
            parents
        ):  # two words of the chain would be one: an example would show it as its answer
            raise NotUnique
        return _ALGORITHM, Chain(words=self._words(random, at), parents=parents, shift=self.shift)

    def make(self, random: Random, at: At) -> Item:
        """A question, with examples where they are asked for."""
        item = super().make(random, at)
        given: Chain = item.world[1]
        place = at["place"] / self.place.high
        share = chain_probability(place, power=self.power, share=self.share, lowest=self.lowest, highest=self.highest)
        examples = [self._example(given, random, at, share) for _ in range(at["examples"])]
        meta: dict[str, JsonValue] = {**item.meta, "place": place, "share": share}
        if not examples:
            return replace(item, meta=meta)
        question = item.question
        if self.rule == "hidden":
            if not _says_one(given, examples, at["parents"], item.answer):
                raise NotUnique
            question = _hidden(given, at)
        meta["shown"] = sum(example.shown for example in examples)
        meta["examples"] = [{"words": [*e.words], "chain": [*e.chain], "shown": e.shown} for e in examples]
        solved = "\n\n".join(map(_solved, examples))
        return replace(item, question=f"Examples, all made by the same rule:\n\n{solved}\n\n{question}", meta=meta)

    def _words(self, random: Random, at: At) -> tuple[str, ...]:
        letters = "abcdefghijklmnopqrstuvwxyz"
        return tuple("".join(random.choices(letters, k=at["letters"])) for _ in range(at["inputs"]))

    def _example(self, given: Chain, random: Random, at: At, share: float) -> _Example:
        words = self._words(random, at)
        return _Example(words, _chain(words, given.parents, given.shift), random.random() < share)


def _chain(words: tuple[str, ...], parents: tuple[tuple[int, ...], ...], shift: int) -> tuple[str, ...]:
    known = list(words)
    for numbers in parents:
        known.append(joined_halves(known, numbers).translate(caesar(shift)))
    return tuple(known[len(words) :])


def _fits(example: _Example, parents: tuple[tuple[int, ...], ...], shift: int) -> bool:
    chain = _chain(example.words, parents, shift)
    return chain == example.chain if example.shown else chain[-1] == example.chain[-1]


def _says_one(given: Chain, examples: list[_Example], many: int, answer: str) -> bool:
    """Whether every graph that fits the examples gives this answer."""
    first = len(given.words)
    counts = range(first, first + len(given.parents))
    graphs = product(*(permutations(range(1, count + 1), many) for count in counts))
    fitting = (graph for graph in graphs if all(_fits(example, graph, given.shift) for example in examples))
    return all(_chain(given.words, graph, given.shift)[-1] == answer for graph in fitting)


def _hidden(given: Chain, at: At) -> str:
    return (
        f"In each of them {at['chain']} words are made in turn, each of {at['parents']} of the words before it: their second halves are joined "
        f"in an order, and each letter is replaced by the one that comes {given.shift} later in the alphabet, after z follows a. Which words "
        f"are joined is the same in all of them. The answer is the last word made. Words: {' '.join(given.words)}. What is the answer?"
    )


def _solved(example: _Example) -> str:
    chain = f"Chain: {' '.join(example.chain[:-1])}\n" if example.shown and len(example.chain) > 1 else ""
    return f"Words: {' '.join(example.words)}\n{chain}Answer: {example.chain[-1]}"
