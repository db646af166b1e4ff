"""The pages of manual review."""

from __future__ import annotations

import json
from urllib.parse import urlencode
from zlib import crc32

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from synth.audit import agreement_of
from synth.errors import UserError
from synth.render.summary import HUMAN
from synth.view import review
from synth.view.frame import Frame
from synth.view.lineage import opened
from synth.view.live import LiveRun

__all__ = ["ReviewPages"]


class ReviewPages:
    """What people are shown to judge, and what they said.

    Args:
        run: the run.
        me: under which name verdicts are written, from `reviewer_name`.
        frame: makes pages.
    """

    def __init__(self, run: LiveRun, me: str, frame: Frame) -> None:
        self._run = run
        self._me = me
        self._frame = frame
        self._mine: list[str] = []
        """What was judged since the start, in order, for undo."""

    def review(self, _request: Request, given: dict[str, str]) -> Response:
        """A record of a queue, or one that is named, with what can be said of it."""
        order = given.get("queue", "disagreement")
        state = given.get("state", "")
        target = given.get("target")
        table = given["of"] if given.get("of") in review.JUDGED else "rationales"
        at = int(given.get("at", "0")) if given.get("at", "0").isascii() and given.get("at", "0").isdigit() else 0
        with self._run.open() as store:
            if target is not None:
                table = review.judged_table(store, target) or table
            waiting = review.queue(store, order, state, self._me, table)
            if target is None and waiting:
                at = min(at, len(waiting) - 1)
                target = waiting[at]
            o = opened(store, table, target) if target is not None else None
            done = store.sql(
                "SELECT count(DISTINCT target) FROM human_verdicts WHERE reviewer = ?", [self._me]
            ).fetchone()
            mine = store.rows(
                "SELECT verdict, comment FROM human_verdicts WHERE reviewer = ? AND target = ?", [self._me, target]
            )
        if given.get("target") is not None and o is None:
            return self._frame.message("there is no such record", "rationales and pairs are judged", 404)
        return self._frame.html(
            "review.html",
            here="review",
            o=o,
            at=at,
            order=order,
            state=state,
            table=table,
            tables_=review.JUDGED,
            turned=target is not None and crc32(target.encode()) % 2 == 1,
            alone=given.get("target") is not None,
            waiting=len(waiting),
            done=done[0] if done else 0,
            queues=review.QUEUES,
            mine=mine,
            can_undo=bool(self._mine),
            editing="edit" in given,
            said=given.get("said", ""),
        )

    def verdict(self, _request: Request, given: dict[str, str]) -> Response:
        """Write a verdict, and go on to the next record."""
        target, kind = given.get("target", ""), given.get("kind", "")
        with self._run.open() as store:
            words = (given.get("comment", ""), given.get("response", ""), given.get("answer", ""))
            records = review.records_of_verdict(store, target, self._me, kind, *words)
        with self._run.alone():
            review.write(self._run.run, self._me, target, records)
        self._mine.append(target)
        said = {
            "accept": "accepted",
            "reject": "rejected",
            "edit": "revised",
            "reverse": "reversed",
            "comment": "commented",
        }[kind]
        return RedirectResponse(f"{self._frame.root}/review?{urlencode({**self._place(given), 'said': said})}", 303)

    def _place(self, given: dict[str, str]) -> dict[str, str]:
        """Where in which queue somebody was."""
        return {k: given[k] for k in ("queue", "state", "of", "at") if given.get(k)}

    def undo(self, _request: Request, given: dict[str, str]) -> Response:
        """Withdraw a verdict: of the record that is named, or the last one."""
        target = given.get("target") or (self._mine[-1] if self._mine else "")
        if not target:
            raise UserError("there is nothing to undo", fix="open a record you judged and withdraw the verdict there")
        with self._run.alone():
            review.withdraw(self._run.run, self._me, target)
        self._mine = [t for t in self._mine if t != target]
        return RedirectResponse(
            f"{self._frame.root}/review?{urlencode({'target': target, 'said': 'withdrawn', **self._place(given)})}", 303
        )

    def agreement(self, _request: Request, _given: dict[str, str]) -> Response:
        """How people agree with each other and with what programs said."""
        with self._run.open() as store:
            people = agreement_of(store, HUMAN)
            rows = store.rows(
                "SELECT reviewer, verdict, count(*) AS n FROM human_verdicts GROUP BY ALL ORDER BY ALL",
            )
            programs = store.rows(
                """SELECT h.judge AS person, s.name AS score, s.judge AS judge, count(*) AS both,
                avg((h.value = CASE WHEN s.label = 'accepted' THEN 1 WHEN s.label = 'rejected' THEN 0 ELSE s.value END)::INT) AS equal
                FROM scores h JOIN scores s ON s.target = h.target AND s.part IS NULL
                WHERE h.name = 'human' AND h.value IS NOT NULL AND s.name <> 'human' AND (s.value IN (0, 1) OR s.label IN ('accepted', 'rejected'))
                GROUP BY ALL ORDER BY ALL"""
            )
        return self._frame.html("agreement.html", here="review", people=people, rows=rows, programs=programs)

    def export(self, _request: Request, _given: dict[str, str]) -> Response:
        """The verdicts as JSON, a line each."""
        with self._run.open() as store:
            rows = review.verdicts_of(store)
        text = "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
        named = {"Content-Disposition": 'attachment; filename="verdicts.jsonl"'}
        return Response(text.encode("utf-8", errors="replace"), media_type="application/x-ndjson", headers=named)
