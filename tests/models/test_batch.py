"""The batch interface, against a real server with files and batches."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from forks import MAIN, python
from support import ask, contents, serve, sums, synth, yaml_file

from synth.models import Request, Task, batch
from synth.models.batch import BatchModel, BatchSettings
from synth.records import Problem

PIPELINE = """
    pipeline: my/batch
    roles: {teacher: writes}
    steps:
      - {step: generate, samples: 2, temperature: 0.7}
      - {step: verify_answer}
      - {step: filter, keep: score.correct}
"""


class BatchServer:
    """Files and batches as the OpenAI API has them; a batch ends `after` seconds."""

    def __init__(self) -> None:
        self.after = 0.1
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.chats = 0
        self.line = lambda custom_id, n: "ok"
        self.end = "completed"
        self.page = 100
        self.gone: set[str] = set()

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        name = f"file-{len(self.files)}"
        self.files[name] = form["file"].file.read()
        return web.json_response(
            {
                "id": name,
                "object": "file",
                "bytes": 1,
                "created_at": 1,
                "filename": "f",
                "purpose": "batch",
                "status": "processed",
            }
        )

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["endpoint"] == "/v1/chat/completions"
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        assert all(line["method"] == "POST" and line["url"] == body["endpoint"] for line in lines)
        self.asked.update(line["custom_id"] for line in lines)
        name = f"batch_{len(self.batches)}"
        self.batches[name] = {
            "id": name, "object": "batch", "endpoint": body["endpoint"], "input_file_id": body["input_file_id"],
            "completion_window": "24h", "status": "in_progress", "created_at": int(time.time()), "metadata": body.get("metadata"),
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0}, "ready": time.monotonic() + self.after,
            "lines": lines,
        }  # fmt: skip
        return web.json_response(self.shown(name))

    def shown(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        if batch["status"] == "in_progress" and time.monotonic() >= batch["ready"]:
            self.finish(batch)
        return {k: v for k, v in batch.items() if k not in {"ready", "lines"}}

    def look(self, name: str) -> Any:
        return self.shown(name)

    def finish(self, batch: dict[str, Any]) -> None:
        good, bad = [], []
        for line in reversed(batch["lines"]):  # the order of replies is nobody's promise
            key = line["custom_id"]
            how = self.line(key, self.asked[key])
            if how == "ok":
                question = line["body"]["messages"][-1]["content"]
                case = int(question.split("Case ")[1].split(":")[0])
                text = f"Let us see, {case}.\nThe answer is {case * 10 + 5}."
                body = {
                    "id": "x", "object": "chat.completion", "created": 1, "model": "m",
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                    "usage": {"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000},
                }  # fmt: skip
                good.append(
                    {
                        "id": "r",
                        "custom_id": key,
                        "response": {"status_code": 200, "request_id": "q", "body": body},
                        "error": None,
                    }
                )
            elif how == "error":
                body = {"error": {"message": "the server had an error"}}
                bad.append(
                    {
                        "id": "r",
                        "custom_id": key,
                        "response": {"status_code": 500, "request_id": "q", "body": body},
                        "error": None,
                    }
                )
            elif how == "wrong":
                body = {"error": {"message": "this prompt is too long"}}
                bad.append(
                    {
                        "id": "r",
                        "custom_id": key,
                        "response": {"status_code": 400, "request_id": "q", "body": body},
                        "error": None,
                    }
                )
        for field, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:
                name = f"file-{len(self.files)}"
                self.files[name] = "\n".join(json.dumps(r) for r in rows).encode()
                batch[field] = name
        batch["status"] = self.end
        if self.end == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "x", "message": "the file has too many lines"}]}


@contextmanager
def serving(server: BatchServer) -> Iterator[str]:
    """The server on loopback; gives its base URL."""

    async def chat(_request: web.Request) -> web.Response:
        server.chats += 1
        return web.json_response({}, status=500)

    async def listed(request: web.Request) -> web.Response:
        names, after = list(reversed(server.batches)), request.query.get("after")
        rest = names[names.index(after) + 1 :] if after else names
        page = rest[: server.page]
        data = [server.shown(name) for name in page]
        return web.json_response({"object": "list", "data": data, "has_more": len(page) < len(rest)})

    async def shown(request: web.Request) -> web.Response:
        return web.json_response(server.look(request.match_info["id"]))

    async def content(request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name in server.gone:
            return web.json_response({"error": {"message": f"no such file: {name}"}}, status=404)
        return web.Response(body=server.files[name])

    async def upload(request: web.Request) -> web.Response:
        return await server.upload(request)

    async def create(request: web.Request) -> web.Response:
        return await server.create(request)

    app = web.Application()
    app.router.add_post("/v1/files", upload)
    app.router.add_post("/v1/batches", create)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/batches", listed)
    app.router.add_get("/v1/batches/{id}", shown)
    app.router.add_get("/v1/files/{id}/content", content)
    with serve(app) as url:
        yield url


@pytest.fixture
def server() -> BatchServer:
    return BatchServer()


@pytest.fixture
def words(tmp_path: Path, server: BatchServer) -> Iterator[list[Any]]:
    """The words of the command for 6 problems with 2 samples each, in batches of at most 5."""
    pipeline = yaml_file(tmp_path / "batch.yaml", PIPELINE)
    rows = sums(tmp_path / "in.jsonl", 6)
    with serving(server) as url:
        profile = tmp_path / "models.yaml"
        profile.write_text(
            f"models: {{t: {{base_url: '{url}', model: m, capabilities: [seed], price: {{input: 1, output: 1}},"
            " batch: {max_requests: 5, idle_seconds: 0.1, poll_seconds: 0.05}}}\n"
        )
        yield ["run", pipeline, "--input", rows, "--profile", profile, "--model", "t", "--run"]


def test_every_call_goes_through_batches_at_half_the_price(words, server: BatchServer, tmp_path: Path):
    synth(*words, tmp_path / "run", check=0)
    assert server.chats == 0
    assert len(server.asked) == 12
    assert set(server.asked.values()) == {1}
    assert all(len(b["lines"]) <= 5 for b in server.batches.values())
    assert ask(tmp_path / "run", "SELECT count(*), round(sum(price), 4) FROM calls WHERE status = 'ok'") == [
        (12, 0.012)
    ]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(12,)]
    batches = len(server.batches)
    assert "0 calls" in synth(*words, tmp_path / "run", check=0).stderr
    assert len(server.batches) == batches


def test_lines_that_fail_are_asked_again_and_those_that_are_wrong_are_failures(
    words, server: BatchServer, tmp_path: Path
):
    fates: dict[str, str] = {}

    def line(key: str, n: int) -> str:
        fates.setdefault(key, ["error", "missing", "wrong", "ok"][len(fates) % 4])
        return "ok" if n > 1 and fates[key] != "wrong" else fates[key]

    server.line = line
    synth(*words, tmp_path / "run")
    wrong = {k for k, fate in fates.items() if fate == "wrong"}
    assert {k for k, n in server.asked.items() if n == 2} == {k for k, f in fates.items() if f in {"error", "missing"}}
    assert dict(ask(tmp_path / "run", "SELECT key, status FROM calls WHERE status = 'bad_request'")).keys() == wrong
    assert ask(tmp_path / "run", "SELECT count(*) FROM rationales") == [(12 - len(wrong),)]
    assert ask(tmp_path / "run", "SELECT count(*), min(cause) FROM failures") == [(len(wrong), "bad_request")]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_client_that_died_finds_its_batches_again_and_pays_nothing_twice(
    words, server: BatchServer, tmp_path: Path, how
):
    server.after = 1.5
    process = python(MAIN, *words, tmp_path / "run", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not server.batches and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(how)
    _, told = process.communicate(timeout=20)
    assert process.returncode == (3 if how == signal.SIGINT else -how), told
    if how == signal.SIGINT:
        assert "under way in batches" in told
    assert len(server.asked) == 5
    server.after = 0.1
    synth(*words, tmp_path / "run", check=0)
    assert set(server.asked.values()) == {1}
    synth(*words, tmp_path / "whole", check=0)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


@pytest.mark.parametrize("page", [100, 1])
def test_a_batch_whose_name_was_not_written_down_is_found_by_its_mark(
    words, server: BatchServer, tmp_path: Path, page: int
):
    server.page = page
    folder = tmp_path / "run"
    synth(*words, folder, check=0)
    journal = folder / "journal" / "000001.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if b'"note":{"token"' in line)
    journal.write_bytes(b"".join(lines[: first + 1]))  # killed between sending the batch and learning its name
    (folder / "corpus.duckdb").unlink()
    before = Counter(server.asked)
    held = json.loads(lines[first])["body"]["note"]["keys"]
    synth(*words, folder, check=0)
    assert all(server.asked[key] == before[key] for key in held)
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(12,)]


def test_a_batch_that_is_refused_stops_the_run_with_what_the_endpoint_said(words, server: BatchServer, tmp_path: Path):
    server.end = "failed"
    server.line = lambda *_: "missing"
    done = synth(*words, tmp_path / "run", check=2)
    assert "too many lines" in done.stderr


def test_a_reply_that_is_asked_for_late_was_asked_for_once(words, server: BatchServer, tmp_path: Path):
    """The batch of an earlier session has ended before all of its requests are made again."""
    server.after = 0.6
    profile = next(w for w in words if str(w).endswith("models.yaml"))
    profile.write_text(profile.read_text().replace("max_requests: 5", "max_requests: 50"))
    process = python(MAIN, *words, tmp_path / "run", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not server.batches and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.2)
    process.kill()
    process.wait()
    assert len(server.asked) == 12
    time.sleep(0.6)
    profile.write_text(profile.read_text().replace("model: m,", "model: m, requests_per_minute: 1200,"))
    synth(*words, tmp_path / "run", check=0)
    assert set(server.asked.values()) == {1}
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(12,)]


def _html(_request: web.Request) -> web.Response:
    return web.Response(text="<html>log in</html>", content_type="text/html")


async def _page(request: web.Request) -> web.Response:
    return _html(request)


def test_something_else_than_the_interface_stops_the_run_in_words(words, server: BatchServer, tmp_path: Path):
    server.upload = _page
    done = synth(*words, tmp_path / "run", check=2)
    assert "did not answer as the batch interface" in done.stderr
    assert not server.batches


@pytest.mark.parametrize("once", [True, False])
def test_junk_about_a_batch_is_asked_again_and_then_stops_the_run(
    words, server: BatchServer, tmp_path: Path, once: bool
):
    seen: Counter[str] = Counter()

    def look(name: str) -> Any:
        seen[name] += 1
        return ["not", "a", "batch"] if not once or seen[name] == 1 else server.shown(name)

    server.look = look
    if not once:
        done = synth(*words, tmp_path / "run", check=3)
        assert "batch_" in done.stderr
        assert "same command takes the batch up" in done.stderr
        server.look = server.shown
    synth(*words, tmp_path / "run", check=0)
    assert set(server.asked.values()) == {1}
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(12,)]


def test_a_batch_there_was_no_room_for_goes_out_later(words, server: BatchServer, tmp_path: Path):
    finish, ended = server.finish, 0

    def full(batch: dict[str, Any]) -> None:
        nonlocal ended
        ended += 1
        finish(batch)
        if ended in {2, 4}:
            del batch["output_file_id"]
            batch["status"] = "failed"
            message = (
                "Enqueued token limit reached. Please try again once some in_progress batches have been completed."
            )
            batch["errors"] = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": message}]}

    server.finish = full
    done = synth(*words, tmp_path / "run", check=0)
    assert "no room for batch" in done.stderr
    assert ask(tmp_path / "run", "SELECT count(*), count(DISTINCT key), min(status), max(status) FROM calls") == [
        (12, 12, "ok", "ok")
    ]
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(12,)]


def test_a_lone_batch_there_is_never_room_for_is_made_smaller_and_then_stops_the_run(
    words, server: BatchServer, tmp_path: Path
):
    most = [3]

    def finish(batch: dict[str, Any]) -> None:
        BatchServer.finish(server, batch)
        if len(batch["lines"]) > most[0]:
            del batch["output_file_id"]
            batch["status"] = "failed"
            batch["errors"] = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": "too much"}]}

    server.finish = finish
    synth(*words, tmp_path / "run", "--limit", "2", check=0)
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(4,)]
    most[0] = 0
    done = synth(*words, tmp_path / "run", check=3)
    assert "when the endpoint has room" in done.stderr
    most[0] = 5
    synth(*words, tmp_path / "run", check=0)
    assert ask(tmp_path / "run", "SELECT count(*), min(status) FROM calls") == [(12, "ok")]


def test_a_result_that_is_not_to_be_had_stops_the_run_and_is_not_asked_again(
    words, server: BatchServer, tmp_path: Path
):
    class Gone(set):
        def __contains__(self, name: object) -> bool:
            return True

    server.gone = Gone()
    done = synth(*words, tmp_path / "run", check=3)
    assert "batch_0" in done.stderr
    assert "no such file" in done.stderr
    asked, batches = set(server.asked), len(server.batches)
    server.gone = set()
    synth(*words, tmp_path / "run", check=0)
    assert set(server.asked.values()) == {1}
    assert asked <= set(server.asked)
    assert batches < len(server.batches)


def test_replies_that_are_lost_for_good_are_asked_again_when_the_profile_says_so(
    words, server: BatchServer, tmp_path: Path
):
    server.gone = {"file-1"} | {f"file-{i}" for i in range(2, 9)}
    synth(*words, tmp_path / "run", "--limit", "2", check=3)
    server.gone = set(server.files)
    profile = next(w for w in words if str(w).endswith("models.yaml"))
    profile.write_text(profile.read_text().replace("max_requests: 5", "max_requests: 5, forget: [batch_0]"))
    synth(*words, tmp_path / "run", "--limit", "2", check=0)
    assert set(server.asked.values()) == {2}


def test_a_key_that_is_not_taken_is_reported_by_its_variable(words, server: BatchServer, tmp_path: Path, monkeypatch):
    async def upload(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no such key"}}, status=401)

    server.upload = upload
    monkeypatch.setenv("MY_KEY", "verysecretvalue")
    profile = next(w for w in words if str(w).endswith("models.yaml"))
    profile.write_text(profile.read_text().replace("model: m,", "model: m, key: MY_KEY,"))
    done = synth(*words, tmp_path / "run", check=2)
    assert "check the key in MY_KEY" in done.stderr


def test_a_batch_that_was_made_though_nobody_said_so_is_not_made_twice(words, server: BatchServer, tmp_path: Path):
    create, made = server.create, []

    async def silent(request: web.Request) -> web.Response:
        answer = await create(request)
        made.append(answer)
        return web.json_response({"error": {"message": "gateway"}}, status=504) if len(made) == 1 else answer

    server.create = silent
    synth(*words, tmp_path / "run", check=0)
    assert set(server.asked.values()) == {1}
    assert ask(tmp_path / "run", "SELECT count(*), min(status) FROM calls") == [(12, "ok")]


async def test_a_file_is_no_larger_than_endpoints_take_and_goes_to_one_path(monkeypatch: pytest.MonkeyPatch):
    model = BatchModel("t", base_url="http://x/v1", model="m", batch=BatchSettings(), continuation="completions")
    for i in range(4):
        asked = Request(({"role": "user", "content": f"{i} " + "x" * 400},), Task("other", Problem.root(question="1?")))
        if i == 1:
            asked = asked._replace(continue_from="so")
        model._new[str(i)] = asked
    monkeypatch.setattr(batch, "MOST_BYTES", 1_200)
    assert [(path, sorted(lines)) for path, lines in (model._take() for _ in range(4))] == [
        ("/v1/chat/completions", ["0", "2"]),
        ("/v1/completions", ["1"]),
        ("/v1/chat/completions", ["3"]),
        ("", []),
    ]
