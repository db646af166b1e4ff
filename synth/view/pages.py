"""The pages of `synth view`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from synth.errors import UserError
from synth.render.inert import plain
from synth.render.pages import asset
from synth.render.records import stories
from synth.render.summary import audits_of, figures_of, funnel_of, judges_of
from synth.store.columns import TABLES, columns
from synth.store.database import Store
from synth.store.invented import invented_in
from synth.store.manifest import read_manifest
from synth.view import compare
from synth.view.browse import LISTS, Asked, facets, find
from synth.view.frame import Frame
from synth.view.lineage import opened, table_of
from synth.view.live import Counts, LiveRun
from synth.view.review_pages import ReviewPages

__all__ = ["Served"]

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
        self._frame = Frame(self.run.name, self.other.name if self.other else None, me)
        self._review = ReviewPages(self.run, me, self._frame)
        self.root = self._frame.root
        """The path under which all pages are."""

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
            "/review": ("GET", self._review.review),
            "/review/verdict": ("POST", self._review.verdict),
            "/review/undo": ("POST", self._review.undo),
            "/review/agreement": ("GET", self._review.agreement),
            "/review/verdicts.jsonl": ("GET", self._review.export),
            "/compare": ("GET", self._compare),
            "/compare/{id}": ("GET", self._compare_problem),
            "/static/{name}": ("GET", self._static),
        }
        routes = [
            Route(path, self._frame.answering(handler), methods=[method]) for path, (method, handler) in pages.items()
        ]
        return Starlette(routes=routes, exception_handlers={404: self._not_found})

    async def _not_found(self, _request: Request, _error: Exception) -> Response:
        return self._frame.message("there is no such page", None, 404)

    def _static(self, request: Request, _given: dict[str, str]) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            return self._frame.message("there is no such page", None, 404)
        kind, package = _ASSETS[name]
        return Response(asset(name, package), media_type=kind)

    def _overview(self, _request: Request, _given: dict[str, str]) -> Response:
        return self._frame.html(
            "overview.html", here="overview", manifest=read_manifest(self.run.run), parts_=list(_FIGURES)
        )

    def _figures(self, request: Request, _given: dict[str, str]) -> Response:
        part = request.path_params["part"]
        if part not in _FIGURES:
            return self._frame.message("there is no such page", None, 404)
        counts = self._slow_counts if part in _SLOW else self._counts
        return self._frame.html("figures.html", part=part, counted=counts.of(part, _FIGURES[part]))

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
        return self._frame.html(
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
        return self._frame.html(
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
            return self._frame.message(
                "there is no such record", "it may be of another run, or of a unit that was done again", 404
            )
        return RedirectResponse(f"{self.root}/record/{table}/{record}", 303)

    def _record(self, request: Request, _given: dict[str, str]) -> Response:
        table, record = request.path_params["table"], request.path_params["id"]
        with self.run.open() as store:
            found = opened(store, table, record) if table in TABLES else None
        if found is None:
            return self._frame.message(
                "there is no such record", "it may be of another run, or of a unit that was done again", 404
            )
        return self._frame.html("record.html", here=table, o=found)

    def _raw(self, request: Request, _given: dict[str, str]) -> Response:
        table, record, column = (request.path_params[n] for n in ("table", "id", "column"))
        if table not in TABLES or column not in columns(TABLES[table]):
            return self._frame.message("there is no such column", None, 404)
        with self.run.open() as store:
            row = store.sql(f'SELECT "{column}"::VARCHAR FROM "{table}" WHERE id = ? LIMIT 1', [record]).fetchone()
        if row is None:
            return self._frame.message("there is no such record", None, 404)
        return PlainTextResponse(
            plain(row[0]).encode("utf-8", errors="replace"),
            headers={"Content-Security-Policy": "sandbox; default-src 'none'"},
        )

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
        return self._frame.html(
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
            return self._frame.message("there is no such problem", None, 404)
        return self._frame.html("compare_problem.html", here="compare", problem=known[0], left=found[0], right=found[1])

    def close(self) -> None:
        """Let go of the files."""
        for run in (self.run, self.other, self._counts, self._slow_counts):
            if run is not None:
                run.close()
