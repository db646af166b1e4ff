"""Secrets are found in whatever would be published, and never told."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import TOKEN, FakeHub
from support import ask

import synth
from synth.errors import CheckFailed
from synth.publish.scan import Found, secrets_here, secrets_in
from synth.records import Rationale
from synth.redact import KEY_SHAPES, keep_secret
from synth.store.journal import Journal

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

A, N = "AbCdEfGhIjKlMnOpQrSt", "0123456789"
KEYS = {
    "a key of Anthropic": f"sk-ant-api03-{A}_{A}",
    "a key of OpenRouter": "sk-or-v1-" + "0af3" * 16,
    "a key of OpenAI, or of an endpoint like it": f"sk-proj-{A}-{A}_{A}T3BlbkFJ{A}",
    "a token of Hugging Face": f"hf_{A}{A}",
    "a key of Google": f"AIza{A}{N}abc-_",
    "a key of Groq": f"gsk_{A}{A}",
    "a key of xAI": f"xai-{A}{A}{A}",
    "a key of NVIDIA": f"nvapi-{A}-{A}_{A}",
    "a key of Perplexity": f"pplx-{A}{A}{A}",
    "a token of Replicate": f"r8_{A}{A}",
    "a key of Fireworks": f"fw_{A}{N}",
    "a key of AWS": "AKIAIOSFODNN7EXAMPLE",
    "a token of GitHub": f"ghp_{A}{A}",
    "a token of GitLab": f"glpat-{A}",
    "a token of Slack": f"xoxb-{N}-{N}-{A}",
    "a key of Stripe": f"sk_live_{A}{N}",
    "a token of npm": f"npm_{A}{A[:16]}",
    "a token of PyPI": f"pypi-AgEI{A}{A}{A}",
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "a signed web token": f"eyJ{A}.eyJ{A}.{A}{A}",
    "a password in an address": "postgres://me:verysecret@db.example.com/x",
}
WORDS = (
    "the skier asked hf readers about task-oriented sk-learn models, HF_HUB_OFFLINE_MODE and sk-to-ask; ratio 3:4 at https://host/v1, "
    "mail me@example.com, time 12:30@noon, http://a:b@c, AKIA is short, fw_ r8_ npm_install, -----BEGIN CERTIFICATE-----, eyJhbGciOi"
)


def parquet(path: Path, rows: list[dict]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=3)
    return path


def test_the_keys_of_the_usual_providers_are_known_by_their_shape(tmp_path: Path):
    assert set(KEYS) == set(KEY_SHAPES)
    rows = [
        {"record_id": f"b2:{i}", "messages": [{"role": "user", "content": f"try {key}, or"}]}
        for i, key in enumerate(KEYS.values())
    ]
    file = parquet(
        tmp_path / "a.parquet", [*rows, {"record_id": "b2:none", "messages": [{"role": "user", "content": WORDS}]}]
    )
    page = tmp_path / "report.html"
    page.write_text("\n".join([WORDS, *(f"<p>{key}</p>" for key in KEYS.values())]))
    found = secrets_in([("data/a.parquet", file), ("report.html", page)], {})
    expected = [("data/a.parquet", f"b2:{i}", kind) for i, kind in enumerate(KEYS)]
    expected += [("report.html", f"line {i}", kind) for i, kind in enumerate(KEYS, 2)]
    assert [(f.path, f.record, f.kind) for f in found] == expected
    assert not any(f.sure for f in found)
    assert not any(key in repr(found) for key in KEYS.values())


@pytest.mark.parametrize(
    "row",
    [
        {"id": "b2:1", "text": "SECRET"},
        {"id": "b2:1", "steps": ["a", "b SECRET"]},
        {"id": "b2:1", "original": {"prompt": [{"content": "x SECRET"}], "spans": [1]}},
        {"id": "b2:1", "scores": json.dumps({"reason": "SECRET"})},
    ],
)
def test_a_known_value_is_found_wherever_it_stands(tmp_path: Path, row: dict):
    value = "plain.word+(1)"
    row = json.loads(json.dumps(row).replace("SECRET", value))
    others = [{**row, "id": f"b2:x{i}", **{k: type(v)() for k, v in row.items() if k != "id"}} for i in range(9000)]
    others = [{k: (v if v != {} else None) for k, v in o.items()} for o in others]
    file = parquet(tmp_path / "a.parquet", [*others, row])
    assert secrets_in([("a", file)], {value: "the value of X"}) == [
        Found("a", "b2:1", "the value of X", secrets_in([("a", file)], {value: ""})[0].mark, True)
    ]
    assert secrets_in([("a", file)], {"plain.word+(2)": "another"}) == []


def test_what_this_process_knows_to_be_a_secret(monkeypatch: pytest.MonkeyPatch):
    for name, value in {
        "MY_API_KEY": "value-of-my-key-1",
        "SOME_TOKEN": "value-of-a-token-1",
        "DB_PASSWORD": "pass-word-1",
        "MARKED": "value-of-marked-1",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/me/credentials.json",
        "KEY": "short",
        "TOKENIZERS_PARALLELISM": "false-or-not-1",
        "MONKEY": "banana-or-not-1",
        "ANSWER_TOKEN": "password",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    keep_secret("of-a-model-1")
    known = secrets_here(["MARKED"])
    mine = {k: v for k, v in known.items() if not v.startswith("a key of a model")}
    told = {"value-of-my-key-1", "value-of-a-token-1", "pass-word-1", "value-of-marked-1", TOKEN}
    assert told <= set(mine)
    assert known["of-a-model-1"] == "a key of a model"
    assert not {"/home/me/credentials.json", "short", "false-or-not-1", "banana-or-not-1", "password"} & set(known)


def with_text(run: Path, text: str) -> str:
    """A kept rationale more, with this text; its id."""
    (problem, unit) = ask(run, "SELECT problem, unit FROM kept_rationales ORDER BY id LIMIT 1")[0]
    made = Rationale.make(
        unit=unit, step="by_hand", because=[1], problem=problem, author="human", response=text, answer="5"
    )
    row = made.model_dump(mode="json", exclude_none=True)
    journal = Journal(run / "journal")
    journal.append(
        "commit", orjson.dumps({"owner": "human:me:x", "fingerprint": "f", "records": {"rationales": [row]}})
    )
    journal.close()
    return made.id


def test_a_key_in_a_text_is_not_published_unless_it_is_said_to_be_none(hub: FakeHub, mine: Path):
    key = KEYS["a token of GitHub"]
    record = with_text(mine, f"Use {key} for it.")
    with pytest.raises(CheckFailed) as refused:
        synth.push(mine, "me/cot", "sft", ignore_audits=True)
    told = str(refused.value)
    assert re.search(rf"data/sft\.\w+\.parquet, {record}: a token of GitHub \(([0-9a-f]{{12}})\)", told)
    assert key not in told
    assert hub.writes == []
    assert refused.value.exit_code == 1
    mark = re.search(r"--allow-secret ([0-9a-f]{12})", told)[1]
    synth.push(mine, "me/cot", "sft", ignore_audits=True, not_secrets=[mark])
    assert any(key in str(pq.read_table(io.BytesIO(content)).to_pylist()) for content in hub.large.values())


def test_the_value_of_a_key_is_never_published(
    hub: FakeHub, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    value = "marked-7f3a9c-plain"
    record = with_text(mine, f"My key is {value}.")
    monkeypatch.setenv("MARKED", value)
    profile = tmp_path / "models.yaml"
    profile.write_text("models: {t: {base_url: 'http://x/v1', model: m, key: MARKED}}\n")
    for spared in ((), [hashlib.sha256(value.encode()).hexdigest()[:12]]):
        with pytest.raises(CheckFailed, match=f"{record}: the value of MARKED") as refused:
            synth.push(mine, "me/cot", "sft", profile=profile, ignore_audits=True, not_secrets=spared)
        assert value not in str(refused.value)
        assert "--allow-secret" not in str(refused.value)
    assert hub.writes == []
