"""What is published, and the token, go to the Hub that was named and to no other host."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from aiohttp import web
from hub_server import TOKEN, FakeHub, fake_hub

import synth
from synth.errors import SetupError, SynthError

STEPS = ("whoami", "repos/create", "preupload", "info/lfs", "large/", "commit")


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
@pytest.mark.parametrize(
    ("what", "status"), [*product(STEPS, (302, 307)), *product(("large/", "commit"), (301, 303, 308))]
)
def test_a_redirect_takes_neither_token_nor_rows_along(hub: FakeHub, mine: Path, what: str, status: int):
    """Whichever request of a push is sent on to another host, that host gets no token and no content."""
    with fake_hub() as stranger:
        stranger.fault = lambda *_: web.json_response({"error": "no"}, status=404)

        def send_on(method: str, path: str) -> web.Response | None:
            if what not in path or (method == "GET" and what != "whoami"):
                return None
            return web.Response(status=status, headers={"Location": f"{stranger.url}{path}"})

        hub.fault = send_on
        with pytest.raises(SynthError):
            synth.push(mine, "me/it", "sft", license="cc-by-4.0", ignore_audits=True)
    assert any(what in path for _, path in hub.seen)
    there = b"".join(stranger.received)
    assert TOKEN.encode() not in there
    assert b"PAR1" not in there  # how Parquet begins
    assert b"sft" not in there


def test_another_hub_is_approved_first(hub: FakeHub, mine: Path, monkeypatch: pytest.MonkeyPatch):
    """From Python: the error names the parameter, and nothing was sent; with it the host is approved and asked."""
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.invalid")
    with pytest.raises(SetupError, match=r"key HF_TOKEN → https://mirror\.invalid, from HF_ENDPOINT") as caught:
        synth.push(mine, "me/it", "sft")
    assert "approve=True" in str(caught.value)
    with pytest.raises(SetupError, match="cannot be reached"):
        synth.push(mine, "me/it", "sft", approve=True)
    assert hub.seen == []
