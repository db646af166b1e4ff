"""Python functions as models: an engine in this process, the client library of a provider, a test."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import json
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from synth.errors import ModelError, SetupError
from synth.models.base import Capability, Model, Price, StateStore
from synth.models.identity import identity_of
from synth.models.media import with_media
from synth.models.reading import read_reply
from synth.models.refusals import refusal_of_server
from synth.models.request import Completion, Message, Request
from synth.models.transport import HttpReply
from synth.records.identity import canonical_json
from synth.redact import redact, scrub

__all__ = ["FunctionModel"]

_MOST_SAID = 500
"""Letters of the message of an exception."""


class FunctionModel(Model):
    """A model that is a Python function, sync or async.

        def ask(messages, temperature=1.0, max_tokens=None):
            return my_engine.chat(messages, temperature, max_tokens)

        synth.run("star", problems, "runs/mine", models=synth.FunctionModel(ask, "mine"))

    The function gets the chat messages, a list of dictionaries with `role` and `content` (by the keyword `messages` where it has
    one, else as its first argument), and of the sampling parameters of the request those that its signature names, by the names
    of the OpenAI API. It gives a text; or a chat completion of the OpenAI API, as a dictionary or as an object with
    `model_dump()`; or a `Completion`. Thoughts, token counts and truncation are read as from an endpoint.

    A sync function runs in threads, of which there are never more than `concurrency`. What it raises is the failure of one call,
    with cause `raised`; exceptions with a `status_code` (openai, litellm, httpx) mean what that status means from an endpoint,
    and those and time-outs are retried in the same way.

    The replay key holds a hash of the function: its code and the code and values of yours that it uses (`identity.py`). A
    function that has changed is another model, and is asked again.

    Args:
        function: the function, method, `functools.partial` or callable object.
        name: how records and the ledger call it; None: the function's own name.
        identity: what the code does not show and replies depend on, such as the model and its revision; it stands in the
            ledger as the model. None: the name.
        capabilities: what it can do. With `seed` each sample is asked with another seed; with `json_schema` a reply that is to
            be an object is asked for by `response_format`.
        timeout: seconds one attempt may take. A thread cannot be stopped: it keeps its place until the function returns.

    The others are as in `Model`.

    Raises:
        SetupError: it cannot be called with messages alone; it is not written in Python and has no `identity`; a parameter
            cannot be written as JSON.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        *,
        identity: str | None = None,
        capabilities: frozenset[Capability] | set[Capability] = frozenset({"chat"}),
        parameters: Mapping[str, Any] | None = None,
        price: Price | None = None,
        concurrency: int = 32,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        timeout: float = 300.0,
        reasoning: bool | int | None = None,
        small: bool = False,
    ) -> None:
        self.name = name or _name_of(function)
        self._takes = _takes(function, self.name)
        code = identity_of(function)
        if not code.readable and identity is None:
            raise SetupError(
                "it is not written in Python, so that nobody can see when it changes",
                where=f"function {self.name}",
                fix="say what it is: synth.FunctionModel(function, identity='its model, and which revision')",
            )
        if concurrency < 1:
            raise SetupError(f"concurrency is {concurrency}", where=f"function {self.name}", fix="at least 1")
        try:
            canonical_json(dict(parameters or {}))
        except TypeError as error:
            fix = "give it to the function beforehand: functools.partial(function, …)"
            raise SetupError(f"a parameter cannot be JSON: {error}", where=f"function {self.name}", fix=fix) from error
        self.model_id = identity or self.name
        self.endpoint = f"function:{code.hash}"
        self.capabilities = frozenset(capabilities) | {"chat"}
        self.parameters = dict(parameters or {})
        self.price = price
        self.concurrency = concurrency
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.reasoning = reasoning
        self.small = small
        self._function = function
        self._unseen = code.unseen if identity is None else ()
        self._timeout = timeout
        self._is_async = _is_async(function)
        self._places: asyncio.Semaphore | None = None

    def attach_state(self, state: StateStore) -> None:
        if self._unseen:
            state.report(
                f"function {self.name} depends on {', '.join(self._unseen)}: replies on record are used again also where that "
                "has changed. Say which it is: synth.FunctionModel(function, identity=…)"
            )

    async def start(self) -> None:
        self._places = asyncio.Semaphore(self.concurrency)

    async def stop(self) -> None:
        self._places = None

    def wire_parameters(self, request: Request) -> dict[str, Any]:
        merged = super().wire_parameters(request)
        names = self._takes.names
        return merged if names is None else {k: v for k, v in merged.items() if k in names}

    async def complete(self, request: Request) -> Completion:
        if self._places is None:
            raise RuntimeError(f"function {self.name} was asked before start()")
        messages = self.wire_messages(request)
        given = with_media(messages, request.media) if request.media else [dict(m) for m in messages]
        parameters = self.wire_parameters(request)
        try:
            async with asyncio.timeout(self._timeout) as limit:
                reply = await self._call(self._places, given, parameters)
            return self._read(reply, request)
        except ModelError:
            raise
        except Exception as error:
            if limit.expired():
                what = f"function {self.name}: no reply within {self._timeout:g} s"
                raise ModelError("timeout", what, retriable=True) from error
            raise _failure(error, self.name, self.model_id, parameters) from error

    async def _call(self, places: asyncio.Semaphore, messages: list[Message], parameters: Mapping[str, Any]) -> Any:
        """What the function returns."""
        if self._takes.keyword:
            call = functools.partial(self._function, messages=messages, **parameters)
        else:
            call = functools.partial(self._function, messages, **parameters)
        reply = call() if self._is_async else await _in_thread(call, places)
        return await reply if inspect.isawaitable(reply) else reply

    def _read(self, reply: Any, request: Request) -> Completion:
        """What the function's reply means.

        Raises:
            ModelError: it is none.
        """
        if isinstance(reply, Completion):
            return reply
        if isinstance(reply, str):
            body: Any = {"choices": [{"message": {"content": reply}}]}
        else:
            body = reply.model_dump() if hasattr(reply, "model_dump") else reply
            if not isinstance(body, Mapping) or not {"choices", "error"} & body.keys():
                what = f"function {self.name} returned {_described(body)}"
                fix = "return a text, a chat completion of the OpenAI API (a dictionary with choices), or a Completion"
                raise ModelError("malformed", what, raw=redact(repr(body)[:2000]), fix=fix)
        return read_reply(
            HttpReply(200, {}, scrub(_as_json(body))),
            f"function {self.name}",
            model=self.model_id,
            scored=request.score,
        )


class _Takes(NamedTuple):
    """How a function is called."""

    keyword: bool
    """Whether the messages are given by the keyword `messages`, and not as the first argument."""
    names: frozenset[str] | None
    """The parameters it takes; None for any."""


def _takes(function: Any, name: str) -> _Takes:
    """How a function is called.

    Raises:
        SetupError: it cannot be called with messages alone, or not at all.
    """
    if not callable(function) or isinstance(function, type):
        what = f"{_described(function)} is not a function" if not callable(function) else "this is a class"
        raise SetupError(
            what, where=f"function {name}", fix="give a function, a method, or an object that can be called"
        )
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of some functions written in C nothing is known
        return _Takes(keyword=False, names=None)
    ways = {p.name: p.kind for p in parameters.values()}
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    keyword = ways.get("messages") in by_name
    try:
        bound = inspect.signature(function).bind(messages=[]) if keyword else inspect.signature(function).bind([])
    except TypeError as error:
        raise SetupError(
            f"it cannot be called with messages alone: {error}",
            where=f"function {name}",
            fix="let it take the messages first, and give it the rest beforehand: functools.partial(function, …)",
        ) from error
    if inspect.Parameter.VAR_KEYWORD in ways.values():
        return _Takes(keyword, names=None)
    return _Takes(keyword, frozenset(n for n, way in ways.items() if way in by_name and n not in bound.arguments))


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", None) or type(function).__name__).strip("<>")


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


async def _in_thread(call: Callable[[], Any], places: asyncio.Semaphore) -> Any:
    """What a sync function returns or raises, called in a thread of its own.

    A function that hangs keeps its place, so that no more than `concurrency` run at once, and as a daemon does not keep the
    process from ending; an executor's thread would.
    """
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def finish(returned: Any, error: BaseException | None) -> None:
        places.release()
        if not done.done():
            done.set_result((returned, error))

    def work() -> None:
        returned, error = None, None
        try:
            returned = context.run(call)
        except BaseException as caught:  # noqa: BLE001  # raised again where it is waited for
            error = caught
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, returned, error)

    await places.acquire()
    threading.Thread(target=work, daemon=True).start()
    returned, error = await done
    if error is not None:
        raise error
    return returned


def _as_json(body: Mapping[str, Any]) -> bytes:
    """A reply as the endpoint would have sent it."""

    def other(value: Any) -> Any:
        return value.model_dump() if hasattr(value, "model_dump") else str(value)

    try:
        return orjson.dumps(dict(body), default=other, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:  # half a pair of surrogates, a number of more than 64 bits
        return json.dumps(dict(body), default=other).encode()


def _described(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"a dictionary without choices (it has {', '.join(map(str, list(value)[:8])) or 'nothing'})"
    return "nothing (None)" if value is None else f"a value of type {type(value).__name__}"


_TIMEOUTS = frozenset({"TimeoutError", "Timeout", "TimeoutException", "APITimeoutError"})
_CONNECTIONS = frozenset({"ConnectionError", "TransportError", "APIConnectionError", "ClientConnectionError"})
"""Names of classes of exceptions (Python, httpx, requests, aiohttp, openai): these libraries need not be there."""


def _failure(error: Exception, name: str, model: str, sent: Mapping[str, Any]) -> ModelError:
    """What an exception of a function means."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    message = ""
    with suppress(Exception):  # some of litellm's cannot be written out
        message = str(error)
    said = redact(f"{type(error).__name__}: {message}" if message else type(error).__name__)[:_MOST_SAID]
    if "ContentPolicyViolationError" in kinds:
        return ModelError("refused", f"function {name} raised {said}")
    response = getattr(error, "response", None)
    found = (getattr(at, word, None) for at in (error, response) for word in ("status_code", "status"))
    status = next((s for s in found if isinstance(s, int) and 300 <= s < 600), None)
    headers = _headers(error, response)
    if status is None and "retry-after" in headers:
        status = 429
    if status is not None:
        more = {n: v for n in ("code", "type", "param") if isinstance(v := getattr(error, n, None), str)}
        answer = HttpReply(status, headers, orjson.dumps({"error": {"message": said, **more}}))
        return _for_functions(refusal_of_server(answer, f"function {name}", model=model, sent=sent), sent)
    if kinds & _TIMEOUTS:
        return ModelError("timeout", f"function {name} raised {said}", retriable=True)
    if kinds & _CONNECTIONS:
        return ModelError("connection", f"function {name} raised {said}", retriable=True)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return ModelError("raised", f"function {name} raised {said}{where}")


def _headers(error: Exception, response: Any) -> dict[str, str]:
    """The headers an exception brings with it, by their names in lower case."""
    headers: dict[str, str] = {}
    for brought in (getattr(response, "headers", None), getattr(error, "headers", None)):
        if isinstance(brought, Mapping):
            headers |= {str(k).lower(): str(v) for k, v in brought.items()}
    wait = getattr(error, "retry_after", None)
    return headers | ({"retry-after": str(wait)} if isinstance(wait, (int, float, str)) else {})


def _for_functions(failure: ModelError, sent: Mapping[str, Any]) -> ModelError:
    """The failure, with what to do about it where there is no profile."""
    if failure.cause in {"auth", "not_found"}:
        failure.fix = "see to the key, the address and the model that the function uses"
    elif failure.parameter in sent:
        failure.fix = f"leave it out: synth.FunctionModel(function, parameters={{{failure.parameter!r}: None}})"
    elif failure.cause == "bad_request" and not failure.fatal:
        failure.fix = None
    return failure
