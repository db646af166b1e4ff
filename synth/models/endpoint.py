"""Any OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from synth.addresses import HOW_TO_LOG_IN, fault_of_address, origin_of
from synth.approvals import NamedIn, Sending, refuse_unapproved
from synth.errors import SetupError
from synth.models.base import Capability, Model, Price, asks_to_think
from synth.models.keys import ClientCertificate, fill_in, find_key, variables_in
from synth.models.media import with_media
from synth.models.reading import read_reply
from synth.models.request import CHAT, COMPLETIONS, Completion, Message, Request
from synth.models.transport import HttpReply, HttpTransport, Transport
from synth.redact import keep_secret, redact, scrub
from synth.texts.marks import TABLE, Mark

__all__ = ["Client", "Continuation", "EndpointModel"]

Continuation = Literal["prefill", "vllm", "prefix", "completions"]
"""How the beginning of a reply is given: as a last message of the assistant (`prefill`: llama.cpp, Anthropic, SGLang);
with vLLM's own parameters; with the mark `prefix` (DeepSeek, Mistral); or as one text to the completion endpoint."""

PROBED: frozenset[Capability] = frozenset({"json_schema", "logprobs", "prefill", "prompt_logprobs", "images"})
"""What can be found out by asking; see `probe.py`."""

Client = Literal["openai"]
"""Which client carries the requests in place of our transport."""


class EndpointModel(Model):
    """A model behind an OpenAI-compatible chat endpoint.

    Args:
        name: how records and the ledger call it.
        base_url: up to and including the version, such as `https://api.openai.com/v1`.
        model: the model's name at that endpoint.
        key_variable: the environment variable that holds the API key, or `keyring:SERVICE/USER`; None where none is
            needed.
        headers: more headers for every request; `$NAME` in a value stands for what that environment variable holds.
        timeout: seconds one attempt may take, from sending to the end of the reply.
        capabilities: what it can do; None where that is to be found out.
        continuation: how a reply's beginning is given to it.
        reasoning: whether it thinks, or how many tokens its thought may take; None: as its parameters say, else not known.
        summarised: whether what it sends as reasoning is a summary, and not the trace.
        marks: more tags by which a thought within the content is known; they go before those of `synth.texts.marks`.
        stream: whether replies are asked for as streams, for endpoints that have no others.
        client: `openai`: the official client carries the requests, at twenty times the CPU.
        certificate: the certificate by which this client shows who it is.
        named_in: where its address is written down; unless that is the user's own word, the user must have approved the host
            (`synth.approvals`). None: the program that makes it says so.

    The others are as in `Model`.

    Raises:
        SetupError: `base_url` holds a password, a query, or what looks like a key.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        model: str,
        key_variable: str | None = None,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        price: Price | None = None,
        concurrency: int = 32,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        timeout: float = 300.0,
        capabilities: frozenset[Capability] | None = None,
        small: bool = False,
        client: Client | None = None,
        certificate: ClientCertificate | None = None,
        continuation: Continuation = "prefill",
        reasoning: bool | int | None = None,
        summarised: bool = False,
        marks: Sequence[Mark] = (),
        stream: bool = False,
        named_in: NamedIn | None = None,
    ) -> None:
        if (why := fault_of_address(base_url)) is not None:
            raise SetupError(why, where=f"model {redact(name)}", fix=HOW_TO_LOG_IN)
        self.name = name
        self.model_id = model
        self.base_url = base_url.rstrip("/")
        self.endpoint = self.base_url
        self.capabilities = capabilities if capabilities is not None else frozenset({"chat"})
        self.unknown = frozenset() if capabilities is not None else PROBED
        self.parameters = dict(parameters or {})
        self.price = price
        self.concurrency = concurrency
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.small = small
        self.reasoning = reasoning if reasoning is not None else asks_to_think(self.parameters)
        self._marks = (*marks, *TABLE)
        self._summarised = summarised
        self._stream = stream
        self._key_variable = key_variable
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._client = client
        self._certificate = certificate
        self._continuation = continuation
        self._named_in = named_in
        self._transport: Transport | None = None

    def sendings(self) -> tuple[Sending, ...]:
        """What goes to which host, for the user to approve; nothing where a program made this model itself.

        Raises:
            SetupError: `base_url` is not an address.
        """
        if self._named_in is None:
            return ()
        named = [self._key_variable] if self._key_variable else []
        if self._certificate is not None:
            named.append(f"certificate:{self._certificate.certificate}")
        keys = dict.fromkeys((*named, *variables_in(self._headers)))
        try:
            host = origin_of(self.base_url)
        except SetupError as error:
            raise SetupError(error.what, where=f"model {redact(self.name)}", fix=error.fix) from error
        return tuple(Sending(key, host, f"model {redact(self.name)}", self._named_in) for key in keys or (None,))

    def _secrets(self) -> tuple[str | None, dict[str, str]]:
        """The key and the headers, as the transport takes them."""
        who = f"model {self.name}"
        key = None if self._key_variable is None else find_key(self._key_variable, who, self.base_url)
        if key is not None:
            keep_secret(key)
        return key, fill_in(self._headers, who)

    def check(self) -> None:
        """Find out what would make every call fail and can be seen without one.

        Raises:
            SetupError: the variable of the key or of a header is not set, no header can carry what it holds, or there is no such
                client certificate.
        """
        self._secrets()
        if self._certificate is not None:
            self._certificate.pem()

    async def start(self) -> None:
        refuse_unapproved(self.sendings())
        key, headers = self._secrets()
        self._transport = self._connect(self.base_url, key, headers)

    def _connect(self, base_url: str, key: str | None, headers: Mapping[str, str]) -> Transport:
        if self._stream:
            headers = {"Accept": "text/event-stream, application/json", **headers}
        given: dict[str, Any] = {"timeout": self._timeout, "headers": headers, "certificate": self._certificate}
        if self._client == "openai":
            from synth.models.official import OfficialTransport

            return OfficialTransport(base_url, key, **given)
        return HttpTransport(base_url, key, **given)

    async def stop(self) -> None:
        if self._transport is not None:
            await self._transport.close()
            self._transport = None

    def wire_messages(self, request: Request) -> tuple[Message, ...]:
        messages = super().wire_messages(request)
        if self._continuation == "prefix" and len(messages) > len(request.messages):
            return (*messages[:-1], {**messages[-1], "prefix": True})
        return messages

    def wire_parameters(self, request: Request) -> dict[str, Any]:
        merged = super().wire_parameters(request)
        if self._stream:
            own = {"stream": True, "stream_options": {"include_usage": True}}  # else no tokens are counted
            merged |= {name: value for name, value in own.items() if name not in self.parameters}
        if self._continuation == "vllm" and (request.continue_from or request.score):
            merged |= {"add_generation_prompt": False, "continue_final_message": True}
        if request.score is not None:
            sampling = {"temperature", "top_p", "top_k", "min_p", "logprobs", "top_logprobs", "max_completion_tokens"}
            merged = {k: v for k, v in merged.items() if k not in sampling}
            # Some servers do not take a limit of 0: the one token they write is passed over.
            merged |= {"max_tokens": 1, **({"echo": True, "logprobs": 1} if self._raw else {"prompt_logprobs": 0})}
        return merged

    @property
    def _raw(self) -> bool:
        return self._continuation == "completions"

    def path(self, request: Request) -> str:
        given = request.continue_from is not None or request.score is not None
        return COMPLETIONS if self._raw and given else CHAT

    async def complete(self, request: Request) -> Completion:
        if self._transport is None:
            raise RuntimeError(f"model {self.name} was asked before start()")
        reply = await self._transport.post(self.path(request), self.body(request))
        return self.read(reply, request)

    async def get(self, path: str) -> HttpReply:
        """What the endpoint has at `path`, of any status.

        Raises:
            ModelError: nothing came back.
        """
        if self._transport is None:
            raise RuntimeError(f"model {self.name} was asked before start()")
        return await self._transport.get(path)

    def read(self, reply: HttpReply, request: Request) -> Completion:
        """What the endpoint's reply to a request means; errors as for `complete`."""
        reply = reply._replace(body=scrub(reply.body))
        return read_reply(
            reply,
            self.base_url,
            model=self.model_id,
            key_variable=self._key_variable,
            scored=request.score,
            marks=self._marks,
            summarised=self._summarised,
            sent=self.wire_parameters(request) if reply.status >= 400 else (),
        )

    def body(self, request: Request) -> dict[str, Any]:
        """What is posted for a request."""
        messages = self.wire_messages(request)
        if self.path(request) == COMPLETIONS:
            asked: dict[str, Any] = {"prompt": "\n\n".join(str(m["content"]) for m in messages)}
        else:
            asked = {"messages": with_media(messages, request.media) if request.media else messages}
        return {"model": self.model_id, **asked, **self.wire_parameters(request)}
