"""Phrases that have no place in a rationale: refusals, and the talk of assistants."""

from __future__ import annotations

import re

__all__ = ["boilerplate", "refusal"]

_NOT = (
    r"(?:can(?:no|')?t\b|can not\b|do(?:n't| not)\b|won't\b|will not\b|must decline"
    r"|(?:am|'m) (?:not (?:able|capable|authori[sz]ed|allowed|permitted)|unable))"
)
_MODEL = r"(?:an? (?:\w+ )?(?:AI|(?:large |AI )?language model))"
_DO = (
    r"(?:help|assist|comply|fulfil|provide|answer|engage|continue|create|generate|write|discuss|perform|do that|solve)"
)
_REFUSAL = re.compile(
    "|".join(
        (
            rf"\b(?:as|am|'m|being) {_MODEL}\b[^.!?]{{0,60}}?{_NOT}",
            rf"\b(?:sorry|apologi[sz]e|apologies|unfortunately|regret)\b,?(?: but)?[^.!?]{{0,60}}?\bI ?(?:{_NOT})",
            rf"\A\s*I ?(?:{_NOT}) (?:to )?{_DO}\b",
            r"\b(?:this|that|your|the) (?:request|question|task) (?:violates|goes against)\b",
            r"\bagainst (?:my|OpenAI's) (?:\w+ )?(?:guidelines|programming|polic(?:y|ies))\b",
        )
    ),
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"""\b(?:as|am|'m)\ an\ AI\b|\bas\ a\ (?:large\ )?language\ model\b|\bmy\ (?:knowledge\ cut-?off|training\ data)\b
    |\A\s*(?:certainly|sure(?:\ thing)?|of\ course|absolutely|great\ question|good\ question|happy\ to\ help)\b[!,.]
    |\bhope\ (?:this|that|it|these)\b[^.!?\n]{0,30}\b(?:helps?|helpful)\b|\banything\ else\ I\ can\ (?:help|assist|do)\b
    |\b(?:please\ )?let\ me\ know\ if\ you\b|\bfeel\ free\ to\ (?:ask|reach)\b
    |\bif\ you\ have\ any\ (?:other\ |more\ |further\ )?questions\b|\bhere(?:'s|\ is)\ (?:the|a|your)\ (?:revised|requested|rewritten|JSON)\b
    |<\|(?:im_start|im_end|endoftext|eot_id|start_header_id)\|>|\[/?INST\]|\#\#\#\ (?:Instruction|Response|Assistant|Human)\b""",
    re.IGNORECASE | re.VERBOSE,
)


def refusal(text: str) -> str | None:
    """The words with which a text refuses to answer, in English; None where it does not."""
    found = _REFUSAL.search(text.replace("\u2019", "'"))
    return found[0] if found else None


def boilerplate(text: str) -> list[str]:
    """What of it is the talk of an assistant ("Certainly!", "I hope this helps"), in English, or marks of a chat template."""
    return [found[0].strip() for found in _BOILERPLATE.finditer(text.replace("\u2019", "'"))]
