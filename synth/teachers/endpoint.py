"""Any OpenAI-compatible endpoint, through the official client over aiohttp."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from synth.errors import SetupError, TeacherError
from synth.teachers.base import Capability, Price, Teacher
from synth.teachers.redact import keep_secret, redact
from synth.teachers.request import Completion, Request

__all__ = ["EndpointTeacher"]


class EndpointTeacher(Teacher):
    """A model behind an OpenAI-compatible chat endpoint.

    Args:
        name: how records and the ledger call it.
        base_url: up to and including the version, such as `https://api.openai.com/v1`.
        model: the model's name at that endpoint.
        key_variable: the environment variable that holds the API key; None where none is needed.
        timeout: seconds one attempt may take, from sending to the end of the reply.

    The others are as in `Teacher`.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        model: str,
        key_variable: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        price: Price | None = None,
        concurrency: int = 32,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        timeout: float = 300.0,
        capabilities: frozenset[Capability] = frozenset({"chat"}),
        small: bool = False,
    ) -> None:
        self.name = name
        self.model = model
        self.base_url = base_url.rstrip("/")
        self.endpoint = self.base_url
        self.capabilities = capabilities
        self.parameters = dict(parameters or {})
        self.price = price
        self.concurrency = concurrency
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.small = small
        self._key_variable = key_variable
        self._timeout = timeout
        self._client: Any = None

    def _key(self) -> str:
        if self._key_variable is None:
            return "none"
        key = os.environ.get(self._key_variable)
        if not key:
            raise SetupError(
                f"the environment variable {self._key_variable} is not set",
                where=f"teacher {self.name}",
                remedy=f"export {self._key_variable}=… with the API key for {self.base_url}",
            )
        return key

    def check(self) -> None:
        """Find out what would make every call fail and can be seen without one.

        Raises:
            SetupError: the key's variable is not set.
        """
        self._key()

    async def start(self) -> None:
        key = self._key()
        if key != "none":
            keep_secret(key)
        self._connect(self.base_url, key)

    def _connect(self, base_url: str, key: str) -> None:
        import openai

        self._client = openai.AsyncOpenAI(
            api_key=key,
            base_url=base_url,
            max_retries=0,  # retries are a layer of ours, seen in the ledger
            timeout=self._timeout,
            # Plain httpx gets slower with every open connection; aiohttp does not.
            http_client=openai.DefaultAioHttpClient(),
        )

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def complete(self, request: Request) -> Completion:
        import openai

        if self._client is None:
            raise RuntimeError(f"teacher {self.name} was asked before start()")
        known, extra = _split_parameters(self.wire_parameters(request))
        try:
            reply = await self._client.chat.completions.create(
                model=self.model, messages=list(self.wire_messages(request)), extra_body=extra or None, **known
            )
        except openai.APIConnectionError as error:
            # The aiohttp transport calls every connection that cannot be made a ConnectTimeout, a refused one too.
            if isinstance(error, openai.APITimeoutError) and type(error.__cause__).__name__ != "ConnectTimeout":
                raise TeacherError("timeout", f"no reply within {self._timeout:g} s", retriable=True) from error
            what = f"cannot reach {self.base_url}: {redact(str(error.__cause__ or error))}"
            remedy = "is the server running, and is base_url right?"
            raise TeacherError("connection", what, retriable=True, fatal=True, remedy=remedy) from error
        except openai.APIStatusError as error:
            raise self._refused_by_server(error) from error
        except (openai.APIError, ValueError) as error:
            raise TeacherError(
                "malformed", f"the reply cannot be read: {redact(str(error))}", retriable=True
            ) from error
        return self._read(reply)

    def _refused_by_server(self, error: Any) -> TeacherError:
        status = int(error.status_code)
        said = error.body.get("message") if isinstance(error.body, dict) else None
        body = redact(str(said or error.message))[:500]
        at = f"{self.base_url} answered {status}: {body}"
        if status in {401, 403}:
            remedy = (
                f"check the key in {self._key_variable}"
                if self._key_variable
                else "this endpoint wants a key: name its variable in the profile (key:)"
            )
            return TeacherError("auth", at, fatal=True, remedy=remedy)
        if status == 404:
            return TeacherError(
                "not_found", at, fatal=True, remedy=f"check base_url and the model's name ({self.model})"
            )
        if status == 429:
            # A spent quota comes as 429 too, and waiting does not mend it.
            spent = "insufficient_quota" in {error.code, error.type}
            return TeacherError(
                "rate_limit", at, retriable=not spent, fatal=spent, retry_after=_retry_after(error.response.headers)
            )
        if status in {408, 409} or status >= 500:
            return TeacherError("server", at, retriable=True, retry_after=_retry_after(error.response.headers))
        fatal = "model" in body.lower() and ("not found" in body.lower() or "does not exist" in body.lower())
        return TeacherError(
            "bad_request", at, fatal=fatal, remedy=f"check the model's name ({self.model})" if fatal else None
        )

    def _read(self, reply: Any) -> Completion:
        choices = getattr(reply, "choices", None)
        if not choices:
            raise TeacherError("malformed", "the reply has no choices", retriable=True, raw=str(reply)[:2000])
        choice, usage = choices[0], reply.usage
        message = choice.message
        return Completion(
            text=message.content or "",
            finish=choice.finish_reason,
            thinking=getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None),
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            logprobs=choice.logprobs.model_dump() if choice.logprobs else None,
            served_model=reply.model,
            refusal=getattr(message, "refusal", None),
        )


# fmt: off
_KNOWN = frozenset(
    {
        "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "n", "presence_penalty",
        "reasoning_effort", "response_format", "seed", "service_tier", "stop", "temperature", "top_logprobs", "top_p",
        "user", "verbosity",
    }
)
# fmt: on


def _split_parameters(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the client knows by name, and what goes along as it is (`top_k`, `min_p`, …)."""
    known = {k: v for k, v in parameters.items() if k in _KNOWN}
    return known, {k: v for k, v in parameters.items() if k not in _KNOWN}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue  # absent, or the date form, which no model server is known to send
    return None
