"""Faults of an endpoint, each alone and all mixed: the corpus is that of a run without them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support import ask, endpoint, reply, run, sums, yaml_file

from synth.calls import retry
from synth.models.endpoint import EndpointModel

PIPELINE = """
    pipeline: my/faults
    roles: {teacher: writes}
    steps:
      - {step: generate, samples: 2, temperature: 0.7, examples: none, format: json, max_tokens: 64}
      - {step: verify_answer}
      - {step: pair}
      - {step: filter, keep: score.correct}
"""
PROBLEMS = 30
KINDS = ["429", "500", "503", "529", "reset", "hang", "half", "malformed", "no choices", "empty", "length", "shape"]
"""Faults after which the same question, asked again, may be answered."""


async def good(body: dict[str, Any]) -> web.Response:
    """A model that is right three times of five, by what it was asked."""
    asked = next(m["content"] for m in body["messages"] if "Case " in m["content"])
    case = int(asked.split("Case ")[1].split(":")[0])
    digest = hashlib.sha256(json.dumps([case, body["seed"]]).encode()).digest()
    answer = case * 10 + 5 if digest[0] % 5 < 3 else digest[1]
    return reply(json.dumps({"steps": [f"Let us see, {digest.hex()[:24]}."], "answer": str(answer)}))


async def fault(kind: str, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """One way not to answer."""
    if kind in {"429", "500", "503", "529"}:
        return web.json_response({"error": {"message": "busy"}}, status=int(kind), headers={"Retry-After": "0"})
    if kind == "reset":
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    if kind == "hang":
        await asyncio.sleep(1.0)
        return web.Response()
    if kind == "half":
        stream = web.StreamResponse(headers={"Content-Length": "1000"})
        await stream.prepare(request)
        await stream.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.close()
        return stream
    if kind == "malformed":
        return web.Response(text='{"choices": [{"mess', content_type="application/json")
    if kind == "no choices":
        return reply(choices=[])
    text = (await good(body)).text
    assert text is not None
    made = json.loads(text)["choices"][0]
    if kind == "empty":
        return reply(choices=[{**made, "message": {"role": "assistant", "content": None}}])
    if kind == "length":
        cut = made["message"]["content"][:-20]
        return reply(choices=[{**made, "finish_reason": "length", "message": {"role": "assistant", "content": cut}}])
    assert kind == "shape"
    return reply("I would rather talk about something else")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_backoff", lambda _: 0.001)
    monkeypatch.setattr(retry, "MAX_ATTEMPTS", 12)


class Server:
    """One address for all runs: it stands in every key."""

    url: str
    seen: list[Any]
    handle: Any

    async def __call__(self, request: web.Request, body: Any) -> web.StreamResponse:
        return await self.handle(request, body)


@pytest.fixture(scope="module")
def server():
    made = Server()
    with endpoint(made) as (made.url, made.seen):
        yield made


@pytest.fixture(scope="module")
def faultless(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("faultless")

    async def answer(_request: web.Request, body: Any) -> web.StreamResponse:
        return await good(body)

    server.handle = answer
    server.seen.clear()
    asyncio.run(through(server.url, folder))
    assert len(server.seen) == 2 * PROBLEMS
    return corpus(folder / "run")


def corpus(folder: Path) -> dict[str, Any]:
    """All that was made, without the column that says which attempt at a call it was."""
    tables = ["problems", "rationales", "scores", "pairs", "rejections", "failures"]
    with_call = {"rationales", "scores", "failures"}
    return {
        t: sorted(map(repr, ask(folder, f"SELECT * {'EXCLUDE (call)' if t in with_call else ''} FROM {t}")))
        for t in tables
    }


async def through(url: str, folder: Path) -> None:
    pipeline = yaml_file(
        folder / "p.yaml", PIPELINE.replace("max_tokens: 64", "max_tokens: 64, max_tokens_on_truncation: 128")
    )
    able = EndpointModel(
        "t",
        base_url=url,
        model="m",
        capabilities=frozenset({"chat", "seed", "json_schema"}),
        concurrency=8,
        timeout=0.4,
    )
    await run(pipeline, sums(folder / "in.jsonl", PROBLEMS), folder / "run", able)


@pytest.mark.parametrize("kinds", [*([k] for k in KINDS), KINDS], ids=lambda k: "mixed" if len(k) > 1 else k[0])
async def test_the_corpus_is_that_of_a_run_without_faults(server: Server, tmp_path: Path, faultless, kinds: list[str]):
    chance = random.Random(7)
    spoilt: set[str] = set()
    faults: Counter[str] = Counter()
    mended: Counter[str] = Counter()

    async def answer(request: web.Request, body: Any) -> web.StreamResponse:
        # What a further question mends is not spoilt again: that would be a failure, and rightly so.
        again = body["max_tokens"] == 128 or body["messages"][-1]["content"].startswith("That could not be read")
        kind = chance.choice([k for k in kinds if not (again and k in {"length", "shape"})] or ["none"])
        if kind in {"malformed", "no choices", "empty"}:  # of a question with a seed, a second such reply is a failure
            kind = "none" if (asked := json.dumps(body)) in spoilt else kind
        if kind != "none" and chance.random() < 0.3:
            faults[kind] += 1
            if kind in {"malformed", "no choices", "empty"}:
                spoilt.add(asked)
            return await fault(kind, request, body)
        mended["good"] += 1
        return await good(body)

    server.handle, seen = answer, server.seen
    seen.clear()
    await through(server.url, tmp_path)
    assert faults.total() > 10
    got, expected = corpus(tmp_path / "run"), faultless
    assert got["failures"] == []
    if {"length", "shape"} & set(kinds):  # what was asked in another way is another call, and a record of its own
        assert ask(tmp_path / "run", "SELECT count(*), count(answer) FROM rationales") == [(2 * PROBLEMS,) * 2]
        texts = "SELECT p.question, r.sample, r.text, r.answer FROM rationales r JOIN problems p ON p.id = r.problem"
        assert len(set(ask(tmp_path / "run", texts))) == 2 * PROBLEMS
    else:
        assert got == expected
    # Nothing is paid twice: each good reply is on record once, and each question beyond them was a true retry.
    rows = ask(tmp_path / "run", "SELECT key, status FROM calls")
    assert max(Counter(key for key, status in rows if status == "ok").values()) == 1
    assert len(rows) == len(seen) == mended["good"] + faults.total()


async def test_what_is_wrong_for_good_fails_that_record_and_no_other(server: Server, tmp_path: Path, faultless):
    async def answer(_request: web.Request, body: Any) -> web.StreamResponse:
        case = int(body["messages"][-1]["content"].split("Case ")[1].split(":")[0])
        if case % 10 == 3:
            return web.json_response({"error": {"message": "this prompt is too long"}}, status=400)
        if case % 10 == 7 and body["seed"] % 2:
            return reply(choices=[{"index": 0, "finish_reason": "content_filter", "message": {"content": "no"}}])
        return await good(body)

    server.handle, seen = answer, server.seen
    seen.clear()
    await through(server.url, tmp_path)
    causes = dict(ask(tmp_path / "run", "SELECT cause, count(*) FROM failures GROUP BY 1"))
    assert causes == {"bad_request": 6, "refused": 3}
    assert len(seen) == 2 * PROBLEMS
    made = ask(tmp_path / "run", "SELECT count(*) FROM rationales")[0][0]
    assert made == 2 * PROBLEMS - 9
    assert ask(tmp_path / "run", "SELECT count(*) FROM problems") == [(PROBLEMS,)]
    assert set(corpus(tmp_path / "run")["rationales"]) <= set(faultless["rationales"])
