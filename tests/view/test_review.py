"""Judging by hand: verdicts go through the journal, replace one another, can be withdrawn, and outlive the next run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, ask, run, synth
from view_support import viewing, write_run

from synth.audit import agreement_of
from synth.errors import RunFolderError, UserError
from synth.records import Problem, Rationale, Score
from synth.render.summary import HUMAN
from synth.store.database import open_store
from synth.store.materialize import materialize
from synth.store.run_folder import RunFolder
from synth.view.review import queue, records_of_verdict, reviewer_name, verdicts_of, withdraw, write

ANN, BOB = "human:Ann", "human:Bob"


def judge(folder: Path, who: str, target: str, kind: str, *words: str) -> None:
    with open_store(folder) as store:
        made = records_of_verdict(store, target, who, kind, *words)
    write(folder, who, target, made)


def kept(folder: Path) -> list[str]:
    return [i for (i,) in ask(folder, "SELECT id FROM kept_rationales ORDER BY id")]


def state(folder: Path) -> list[tuple[Any, ...]]:
    return ask(folder, "SELECT judge, target, label, value, reason FROM scores WHERE name = 'human' ORDER BY ALL")


@pytest.mark.parametrize("folded", [False, True])
def test_a_later_verdict_wins_and_an_empty_one_withdraws(mine: Path, folded: bool):
    before = kept(mine)
    target = before[0]

    def settle() -> None:
        if folded:
            assert materialize(mine)

    judge(mine, ANN, target, "accept")
    settle()
    assert state(mine) == [(ANN, target, "accepted", 1.0, None)]
    judge(mine, ANN, target, "reject", "a guess")
    settle()
    assert state(mine) == [(ANN, target, "rejected", 0.0, "a guess")]
    assert kept(mine) == before[1:]
    assert ask(mine, f"SELECT step, rule, observed FROM rejections WHERE target = '{target}'") == [
        ("human_review", "rejected by Ann", '"a guess"')
    ]
    judge(mine, BOB, target, "comment", "odd")
    settle()
    assert len(state(mine)) == 2
    withdraw(mine, ANN, target)
    settle()
    assert state(mine) == [(BOB, target, "commented", None, "odd")]
    assert kept(mine) == before
    entries = [json.loads(line) for line in (mine / "journal" / "000001.jsonl").read_text().splitlines()]
    said = [
        e["body"]["records"].get("scores", [{}])[0].get("label")
        for e in entries
        if e["body"].get("owner", "").startswith("human:Ann")
    ]
    assert said == ["accepted", "rejected", None]  # the journal keeps them all


def test_a_rejected_rationale_takes_the_pairs_that_prefer_it_along(mine: Path):
    ((pair, chosen, rejected),) = ask(mine, "SELECT id, chosen, rejected FROM kept_pairs ORDER BY id LIMIT 1")
    judge(mine, ANN, rejected, "reject")
    assert (pair,) in ask(mine, "SELECT id FROM kept_pairs")
    judge(mine, ANN, chosen, "reject")
    assert ask(mine, f"SELECT id FROM kept_pairs WHERE chosen = '{chosen}'") == []
    assert ask(mine, f"SELECT rule FROM rejections WHERE target = '{pair}'") == [
        ("its chosen side was rejected by Ann",)
    ]


def test_pairs_are_judged_by_the_same_means(mine: Path):
    rows = ask(mine, "SELECT id, chosen, rejected FROM kept_pairs ORDER BY id LIMIT 4")
    one, two, three, four = (pair for pair, _, _ in rows)
    everything = {pair for (pair,) in ask(mine, "SELECT id FROM kept_pairs")}
    judge(mine, ANN, one, "accept")
    judge(mine, ANN, two, "reverse", "the other is right")
    judge(mine, ANN, three, "reject")
    judge(mine, ANN, four, "comment", "odd")
    with pytest.raises(UserError, match="nothing was said"):
        judge(mine, ANN, one, "edit", "", "text")
    with pytest.raises(UserError, match="nothing was said"):
        judge(mine, ANN, rows[0][1], "reverse")
    assert {pair for (pair,) in ask(mine, "SELECT id FROM kept_pairs")} == everything - {two, three}
    # Which rationales are kept is another question.
    assert ask(mine, "SELECT count(*) FROM rejections WHERE step = 'human_review' AND target_table <> 'pairs'") == [
        (0,)
    ]
    assert ask(mine, "SELECT target, target_table, verdict, comment, response FROM human_verdicts ORDER BY target") == [
        (one, "pairs", "accepted", None, None),
        (two, "pairs", "reversed", "the other is right", None),
        (three, "pairs", "rejected", None, None),
        (four, "pairs", "commented", "odd", None),
    ]
    with open_store(mine) as store:
        assert not {one, two, three, four} & set(queue(store, "random", "", ANN, "pairs"))
        assert set(queue(store, "random", "out", BOB, "pairs")) == {two, three}
        assert set(queue(store, "uncertainty", "kept", BOB, "pairs")) == everything - {two, three}
        assert queue(store, "disagreement", "", "human:Cy", "pairs") == []
    judge(mine, BOB, one, "reverse")
    with open_store(mine) as store:
        assert queue(store, "disagreement", "", "human:Cy", "pairs") == [one]
    withdraw(mine, ANN, two)
    assert (two,) in ask(mine, "SELECT id FROM kept_pairs")


def test_an_edit_is_a_revised_rationale_of_a_named_author(mine: Path):
    target = kept(mine)[0]
    judge(mine, ANN, target, "edit", "clearer", "First 2.\r\nThen 3.", "5")
    ((new, author, model, response, answer, parent, problem, unit),) = ask(
        mine,
        "SELECT id, author, model, response, answer, parent, problem, unit FROM rationales WHERE step = 'human_review'",
    )
    assert (author, model, response, answer, parent) == ("human", ANN, "First 2.\nThen 3.", "5", target)
    assert ask(mine, f"SELECT problem, unit FROM rationales WHERE id = '{target}'") == [(problem, unit)]
    assert new in kept(mine)
    assert target not in kept(mine)
    ((verdict, revised, revised_response),) = ask(mine, "SELECT verdict, revised, revised_response FROM human_verdicts")
    assert (verdict, revised, revised_response) == ("revised", new, response)
    withdraw(mine, ANN, target)
    assert new not in [i for (i,) in ask(mine, "SELECT id FROM rationales")]
    assert target in kept(mine)


def test_what_says_nothing_is_refused(mine: Path):
    target = kept(mine)[0]
    ((response, answer),) = ask(mine, f"SELECT response, answer FROM rationales WHERE id = '{target}'")
    for words in (
        ("b2:none", "accept"),
        (target, "comment", " "),
        (target, "edit", "", " "),
        (target, "edit", "", f"\r\n{response} ", answer),
        (target, "love"),
    ):
        with pytest.raises(UserError):
            judge(mine, ANN, *words)
    assert state(mine) == []
    assert reviewer_name("  Ann  B ") == "human:Ann B"
    for name in ("", "<b>", "a\nb:c", "x" * 61):
        with pytest.raises(UserError):
            reviewer_name(name)


def test_a_run_at_work_is_not_written_to(mine: Path):
    target = kept(mine)[0]
    holder = RunFolder(mine)
    try:
        with pytest.raises(RunFolderError, match="another process is at work"):
            judge(mine, ANN, target, "accept")
    finally:
        holder.close()
    assert state(mine) == []


async def test_verdicts_outlive_the_next_session_of_the_run(tmp_path: Path):
    rows = ROOT / "samples" / "arithmetic.jsonl"
    folder = tmp_path / "r"
    await run("fine-tune-cot", rows, folder, limit=4)
    target = kept(folder)[0]
    judge(folder, ANN, target, "edit", "", "By hand.", "1")
    summary = await run("fine-tune-cot", rows, folder, limit=6)
    assert summary.progress.done == 2  # those of before were not done again
    assert [s[:3] for s in state(folder) if s[1] == target] == [(ANN, target, "revised")]
    assert ask(folder, "SELECT response FROM kept_rationales WHERE author = 'human'") == [("By hand.",)]
    synth("export", folder, "--to", "sft", "--out", tmp_path, check=0)
    assert "By hand." in (tmp_path / "sft.jsonl").read_text()


def scored(folder: Path) -> dict[str, str]:
    """Four rationales: reviewers agree on one, differ a little on one and much on one; one was accepted though wrong."""
    problem = Problem.root(question="q", answer="1", answer_kind="number")
    other = Problem.root(question="p", answer="1", answer_kind="number")
    made: dict[str, Rationale] = {}
    records: list[Any] = [problem, other]
    for name, home, answer in (
        ("same", problem, "1"),
        ("little", problem, "1"),
        ("much", problem, "2"),
        ("wrong", other, "3"),
    ):
        made[name] = Rationale.make(
            unit=home.unit,
            step="s",
            because=name,
            problem=home.id,
            author="teacher",
            model="t",
            response=name,
            answer=answer,
        )
        records.append(made[name])

    def give(name: str, score: str, judge_: str, value: float, label: str | None = None) -> None:
        r = made[name]
        records.append(
            Score.make(
                unit=r.unit,
                step="v",
                because=[name, score, judge_],
                target=r.id,
                name=score,
                judge=judge_,
                value=value,
                label=label,
            )
        )

    for name, a, b in (("same", 5, 5), ("little", 4, 5), ("much", 1, 5)):
        give(name, "review_single", "a", a)
        give(name, "review_single", "b", b)
    give("wrong", "correct", "number/1", 0, "wrong")
    give("wrong", "review", "mean", 5, "accepted")
    write_run(folder, records, [])
    return {name: r.id for name, r in made.items()}


def test_queues_put_what_is_doubtful_first(tmp_path: Path):
    ids = scored(tmp_path / "r")
    with open_store(tmp_path / "r") as store:
        first = queue(store, "disagreement", "", ANN)
        assert set(first[:2]) == {ids["much"], ids["wrong"]}
        assert first[2:] == [ids["little"]]
        assert set(queue(store, "uncertainty", "", ANN)) == {ids["same"], ids["little"], ids["much"]}
        assert set(queue(store, "random", "kept", ANN)) == set(ids.values())
        assert queue(store, "random", "out", ANN) == []
    judge(tmp_path / "r", ANN, ids["much"], "accept")
    with open_store(tmp_path / "r") as store:
        assert ids["much"] not in queue(store, "disagreement", "", ANN)
        assert ids["much"] in queue(store, "disagreement", "", BOB)


def test_agreement_of_people(tmp_path: Path):
    ids = scored(tmp_path / "r")
    for name, ann, bob in (
        ("same", "accept", "accept"),
        ("little", "accept", "reject"),
        ("much", "reject", "reject"),
        ("wrong", "reject", "reject"),
    ):
        judge(tmp_path / "r", ANN, ids[name], ann)
        judge(tmp_path / "r", BOB, ids[name], bob)
    with open_store(tmp_path / "r") as store:
        people = agreement_of(store, HUMAN)
        assert len(verdicts_of(store)) == 8
        assert len(verdicts_of(store, BOB)) == 4
    assert people.judges == [ANN, BOB]
    n, kappa, same = people.both[ANN, BOB]
    assert people.both[BOB, ANN] == (n, kappa, same)
    assert (n, same, people.judged, people.shared) == (4, 0.75, [4, 4], 4)
    assert kappa == pytest.approx(0.5)  # observed 0.75, by chance 0.5 * 0.25 + 0.5 * 0.75
    assert people.alpha == pytest.approx(
        1 - 7 * 2 / (2 * 3 * 5)
    )  # nominal form of two values: 1 - (N - 1) * o01 / (n0 * n1)


def test_the_keys(mine: Path, pages: Any):
    with viewing(mine, "--as", "Ann") as address:
        base = address.split("/?")[0]
        pages.goto(address)
        pages.keyboard.press("g")
        pages.wait_for_url("**/review")
        pages.goto(f"{base}/review?queue=random")

        def shown() -> str:
            return pages.get_attribute("form.judge input[name=target]", "value")

        def press(key: str, said: str) -> None:
            pages.keyboard.press(key)
            pages.wait_for_selector(f".flash[role=status]:has-text('{said}')")
            pages.wait_for_load_state()  # a page is seen before it listens to keys

        first = shown()
        press("a", "accepted")
        second = shown()
        assert second != first
        pages.keyboard.press("c")
        pages.keyboard.type("are these keys? a r u")
        pages.keyboard.press("Escape")
        press("r", "rejected")
        pages.keyboard.press("e")
        pages.keyboard.press("Control+a")
        pages.keyboard.type("Written by hand.")
        third = shown()
        press("Control+Enter", "revised")
        assert state(mine) == sorted(
            [
                ("human:Ann", first, "accepted", 1.0, None),
                ("human:Ann", second, "rejected", 0.0, "are these keys? a r u"),
                ("human:Ann", third, "revised", 0.0, None),
                (
                    "human:Ann",
                    ask(mine, "SELECT id FROM rationales WHERE author = 'human'")[0][0],
                    "accepted",
                    1.0,
                    None,
                ),
            ],
            key=lambda row: row[1],
        )
        fourth = shown()
        pages.keyboard.press("j")
        pages.wait_for_selector(f"form.judge input[name=target]:not([value='{fourth}'])", state="attached")
        pages.wait_for_load_state()
        pages.keyboard.press("k")
        pages.wait_for_selector(f"form.judge input[name=target][value='{fourth}']", state="attached")
        pages.wait_for_load_state()
        press("u", "withdrawn")
        assert shown() == third
        assert ask(mine, "SELECT count(*) FROM rationales WHERE author = 'human'") == [(0,)]
        pages.keyboard.press("?")
        assert pages.is_visible("#keys")
        pages.keyboard.press("Escape")
        pages.goto(f"{base}/browse/rationales")
        pages.keyboard.press("j")
        pages.keyboard.press("Enter")
        pages.wait_for_url("**/record/rationales/*")
        pages.keyboard.press("g")
        pages.wait_for_url("**/review?target=*")
        with pages.expect_download() as download:
            pages.click("text=export")
        rows = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
        assert {(r["target"], r["verdict"], r["reviewer"]) for r in rows} == {
            (first, "accepted", "human:Ann"),
            (second, "rejected", "human:Ann"),
        }
        holder = RunFolder(mine)
        try:
            pages.goto(f"{base}/review?queue=random")
            with pages.expect_navigation() as moved:
                pages.keyboard.press("a")
            assert moved.value.status == 409
            assert "another process is at work" in pages.inner_text("main")
        finally:
            holder.close()


def test_pairs_are_judged_without_being_told_which_side_was_chosen(mine: Path, pages: Any):
    with viewing(mine, "--as", "Ann") as address:
        base = address.split("/?")[0]
        pages.goto(address)
        pages.goto(f"{base}/review?queue=random&of=pairs")
        expected = {}
        for key in "121":
            target = pages.get_attribute("form.judge input[name=target]", "value")
            ((chosen, rejected),) = ask(
                mine,
                f"""SELECT c.response, r.response FROM pairs a JOIN rationales c ON c.id = a.chosen JOIN rationales r ON r.id = a.rejected
                WHERE a.id = '{target}'""",
            )
            left, right = (pages.inner_text(f".side.{where} .response") for where in ("left", "right"))
            assert {left.split()[-1], right.split()[-1]} == {chosen.split()[-1], rejected.split()[-1]}
            picked = left if key == "1" else right
            words = pages.inner_text("main")
            assert "chosen" not in words.replace("the side that was chosen", "")
            expected[target] = "accepted" if picked.split() == chosen.split() else "reversed"
            pages.keyboard.press(key)
            pages.wait_for_selector(f".flash[role=status]:has-text('{expected[target]}')")
            pages.wait_for_load_state()
        assert dict(ask(mine, "SELECT target, verdict FROM human_verdicts")) == expected
        assert pages.get_attribute("form.judge input[name=of]", "value") == "pairs"
        pages.keyboard.press("u")
        pages.wait_for_selector(".flash[role=status]:has-text('withdrawn')")
        assert pages.get_attribute("form.judge input[name=target]", "value") == target
        pages.goto(f"{base}/record/pairs/{target}")
        pages.keyboard.press("g")
        pages.wait_for_url("**/review?target=*")
        assert pages.is_visible("button:has-text('left is better')")
