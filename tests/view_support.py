"""What the tests of pages share: hostile words, a run of given records, a served run, a client."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from forks import MAIN, python

from synth.records import Call, UnitRecord
from synth.store.journal import Journal
from synth.store.manifest import Manifest
from synth.store.run_folder import RunFolder

HOSTILE = (
    "<script>window.ran=1;alert(1)</script><img src=//evil.example/x onerror=window.ran=1><svg onload=alert(1)></svg>"
    '" onmouseover="window.ran=1" x=\'</textarea></title></style></details><iframe src=//evil.example></iframe>'
    "<a href=javascript:alert(1)>x</a>\x1b[31mred\x1b]0;owned\x07 \u202egnp.exe\u202c \x9b2J {{ 7*7 }} {% raw %} '); DROP TABLE rationales; --"
)
"""What a model may say."""


def write_run(run: Path, records: Sequence[UnitRecord], calls: Sequence[Call], name: str = "test/made") -> Path:
    """A run with these records, one commit a unit, as the engine writes it."""
    folder = RunFolder(
        run,
        Manifest.of(
            pipeline=name,
            synth="0",
            source={"name": name, "mapping": {}},
            models={"teacher": [[name, name, name, {}]]},
        ),
    )
    journal = Journal(run / "journal")
    for call in calls:
        journal.append("call", call.model_dump_json(exclude_none=True).encode())
    for unit in dict.fromkeys(r.unit for r in records):
        tables: dict[str, list[Any]] = {}
        for record in records:
            if record.unit == unit:
                tables.setdefault(record.table, []).append(record.model_dump(mode="json", exclude_none=True))
        journal.append("commit", orjson.dumps({"owner": unit, "fingerprint": "f", "records": tables}))
    journal.close()
    folder.close()
    return run


@contextmanager
def serving(*words: str | Path, env: Mapping[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`synth view` in a process of its own, whose standard input is a pipe; gives the process and the link it prints."""
    pipe = subprocess.PIPE
    server = python(MAIN, "view", *words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    try:
        address = server.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), server.stderr.read()
        server.stdout.readline()
        yield server, address
    finally:
        server.kill()
        server.wait()
        for stream in (server.stdin, server.stdout, server.stderr):
            stream.close()


@contextmanager
def viewing(*words: str | Path) -> Iterator[str]:
    """`synth view` without a browser, ended by an interrupt; gives the link it prints."""
    with serving(*words, "--no-browser") as (server, address):
        yield address
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
        assert server.stderr is not None
        assert server.stderr.read() == ""


class Client:
    """A browser without a window."""

    def __init__(self, address: str) -> None:
        self.host, self.root, self.token = re.fullmatch(r"http://([^/]+)(/[\w-]+)/\?token=(.+)", address).groups()
        self.cookie = ""

    def ask(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str | None
    ) -> tuple[int, dict[str, str], str]:
        """What is replied for a path under the root of all pages."""
        return self.ask_exactly(self.root + path, method, body, **headers)

    def ask_exactly(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str | None
    ) -> tuple[int, dict[str, str], str]:
        """What is replied for a path as it stands."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        own: dict[str, str | None] = {
            "Host": self.host,
            "Cookie": self.cookie,
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        connection.putrequest(method, path, skip_host=True)
        for name, value in own.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() if body is not None else None)
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, text

    def enter(self) -> None:
        _, headers, _ = self.ask(f"/?token={self.token}", Cookie=None)
        self.cookie = headers["set-cookie"].split(";")[0]
