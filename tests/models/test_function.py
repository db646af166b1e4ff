"""Python functions as models: what they are given, what they may give, how they fail, and when they count as changed."""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ask as query
from support import endpoint, reply, sums, yaml_file
from support import synth as command

import synth
from synth.calls import retry
from synth.errors import ModelError, SetupError, UserError
from synth.models import Completion, FunctionModel, Price, Request, Task
from synth.models.identity import identity_of
from synth.records import Problem

QUESTION = Problem.root(question="1 + 1?", answer="2", answer_kind="number")
ONE_STEP = """
    pipeline: my/one
    steps:
      - {step: generate, name: solve, samples: 2, temperature: 0.5}
"""
TWO_ROLES = """
    pipeline: my/two
    steps:
      - {step: generate, name: one, by: first}
      - {step: generate, name: two, by: second}
"""


def request(sample: int = 0, **parameters: Any) -> Request:
    return Request(({"role": "user", "content": "1 + 1?"},), Task("solve", QUESTION), parameters, sample, step="s")


async def complete(function: Callable[..., Any], *requests: Request, **options: Any) -> Any:
    """What a model of the function gives for each request, all asked at once; errors among them."""
    async with FunctionModel(function, **options) as model:
        asked = [model.complete(r) for r in requests or (request(),)]
        got = await asyncio.gather(*asked, return_exceptions=True)
    return got if len(got) > 1 else got[0]


def one_step(tmp_path: Path, problems: int, function: Any, **options: Any) -> Any:
    pipeline = yaml_file(tmp_path / "one.yaml", ONE_STEP)
    return synth.run(pipeline, sums(tmp_path / "in.jsonl", problems), tmp_path / "run", models=function, **options)


def says_five(messages):
    return "The answer is 5."


# What it is given.


async def test_it_gets_the_messages_and_the_parameters_that_its_signature_names():
    got: list[Any] = []

    def first(messages):
        got.append(("first", messages, {}))
        return "x"

    def named(temperature, *, messages, stop=None):
        got.append(("named", messages, {"temperature": temperature, "stop": stop}))
        return "x"

    def all_of_them(prompt, **parameters):
        got.append(("all", prompt, parameters))
        return "x"

    asked = request(temperature=0.5, max_tokens=7, top_p=None)
    for function in (first, functools.partial(named, 0.1), all_of_them):
        await complete(function, asked)
    messages = [{"role": "user", "content": "1 + 1?"}]
    assert got == [
        ("first", messages, {}),
        ("named", messages, {"temperature": 0.1, "stop": None}),
        ("all", messages, {"temperature": 0.5, "max_tokens": 7}),
    ]


async def test_its_own_parameters_come_first_and_none_takes_one_away():
    got: list[Any] = []

    def ask(messages, **parameters):
        got.append(parameters)
        return "x"

    own = {"top_k": 3, "temperature": None, "seed": 2}
    model = FunctionModel(ask, parameters=own, capabilities={"seed"})
    assert model.capabilities == {"chat", "seed"}
    await complete(ask, request(temperature=1, sample=4), parameters=own, capabilities={"seed"})
    assert got == [{"top_k": 3, "seed": 200_004}]


async def test_the_messages_are_copies():
    asked = request()

    def spoil(messages):
        messages[0]["content"] = "other"
        messages.append({})
        return "x"

    await complete(spoil, asked)
    assert asked == request()


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda request, rng: "x", "cannot be called with messages alone: missing a required argument: 'rng'"),
        (lambda: "x", "cannot be called with messages alone: too many positional arguments"),
        (lambda messages, model: "x", "missing a required argument: 'model'"),
        (SimpleNamespace, "this is a class"),
        (3, "a value of type int is not a function"),
        (print, "not written in Python"),
    ],
)
def test_what_cannot_be_a_model_is_refused_at_once(function: Any, why: str):
    with pytest.raises(SetupError, match=why):
        FunctionModel(function)


def test_bad_options_are_refused_at_once():
    with pytest.raises(SetupError, match=r"function says_five: a parameter cannot be JSON(.|\n)*functools.partial"):
        FunctionModel(says_five, parameters={"stop": object()})
    with pytest.raises(SetupError, match="concurrency is 0"):
        FunctionModel(says_five, concurrency=0)
    assert FunctionModel(print, identity="the printer").model_id == "the printer"


# What it gives.

OF_OPENAI = {
    "model": "served",
    "choices": [{"message": {"content": "five", "reasoning_content": "hm"}, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}


class Dumped:
    """As `openai.types.chat.ChatCompletion` and `litellm.ModelResponse` are."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def model_dump(self) -> Any:
        return self.body


WHOLE = ("five", "hm", "length", 3, 4, "served")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("five", ("five", None, None, None, None, None)),
        ("<think>hm</think>five", ("five", "hm", None, None, None, None)),
        (OF_OPENAI, WHOLE),
        (Dumped(OF_OPENAI), WHOLE),
        ({**OF_OPENAI, "choices": [Dumped(OF_OPENAI["choices"][0])]}, WHOLE),
        (Completion("five", "length", "hm", 3, 4, served_model="served"), WHOLE),
        ("half \ud83d", ("half \ufffd", None, None, None, None, None)),
    ],
)
@pytest.mark.parametrize("way", ["sync", "async", "awaitable", "callable object"])
async def test_what_it_gives_is_read_as_a_reply_of_an_endpoint(given: Any, read: tuple[Any, ...], way: str):
    async def waits(messages):
        await asyncio.sleep(0)
        return given

    class Speaker:
        async def __call__(self, messages):
            return given

    def begins(messages):
        return waits(messages)

    ways = {"sync": lambda m: given, "async": waits, "awaitable": begins, "callable object": Speaker()}
    got = await complete(ways[way])
    assert (got.text, got.thought, got.finish, got.prompt_tokens, got.completion_tokens, got.served_model) == read


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (None, r"returned nothing \(None\)"),
        (["five"], "returned a value of type list"),
        (b"five", "returned a value of type bytes"),
        ({"content": "five"}, r"returned a dictionary without choices \(it has content\)"),
        (Dumped(["five"]), "returned a value of type list"),
    ],
)
async def test_what_is_no_reply_is_a_failure_that_says_what_may_be_returned(given: Any, what: str):
    def ask(messages):
        return given

    got = await complete(ask)
    assert (got.cause, got.retriable) == ("malformed", False)
    with pytest.raises(ModelError, match=rf"function ask {what}(.|\n)*return a text, a chat completion"):
        raise got


async def test_an_error_in_the_shape_of_an_endpoint_means_what_it_means_there():
    got = await complete(lambda m: {"error": {"message": "slow down", "code": 429}})
    assert (got.cause, got.retriable) == ("rate_limit", True)


def test_a_run_of_plain_functions_and_what_its_ledger_says(tmp_path: Path):
    threads = set()

    def thinks(messages, temperature=None):
        threads.add(threading.current_thread())
        return "<think>2 and 3</think>The answer is 5."

    async def counts(messages, **parameters):
        threads.add(threading.current_thread())
        return {"choices": [{"message": {"content": "The answer is 5."}}], "usage": OF_OPENAI["usage"]}

    priced = FunctionModel(counts, "mine", identity="weights@3", price=Price(input=1e6, output=1e6))
    done = one_step(tmp_path, 2, {"teacher": [thinks, priced]})
    assert dict(done.funnel)["kept"] == 8
    seen = "SELECT DISTINCT model, model_id, thought, thought_from, price, parameters FROM calls ORDER BY model"
    rows = [(*row[:5], json.loads(row[5])) for row in query(done.run, seen)]
    assert rows[0] == ("mine", "weights@3", None, None, 7.0, rows[0][5])
    assert rows[0][5]["temperature"] == 0.5
    assert "max_tokens" in rows[0][5]
    assert rows[1] == ("thinks", "thinks", "2 and 3", "think", None, {"temperature": 0.5})
    assert len(threads) > 1


# How it fails.


class StatusError(Exception):
    """As exceptions of openai and litellm are."""

    def __init__(self, status_code: int | None = None, **more: Any) -> None:
        super().__init__(more.pop("message", "no"))
        if status_code is not None:
            self.status_code = status_code
        vars(self).update(more)


def of_response(status: int, **headers: str) -> Exception:
    """As exceptions of httpx and requests are."""
    return StatusError(response=SimpleNamespace(status_code=status, headers=headers))


class ReadTimeout(type("TimeoutException", (Exception,), {})):  # type: ignore[misc]
    """As that of httpx."""


class ContentPolicyViolationError(StatusError):
    """As that of litellm."""


@pytest.mark.parametrize(
    ("error", "cause", "retriable", "fatal", "wait"),
    [
        (ValueError("no"), "raised", False, False, None),
        (TimeoutError(), "timeout", True, False, None),
        (ReadTimeout(), "timeout", True, False, None),
        (ConnectionResetError("gone"), "connection", True, False, None),
        (StatusError(429, headers={"Retry-After": "7"}), "rate_limit", True, False, 7.0),
        (StatusError(429, retry_after=3), "rate_limit", True, False, 3.0),
        (StatusError(retry_after=3), "rate_limit", True, False, 3.0),
        (StatusError(429, code="insufficient_quota"), "rate_limit", False, True, None),
        (of_response(503, **{"retry-after": "2"}), "server", True, False, 2.0),
        (StatusError(408), "server", True, False, None),
        (StatusError(status=502), "server", True, False, None),
        (StatusError(401), "auth", False, True, None),
        (StatusError(404, message="no such model: the model does not exist"), "not_found", False, True, None),
        (StatusError(400, message="maximum context length is 8"), "bad_request", False, False, None),
        (StatusError(400, message="unsupported parameter: seed"), "bad_request", False, False, None),
        (ContentPolicyViolationError(400), "refused", False, False, None),
        (StatusError(200), "raised", False, False, None),
        (ModelError("truncated", "by hand"), "truncated", False, False, None),
        (StopIteration("used up"), "raised", False, False, None),
    ],
)
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_exception_is_the_failure_it_looks_like(error, cause, retriable, fatal, wait, kind):
    def ask(messages):
        raise error

    async def waits(messages):
        raise error

    got = await complete(ask if kind == "sync" else waits)
    assert isinstance(got, ModelError)
    assert (got.cause, got.retriable, got.fatal, got.retry_after) == (cause, retriable, fatal, wait)
    assert "models.yaml" not in str(got)
    assert "profile" not in str(got)


async def test_what_cannot_be_written_out_is_a_failure_too():
    class MuteError(Exception):
        def __str__(self) -> str:
            raise AttributeError

    class Broken:
        def model_dump(self) -> Any:
            raise ValueError("half made")

    def ask(messages):
        raise MuteError

    assert (await complete(ask)).what.startswith("function ask raised MuteError (test_function.py")
    assert (await complete(lambda m: Broken())).what.startswith("function lambda raised ValueError: half made (")


async def test_a_parameter_that_is_refused_can_be_left_out():
    def ask(messages, **parameters):
        raise StatusError(400, message="temperature is not supported by this model")

    got = await complete(ask, request(temperature=0.5))
    assert got.parameter == "temperature"
    assert got.fix == "leave it out: synth.FunctionModel(function, parameters={'temperature': None})"


async def test_no_secret_is_in_what_is_said_of_an_exception():
    def ask(messages):
        raise KeyError("sk-abcdefghijklmnop" + "x" * 480)

    async with FunctionModel(ask) as model:
        with pytest.raises(ModelError) as failure:
            await model.complete(request())
    assert "KeyError: '[secret]' (" in failure.value.what


def test_what_it_raises_is_a_row_and_not_the_end(tmp_path: Path):
    """One attempt each, a line to look at, and no secret."""
    asked: list[str] = []

    def ask(messages):
        asked.append(messages[-1]["content"])
        if "Case 1:" in asked[-1]:
            raise KeyError("key sk-abcdefghijklmnop is not there")
        return "The answer is 5."

    done = one_step(tmp_path, 3, ask)
    assert dict(done.funnel)["kept"] == 4
    assert len(asked) == 6
    rows = query(done.run, "SELECT status, error FROM calls WHERE status <> 'ok'")
    assert len(rows) == 2
    for status, error in rows:
        assert status == "raised"
        assert error.startswith("function ask raised KeyError: 'key [secret] is not there' (test_function.py, line ")
    failures = "SELECT DISTINCT cause, retriable FROM failures"
    assert query(done.run, failures) == [("raised", True)]


def test_where_all_raise_the_run_comes_to_its_end(tmp_path: Path):
    def ask(messages):
        raise RuntimeError("never")

    done = one_step(tmp_path, 12, ask)
    assert done.progress.done == 12
    assert query(done.run, "SELECT count(*) FROM calls WHERE status = 'raised'") == [(24,)]
    told = command("retry", done.run)
    assert "was made in Python, and cannot be made from here" in told.stderr
    assert "again=True" in told.stderr


def test_what_looks_retriable_is_retried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retry, "_backoff", lambda state: 0.01)
    first = "The answer is 5."
    turns = [first, TimeoutError("slow"), ConnectionError("gone"), StatusError(500), StatusError(429, retry_after=0.01)]

    def ask(messages):
        turn = turns.pop(0) if turns else first
        if isinstance(turn, Exception):
            raise turn
        return turn

    done = one_step(tmp_path, 1, FunctionModel(ask, concurrency=1))
    assert dict(done.funnel)["kept"] == 2
    ends = "SELECT status, count(*) FROM calls GROUP BY 1 ORDER BY 1"
    assert query(done.run, ends) == [("connection", 1), ("ok", 2), ("rate_limit", 1), ("server", 1), ("timeout", 1)]


def test_a_key_that_is_refused_stops_the_run(tmp_path: Path):
    def ask(messages):
        raise StatusError(401, message="Incorrect API key provided: sk-abcdefghijklmnop")

    with pytest.raises(
        SetupError, match=r"function ask answered 401: StatusError: Incorrect API key provided: \[secret\]"
    ):
        one_step(tmp_path, 8, FunctionModel(ask, concurrency=1))
    assert query(tmp_path / "run", "SELECT count(*) FROM calls") == [(1,)]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_no_failure(interrupt: type[BaseException], kind: str):
    def ask(messages):
        raise interrupt

    async def waits(messages):
        raise interrupt

    async def asks():
        async with FunctionModel(ask if kind == "sync" else waits) as model:
            await model.complete(request())

    with pytest.raises(interrupt):
        asyncio.run(asks())


async def test_it_can_be_cancelled():
    async def waits(messages):
        await asyncio.sleep(60)

    async with FunctionModel(waits) as model:
        task = asyncio.create_task(model.complete(request()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# Time and threads.


async def test_sync_functions_run_side_by_side_and_no_more_than_may():
    now, most, lock, pair = 0, 0, threading.Lock(), threading.Barrier(2)

    def ask(messages):
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        pair.wait(20)  # only two together get past it
        with lock:
            now -= 1
        return "x"

    got = await complete(ask, *(request(n) for n in range(8)), concurrency=2)
    assert [c.text for c in got] == ["x"] * 8
    assert most == 2


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_an_attempt_has_a_time(kind: str):
    release = threading.Event()

    def ask(messages):
        release.wait(20)
        return "x"

    async def waits(messages):
        await asyncio.sleep(20)

    got = await complete(ask if kind == "sync" else waits, timeout=0.05)
    release.set()
    assert (got.cause, got.retriable, got.what.endswith("no reply within 0.05 s")) == ("timeout", True, True)


async def test_a_thread_that_hangs_keeps_its_place():
    """An engine that is not thread-safe is never entered twice."""
    release, entered = threading.Event(), []

    def ask(messages):
        entered.append(1)
        release.wait(20)
        return "x"

    async with FunctionModel(ask, concurrency=1, timeout=0.05) as model:
        for _ in range(2):
            with pytest.raises(ModelError, match="no reply within"):
                await model.complete(request())
        assert len(entered) == 1
        release.set()
        assert (await model.complete(request())).text == "x"


def test_a_thread_that_hangs_does_not_keep_the_process_from_ending(tmp_path: Path):
    done = python(
        tmp_path,
        """
        import asyncio, threading
        from synth.records import Problem
        from synth.models import FunctionModel, Request, Task

        async def main():
            async with FunctionModel(lambda messages: threading.Event().wait(), "hangs", timeout=0.05) as model:
                await model.complete(Request(({"role": "user", "content": "?"},), Task("other", Problem.root(question="?"))))

        asyncio.run(main())
        """,
        check=False,
    )
    assert "function hangs: no reply within 0.05 s" in done.stderr


def test_context_variables_reach_the_thread():
    import contextvars

    who = contextvars.ContextVar("who", default="nobody")
    who.set("me")
    assert asyncio.run(complete(lambda m: who.get())).text == "me"


# When it counts as changed.

BASE = """
import functools, logging, re, threading
PROMPT = "Think."
SHOTS = [{"role": "user", "content": "1 + 1?"}]
PATTERN = re.compile("a+")
API_KEY = "first"
CACHE = {"a": 1}
LOG = []
calls = 0
log = logging.getLogger("x")

def helper(text):
    return PROMPT + text

class Style:
    word = "please"
    def polite(self, text):
        return f"{text}, {self.word}"

def outer(word, size):
    seen = []
    def ask(messages, temperature=0.5, *, top_p=0.9):
        global calls
        calls += 1
        LOG.append(messages)
        seen.append(1)
        log.info(API_KEY)
        return helper(Style().polite(word)) + str(SHOTS) + PATTERN.pattern + f"{[size for _ in messages]}"
    return ask

ask = outer("x", 3)
"""


def built(source: str, file: str = "mine.py") -> Any:
    names: dict[str, Any] = {"__name__": "mine"}
    exec(compile(source, file, "exec"), names)
    return names["ask"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('PROMPT = "Think."', 'PROMPT = "Think!"'),
        ("1 + 1?", "1 + 2?"),
        ('"a+"', '"b+"'),
        ("PROMPT + text", "text + PROMPT"),
        ('word = "please"', 'word = "now"'),
        ("{text}, {self", "{text}; {self"),
        ('outer("x", 3)', 'outer("x", 4)'),
        ('outer("x", 3)', 'functools.partial(outer("x", 3), temperature=1)'),
        ("temperature=0.5", "temperature=0.6"),
        ("top_p=0.9", "top_p=0.8"),
        ("temperature=0.5, *,", "*temperature,"),
        ("[size for _", "[-size for _"),
        ("    def ask(messages", "    async def ask(messages"),
        ("log.info", "log.debug"),
    ],
)
def test_a_change_of_what_it_does_is_a_change(old: str, new: str):
    assert old in BASE
    assert identity_of(built(BASE.replace(old, new))).hash != identity_of(built(BASE)).hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"first"', '"second"'),
        ("calls = 0", "calls = 7"),
        ("LOG = []", "LOG = [1]"),
        ('CACHE = {"a": 1}', "CACHE = {}"),
        ("seen = []", "seen = [2]"),
        ('getLogger("x")', 'getLogger("y")'),
        ("def helper", "# a comment\n\n\ndef helper"),
    ],
)
def test_a_change_of_anything_else_is_none(old: str, new: str):
    assert old in BASE
    assert identity_of(built(BASE.replace(old, new))) == identity_of(built(BASE))


def test_what_is_taken_of_a_module_of_ones_own_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of a module that is installed its name counts; one that is imported within is not looked into, and said."""
    (tmp_path / "my_prompts.py").write_text("SYSTEM = 'a'\nOTHER = 'b'\ndef wrap(text):\n    return text\n")
    monkeypatch.syspath_prepend(tmp_path)
    import my_prompts  # type: ignore[import-not-found]

    def ask(messages):
        return my_prompts.wrap(my_prompts.SYSTEM) + json.dumps(messages)

    def imports(messages):
        import my_prompts as inner
        import orjson

        return inner.SYSTEM + orjson.dumps(messages).decode()

    before = identity_of(ask)
    assert before.unseen == ()
    assert identity_of(imports).unseen == ("the module my_prompts",)
    monkeypatch.setattr(my_prompts, "OTHER", "c")
    assert identity_of(ask) == before
    monkeypatch.setattr(my_prompts, "SYSTEM", "c")
    assert identity_of(ask) != before


def test_arguments_given_beforehand_count_but_for_secrets():
    def ask(messages, **options):
        return "x"

    def of(*given: Any, **options: Any) -> str:
        return identity_of(functools.partial(ask, *given, **options)).hash

    assert of(model="a") == of(model="a") != of(model="b")
    assert of("a") != of("b")
    assert of(model="a", api_key="mine") == of(model="a", api_key="yours")


def test_what_it_does_to_itself_is_no_change():
    ask = built(BASE)
    before = identity_of(ask)
    for _ in range(3):
        ask([])
    assert identity_of(ask) == before


@given(
    file=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
        lambda t: "-packages" not in t
    ),
    lines=st.lists(st.sampled_from(["", "# moved", "import os", "unused = 1"])),
    number=st.integers(),
    text=st.text(),
)
@settings(max_examples=60, deadline=None)
def test_where_it_stands_is_nothing_and_what_it_holds_is_all(file: str, lines: list[str], number: int, text: str):
    source = f"LIMIT = {number!r}\nWORD = {text!r}\ndef ask(messages):\n    return WORD, LIMIT, {number!r}, {text!r}\n"
    moved = "\n".join([*lines, source])
    assert identity_of(built(moved, file)) == identity_of(built(source))
    for old, new in (
        (f"LIMIT = {number!r}", f"LIMIT = {number + 1!r}"),
        (f"WORD = {text!r}", f"WORD = {text + 'x'!r}"),
    ):
        assert identity_of(built(source.replace(old, new, 1))) != identity_of(built(source))
        inner = source.replace(f"return WORD, LIMIT, {number!r}", f"return WORD, LIMIT, {number + 1!r}")
        assert identity_of(built(inner)) != identity_of(built(source))


_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
)


@given(one=_DATA, other=_DATA)
@settings(max_examples=100, deadline=None)
def test_closed_over_data_counts_by_its_value(one: Any, other: Any):
    def of(value: Any) -> str:
        def ask(messages):
            return repr(value)

        return identity_of(ask).hash

    assert (of(one) == of(other)) == (repr(one) == repr(other))
    assert of([one, one]) == of(eval(repr([one, one]), {"nan": float("nan"), "inf": float("inf")}))


def test_objects_count_by_class_and_attributes():
    class Model:
        def __init__(self, prompt: str) -> None:
            self.prompt, self.calls, self.seen, self.itself = prompt, 0, [], self

        def __call__(self, messages):
            self.calls += 1
            self.seen.append(1)
            return self.prompt

        def ask(self, messages):
            return self(messages)

    one, other = Model("a"), Model("b")
    assert identity_of(one).hash == identity_of(Model("a")).hash != identity_of(other).hash
    assert identity_of(one.ask).hash == identity_of(Model("a").ask).hash != identity_of(other.ask).hash
    before = identity_of(one)
    one([])
    assert identity_of(one) == before
    assert before.unseen == ()


def test_functions_that_call_each_other_are_read_once():
    source = "def ask(m):\n    return other(m)\ndef other(m):\n    return m and ask(m[1:]) or {}\n"
    one, same, changed = (built(source.format(n)) for n in (1, 1, 2))
    assert identity_of(one) == identity_of(same) != identity_of(changed)


def test_what_cannot_be_seen_is_said_once_and_identity_says_it(tmp_path: Path):
    import duckdb

    engine = duckdb.connect()
    cache: dict[str, str] = {}

    def ask(messages):
        cache[messages[-1]["content"]] = "x"
        return str(engine and "The answer is 5.")

    def quiet(messages):
        return json.dumps("The answer is 5.")

    assert identity_of(quiet).unseen == ()
    notes: list[str] = []
    one_step(tmp_path, 2, ask, on_note=notes.append)
    assert [n.partition(":")[0] for n in notes] == [
        "function ask depends on cache (dict), engine (_duckdb.DuckDBPyConnection)"
    ]
    assert "identity=" in notes[0]
    one_step(tmp_path, 2, FunctionModel(ask, identity="weights@3"), on_note=notes.append)
    assert len(notes) == 1
    assert FunctionModel(ask, identity="a").key(request()) != FunctionModel(ask, identity="b").key(request())
    assert identity_of(json.dumps).unseen == ("json.dumps (which is installed)",)


def python(tmp_path: Path, source: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A program, in a process of its own."""
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(source))
    return subprocess.run(
        [sys.executable, str(file), *words], capture_output=True, text=True, cwd=tmp_path, check=check, timeout=60
    )


def test_another_process_asks_nothing_again_and_a_changed_function_everything(tmp_path: Path):
    program = """
        import sys
        import synth
        {more}
        PROMPT = "Say it."
        asked = []

        def ask(messages, temperature=None):
            asked.append(PROMPT)
            return "The answer is 5."

        problems = [{{"question": f"What is 2 + {{n}}?", "answer": str(2 + n)}} for n in range(3)]
        one = {{"pipeline": "my/one", "steps": [{{"step": "generate"}}]}}
        for PROMPT in sys.argv[1:]:
            done = synth.run(one, problems, "run", models=ask)
            print(done.progress.calls.sent, len(asked))
        """
    first = python(tmp_path, program.format(more=""), "Say it.", "Say it.")
    assert first.stdout.split() == ["3", "3", "0", "3"]
    second = python(tmp_path, program.format(more="# moved\n\n"), "Say it.", "Say it slowly.", "Say it.")
    assert second.stdout.split() == ["0", "0", "3", "3", "0", "3"]


# Who plays.


def test_functions_and_names_share_a_role(tmp_path: Path):
    async def answer(_request, _body):
        return reply("The answer is 5.")

    with endpoint(answer) as (url, seen):
        done = one_step(tmp_path, 2, {"teacher": [says_five, f"{url}#m"]})
        assert len(seen) == 4
    assert query(done.run, "SELECT DISTINCT model FROM calls ORDER BY 1") == [("m",), ("says_five",)]


def test_a_function_in_two_roles_is_one_model(tmp_path: Path):
    class Speaker:
        def speak(self, messages):
            return "The answer is 5."

    rows, pipeline, speaker = sums(tmp_path / "in.jsonl", 1), yaml_file(tmp_path / "two.yaml", TWO_ROLES), Speaker()
    synth.run(pipeline, rows, tmp_path / "run", models={"first": speaker.speak, "second": speaker.speak})
    assert query(tmp_path / "run", "SELECT DISTINCT step, model FROM rationales ORDER BY 1") == [
        ("one", "speak"),
        ("two", "speak"),
    ]
    twins = {"first": lambda m: "a", "second": lambda m: "b"}
    with pytest.raises(SetupError, match="two models have the name lambda"):
        synth.run(pipeline, rows, tmp_path / "other", models=twins)


def test_what_plays_no_role_is_refused_before_anything_is_asked(tmp_path: Path):
    with pytest.raises(UserError, match="a value of type int plays no role"):
        one_step(tmp_path, 1, {"teacher": [says_five, 3]})
    with pytest.raises(UserError, match="a value of type list plays no role"):
        one_step(tmp_path, 1, [says_five])
    with pytest.raises(SetupError, match="no role 'student'"):
        one_step(tmp_path, 1, {"student": says_five})
    assert not (tmp_path / "run").exists()


async def test_it_is_asked_between_start_and_stop():
    model = FunctionModel(says_five)
    with pytest.raises(RuntimeError, match="function says_five was asked before start"):
        await model.complete(request())
