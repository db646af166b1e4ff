"""Replies in the form that a request wants: JSON, lines `Name: value`, a word with its probability, a thought before the response."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import orjson

from synth.errors import ModelError
from synth.models.filler import UnfillableError, fill
from synth.models.request import Completion, Request, Task
from synth.models.sums import CLAIM

__all__ = ["as_fields", "counted", "filled", "quote", "set_verdicts", "with_thought", "written", "yes_or_no"]


def counted(request: Request, text: str) -> Completion:
    """A text as a reply, with its tokens."""
    read = sum(len(str(m["content"])) for m in request.messages) // 4
    return Completion(text=text, finish="stop", prompt_tokens=read, completion_tokens=max(1, len(text) // 4))


def with_thought(request: Request, reply: str | Completion, *, ends: bool, shows: bool) -> Completion:
    """A reply whose working stands in a thought, as endpoints send it: in `reasoning_content`, or with its tokens alone."""
    said = reply if isinstance(reply, Completion) else Completion(text=reply, finish="stop")
    working, _, statement = said.text.rpartition("\nThe answer is ")
    if statement and working and request.task.format == "text":
        said = said._replace(text=f"The answer is {statement}")
    thought = working or f"I am asked to {request.task.kind.replace('_', ' ')}. That I can do."
    if request.task.format == "json" and (claims := CLAIM.findall(said.text)):
        thought = "\n".join(f"We know that {a} + {b} = {c}." for a, b, c in claims)
    if not ends:
        thought, said = thought[: max(1, len(thought) // 2)], said._replace(text="", finish="length", logprobs=None)
    tokens = max(1, len(thought) // 4)
    return said._replace(
        thought=thought if shows else None,
        thought_kind="raw" if shows else "hidden",
        thought_from="reasoning_content" if shows else None,
        prompt_tokens=sum(len(str(m["content"])) for m in request.messages) // 4,
        completion_tokens=tokens + len(said.text) // 4,
        reasoning_tokens=tokens,
    )


def set_verdicts(reply: dict[str, Any], properties: Mapping[str, Any], *, approves: bool) -> None:
    """Set the fields that hold one of some words, or a grade, to the best of them or to the worst."""
    for name, schema in properties.items():
        if "enum" in schema:
            words = schema["enum"]
            best = words[-1] if schema.get("type") == "integer" else words[0]
            reply[name] = best if approves else next(w for w in (words[0], words[-1]) if w != best)


def quote(passage: str, rng: random.Random) -> str:
    """Five successive words of a passage, or as many as it has."""
    words = passage.split()
    first = rng.randrange(max(1, len(words) - 4))
    return " ".join(words[first : first + 5])


def filled(request: Request, rng: random.Random) -> dict[str, Any]:
    """Valid values for the fields that a request asks for."""
    assert request.shape is not None
    try:
        return fill(request.shape, rng)
    except UnfillableError as why:
        what = f"the scripted world does not know the task {request.task.kind!r}: {why}"
        raise ModelError("bad_request", what) from why


def written(task: Task, reply: Mapping[str, Any]) -> str:
    """The fields of a reply as the task wants them: JSON, lines, or a value alone."""
    if task.format == "json":
        return orjson.dumps(reply).decode()
    listed = {n: "\n".join(map(_line, value)) if isinstance(value, list) else value for n, value in reply.items()}
    return str(listed["answer"]) if set(listed) == {"answer"} else as_fields(task, **listed)


def _line(item: Any) -> str:
    """An item of a list as a line: of an object its values, such as the number of a step and what is said of it."""
    return ": ".join(map(str, item.values())) if isinstance(item, Mapping) else f"- {item}"


def as_fields(task: Task, **fields: Any) -> str:
    """The same for fields that are named: JSON, or lines."""
    if task.format == "json":
        return orjson.dumps(fields).decode()
    return "\n".join(f"{name.replace('_', ' ').capitalize()}: {value}" for name, value in fields.items())


def yes_or_no(probability: float) -> Completion:
    """A word with the probabilities of both."""
    word = "Yes" if probability >= 0.5 else "No"
    both = [{"token": t, "logprob": math.log(p)} for t, p in (("Yes", probability), ("No", 1 - probability))]
    listed = {
        "content": [{"token": word, "logprob": math.log(max(probability, 1 - probability)), "top_logprobs": both}]
    }
    return Completion(text=word, finish="stop", prompt_tokens=100, completion_tokens=1, logprobs=listed)
