"""Thought and response: both are shown wherever a rationale is, searched, measured, and edited without loss."""

from __future__ import annotations

import html
import re
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ask
from view_support import Client, viewing, write_run

from synth.records import Call, Pair, Problem, Rationale, Rejection
from synth.render.differences import differences, with_statement
from synth.render.inert import plain, restored
from synth.render.pages import as_html, stated
from synth.render.records import rationales_of, sides_of
from synth.render.report import write_report
from synth.render.summary import thoughts_of
from synth.store.apart import Asker
from synth.store.database import open_store
from synth.store.materialize import materialize
from synth.view.browse import Asked, facets, find
from synth.view.compare import totals
from synth.view.review import records_of_verdict, write

WORDS = st.text(
    st.sampled_from("ab1. \n\r\t\x1b\u200b\u202e\N{COMBINING ACUTE ACCENT}नी\N{THINKING FACE}<&"), max_size=40
)
ANN = "human:Ann"


def shown(markup: str) -> str:
    """The characters of a page, without what is written about them."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def statement(markup: str) -> list[str]:
    """What is marked as the statement of the answer."""
    inside = r'((?:(?!</?span).|<span class="sign">[^<]*</span>)*)'
    return [shown(m) for m in re.findall(rf'<span class="stated"[^>]*>{inside}</span>', markup, re.DOTALL)]


@given(WORDS, WORDS, WORDS)
def test_the_statement_is_marked_and_every_character_kept(before: str, said: str, after: str):
    """Offsets count characters, whatever stands before."""
    response = before + said + after
    markup = str(stated(response, (len(before), len(before) + len(said))))
    if (
        said
        and not (before.endswith("\r") and said.startswith("\n"))
        and not (said.endswith("\r") and after[:1] == "\n")
    ):
        assert shown(markup) == plain(response)
        assert statement(markup) == [plain(said)]
    if not said:
        assert markup == as_html(response)


def test_a_statement_behind_the_cut_is_shown():
    """Of a long response the beginning is shown, and what it states."""
    response = "x" * 50 + "The answer is 8." + "y" * 30
    markup = str(stated(response, (50, 66), 20))
    assert shown(markup) == "x" * 20 + " … 30 more characters … The answer is 8. … 30 more characters"
    of_beginning = stated(response[:20], (50, 66), 20, length=len(response), statement="The answer is 8.")
    assert str(of_beginning) == markup
    assert shown(str(stated(response, (50, 66), 55))) == "x" * 50 + "The answer is 8. … 30 more characters"
    assert shown(str(stated("ab", (0, 5000), length=5000, statement="ab"))) == "ab … 4,998 more characters"


@pytest.mark.parametrize("span", [(3, 3), (5, 2), (-4, 2), (0, 99), (1,), [], None])
def test_a_place_outside_of_the_response_marks_nothing(span: Any):
    """A journal changed by hand gives a page without a mark."""
    assert stated("It is 8.", span) == "It is 8."


@given(WORDS)
def test_what_is_not_edited_stays(text: str):
    """A form shows acting characters by their signs, and they come back; line ends are those of the form."""
    assert restored(plain(text), text) == text.replace("\r\n", "\n")


def test_a_sign_that_was_there_stays_a_sign():
    """Nobody can tell the two apart, so that nothing is changed."""
    assert restored("␛ and ⟨U+200B⟩", "␛ and \x1b, \u200b") == "␛ and \u200b"


@given(WORDS, WORDS, st.integers(0, 45), st.integers(0, 45))
def test_pieces_of_a_side_are_cut_where_it_states_its_answer(left: str, right: str, start: int, end: int):
    """What differs and what states the answer are marked apart."""
    pieces, _ = differences(left, right)
    cut = with_statement(pieces, (start, end))
    assert "".join(p.text for p in cut) == left
    assert "".join(p.text for p in cut if p.states) == (left[start:end] if start < end else "")
    assert "".join(p.text for p in cut if p.differs) == "".join(p.text for p in pieces if p.differs)


LONG = "Wait, let me see that again. "


def rationale(problem: Problem, because: Any, response: str, said: str, **fields: Any) -> Rationale:
    at = response.find(said) if said else -1
    given_ = {"author": "teacher", "model": "t", "answer": "8", "call": None}
    span = (at, at + len(said)) if at >= 0 else None
    return Rationale.make(
        unit=problem.unit, step="solve", because=because, problem=problem.id, response=response, answer_span=span,
        **{**given_, **fields},
    )  # fmt: skip


@pytest.fixture(scope="module")
def thinking(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Rationale]]:
    """A run whose rationales have a short thought, one of a million characters, a summary, a hidden one, and none."""
    problem = Problem.root(question="How many are 3 and 5?", answer="8", answer_kind="number")
    call = Call(
        id="b2:call", key="k", attempt=1, model="t", endpoint="e", model_id="m", unit=problem.unit, step="solve",
        messages=[{"role": "user", "content": problem.question}], status="ok", reply="The answer is 8.",
        thought="Carrot, then.", thought_kind="raw", thought_from="reasoning_content", completion_tokens=40,
        reasoning_tokens=30, started=1.0, latency=1.0,
    )  # fmt: skip
    said = "The answer is 8."
    made = {
        "short": rationale(
            problem, 1, f"\N{THINKING FACE} e\N{COMBINING ACUTE ACCENT}: 3 + 5 = 8.\n\n**{said}**", said, call=call.id,
            thought="Carrot, then.", thought_kind="raw",
        ),
        "long": rationale(problem, 2, said, said, thought=LONG * 35_000 + "turnip", thought_kind="raw"),
        "summary": rationale(problem, 3, f"{said} Bye.", said, thought="It added.", thought_kind="summary"),
        "hidden": rationale(problem, 4, f"So. {said}", said, thought_kind="hidden"),
        "none": rationale(problem, 5, "z" * 20_000 + said, said),
        "empty": rationale(problem, 6, " ", "", thought="Only this.", thought_kind="raw", answer=None),
    }  # fmt: skip
    pair = Pair.make(
        unit=problem.unit, step="pair", because=1, problem=problem.id, chosen=made["short"].id, rejected=made["long"].id,
        reason="length", length_difference=1,
    )  # fmt: skip
    rejected = Rejection.make(
        unit=problem.unit,
        step="filter",
        because=1,
        target=made["empty"].id,
        target_table="rationales",
        rule="has an answer",
    )
    run = tmp_path_factory.mktemp("thinking") / "run"
    return write_run(run, [problem, *made.values(), pair, rejected], [call]), made


@pytest.fixture(scope="module")
def client(thinking: tuple[Path, dict[str, Rationale]]) -> Any:
    with viewing(thinking[0], thinking[0]) as address:
        found = Client(address)
        found.enter()
        yield found


def test_a_record_has_its_thought_folded_and_its_response_marked(client: Client, thinking: Any):
    """Short thoughts are open, long ones closed and cut, and say how long they are."""
    made = thinking[1]
    _, _, text = client.ask(f"/record/rationales/{made['short'].id}")
    card = text.split("<article")[1].split("</article>")[0]
    assert re.search(r'<details class="thinking" open><summary>thought <span class="dim">raw, 13 characters', card)
    assert statement(card) == ["The answer is 8."]
    assert "\N{THINKING FACE} e\N{COMBINING ACUTE ACCENT}: 3 + 5 = 8.\n\n**<span" in card
    _, _, text = client.ask(f"/record/rationales/{made['long'].id}")
    card = text.split("<article")[1].split("</article>")[0]
    assert re.search(r'<details class="thinking"><summary>thought <span class="dim">raw, 1,015,006 characters', card)
    assert "1,009,006 more characters" in card
    assert f'href="{client.root}/raw/rationales/{made["long"].id}/thought"' in card
    assert statement(card) == ["The answer is 8."]
    assert len(text) < 120_000
    _, _, text = client.ask(f"/record/rationales/{made['summary'].id}")
    assert 'summary of the thought <span class="dim">by its provider, 9 characters' in text.split("<article")[1]
    _, _, text = client.ask(f"/record/rationales/{made['hidden'].id}")
    assert "its provider shows none of that" in text.split("<article")[1].split("</article>")[0]
    _, _, text = client.ask(f"/record/rationales/{made['none'].id}")
    card = text.split("<article")[1].split("</article>")[0]
    assert "<details" not in card
    assert statement(card) == ["The answer is 8."]  # though it stands behind the cut
    assert f'href="{client.root}/raw/rationales/{made["none"].id}/response"' in card
    _, _, text = client.ask(f"/record/rationales/{made['empty'].id}")
    assert "The response is empty." in text.split("<article")[1].split("</article>")[0]


def test_whole_texts_are_a_link_away(client: Client, thinking: Any):
    """Raw texts are those of the record."""
    made = thinking[1]
    assert client.ask(f"/raw/rationales/{made['long'].id}/thought")[2] == made["long"].thought
    assert client.ask(f"/raw/rationales/{made['none'].id}/response")[2] == made["none"].response
    assert client.ask("/raw/calls/b2:call/thought")[2] == "Carrot, then."


@pytest.mark.parametrize(
    "path", ["/browse/rationales", "/review?queue=random&target={long}", "/review?queue=random&of=pairs", "/record/pairs/{pair}",
             "/compare/{problem}", "/record/problems/{problem}"],
)  # fmt: skip
def test_thought_and_response_are_on_every_page_that_shows_a_rationale(client: Client, thinking: Any, path: str):
    """Lists, review, pairs, comparison and siblings; none is long or slow."""
    run, made = thinking
    ids = {"long": made["long"].id, "problem": made["long"].problem, "pair": ask(run, "SELECT id FROM pairs")[0][0]}
    begun = time.monotonic()
    status, headers, text = client.ask(path.format(**ids))
    assert status == 200
    assert time.monotonic() - begun < 10
    assert len(text) < 250_000
    assert "1,015,006 characters" in text
    assert LONG * 3 in text
    assert "The answer is 8." in text
    assert "script-src 'self'" in headers["content-security-policy"]
    if not path.startswith("/browse"):
        assert "The answer is 8." in statement(text)


def test_the_raw_text_of_another_run_is_not_linked(client: Client, thinking: Any):
    """The pages of the second run beside the first have no address of their own."""
    _, _, text = client.ask(f"/compare/{thinking[1]['long'].problem}")
    left, right = text.split('<section class="side plain">')[1:]
    assert "/raw/" in left
    assert "/raw/" not in right


def test_a_call_has_its_thought_folded(client: Client):
    """With where it stood and how many tokens it took."""
    _, _, text = client.ask("/record/calls/b2:call")
    assert re.search(r'<details class="thinking" open><summary>thought <span class="dim">raw, 13 characters', text)
    assert "<code>reasoning_content</code>" in text
    assert "Of the completion tokens 30 are of the thought." in text


def test_thoughts_are_searched_filtered_and_sorted_by(thinking: Any):
    """Words are sought in the thought too; the order by length counts it."""
    run, made = thinking
    asker = Asker(run)

    def names(**asked: Any) -> list[str]:
        with open_store(run) as store:
            found = [r["id"] for r in find(store, Asked("rationales", **asked), asker).rows]
            total, _ = facets(store, Asked("rationales", **asked), asker)
        assert total == len(found)
        return [next(n for n, r in made.items() if r.id == i) for i in found]

    assert names(words="TURNIP") == ["long"]
    assert set(names(words="carrot")) == {"short"}
    assert set(names(words="the answer is")) == {"short", "long", "summary", "hidden", "none"}
    assert set(names(chosen=(("thought", "with a thought"),))) == {"short", "long", "summary", "empty"}
    assert set(names(chosen=(("thought", "without"),))) == {"hidden", "none"}
    assert names(chosen=(("thought_kind", "summary"),)) == ["summary"]
    assert names(sort="longest") == ["long", "none", "short", "summary", "empty", "hidden"]
    assert names(sort="shortest") == names(sort="longest")[::-1]
    with open_store(run) as store:
        lengths = dict(store.sql("SELECT id, length(reasoning) FROM rationales").fetchall())
        assert find(store, Asked("calls", words="carrot"), asker).rows
        rows = {r["id"]: r for r in find(store, Asked("rationales"), asker).rows}
    assert [lengths[made[n].id] for n in names(sort="longest")] == sorted(lengths.values(), reverse=True)
    assert {len(r["thought_text"] or "") <= 1200 for r in rows.values()} == {True}
    assert rows[made["long"].id]["thought_length"] == 1_015_006


def test_what_leaves_the_store_for_a_page_is_cut(thinking: Any):
    """A page of forty rationales with such thoughts would else take 40 MB."""
    run, made = thinking
    with open_store(run) as store:
        rows = rationales_of(store, [r.id for r in made.values()])
        (sides,) = sides_of(store, [i for (i,) in store.sql("SELECT id FROM pairs").fetchall()])
    assert max(len(str(value)) for row in rows.values() for value in row.values()) <= 12_000
    assert rows[made["none"].id]["statement"] == "The answer is 8."
    assert "".join(p.text for p in sides.left) == made["short"].response
    assert [p.text for p in sides.right if p.states] == [made["long"].response]


def test_the_report_has_both(thinking: Any, tmp_path: Path):
    """Folded without a script, and no address of a server."""
    assert write_report(thinking[0], tmp_path / "r.html") < 400_000
    text = (tmp_path / "r.html").read_text()
    kept, pairs = text.split('<section id="kept"')[1].split('<section id="pairs"')
    for section in (kept, pairs):
        assert "1,015,006 characters" in section
        assert "The answer is 8." in statement(section)
    assert "by its provider, 9 characters" in text
    assert "/raw/" not in text
    figures = text.split('<section id="thoughts"')[1].split("</section>")[0]
    assert "3 (60 %), 1 of these summaries" in figures
    assert "30 of 40 completion tokens (75 %)" in figures


def test_figures_of_thoughts(thinking: Any, tmp_path: Path):
    """Of what is kept; a run without anything kept has none."""
    with open_store(thinking[0]) as store:
        median_response = median(len(r.response) for n, r in thinking[1].items() if n != "empty")
        assert thoughts_of(store) == (5, 3, 1, 1, 13, median_response, 30, 40)
        groups = dict(totals(store, store))
    assert {b.what: b.left for b in groups["kept rationales"]}["with a thought"] == 3
    with open_store(write_run(tmp_path / "r", [Problem.root(question="q")], [])) as store:
        assert thoughts_of(store) is None


def revise(run: Path, target: str, response: str, answer: str) -> Rationale:
    with open_store(run) as store:
        made = records_of_verdict(store, target, ANN, "edit", "", response, answer)
    write(run, ANN, target, made)
    (revised,) = [r for r in made if isinstance(r, Rationale)]
    return revised


@pytest.mark.parametrize(
    ("response", "answer", "stated_"),
    [
        ("\N{THINKING FACE} 3 + 5.\r\nThe answer is 8.", "8", "The answer is 8."),
        ("3 + 5.\nThe answer is 8.", "8.0", "The answer is 8."),
        ("3 + 5.\nThe answer is 9.", "8", None),
        ("3 + 5 is 8", "8", None),
        ("The answer is 8.", "", None),
    ],
)
def test_a_revision_keeps_the_thought_and_says_where_it_states_its_answer(
    tmp_path: Path, response: str, answer: str, stated_: str | None
):
    """People edit the response; what the model thought stays what it was."""
    problem = Problem.root(question="q", answer="8", answer_kind="number")
    old = rationale(
        problem, 1, "The answer is 7.", "The answer is 7.", thought=" Hm.\n", thought_kind="summary", answer="7"
    )
    run = write_run(tmp_path / "r", [problem, old], [])
    new = revise(run, old.id, response, answer)
    assert (new.thought, new.thought_kind) == (" Hm.\n", "summary")
    assert new.response == response.replace("\r\n", "\n")
    assert new.answer == (answer or None)
    assert (new.response[slice(*new.answer_span)] if new.answer_span else None) == stated_
    columns = "thought, response, answer, revised_response, revised_answer"
    assert ask(run, f"SELECT {columns} FROM human_verdicts") == [
        (" Hm.\n", "The answer is 7.", "7", new.response, new.answer)
    ]
    assert materialize(run)


def test_a_revision_of_a_choice(tmp_path: Path):
    """Answers are compared as those of the problem are."""
    problem = Problem.root(question="q", choices=("red", "blue"), answer="B", answer_kind="choice")
    old = rationale(problem, 1, "The answer is A.", "The answer is A.", answer="A")
    run = write_run(tmp_path / "r", [problem, old], [])
    new = revise(run, old.id, "So it is blue.\nThe answer is B.", "B")
    assert new.answer_span is not None
    assert new.response[slice(*new.answer_span)] == "The answer is B."


def test_characters_that_a_form_shows_by_signs_survive_an_edit(tmp_path: Path):
    """Only what the person changed is changed."""
    problem = Problem.root(question="q", answer="8", answer_kind="number")
    old = rationale(problem, 1, "3\u200b+\x1b5\u2028is 7", "", answer="7")
    run = write_run(tmp_path / "r", [problem, old], [])
    assert revise(run, old.id, plain(old.response).replace("7", "8"), "8").response == "3\u200b+\x1b5\u2028is 8"


def test_the_form_has_the_response_as_it_is(client: Client, thinking: Any):
    """Nothing but the response is edited; the thought stands above."""
    _, _, text = client.ask(f"/review?target={thinking[1]['short'].id}&edit")
    assert len(re.findall(r"<textarea", text)) == 2
    found = re.search(r'<textarea name="response"[^>]*>\n(.*?)</textarea>', text, re.DOTALL)
    assert found is not None
    assert html.unescape(found[1]) == thinking[1]["short"].response
    assert "the revision has the same thought" in text
    assert text.index('class="thinking"') < text.index('<textarea name="response"')


def test_thoughts_in_a_browser(thinking: Any, pages: Any, tmp_path: Path):
    """Folding needs no script, and nothing is wider than the window."""
    run, made = thinking
    with viewing(run) as address:
        base = address.split("/?")[0]
        pages.goto(address)
        for scheme, width in (("light", 1200), ("dark", 390)):
            pages.emulate_media(color_scheme=scheme)
            pages.set_viewport_size({"width": width, "height": 900})
            for path in (
                "/browse/rationales",
                f"/record/rationales/{made['long'].id}",
                "/review?queue=random&of=pairs",
            ):
                pages.goto(base + path)
                assert pages.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            pages.goto(f"{base}/record/rationales/{made['long'].id}")
            trace = pages.locator("article .thinking .trace").first
            assert not trace.is_visible()
            pages.locator("article .thinking summary").first.click()
            assert trace.is_visible()
            assert pages.locator("article .stated").first.inner_text() == "The answer is 8."
            pages.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
