"""What is reported of calls while they are made: retries, pauses, outages, another model that answers."""

from __future__ import annotations

from collections.abc import Callable

from tenacity import RetryCallState

from synth.errors import ModelError
from synth.models.base import Model
from synth.models.request import Completion

__all__ = ["LONG_PAUSE", "Reports"]

LONG_PAUSE = 10.0
"""A pause of at least this many seconds is reported."""


class Reports:
    """Reports each thing about a model once.

    Args:
        show: called with a line to show; None where nobody is there to see it.
    """

    def __init__(self, show: Callable[[str], None] | None) -> None:
        self._show = show
        self._reported: set[tuple[str, str]] = set()
        self._paused: dict[str, float] = {}
        self._down: set[str] = set()

    def once(self, model: Model, what: str) -> None:
        """Report something about a model, the first time it is found."""
        if self._show is not None and (model.name, what) not in self._reported:
            self._reported.add((model.name, what))
            self._show(f"model {model.name}: {what}")

    def retry(self, state: RetryCallState) -> None:
        """Report that an attempt failed and another will be made after a wait."""
        if self._show is not None and state.outcome is not None and state.next_action and state.next_action.sleep:
            self._show(f"{state.outcome.exception()} (again in {state.next_action.sleep:.1f} s)")

    def pause(self, model: Model, now: float, seconds: float) -> None:
        """Report a pause of all calls to a model, unless a pause that ends about then was reported.

        Args:
            model: the model.
            now: the time of the event loop, in seconds.
            seconds: how long it lasts.
        """
        if now + seconds > self._paused.get(model.name, 0.0) + LONG_PAUSE:
            self._paused[model.name] = now + seconds
            self._note(f"model {model.name}: no quota is left, resuming in {seconds:,.0f} s")

    def outage(self, model: Model, error: ModelError | None, *, in_outage: bool) -> None:
        """Report once that an endpoint fails all calls, and once that it answers again.

        Args:
            model: the model.
            error: how the last call failed; None where it was answered.
            in_outage: whether the endpoint fails all calls.
        """
        down = model.name in self._down
        if error is None and down:
            self._down.discard(model.name)
            self._note(f"model {model.name}: it answers again")
        elif error is not None and not down and in_outage:
            self._down.add(model.name)
            self._note(
                f"model {model.name}: {error.what}; all calls fail, and one at a time tries it until one is answered"
            )

    def served_by(self, model: Model, completion: Completion) -> None:
        """Report once if another model answers than the one asked for; a dated or prefixed name is the same."""
        served = completion.served_model
        if not served or self._show is None or (model.name, served) in self._reported:
            return
        ours, theirs = model.model_id.lower().rsplit("/", 1)[-1], served.lower().rsplit("/", 1)[-1]
        if ours not in theirs and theirs not in ours:
            self._show(f"model {model.name}: {model.model_id} was asked, and {served} says it answered")
        self._reported.add((model.name, served))

    def _note(self, text: str) -> None:
        if self._show is not None:
            self._show(text)
