"""Words made of words by a directed acyclic graph, as in the symbolic tasks of CoT-ICL Lab (arXiv:2502.15132, arXiv:2512.05318)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Annotated, ClassVar, NamedTuple, Self

from pydantic import Field, StringConstraints, model_validator

from synth.algorithms.algorithm import Instance, Reader
from synth.algorithms.form import NUMBER, WORD, Form, listed
from synth.records import AnswerKind

__all__ = ["Chain", "ChainWord", "WordChain", "caesar", "joined_halves"]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
Letters = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,600}$")]
Parents = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=8)]


class Chain(Instance):
    """Words, and which words each word of the chain is made of."""

    words: Annotated[tuple[Letters, ...], Field(min_length=1, max_length=50)]
    """Those that are given."""
    parents: Annotated[tuple[Parents, ...], Field(min_length=1, max_length=50)]
    """Numbers of words, from 1; the words of the chain count on from the given ones."""
    shift: Annotated[int, Field(ge=0, le=25)] = 1
    """By how many letters a word is shifted (Caesar)."""

    @model_validator(mode="after")
    def _is_acyclic(self) -> Self:
        lengths = [len(word) for word in self.words]
        for parents in self.parents:
            if any(parent > len(lengths) for parent in parents):
                raise ValueError("a word made of one that is not there yet")
            lengths.append(sum((lengths[parent - 1] + 1) // 2 for parent in parents))
        if sum(lengths) > 10_000:  # letters, of a line that is read
            raise ValueError("the words are too long")
        return self


class ChainWord(NamedTuple):
    """After a word of the chain."""

    position: int
    parents: tuple[int, ...]
    joined: str
    word: str
    chain: tuple[str, ...]


class WordChain(Reader[Chain, ChainWord, tuple[int, ...]]):
    """The words of the chain: the second halves of the parents, joined in their order, each letter shifted."""

    name: ClassVar[str] = "word chain"
    instance: ClassVar[type[Instance]] = Chain
    kind: ClassVar[AnswerKind] = "text"
    form: ClassVar[Form[ChainWord]] = Form(
        ChainWord,
        "Word {position} of the chain joins the halves of words {parents}: {joined}, shifted {word}; chain: {chain}.",
        position=NUMBER, parents=listed(NUMBER), joined=WORD, word=WORD, chain=listed(WORD),
    )  # fmt: skip

    def ask(self, given: Chain) -> str:
        """The rule in words, then the words."""
        listed_ = ", ".join(f"{i} {word}" for i, word in enumerate(given.words, 1))
        rules = "; ".join(
            f"word {len(given.words) + i} of words {' and '.join(map(str, parents))}"
            for i, parents in enumerate(given.parents, 1)
        )
        return (
            f"A word is made of others: the second halves of these words are joined in the order given (of an odd number of letters the longer "
            f"half), and each letter is replaced by the one that comes {given.shift} later in the alphabet, after z follows a. "
            f"Words: {listed_}. Make {rules}. What is the last word?"
        )

    def first(self, given: Chain) -> ChainWord:  # noqa: ARG002
        """Nothing is made."""
        return ChainWord(0, (), "x", "x", ())

    def after(self, given: Chain, state: ChainWord, item: tuple[int, ...]) -> ChainWord | None:
        """Makes a word of its parents."""
        words = (*given.words, *state.chain)
        if len(state.chain) != state.position or any(parent > len(words) for parent in item):
            return None
        joined = joined_halves(words, item)
        word = joined.translate(caesar(given.shift))
        return ChainWord(state.position + 1, item, joined, word, (*state.chain, word))

    def answer(self, given: Chain, last: ChainWord) -> str:  # noqa: ARG002
        """The last word."""
        return last.word

    def items(self, given: Chain) -> tuple[tuple[int, ...], ...]:
        """The parents of each word."""
        return given.parents

    def with_items(self, given: Chain, items: tuple[tuple[int, ...], ...]) -> Chain:
        """The same words, joined otherwise."""
        return given.model_copy(update={"parents": items})

    def other(self, given: Chain, item: tuple[int, ...] | None, place: int, random: Random) -> tuple[int, ...] | None:
        """Other words that are there at this place, as many."""
        known = range(1, len(given.words) + place + 1)
        many = len(item or given.parents[0])
        drawn = tuple(random.sample(known, many)) if many <= len(known) else None
        return None if drawn == item else drawn


def joined_halves(words: Sequence[str], parents: Sequence[int]) -> str:
    """The second halves of words, by their numbers from 1, joined."""
    return "".join(words[parent - 1][len(words[parent - 1]) // 2 :] for parent in parents)


@cache
def caesar(shift: int) -> Mapping[int, int]:
    """The table of `str.translate` that replaces each letter by a later one; after z follows a."""
    return {ord(letter): ord(_LETTERS[(i + shift) % 26]) for i, letter in enumerate(_LETTERS)}
