"""A marked key is nowhere but on the wire."""

from __future__ import annotations

import os
from pathlib import Path

from aiohttp import web
from support import endpoint, sums, synth, yaml_file

KEY = "marked-7f3a9c/very+secret"
HEADER = "marked-2b81d0/also=secret"
ESCAPED = "".join(f"\\u{ord(c):04X}" for c in KEY)
WAYS = [
    KEY,
    KEY.replace("/", "\\/"),
    ESCAPED,
    HEADER.replace("/", "\\u002f"),
    KEY.replace("/", "\\\\/"),  # JSON within JSON
    ESCAPED.replace("\\", "\\\\"),
]


def said(text: str, status: int = 200) -> web.Response:
    """A reply whose JSON is written as it stands here."""
    body = '{"model":"m","choices":[{"finish_reason":"stop","message":{"content":"%s"}}],"usage":null}'
    if status != 200:
        body = '{"error":{"message":"%s"}}'
    headers = {"Retry-After": "0"}
    return web.Response(text=body % text, status=status, content_type="application/json", headers=headers)


def test_a_key_is_in_no_file_and_in_no_word_that_is_reported(tmp_path: Path):
    tried: dict[str, int] = {}

    async def answer(request, body):
        asked = body["messages"][-1]["content"]
        tried[asked] = turn = tried.get(asked, len(tried)) + 1  # so that some succeed at once
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.headers["X-Also"] == f"it is {HEADER}"
        way = WAYS[len(tried) % len(WAYS)]
        if turn % 3 == 1:  # a server that says it back in an error
            return said(f"busy, {way}", 503)
        if turn % 3 == 2:  # and one that does so in a reply that cannot be read
            return web.Response(text=f"not JSON {way}", content_type="application/json")
        return said(f"Your key is {way}.\\nThe answer is 5.")  # and a model

    pipeline = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/secrets
        roles: {teacher: writes}
        steps:
          - {step: generate, examples: none}
          - {step: verify_answer}
        """,
    )
    folder = tmp_path / "run"
    env = {**os.environ, "MARKED": KEY + "\r\n", "ALSO": HEADER}
    with endpoint(answer) as (url, _):
        profile = tmp_path / "models.yaml"
        profile.write_text(
            f"models: {{t: {{base_url: '{url}', model: m, key: MARKED, concurrency: 8,"
            " headers: {X-Also: it is $ALSO}}}\n"
        )
        words = ["--input", sums(tmp_path / "in.jsonl", 8), "--profile", profile, "--model", "t"]
        told = [
            synth("plan", pipeline, *words, env=env),
            synth("run", pipeline, *words, "--run", folder, env=env),
            synth("status", folder, env=env),
            synth("calls", folder, env=env),
            synth("sql", folder, "SELECT * FROM calls", env=env),
            synth("sql", folder, "SELECT * FROM wide_rationales", env=env),
            synth("export", folder, "--to", "sft", "--out", tmp_path / "out", env=env),
            synth("models", "--check", "t", "--profile", profile, env=env),
        ]
    assert "[secret]" in told[4].stdout
    marks = [KEY, HEADER, *(way[:12] for way in WAYS), "very+secret", "also=secret", "very\\u002bsecret"]
    for done in told:
        for mark in marks:
            assert mark not in done.stdout + done.stderr, done.args
    for file in (p for p in tmp_path.rglob("*") if p.is_file()):
        for mark in marks:
            assert mark.encode() not in file.read_bytes(), (file, mark)
    assert (tmp_path / "out" / "sft.jsonl").read_text()


def test_an_address_with_a_password_is_refused_and_not_repeated(tmp_path: Path):
    address = "http://me:marked-password@localhost:9/v1"
    profile = tmp_path / "models.yaml"
    profile.write_text(f"models: {{t: {{base_url: '{address}', model: m}}}}\n")
    rows = sums(tmp_path / "in.jsonl", 2)
    words = ["run", "fine-tune-cot", "--input", rows, "--run", tmp_path / "run"]
    told = [
        synth(*words, "--profile", profile, "--model", "t", check=2),
        synth(*words, "--model", f"{address}#m", check=2),
        synth("models", "--profile", profile, check=2),
    ]
    for done in told:
        assert "base_url holds a user's name or a password" in done.stderr
        assert "$NAME" in done.stderr
        assert "marked-password" not in done.stdout + done.stderr
    done = synth(*words, "--model", address, check=2)
    assert "marked-password" not in done.stdout + done.stderr
    assert not (tmp_path / "run").exists()
