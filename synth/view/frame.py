"""What all pages of `synth view` have: the address, the names in the head, and how errors are shown."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import duckdb
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from synth.errors import SynthError, UserError
from synth.render.pages import page
from synth.view.browse import LISTS

__all__ = ["Frame"]


class Frame:
    """Makes pages.

    Args:
        name: of the run.
        other: of the run it is compared with.
        me: who judges.
    """

    def __init__(self, name: str, other: str | None, me: str) -> None:
        self._names = {"name": name, "other": other, "me": me.removeprefix("human:")}
        self.root = f"/{secrets.token_urlsafe(12)}"
        """The path under which all pages are; the cookie is of this path (`synth.view.guard`)."""

    def answering(self, handler: Callable[[Request, dict[str, str]], Response]) -> Callable[[Request], Any]:
        """A handler as the application calls it: in a thread, with what was given, and errors as pages."""

        async def answer(request: Request) -> Response:
            given = dict(request.query_params)
            if request.method == "POST":
                body = (await request.body()).decode("utf-8", errors="replace")
                given = dict(parse_qsl(body, keep_blank_values=True))
            try:
                return await run_in_threadpool(handler, request, given)
            except SynthError as error:
                return self.message(
                    error.what, error.fix, 409 if isinstance(error, UserError) and request.method == "POST" else 400
                )
            except duckdb.InterruptException:
                return self.message("this took too long and was stopped", "narrow it: a facet, or a condition", 503)

        return answer

    def message(self, what: str, fix: str | None, status: int) -> Response:
        """A page that says something, with this status of HTTP."""
        return self.html("message.html", status, what=what, fix=fix)

    def html(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page from a template of this package."""
        shown = page(template, package="synth.view", root=self.root, **self._names, tables=list(LISTS), **values)
        return HTMLResponse(shown.encode("utf-8", errors="replace"), status)
