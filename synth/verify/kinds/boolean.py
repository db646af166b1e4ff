"""Answers that are yes or no."""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.verify.booleans import last_boolean, read_boolean
from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.verdict import Verdict

__all__ = ["BooleanKind"]


class BooleanKind(Kind):
    """Yes or no, true or false."""

    name = "boolean"
    version = 2
    short = True

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        plain = self.statement(said)
        return None if plain is None else _word(read_boolean(plain))

    def unstated(self, text: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        return _word(last_boolean(text))

    def candidates(self, text: str, choices: Sequence[str]) -> list[str]:  # noqa: ARG002
        found = re.findall(r"\b(?:yes|no|true|false)\b", text, re.IGNORECASE)
        return ["yes" if word.lower() in {"yes", "true"} else "no" for word in found]

    def contradict(self, one: str, other: str) -> bool:
        return one != other

    def is_all_of(self, whole: str, answer: str, choices: Sequence[str]) -> bool:
        plain = whole.strip("*_`$().:\"' \n").casefold()
        return super().is_all_of(whole, answer, choices) or plain in {"yes", "no", "true", "false"}

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:  # noqa: ARG002
        said, true = read_boolean(found), read_boolean(gold)
        if said is None:
            return self.verdict("unparsed", found, gold, f"{found[:80]!r} is neither yes nor no")
        if true is None:
            return self.verdict("undecided", found, gold, f"the gold answer {gold[:80]!r} is neither yes nor no")
        return self.decide(said == true, found, gold)

    def unfit(self, gold: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        return None if read_boolean(gold) is not None else "it is neither yes nor no"


def _word(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
