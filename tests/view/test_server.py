"""`synth view`: who may ask, what lists find, records with their lineage; all inert in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from support import ask
from support import synth as command
from view_support import HOSTILE, Client, viewing

from synth.errors import UserError
from synth.store.database import fold, open_store
from synth.view.browse import LISTS, PAGE, Asked, facets, find


@pytest.fixture(scope="module")
def served(finished: Path) -> Any:
    with viewing(finished) as address:
        client = Client(address)
        client.enter()
        yield client


def test_the_token_leaves_the_address_for_a_cookie_no_script_can_read(served: Client):
    status, headers, _ = served.ask(f"/review?token={served.token}", Cookie=None)
    assert (status, headers["location"]) == (303, "/review")
    assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; "))


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/", {"Cookie": None}, 401),
        ("/", {"Cookie": "synth_1=x"}, 401),
        ("/?token=wrong", {"Cookie": None}, 401),
        ("/static/view.js", {"Cookie": None}, 401),
        ("/", {"Host": "evil.example"}, 421),
        ("/", {"Host": "127.0.0.1"}, 421),
        ("/", {"Host": None}, 421),
        ("/", {"Origin": "http://evil.example"}, 403),
        ("/", {"Origin": "null"}, 403),
    ],
)
def test_only_this_browser_is_answered(served: Client, path: str, headers: dict[str, str], status: int):
    found, replied, text = served.ask(path, **headers)
    assert found == status or (headers == {"Host": None} and found == 400)
    if found != 400:
        assert replied["content-security-policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert replied["x-content-type-options"] == "nosniff"
    assert "unsafe" not in replied.get("content-security-policy", "")
    assert served.token not in text


def test_a_token_given_to_another_host_opens_nothing(served: Client):
    assert served.ask(f"/?token={served.token}", Cookie=None, Host="evil.example")[0] == 421
    assert served.ask(f"//evil.example/?token={served.token}", Cookie=None)[1].get("location") == "/"


def test_forms_of_other_sites_are_refused(served: Client):
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


def test_it_listens_on_loopback_only(served: Client):
    port = int(served.host.split(":")[1])
    rows = (
        [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if Path("/proc/net/tcp").exists()
        else []
    )
    at = [row[1] for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == "0A"]
    assert not rows or at == [f"0100007F:{port:04X}"]


def test_lists_find_what_sql_finds(finished: Path):
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
            assert {r["id"] for r in find(store, asked).rows} == wanted
            total, found = facets(store, asked)
            assert total == len(wanted)
            states = dict(next((f.values for f in found if f.name == "state"), []))
            assert sum(states.values()) == total
        for table in LISTS:
            n = store.sql(f"SELECT count(*) FROM {table}").fetchone()[0]
            assert len(find(store, Asked(table)).rows) == min(n, PAGE)
            assert facets(store, Asked(table))[0] == n


@pytest.mark.parametrize("sort", ["", "problem", "longest", "shortest"])
def test_pages_have_each_row_once(finished: Path, sort: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("synth.view.browse.PAGE", 7)
    monkeypatch.setattr("synth.view.browse._PARTS", 6)  # of which a page fills some and not others
    seen: list[str] = []
    with open_store(finished) as store:
        after: str | None = ""
        while after is not None:
            rows, after = find(store, Asked("rationales", sort=sort, after=after))
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
def test_a_condition_only_asks(finished: Path, where: str):
    with open_store(finished) as store:
        if where:
            with pytest.raises(UserError):
                find(store, Asked("rationales", where=where))
        assert len(find(store, Asked("problems")).rows) == 12


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

    from synth.view.server import Served

    served = Served(finished, None, "human:Ann")
    begun, go_on = threading.Event(), threading.Event()

    def count(_store: Any) -> None:
        begun.set()
        assert go_on.wait(30)

    counting = threading.Thread(target=served._slow_counts.of, args=("audits", count))
    counting.start()
    assert begun.wait(30)
    with served.run.open() as store:
        assert len(find(store, Asked("problems")).rows) == 12
    assert served._counts.of("n", lambda store: facets(store, Asked("problems")))[0] == 12
    assert counting.is_alive()
    go_on.set()
    counting.join()
    served.close()


def test_an_audit_that_takes_too_long_is_stopped(finished: Path, tmp_path: Path):
    import duckdb

    from synth.audit import run_audits
    from synth.view.live import LiveRun

    header = "-- severity: error\n-- threshold: at most 0\n-- unit: rows\n-- meaning: m\n-- remedy: r\n"
    (tmp_path / "endless.sql").write_text(
        f"{header}SELECT count(*) AS value, 1 AS n FROM range(1000000000000) a, range(1000) b"
    )
    live = LiveRun(finished, 0.3)
    with live.open() as store, pytest.raises(duckdb.InterruptException):
        run_audits(store, folder=tmp_path, only=["endless"])
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


def test_a_condition_that_never_ends_is_stopped(finished: Path, monkeypatch: pytest.MonkeyPatch):
    from synth.view.live import LiveRun

    monkeypatch.setattr("synth.view.live.QUESTION_SECONDS", 0.3)
    live = LiveRun(finished)
    with live.open() as store, pytest.raises(UserError, match="too long"):
        find(store, Asked("rationales", where="(SELECT count(*) FROM range(1000000000000) a, range(1000) b) > 0"))
    live.close()


def test_wrong_conditions_and_places_are_told(served: Client):
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
        assert f'href="{link}"' in text
    assert text.count("reply, as it came") == 1
    assert question[:20] in text
    assert served.ask(f"/record/{chosen}")[1]["location"] == f"/record/rationales/{chosen}"
    _, headers, raw = served.ask(f"/raw/calls/{call}/messages")
    assert headers["content-type"].startswith("text/plain")
    assert json.loads(raw)


def test_the_page_grows_with_a_run_at_work(tmp_path: Path):
    from view_support import write_run

    from synth.records import Problem
    from synth.view.live import LiveRun

    live = LiveRun(write_run(tmp_path / "r", [Problem.root(question="one")], []))
    with live.open() as store:
        assert len(find(store, Asked("problems")).rows) == 1
    write_run(tmp_path / "r", [Problem.root(question="two")], [], "test/made")
    live._opened = 0
    with live.open() as store:
        assert len(find(store, Asked("problems")).rows) == 2
    live.close()


def test_files_are_let_go_so_that_a_run_can_fold(mine: Path, monkeypatch: pytest.MonkeyPatch):
    from synth.view.live import LiveRun

    assert fold(mine)
    monkeypatch.setattr("synth.view.live.IDLE_SECONDS", 0.1)
    live = LiveRun(mine)
    with live.open() as store:
        assert len(find(store, Asked("problems")).rows) == 12
    deadline = time.monotonic() + 10
    while not fold(mine) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert live._store is None
    with live.open() as store:
        assert len(find(store, Asked("problems")).rows) == 12
    live.close()


def test_mistakes_of_the_command_line(finished: Path, tmp_path: Path):
    assert "there is no run" in command("view", tmp_path, check=2).stderr
    assert "no name to judge under" in command("view", finished, "--as", "<b>", check=2).stderr
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
                    "document.querySelectorAll('script:not([src=\"/static/view.js\"]), img, iframe, [onload], [onmouseover]').length"
                )
                == 0
            ), path
            assert not re.search("[\x1b\x9b\u202e\x07]", pages.content()), path
            assert pages.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert "gnp.exe" in pages.goto(f"{base}/record/rationales/{ids['rationales'][0]}").text()
        assert len(pages.content()) < 400_000
