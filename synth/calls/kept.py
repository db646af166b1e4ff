"""A reply as the ledger keeps it: without counts that cannot be true, and without what nobody asked for."""

from __future__ import annotations

from synth.calls.ledger import MOST_LETTERS, letters_of
from synth.models.base import Model
from synth.models.request import Completion, Request
from synth.models.tokens import chosen_alone

__all__ = ["as_kept", "tokens_of"]

_UNLIKELY = (
    "it counts so few tokens for a text that the count cannot be true; there tokens are guessed from the letters, and the "
    "price is not known"
)


def as_kept(completion: Completion, model: Model, request: Request) -> Completion:
    """A reply without counts of tokens that cannot be true, and without alternatives to its tokens that nobody asked for."""
    completion = _with_likely_counts(completion, request)
    if completion.logprobs is None:
        return completion
    return completion._replace(logprobs=chosen_alone(completion.logprobs, model.wire_parameters(request)))


def tokens_of(completion: Completion | None) -> int:
    """Prompt and completion tokens, as the endpoint counts them; 0 where it does not, or no reply came."""
    return (completion.prompt_tokens or 0) + (completion.completion_tokens or 0) if completion is not None else 0


def _with_likely_counts(completion: Completion, request: Request) -> Completion:
    """A reply without the counts of tokens that cannot be true, such as none for a page of text.

    Where an endpoint says nothing, the budget guesses from the letters and the price is not known; believing it instead
    would be a budget that never ends.
    """
    written = completion.completion_tokens
    letters = len(completion.text) + len(completion.thought or "") if request.score is None else 0
    if written is not None and letters > written * MOST_LETTERS:
        completion = completion._replace(completion_tokens=None, notes=(*completion.notes, _UNLIKELY))
    read = completion.prompt_tokens
    if read is not None and letters_of(request.messages) > read * MOST_LETTERS:
        completion = completion._replace(prompt_tokens=None, notes=(*completion.notes, _UNLIKELY))
    return completion
