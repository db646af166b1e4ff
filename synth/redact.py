"""Secrets never reach a store, a log, an error, a page or the Hub: every text that may hold one passes here."""

from __future__ import annotations

import re
from itertools import groupby
from typing import NamedTuple

__all__ = ["KEY_SHAPES", "keep_secret", "known_secrets", "redact", "scrub"]


class _Secret(NamedTuple):
    """How a secret that is known by its value is found: as it is, or as JSON may write it (also JSON within JSON)."""

    plain: bytes
    written: re.Pattern[str]
    written_bytes: re.Pattern[bytes]
    always_escaped: bool


_known: dict[str, _Secret] = {}
_ESCAPES = re.compile(rb"\\/|\\u00[2-7]")
"""Where these are not, visible ASCII characters stand as they are; but for `"` and `\\`."""
_LOOKS_SECRET = re.compile(
    r"""(?ix)
      (?<=//)[^/\s:@]+:[^/\s@]+(?=@)              # user:password in a URL
    | \b(?-i:(?:sk|pk|rk|hf|gsk|xai|nvapi)[-_]|AIza)[A-Za-z0-9_\-]{8,}  # the usual forms of API keys
    | (?<=bearer\s)\S+
    """
)

KEY_SHAPES = {
    "a key of Anthropic": r"\bsk-ant-[A-Za-z0-9_-]{20,}",
    "a key of OpenRouter": r"\bsk-or-v1-[0-9a-f]{32,}",
    "a key of OpenAI, or of an endpoint like it": r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]*[A-Za-z0-9]{20,}",
    "a token of Hugging Face": r"\b(?:hf|api_org)_[A-Za-z0-9]{30,}",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}",
    "a key of Groq": r"\bgsk_[A-Za-z0-9]{30,}",
    "a key of xAI": r"\bxai-[A-Za-z0-9]{40,}",
    "a key of NVIDIA": r"\bnvapi-[A-Za-z0-9_-]{40,}",
    "a key of Perplexity": r"\bpplx-[A-Za-z0-9]{40,}",
    "a token of Replicate": r"\br8_[A-Za-z0-9]{37,}",
    "a key of Fireworks": r"\bfw_[A-Za-z0-9]{22,}",
    "a key of AWS": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a token of GitHub": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    "a token of GitLab": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a token of Slack": r"\bxox[abposr]-[A-Za-z0-9-]{20,}",
    "a key of Stripe": r"\b[sr]k_live_[A-Za-z0-9]{20,}",
    "a token of npm": r"\bnpm_[A-Za-z0-9]{36}",
    "a token of PyPI": r"\bpypi-AgEI[A-Za-z0-9_-]{50,}",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY",
    "a signed web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    "a password in an address": r"\b[a-z]+://[^\s/:@\"'<>]{1,64}:[^\s/:@\"'<>]{6,128}@[A-Za-z0-9]",
}
"""Patterns by which keys are known: strict, for each find keeps something from being published. For RE2: `re` takes
quadratic time for some of them."""


def known_secrets() -> frozenset[str]:
    """The values that were remembered."""
    return frozenset(_known)


def keep_secret(value: str) -> None:
    """Remember a secret, so that `redact` knows it by its value."""
    if len(value) >= 4 and value not in _known:
        written = "".join(_run(character, sum(1 for _ in run)) for character, run in groupby(value))
        escaped = bool({'"', "\\"} & set(value))
        _known[value] = _Secret(value.encode(), re.compile(written), re.compile(written.encode()), escaped)


def _run(character: str, times: int) -> str:
    """A pattern for a character many times, each as it is or as JSON may write it; of JSON within JSON within JSON at most."""
    code = rf"\\{{1,8}}u(?i:{ord(character):04x})"
    if character == "\\":  # each may stand as up to nine, all alike: to part them would be done in 9^times ways
        return rf"(?:{code}|\\){{{times},{9 * times}}}"
    as_it_is = rf"\\{{0,8}}{re.escape(character)}" if character in '/"' else re.escape(character)
    return rf"(?:{code}|{as_it_is})" * times


def redact(text: str) -> str:
    """`text` with every known secret, and what looks like one, replaced by `[secret]`."""
    for secret in _known.values():
        text = secret.written.sub("[secret]", text)
    return _LOOKS_SECRET.sub("[secret]", text)


def scrub(body: bytes) -> bytes:
    """A body of JSON with every known secret replaced: an endpoint, or a model, may say again what it was sent.

    However it is escaped: a later reader of the body finds it as it was.
    """
    if not _known:
        return body
    escapes = _ESCAPES.search(body) is not None
    for secret in _known.values():
        if escapes or secret.always_escaped:
            body = secret.written_bytes.sub(b"[secret]", body)
        elif secret.plain in body:
            body = body.replace(secret.plain, b"[secret]")
    return body
