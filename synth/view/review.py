"""Manual review: what people say of rationales and of pairs, written to the journal like everything else.

A person's verdict on a record has an owner of its own in the journal, `human:NAME:RECORD`; what an owner commits replaces
what it committed before, so a later verdict wins, an empty one withdraws it, and the journal keeps them all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.errors import UserError
from synth.records import AnswerKind, Rationale, Rejection, Score, UnitRecord
from synth.render.inert import restored
from synth.render.summary import HUMAN
from synth.store.commits import commit_body
from synth.store.database import Store
from synth.store.journal import Journal
from synth.store.owners import HUMAN_OWNER
from synth.store.run_folder import RunFolder
from synth.verify import compare_answers, find_answer

__all__ = [
    "JUDGED",
    "QUEUES",
    "judged_table",
    "queue",
    "records_of_verdict",
    "reviewer_name",
    "verdicts_of",
    "withdraw",
    "write",
]

STEP = "human_review"
"""The step human verdicts belong to."""

_SAID: Mapping[str, tuple[str, float | None]] = {
    "accept": ("accepted", 1.0),
    "reject": ("rejected", 0.0),
    "edit": ("revised", 0.0),
    "reverse": ("reversed", 0.0),
    "comment": ("commented", None),
}
"""What a person can say, and the label and value of the score it becomes."""

_LONGEST_QUEUE = 2_000


def reviewer_name(text: str) -> str:
    """The name under which somebody judges, as records have it: `human:NAME`.

    Raises:
        UserError: it is empty, too long, or holds signs that are no part of a name.
    """
    name = " ".join(text.split())
    if not name or len(name) > 60 or not all(c.isalnum() or c in " ._@+-" for c in name):
        raise UserError(
            f"{text!r} is not a name to judge under", fix="letters, digits and . _ @ + -, at most 60: --as NAME"
        )
    return f"human:{name}"


JUDGED = ("rationales", "pairs")
"""Tables of what people judge."""

QUEUES = {
    "disagreement": "where judges differ most: reviewers among themselves, a review from the checked answer, people",
    "uncertainty": "where samples of the same problem come to the most different answers; of pairs where the margin is least",
    "random": "in no order",
}
"""Orders in which records come up."""

_DISAGREEMENT = """
WITH spans AS (
  SELECT name, greatest(max(value) - min(value), 1e-9) AS span FROM scores WHERE part IS NULL
  GROUP BY name HAVING min(judge) <> max(judge)),
spread AS (
  SELECT s.target, max(s.value) - min(s.value) AS differ, any_value(spans.span) AS span
  FROM scores s JOIN spans USING (name) WHERE s.part IS NULL AND s.value IS NOT NULL
  GROUP BY s.target, s.name HAVING differ > 0 AND min(s.judge) <> max(s.judge)),
against AS (
  SELECT c.target FROM scores c JOIN scores v ON v.target = c.target
  WHERE c.name = 'correct' AND v.name <> 'correct' AND v.label IN ('accepted', 'rejected') AND (c.value = 1) <> (v.label = 'accepted')),
ranked AS (SELECT target, max(differ / span) AS w FROM spread GROUP BY target UNION ALL SELECT target, 1.0 FROM against)
SELECT r.id FROM {table} r JOIN (SELECT target, max(w) AS w FROM ranked GROUP BY target) k ON k.target = r.id
WHERE k.w > 0 AND {state} ORDER BY k.w DESC, r.id LIMIT {n}
"""

_UNCERTAINTY = """
WITH answers AS (SELECT problem, answer, count(*) AS n FROM rationales WHERE author IN ('teacher', 'student') GROUP BY ALL),
unsure AS (SELECT problem, 1 - max(n) / sum(n) AS w FROM answers GROUP BY problem)
SELECT r.id FROM rationales r JOIN unsure u USING (problem) WHERE u.w > 0 AND {state} ORDER BY u.w DESC, r.problem, r.id LIMIT {n}
"""

_LEAST_MARGIN = "SELECT r.id FROM pairs r WHERE {state} ORDER BY abs(r.margin) NULLS LAST, r.id LIMIT {n}"

_RANDOM = "SELECT r.id FROM {table} r WHERE {state} ORDER BY r.id LIMIT {n}"

_STATES = {
    "kept": "r.id IN (SELECT id FROM kept_{table})",
    "out": "r.id NOT IN (SELECT id FROM kept_{table})",
    "": "true",
}


def queue(store: Store, order: str, state: str, me: str, table: str = "rationales") -> list[str]:
    """Ids of records to judge, in an order of `QUEUES`, without those `me` has judged and those people wrote.

    Args:
        store: the run.
        order: a key of `QUEUES`.
        state: `kept`, `out`, or empty for all.
        me: the name from `reviewer_name`.
        table: one of `JUDGED`.
    """
    unsure = _UNCERTAINTY if table == "rationales" else _LEAST_MARGIN
    query = {"disagreement": _DISAGREEMENT, "uncertainty": unsure}.get(order, _RANDOM)
    mine = "r.id NOT IN (SELECT target FROM scores WHERE name = $1 AND judge = $2)"
    if table == "rationales":
        mine = f"r.author <> 'human' AND {mine}"
    whole = f"{_STATES.get(state, 'true').format(table=table)} AND {mine}"
    asked = query.format(state=whole, table=table, n=_LONGEST_QUEUE)
    return [i for (i,) in store.sql(asked, [HUMAN, me]).fetchall()]


def records_of_verdict(
    store: Store, target: str, me: str, kind: str, comment: str = "", response: str = "", answer: str = ""
) -> list[UnitRecord]:
    """What a verdict is made of: a score; for a rejected or revised rationale why it is rejected, and the pairs that prefer it
    with it; for a revised one the new rationale, which is accepted by who wrote it; for a rejected or reversed pair why it is
    out. A revision keeps the thought of what it revises.

    Args:
        store: the run.
        target: id of the rationale or pair.
        me: the name from `reviewer_name`.
        kind: `accept`, `reject`, `comment`; `edit` of a rationale; `reverse` of a pair whose rejected side is the better.
        comment: in words, why.
        response: the revised response, as a form sends it: acting characters of the old one shown by their signs.
        answer: the answer that the revised response states.

    Raises:
        UserError: there is no such record, or nothing is said.
    """
    table = judged_table(store, target)
    if table is None:
        raise UserError("there is no such record", where=target, fix="rationales and pairs are judged")
    (old,) = store.rows(f"SELECT * FROM {table} WHERE id = ?", [target])
    comment, answer = comment.strip(), answer.strip()
    if kind == "edit" and table == "rationales":
        response = restored(response.replace("\r\n", "\n"), old["response"])
        answer = restored(answer, old["answer"] or "")
    unit: str = old["unit"]
    if kind not in _SAID or kind == {"rationales": "reverse", "pairs": "edit"}[table]:
        fix = {"rationales": "accept, reject, edit or comment", "pairs": "accept, reverse, reject or comment"}
        raise UserError("nothing was said", fix=fix[table])
    if kind == "comment" and not comment:
        raise UserError("the comment is empty", fix="write one, or accept or reject")
    if kind == "edit" and not response.strip():
        raise UserError("the revised response is empty", fix="write one, or reject")
    if kind == "edit" and _same(response, old["response"]) and _same(answer, old["answer"] or ""):
        raise UserError("nothing was changed", fix="accept it as it is, or change it")
    label, value = _SAID[kind]
    made: list[UnitRecord] = [
        _score(unit, target, me, label, value, comment, [kind, comment, response, answer]),
    ]
    revised = None
    if kind == "edit":
        revised = Rationale.make(
            unit=unit,
            step=STEP,
            because=[target, me, response, answer],
            problem=old["problem"],
            author="human",
            model=me,
            style=old["style"],
            thought=old["thought"],
            thought_kind=old["thought_kind"],
            response=response,
            answer=answer or None,
            answer_span=_statement(store, old["problem"], response, answer),
            hinted=old["hinted"],
            parent=target,
        )
        made += [revised, _score(unit, revised.id, me, "accepted", 1.0, comment, [])]
    if kind in {"reject", "edit", "reverse"}:
        rule = f"{label} by {me.removeprefix('human:')}"
        observed = revised.id if revised is not None else comment or None
        made.append(_out(unit, target, table, rule, observed, me))
        pairs = store.sql("SELECT id FROM pairs WHERE chosen = ? ORDER BY id", [target]).fetchall()
        made += [_out(unit, pair, "pairs", f"its chosen side was {rule}", target, me) for (pair,) in pairs]
    return made


def _same(revised: str, old: str) -> bool:
    """Whether nothing but line ends and blanks around it was changed."""
    return revised.strip() == old.replace("\r\n", "\n").strip()


def _statement(store: Store, problem: str, response: str, answer: str) -> tuple[int, int] | None:
    """Where a response states this answer, as (start, end) in characters; None where it states none, or another."""
    rows = store.rows("SELECT answer_kind, choices FROM problems WHERE id = ? LIMIT 1", [problem])
    if not rows or not answer:
        return None
    choices = rows[0]["choices"] or ()
    kind: AnswerKind = rows[0]["answer_kind"] or ("choice" if choices else "text")
    found = find_answer(response, kind=kind, choices=choices)
    if found.answer is None or found.span is None:
        return None
    same = found.answer == answer or compare_answers(answer, found.answer, kind=kind, choices=choices).label == "right"
    return found.span if same else None


def judged_table(store: Store, target: str) -> str | None:
    """In which of `JUDGED` a record is; None where it is in neither."""
    asked = " UNION ALL ".join(f"SELECT '{t}' FROM {t} WHERE id = $1" for t in JUDGED)
    row = store.sql(f"{asked} LIMIT 1", [target]).fetchone()
    return row[0] if row else None


def _score(unit: str, target: str, me: str, label: str, value: float | None, comment: str, because: list[str]) -> Score:
    return Score.make(
        unit=unit,
        step=STEP,
        because=[target, me, *because],
        target=target,
        name=HUMAN,
        value=value,
        label=label,
        judge=me,
        reason=comment or None,
    )


def _out(unit: str, target: str, table: str, rule: str, observed: str | None, me: str) -> Rejection:
    return Rejection.make(
        unit=unit, step=STEP, because=[target, me], target=target, target_table=table, rule=rule, observed=observed
    )


def write(run: Path, me: str, target: str, records: Sequence[UnitRecord]) -> None:
    """Commit a verdict: what `me` says of `target` is from now on `records`.

    Raises:
        RunFolderError: another process is at work on the run, or it cannot be written.
        Stopped: the disk is full.
    """
    owner = f"{HUMAN_OWNER}{me.removeprefix('human:')}:{target}"
    body = commit_body(owner, "", records, at=time.time())
    folder = RunFolder(run)
    try:
        journal = Journal(run / "journal")
        try:
            journal.append("commit", body)
            journal.flush()
        finally:
            journal.close()
    finally:
        folder.close()


def withdraw(run: Path, me: str, target: str) -> None:
    """Take back what `me` said of `target`; the journal remembers it. Errors as in `write`."""
    write(run, me, target, [])


def verdicts_of(store: Store, judge: str | None = None) -> list[dict[str, Any]]:
    """The verdicts of people as they stand, with what they are on; of one person or of all."""
    return store.rows(
        "SELECT * FROM human_verdicts WHERE reviewer = $1 OR $1 IS NULL ORDER BY target, reviewer", [judge]
    )
