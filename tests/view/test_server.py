"""`synth view`: what lists find, records with their lineage; all inert in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from support import ask
from support import synth as command
from view_support import HOSTILE, Client, viewing

from synth.errors import UserError
from synth.store.apart import Asker
from synth.store.database import open_store
from synth.store.materialize import materialize
from synth.view.browse import LISTS, PAGE, Asked, facets, find


@pytest.fixture(scope="module")
def asker(finished: Path) -> Iterator[Asker]:
    with Asker(finished) as asker:
        yield asker


def test_it_listens_on_loopback_only(served: Client):
    port = int(served.host.split(":")[1])
    rows = (
        [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if Path("/proc/net/tcp").exists()
        else []
    )
    at = [row[1] for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "0A"]
    assert not rows or at == [f"0100007F:{port:04X}"]


def test_lists_find_what_sql_finds(finished: Path, asker: Asker):
    with open_store(finished) as store:
        for asked, same in (
            (Asked("rationales"), "true"),
            (Asked("rationales", where="score_correct = 1 AND kept"), "score_correct = 1 AND kept"),
            (Asked("rationales", where="gold = '5' OR question ILIKE '%pen%'"), "gold = '5' OR question ILIKE '%pen%'"),
            (
                Asked("rationales", where="label_correct = 'wrong' AND rejected_by LIKE 'right%'"),
                "label_correct = 'wrong' AND rejected_by LIKE 'right%'",
            ),
            (Asked("rationales", words="THE"), "contains(lower(response), 'the')"),
            (Asked("rationales", chosen=(("state", "out"),)), "NOT kept"),
            (
                Asked("rationales", chosen=(("rule", "right: score.correct"), ("step", "sample"))),
                "rejected_by = 'right: score.correct'",
            ),
        ):
            wanted = {i for (i,) in store.sql(f"SELECT id FROM wide_rationales WHERE {same}").fetchall()}
            assert {r["id"] for r in find(store, asked, asker).rows} == wanted
            total, found = facets(store, asked, asker)
            assert total == len(wanted)
            states = dict(next((f.values for f in found if f.name == "state"), []))
            assert sum(states.values()) == total
        for table in LISTS:
            n = store.sql(f"SELECT count(*) FROM {table}").fetchone()[0]
            assert len(find(store, Asked(table), asker).rows) == min(n, PAGE)
            assert facets(store, Asked(table), asker)[0] == n


@pytest.mark.parametrize("sort", ["", "problem", "longest", "shortest"])
def test_pages_have_each_row_once(finished: Path, asker: Asker, sort: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("synth.view.browse.PAGE", 7)
    monkeypatch.setattr("synth.view.browse._PARTS", 6)  # of which a page fills some and not others
    seen: list[str] = []
    with open_store(finished) as store:
        after: str | None = ""
        while after is not None:
            rows, after = find(store, Asked("rationales", sort=sort, after=after), asker)
            seen += [r["id"] for r in rows]
        assert len(seen) == len(set(seen)) == 48
        lengths = dict(store.sql("SELECT id, length(reasoning) FROM rationales").fetchall())
    if sort == "longest":
        assert [lengths[i] for i in seen] == sorted(lengths.values(), reverse=True)


@pytest.mark.parametrize(
    "where",
    [
        "1=1); DROP VIEW problems; --",
        "true) ; ATTACH '/tmp/x.duckdb' AS x; SELECT (1",
        "id IN (SELECT content FROM read_text('/etc/passwd'))",
        "id = (SELECT 1 FROM '/etc/passwd')",
        "(COPY problems TO '/tmp/stolen.csv')",
        "1 = 1; INSTALL httpfs",
        "nonsense(",
        "true) UNION SELECT id FROM (FROM problems",
        "1) OR (1",
        "1=1) LIMIT 1 OFFSET (0",
        "true /*",
        "$1 = 'x'",
        "EXISTS (FROM json_execute_serialized_sql(json_serialize_sql('FROM ''/etc/passwd''')))",
        "EXISTS (WITH x AS (DELETE FROM tail.problems RETURNING *) FROM x)",
        "no_such_column = 1",
        "",
    ],
)
def test_a_condition_only_asks(finished: Path, asker: Asker, where: str):
    with open_store(finished) as store:
        if where:
            with pytest.raises(UserError):
                find(store, Asked("rationales", where=where), asker)
        assert len(find(store, Asked("problems"), asker).rows) == 12


def test_overview_is_counted_once_and_again_when_the_run_has_grown(tmp_path: Path):
    from view_support import write_run

    from synth.records import Problem
    from synth.view.live import Counts

    counts = Counts(write_run(tmp_path / "r", [Problem.root(question="one")], []))
    asked: list[str] = []

    def problems(store: Any) -> int:
        asked.append("n")
        return int(store.sql("SELECT count(*) FROM problems").fetchone()[0])

    assert [counts.of("n", problems), counts.of("n", problems)] == [1, 1]
    assert counts.of("n2", problems) == 1
    assert len(asked) == 2
    write_run(tmp_path / "r", [Problem.root(question="two")], [], "test/made")
    assert counts.of("n", problems) == 2  # at once, however lately the store was opened
    assert len(asked) == 3
    counts.close()


def test_lists_do_not_wait_for_what_is_counted(finished: Path):
    import threading

    from synth.view.pages import Served

    served = Served(finished, None, "human:Ann")
    begun, go_on = threading.Event(), threading.Event()

    def count(_store: Any) -> None:
        begun.set()
        assert go_on.wait(30)

    counting = threading.Thread(target=served._slow_counts.of, args=("audits", count))
    counting.start()
    assert begun.wait(30)
    with served.run.open() as store:
        assert len(find(store, Asked("problems"), served.run.asker).rows) == 12
    assert served._counts.of("n", lambda store: facets(store, Asked("problems"), served._counts.asker))[0] == 12
    assert counting.is_alive()
    go_on.set()
    counting.join()
    served.close()


def test_what_pages_count_is_stopped_too(finished: Path, monkeypatch: pytest.MonkeyPatch):
    """A question of ours is interrupted after `QUESTION_SECONDS`."""
    import duckdb

    from synth.view.live import LiveRun

    monkeypatch.setattr("synth.view.live.QUESTION_SECONDS", 0.3)
    live = LiveRun(finished)
    with live.open() as store, pytest.raises(duckdb.InterruptException):
        store.sql("SELECT count(*) FROM range(1000000000000) a, range(1000) b").fetchall()
    live.close()


def test_the_end_does_not_wait_for_what_is_counted(finished: Path):
    import threading

    import duckdb

    from synth.view.live import Counts

    counts, begun, ended = Counts(finished), threading.Event(), list[str]()

    def endless(store: Any) -> None:
        begun.set()
        store.sql("SELECT count(*) FROM range(1000000000000) a, range(1000) b").fetchall()

    def count() -> None:
        try:
            counts.of("endless", endless)
        except duckdb.InterruptException:
            ended.append("interrupted")

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    assert begun.wait(30)
    counts.close()
    counting.join(30)
    assert ended == ["interrupted"]


@pytest.mark.parametrize(
    "where",
    [
        "(SELECT count(*) FROM range(1000000000000) a, range(1000) b) > 0",
        "length(repeat('a', 3000000000)) > 0",  # in one call, which DuckDB does not interrupt
    ],
)
def test_a_condition_that_never_ends_is_stopped(finished: Path, monkeypatch: pytest.MonkeyPatch, where: str):
    """After `CONDITION_SECONDS` its process is killed; the next condition is answered."""
    from synth.view.live import LiveRun

    monkeypatch.setattr("synth.view.live.CONDITION_SECONDS", 0.5)
    live = LiveRun(finished)
    with live.open() as store:
        find(store, Asked("rationales", where="true"), live.asker)  # so that the process runs
        begun = time.monotonic()
        with pytest.raises(UserError, match="too long"):
            find(store, Asked("rationales", where=where), live.asker)
        assert time.monotonic() - begun < 5
        assert find(store, Asked("rationales", where="true"), live.asker).rows
    live.close()


def test_wrong_conditions_and_places_are_reported(served: Client):
    status, _, text = served.ask("/browse/rationales?where=" + quote("<b>nope</b> ="))
    assert status == 400
    assert "DuckDB says" in text
    assert "<b>nope" not in text
    for path in (
        "/browse/nothing",
        "/record/b2:none",
        "/record/problems/b2:none",
        "/raw/calls/x/nope",
        "/static/base.html",
        "/compare",
        "/review?target=b2:no",
        "/browse/problems?after=x",
    ):
        status, _, text = served.ask(path)
        assert status in {400, 404}, path
        assert "Traceback" not in text


def test_a_record_shows_its_lineage(served: Client, finished: Path):
    ((pair, chosen, call, problem, question),) = ask(
        finished,
        """SELECT a.id, a.chosen, r.call, a.problem, p.question FROM pairs a JOIN rationales r ON r.id = a.chosen
        JOIN problems p ON p.id = a.problem ORDER BY a.id LIMIT 1""",
    )
    _, _, text = served.ask(f"/record/rationales/{chosen}")
    for link in (f"/record/problems/{problem}", f"/record/calls/{call}", f"/record/pairs/{pair}"):
        assert f'href="{served.root}{link}"' in text
    assert text.count("reply, as it came") == 1
    assert question[:20] in text
    assert served.ask(f"/record/{chosen}")[1]["location"] == f"{served.root}/record/rationales/{chosen}"
    _, headers, raw = served.ask(f"/raw/calls/{call}/messages")
    assert headers["content-type"].startswith("text/plain")
    assert json.loads(raw)


def test_the_page_grows_with_a_run_at_work(tmp_path: Path):
    from view_support import write_run

    from synth.records import Problem
    from synth.view.live import LiveRun

    live = LiveRun(write_run(tmp_path / "r", [Problem.root(question="one")], []))
    with live.open() as store:
        assert len(find(store, Asked("problems"), live.asker).rows) == 1
    write_run(tmp_path / "r", [Problem.root(question="two")], [], "test/made")
    live._opened = 0
    with live.open() as store:
        assert len(find(store, Asked("problems"), live.asker).rows) == 2
    live.close()


def test_files_are_released_so_that_a_run_can_materialize(mine: Path, monkeypatch: pytest.MonkeyPatch):
    from synth.view.live import LiveRun

    assert materialize(mine)
    monkeypatch.setattr("synth.view.live.IDLE_SECONDS", 0.1)
    live = LiveRun(mine)
    with live.open() as store:
        assert len(find(store, Asked("problems"), live.asker).rows) == 12
    deadline = time.monotonic() + 10
    while (live._store is not None or not materialize(mine)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert live._store is None
    with live.open() as store:
        assert len(find(store, Asked("problems"), live.asker).rows) == 12
    live.close()


def test_mistakes_of_the_command_line(finished: Path, tmp_path: Path):
    assert "there is no run" in command("view", tmp_path, check=2).stderr
    assert "not a name to judge under" in command("view", finished, "--as", "<b>", check=2).stderr
    with viewing(finished) as address:
        port = Client(address).host.split(":")[1]
        assert "cannot be used" in command("view", finished, "--port", port, "--no-browser", check=2).stderr


def test_the_command_line_starts_without_the_server():
    told = subprocess.run(
        [sys.executable, "-c", "import sys, synth.cli.main; print('starlette' in sys.modules)"],
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip() == "False"


def test_hostile_records_are_inert_everywhere(hostile: Path, finished: Path, pages: Any):
    with viewing(hostile, finished) as address:
        base = address.split("/?")[0]
        pages.goto(address)
        assert pages.url == f"{base}/"
        ids = {t: [i for (i,) in ask(hostile, f"SELECT id FROM {t}")] for t in LISTS}
        paths = ["/", "/review?queue=random", "/review/agreement", "/compare", *(f"/browse/{t}" for t in LISTS)]
        paths += [f"/record/{t}/{some[0]}" for t, some in ids.items()] + [
            f"/browse/rationales?{urlencode({'q': HOSTILE, 'where': HOSTILE})}"
        ]
        for path in paths:
            status = pages.goto(base + path).status
            assert status == (400 if "where=" in path else 200), path
            pages.wait_for_selector("[data-load]", state="detached")
            assert (
                pages.evaluate(
                    "document.querySelectorAll('script:not([src$=\"/static/view.js\"]), img, iframe, [onload], [onmouseover]').length"
                )
                == 0
            ), path
            assert not re.search("[\x1b\x9b\u202e\x07]", pages.content()), path
            assert pages.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert "gnp.exe" in pages.goto(f"{base}/record/rationales/{ids['rationales'][0]}").text()
        assert len(pages.content()) < 400_000
