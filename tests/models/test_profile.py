from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.errors
import orjson
import pytest
import yaml
from pydantic import ValidationError
from support import ROOT

from synth.errors import SetupError
from synth.models import Profile, Request, Task, bind_roles, load_profile, make_model
from synth.models.base import MOST_SEED
from synth.models.embedded import EmbeddedModel
from synth.models.endpoint import EndpointModel
from synth.models.keys import find_key
from synth.records import Problem

TEXT = """
models:
  gpt:
    base_url: https://api.example.com/v1
    model: gpt-x
    key: EXAMPLE_KEY
    parameters: {temperature: 0.5}
    price: {input: 2.5, output: 10}
    concurrency: 8
    capabilities: [json_schema]
  tiny: {local: qwen2.5-coder-0.5b}
roles: {judge: gpt, reviewers: [gpt, tiny]}
"""


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    (tmp_path / "models.yaml").write_text(TEXT)
    return load_profile(tmp_path / "models.yaml")


def test_a_model_is_what_the_profile_says(profile: Profile):
    gpt = make_model("gpt", profile)
    assert isinstance(gpt, EndpointModel)
    assert (gpt.name, gpt.model_id, gpt.base_url, gpt.concurrency) == ("gpt", "gpt-x", "https://api.example.com/v1", 8)
    assert gpt.parameters == {"temperature": 0.5}
    assert gpt.price.of(1_000_000, 100_000) == pytest.approx(3.5)
    assert gpt.price.of(None, 5) is None
    assert gpt.capabilities == {"chat", "json_schema"}
    tiny = make_model("tiny", profile)
    assert isinstance(tiny, EmbeddedModel)
    assert tiny.small


def test_models_without_a_profile(profile: Profile):
    server = make_model("http://localhost:8000/v1#my/model", profile)
    assert (server.base_url, server.model_id, server.price) == ("http://localhost:8000/v1", "my/model", None)
    assert isinstance(make_model("local", profile), EmbeddedModel)
    assert make_model("scripted", profile).name == "scripted"
    with pytest.raises(SetupError, match="did you mean 'gpt'"):
        make_model("gtp", profile)


def test_roles_are_bound_by_the_command_line_then_the_profile_then_the_default(profile: Profile):
    roles = ("judge", "reviewers", "student")
    assert bind_roles(roles, (), profile) == {"judge": ("gpt",), "reviewers": ("gpt", "tiny"), "student": ("local",)}
    apart = bind_roles(roles, ("student=gpt", "student=tiny", "student=gpt"), profile)
    assert apart["student"] == ("gpt", "tiny")
    given = bind_roles(roles, ("judge=tiny", "student=gpt,tiny"), profile)
    assert given == {"judge": ("tiny",), "reviewers": ("gpt", "tiny"), "student": ("gpt", "tiny")}
    assert bind_roles(roles, ("scripted",), profile)["judge"] == ("scripted",)
    assert bind_roles(("t",), ("http://h/v1?a=b#m",), profile) == {"t": ("http://h/v1?a=b#m",)}
    assert bind_roles(("t",), ("t=http://h/v1?a=b#m",), profile) == {"t": ("http://h/v1?a=b#m",)}
    with pytest.raises(SetupError, match="no role 'jugde'"):
        bind_roles(roles, ("jugde=gpt",), profile)


def test_a_client_certificate_is_a_key_of_its_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its files are looked for before anything is asked; its use at a host is approved like that of any key."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "me.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    given = {"base_url": "https://x/v1", "model": "m", "client_certificate": "~/me.pem", "client_key": "~/me.key"}
    (tmp_path / "models.yaml").write_text(yaml.dump({"models": {"t": given}}))
    model = make_model("t", load_profile(tmp_path / "models.yaml"))
    assert [(s.key, s.host) for s in model.sendings()] == [(f"certificate:{tmp_path}/me.pem", "https://x")]
    with pytest.raises(SetupError, match=r"me\.key: .*cannot be read"):
        model.check()
    (tmp_path / "me.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    model.check()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"client_key": "k.pem"}, "needs a client_certificate"),
        ({"client_certificate": "c.pem", "base_url": "http://x/v1"}, "https://"),
        ({"client": "openai", "batch": True}, "asked call by call"),
        ({"client": "lean"}, "client"),
    ],
)
def test_a_profile_of_a_connection_that_cannot_be_is_refused(more: dict[str, Any], said: str):
    with pytest.raises(ValidationError, match=said):
        Profile.model_validate({"models": {"t": {"base_url": "https://x/v1", "model": "m", **more}}})


def test_the_largest_seed_still_fits_on_the_wire():
    given = {"base_url": "http://x/v1", "model": "m", "capabilities": ["seed"], "parameters": {"seed": MOST_SEED}}
    model = make_model("t", Profile.model_validate({"models": {"t": given}}))
    task = Task("other", Problem.root(question="1?"))
    assert orjson.dumps(model.body(Request(({"role": "user", "content": "1?"},), task, sample=99_999)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: {a: {model: m}}", "either base_url and model, or local"),
        ("models: {a: {base_url: http://x}}", "base_url needs a model"),
        ("models: {a: {base_url: http://x, model: m, key: sk-123}}", "not the key itself"),
        ("models: {a: {base_url: http://x, model: m, colour: red}}", "colour"),
        ("models: {a: {base_url: 'http://u:sk-123@x/v1', model: m}}", "holds a user's name or a password"),
        ("models: {a: {base_url: http://x, model: m, headers: {api-key: sk-123}}}", "is a secret: let it name"),
        ("models: {a: {base_url: http://x, model: m, headers: {'X A': b}}}", "visible ASCII"),
        ('models: {a: {base_url: http://x, model: m, headers: {A: "b\\r\\nC: d"}}}', "visible ASCII"),
        ("models: {a: {base_url: http://x, model: m, parameters: {seed: abc}}}", "seed is a whole number"),
        ("models: {a: {base_url: http://x, model: m, parameters: {seed: 1.5}}}", "seed is a whole number"),
        (f"models: {{a: {{base_url: http://x, model: m, parameters: {{seed: {2**62}}}}}}}", "seed is a whole number"),
        (f"models: {{a: {{base_url: http://x, model: m, parameters: {{top_k: {2**64}}}}}}}", "more than 64 bits"),
        ("models: {a: {base_url: http://x, model: m, parameters: {stop: [2024-01-01]}}}", "is a date"),
        ("models: {a: {base_url: http://x, model: m, parameters: {a: {1: b}}}}", "is not a name"),
        ("models: {a: {base_url: http://x, model: m, parameters: {temperature: .nan}}}", "JSON cannot say"),
        ("models: [", "not a profile"),
        ("- a\n- b", "not a profile"),
    ],
)
def test_a_profile_that_is_wrong_says_where(tmp_path: Path, text: str, said: str):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(SetupError, match=said) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)
    assert "sk-123" not in str(caught.value)


def test_a_profile_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(SetupError, match="no such profile"):
        load_profile(tmp_path / "none.yaml")
    monkeypatch.delenv("SYNTH_MODELS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_profile().models == {}
    monkeypatch.setenv("SYNTH_MODELS", "")  # as good as not set
    assert load_profile().models == {}
    (tmp_path / "models.yaml").write_text(TEXT)
    assert set(load_profile().models) == {"gpt", "tiny"}


class _Memory(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.entries = {("synth", "me"): "verysecretvalue"}

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise keyring.errors.KeyringLocked("it is locked")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


def test_a_key_may_lie_in_the_keyring():
    before = keyring.get_keyring()
    keyring.set_keyring(_Memory())
    try:
        assert find_key("keyring:synth/me", "model t", "http://x") == "verysecretvalue"
        with pytest.raises(SetupError, match="no entry synth/you") as caught:
            find_key("keyring:synth/you", "model t", "http://x")
        assert "keyring set synth you" in caught.value.fix
        with pytest.raises(SetupError, match="it is locked"):
            find_key("keyring:locked/me", "model t", "http://x")
    finally:
        keyring.set_keyring(before)


def test_every_profile_of_the_endpoints_page_is_one():
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "endpoints.md").read_text(), re.DOTALL)
    models = [Profile.model_validate(yaml.safe_load(block)) for block in blocks]
    names = [name for profile in models for name in profile.models]
    assert len(names) == len(set(names)) >= 17
    for profile in models:
        for name in profile.models:
            made = make_model(name, profile)
            assert isinstance(made, (EndpointModel, EmbeddedModel))
