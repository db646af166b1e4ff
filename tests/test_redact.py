from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synth.redact as module
from synth.errors import SetupError
from synth.models.keys import fill_in, find_key
from synth.redact import keep_secret, redact, scrub


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_known", {})


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF123456789",
        "hf_abcdefghijklmnop",
        "gsk_abcdefghijklmnop",
        "nvapi-abcdefghijklmnop",
        "AIzaSyA-abcdefghijklmnop",
        "sk-ant-api03-abcdefghijk",
    ],
)
def test_the_usual_shapes_of_keys_are_seen(secret: str):
    assert secret not in redact(f"Incorrect API key provided: {secret}. Try again")
    assert secret[-8:] not in redact(f"Authorization: Bearer {secret}")


def test_a_password_in_an_address_is_seen():
    assert redact("https://me:pass@host/v1 failed") == "https://[secret]@host/v1 failed"


def test_a_known_secret_is_seen_in_any_shape():
    keep_secret("plainword")
    assert redact("the key plainword is wrong") == "the key [secret] is wrong"


def test_ordinary_words_stay():
    text = "the skier asked hf readers about task-oriented sk models and HF_HUB_OFFLINE_MODE; 3/4 at https://host/v1"
    assert redact(text) == text


visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4, max_size=30)


@given(visible, st.data())
def test_a_known_secret_is_seen_however_json_writes_it(secret: str, data: st.DataObject):
    module._known.clear()
    keep_secret(secret)

    def written(text: str) -> str:
        """Each character in one of the ways of JSON."""
        out = []
        for c in text:
            ways = [json.dumps(c)[1:-1], f"\\u{ord(c):04x}", f"\\u{ord(c):04X}", *(["\\/"] if c == "/" else [])]
            out.append(data.draw(st.sampled_from(ways)))
        return "".join(out)

    once = f'{{"said": "before {written(secret)} after"}}'
    assert json.loads(once)["said"] == f"before {secret} after"
    assert orjson.loads(scrub(once.encode()))["said"] == "before [secret] after"
    twice = json.dumps({"said": once})
    inner = orjson.loads(scrub(twice.encode()))["said"]
    assert json.loads(inner)["said"] == "before [secret] after"
    assert secret not in redact(once)


def test_a_body_without_secrets_is_the_same_object():
    keep_secret("plain/word")
    for body in (b'{"said": "\\u4e2d \\/ \\u003c"}', b'{"said": "nothing"}'):
        assert scrub(body) == body


@pytest.mark.parametrize("key", ["ab\u201ccd", "abc\r\nX-More: 1", "ab\x00cd", "schl\u00fcssel"])
def test_a_key_that_no_header_can_carry_is_refused(monkeypatch: pytest.MonkeyPatch, key: str):
    monkeypatch.setattr("os.environ", {"MY_KEY": key})
    with pytest.raises(SetupError, match="MY_KEY holds is no key") as caught:
        find_key("MY_KEY", "model t", "http://x")
    assert key not in str(caught.value)
    with pytest.raises(SetupError, match="MY_KEY"):
        fill_in({"X-Key": "$MY_KEY"}, "model t")


def test_white_space_around_a_key_is_not_the_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_KEY", " abcdef\r\n")
    assert find_key("MY_KEY", "model t", "http://x") == "abcdef"
    assert fill_in({"A": "Basic $MY_KEY", "B": "plain"}, "model t") == {"A": "Basic abcdef", "B": "plain"}
    assert redact("abcdef") == "[secret]"
    with pytest.raises(SetupError, match="NOT_THERE is not set"):
        fill_in({"A": "$NOT_THERE"}, "model t")
