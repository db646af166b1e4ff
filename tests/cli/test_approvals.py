"""The first use of a key at a host, as users meet it: every command that sends, in a terminal and out of one."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from forks import MAIN, python
from hub_server import TOKEN, fake_hub
from support import endpoint, reply, sums, synth, write_rows, yaml_file

KEY = "verysecretvalue"
PIPELINE = "pipeline: my/p\nsteps: [{step: generate, examples: none}, {step: verify_answer}]"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A user with a home of their own, a key, and no settings yet."""
    given = {**os.environ, "HOME": str(tmp_path / "home"), "MY_KEY": KEY, "TERM": "dumb"}
    for name in ("SYNTH_MODELS", "XDG_CONFIG_HOME", "HF_ENDPOINT", "HF_TOKEN"):
        given.pop(name, None)
    return given


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    async def answer(request: web.Request, _body: Any) -> web.Response:
        assert request.headers.get("Authorization") in {f"Bearer {KEY}", None}
        return reply("It is.\nThe answer is 5.")

    with endpoint(answer) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path, server: tuple[str, list[Any]]) -> Path:
    """A folder as it is downloaded: a pipeline, problems, and a profile that sends a key of the user to a host."""
    made = tmp_path / "downloaded"
    made.mkdir()
    yaml_file(made / "p.yaml", PIPELINE)
    sums(made / "in.jsonl", 1)
    (made / "models.yaml").write_text(f"models: {{gpt: {{base_url: '{server[0]}', model: m, key: MY_KEY}}}}\n")
    return made


RUN = ("run", "p.yaml", "--input", "in.jsonl", "--run", "run", "--model", "gpt")
CHECK = ("models", "--check", "gpt")


def in_terminal(*words: str, cwd: Path, env: Mapping[str, str], typed: str) -> tuple[int, str]:
    """The command in a pseudo-terminal; what is typed when it asks. Returns the exit code and all that was shown."""
    ours, theirs = pty.openpty()
    with python(MAIN, *words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=env) as process:
        os.close(theirs)
        shown, deadline, asked = b"", time.monotonic() + 60, False
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux says so that the other side is closed
                break
            if not part:
                break
            shown += part
            if not asked and b"[y/N]" in shown:
                asked = True
                os.write(ours, typed.encode())
        os.close(ours)
        return process.wait(), shown.decode()


@pytest.mark.parametrize("words", [RUN, CHECK], ids=["run", "check"])
def test_a_profile_that_was_found_is_asked_for(folder: Path, env, server, words: tuple[str, ...]):
    """Where nobody can be asked it ends with 2, tells key, host and file, and nothing was sent."""
    done = synth(*words, cwd=folder, env=env, check=2)
    host = server[0].removesuffix("/v1")
    for part in (f"key MY_KEY → {host}, from models.yaml (model gpt)", "nothing was sent", "--yes"):
        assert part in done.stderr
    assert KEY not in done.stdout + done.stderr
    assert server[1] == []
    assert not (folder / "run").exists()
    assert not (folder.parent / "home" / ".config" / "synth" / "approvals.json").exists()


def test_a_yes_in_a_terminal_is_remembered_and_can_be_revoked(folder: Path, env, server):
    """The question is shown once; the answer counts for other commands; after a revocation it is asked for again."""
    host = server[0].removesuffix("/v1")
    code, shown = in_terminal(*RUN, cwd=folder, env=env, typed="y\n")
    assert code == 0, shown
    assert f"key MY_KEY → {host}, from models.yaml (model gpt)" in shown
    assert KEY not in shown
    assert len(server[1]) == 1
    synth(*CHECK, cwd=folder, env=env, check=0)
    asked = len(server[1])
    assert asked > 1
    listed = synth("models", "--approved", cwd=folder, env=env, check=0).stdout
    assert "MY_KEY" in listed
    assert host in listed
    assert "1 approvals taken back" in synth("models", "--revoke", f"MY_KEY={host}", cwd=folder, env=env).stderr
    assert host in synth(*CHECK, cwd=folder, env=env, check=2).stderr
    assert len(server[1]) == asked


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_a_no_in_a_terminal_sends_nothing(folder: Path, env, server, typed: str):
    """No, and nothing at all, mean no; it ends with 2, and is asked for again."""
    for _ in range(2):
        code, shown = in_terminal(*RUN, cwd=folder, env=env, typed=typed)
        assert code == 2, shown
        assert "nothing was sent" in shown
    assert server[1] == []


def test_yes_is_an_answer_too(folder: Path, env, server):
    """`--yes` shows the same and is remembered."""
    done = synth(*RUN, "--yes", cwd=folder, env=env, check=0)
    assert "key MY_KEY → " in done.stderr
    assert len(server[1]) == 1
    assert "key MY_KEY → " not in synth(*CHECK, cwd=folder, env=env, check=0).stderr


def test_approved_beforehand(folder: Path, env, server):
    """`--approve KEY=HOST` answers without sending anything; an address with a path is its host."""
    synth("models", "--approve", f"MY_KEY={server[0]}", cwd=folder, env=env, check=0)
    assert server[1] == []
    synth(*RUN, cwd=folder, env=env, check=0)
    for wrong in ("MY_KEY", "MY_KEY=host", "https://me:pw@host"):
        assert "pw@" not in synth("models", "--approve", wrong, cwd=folder, env=env, check=2).stderr


@pytest.mark.parametrize("way", ["--profile", "SYNTH_MODELS", "own settings"])
def test_what_the_user_named_is_not_asked_for(folder: Path, env, server, way: str):
    """A profile that is named, or lies in the user's settings, is the user's word: shown at its first use, and done."""
    words, moved = list(RUN), folder.parent / "elsewhere.yaml"
    if way == "own settings":
        moved = folder.parent / "home" / ".config" / "synth" / "models.yaml"
        moved.parent.mkdir(parents=True)
    shutil.move(folder / "models.yaml", moved)
    if way == "--profile":
        words += ["--profile", str(moved)]
    if way == "SYNTH_MODELS":
        env["SYNTH_MODELS"] = str(moved)
    assert f"key MY_KEY → {server[0].removesuffix('/v1')}" in synth(*words, cwd=folder, env=env, check=0).stderr
    assert len(server[1]) == 1
    assert "MY_KEY" not in synth(*words, cwd=folder, env=env, check=0).stderr


def test_headers_and_roles_of_a_found_profile_are_asked_for(folder: Path, env, server):
    """`$NAME` in a header is a key; an address that the profile gives to a role is the profile's word."""
    (folder / "models.yaml").write_text(
        f"models: {{gpt: {{base_url: '{server[0]}', model: m, headers: {{X-A: 'is $MY_KEY'}}}}}}\n"
        "roles: {teacher: 'https://stranger.invalid/v1#m'}\n"
    )
    assert "key MY_KEY → " in synth(*RUN, cwd=folder, env=env, check=2).stderr
    done = synth(*RUN[:-2], cwd=folder, env=env, check=2)
    assert "prompts, without a key → https://stranger.invalid, from models.yaml" in done.stderr
    assert server[1] == []


def test_plain_http_to_another_machine_is_asked_for(folder: Path, env):
    """Also where the user names it on the command line, and no key goes there."""
    done = synth(*RUN[:-1], "http://machine.invalid:8000/v1#m", cwd=folder, env=env, check=2)
    assert "http://machine.invalid:8000 NOT ENCRYPTED" in done.stderr
    approved = synth(*RUN[:-1], "http://machine.invalid:8000/v1#m", "--yes", cwd=folder, env=env, check=2)
    assert "there is no host machine.invalid" in approved.stderr


def test_a_server_of_this_machine_needs_no_approval(folder: Path, env, server):
    """Without a key, by its address or in a found profile."""
    synth(*RUN[:-1], f"{server[0]}#m", cwd=folder, env=env, check=0)
    (folder / "models.yaml").write_text(f"models: {{gpt: {{base_url: '{server[0]}', model: n}}}}\n")
    assert "→" not in synth(*CHECK, cwd=folder, env=env, check=0).stderr


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/v1?key=q7w8e9r0t1", "https://h/v1/sk-q7w8e9r0t1q7w8e9r0t1"])
def test_a_key_in_an_address_is_refused_and_not_repeated(folder: Path, env, address: str):
    """On the command line, in a profile, in `HF_ENDPOINT`; it stands in no file."""
    (folder / "models.yaml").write_text(f"models: {{gpt: {{base_url: '{address}', model: m}}}}\n")
    said = [
        synth(*RUN, cwd=folder, env=env, check=2),
        synth(*RUN[:-1], f"{address}#m", "--profile", folder / "none.yaml", cwd=folder, env=env, check=2),
        synth("import", "hub:me/it", "--dry-run", cwd=folder, env={**env, "HF_ENDPOINT": address}, check=2),
    ]
    (folder / "models.yaml").unlink()
    said.append(synth(*RUN[:-1], f"{address}#m", cwd=folder, env=env, check=2))
    assert not any("q7w8e9r0t1" in done.stdout + done.stderr for done in said)
    assert not (folder / "run").exists()


# -- run folders of others --


def a_stranger(folder: Path, words: Mapping[str, Any]) -> None:
    """What a stranger does to a run folder: other words in its `run.json`."""
    path = folder / "run" / "run.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "words": {**manifest["words"], **words}}))


@pytest.fixture
def failed(folder: Path, env) -> tuple[Path, list[Any]]:
    """A run with one failure, of a model on this machine without a key, and the requests that come from then on."""
    broken = [True]

    async def answer(_request: web.Request, _body: Any) -> web.Response:
        if broken[0]:
            return web.json_response({"error": {"message": "context too long"}}, status=400)
        return reply("It is.\nThe answer is 5.")

    with endpoint(answer) as (url, seen):
        sums(folder / "in.jsonl", 2)
        synth(*RUN[:-1], f"{url}#m", cwd=folder, env=env, check=2)
        broken[0] = False
        seen.clear()
        yield folder, seen


def test_ones_own_run_is_retried_without_a_question(failed, env):
    """Also where the folder was moved, together with what it names."""
    folder, seen = failed
    moved = folder.rename(folder.with_name("moved"))
    synth("retry", "run", "--all", cwd=moved, env=env, check=0)
    assert len(seen) == 2


@pytest.mark.parametrize("how", ["other words", "no signature", "another user"])
def test_a_run_of_somebody_else_is_asked_for(failed, env, how: str):
    """All that its words would read and send is shown, with whole paths, and nothing is read or sent before a yes."""
    folder, seen = failed
    write_rows(folder.parent / "private.jsonl", [{"question": "MY PRIVATE NOTE, what is 2+3?", "answer": "5"}])
    if how == "other words":
        a_stranger(folder, {"input": "../../private.jsonl"})
    elif how == "no signature":
        path = folder / "run" / "run.json"
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "signature"}))
    else:
        env = {**env, "HOME": str(folder.parent / "another-home")}
    before = sorted((p, p.read_bytes()) for p in (folder / "run").rglob("*") if p.is_file())
    done = synth("retry", "run", "--all", cwd=folder, env=env, check=2)
    asked = str(folder.parent / "private.jsonl") if how == "other words" else str(folder / "in.jsonl")
    for part in ("was not written by you", asked, "prompts, without a key → http://127.0.0.1", "--yes"):
        assert part in done.stderr
    assert seen == []
    after = sorted((p, p.read_bytes()) for p in (folder / "run").rglob("*") if p.is_file())
    assert [p for p, _ in before] == [p for p, _ in after]
    assert before == after
    if how != "other words":
        code, shown = in_terminal("retry", "run", "--all", cwd=folder, env=env, typed="y\n")
        assert code == 0, shown
        assert len(seen) == 2
        assert "nothing to retry" in synth("retry", "run", cwd=folder, env=env, check=0).stdout


def test_a_yes_makes_the_run_ones_own(failed, env):
    """After a retry that was approved, the folder is signed by this user."""
    folder, _ = failed
    env = {**env, "HOME": str(folder.parent / "another-home")}
    signature = json.loads((folder / "run" / "run.json").read_text())["signature"]
    synth("retry", "run", "--all", "--yes", cwd=folder, env=env, check=0)
    assert json.loads((folder / "run" / "run.json").read_text())["signature"] not in {signature, None}


def test_a_profile_that_now_names_another_host_is_asked_for(folder: Path, env):
    """The run is the user's own, its profile was named and has changed since: to the host it had then, nothing is asked."""
    broken = [True]

    async def answer(_request: web.Request, _body: Any) -> web.Response:
        return web.json_response({"error": {"message": "context too long"}}, status=400) if broken[0] else reply("5")

    named = shutil.move(folder / "models.yaml", folder / "named.yaml")
    with endpoint(answer) as (url, seen):
        named.write_text(f"models: {{gpt: {{base_url: '{url}', model: m, key: MY_KEY}}}}\n")
        synth(*RUN, "--profile", "named.yaml", cwd=folder, env=env, check=2)
        named.write_text("models: {gpt: {base_url: 'https://stranger.invalid/v1', model: m, key: MY_KEY}}\n")
        done = synth("retry", "run", "--all", cwd=folder, env=env, check=2)
        assert f"key MY_KEY → https://stranger.invalid, from {Path('run', '..', 'named.yaml')}" in done.stderr
        broken[0] = False
        asked = len(seen)
        named.write_text(f"models: {{gpt: {{base_url: '{url}', model: m, key: MY_KEY}}}}\n")
        synth("retry", "run", "--all", cwd=folder, env=env, check=0)
        assert len(seen) > asked


# -- the Hub --


def test_the_token_of_the_hub_is_asked_for_at_another_hub(folder: Path, env):
    """Whatever reads `hub:` shows where `HF_ENDPOINT` sends the token, and sends nothing before a yes."""
    env |= {"HF_ENDPOINT": "https://mirror.invalid", "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_TELEMETRY": "1"}
    for words in (
        ("import", "hub:me/it", "--dry-run"),
        ("run", "p.yaml", "--input", "hub:me/it", "--model", "scripted"),
        ("plan", "p.yaml", "--input", "hub:me/it", "--model", "scripted"),
    ):
        done = synth(*words, cwd=folder, env=env, check=2)
        assert "key HF_TOKEN → https://mirror.invalid, from HF_ENDPOINT" in done.stderr, words
        assert TOKEN not in done.stderr


@pytest.mark.parametrize("status", [302, 307])
def test_the_hub_sends_the_token_nowhere_else(folder: Path, env, status: int):
    """A Hub that sends every request on to another host: the library of data sets does not take the token there."""
    with fake_hub() as stranger, fake_hub() as hub:
        hub.fault = lambda _, path: web.Response(status=status, headers={"Location": f"{stranger.url}{path}"})
        stranger.fault = lambda *_: web.Response(status=404)
        env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(folder / "hf")}
        synth("import", "hub:me/it", "--dry-run", cwd=folder, env=env, check=2)
    assert TOKEN.encode() in b"".join(hub.received)
    assert TOKEN.encode() not in b"".join(stranger.received)
