"""`critique`: models explain the mistake in a rationale."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from synth.models import TaskKind
from synth.steps.ask import Ask
from synth.steps.make import MakeCritique, Makes

__all__ = ["Critique"]

_REPLY: JsonValue = {"explanation": "text", "first_wrong_step": "int?", "kind": "text?", "correction": "text?"}


class Critique(Ask):
    """Each model explains what is wrong in a rationale: which step errs first, how, and what it should have been.

    It is `ask` with a prompt, a reply and a critique of its own. The critic does not see who wrote the rationale. A step number that the
    rationale does not have is passed over; the explanation stays. Source: mistake-aware feedback of arXiv:2410.03663, whose models see
    the gold answer.
    """

    kind: ClassVar[TaskKind] = "critique"

    step: Literal["critique"] = "critique"  # type: ignore[assignment]  # the name of another step
    by: str | tuple[str, ...] = "teacher"
    """The role, or roles, that answer."""
    prompt: str = "critique/explain"
    """Name of a shipped prompt, or path of your own (`.j2`), read from beside the pipeline file."""
    reply: JsonValue = _REPLY
    """The type of the reply."""
    make: Annotated[tuple[Makes, ...], Field(min_length=1)] = (
        MakeCritique(
            critique="reply.explanation",
            step="reply.first_wrong_step - 1",
            mistake="reply.kind",
            correction="reply.correction",
        ),
    )
    """What is made of each reply."""
    show_gold: bool = True
    """Whether the critic is shown the gold answer, and the reference solution where there is one."""
