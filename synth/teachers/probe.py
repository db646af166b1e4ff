"""Finding out what an endpoint can do: one small question for each capability.

What an endpoint says it takes is not evidence: many pass over parameters they do not know. Each question is one whose
answer shows that the capability was used.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from synth.errors import TeacherError
from synth.records import Media, Problem
from synth.teachers.base import Capability, Teacher
from synth.teachers.continuation import Restarted, strip_prefix
from synth.teachers.media import attach
from synth.teachers.request import Completion, Request, Task
from synth.teachers.structured import Reply

__all__ = ["PROBES", "probe"]

_TOKENS = 512
"""Room for models that think first."""
_RED = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAF0lEQVR4nGP4z8BAEiJN9aiGUQ1DSgMAkPn/AT07K0kAAAAASUVORK5CYII="
)


class _Sky(Reply):
    colour: Literal["blue", "green"]


def _request(text: str, **more: object) -> Request:
    task = Task("other", Problem.root(question=text))
    given: dict[str, object] = {"parameters": {"max_tokens": _TOKENS, "temperature": 0}, "step": "probe", **more}
    return Request(({"role": "user", "content": text},), task, **given)  # type: ignore[arg-type]


def _json_schema() -> Request:
    return _request("Which colour has the sky at noon? Answer in one plain sentence, without JSON.", shape=_Sky)


def _logprobs() -> Request:
    return _request("Reply with the word yes.", parameters={"max_tokens": _TOKENS, "temperature": 0, "logprobs": True})


# A gap that no model leaves of itself: who begins anew counts without it.
_COUNTED = "one, two, three, four, seven,"


def _prefill() -> Request:
    return _request("Count from one to ten in words, with commas between.", continue_from=_COUNTED)


def _scores() -> Request:
    return _request("What is the capital of France?", score="The capital of France is Paris.")


def _images() -> Request:
    folder = Path(tempfile.mkdtemp(prefix="synth-probe-"))
    (folder / "red.png").write_bytes(_RED)
    asked = _request("Which colour is this image? Answer with one word.")
    messages, files = attach(asked.messages, [Media(kind="image", uri="red.png")], folder)
    return Request(messages, asked.task, asked.parameters, step="probe", media=files)


def _is_exactly_json(reply: Completion) -> bool:
    try:
        return set(json.loads(reply.text)) == {"colour"}
    except (ValueError, TypeError):
        return False


def _goes_on(reply: Completion) -> bool:
    try:
        return strip_prefix(_COUNTED, reply.text).lstrip().startswith("eight")
    except Restarted:
        return False


PROBES: dict[Capability, tuple[Callable[[], Request], Callable[[Completion], bool]]] = {
    "json_schema": (_json_schema, _is_exactly_json),
    "logprobs": (_logprobs, lambda reply: bool(reply.token_logprobs)),
    "prefill": (_prefill, _goes_on),
    "prompt_logprobs": (_scores, lambda reply: bool(reply.token_logprobs)),
    "images": (_images, lambda reply: "red" in reply.text.lower()),
}
"""For each capability a question, and whether a reply to it shows the capability."""


async def probe(
    teacher: Teacher, wanted: frozenset[Capability], ask: Callable[[Teacher, Request], Awaitable[Completion]]
) -> None:
    """Move each wanted capability of a teacher out of `unknown`, into `capabilities` if it has it.

    Args:
        teacher: it is changed.
        wanted: what there is use for.
        ask: asks one question; its calls are calls like any other.
    """
    declared = teacher.capabilities
    for capability in sorted(teacher.unknown & wanted):
        question, shows = PROBES[capability]
        teacher.capabilities = teacher.capabilities | {capability}  # so that it is put on the wire
        try:
            has_it = shows(await ask(teacher, question()))
        except TeacherError as error:
            if error.fatal:
                teacher.capabilities = declared
                raise
            has_it = False
        if not has_it:
            teacher.capabilities = teacher.capabilities - {capability}
        teacher.unknown = teacher.unknown - {capability}
