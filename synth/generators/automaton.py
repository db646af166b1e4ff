"""Runs of deterministic finite automata."""

from __future__ import annotations

from random import Random
from typing import Annotated, ClassVar

from synth.algorithms import Automaton, Dfa
from synth.generators.generator import At, Range, Values, within
from synth.generators.traced import Traced

__all__ = ["AutomatonProblems"]


class AutomatonProblems(Traced):
    """Run a finite automaton on a word: in which state is it in the end.

    The difficulty is the number of steps, one a symbol.
    """

    name: ClassVar[str] = "automaton"
    states: Annotated[Range, within(2, 50)] = Values(4, 4)
    """How many states there are."""
    symbols: Annotated[Range, within(1, 26)] = Values(2, 2)
    """How many letters the alphabet has."""
    length: Annotated[Range, within(1, 500)] = Values(8, 8)
    """How many symbols the word has."""

    def draw(self, random: Random, at: At) -> tuple[Automaton, Dfa]:
        """A random table and a random word."""
        states = [f"S{i}" for i in range(at["states"])]
        alphabet = "abcdefghijklmnopqrstuvwxyz"[: at["symbols"]]
        table = {state: {symbol: random.choice(states) for symbol in alphabet} for state in states}
        word = "".join(random.choices(alphabet, k=at["length"]))
        return Automaton(), Dfa(table=table, start=random.choice(states), word=word)
