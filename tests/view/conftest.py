"""Runs to look at, a served one, and a browser where one is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import ROOT
from view_support import HOSTILE, Client, viewing, write_run

from synth.records import Call, Critique, Failure, Node, Pair, Part, Problem, Rationale, Rejection, Score


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished sample, in a place of its own; nobody writes to it."""
    return Path(shutil.copytree(ROOT / "samples" / "finished", tmp_path_factory.mktemp("runs") / "finished"))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The finished sample, to write to."""
    return Path(shutil.copytree(ROOT / "samples" / "finished", tmp_path / "run"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which every text of every kind of record is hostile, and one is a line of a million characters."""
    bad = HOSTILE
    problem = Problem.root(
        question=bad,
        context=bad,
        choices=(bad, "fair"),
        answer="A",
        answer_kind="choice",
        source=bad,
        evidence=(bad,),
        meta={bad: bad},
    )
    call = Call(
        id="b2:call", key="b2:key", attempt=1, model=bad, endpoint=bad, model_id=bad, served_model=bad, unit=problem.id, step=bad, prompt=bad, shape=bad,
        messages=[{"role": bad, "content": bad}], parameters={bad: bad}, status="ok", reply=bad + "y" * 1_000_000, thought=bad + "w" * 1_000_000, error=bad,
        started=1.0, latency=1.0,
    )  # fmt: skip

    def made(kind: type[Any], n: int = 0, step: str = bad, **fields: Any) -> Any:
        return kind.make(unit=problem.id, step=step, because=[n], **fields)

    good = made(
        Rationale,
        1,
        problem=problem.id,
        author="teacher",
        model=bad,
        style=bad,
        thought=bad + "t" * 1_000_000,
        thought_kind="raw",
        response=bad + "z" * 1_000_000,
        answer_span=(1_000_000, 1_000_000 + len(bad)),
        steps=(bad, bad),
        answer=bad,
        parts={bad: bad},
        call=call.id,
    )
    worse = made(
        Rationale,
        2,
        problem=problem.id,
        author="student",
        model=bad,
        thought=bad,
        thought_kind="summary",
        response="x" * 1_000_000 + bad,
        answer=bad,
        answer_span=(1_000_000, 1_000_000 + len(bad)),
        call=call.id,
    )
    root = made(Node, 1, problem=problem.id, text=bad, decision=bad, reason=bad, quote=bad, value=1.0)
    records = [
        problem,
        good,
        worse,
        root,
        made(Node, 2, problem=problem.id, parent=root.id, depth=1, text=bad, answer=bad, terminal=True, decision="yes"),
        made(Score, 1, target=good.id, name=bad, value=1.0, label=bad, judge=bad, reason=bad, call=call.id),
        made(Score, 2, target=worse.id, name=bad, value=0.0, label=bad, judge=bad + "2", reason=bad),
        made(Score, 3, target=good.id, name=bad, value=0.5, label=bad, judge=bad + "2", reason=bad),
        made(
            Critique,
            target=worse.id,
            mistake=bad,
            explanation=bad,
            correction=bad,
            critic=bad,
            part=Part(kind="step", index=0),
            call=call.id,
        ),
        made(Pair, problem=problem.id, chosen=good.id, rejected=worse.id, reason=bad, length_difference=1),
        made(Rejection, target=worse.id, target_table="rationales", rule=bad, observed={bad: bad}),
        made(Failure, target=problem.id, cause=bad, message=bad, raw=bad, call=call.id),
    ]
    return write_run(tmp_path_factory.mktemp("hostile") / "<b>run<b>", records, [call], bad)


@pytest.fixture(scope="module")
def served(finished: Path) -> Iterator[Client]:
    """A client that has come in by the link of a served run."""
    with viewing(finished) as address:
        client = Client(address)
        client.enter()
        yield client


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless browser, skipped where none is installed. For one test: while it lives, its loop is in the way of others."""
    found = os.environ.get("SYNTH_BROWSER") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("no browser: install Debian's chromium, or set SYNTH_BROWSER to the path of one")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with api.sync_playwright() as play:
        running = play.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def pages(browser: Any) -> Iterator[Any]:
    """A window; fails where a page opened a dialog, logged an error, ran something or asked another host for anything."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    wrong: list[str] = []
    page.on("dialog", lambda d: (wrong.append(f"dialog {d.message}"), d.dismiss()))
    page.on(
        "console",
        lambda m: (
            wrong.append(m.text)
            if m.type in {"error", "warning"} and "responded with a status of 4" not in m.text
            else None
        ),
    )
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on(
        "request", lambda r: None if r.url.startswith(("http://127.0.0.1:", "file:", "data:")) else wrong.append(r.url)
    )
    yield page
    assert page.evaluate("window.ran") is None
    context.close()
    assert wrong == []
