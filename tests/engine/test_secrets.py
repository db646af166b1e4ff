"""A marked key is nowhere but on the wire."""

from __future__ import annotations

import os
from pathlib import Path

from aiohttp import web
from support import endpoint, reply, sums, synth, yaml_file

KEY = "marked-7f3a9c-verysecret"


def test_a_key_is_in_no_file_and_in_no_word_that_is_told(tmp_path: Path):
    calls = 0

    async def answer(request, _body):
        nonlocal calls
        calls += 1
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        if calls % 3 == 1:  # a server that says it back in an error
            return web.json_response({"error": {"message": f"busy, {KEY}"}}, status=503, headers={"Retry-After": "0"})
        if calls % 3 == 2:  # and one that does so in a reply that cannot be read
            return web.Response(text=f"not JSON {KEY}", content_type="application/json")
        return reply(f"Your key is {KEY}.\nThe answer is 5.")  # and a model

    pipeline = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/secrets
        roles: {teacher: writes}
        steps:
          - {step: rationalize, examples: none}
          - {step: verify_answer}
        """,
    )
    folder = tmp_path / "run"
    env = {**os.environ, "MARKED": KEY}
    with endpoint(answer) as (url, _):
        profile = tmp_path / "teachers.yaml"
        profile.write_text(f"teachers: {{t: {{base_url: '{url}', model: m, key: MARKED, concurrency: 2}}}}\n")
        words = ["--input", sums(tmp_path / "in.jsonl", 4), "--profile", profile, "--teacher", "t"]
        told = [
            synth("plan", pipeline, *words, env=env),
            synth("run", pipeline, *words, "--run", folder, env=env),
            synth("status", folder, env=env),
            synth("calls", folder, env=env),
            synth("sql", folder, "SELECT * FROM calls", env=env),
            synth("sql", folder, "SELECT * FROM wide_rationales", env=env),
            synth("export", folder, "--to", "sft", "--out", tmp_path / "out", env=env),
            synth("teachers", "--check", "t", "--profile", profile, env=env),
        ]
    assert "[secret]" in told[4].stdout
    for done in told:
        assert KEY not in done.stdout + done.stderr, done.args
    for file in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert KEY.encode() not in file.read_bytes(), file
    assert (tmp_path / "out" / "sft.jsonl").read_text()
