"""What a model thought, set apart from what it replied: the marks that models write around a thought, by family.

Endpoints that do not part the two send both as one text. `TABLE` (in `marks`) says which marks there are; `split_thought` reads them.

How it decides:

- A thought stands at the beginning of a reply. The response is what follows the last thought; what stands before that,
  such as "Sure!" or a "Wait." between two thoughts, is part of the thought, so that nothing is lost.
- The opening mark may be missing, because the chat template has written it into the prompt: the first closing mark then
  ends the thought, unless it is only mentioned: in code, in quotation marks, before a full stop, in the middle of a
  sentence, or as the partner of an opening mark.
- Before the first opening mark one line of at most 60 characters may stand ("Sure, here is my reasoning:"). A longer
  beginning is a response that mentions a mark.
- A later opening mark begins another thought where it begins a line or follows a sentence, and its closing mark comes.
  After a colon it is an example.
- A thought without an end takes all that follows: there is no response.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from synth.texts.marks import END_OF_TURN, TABLE, Mark

__all__ = ["Split", "compiled", "split_thought"]

_LEAD_IN = 60
"""Characters that may stand before the first opening mark."""
_BEGINNING = re.compile(r"\s*(?:(?:<s>|<bos>|<\|im_start\|>assistant|<\|assistant\|>)\s*)?")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_SPACE = re.compile(r"\s*")
_OPENING_QUOTES, _CLOSING_QUOTES = "`'\"“‘«「", "`'\"”’»」"
_SENTENCE_ENDS = ".!?…。！？"
_AFTER_A_WORD = ".,;:!?)"


class Split(NamedTuple):
    """A reply in its two parts."""

    thought: str | None
    """What the model thought, without the marks and the white space around it; several thoughts are joined by a blank line.
    None where there is none, or an empty one."""
    response: str
    """What it replied: `text[start : start + len(response)]`, unchanged."""
    finished: bool = True
    """False where a thought begins that does not end: all that follows is the thought, and there is no response."""
    start: int = 0
    """Where the response begins in the text, in characters."""
    family: str | None = None
    """The family of the marks that were found, also around an empty thought; None where there were none."""
    ended: tuple[str, ...] = ()
    """The end-of-turn tokens that were taken off the end of the text, in their order."""


def split_thought(text: str, marks: Sequence[Mark] = TABLE) -> Split:
    """A reply, parted into what the model thought and what it replied.

    Text without marks comes back as it is. The time taken is linear in the length of the text.

    Args:
        text: the reply.
        marks: the families to look for; of two that fit the first is taken.
    """
    end, ended = _without_end_of_turn(text)
    table = compiled(tuple(marks))
    if not table.may_be_in(text):
        return Split(None, text[:end], ended=ended)
    return _Reading(text, end, ended, table).split()


def _without_end_of_turn(text: str) -> tuple[int, tuple[str, ...]]:
    """Where a text ends without its end-of-turn tokens, and which those are."""
    end, found = len(text), list[str]()
    if not text.rstrip().endswith(END_OF_TURN):
        return end, ()
    struck_out = "<s>" in text  # as HTML has it: then `</s>` is no token
    while True:
        last = end
        while last and text[last - 1].isspace():
            last -= 1
        token = next((t for t in END_OF_TURN if text.endswith(t, 0, last)), None)
        if token is None or (struck_out and token == "</s>"):  # noqa: S105
            return end, tuple(reversed(found))
        found.append(token)
        end = last - len(token)


class _Family:
    """The patterns of one family."""

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        flags = 0 if mark.words else re.IGNORECASE
        self.open = _any_of(mark.open, attributes=mark.attributes)
        self.ends = _any_of((*mark.close, *mark.response_open))
        closing, leading = _any_of(mark.close), _any_of(mark.response_open)
        self.alone = "" if mark.words else rf"(?:{closing})?(?:{leading})" + (f"|{closing}" if mark.alone else "")
        self.close = re.compile(self.ends, flags)
        self.any = re.compile(f"(?P<open>{self.open})|(?P<close>{self.ends})", flags)
        self.leads = re.compile(rf"\s*(?:{_any_of(mark.response_open)})", flags)
        self.again = re.compile(rf"\s*(?:{self.open})", flags)
        self.joints = re.compile(_any_of(mark.joints), flags)


class _Table:
    """The patterns of all families."""

    def __init__(self, marks: tuple[Mark, ...]) -> None:
        self.families = [_Family(mark) for mark in marks]
        opens = [f"(?P<o{i}>{_cased(f.open, f.mark)})" for i, f in enumerate(self.families) if f.mark.open]
        alone = [f"(?P<c{i}>{f.alone})" for i, f in enumerate(self.families) if f.alone]
        self.open = re.compile("|".join(opens) or _NEVER, re.IGNORECASE)
        self.alone = re.compile("|".join(alone) or _NEVER, re.IGNORECASE)
        self.any = re.compile("|".join([*opens, *alone]) or _NEVER, re.IGNORECASE)
        heads = {
            written.removesuffix(">").lower()
            for f in self.families
            # Words that any text may hold count only as a pair, and the second is the rarer one.
            for written in (f.mark.close if f.mark.words else (*f.mark.open, *f.mark.close, *f.mark.response_open))
        }
        self._heads = {first: tuple(h for h in heads if h.startswith(first)) for first in {h[:1] for h in heads}}
        """How marks begin, by their first letter: most texts have none of the brackets."""

    def may_be_in(self, text: str) -> bool:
        """Whether a text may have marks; False where it certainly has none."""
        lowered = text.lower()
        return any(first in lowered and any(h in lowered for h in heads) for first, heads in self._heads.items())

    def family(self, found: re.Match[str]) -> _Family:
        """The family of a mark that one of these patterns has found."""
        assert found.lastgroup is not None
        return self.families[int(found.lastgroup[1:])]


_NEVER = r"(?!)"


def _cased(pattern: str, mark: Mark) -> str:
    return f"(?-i:{pattern})" if mark.words else pattern


def _any_of(written: Sequence[str], *, attributes: bool = False) -> str:
    """A pattern for any of these, the longest first."""
    given = sorted(filter(None, written), key=len, reverse=True)
    more = r"(?:\s[^<>]{0,200})?>" if attributes else r"\s?>"
    return (
        "|".join(re.escape(w[:-1]) + more if re.fullmatch(r"</?[\w:]+>", w) else re.escape(w) for w in given) or _NEVER
    )


@lru_cache(maxsize=64)
def compiled(marks: tuple[Mark, ...]) -> _Table:
    """The patterns of these families; those of which two fit a text, the first is taken."""
    return _Table(marks)


class _Reading:
    """One text while it is parted."""

    def __init__(self, text: str, end: int, ended: tuple[str, ...], table: _Table) -> None:
        self.text = text
        self.end = end
        self.ended = ended
        self.table = table
        self.fences = [m.start() for m in _FENCE.finditer(text, 0, end)] if "```" in text or "~~~" in text else []
        self.without_end: set[str] = set()
        """Families of which no closing mark comes any more."""
        self.thoughts: list[str] = []

    def split(self) -> Split:
        beginning = _BEGINNING.match(self.text, 0, self.end)
        place = beginning.end() if beginning is not None else 0
        family: _Family | None = None
        opened = self._first(place)
        if opened is not None:
            self._take(place, opened.start())  # what stands before it
            name = self.table.family(opened).mark.family
        elif (ending := self._ending_alone(place)) is not None:
            family = self.table.family(ending)
            name = family.mark.family
            self._take(place, ending.start(), family)
            place = self._behind(ending, family)
            opened = self._next(place)
        else:
            return Split(None, self.text[: self.end], ended=self.ended)
        while opened is not None:
            family = self.table.family(opened)
            begin, closed = self._end_of(opened)
            if closed is None and not self.thoughts:
                closed = self._end_of_another_family(begin)
            if closed is None:
                self._take(begin, self.end, family)
                return Split(self._thought(), "", False, len(self.text), name, self.ended)
            self._take(begin, closed.start(), family)
            place = self._behind(closed, family)
            opened = self._next(place)
        assert family is not None
        end = self.end
        for mark in family.mark.response_close:
            if self.text.endswith(mark, place, end):
                end -= len(mark)
                break
        return Split(self._thought(), self.text[place:end], True, place, name, self.ended)

    def _take(self, begin: int, end: int, family: _Family | None = None) -> None:
        """Take a part of the text for thought."""
        part = self.text[begin:end].strip()
        if family is not None and family.mark.joints:
            part = "\n\n".join(piece.strip() for piece in family.joints.split(part))
        if part:
            self.thoughts.append(part)

    def _thought(self) -> str | None:
        return "\n\n".join(self.thoughts) or None

    def _first(self, place: int) -> re.Match[str] | None:
        """The opening mark of the first thought: at the beginning, or after a line that leads to it."""
        opened = self.table.open.match(self.text, place, self.end)
        if opened is not None:
            return None if self.table.family(opened).mark.words and self._end_of(opened)[1] is None else opened
        opened = self.table.open.search(self.text, place, min(self.end, place + 4 * _LEAD_IN))
        if opened is None or self._words_or_mentioned(opened):
            return None
        lead = self.text[place : opened.start()]
        said = lead.rstrip()
        if len(said) > _LEAD_IN or "\n" in said or "<" in said or "`" in said:
            return None
        if said[-1] not in _SENTENCE_ENDS and "\n" not in lead[len(said) :]:
            return None
        closed = self._end_of(opened)[1]
        return opened if closed is not None and self.text[closed.end() : self.end].strip() else None

    def _next(self, place: int) -> re.Match[str] | None:
        """The opening mark of another thought after `place`, where a response seems to begin."""
        for opened in self.table.open.finditer(self.text, place, self.end):
            family = self.table.family(opened)
            if self._words_or_mentioned(opened) or family.mark.family in self.without_end or self._fenced(opened):
                continue
            before = self.text[max(place, opened.start() - 40) : opened.start()]
            said = before.rstrip()
            begins = not said or said[-1] in _SENTENCE_ENDS or ("\n" in before[len(said) :] and said[-1] not in ":：")
            if begins and self._end_of(opened)[1] is not None:
                self._take(place, opened.start())
                return opened
        return None

    def _end_of(self, opened: re.Match[str]) -> tuple[int, re.Match[str] | None]:
        """Where the thought behind an opening mark begins, and the closing mark that ends it."""
        family, begin = self.table.family(opened), opened.end()
        while not family.mark.words and (repeated := family.again.match(self.text, begin, self.end)) is not None:
            begin = repeated.end()
        inside = 0
        """Opening marks within the thought: each may have a closing mark of its own."""
        closed: re.Match[str] | None = None
        in_code: re.Match[str] | None = None
        for found in family.any.finditer(self.text, begin, self.end):
            if self._quoted(found):
                continue
            if found.lastgroup == "open":
                if closed is not None:  # another thought, or an example
                    break
                inside += 1
            elif closed is None and self._fenced(found):
                in_code = in_code or found
            elif closed is None:
                closed = found
                if not inside:
                    break
            elif self._mentioned(found):
                break
            else:
                closed, inside = found, inside - 1
                if not inside:
                    break
        if closed is None and in_code is None:
            self.without_end.add(family.mark.family)
        return begin, closed or in_code

    def _end_of_another_family(self, begin: int) -> re.Match[str] | None:
        """The first closing mark of any family: some models open with `<think>` and close with `</thinking>`."""
        for found in self.table.alone.finditer(self.text, begin, self.end):
            if not (self._quoted(found) or self._fenced(found)):
                return found
        return None

    def _behind(self, closed: re.Match[str], family: _Family) -> int:
        """Where the response begins that follows a closing mark: after white space, its own mark, and closing marks again."""
        place = closed.end()
        while True:
            more = family.leads.match(self.text, place, self.end)
            space = _SPACE.match(self.text, place, self.end)
            assert space is not None
            if more is None:
                more = self.table.alone.match(self.text, space.end(), self.end)
            if more is None:
                return space.end()
            place = more.end()

    def _ending_alone(self, place: int) -> re.Match[str] | None:
        """The closing mark of a thought whose opening mark is missing."""
        opened: re.Match[str] | None = None
        for found in self.table.any.finditer(self.text, place, self.end):
            group = found.lastgroup or ""
            if group[0] == "o":
                opened = None if self.table.family(found).mark.words else found
            elif self._quoted(found) or self._fenced(found):
                continue
            elif opened is not None and (
                self._structural(opened) or "\n" not in self.text[opened.end() : found.start()]
            ):
                opened = None  # the two are mentioned, or an example
            elif not self._mentioned(found):
                return found
        return None

    def _structural(self, found: re.Match[str]) -> bool:
        """Whether a mark begins a line."""
        before = self.text[max(0, found.start() - 40) : found.start()]
        return "\n" in before[len(before.rstrip()) :]

    def _words_or_mentioned(self, opened: re.Match[str]) -> bool:
        return self.table.family(opened).mark.words or self._quoted(opened)

    def _quoted(self, found: re.Match[str]) -> bool:
        """Whether a mark stands in quotation marks or in code of its own."""
        before, after = self.text[max(0, found.start() - 2) : found.start()], self.text[found.end() : found.end() + 1]
        if not before or not after or before[-1] not in _OPENING_QUOTES or after not in _CLOSING_QUOTES:
            return False
        return len(before) == 1 or not (before[0].isalnum() or before[0] in _SENTENCE_ENDS)

    def _mentioned(self, found: re.Match[str]) -> bool:
        """Whether a closing mark is a word of a sentence."""
        after = self.text[found.end() : found.end() + 8]
        if after[:1] and after[0] in _AFTER_A_WORD:
            return True
        before = self.text[found.start() - 1 : found.start()]
        word = after.lstrip(" \t")
        return before in {" ", "\t"} and word != after and word[:1].islower()

    def _fenced(self, found: re.Match[str]) -> bool:
        """Whether a mark stands in a block of code that ends: between an odd number of fences on both sides."""
        before = bisect_left(self.fences, found.start())
        return before % 2 == 1 and (len(self.fences) - before) % 2 == 1
