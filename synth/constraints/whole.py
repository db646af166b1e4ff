"""Constraints on a text as a whole: its form, and how it begins and ends."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Self

import orjson
from pydantic import Field

from synth.constraints.draft import Draft
from synth.constraints.kind import Claims, ConstraintKind, Finding, Phrase, Seed
from synth.texts import words_of

__all__ = ["WHOLE", "Begins", "Ends", "FixedReply", "JsonForm", "Quotation", "RepeatPrompt", "TwoReplies", "said_in"]

Saying = Annotated[str, Field(min_length=1, max_length=20_000)]
"""Words that are said as they are."""
_FENCE = re.compile(r"\A```[^\S\n]*+(?:json)?+\s*+", re.IGNORECASE)
_REPLIES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_SEPARATOR = "******"
_QUOTES = '"“”„»«'


def said_in(text: str) -> str:
    """A text in small letters, with single spaces."""
    return " ".join(text.casefold().split())


class JsonForm(ConstraintKind):
    """All of a text is one object or list in JSON; a markdown fence may stand around it."""

    id: ClassVar[str] = "detectable_format:json_format"

    def check(self, text: str) -> Finding:
        bare = _FENCE.sub("", text.strip()).removesuffix("```").strip()
        try:
            value = orjson.loads(bare)
        except orjson.JSONDecodeError as error:
            return Finding("wrong", f"it is not JSON: {str(error)[:80]}")
        if not isinstance(value, (dict, list)) or not value:
            return Finding("wrong", f"it is {'empty' if isinstance(value, (dict, list)) else 'no object or list'}")
        return Finding("right", "it is JSON")

    def sentence(self) -> str:
        return "Write all of it as JSON. Markdown ticks such as ``` may stand around it."

    def build(self, draft: Draft) -> None:
        draft.as_json = True

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003
        return cls()

    def claims(self) -> Claims:
        return Claims(begins=("{", "[", "```"), ends=("}", "]", "```"))


class FixedReply(ConstraintKind):
    """One of three replies in fixed words stands in the text, and neither of the others."""

    id: ClassVar[str] = "detectable_format:constrained_response"
    drawn: ClassVar[bool] = False  # few questions can be answered by it

    def check(self, text: str) -> Finding:
        found = [reply for reply in _REPLIES if reply in text]
        return Finding.of(len(found) == 1, f"it has {' '.join(found) or 'none of the replies'}")

    def sentence(self) -> str:
        return f"Answer with one of these replies: {' '.join(_REPLIES)}"

    def build(self, draft: Draft) -> None:
        draft.fixed = _REPLIES[2]

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003
        return cls()

    def claims(self) -> Claims:
        return Claims(at_least={"words": 4}, holds=(Phrase("My answer is ", exact=True), Phrase("."), Phrase("a", 3)))


class RepeatPrompt(ConstraintKind):
    """The text begins with the request, word for word, and then says more."""

    id: ClassVar[str] = "combination:repeat_prompt"
    prompt_to_repeat: Saying
    """The request."""

    def check(self, text: str) -> Finding:
        said, wanted = said_in(text), said_in(self.prompt_to_repeat)
        if not said.startswith(wanted):
            return Finding("wrong", "it does not begin with the request")
        more = any(c.isalnum() for c in said[len(wanted) :])
        return Finding.of(more, f"it repeats the request, and says {'more' if more else 'nothing else'}")

    def sentence(self) -> str:
        return "First repeat the request above word for word without change, then give your answer. Say nothing before the request."

    def build(self, draft: Draft) -> None:
        draft.opening = self.prompt_to_repeat

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(prompt_to_repeat=seed.question) if len(seed.question) <= 2_000 else None

    def claims(self) -> Claims:
        words = len(words_of(self.prompt_to_repeat)) + 1
        return Claims(
            at_least={"words": words}, holds=(Phrase(self.prompt_to_repeat),), begins=(self.prompt_to_repeat,)
        )


class TwoReplies(ConstraintKind):
    """Two different replies with six asterisks between them."""

    id: ClassVar[str] = "combination:two_responses"

    def check(self, text: str) -> Finding:
        pieces = [said_in(piece) for piece in text.split(_SEPARATOR)]
        found = pieces[(not pieces[0]) : len(pieces) - (not pieces[-1])]
        if len(found) != 2:
            return Finding("wrong", f"{len(found)} replies between six asterisks, and 2 are asked for")
        if not all(any(c.isalnum() for c in piece) for piece in found):
            return Finding("wrong", "one of the replies is empty")
        return Finding.of(found[0] != found[1], f"two {'different' if found[0] != found[1] else 'equal'} replies")

    def sentence(self) -> str:
        return "Give two different replies, with six asterisks between them and nothing else: ******"

    def build(self, draft: Draft) -> None:
        draft.twice = True

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003
        return cls()

    def claims(self) -> Claims:
        return Claims(at_least={"words": 2}, holds=(Phrase(_SEPARATOR),))


class Ends(ConstraintKind):
    """The text ends with a phrase, in any case; a quotation mark may follow."""

    id: ClassVar[str] = "startend:end_checker"
    end_phrase: Saying
    """The phrase."""

    def check(self, text: str) -> Finding:
        right = said_in(text).rstrip(_QUOTES + " ").endswith(said_in(self.end_phrase).rstrip(_QUOTES + " "))
        return Finding.of(right, f"it {'ends' if right else 'does not end'} with {self.end_phrase[:80]}")

    def sentence(self) -> str:
        return f"End with exactly these words, and say nothing after them: {self.end_phrase}"

    def build(self, draft: Draft) -> None:
        draft.ending = self.end_phrase

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(
            end_phrase=seed.rng.choice(
                ("That is all there is to say.", "Is there anything else I can help with?", "I hope it helps.")
            )
        )

    def claims(self) -> Claims:
        bare = said_in(self.end_phrase).rstrip(_QUOTES + " ")
        return Claims(holds=(Phrase(bare),), ends=(bare, *(bare + quote for quote in _QUOTES)))


class Begins(ConstraintKind):
    """The text begins with a phrase, in any case; a quotation mark may stand before it."""

    id: ClassVar[str] = "startend:begin_checker"
    begin_phrase: Saying
    """The phrase."""

    def check(self, text: str) -> Finding:
        right = said_in(text).lstrip(_QUOTES + " ").startswith(said_in(self.begin_phrase).lstrip(_QUOTES + " "))
        return Finding.of(right, f"it {'begins' if right else 'does not begin'} with {self.begin_phrase[:80]}")

    def sentence(self) -> str:
        return f"Begin with exactly these words: {self.begin_phrase}"

    def build(self, draft: Draft) -> None:
        draft.opening = self.begin_phrase

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:
        return cls(begin_phrase=seed.rng.choice(("Here is what I found.", "Let us begin.", "Good question.")))

    def claims(self) -> Claims:
        bare = said_in(self.begin_phrase).lstrip(_QUOTES + " ")
        return Claims(holds=(Phrase(bare),), begins=(bare, *(quote + bare for quote in _QUOTES)))


class Quotation(ConstraintKind):
    """The text stands in double quotation marks as a whole."""

    id: ClassVar[str] = "startend:quotation"

    def check(self, text: str) -> Finding:
        bare = text.strip()
        right = (
            len(bare) > 2 and (bare[0] + bare[-1]) in {'""', "“”", "„“", "«»", "»«"} and any(c.isalnum() for c in bare)
        )
        return Finding.of(right, f"it {'stands' if right else 'does not stand'} in quotation marks")

    def sentence(self) -> str:
        return "Put all of it in double quotation marks."

    def build(self, draft: Draft) -> None:
        draft.quoted = True

    @classmethod
    def draw(cls, seed: Seed) -> Self | None:  # noqa: ARG003
        return cls()

    def claims(self) -> Claims:
        return Claims(begins=tuple('"“„«»'), ends=tuple('"”“»«'))


WHOLE: tuple[type[ConstraintKind], ...] = (JsonForm, FixedReply, RepeatPrompt, TwoReplies, Ends, Begins, Quotation)
"""The constraints of this module."""
