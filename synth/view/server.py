"""The pages of `synth view`."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zlib import crc32

import duckdb
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from synth.audit import agreement_of
from synth.errors import SetupError, SynthError, UserError
from synth.render.inert import plain
from synth.render.pages import asset, page
from synth.render.records import stories
from synth.render.summary import HUMAN, audits_of, figures_of, funnel_of, judges_of
from synth.store.columns import TABLES, columns
from synth.store.database import Store
from synth.store.invented import invented_in
from synth.store.manifest import read_manifest
from synth.view import compare, review
from synth.view.browse import LISTS, Asked, facets, find
from synth.view.guard import Guard, Links
from synth.view.lineage import opened, table_of
from synth.view.live import Counts, LiveRun

__all__ = ["Served", "serve"]

_ASSETS = {"style.css": ("text/css", "synth.render"), "view.js": ("text/javascript", "synth.view")}
"""Files that pages ask for: what they are, and whose."""

_FIGURES: Mapping[str, Callable[[Store], Any]] = {
    "invented": invented_in,
    "funnel": funnel_of,
    "figures": figures_of,
    "audits": audits_of,
    "judges": judges_of,
}
"""Parts of the overview, each fetched by itself, and what counts it."""
_SLOW = {"judges", "audits"}
"""Asked of another store than the others, which shall not wait for them."""


class Served:
    """What is shown: one run or two, and who judges.

    Args:
        run: the run.
        other: another to compare it with.
        me: under which name verdicts are written, from `reviewer_name`.
    """

    def __init__(self, run: Path, other: Path | None, me: str) -> None:
        self.run = LiveRun(run)
        self.other = LiveRun(other) if other is not None else None
        self._counts, self._slow_counts = Counts(run), Counts(run)
        self.me = me
        self.root = f"/{secrets.token_urlsafe(12)}"
        """The path under which all pages are; the cookie is of this path (`synth.view.guard`)."""
        self._mine: list[str] = []
        """What was judged since the start, in order, for undo."""

    def app(self) -> Starlette:
        """The application, not yet guarded."""
        pages: Mapping[str, tuple[str, Callable[[Request, dict[str, str]], Response]]] = {
            "/": ("GET", self._overview),
            "/figures/{part}": ("GET", self._figures),
            "/browse/{table}": ("GET", self._browse),
            "/facets/{table}": ("GET", self._facets),
            "/record/{id}": ("GET", self._find_record),
            "/record/{table}/{id}": ("GET", self._record),
            "/raw/{table}/{id}/{column}": ("GET", self._raw),
            "/review": ("GET", self._review),
            "/review/verdict": ("POST", self._verdict),
            "/review/undo": ("POST", self._undo),
            "/review/agreement": ("GET", self._agreement),
            "/review/verdicts.jsonl": ("GET", self._export),
            "/compare": ("GET", self._compare),
            "/compare/{id}": ("GET", self._compare_problem),
            "/static/{name}": ("GET", self._static),
        }
        routes = [Route(path, self._page(handler), methods=[method]) for path, (method, handler) in pages.items()]
        return Starlette(routes=routes, exception_handlers={404: self._not_found})

    def _page(self, handler: Callable[[Request, dict[str, str]], Response]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            given = dict(request.query_params)
            if request.method == "POST":
                body = (await request.body()).decode("utf-8", errors="replace")
                given = dict(parse_qsl(body, keep_blank_values=True))
            try:
                return await run_in_threadpool(handler, request, given)
            except SynthError as error:
                return self._message(
                    error.what, error.fix, 409 if isinstance(error, UserError) and request.method == "POST" else 400
                )
            except duckdb.InterruptException:
                return self._message("this took too long and was stopped", "narrow it: a facet, or a condition", 503)

        return answer

    async def _not_found(self, _request: Request, _error: Exception) -> Response:
        return self._message("there is no such page", None, 404)

    def _message(self, what: str, fix: str | None, status: int) -> Response:
        return self._html("message.html", status, what=what, fix=fix)

    def _html(self, template: str, status: int = 200, **values: Any) -> Response:
        names = {
            "root": self.root,
            "name": self.run.name,
            "other": self.other.name if self.other else None,
            "me": self.me.removeprefix("human:"),
        }
        return HTMLResponse(
            page(template, package="synth.view", **names, tables=list(LISTS), **values).encode(
                "utf-8", errors="replace"
            ),
            status,
        )

    def _static(self, request: Request, _given: dict[str, str]) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            return self._message("there is no such page", None, 404)
        kind, package = _ASSETS[name]
        return Response(asset(name, package), media_type=kind)

    def _overview(self, _request: Request, _given: dict[str, str]) -> Response:
        return self._html("overview.html", here="overview", manifest=read_manifest(self.run.run), parts_=list(_FIGURES))

    def _figures(self, request: Request, _given: dict[str, str]) -> Response:
        part = request.path_params["part"]
        if part not in _FIGURES:
            return self._message("there is no such page", None, 404)
        counts = self._slow_counts if part in _SLOW else self._counts
        return self._html("figures.html", part=part, counted=counts.of(part, _FIGURES[part]))

    # Lists and records

    def _asked(self, request: Request, given: dict[str, str]) -> Asked:
        table = request.path_params["table"]
        if table not in LISTS:
            raise UserError("there is no such table", fix="choose one of the menu")
        chosen = tuple((name, given[name]) for name in LISTS[table].facets if given.get(name))
        return Asked(
            table,
            given.get("q", "").strip(),
            given.get("where", ""),
            chosen,
            given.get("sort", ""),
            given.get("after", ""),
        )

    def _browse(self, request: Request, given: dict[str, str]) -> Response:
        asked = self._asked(request, given)
        found, wrong = None, None
        with self.run.open() as store:
            try:
                found = find(store, asked, self.run.asker)
            except UserError as error:
                wrong = error
        query = {k: v for k, v in given.items() if v and k != "after"}
        following = urlencode({**query, "after": found.after}) if found is not None and found.after else None
        return self._html(
            "browse.html",
            400 if wrong else 200,
            here=asked.table,
            asked=asked,
            found=found,
            wrong=wrong,
            facet_names=list(LISTS[asked.table].facets),
            columns=list(columns(TABLES[asked.table])),
            query=urlencode(query),
            following=following,
            without=lambda name: urlencode({k: v for k, v in query.items() if k != name}),
        )

    def _facets(self, request: Request, given: dict[str, str]) -> Response:
        asked = self._asked(request, given)
        total, found = self._counts.of(repr(asked), lambda store: facets(store, asked, self._counts.asker))
        query = {k: v for k, v in given.items() if v and k != "after"}
        return self._html(
            "facets.html",
            asked=asked,
            total=total,
            facets=found,
            having=lambda name, value: urlencode({**query, name: value}),
        )

    def _find_record(self, request: Request, _given: dict[str, str]) -> Response:
        record = request.path_params["id"]
        with self.run.open() as store:
            table = table_of(store, record)
        if table is None:
            return self._message(
                "there is no such record", "it may be of another run, or of a unit that was done again", 404
            )
        return RedirectResponse(f"{self.root}/record/{table}/{record}", 303)

    def _record(self, request: Request, _given: dict[str, str]) -> Response:
        table, record = request.path_params["table"], request.path_params["id"]
        with self.run.open() as store:
            found = opened(store, table, record) if table in TABLES else None
        if found is None:
            return self._message(
                "there is no such record", "it may be of another run, or of a unit that was done again", 404
            )
        return self._html("record.html", here=table, o=found)

    def _raw(self, request: Request, _given: dict[str, str]) -> Response:
        table, record, column = (request.path_params[n] for n in ("table", "id", "column"))
        if table not in TABLES or column not in columns(TABLES[table]):
            return self._message("there is no such column", None, 404)
        with self.run.open() as store:
            row = store.sql(f'SELECT "{column}"::VARCHAR FROM "{table}" WHERE id = ? LIMIT 1', [record]).fetchone()
        if row is None:
            return self._message("there is no such record", None, 404)
        return PlainTextResponse(
            plain(row[0]).encode("utf-8", errors="replace"),
            headers={"Content-Security-Policy": "sandbox; default-src 'none'"},
        )

    # Manual review

    def _review(self, _request: Request, given: dict[str, str]) -> Response:
        order = given.get("queue", "disagreement")
        state = given.get("state", "")
        target = given.get("target")
        table = given["of"] if given.get("of") in review.JUDGED else "rationales"
        at = int(given.get("at", "0")) if given.get("at", "0").isascii() and given.get("at", "0").isdigit() else 0
        with self.run.open() as store:
            if target is not None:
                table = review.judged_table(store, target) or table
            waiting = review.queue(store, order, state, self.me, table)
            if target is None and waiting:
                at = min(at, len(waiting) - 1)
                target = waiting[at]
            o = opened(store, table, target) if target is not None else None
            done = store.sql(
                "SELECT count(DISTINCT target) FROM human_verdicts WHERE reviewer = ?", [self.me]
            ).fetchone()
            mine = store.rows(
                "SELECT verdict, comment FROM human_verdicts WHERE reviewer = ? AND target = ?", [self.me, target]
            )
        if given.get("target") is not None and o is None:
            return self._message("there is no such record", "rationales and pairs are judged", 404)
        return self._html(
            "review.html",
            here="review",
            o=o,
            at=at,
            order=order,
            state=state,
            table=table,
            tables_=review.JUDGED,
            turned=target is not None and crc32(target.encode()) % 2 == 1,
            alone=given.get("target") is not None,
            waiting=len(waiting),
            done=done[0] if done else 0,
            queues=review.QUEUES,
            mine=mine,
            can_undo=bool(self._mine),
            editing="edit" in given,
            said=given.get("said", ""),
        )

    def _verdict(self, _request: Request, given: dict[str, str]) -> Response:
        target, kind = given.get("target", ""), given.get("kind", "")
        with self.run.open() as store:
            words = (given.get("comment", ""), given.get("response", ""), given.get("answer", ""))
            records = review.records_of_verdict(store, target, self.me, kind, *words)
        with self.run.alone():
            review.write(self.run.run, self.me, target, records)
        self._mine.append(target)
        said = {
            "accept": "accepted",
            "reject": "rejected",
            "edit": "revised",
            "reverse": "reversed",
            "comment": "commented",
        }[kind]
        return RedirectResponse(f"{self.root}/review?{urlencode({**self._place(given), 'said': said})}", 303)

    def _place(self, given: dict[str, str]) -> dict[str, str]:
        """Where in which queue somebody was."""
        return {k: given[k] for k in ("queue", "state", "of", "at") if given.get(k)}

    def _undo(self, _request: Request, given: dict[str, str]) -> Response:
        target = given.get("target") or (self._mine[-1] if self._mine else "")
        if not target:
            raise UserError("there is nothing to undo", fix="open a record you judged and withdraw the verdict there")
        with self.run.alone():
            review.withdraw(self.run.run, self.me, target)
        self._mine = [t for t in self._mine if t != target]
        return RedirectResponse(
            f"{self.root}/review?{urlencode({'target': target, 'said': 'withdrawn', **self._place(given)})}", 303
        )

    def _agreement(self, _request: Request, _given: dict[str, str]) -> Response:
        with self.run.open() as store:
            people = agreement_of(store, HUMAN)
            rows = store.rows(
                "SELECT reviewer, verdict, count(*) AS n FROM human_verdicts GROUP BY ALL ORDER BY ALL",
            )
            programs = store.rows(
                """SELECT h.judge AS person, s.name AS score, s.judge AS judge, count(*) AS both,
                avg((h.value = CASE WHEN s.label = 'accepted' THEN 1 WHEN s.label = 'rejected' THEN 0 ELSE s.value END)::INT) AS equal
                FROM scores h JOIN scores s ON s.target = h.target AND s.part IS NULL
                WHERE h.name = 'human' AND h.value IS NOT NULL AND s.name <> 'human' AND (s.value IN (0, 1) OR s.label IN ('accepted', 'rejected'))
                GROUP BY ALL ORDER BY ALL"""
            )
        return self._html("agreement.html", here="review", people=people, rows=rows, programs=programs)

    def _export(self, _request: Request, _given: dict[str, str]) -> Response:
        with self.run.open() as store:
            rows = review.verdicts_of(store)
        text = "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
        named = {"Content-Disposition": 'attachment; filename="verdicts.jsonl"'}
        return Response(text.encode("utf-8", errors="replace"), media_type="application/x-ndjson", headers=named)

    # Two runs

    @contextmanager
    def _both(self) -> Iterator[tuple[Store, Store]]:
        if self.other is None:
            raise UserError("there is one run only", fix="synth view RUN RUN2 shows two beside each other")
        with ExitStack() as stack:
            yield stack.enter_context(self.run.open()), stack.enter_context(self.other.open())

    def _compare(self, _request: Request, given: dict[str, str]) -> Response:
        only = given.get("only", "")
        with self._both() as (left, right):
            rows, total = compare.differing(left, right, only, given.get("after", ""))
            groups = compare.totals(left, right)
        following = urlencode({"only": only, "after": rows[-1].id}) if len(rows) == compare.PAGE else None
        return self._html(
            "compare.html",
            here="compare",
            groups=groups,
            rows=rows,
            total=total,
            only=only,
            choices=compare.ONLY,
            following=following,
        )

    def _compare_problem(self, request: Request, _given: dict[str, str]) -> Response:
        problem = request.path_params["id"]
        with self._both() as both:
            found = [
                stories(
                    s,
                    [
                        i
                        for (i,) in s.sql(
                            "SELECT id FROM rationales WHERE problem = ? ORDER BY id LIMIT 40", [problem]
                        ).fetchall()
                    ],
                )
                for s in both
            ]
            known = both[0].rows("SELECT * FROM problems WHERE id = ? LIMIT 1", [problem])
        if not known:
            return self._message("there is no such problem", None, 404)
        return self._html("compare_problem.html", here="compare", problem=known[0], left=found[0], right=found[1])

    def close(self) -> None:
        """Let go of the files."""
        for run in (self.run, self.other, self._counts, self._slow_counts):
            if run is not None:
                run.close()


def serve(
    served: Served, port: int, on_ready: Callable[[Callable[[], str]], None], on_enter: Callable[[], None]
) -> None:
    """Serve on loopback until interrupted.

    Args:
        served: what is shown.
        port: 0 for any that is free.
        on_ready: called once it listens, with a function that gives a link: an address that lets one browser in.
        on_enter: called when a link was used.

    Raises:
        SetupError: the port is taken.
    """
    listening = socket.socket()
    try:
        if (
            os.name == "posix"
        ):  # where it is to say "also just after an end"; on Windows it would let others take the port too
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise SetupError(
            f"port {port} of this machine cannot be used: {error.strerror}", fix="give another with --port, or none"
        ) from error
    at: int = listening.getsockname()[1]
    links = Links(on_enter)
    app: ASGIApp = Guard(served.app(), at, served.root, links)
    config = uvicorn.Config(
        app, access_log=False, log_level="critical", lifespan="off", server_header=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    try:
        with _ending(server):
            # It listens already: what the browser asks meanwhile waits.
            on_ready(lambda: f"http://127.0.0.1:{at}{served.root}/?token={links.new()}")
            server.run(sockets=[listening])
    finally:
        listening.close()
        served.close()


@contextmanager
def _ending(server: uvicorn.Server) -> Iterator[None]:
    """Interrupts and terminations end the server, from now on; they are raised again when it has ended.

    An exception out of a signal handler is lost where it meets a callback of C code, such as of a loop that starts: a server that is
    interrupted at that moment would serve on. A flag is not lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if seen:
        signal.raise_signal(seen[-1])
