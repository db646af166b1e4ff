"""Answers that are one of the choices."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.verify.choices import last_named_choice, read_choice
from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.verdict import Verdict

__all__ = ["ChoiceKind"]


class ChoiceKind(Kind):
    """The letter of an option, or its text."""

    name = "choice"
    version = 2
    short = True

    def read(self, said: str, choices: Sequence[str]) -> str | None:
        plain = self.statement(said)
        return None if plain is None else read_choice(plain, choices)

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:
        return last_named_choice(text, choices)

    def candidates(self, text: str, choices: Sequence[str]) -> list[str]:
        letters = "".join(chr(ord("A") + i) for i in range(len(choices) or 26))
        return re.findall(rf"(?<![A-Za-z])([{letters}])(?![A-Za-z'’])", text)

    def contradict(self, one: str, other: str) -> bool:
        return one != other

    def is_all_of(self, whole: str, answer: str, choices: Sequence[str]) -> bool:
        if super().is_all_of(whole, answer, choices):
            return True
        if not choices:
            return False
        marks = "*_`$().:\"' \n"
        plain, option = whole.strip(marks), choices[ord(answer) - ord("A")].strip(marks).casefold()
        return plain.casefold() == option or re.sub(rf"\A{answer}[).:*\s-]{{1,6}}", "", plain).casefold() == option

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:
        letter, right = read_choice(found, by.choices), read_choice(gold, by.choices)
        if letter is None:
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} names none of the choices")
        if right is None:
            return self.verdict("undecided", found, gold, f"the gold answer {gold[:80]!r} names none of the choices")
        return self.decide(letter == right, found, gold, f"{letter} {'=' if letter == right else '≠'} {right}")

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:
        return None if read_choice(gold, choices) is not None else "it names none of the choices"
