"""`synth report`: one file, true figures, inert."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support import ask, synth
from view_support import write_run

from synth.audit import Verdict
from synth.records import Node, Problem
from synth.render import summary
from synth.render.report import write_report


def test_the_file_has_the_figures_of_the_run(finished: Path, tmp_path: Path):
    out = tmp_path / "made" / "r.html"
    done = synth("report", finished, "--out", out, check=0)
    assert str(out) in done.stdout
    text = out.read_text()
    for stage, n in ask(finished, "SELECT stage, n FROM funnel"):
        assert f"<title>{stage}: {n}</title>" in text
    assert text.count('class="why"') == 3  # of the 16 wrong ones three, each with the rule that rejected it
    assert "22,028" in text  # tokens read


def test_the_file_asks_for_nothing_and_runs_nothing(hostile: Path, tmp_path: Path):
    out = tmp_path / "r.html"
    assert write_report(hostile, out) < 1_000_000
    text = out.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert not re.search(r"<(script|img|iframe|a href=(?!&#34;|\"#))", text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_it_can_be_mailed_whatever_is_in_the_run(tmp_path: Path):
    long = "word " * 240
    problems = [Problem.root(question=f"{i}") for i in range(4)]
    thoughts = [
        Node.make(unit=p.unit, step="t", because=[i], problem=p.id, text=long, reason=long * 2, quote=long)
        for p in problems
        for i in range(400)
    ]
    run = write_run(tmp_path / "r", [*problems, *thoughts], [])
    size = write_report(run, tmp_path / "r.html")
    assert 1_500_000 < size < 5_000_000
    assert (tmp_path / "r.html").read_text().count('aria-label="Thought tree"') == 2


def test_a_run_with_nothing_in_it_and_a_wrong_place(tmp_path: Path, finished: Path):
    done = synth("report", tmp_path / "nowhere", check=2)
    assert "there is no run in this folder" in done.stderr
    (tmp_path / "file").write_text("x")
    done = synth("report", finished, "--out", tmp_path / "file" / "r.html", check=2)
    assert "the report cannot be written" in done.stderr


def test_audits_are_shown_where_there_are_some(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    verdict = Verdict(
        name="model_share", severity="error", status="failed", value=0.91, bound="at most", threshold=0.8, unit="share",
        n=12, meaning="one <b>model</b> wrote most", fix="ask others", examples=("b2:x",), note="of local"
    )  # fmt: skip
    monkeypatch.setattr(summary, "run_audits", lambda store: [verdict])
    write_report(finished, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    for word in (
        "model_share",
        "failed",
        "0.91",
        "one &lt;b&gt;model&lt;/b&gt; wrote most",
        "of local",
        "ask others",
        "b2:x",
    ):
        assert word in text


def test_in_a_browser(hostile: Path, tmp_path: Path, pages: Any):
    write_report(hostile, tmp_path / "r.html")
    for scheme, width in (("light", 1200), ("dark", 390)):
        pages.emulate_media(color_scheme=scheme)
        pages.set_viewport_size({"width": width, "height": 800})
        pages.goto(f"file://{tmp_path / 'r.html'}")
        assert pages.evaluate("document.documentElement.scrollWidth <= innerWidth")
        pages.screenshot(path=tmp_path / f"{scheme}.png")
    assert (
        pages.evaluate("document.querySelectorAll('script, img, iframe, [onload], [onerror], [onmouseover]').length")
        == 0
    )
    assert "␛[31mred" in pages.inner_text("#kept")
    pages.keyboard.press("Tab")
    assert pages.evaluate("document.activeElement.textContent") == "to the content"
    dark = pages.evaluate("getComputedStyle(document.body).backgroundColor")
    pages.emulate_media(color_scheme="light")
    assert pages.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    pages.emulate_media(media="print")
    assert pages.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
