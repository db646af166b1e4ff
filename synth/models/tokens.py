"""Log-probabilities of tokens as endpoints give them: what of them is kept, and how the scripted model makes some."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["LOGPROBS", "chosen_alone", "logprobs_of", "raw_bytes"]

LOGPROBS: Mapping[str, Any] = {"logprobs": True, "top_logprobs": 1}
"""Parameters that ask for the log-probability of each token written. Of alternatives one is asked for: with none named, some servers
send 20 for each token, and with 0 some send nothing."""


def raw_bytes(token: Mapping[str, Any]) -> bytes | None:
    """The bytes of a token as an endpoint lists them; None where they are those of its text, or no bytes."""
    listed = token.get("bytes")
    if not isinstance(listed, list):
        return None
    try:
        raw = bytes(listed)
    except (ValueError, TypeError):
        return None
    return None if raw == token["token"].encode(errors="replace") else raw


def chosen_alone(logprobs: Any, parameters: Mapping[str, Any]) -> Any:
    """What of log-probabilities goes into the ledger: those of the tokens written, and alternatives where more than one was asked for.

    A token takes some 40 bytes then, and with 20 alternatives 1,400. Log-probabilities have the 7 digits of the 32-bit numbers that
    models compute with.

    Args:
        logprobs: as read from a reply; None, or of any form.
        parameters: the parameters that were sent.
    """
    listed = logprobs.get("content") if isinstance(logprobs, dict) else None
    asked = parameters.get("top_logprobs")
    if not isinstance(listed, list) or (isinstance(asked, int) and asked > 1):
        return logprobs
    kept = []
    for token in listed:
        lean = {"token": token["token"], "logprob": float(f"{token['logprob']:.7g}")}
        if (raw := raw_bytes(token)) is not None:
            lean["bytes"] = list(raw)
        kept.append(lean)
    return {"content": kept}


_WORD = re.compile(r"\s*\S+\s*?|\s+")


def logprobs_of(text: str, probability: Callable[[int, int], float]) -> dict[str, Any]:
    """Log-probabilities of a text whose tokens are its words, each with the white space before it, as an endpoint sends them.

    Args:
        text: the text.
        probability: of the token from one character to before another; above 0, at most 1.
    """
    found = [(m[0], probability(m.start(), m.end())) for m in _WORD.finditer(text)]
    return {"content": [{"token": word, "logprob": round(math.log(p), 6)} for word, p in found]}
