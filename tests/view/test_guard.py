"""`synth view`: who may ask. Links are good once, cookies are of no use to other servers, nothing secret is in a command line."""

from __future__ import annotations

import os
import re
import signal
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from view_support import Client, serving, viewing

from synth.view.guard import Links

POSIX = pytest.mark.skipif(os.name != "posix", reason="files of other processes are read in /proc")


def fresh(server: Popen[str]) -> Client:
    """A link that the command prints on Enter."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n")
    server.stdin.flush()
    return Client(server.stdout.readline().strip())


def test_a_link_is_good_once_and_the_terminal_gives_another(finished: Path):
    """A second browser with the same link is refused and told what to do; Enter prints a link that works, and keeps the first browser in."""
    with serving(finished, "--no-browser") as (server, address):
        first = Client(address)
        status, headers, _ = first.ask(f"/review?token={first.token}", Cookie=None)
        assert (status, headers["location"]) == (303, f"{first.root}/review")
        cookie, *flags = headers["set-cookie"].split("; ")
        assert set(flags) == {"HttpOnly", "SameSite=strict", f"Path={first.root}/"}
        first.cookie = cookie
        assert first.ask("/")[0] == 200
        for _ in range(2):
            status, headers, text = first.ask(f"/?token={first.token}", Cookie=None)
            assert (status, headers.get("set-cookie")) == (401, None)
            assert "good once" in text
            assert "press Enter in the terminal" in text
        assert first.ask(f"/?token={first.token}")[1]["location"] == f"{first.root}/"  # the browser that is in already
        second = fresh(server)
        assert second.token != first.token
        second.enter()
        assert second.ask("/")[0] == first.ask("/")[0] == 200


def test_a_link_that_nobody_used_ends(monkeypatch: pytest.MonkeyPatch):
    """After `LINK_SECONDS` a token is no longer good."""
    links = Links()
    early, late = links.new(), links.new()
    assert links.use(early)
    now = time.monotonic()
    monkeypatch.setattr("synth.view.guard.time.monotonic", lambda: now + 601)
    assert not links.use(late)
    assert links.use(links.new())
    assert len(links._good_until) == 0


def test_of_two_browsers_at_once_one_comes_in():
    """Twenty threads use one token: one is let in."""
    links = Links()
    for _ in range(50):
        token, ready = links.new(), threading.Barrier(20)

        def use(token: str = token, ready: threading.Barrier = ready) -> bool:
            ready.wait(10)
            return links.use(token)

        with ThreadPoolExecutor(20) as pool:
            assert sum(f.result() for f in [pool.submit(use) for _ in range(20)]) == 1


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/", {"Cookie": None}, 401),
        ("/", {"Cookie": "synth_1=x"}, 401),
        ("/?token=wrong", {"Cookie": None}, 401),
        ("/?token=%ED%A0%80", {"Cookie": None}, 401),
        ("/", {"Cookie": "synth_{port}=\xff"}, 401),
        ("/static/view.js", {"Cookie": None}, 401),
        ("/review/verdicts.jsonl", {"Cookie": None}, 401),
        ("/review", {"Cookie": None}, 401),
        ("/", {"Host": "evil.example"}, 421),
        ("/", {"Host": "127.0.0.1"}, 421),
        ("/", {"Host": "127.0.0.1:1"}, 421),
        ("/", {"Host": None}, 421),
        ("/", {"Origin": "http://evil.example"}, 403),
        ("/", {"Origin": "http://127.0.0.1:1"}, 403),
        ("/", {"Origin": "https://{host}"}, 403),
        ("/", {"Origin": "null"}, 403),
    ],
)
def test_only_this_browser_is_answered(served: Client, path: str, headers: dict[str, Any], status: int):
    """Other hosts, other origins, and requests without the cookie are refused; every reply has the policy of what pages may do."""
    port = served.host.split(":")[1]
    headers = {k: v and v.format(host=served.host, port=port) for k, v in headers.items()}
    found, replied, text = served.ask(path, **headers)
    assert found == status or (headers == {"Host": None} and found == 400)
    if found != 400:
        assert replied["content-security-policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert replied["x-content-type-options"] == "nosniff"
    assert "unsafe" not in replied.get("content-security-policy", "")
    assert served.token not in text


def test_the_cookie_alone_opens_nothing(served: Client):
    """Who stole a cookie but not the path, or the path but not the cookie, gets one and the same refusal."""
    wrong = "/" + "A" * (len(served.root) - 1)
    refusals = [
        served.ask_exactly(path)
        for path in ("/", "/review", "/static/view.js", f"{wrong}/", served.root, f"{served.root}x/")
    ]
    refusals.append(served.ask("/", Cookie=None))
    assert {status for status, _, _ in refusals} == {401}
    assert len({text for _, _, text in refusals}) == 1
    assert served.root not in refusals[0][2]


def test_a_cookie_that_another_server_planted_locks_nobody_out(served: Client):
    """Another server on this host can set a cookie of the same name; ours counts wherever it stands among them."""
    name = served.cookie.split("=")[0]
    for cookies in (
        f"{name}=planted; {served.cookie}",
        f"{served.cookie}; {name}=planted",
        f'{name}="; {served.cookie}',
    ):
        assert served.ask("/", Cookie=cookies)[0] == 200


def test_a_link_leads_nowhere_else(finished: Path):
    """A token that is given to another host opens nothing, and no path makes the redirection leave this server."""
    with serving(finished, "--no-browser") as (server, address):
        client = Client(address)
        assert client.ask(f"/?token={client.token}", Cookie=None, Host="evil.example")[0] == 421
        assert client.ask_exactly(f"//evil.example/?token={client.token}", Cookie=None)[0] == 401
        for path in ("//evil.example/", "/\\evil.example", "/x%0d%0aSet-Cookie:a=b", '/"><script>'):
            token = fresh(server).token
            status, headers, _ = client.ask(f"{path}?token={token}".replace('"', "%22"), Cookie=None)
            assert status == 303
            assert headers["location"].startswith(f"{client.root}/")
            assert not re.search(r'[\r\n<>"]', headers["location"])
            token = fresh(server).token
            status, _, text = client.ask(
                f"{path}?token={token}".replace('"', "%22"), Cookie=None, Sec_Fetch_Site="cross-site"
            )
            assert status == 200
            assert re.search(r'content="0; url=([^"]*)"', text)[1].startswith(f"{client.root}/")
            assert "<script" not in text


def test_forms_of_other_sites_are_refused(served: Client):
    """A form needs the cookie and an `Origin` that is ours."""
    body = urlencode({"target": "b2:x", "kind": "accept"})
    for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": f"http://{served.host}", "Cookie": None}):
        assert served.ask("/review/verdict", "POST", body, **headers)[0] in {401, 403}
    assert (
        served.ask("/review/verdict", "POST", body, Origin=f"http://{served.host}")[0] == 409
    )  # ours, and no such record
    assert served.ask("/review/verdict", "GET")[0] == 405
    assert served.ask("/review", "DELETE")[0] == 405
    assert (
        served.ask("/review/verdict", "POST", None, Origin=f"http://{served.host}", Content_Length=str(10**9))[0] == 403
    )


def test_every_link_of_every_page_stays_under_the_root(served: Client):
    """A link outside of it would lack the cookie: all pages are gone through, each link of a kind once."""
    waiting, seen = ["/", "/compare", "/record/b2:none"], set[str]()
    while waiting:
        path = waiting.pop()
        kind = re.sub(r"b2:[0-9a-f]+|\?.*", "", path)
        if kind in seen:
            continue
        seen.add(kind)
        status, headers, text = served.ask(path)
        assert status in {200, 303, 400, 404, 405}, path
        if status == 303:
            text = f'href="{headers["location"]}"'
        for link in re.findall(r'(?:href|action|data-load|src)="([^"]*)"', text):
            if not link.startswith(("#", "?", "data:")):
                assert link.startswith(f"{served.root}/"), f"{path}: {link}"
                waiting.append(unquote(link.removeprefix(served.root)).replace("&amp;", "&").replace(" ", "+"))
    assert {
        "/review/agreement",
        "/browse/rationales",
        "/facets/calls",
        "/figures/funnel",
        "/record/pairs/",
        "/static/view.js",
    } <= seen


def test_two_views_and_a_restart_keep_apart(finished: Path):
    """The cookie of one view is refused by another on the same machine, and by the next on the same port."""
    with serving(finished, "--no-browser") as (_, one), viewing(finished) as other:
        first, second = Client(one), Client(other)
        first.enter()
        second.enter()
        assert second.ask("/", Cookie=first.cookie)[0] == 401
        assert second.ask_exactly(f"{first.root}/", Cookie=first.cookie)[0] == 401
        assert second.ask(f"/?token={first.token}", Cookie=None)[0] == 401
        port = first.host.split(":")[1]
    with serving(finished, "--no-browser", "--port", port) as (_, again):
        third = Client(again)
        assert third.host == first.host
        assert first.ask("/")[0] == 401
        third.enter()
        assert third.ask("/")[0] == 200


@contextmanager
def launching(run: Path, folder: Path) -> Iterator[tuple[Popen[str], Client, Path]]:
    """`synth view` that opens a browser; gives the process, a client, and what the browser's launcher was given."""
    folder.mkdir()
    (folder / "xdg-open").write_text(
        f'#!/bin/sh\necho "$1" > {folder}/given.new\nmv {folder}/given.new {folder}/given\nsleep 10\n'
    )
    (folder / "xdg-open").chmod(0o755)
    temporary = folder / "tmp"
    temporary.mkdir()
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "DISPLAY": ":0", "TMPDIR": str(temporary)}
    with serving(run, env=env) as (server, address):
        until((folder / "given").exists)
        yield server, Client(address), Path((folder / "given").read_text().strip().removeprefix("file://"))


def until(happened: Any) -> None:
    """Return when it has happened."""
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@POSIX
def test_no_command_line_holds_a_secret(finished: Path, tmp_path: Path):
    """The browser's launcher is given a file only this user can read; it is gone once the link was used."""
    with launching(finished, tmp_path / "bin") as (_, client, file):
        secrets = (client.token.encode(), client.root.encode())
        lines = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(process.read_bytes())
            except OSError:  # it has ended
                continue
        assert any(b"xdg-open" in line and bytes(file) in line for line in lines)
        assert not [line for line in lines if any(secret in line for secret in secrets)]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert f"{client.root}/?token={client.token}" in file.read_text()
        client.enter()
        assert client.ask("/")[0] == 200
        assert not file.parent.exists()


@POSIX
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_link_that_nobody_used(finished: Path, tmp_path: Path, how: signal.Signals):
    """An interrupt and a termination remove the file of the link."""
    with launching(finished, tmp_path / "bin") as (server, _, file):
        assert file.exists()
        server.send_signal(how)
        assert server.wait(20) == (0 if how == signal.SIGINT else 128 + how)
        assert not file.parent.exists()


@POSIX
def test_a_view_without_a_terminal_or_in_the_background_serves(finished: Path):
    """The end of standard input ends no more than the printing of links."""
    with serving(finished, "--no-browser") as (server, address):
        assert server.stdin is not None
        server.stdin.close()
        client = Client(address)
        client.enter()
        time.sleep(0.2)
        assert client.ask("/")[0] == 200
        assert server.poll() is None


@contextmanager
def another_server() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """A server of somebody else on this machine; gives its port, and the path and cookies of each request."""
    got: list[tuple[str, str]] = []

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append((self.path, self.headers.get("Cookie", "")))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>another</title>")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, got
    finally:
        server.shutdown()
        server.server_close()


@POSIX
def test_a_browser_comes_in_by_the_file_and_other_servers_get_no_cookie(finished: Path, tmp_path: Path, browser: Any):
    """A real browser follows the file to the overview with a strict cookie; a server on another port of this host sees no cookie and no path."""
    with another_server() as (port, got), launching(finished, tmp_path / "bin") as (_, client, file):
        page = browser.new_context().new_page()
        page.goto(file.as_uri())
        page.wait_for_url(f"http://{client.host}{client.root}/")
        page.wait_for_selector("h1, h2")
        assert page.title()
        (cookie,) = page.context.cookies()
        assert (cookie["sameSite"], cookie["httpOnly"], cookie["path"]) == ("Strict", True, f"{client.root}/")
        for host in ("127.0.0.1", "localhost"):
            page.goto(f"http://{host}:{port}/review")
            page.evaluate("fetch('/fetched')")
        page.goto(f"http://{client.host}{client.root}/review")  # and from our pages to the other server
        page.evaluate("port => { location.href = `http://127.0.0.1:${port}/followed` }", port)
        page.wait_for_url("**/followed")
        assert page.evaluate("document.referrer") == ""
        assert {path for path, _ in got} >= {"/review", "/fetched", "/followed"}
        assert {cookies for _, cookies in got} == {""}
        # From there a page can neither read ours nor use it, although both are of one host.
        told = page.evaluate(
            """address => fetch(address, {credentials: 'include'}).then(r => r.text(), e => 'refused')""",
            f"http://{client.host}/",
        )
        assert told == "refused"
        page.goto(f"http://{client.host}{client.root}/")
        assert page.locator("header a.home").count() == 1
        page.goto(f"http://{client.host}{client.root}/?token={client.token}")  # it is in already
        assert page.url == f"http://{client.host}{client.root}/"
        stranger = browser.new_context().new_page()
        assert stranger.goto(f"http://{client.host}{client.root}/?token={client.token}").status == 401
        assert "press Enter" in stranger.content()
        stranger.context.close()
        page.context.close()
