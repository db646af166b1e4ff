"""What is written down of batches before and after they leave, so that a later session finds them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

from synth.models.base import StateStore

__all__ = ["BatchNotes"]


class BatchNotes:
    """The notes on the batches of one model, of all sessions.

    A batch has a token of ours from before it leaves, and a name of the endpoint's once it is there.

    Args:
        state: where they are kept.
    """

    def __init__(self, state: StateStore) -> None:
        self._state = state
        sent: dict[str, dict[str, Any]] = {}
        for entry in state.entries():
            sent.setdefault(entry["token"], {}).update(entry)
        self._sent = {token: one for token, one in sent.items() if not one.get("void")}

    def write_leaving(self, token: str, keys: Iterable[str]) -> None:
        """Note that a batch is about to leave, and the replay keys of its requests."""
        self._state.write({"token": token, "keys": list(keys), "at": int(time.time())})

    def write_name(self, token: str, batch: str) -> None:
        """Note the name that the endpoint gave to a batch."""
        self._state.write({"token": token, "batch": batch})
        self._sent.setdefault(token, {})["batch"] = batch

    def write_void(self, token: str) -> None:
        """Note that nothing of a batch was asked."""
        self._state.write({"token": token, "void": True})

    def unnamed(self) -> dict[str, int]:
        """Batches of earlier sessions without a name, where the client died between sending one and learning its name: by token, when each
        was sent, in seconds since 1970.
        """
        return {token: int(one.get("at", 0)) for token, one in self._sent.items() if "batch" not in one}

    def open(self, forget: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
        """The batches of earlier sessions that may still answer.

        Args:
            forget: batches whose replies can no longer be had.

        Returns:
            The tokens of all by their names; and by replay key of a request whose last reply is not on record, the batch that is to
            answer it.
        """
        token_of: dict[str, str] = {}
        batch_of: dict[str, str] = {}
        times: dict[str, int] = {}
        for token, one in self._sent.items():
            batch = one.get("batch")
            if batch is None or batch in forget:
                continue
            token_of[batch] = token
            for key in one.get("keys", ()):
                times[key] = times.get(key, 0) + 1
                # A request that is on record as often as it was in batches has had its last answer.
                if times[key] > self._state.attempts(key):
                    batch_of[key] = batch
                else:
                    batch_of.pop(key, None)
        return token_of, batch_of
