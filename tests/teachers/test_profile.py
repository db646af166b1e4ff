from __future__ import annotations

import re
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import orjson
import pytest
import yaml
from support import ROOT

from synth.errors import SetupError
from synth.records import Problem
from synth.teachers import Profile, Request, Task, bind_roles, load_profile, make_teacher
from synth.teachers.base import MOST_SEED
from synth.teachers.embedded import EmbeddedTeacher
from synth.teachers.endpoint import EndpointTeacher
from synth.teachers.keys import find_key

TEXT = """
teachers:
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
    (tmp_path / "teachers.yaml").write_text(TEXT)
    return load_profile(tmp_path / "teachers.yaml")


def test_a_teacher_is_what_the_profile_says(profile: Profile):
    gpt = make_teacher("gpt", profile)
    assert isinstance(gpt, EndpointTeacher)
    assert (gpt.name, gpt.model, gpt.base_url, gpt.concurrency) == ("gpt", "gpt-x", "https://api.example.com/v1", 8)
    assert gpt.parameters == {"temperature": 0.5}
    assert gpt.price.of(1_000_000, 100_000) == pytest.approx(3.5)
    assert gpt.price.of(None, 5) is None
    assert gpt.capabilities == {"chat", "json_schema"}
    tiny = make_teacher("tiny", profile)
    assert isinstance(tiny, EmbeddedTeacher)
    assert tiny.small


def test_teachers_without_a_profile(profile: Profile):
    server = make_teacher("http://localhost:8000/v1#my/model", profile)
    assert (server.base_url, server.model, server.price) == ("http://localhost:8000/v1", "my/model", None)
    assert isinstance(make_teacher("local", profile), EmbeddedTeacher)
    assert make_teacher("scripted", profile).name == "scripted"
    with pytest.raises(SetupError, match="did you mean 'gpt'"):
        make_teacher("gtp", profile)


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


def test_the_largest_seed_still_fits_on_the_wire():
    given = {"base_url": "http://x/v1", "model": "m", "capabilities": ["seed"], "parameters": {"seed": MOST_SEED}}
    teacher = make_teacher("t", Profile.model_validate({"teachers": {"t": given}}))
    task = Task("other", Problem.root(question="1?"))
    assert orjson.dumps(teacher.body(Request(({"role": "user", "content": "1?"},), task, sample=99_999)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("teachers: {a: {model: m}}", "either base_url and model, or local"),
        ("teachers: {a: {base_url: http://x}}", "base_url needs a model"),
        ("teachers: {a: {base_url: http://x, model: m, key: sk-123}}", "not the key itself"),
        ("teachers: {a: {base_url: http://x, model: m, colour: red}}", "colour"),
        ("teachers: {a: {base_url: 'http://u:sk-123@x/v1', model: m}}", "holds a user's name or a password"),
        ("teachers: {a: {base_url: http://x, model: m, headers: {api-key: sk-123}}}", "is a secret: let it name"),
        ("teachers: {a: {base_url: http://x, model: m, headers: {'X A': b}}}", "visible ASCII"),
        ('teachers: {a: {base_url: http://x, model: m, headers: {A: "b\\r\\nC: d"}}}', "visible ASCII"),
        ("teachers: {a: {base_url: http://x, model: m, parameters: {seed: abc}}}", "seed is a whole number"),
        ("teachers: {a: {base_url: http://x, model: m, parameters: {seed: 1.5}}}", "seed is a whole number"),
        (f"teachers: {{a: {{base_url: http://x, model: m, parameters: {{seed: {2**62}}}}}}}", "seed is a whole number"),
        (f"teachers: {{a: {{base_url: http://x, model: m, parameters: {{top_k: {2**64}}}}}}}", "more than 64 bits"),
        ("teachers: {a: {base_url: http://x, model: m, parameters: {stop: [2024-01-01]}}}", "is a date"),
        ("teachers: {a: {base_url: http://x, model: m, parameters: {a: {1: b}}}}", "is no name"),
        ("teachers: {a: {base_url: http://x, model: m, parameters: {temperature: .nan}}}", "JSON cannot say"),
        ("teachers: [", "not a profile"),
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
    monkeypatch.delenv("SYNTH_TEACHERS")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_profile().teachers == {}
    monkeypatch.setenv("SYNTH_TEACHERS", "")  # as good as not set
    assert load_profile().teachers == {}
    (tmp_path / "teachers.yaml").write_text(TEXT)
    assert set(load_profile().teachers) == {"gpt", "tiny"}


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
        assert find_key("keyring:synth/me", "teacher t", "http://x") == "verysecretvalue"
        with pytest.raises(SetupError, match="no entry synth/you") as caught:
            find_key("keyring:synth/you", "teacher t", "http://x")
        assert "keyring set synth you" in caught.value.remedy
        with pytest.raises(SetupError, match="it is locked"):
            find_key("keyring:locked/me", "teacher t", "http://x")
    finally:
        keyring.set_keyring(before)


def test_every_profile_of_the_endpoints_page_is_one():
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "endpoints.md").read_text(), re.DOTALL)
    teachers = [Profile.model_validate(yaml.safe_load(block)) for block in blocks]
    names = [name for profile in teachers for name in profile.teachers]
    assert len(names) == len(set(names)) >= 17
    for profile in teachers:
        for name in profile.teachers:
            made = make_teacher(name, profile)
            assert isinstance(made, (EndpointTeacher, EmbeddedTeacher))
