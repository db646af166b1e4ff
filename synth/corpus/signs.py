"""Signs of ASCII that say something: operators, signs of numbers, decimal points, brackets of formulas, sums of money.

`12 - 7` is not `12 + 7`, `-x` not `x`, `1.5` not `15`, `5!` not `5`; but `New-York` is `New York`, and the end of a sentence,
a bullet, a quotation mark and `**bold**` say nothing. What a sign is shows in what stands beside it, at most one blank away.
All rules look at many places of a line at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["spaced"]

_SPACE, _NEWLINE = 32, 10
_OPERATORS = "+*/^=<>%|!&~"
"""Without the dash, which is found in prose."""


def spaced(line: bytes, stops: np.ndarray[Any, Any] | None = None) -> tuple[bytes, Any]:
    """A line in lower case in which words and the signs that say something are set apart by spaces, and nothing else is.

    Args:
        line: texts in UTF-8, each ended by a line feed; at least three line feeds before, and after them.
        stops: places of the line; they are moved by what comes in before them.

    Returns:
        The line, and the stops.
    """
    import numpy as np

    signs = _signs(line)
    if not len(signs):
        return line.translate(_fold()), stops
    made = np.frombuffer(line.translate(_fold()), dtype=np.uint8).copy()
    made[signs] = np.frombuffer(line, dtype=np.uint8)[signs]
    right = signs[made[signs + 1] != _SPACE] + 1
    left = signs[_members("", words=True)[made[signs - 1]]]
    into = np.sort(np.concatenate([left, right]), kind="stable")
    return np.insert(made, into, _SPACE).tobytes(), None if stops is None else stops + np.searchsorted(into, stops)


def _signs(line: bytes) -> np.ndarray[Any, Any]:
    """The places of the signs that count."""
    import numpy as np

    at = np.flatnonzero(np.frombuffer(line.translate(_candidates()), dtype=bool))
    read = np.frombuffer(line, dtype=np.uint8)
    marks = read[at]
    counts = np.zeros(len(at), dtype=bool)
    for mark in np.flatnonzero(np.bincount(marks, minlength=128)).tolist():
        which = np.flatnonzero(marks == mark)
        places = _Places(read, at[which])
        counts[which] = _RULES[mark](places) & ~places.is_long_run()
    return at[counts]


@cache
def _fold() -> bytes:
    """Letters and digits in lower case; bytes of other scripts as they are; all else a space."""
    return bytes(b if b >= 128 else ord(chr(b).lower()) if chr(b).isalnum() else _SPACE for b in range(256))


@cache
def _candidates() -> bytes:
    return bytes(b in _RULES for b in range(256))


@cache
def _members(signs: str, *, words: bool = False) -> np.ndarray[Any, Any]:
    """Which bytes are one of these signs, or of words."""
    import numpy as np

    return np.array([chr(b) in signs or (words and (b >= 128 or chr(b).isalnum())) for b in range(256)])


class _Places:
    """Places of one sign in a line, and what stands beside each."""

    def __init__(self, line: np.ndarray[Any, Any], at: np.ndarray[Any, Any]) -> None:
        import numpy as np

        self.line, self.at = line, at
        blank = _members(" \t")
        self.before, self.after = line[at - 1], line[at + 1]
        self.open_left, self.open_right = blank[self.before], blank[self.after]
        self.left_at, self.right_at = (
            np.where(self.open_left, at - 2, at - 1),
            np.where(self.open_right, at + 2, at + 1),
        )
        self.left, self.right = line[self.left_at], line[self.right_at]

    def is_long_run(self) -> Any:
        """Three of the same side by side, which are drawn lines."""
        import numpy as np

        found = np.zeros(len(self.at), dtype=bool)
        some = np.flatnonzero((self.before == self.line[self.at]) | (self.after == self.line[self.at]))
        if len(some):
            line, at, same = self.line, self.at[some], self.line[self.at[some]]
            one_left, one_right = self.before[some] == same, self.after[some] == same
            far_left, far_right = line[at - 2] == same, line[at + 2] == same
            found[some] = (one_left & (one_right | far_left)) | (one_right & far_right)
        return found

    def as_one(self) -> _Places:
        """For signs that can stand double (`**`, `//`, `||`): what stands beside both."""
        line, same = self.line, self.line[self.at]
        left = _Places(line, self.at - (self.before == same))
        right = _Places(line, self.at + (self.after == same))
        left.after, left.open_right, left.right, left.right_at = (
            right.after,
            right.open_right,
            right.right,
            right.right_at,
        )
        return left

    def single(self, where: Any) -> Any:
        """Whether a letter stands by itself there: the name of a variable."""
        line, word = self.line, _members("'", words=True)
        letter = _members("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        here = line[where]
        alone = letter[here] & ~word[line[where - 1]] & ~_members("", words=True)[line[where + 1]]
        # Of two bytes, such as Greek letters: reached from the left by the first, from the right by the second.
        first = (here >= 0xC2) & (here < 0xE0) & ~word[line[where - 1]] & ~word[line[where + 2]]
        second = (here >= 0x80) & (here < 0xC0) & (line[where - 1] >= 0xC2) & (line[where - 1] < 0xE0)
        return alone | first | (second & ~word[line[where - 2]] & ~word[line[where + 1]])

    def number_at(self, where: Any) -> Any:
        """Whether a number begins there, with a decimal point or a sign of money before it or not."""
        digit = _members("0123456789")
        return digit[self.line[where]] | (_members(".$")[self.line[where]] & digit[self.line[where + 1]])


def _always(_: _Places) -> Any:
    return True


def _greater(p: _Places) -> Any:
    """Not that before a quoted line."""
    return ~((p.before == _NEWLINE) & p.open_right & ~_members("0123456789")[p.right])


def _between(p: _Places) -> Any:
    """Between operands, with blanks on both sides or on none: not `**bold**`, nor a bullet."""
    p = p.as_one()
    return (p.open_left == p.open_right) & _CLOSES()[p.left] & _OPENS()[p.right]


def _slash(p: _Places) -> Any:
    """Between operands, of which one is a number, a variable or a bracket: not `and/or`."""
    p = p.as_one()
    word = _members("", words=True)
    long_left = word[p.left] & ~_members("0123456789")[p.left] & ~p.single(p.left_at)
    long_right = word[p.right] & ~_members("0123456789")[p.right] & ~p.single(p.right_at)
    return _CLOSES()[p.left] & _OPENS()[p.right] & ~(long_left & long_right)


def _dash(p: _Places) -> Any:
    """A minus, or the sign of a number or a variable: neither a hyphen (`New-York`, `covid-19`), nor a dash, nor a bullet."""
    import numpy as np

    word, digit, bracket = _members("", words=True), _members("0123456789"), _members(")]}|!%'")
    number = p.number_at(p.right_at) | (p.right == ord("\\"))
    hyphen = word[p.before] & ~digit[p.before] & ~p.single(p.at - 1)
    of_number = number & np.where(p.open_right, _CLOSES()[p.left], ~hyphen)
    operand = p.single(p.right_at) | _members("([{|")[p.right]
    after_operand = digit[p.left] | p.single(p.left_at) | bracket[p.left]
    prefix = ~p.open_right & ~word[p.before] & ~bracket[p.before]
    return of_number | (operand & (after_operand | prefix))


def _subscript(p: _Places) -> Any:
    return _members(")]}", words=True)[p.before] & _members("({\\", words=True)[p.after]


def _point(p: _Places) -> Any:
    """A decimal point."""
    digit = _members("0123456789")
    return digit[p.after] & (digit[p.before] | ~_members(".", words=True)[p.before])


def _colon(p: _Places) -> Any:
    """A ratio, or a time."""
    digit = _members("0123456789")
    return digit[p.left] & digit[p.right] & (p.open_left == p.open_right)


def _dollar(p: _Places) -> Any:
    """A sum of money; not what begins a formula, which the next of them closes (as Pandoc distinguishes them)."""
    import numpy as np

    line = p.line
    money = p.number_at(p.at + 1)
    all_of_them = np.flatnonzero(line == ord("$"))
    following = np.searchsorted(all_of_them, p.at, side="right")
    other = all_of_them[np.minimum(following, len(all_of_them) - 1)]
    closes = ~_members(" \t\n([{", words=False)[line[other - 1]] & ~_members("0123456789")[line[other + 1]]
    # Line feeds end texts: a formula does not go on over one.
    feeds = np.flatnonzero(line == _NEWLINE)
    same_line = np.searchsorted(feeds, p.at) == np.searchsorted(feeds, other)
    return money & ~((following < len(all_of_them)) & closes & same_line)


def _exclamation(p: _Places) -> Any:
    """A factorial, or a negation."""
    word = _members("", words=True)
    vowel = _members("aeiouyAEIOUY")  # words of many languages, which an exclamation can end with
    factorial = _members("0123456789)]}")[p.before] | (p.single(p.at - 1) & ~vowel[p.before])
    return factorial | (_members("(=", words=True)[p.after] & ~word[p.before])


def _bar(p: _Places) -> Any:
    p = p.as_one()
    return _CLOSES()[p.left] | _OPENS()[p.right]


def _opening(p: _Places) -> Any:
    """A bracket of a formula: after an operand or an operator, or before a number or a variable."""
    latex = p.before == ord("\\")
    after = _members(")]}^_", words=True)[p.before] | _members(_OPERATORS)[p.left]
    inside = _members("0123456789+-.\\([|")[p.after] | p.single(p.at + 1)
    return ~latex & (after | inside)


def _closing(p: _Places) -> Any:
    latex = p.before == ord("\\")
    inside = _members("0123456789)]}|!%'")[p.before] | p.single(p.at - 1)
    after = _members("([{^_!", words=True)[p.after] | _members(_OPERATORS)[p.right]
    return ~latex & (inside | after)


def _round_closing(p: _Places) -> Any:
    """Not the one after the letter or number of an item: `a) Paris`, `(2) Rome`."""
    item = _members("", words=True)[p.before] & _members(" \t\n(")[p.line[p.at - 2]]
    return _closing(p) & ~(item & _members(" \t\n")[p.after] & ~_members(_OPERATORS)[p.right])


def _hash(p: _Places) -> Any:
    """`C#`, `#5`."""
    word = _members("", words=True)
    return (word[p.before] & ~word[p.after]) | (_members("0123456789")[p.after] & ~_members("#", words=True)[p.before])


def _prime(p: _Places) -> Any:
    """A derivative: `f'(x)`, `y' = 2y`."""
    follows = (p.after == ord("(")) | _members("+*/^=<>")[p.right]
    second = (p.before == ord("'")) & p.single(p.at - 2)
    return (p.single(p.at - 1) & (follows | (p.after == ord("'")))) | (second & follows)


@cache
def _CLOSES() -> Any:  # noqa: N802
    """What an operand can end with."""
    return _members(")]}|!%'\"$", words=True)


@cache
def _OPENS() -> Any:  # noqa: N802
    """What an operand can begin with."""
    return _members("([{|\\$.-+~!\"'", words=True)


_RULES: dict[int, Callable[[_Places], Any]] = {
    **{ord(sign): _always for sign in "+^=<%&~"},
    ord(">"): _greater,
    ord("*"): _between,
    ord("/"): _slash,
    ord("-"): _dash,
    ord("_"): _subscript,
    ord("."): _point,
    ord(":"): _colon,
    ord("$"): _dollar,
    ord("!"): _exclamation,
    ord("|"): _bar,
    ord("("): _opening,
    ord("["): _opening,
    ord(")"): _round_closing,
    ord("]"): _closing,
    ord("#"): _hash,
    ord("'"): _prime,
}
