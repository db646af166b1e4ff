"""The embedded model with a real model, where the runtime is installed and the model is there already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from synth.errors import SetupError
from synth.models import Request, Task
from synth.models.embedded import EmbeddedModel
from synth.models.local.catalogue import CATALOGUE, DEFAULT_MODEL
from synth.models.local.fetch import ModelFile, cache_folder
from synth.models.local.server import LocalServer
from synth.records import Problem

pytestmark = pytest.mark.local
QUESTION = Problem.root(question="What is 2 + 3?", answer="5", answer_kind="number")


@pytest.fixture(autouse=True)
def _there() -> None:
    pytest.importorskip("xllamacpp")
    path = cache_folder() / f"{DEFAULT_MODEL}.gguf"
    if not path.is_file() or path.stat().st_size != CATALOGUE[DEFAULT_MODEL].size:
        pytest.skip("the model is not fetched: synth run fine-tune-cot --limit 1")


def request(sample: int = 0, **parameters) -> Request:
    messages = ({"role": "user", "content": "Tell me of a fox and a hen."},)
    return Request(messages, Task("solve", QUESTION), {"max_tokens": 40, "temperature": 1.2, **parameters}, sample)


async def test_it_answers_repeatably_and_keeps_to_a_schema():
    model = EmbeddedModel("local", "")
    async with model:
        first = await model.complete(request())
        again = await model.complete(request())
        other = await model.complete(request(sample=1))
        schema = {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": ["4", "5"]}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        held = await model.complete(
            request(
                response_format={"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
            )
        )
        address = model._server.base_url
    assert first.text == again.text
    assert first.text != other.text
    assert orjson.loads(held.text)["answer"] in {"4", "5"}
    assert first.prompt_tokens > 5
    assert 0 < first.completion_tokens <= 40
    assert address.startswith("http://127.0.0.1:")
    assert model.endpoint == f"local:{DEFAULT_MODEL}@{CATALOGUE[DEFAULT_MODEL].sha256[:16]}"


def test_the_child_dies_with_its_parent_however_that_dies(tmp_path: Path):
    code = (
        "import asyncio, sys, time\n"
        "from synth.models.local import LocalServer, locate\n"
        "async def main():\n"
        "    server = LocalServer(locate(), slots=1, context=512)\n"
        "    await server.start()\n"
        "    print(server._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        stat = Path(f"/proc/{child}/stat")
        if not stat.is_file() or stat.read_text().split(") ")[1][0] == "Z":
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child outlived its parent")


async def test_what_is_no_model_is_reported(tmp_path: Path):
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 1000)
    server = LocalServer(ModelFile(path, "broken", "local:broken@0"), start_timeout=60)
    with pytest.raises(SetupError, match="the model cannot be loaded"):
        await server.start()
    assert not server.alive


async def test_a_runtime_that_is_not_installed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "xllamacpp.py").write_text("raise ImportError(\"No module named 'xllamacpp'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SetupError, match="an extra that is not installed") as caught:
        await LocalServer(ModelFile(Path("x"), "x", "local:x@0")).start()
    assert "pip install 'synth-rationales[local]'" in str(caught.value)
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')\n")
    with pytest.raises(SetupError, match="needs libgomp") as caught:
        await LocalServer(ModelFile(Path("x"), "x", "local:x@0")).start()
    assert "apt-get install libgomp1" in str(caught.value)
