"""What an input says of its texts: which are known to be bad, so that no export trains on them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from synth.records import Pair, Rationale, Rejection, Score, UnitRecord

__all__ = ["known_bad"]

_STEP = "input"
_RIGHT_FROM = 0.5


def known_bad(records: Iterable[UnitRecord], notes: Counter[str]) -> list[Rejection]:
    """Rejections of the rationales of a problem that the input says are bad.

    A rationale is bad where it is labelled wrong, where one of its steps is, or where it is the rejected side of a pair. Of
    one that is labelled right as well, or is the chosen side of another pair, the input contradicts itself: it is not rejected.

    Args:
        records: all the input brings of the problem.
        notes: takes counts of contradictions.
    """
    said: dict[str, Counter[str]] = defaultdict(Counter)
    rationales: list[Rationale] = []
    for record in records:
        if isinstance(record, Rationale):
            rationales.append(record)
        elif isinstance(record, Pair):
            said[record.chosen]["chosen"] += 1
            said[record.rejected]["rejected"] += 1
        elif isinstance(record, Score):
            for word in _words_of(record):
                said[record.target][word] += 1
    found = []
    for rationale in rationales:
        notes["a thought without a response, such as one that was cut off: texts"] += not rationale.response.strip()
        words = said.get(rationale.id)
        if words is None:
            continue
        rule = None
        if words["wrong"] and words["right"]:
            notes["not rejected, because they are labelled right as well as wrong: texts"] += 1
        elif words["wrong"]:
            rule = "labelled wrong"
        elif words["wrong step"]:
            rule = "a step is labelled wrong"
        elif words["rejected"] and words["chosen"]:
            notes["not rejected, because they are chosen in one pair and rejected in another: texts"] += 1
        elif words["rejected"]:
            rule = "rejected side of a pair"
        if rule is not None:
            found.append(
                Rejection.make(
                    unit=rationale.unit,
                    step=_STEP,
                    because=[rationale.id, rule],
                    target=rationale.id,
                    target_table=Rationale.table,
                    rule=rule,
                    observed=dict(sorted(words.items())),
                )
            )
    return found


def _words_of(score: Score) -> Iterable[str]:
    if score.part is None:
        if score.name == "correct" and score.label in {"right", "wrong"}:
            yield score.label
    elif score.name == "step_correct" and score.value is not None and score.value < _RIGHT_FROM:
        yield "wrong step"
