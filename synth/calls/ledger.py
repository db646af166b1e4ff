"""The ledger of calls, and replay from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from synth.models.request import Completion
from synth.records import Call, CallStatus, content_id
from synth.store.journal import Journal, Location

__all__ = ["MOST_LETTERS", "Ledger", "ModelState", "Usage", "call_id", "got_reply", "letters_of"]


def call_id(key: str, attempt: int) -> str:
    """The id of an attempt, counted from 1, at a key."""
    return content_id([Call.table, key, attempt])


REPLIED = frozenset({"ok", "truncated", "thought_cut", "only_thought", "empty", "refused"})
"""How a call ends that the model itself brought to an end."""
LETTERS = 4
"""Letters in a token, where nobody has counted them: the usual figure for English."""
MOST_LETTERS = 128
"""Letters in the longest token there is (blanks, of OpenAI's vocabularies): a text of more of them for each token was not counted."""


class Usage:
    """Tokens that the replies of one model took, for what the next call may take."""

    __slots__ = ("read", "replies", "unpriced_read", "unpriced_written", "written")

    def __init__(self) -> None:
        self.replies = 0
        self.read = 0
        """Where an endpoint does not say, guessed from the letters."""
        self.written = 0
        self.unpriced_read = 0
        """Of these, in calls whose price is not known."""
        self.unpriced_written = 0

    def add(self, row: Mapping[str, Any], read: int | None, written: int | None) -> None:
        """Take in a call that was answered."""
        if read is None:
            read = letters_of(row["messages"]) // LETTERS
        if written is None:
            written = len((row.get("thought") or "") + (row.get("reply") or "")) // LETTERS
        self.replies += 1
        self.read += read
        self.written += written
        if row.get("price") is None:
            self.unpriced_read += read
            self.unpriced_written += written


def got_reply(row: Mapping[str, Any]) -> bool:
    """Whether a reply came for a call, so that it is paid for; `got_reply` in `views.sql` says the same in SQL.

    An endpoint that refuses the request (HTTP 4xx, also where a filter refuses the prompt) or breaks down gives none.
    """
    if row["status"] in REPLIED - {"refused"}:
        return True
    return row.get("completion_tokens") is not None or row.get("finish") is not None


def letters_of(messages: Iterable[Mapping[str, Any]]) -> int:
    """Letters in messages; those of media parts stand for the media."""
    return sum(len(str(m.get("content") or "")) for m in messages)


class Ledger:
    """Every attempt that was sent, and where the good replies stand in the journal.

    Args:
        journal: where rows are written. What is in it already is given by `note` and `forget`, oldest first.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._good: dict[str, int] = {}
        """Where the reply for a key stands; as one number, for there is one for each call."""
        self._failed: dict[str, int] = {}
        """Where the last reply for a key stands that was of no use."""
        self._last: dict[str, int] = {}
        """The number of the last attempt at a key; not of keys that the first attempt answered, and which are nearly all."""
        self.notes: dict[str, list[dict[str, Any]]] = {}
        """What models wrote down, by model, oldest first."""
        self.calls = 0
        """Attempts on record, of this and earlier sessions."""
        self.cost = 0.0
        """US dollars spent so far, as far as prices are known."""
        self.unpriced = 0
        """Calls that a reply came for, and whose price is not known."""
        self.tokens = 0
        """Tokens read and written so far, as far as endpoints say."""
        self.answered: set[tuple[str, str]] = set()
        """Endpoints and models that have ever given a reply."""
        self.usage: dict[str, Usage] = {}
        """What the replies of each model took."""
        self.thoughts_cut: set[str] = set()
        """Models of which a thought was ever cut off."""
        self._cancelled: dict[str, int] = {}

    def note(self, location: Location, row: Mapping[str, Any]) -> None:
        """Take in an attempt that stands in the journal."""
        key, price, status = row["key"], row.get("price"), row["status"]
        self.calls += 1
        read, written = row.get("prompt_tokens"), row.get("completion_tokens")
        if price is not None:
            self.cost += price
        if got_reply(row):
            self.answered.add((row["endpoint"], row["model_id"]))
            if price is None:
                self.unpriced += 1
            self.tokens += (read or 0) + (written or 0)
            usage = self.usage.get(row["model"])
            if usage is None:
                usage = self.usage[row["model"]] = Usage()
            usage.add(row, read, written)
            if status == "thought_cut":
                self.thoughts_cut.add(row["model"])
        elif status == "cancelled":
            self._cancelled[key] = self._cancelled.get(key, 0) + 1
        if row["attempt"] > 1 or status != "ok":
            self._last[key] = max(self.next_attempt(key) - 1, row["attempt"])
        if status == "ok":
            self._good[key] = _packed(location)
        elif status in REPLIED:
            self._failed[key] = _packed(location)

    def forget(self, key: str) -> None:
        """Never serve the reply on record for this key again. Its row stays."""
        self._failed.pop(key, None)
        self._last[key] = self.next_attempt(key) - 1
        self._good.pop(key, None)

    def note_of(self, model: str, body: dict[str, Any]) -> None:
        """Take in what a model wrote down, as it stands in the journal."""
        self.notes.setdefault(model, []).append(body)

    def write_note(self, model: str, body: dict[str, Any]) -> None:
        """Write down what a model is to remember; errors as for `record`."""
        self._journal.append("note", orjson.dumps({"model": model, "note": body}))
        self.note_of(model, body)

    def state_of(self, model: str, report: Callable[[str], None]) -> ModelState:
        """What a model may remember from session to session."""
        return ModelState(self, model, report)

    def __contains__(self, key: str) -> bool:
        return key in self._good

    def replay(self, key: str) -> Completion | None:
        """The reply on record for this key; None where there is none that may be used."""
        place = self._good.get(key)
        return None if place is None else _completion_of(self._journal.read(_unpacked(place)))

    def failed_reply(self, key: str) -> tuple[Completion, CallStatus] | None:
        """The last reply on record for this key that was of no use, and why; None where there is none."""
        place = self._failed.get(key)
        if place is None:
            return None
        row = self._journal.read(_unpacked(place))
        return _completion_of(row), row["status"]

    def next_attempt(self, key: str) -> int:
        """The number the next attempt at this key will have, from 1."""
        return self._last.get(key, int(key in self._good)) + 1

    def ended(self, key: str) -> int:
        """How many attempts at a key came to an end, and were not given up by us; those that the journal has lost count."""
        return self.next_attempt(key) - 1 - self._cancelled.get(key, 0)

    def last_attempt(self, key: str) -> str | None:
        """The id of the last attempt at this key; None where there was none."""
        attempts = self.next_attempt(key) - 1
        return call_id(key, attempts) if attempts else None

    def record(self, call: Call) -> None:
        """Write one attempt down.

        Raises:
            Stopped: the journal can no longer be written.
        """
        location = self._journal.append("call", call.to_json())
        self.note(location, call.__dict__)


def _completion_of(row: Mapping[str, Any]) -> Completion:
    return Completion(
        text=row.get("reply") or "",
        finish=row.get("finish"),
        thought=row.get("thought"),
        thought_kind=row.get("thought_kind"),
        thought_from=row.get("thought_from"),
        prompt_tokens=row.get("prompt_tokens"),
        completion_tokens=row.get("completion_tokens"),
        reasoning_tokens=row.get("reasoning_tokens"),
        logprobs=row.get("logprobs"),
        served_model=row.get("served_model"),
        refusal=row.get("error"),
        key=row["key"],
        call=row["id"],
    )


def _packed(location: Location) -> int:
    return (location.segment << 64) + (location.offset << 32) + location.length


def _unpacked(place: int) -> Location:
    return Location(place >> 64, place >> 32 & 0xFFFFFFFF, place & 0xFFFFFFFF)


class ModelState:
    """What one model writes down to outlive the process; kept in the journal.

    Args:
        ledger: whose journal it is kept in.
        model: the model's name.
        report: called with lines to show the user.
    """

    def __init__(self, ledger: Ledger, model: str, report: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._model = model
        self.report = report

    def entries(self) -> list[dict[str, Any]]:
        """All that was written, of earlier sessions too, oldest first."""
        return list(self._ledger.notes.get(self._model, ()))

    def write(self, body: dict[str, Any]) -> None:
        """Write one entry down; when this returns, a killed process does not lose it.

        Raises:
            Stopped: the journal can no longer be written.
        """
        self._ledger.write_note(self._model, body)

    def attempts(self, key: str) -> int:
        """How many attempts at a key are on record that came to an end."""
        return self._ledger.ended(key)
