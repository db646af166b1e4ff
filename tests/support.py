"""Short words for what many tests do."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import textwrap
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from forks import MAIN, python

from synth.engine import Summary, run_pipeline
from synth.models import Model, Request, ScriptedModel, World
from synth.pipeline import Pipeline, load_pipeline
from synth.records import UnitRecord
from synth.sources import open_source
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.store.manifest import Manifest

ROOT = Path(__file__).parent.parent


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A JSONL file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def own_certificate(folder: Path, *, authority: bool = False) -> tuple[Path, Path]:
    """A certificate for localhost that nobody else signed, and its key; skips where it cannot be made.

    Args:
        folder: where the two files are put.
        authority: whether it may sign others, as `openssl req -x509` has it unless it is told otherwise.
    """
    made, key = folder / "own.pem", folder / "key.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost"]
    words += [] if authority else ["-addext", "basicConstraints=critical,CA:FALSE"]
    openssl(*words, "-keyout", str(key), "-out", str(made))
    return made, key


def openssl(*words: str) -> None:
    """Run openssl; skips where there is none."""
    try:
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")


def sums(path: Path, n: int = 20) -> Path:
    """A file of `n` different questions with numbers as answers, unlike enough to be no near-duplicates."""
    topics = ["apples in a basket", "steps to the tower", "coins under a mat", "minutes of rain", "pages of a diary"]
    rows = [
        {
            "question": f"Case {i}: {topics[i % 5]} number {i * 7 + 3}, and later {i * 3 + 2} more, named r{i * i}x. How many?",
            "answer": str(i * 10 + 5),
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def yaml_file(path: Path, text: str) -> Path:
    """A pipeline file."""
    path.write_text(textwrap.dedent(text).lstrip("\n"))
    return path


async def run(
    pipeline: Pipeline | str | Path,
    rows: Path,
    folder: Path,
    model: Model | Mapping[str, Sequence[Model]] | None = None,
    **options: Any,
) -> Summary:
    """Run a pipeline with one model in all its roles, or with those named by role."""
    made = pipeline if isinstance(pipeline, Pipeline) else load_pipeline(str(pipeline))
    model = model or ScriptedModel(World())
    models = model if isinstance(model, Mapping) else {role: [model] for role in made.role_names}
    return await run_pipeline(
        made, open_source(str(rows), needs=made.needs, check_input=made.check_input), folder, models, **options
    )


class StandIn(ScriptedModel):
    """Stands for a language model: it answers by a script, and the ledger does not know it for the scripted model."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.endpoint = self.endpoint.replace("scripted:", "stand-in:", 1)


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a question in SQL."""
    with open_store(folder) as store:
        return store.sql(query).fetchall()


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything a run made but the ledger, whose times differ from run to run."""
    tables = ["problems", "rationales", "scores", "pairs", "rejections", "failures"]
    with open_store(folder) as store:
        return {t: sorted(map(repr, store.sql(f"SELECT * FROM {t}").fetchall())) for t in tables}


def synth(
    *words: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: int | None = None,
    given: bytes | None = None,
) -> subprocess.CompletedProcess[str]:
    """The command line, in a process of its own; `given` is its standard input."""
    pipe = subprocess.PIPE
    source = None if given is None else pipe
    with python(MAIN, *words, stdin=source, stdout=pipe, stderr=pipe, cwd=cwd, env=env) as process:
        try:
            out, err = process.communicate(given, timeout=120)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out.decode(), err.decode())
    assert "Traceback" not in done.stderr, done.stderr
    if check is not None:
        assert done.returncode == check, done.stderr + done.stdout
    return done


class Counting:
    """A model that is always right, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.identity = "counting"

    def __call__(self, request: Request, rng: random.Random):
        self.asked.append(request)
        return World(solve_rate=1)(request, rng)


Handler = Callable[[web.Request, Any], Awaitable[web.StreamResponse]]


def reply(text: str = "The answer is 5.", **fields: Any) -> web.Response:
    """A chat completion as endpoints send it."""
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "served-model",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return web.json_response({**body, **fields})


@contextmanager
def endpoint(handler: Handler) -> Iterator[tuple[str, list[Any]]]:
    """A real HTTP server on loopback; gives its base URL and the list of request bodies it has seen."""
    seen: list[Any] = []

    async def chat(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        seen.append(body)
        return await handler(request, body)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/completions", chat)
    with serve(app) as url:
        yield url, seen


@contextmanager
def serve(app: web.Application) -> Iterator[str]:
    """An application on a free port of loopback, in a thread of its own; gives the base URL with `/v1`."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    address: list[str] = []

    async def begin() -> web.AppRunner:
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address.append(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        return runner

    def live() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(begin())
        started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=live)
    thread.start()
    started.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def manifest(folder: Path, **words: Any) -> None:
    """The `run.json` of a run folder: the least it must say, and more."""
    (folder / "run.json").write_bytes(Manifest.of(**{"pipeline": "my/p", **words}).to_json())


def stored(folder: Path, *records: UnitRecord) -> Path:
    """A run folder that holds these records, as if a run had made them; the first is the root problem."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest(folder)
    tables: dict[str, list[Any]] = {}
    for record in records:
        tables.setdefault(record.table, []).append(record.model_dump(mode="json", exclude_none=True))
    journal = Journal(folder / "journal")
    journal.append("commit", orjson.dumps({"owner": records[0].unit, "fingerprint": "f", "records": tables}))
    journal.close()
    return folder
