"""Who may ask: only this browser, with the token, and only pages of ours."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CSP", "Guard"]

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
"""What pages may load and run: our own style sheet and script, nothing inline, nothing from elsewhere."""

_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, browsers send forms from nowhere (`Origin: null`)
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_MOST_BYTES = 4 * 2**20


class Guard:
    """Lets through what comes from the address it was told to serve, with the token; adds the headers above to replies.

    Args:
        app: what is guarded.
        port: of loopback, where it is served.
        token: given once in the address (`?token=…`), then kept in a cookie no script and no other site can use.
    """

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"synth_{port}"

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

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
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
        query = QueryParams(scope["query_string"])
        given = query.get("token")
        if given is not None and scope["method"] == "GET" and self._is_token(given):
            # The token leaves the address at once, so that it stands in no history and is shown to nobody.
            response = RedirectResponse(
                scope["path"] if scope["path"].startswith("/") and scope["path"][1:2] not in "/\\" else "/", 303
            )
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
            return response
        if not self._is_token(Request(scope).cookies.get(self._cookie, "")):
            return PlainTextResponse(
                "open the address that `synth view` printed: it has the token this page needs\n", 401
            )
        return None

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "-1")
    return int(text) if text.isascii() and text.isdigit() else -1
