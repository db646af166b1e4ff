"""Which keys and prompts may go to which host: the rule, what is remembered, and what an address may hold."""

from __future__ import annotations

import json
import stat
import threading
from contextlib import suppress
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyreqwest.http import Url

from synth.addresses import fault_of_address, hub_address, in_clear, is_loopback, origin_of
from synth.approvals import (
    WELL_KNOWN,
    NamedIn,
    Question,
    Sending,
    answer,
    approvals,
    approve,
    config_folder,
    refuse_unapproved,
    revoke,
    settle,
)
from synth.errors import ModelError, SetupError, UserError
from synth.models.transport import HttpTransport

OWN, FOUND = NamedIn("~/.config/synth/models.yaml", own=True), NamedIn("models.yaml", own=False)
LOCAL, REMOTE, PLAIN = "http://127.0.0.1:8000", "https://models.example.org", "http://10.0.0.5:8000"

RULE = {
    # key, host, whose word: what becomes of it the first time
    ("MY_KEY", LOCAL, OWN): "shown",
    ("MY_KEY", LOCAL, FOUND): "asked",
    ("MY_KEY", REMOTE, OWN): "shown",
    ("MY_KEY", REMOTE, FOUND): "asked",
    ("MY_KEY", PLAIN, OWN): "asked",
    ("MY_KEY", PLAIN, FOUND): "asked",
    (None, LOCAL, OWN): "nothing",
    (None, LOCAL, FOUND): "nothing",
    (None, REMOTE, OWN): "shown",
    (None, REMOTE, FOUND): "asked",
    (None, PLAIN, OWN): "asked",
    (None, PLAIN, FOUND): "asked",
}


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch):
    """What another test approved in this process is forgotten."""
    monkeypatch.setattr("synth.approvals._this_session", set())


def asked_about(*sendings: Sending, yes: bool = True) -> Question | None:
    """The question that is put for these; None where there is none."""
    put: list[Question] = []

    def ask(question: Question) -> None:
        put.append(question)
        answer(yes)(question)

    settle(sendings, ask)
    return put[0] if put else None


def outcome(sending: Sending) -> str:
    question = asked_about(sending)
    return "nothing" if question is None else "asked" if question.open else "shown"


def test_the_rule_covers_every_case():
    """The table has every key, host and word."""
    assert set(RULE) == set(product(("MY_KEY", None), (LOCAL, REMOTE, PLAIN), (OWN, FOUND)))


@pytest.mark.parametrize(("key", "host", "named_in"), RULE)
def test_what_is_asked_and_what_is_remembered(key: str | None, host: str, named_in: NamedIn):
    """The first time goes by the rule, the second time nothing is asked, and after a revocation the rule holds again."""
    sending = Sending(key, host, "model t", named_in)
    expected = RULE[key, host, named_in]
    assert outcome(sending) == expected
    assert outcome(sending) == "nothing"
    refuse_unapproved([sending])
    if expected != "nothing":
        assert revoke(key, host) != ()
    assert outcome(sending) == expected


@pytest.mark.parametrize(("key", "host", "named_in"), RULE)
def test_what_is_refused_is_refused_to_the_model_too(key: str | None, host: str, named_in: NamedIn):
    """A no raises and remembers nothing; and a model that is started without any question is refused the same."""
    sending = Sending(key, host, "model t", named_in)
    if RULE[key, host, named_in] != "asked":
        refuse_unapproved([sending])
        return
    with pytest.raises(SetupError) as caught:
        asked_about(sending, yes=False)
    assert host in str(caught.value)
    assert "approve=True" in str(caught.value)
    assert approvals() == ()
    with pytest.raises(SetupError, match="nothing was sent"):
        refuse_unapproved([sending])


def test_an_approval_is_of_one_key_at_one_host():
    """Another key, another host, another port and another scheme are asked for again; another file is not."""
    asked_about(Sending("MY_KEY", REMOTE, "model t", FOUND))
    assert outcome(Sending("MY_KEY", REMOTE, "model u", NamedIn("other.yaml", own=False))) == "nothing"
    assert outcome(Sending(None, REMOTE, "model t", FOUND)) == "nothing"  # prompts go there already
    for key, host in [
        ("OTHER_KEY", REMOTE),
        ("MY_KEY", f"{REMOTE}:8443"),
        ("MY_KEY", "https://models.example.com"),
        ("MY_KEY", REMOTE.replace("https", "http")),
    ]:
        assert outcome(Sending(key, host, "model t", FOUND)) == "asked", host


def test_a_key_may_go_to_the_host_that_gave_it_out():
    """Well-known pairs need no approval, whatever file has them; the same key elsewhere and another key there do."""
    for key, hosts in WELL_KNOWN.items():
        for host in hosts:
            assert host == origin_of(host)
            assert outcome(Sending(key, host, "model t", FOUND)) == "nothing"
    assert outcome(Sending("OPENAI_API_KEY", "https://api.openai.com.evil.example", "model t", FOUND)) == "asked"
    assert outcome(Sending("AWS_SECRET_ACCESS_KEY", "https://api.openai.com", "model t", FOUND)) == "asked"


def test_one_question_shows_all_that_is_new():
    """What needs no answer is shown beside what does, each once, with key, host and file; what is known is not."""
    known = Sending("KNOWN", REMOTE, "model k", OWN)
    asked_about(known)
    shown, open_ = Sending("A", REMOTE, "model a", OWN), Sending("B", PLAIN, "model b", OWN)
    question = asked_about(known, shown, open_, shown)
    assert question is not None
    assert question.open
    assert question.lines == (
        "key A → https://models.example.org, from ~/.config/synth/models.yaml (model a)",
        f"key B → {PLAIN} NOT ENCRYPTED (plain HTTP to another machine), from ~/.config/synth/models.yaml (model b)",
    )


def test_a_folder_of_somebody_else_is_asked_for_whole():
    """Where it names what is to be read, known hosts are shown and asked for, too."""
    known = Sending("KNOWN", REMOTE, "model k", OWN)
    asked_about(known)
    with pytest.raises(SetupError, match=r"private\.jsonl") as caught:
        settle([known, Sending(None, LOCAL, "model t", FOUND)], answer(approve=False), ["the problems: private.jsonl"])
    assert REMOTE in str(caught.value)
    assert LOCAL in str(caught.value)


def test_revoking_by_key_by_host_and_by_both():
    """A key is taken back everywhere, a host for every key, or one pair."""
    pairs = [("A", REMOTE), ("A", PLAIN), ("B", REMOTE), (None, PLAIN)]

    def left(key: str | None, host: str | None) -> list[tuple[str | None, str]]:
        approve(Sending(k, h, "t", OWN) for k, h in pairs)
        revoke(key, host)
        return [p for p in pairs if p in {(a.key, a.host) for a in approvals()}]

    assert left("A", None) == [("B", REMOTE), (None, PLAIN)]
    assert left("A", REMOTE) == [("A", PLAIN), ("B", REMOTE), (None, PLAIN)]
    assert left(None, PLAIN) == [("A", REMOTE), ("B", REMOTE)]
    assert left("C", None) == pairs


def test_the_file_is_private_and_names_no_secret(monkeypatch: pytest.MonkeyPatch):
    """Mode 0600, names of keys and hosts only."""
    monkeypatch.setenv("MY_KEY", "sk-secret-value")
    approve([Sending("MY_KEY", REMOTE, "model t", FOUND)])
    path = config_folder() / "approvals.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "secret-value" not in path.read_text()
    (entry,) = json.loads(path.read_text())["approved"]
    assert (entry["key"], entry["host"], entry["named_in"]) == ("MY_KEY", REMOTE, "models.yaml")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2, "approved": []}', '{"approved": [{"key": 1}]}', "null"])
def test_a_broken_file_approves_nothing(text: str):
    """It is reported with its path, and nothing is sent."""
    config_folder().mkdir(parents=True)
    (config_folder() / "approvals.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read") as caught:
        asked_about(Sending("MY_KEY", REMOTE, "model t", OWN))
    assert "approvals.json" in str(caught.value)


def test_settings_that_cannot_be_written_do_not_stop_a_yes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The answer counts for this process, and a line says that it is not remembered."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))  # no folder can be made there
    put: list[Question] = []
    sending = Sending("MY_KEY", REMOTE, "model t", FOUND)
    settle([sending], put.append)
    assert "cannot be remembered" in put[1].lines[0]
    refuse_unapproved([sending])


def test_approvals_made_at_once_are_all_remembered():
    """Eight writers lose nothing of each other."""
    writers = [threading.Thread(target=approve, args=([Sending(f"K{n}", REMOTE, "t", OWN)],)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {a.key for a in approvals()} == {f"K{n}" for n in range(8)}


def test_settings_lie_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """`$XDG_CONFIG_HOME` where it is a whole path, else `~/.config`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "x"))
    assert config_folder() == tmp_path / "x" / "synth"
    for invalid in ("", "relative/path"):
        monkeypatch.setenv("XDG_CONFIG_HOME", invalid)
        assert config_folder() == tmp_path / ".config" / "synth"


ADDRESSES = [
    ("https://API.Example.org:443/v1", "https://api.example.org"),
    ("http://localhost:80/v1", "http://localhost"),
    ("http://[::1]:8000/v1", "http://[::1]:8000"),
    ("https://xn--bcher-kva.example/v1", "https://xn--bcher-kva.example"),
    ("https://router.huggingface.co/hf-inference/v1", "https://router.huggingface.co"),
    ("https://gateway.example/v1/0123456789abcdef0123456789abcdef/team/openai", "https://gateway.example"),
    ("http://docker_host:8000/v1", "http://docker_host:8000"),
]


@pytest.mark.parametrize(("address", "origin"), ADDRESSES)
def test_the_host_of_an_address(address: str, origin: str):
    """Scheme, host and port, written in one way."""
    assert fault_of_address(address) is None
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://h/v1?api-key=q7w8e9r0t1y2", "query"),
        ("https://h/v1?", "query"),
        ("https://h/v1#sk", "fragment"),
        ("https://me:q7w8e9r0t1y2@h/v1", "password"),
        ("https://q7w8e9r0t1y2@h/v1", "password"),
        ("https://h/v1/sk-q7w8e9r0t1y2q7w8e9r0t1y2", "looks like a key"),
        ("https://h/%73k-q7w8e9r0t1y2q7w8e9r0t1y2/v1", "looks like a key"),
        ("https://good\\.evil/v1", "backslash"),
        ("https://h /v1", "white space"),
        ("https://bücher.example/v1", "outside ASCII"),
        ("https://ａpi.openai.com/v1", "outside ASCII"),
        ("https://h/v1\n", "white space"),
        ("https://good%2eevil/v1", "not an address"),
        ("https:///v1", "not an address"),
        ("ftp://h/v1", "not an address"),
        ("h:8000/v1", "not an address"),
        ("https://h:0/v1", "not an address"),
        ("https://h:99999/v1", "not an address"),
    ],
)
def test_an_address_that_is_refused(address: str, why: str):
    """What is secret, or read in two ways, is no address; the reason does not repeat it."""
    with pytest.raises(SetupError, match=why) as caught:
        origin_of(address)
    assert "q7w8e9r0t1y2" not in str(caught.value)


@given(st.text(st.sampled_from("aZ09.-_~:/@\\?#[]%&;, \t|<>\u00e9\u3002\uff0e\u200b"), max_size=24))
@example("good\\@evil/v1")
@example("good;@evil/v1")
@example("a\u3002b/v1")
@example("[::1]:80/v1")
@example("09.1")
@example("0.0.9/v1")
@example("h:080/v1")
def test_what_is_approved_is_what_is_connected_to(rest: str):
    """Whatever is accepted is read in the same way by all libraries that connect; what ours reads in another is refused."""
    address = f"https://{rest}"
    try:
        origin = origin_of(address)
    except SetupError:
        return
    client = openai.DefaultAsyncHttpxClient()
    asked = client.build_request("GET", address).url
    parts = urlsplit(address)
    host = asked.raw_host.decode().lower().strip("[]")
    assert origin == f"https://{f'[{host}]' if ':' in host else host}{f':{asked.port}' if asked.port else ''}"
    assert (parts.port or 443) == (asked.port or 443)
    assert host == parts.hostname
    with suppress(ModelError):
        HttpTransport(address, None, timeout=1.0)
        assert Url(address).origin_ascii == origin


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.0.0.1"])
def test_a_host_that_the_transport_reads_as_another_is_refused(host: str):
    """A number is an address to some libraries and a name to others."""
    with pytest.raises(ModelError, match="this is no address"):
        HttpTransport(f"http://{host}:8000/v1", None, timeout=1.0)


@pytest.mark.parametrize(
    ("origin", "here"),
    [
        ("http://localhost:8000", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:1", True),
        ("http://0.0.0.0:8000", True),
        ("https://127.0.0.1", True),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://evil.localhost", False),
        ("http://10.0.0.5", False),
        ("http://192.168.1.2:8000", False),
        ("http://box.local", False),
        ("http://0x7f.1", False),
    ],
)
def test_what_is_this_machine(origin: str, here: bool):
    """Only what no name server is asked for."""
    assert is_loopback(origin) is here
    assert in_clear(origin) is (not here and origin.startswith("http://"))
    assert not in_clear(origin.replace("http://", "https://"))


@pytest.mark.parametrize("address", ["https://me:password@hub.example", "https://hub.example?token=x"])
def test_the_address_of_the_hub_holds_no_secret(address: str, monkeypatch: pytest.MonkeyPatch):
    """`HF_ENDPOINT` is refused by its name."""
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(SetupError, match=r"HF_ENDPOINT (has a query|holds)"):
        hub_address()
