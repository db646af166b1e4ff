"""Programs that must pass tests."""

from __future__ import annotations

from collections.abc import Sequence

from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.programs import find_program
from synth.verify.verdict import Verdict

__all__ = ["CodeKind"]


class CodeKind(Kind):
    """A program. It is read out of its fence here; whether it is right, only its tests say, which the steps run in a sandbox."""

    name = "code"
    version = 1
    in_words = True
    verbatim = True

    def place(self, response: str) -> tuple[str | None, tuple[int, int] | None]:
        found = find_program(response)
        return found.code, found.span

    def read(self, said: str, choices: Sequence[str]) -> str | None:  # noqa: ARG002
        return find_program(said).code

    def compare(self, found: str, gold: str, by: Comparison) -> Verdict:  # noqa: ARG002
        if found.strip() == gold.strip():
            return self.decide(True, found, gold, "the same program")
        return self.verdict("undecided", found, gold, "a program is right where it passes tests, and none were run")
