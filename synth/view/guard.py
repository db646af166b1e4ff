"""Who may ask: only a browser that a link of ours let in, and only pages of ours.

A browser sends the cookies of a host to every port of it, so a cookie of `127.0.0.1` would reach every other server on this machine
that is visited. It does not send them to another path, however: all pages stand under a random one, and the cookie is of that
path. Another server cannot know it: pages of ours name it to no other origin (`Referrer-Policy`, `Cross-Origin-Opener-Policy`), and
it is in the address bar and on the terminal alone. Random host names (`NAME.localhost`) and addresses (127.x.y.z) part cookies
too, but Safari looks up no such name, macOS has no such address, and neither passes a forwarded port.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from html import escape
from urllib.parse import quote

from starlette.datastructures import Headers, QueryParams
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CSP", "LINK_SECONDS", "Guard", "Links", "forwarding_page"]

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
"""What pages may load and run: our own style sheet and script, nothing inline, nothing from elsewhere."""

LINK_SECONDS = 600.0
"""How long a link lets a browser in."""

_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, browsers send forms from nowhere (`Origin: null`)
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_MOST_BYTES = 4 * 2**20
_HOW = (
    "press Enter in the terminal where `synth view` runs: it prints a fresh link (without a terminal, start it again)\n"
)


class Links:
    """The tokens of links that let a browser in: each is good once, for `LINK_SECONDS`. Safe to use from any thread.

    Args:
        on_use: called when a token was used.
    """

    def __init__(self, on_use: Callable[[], None] = lambda: None) -> None:
        self._on_use = on_use
        self._lock = threading.Lock()
        self._good_until: dict[bytes, float] = {}
        """By the hash of the token, so that the time of a look-up says nothing of a token."""

    def new(self) -> str:
        """A token that nobody has used."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            now = time.monotonic()
            self._good_until = {k: until for k, until in self._good_until.items() if until > now}
            self._good_until[_hash(token)] = now + LINK_SECONDS
        return token

    def use(self, token: str) -> bool:
        """Whether this token was good; it no longer is."""
        with self._lock:
            good = self._good_until.pop(_hash(token), 0.0) > time.monotonic()
        if good:
            self._on_use()
        return good


class Guard:
    """Lets through what comes from the address it serves, with the cookie; adds the headers above to replies.

    Args:
        app: what is guarded.
        port: of loopback, where it is served.
        root: the path under which all pages are, `/` and a word nobody can guess.
        links: the tokens that are exchanged for a cookie (`?token=…`). No script and no other site can use the cookie, and no other
            server on this machine gets it.
    """

    def __init__(self, app: ASGIApp, port: int, root: str, links: Links) -> None:
        self._app = app
        self._links = links
        self._root = root
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"synth_{port}"
        self._secret = secrets.token_urlsafe(24)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                added = [
                    (k.lower().encode(), v.encode()) for k, v in _HEADERS.items() if k.lower().encode() not in known
                ]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        answer = self._own_answer(scope) or self._app
        await answer({**scope, "root_path": self._root}, receive, send_guarded)

    def _own_answer(self, scope: Scope) -> Response | None:
        """A refusal, or the exchange of a token; None for what the application answers."""
        headers = Headers(scope=scope)
        if headers.get("host") not in self._hosts:
            return PlainTextResponse("this server answers only to its own address\n", 421)
        origin = headers.get("origin")
        if origin is not None and origin.removeprefix("http://") != headers["host"]:
            return PlainTextResponse("requests from other sites are not answered\n", 403)
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return PlainTextResponse("GET and POST only\n", 405)
        if scope["method"] == "POST" and (origin is None or not 0 <= _length(headers) <= _MOST_BYTES):
            return PlainTextResponse("a form must come from a page of ours, with a length of at most 4 MB\n", 403)
        path: str = scope["path"]
        under_root = _equal(path[: len(self._root) + 1], f"{self._root}/")
        has_cookie = under_root and any(_equal(value, self._secret) for value in _cookies(headers, self._cookie))
        token = QueryParams(scope["query_string"]).get("token")
        if token is not None and under_root and scope["method"] == "GET":
            # Where the browser has the cookie already, it has followed this link before, or has fetched it ahead.
            if has_cookie or self._links.use(token):
                return self._enter(path, headers)
            return PlainTextResponse(
                f"this link is no longer good: each is good once, for {LINK_SECONDS / 60:.0f} minutes\n{_HOW}", 401
            )
        if not has_cookie:
            return PlainTextResponse(f"this page needs a link that `synth view` printed\n{_HOW}", 401)
        return None

    def _enter(self, path: str, headers: Headers) -> Response:
        """To the page, with the cookie; the token leaves the address at once, so that it stands in no history."""
        response: Response
        if headers.get("sec-fetch-site", "none") == "none":
            response = RedirectResponse(path, 303)
        else:  # From a file of ours. Browsers send no strict cookie on the redirection of a link that stands elsewhere.
            response = HTMLResponse(forwarding_page(quote(path)))
        response.set_cookie(self._cookie, self._secret, httponly=True, samesite="strict", path=f"{self._root}/")
        return response


def forwarding_page(address: str) -> str:
    """A page that leads to an address at once, without a script."""
    there = escape(address, quote=True)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>synth view</title>'
        f'<meta http-equiv="refresh" content="0; url={there}"><p><a href="{there}">to the pages of synth view</a></p></html>\n'
    )


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _equal(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _cookies(headers: Headers, name: str) -> list[str]:
    """All cookies of a name: another server of this host may have set one that goes before ours."""
    pairs = (pair.strip().partition("=") for value in headers.getlist("cookie") for pair in value.split(";"))
    return [value for key, _, value in pairs if key == name]


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "-1")
    return int(text) if text.isascii() and text.isdigit() else -1
