from __future__ import annotations

import pytest

from synth.redact import keep_secret, redact


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
