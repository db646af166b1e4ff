"""The sides of an equation in prose: which stretches of tokens may each be one expression, and why they may not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from synth.verify.calculate import Token, matched
from synth.verify.calculations import UNITS

__all__ = ["Run", "runs_of"]

_ENDS_CALCULATION = frozenset(
    """
    so then because since which that and or but if when where thus hence therefore is are was were has have had gives give get gets
    got means we he she they it this these answer leaving makes making for giving let now next finally i you while who whose as after
    before until be been being will would should could can must cost costs contain contains equal does do did becomes become
    """.split()  # noqa: SIM905  # words, not code
)
"""Words after which an operator no longer belongs to the number before them."""
_SMALL_WORDS = frozenset(
    {"a", "an", "and", "at", "by", "each", "every", "for", "from", "in", "of", "on", "or", "per", "the", "to", "with"}
)
_NUMBER_BEFORE = "a number before it may belong to it"
_GOES_ON = frozenset({"operator", "postfix"})


@dataclass(slots=True)
class Run:
    """Tokens that may be one expression, with the words around them."""

    tokens: list[Token] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    """Units and other words after its numbers."""
    signs: list[str] = field(default_factory=list)
    """Currencies."""
    before: list[str] = field(default_factory=list)
    """Words directly before it."""
    doubt: str | None = None
    """Why it may not be all of what is meant."""
    broken: str | None = None
    """Why it has no value."""
    start: int = 0
    end: int = 0
    reaches: bool = False
    """Whether it stands directly before the equals sign, with no more than units between."""
    names: bool = False
    """Whether it is a number with words, alone at the beginning: `1 day = 6 * 8` names what is calculated."""
    tail: Token | None = None
    """An exclamation mark at its end, which may be that of a sentence."""
    divides: bool = False
    """Whether a division sign stands in it, outside of parentheses."""
    first_operand: int = 0
    """How many of its tokens are the first operand; 0 until an operator follows."""

    @property
    def computes(self) -> bool:
        """Whether there is anything to calculate."""
        numbers = sum(t.kind == "number" for t in self.tokens)
        if numbers > 1 or any(t.text == "!" or t.kind == "unknown" for t in self.tokens[1:]):
            return True
        return any(t.kind == "operator" and before.kind != "open" for before, t in pairwise(self.tokens))

    @property
    def units(self) -> set[tuple[int, int]]:
        return {UNITS[word] for word in (*self.words, *self.signs) if word in UNITS}


def runs_of(side: Sequence[Token], *, first: bool, last: bool) -> list[Run]:
    """The stretches of a side that may each be one expression, in order: a number after a number begins the next.

    Args:
        side: the tokens between two equals signs, or between one and the end of its clause.
        first: whether no equals sign stands before it.
        last: whether none stands after it.
    """
    return _Side(side, first=first, last=last).runs


class _Side:
    def __init__(self, side: Sequence[Token], *, first: bool, last: bool) -> None:
        self._side, self._first, self._last = side, first, last
        self._pairs = matched(side)
        self.runs: list[Run] = []
        self._run: Run | None = None
        self._wants = False  # an operand is to follow
        self._words: list[str] = []  # since the last run ended
        self._doubt: str | None = None  # of the next run
        at = 0
        while at < len(side):
            at = self._token(side[at], at)
        if self._run is not None:
            self._run.reaches = True
            if self._wants:
                self._break("its last number is missing")
            self._run.names = not self._run.computes and bool(self._run.words or self._run.before)

    def _kind(self, at: int) -> str:
        """The kind of a token; empty beyond the ends."""
        return self._side[at].kind if 0 <= at < len(self._side) else ""

    def _begin(self, token: Token) -> Run:
        before = self._words or (self.runs[-1].words if self.runs and self._run is not None else [])
        if self._run is not None and before and (self._first or len(self.runs) > 1):
            self._doubt = self._doubt or _NUMBER_BEFORE
        self._run = Run(before=before[-4:], doubt=self._doubt, start=token.start, end=token.end)
        self._words, self._doubt = [], None
        self.runs.append(self._run)
        return self._run

    def _break(self, why: str) -> None:
        assert self._run is not None
        self._run.broken = self._run.broken or why

    def _token(self, token: Token, at: int) -> int:
        """Take in a token; where the next one begins."""
        match token.kind:
            case "word":
                self._word(token, at)
            case "sign":
                self._currency(token, at)
            case "operator":
                self._operator(token, at)
            case "postfix":
                self._postfix(token, at)
            case "number" | "unknown" | "fraction":
                return self._operand(token, at)
            case "open" if at in self._pairs:
                return self._operand(token, at)
            case _:  # a comma, or a parenthesis that opens or closes alone
                if self._run is not None and self._wants:
                    self._break("its last number is missing")
                self._run, self._wants, self._words = None, False, []
                if token.kind == "close" and self._kind(at + 1) == "operator":
                    self._begin(self._side[at + 1])
                    self._break("it begins within parentheses")
                elif token.kind == "comma":
                    self._doubt = None
        return at + 1

    def _word(self, token: Token, at: int) -> None:
        run, word = self._run, token.text
        if run is None:
            self._words.append(word)
        elif self._wants:
            self._break(f"{word!r} is no number")
            self._wants = False
        elif token.glued and word.isalpha() and word.isascii() and word not in UNITS and self._kind(at - 1) == "close":
            self._break(f"{word!r} has no value here")
        elif word in _ENDS_CALCULATION:
            listed = word in {"and", "or"} and not run.computes and (self._first or len(self.runs) > 1)
            listed = listed or (word == "and" and _is_fraction_at(self._side, at + 1))
            self._doubt = _NUMBER_BEFORE if listed else None
            self._words, self._run = [word], None
        else:
            run.words.append(word)
            if word in UNITS or (len(run.words) == 1 and word not in _SMALL_WORDS):
                run.end = max(run.end, token.end)

    def _currency(self, token: Token, at: int) -> None:
        if self._run is not None and (self._wants or self._kind(at + 1) != "number"):
            self._run.signs.append(token.text)
            return
        if self._run is not None:
            self._doubt = self._doubt if self._run.words else "another number stands directly before it"
        self._begin(token).signs.append(token.text)
        self._wants = True

    def _operand(self, token: Token, at: int) -> int:
        stop = at + 1
        if token.kind == "open":
            stop = self._pairs[at] + 1
        elif token.kind == "fraction":
            below = self._pairs.get(self._pairs.get(at + 1, -1) + 1)
            stop = at + 1 if below is None else below + 1
        part = self._side[at:stop]
        if token.kind == "open" and not any(t.kind in {"number", "unknown"} for t in part):
            self._aside([t.text for t in part if t.kind == "word"])
            return stop
        run = self._place(token, at)
        if token.kind == "open" and token.glued and self._kind(at - 1) in {"word", "unknown"}:
            self._break("a function")
        run.broken = run.broken or _why_unreadable(token, part)
        run.tokens += _without_words(part) if run.broken is None else [part[-1]]
        run.end = part[-1].end
        run.words += [t.text for t in part if t.kind == "word"]
        run.signs += [t.text for t in part if t.kind == "sign"]
        self._wants = False
        return stop

    def _place(self, token: Token, at: int) -> Run:
        """The run to which an operand belongs: the present one where an operator, or nothing at all, stands before it."""
        if self._run is None:
            return self._begin(token)
        if self._wants:
            return self._run
        before = self._kind(at - 1)
        if token.glued and before not in {"comma", "word"} and (token.kind != "number" or before == "close"):
            if self._run.divides:
                self._run.doubt = self._run.doubt or "a product without a sign after a division"
            return self._run
        if not self._run.words:
            self._doubt = "another number stands directly before it"
            self._run.doubt = self._run.doubt or "another number stands directly after it"
            if token.kind == "unknown":
                self._break(f"{token.text!r} has no value here")
        return self._begin(token)

    def _aside(self, words: list[str]) -> None:
        """Parentheses that hold words alone."""
        if self._run is None:
            self._words += words
        elif self._wants:
            self._break("words instead of a number")
            self._wants = False
        else:
            self._run.words += words

    def _operator(self, token: Token, at: int) -> None:
        run = self._run
        after_word = self._kind(at - 1) == "word"
        if run is None:
            run = self._begin(token)
            run.tokens.append(token)
            if token.text not in {"+", "-"}:
                self._break("its first number is missing")
            elif run.before:
                run.doubt = run.doubt or "a sign or a dash"
            elif at > 0 or (self._first and token.text == "+"):
                self._break("its first number is missing")
        elif token.text == "/" and not self._wants and self._kind(at + 1) == "word":
            return  # $12/hour
        elif after_word and run.words and _is_glued_name(self._side[at - 1], token):
            self._break(f"{self._side[at - 1].text!r} has no value here")
        elif self._wants and token.text not in {"+", "-"}:
            self._break("two operators")
        else:
            if after_word and not token.glued and at + 1 < len(self._side) and self._side[at + 1].glued:
                run.doubt = run.doubt or "a sign or a dash"
            if not run.first_operand and not self._wants:
                run.first_operand = len(run.tokens)
            run.tokens.append(token)
            run.end = token.end
            run.divides = run.divides or token.text == "/"
        self._wants = True

    def _postfix(self, token: Token, at: int) -> None:
        run = self._run
        if run is None or self._wants:
            if run is None:
                self._begin(token)
            self._break(f"{token.text} without a number")
        elif token.text == "!" and (not token.glued or (self._last and self._kind(at + 1) not in _GOES_ON)):
            run.tail = token if token.glued else None
            self._run, self._words = None, []
        elif token.text == "%" and self._kind(at + 1) in {"number", "open"}:
            self._break("a remainder")
        else:
            run.tokens.append(token)
            run.end = token.end


def _is_fraction_at(side: Sequence[Token], i: int) -> bool:
    """Whether a fraction stands at a place: `1 and 1/4`."""
    if i >= len(side) or side[i].kind != "number":
        return False
    return side[i].decimals is None or (i + 1 < len(side) and side[i + 1].text == "/" and side[i + 1].glued)


def _why_unreadable(token: Token, part: Sequence[Token]) -> str | None:
    """Why the tokens of one operand have no value, where that can be seen at once."""
    before: Token | None = None
    valued = False  # whether a number has begun since the last sign
    for one in part:
        if one.kind == "operator" and not valued and before is not None and before.kind == "word":
            return f"{before.text!r} is no number"
        valued = one.kind in {"number", "close"} or (valued and one.kind in {"word", "sign", "postfix"})
        if one.kind == "unknown":
            return f"{one.text!r} has no value here"
        if one.kind == "comma":
            return "a list of numbers"
        if one.kind == "operator" and before is not None and before.kind == "word" and _is_glued_name(before, one):
            return f"{before.text!r} has no value here"
        if one.kind == "word" and before is not None and before.kind == "operator":
            return f"{one.text!r} is no number"
        before = one
    return "a fraction without its two parts" if token.kind == "fraction" and len(part) == 1 else None


def _is_glued_name(word: Token, operator: Token) -> bool:
    """Whether a word is a part of the calculation, as in `total/7`; units are not."""
    return operator.glued and operator.text in {"*", "/", "^"} and word.text not in UNITS


def _without_words(part: Sequence[Token]) -> list[Token]:
    """The tokens of an operand without units, currencies and parentheses that hold words alone."""
    kept: list[Token] = []
    worded = False
    for token in part:
        if token.kind in {"word", "sign"}:
            worded = worded or (token.kind == "word" and bool(kept) and kept[-1].kind == "open")
        elif token.kind == "close" and worded and kept and kept[-1].kind == "open":
            kept.pop()
            worded = False
        else:
            kept.append(token)
    return kept
