"""Texts that comply with constraints, by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from synth.constraints.catalogue import kind_of
from synth.constraints.conflicts import conflicts
from synth.constraints.draft import Draft
from synth.records import Constraint

_PASSAGES = (2, 4, 8)
"""How many sentences are tried where the language of fewer was not detected."""
__all__ = ["draft_of", "satisfying_text"]


def draft_of(constraints: Sequence[Constraint]) -> Draft:
    """A draft with what each of these constraints puts into it."""
    draft = Draft()
    for one in constraints:
        kind_of(one).build(draft)
    return draft


def satisfying_text(constraints: Sequence[Constraint]) -> str | None:
    """A text that complies with all of these constraints, found right by the checker of each; None where no such text was made.

    That none was made does not prove that there is none; `conflicts` finds what certainly has none. What only a judge decides is passed over.
    """
    if conflicts(constraints):
        return None
    draft = draft_of(constraints)
    for passages in (draft.passages, *(_PASSAGES if draft.passages else ())):
        text = replace(draft, passages=passages).text()
        labels = (kind_of(one).judge(text).label for one in constraints if one.id != "soft:judged")
        if all(label == "right" for label in labels):
            return text
    return None
