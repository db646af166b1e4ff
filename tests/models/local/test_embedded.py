"""The embedded model, with an endpoint in the place of its server."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import ask, endpoint, reply, run, sums, yaml_file

from synth.models import local
from synth.models.embedded import EmbeddedModel


async def test_it_asks_the_server_it_started_with_that_servers_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def answer(request: Any, _body: Any) -> Any:
        assert request.headers["Authorization"] == "Bearer of-the-server"
        return reply('{"steps": ["It is so."], "answer": "5"}')

    with endpoint(answer) as (url, seen):
        stopped: list[bool] = []

        class Server:
            slots, base_url, api_key = 2, url, "of-the-server"

            def __init__(self, file: Any, **_: Any) -> None:
                assert file.name == "a-model"

            async def start(self) -> None:
                """It is there."""

            async def stop(self) -> None:
                stopped.append(True)

        monkeypatch.setattr(local, "LocalServer", Server)
        monkeypatch.setattr(local, "locate", lambda _: SimpleNamespace(name="a-model", identity="b2:its-hash"))
        pipeline = yaml_file(
            tmp_path / "p.yaml", "pipeline: my/p\nroles: {teacher: writes}\nsteps: [{step: generate, samples: 2}]"
        )
        await run(pipeline, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", EmbeddedModel("small", "a-model"))
        assert len(seen) == 6
        assert stopped == [True]
    assert ask(tmp_path / "run", "SELECT DISTINCT endpoint, model_id, status FROM calls") == [
        ("b2:its-hash", "a-model", "ok")
    ]
