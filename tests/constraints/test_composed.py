"""Conflicts are found, what is drawn has a text that complies, and rows of published data have their constraints."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ROOT, write_rows

from synth.constraints import (
    BUILT_IN,
    all_constraints,
    conflicts,
    draw_constraints,
    ifeval_constraints,
    kind_of,
    misfit,
    named,
    question_with,
    reasonif_constraints,
    satisfying_text,
    why_unfit,
)
from synth.records import Constraint
from synth.sources import open_source
from synth.sources.mapping_files import load_mapping

QUESTION = "How many apples does the gardener pick in 3 days, when the basket holds 12 apples?"


def made(id_: str, on: Any = "response", **args: Any) -> Constraint:
    return Constraint(id=id_, args=args, on=on)


COMMA, TITLE, JSON, QUOTES = (
    made(i)
    for i in ("punctuation:no_comma", "detectable_format:title", "detectable_format:json_format", "startend:quotation")
)
UPPER, LOWER = made("change_case:english_capital"), made("change_case:english_lowercase")


def words(n: int, relation: str) -> Constraint:
    return made("length_constraints:number_words", num_words=n, relation=relation)


PLANTED: list[tuple[Constraint, ...]] = [
    (COMMA, made("keywords:existence", keywords=["yes, sir"])),
    (COMMA, made("startend:end_checker", end_phrase="Well, bye.")),
    (COMMA, made("combination:repeat_prompt", prompt_to_repeat="Say it, now.")),
    (COMMA, made("keywords:letter_frequency", letter=",", let_frequency=2, let_relation="at least")),
    (UPPER, LOWER),
    (UPPER, made("language:response_language", language="fr")),
    (UPPER, made("detectable_format:multiple_sections", section_spliter="Section", num_sections=2)),
    (LOWER, made("change_case:capital_word_frequency", capital_frequency=1, capital_relation="at least")),
    (LOWER, made("detectable_format:constrained_response")),
    (UPPER, made("change_case:capital_word_frequency", capital_frequency=1, capital_relation="less than")),
    (made("language:response_language", language="de"), made("language:response_language", language="fr")),
    (words(50, "at least"), words(50, "less than")),
    (words(5, "less than"), made("length_constraints:number_sentences", num_sentences=5, relation="at least")),
    (words(5, "less than"), made("keywords:existence", keywords=["one two three four five"])),
    (words(5, "less than"), made("keywords:frequency", keyword="cat", frequency=5, relation="at least")),
    (words(5, "less than"), made("combination:repeat_prompt", prompt_to_repeat="Say it to me now.")),
    (words(3, "less than"), made("detectable_format:number_bullet_lists", num_bullets=3)),
    (
        made("length_constraints:number_sentences", num_sentences=3, relation="at least"),
        made("length_constraints:number_sentences", num_sentences=3, relation="less than"),
    ),
    (made("keywords:existence", keywords=["Cat"]), made("keywords:forbidden_words", forbidden_words=["cat"])),
    (
        made("keywords:frequency", keyword="cat", frequency=2, relation="at least"),
        made("keywords:frequency", keyword="cat", frequency=2, relation="less than"),
    ),
    (
        made("keywords:existence", keywords=["banana"]),
        made("keywords:letter_frequency", letter="a", let_frequency=3, let_relation="less than"),
    ),
    (
        made("startend:end_checker", end_phrase="the old cat"),
        made("keywords:forbidden_words", forbidden_words=["old"]),
    ),
    (JSON, QUOTES),
    (JSON, made("startend:end_checker", end_phrase="Bye.")),
    (JSON, made("combination:repeat_prompt", prompt_to_repeat="Say it.")),
    (QUOTES, made("combination:repeat_prompt", prompt_to_repeat="Say it.")),
    (made("startend:end_checker", end_phrase="Bye."), made("startend:end_checker", end_phrase="Yes.")),
    (made("combination:two_responses"), made("length_constraints:number_paragraphs", num_paragraphs=2)),
    (
        made("detectable_format:number_bullet_lists", num_bullets=2),
        made("detectable_format:number_bullet_lists", num_bullets=3),
    ),
    (
        made("length_constraints:nth_paragraph_first_word", num_paragraphs=2, nth_paragraph=1, first_word="a"),
        made("length_constraints:nth_paragraph_first_word", num_paragraphs=3, nth_paragraph=1, first_word="a"),
    ),
    (
        LOWER,
        made("combination:chain", parts=[[{"id": UPPER.id}], [{"id": COMMA.id}]]),
    ),
    (
        COMMA,
        made(
            "combination:selection",
            condition="If x",
            holds=True,
            then=[{"id": "keywords:existence", "args": {"keywords": ["a, b"]}}],
            otherwise=[{"id": TITLE.id}],
        ),
    ),
    (made("keywords:existence", on="both", keywords=["a, b"]), made("punctuation:no_comma", on="reasoning")),
]  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED, ids=lambda p: " ".join(c.id for c in p))
def test_every_planted_conflict_is_found(planted: tuple[Constraint, ...]):
    """In both orders, among constraints that fit, and with a reason that names both."""
    for order in (planted, planted[::-1], (TITLE, *planted)):
        assert conflicts(order), order
        assert satisfying_text(order) is None
    reason = why_unfit(planted)
    assert reason is not None
    assert all(one.id in reason for one in planted)
    assert not any(conflicts([one]) for one in planted)


@pytest.mark.parametrize(
    "fits",
    [
        (made("punctuation:no_comma", on="response"), made("keywords:existence", on="reasoning", keywords=["a, b"])),
        (QUOTES, made("startend:end_checker", end_phrase="Bye.")),
        (words(50, "at least"), words(51, "less than")),
        (UPPER, made("detectable_format:multiple_sections", section_spliter="SECTION", num_sections=2)),
        (UPPER, made("detectable_content:postscript", postscript_marker="P.S.")),
        (made("keywords:existence", keywords=["cat"]), made("keywords:forbidden_words", forbidden_words=["category"])),
        (
            COMMA,
            made(
                "combination:selection", condition="If x", holds=False,
                then=[{"id": "keywords:existence", "args": {"keywords": ["a, b"]}}], otherwise=[{"id": TITLE.id}],
            ),
        ),
    ],
    ids=lambda p: " ".join(c.id for c in p),
)  # fmt: skip
def test_what_fits_is_no_conflict(fits: tuple[Constraint, ...]):
    """Constraints on different parts, a branch that is not taken, and limits that leave one number."""
    assert conflicts(fits) == []
    assert why_unfit(fits) is None


DRAWN = [kind for kind in named(()) if not kind.libraries]


@given(
    st.integers(0, 10**9),
    st.integers(1, 6),
    st.sampled_from([("and",), ("chain", "and"), ("selection", "and", "chain")]),
)
@settings(max_examples=60, deadline=None)
def test_what_is_drawn_has_a_text(seed: int, count: int, composition: Any):
    """The text that satisfies all constraints of a composition is made and checked, and no two of them contradict each other."""
    drawn = draw_constraints(QUESTION, count, Random(seed), kinds=DRAWN, composition=composition)
    assert conflicts(drawn) == []
    text = satisfying_text(drawn)
    assert text is not None
    assert [one.id for one in drawn if kind_of(one).judge(text).label != "right"] == []
    assert all(misfit(one) is None for one in drawn)
    assert len({one.id for one in drawn}) == len(drawn)
    asked = question_with(QUESTION, drawn)
    assert asked.startswith(QUESTION)
    assert len(asked) > len(QUESTION)


@given(st.integers(0, 10**9))
@settings(max_examples=30, deadline=None)
def test_fewer_constraints_are_the_first_of_more(seed: int):
    """So levels are nested, also between runs with other numbers of levels."""
    few, more = (draw_constraints(QUESTION, n, Random(seed), kinds=DRAWN, soft=2) for n in (2, 4))
    assert more[: len(few)] == few
    assert [one.id == "soft:judged" for one in few] == [False, True]


def test_every_kind_is_drawn():
    """Over many seeds each kind that is to be drawn is, so none is left out because no text is made for it."""
    seen = Counter(one.id for seed in range(400) for one in draw_constraints(QUESTION, 3, Random(seed), kinds=DRAWN))
    assert set(seen) == {kind.id for kind in DRAWN}


@pytest.mark.parametrize("kind", DRAWN, ids=lambda k: k.id)
def test_each_kind_alone_has_a_text(kind: Any):
    """Whatever its arguments are drawn to be."""
    drawn = [d for seed in range(20) for d in draw_constraints(QUESTION, 1, Random(seed), kinds=[kind])]
    assert len(drawn) == 20
    assert all(satisfying_text([one]) is not None for one in drawn)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"id": "keywords:exists"}, "did you mean keywords:existence?"),
        ({"id": "keywords:existence"}, "the argument keywords is missing"),
        ({"id": "punctuation:no_comma", "args": {"x": 1}}, "there is no argument x; it has none"),
        ({"id": "length_constraints:number_words", "args": {"num_words": 0}}, "num_words"),
        ({"id": "length_constraints:number_words", "args": {"num_words": 3, "relation": "more than"}}, "relation"),
        (
            {
                "id": "length_constraints:nth_paragraph_first_word",
                "args": {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"},
            },
            "nth_paragraph is 3, and there are 2 paragraphs",
        ),
        ({"id": "combination:chain", "args": {"parts": [[{"id": "a:b"}], [{"id": "a:b"}]]}}, "no constraint 'a:b'"),
        ({"id": "no comma"}, "id"),
        ({"id": "punctuation:no_comma", "on": "answer"}, "on"),
        ("no_comma", "constraint 2: Input should be"),
        ({"id": "change_case:english_capital"}, "contradict each other"),
    ],
)
def test_rows_with_misfits_are_bad_rows(tmp_path: Path, given: Any, why: str):
    """Before any call, with line and reason; the row before is read."""
    rows = [
        {"question": "a", "constraints": [{"id": LOWER.id}]},
        {"question": "b", "constraints": [{"id": LOWER.id}, given]},
    ]
    found = open_source(str(write_rows(tmp_path / "in.jsonl", rows))).scan()
    assert (found.good, [bad.line for bad in found.bad]) == (1, [2])
    assert why in found.bad[0].why


def test_as_many_arguments_as_constraints(tmp_path: Path):
    """A row of IFEval whose two columns differ in length is a bad row."""
    rows = [
        {"prompt": "a", "instruction_id_list": [COMMA.id], "kwargs": [{}, {}]},
        {"prompt": "b", "instruction_id_list": [COMMA.id], "kwargs": [{}]},
    ]
    found = open_source(str(write_rows(tmp_path / "in.jsonl", rows)), declared=load_mapping("ifeval")).scan()
    assert (found.good, found.bad[0].line) == (1, 1)
    assert "1 constraints, and arguments for 2" in found.bad[0].why


def test_groups_and_ids_are_names():
    """A group is what stands before the colon; another word is no name."""
    assert {kind.id for kind in named(["keywords"])} == {i for i in all_constraints() if i.startswith("keywords:")}
    assert [kind.id for kind in named(["punctuation:no_comma"])] == ["punctuation:no_comma"]
    with pytest.raises(ValueError, match="no constraint 'comma'"):
        named(["comma"])


IFEVAL = {
    "punctuation:no_comma": 40, "length_constraints:number_sentences": 39, "length_constraints:number_words": 34,
    "detectable_format:number_highlighted_sections": 28, "keywords:forbidden_words": 26, "combination:repeat_prompt": 25,
    "keywords:letter_frequency": 25, "change_case:english_lowercase": 24, "keywords:existence": 24, "keywords:frequency": 24,
    "startend:quotation": 24, "detectable_format:title": 23, "detectable_format:number_bullet_lists": 19, "language:response_language": 19,
    "change_case:english_capital": 18, "combination:two_responses": 17, "length_constraints:number_paragraphs": 17,
    "detectable_content:postscript": 16, "detectable_content:number_placeholders": 15, "change_case:capital_word_frequency": 13,
    "startend:end_checker": 13, "detectable_format:multiple_sections": 12, "detectable_format:json_format": 8,
    "length_constraints:nth_paragraph_first_word": 5, "detectable_format:constrained_response": 3,
}  # fmt: skip


@pytest.mark.data
def test_published_prompts_of_ifeval(data: Path):
    """330 rows of 25 ids, 511 constraints, all of them in the catalogue. Two rows ask for a request to be repeated that has a word they forbid;
    of the others one asks for a language of which we have no passage, and all the rest have a text.
    """
    rows = [json.loads(line) for line in (data / "ifeval_prompts.jsonl").read_text().splitlines()]
    counts = Counter(id_ for row in rows for id_ in row["instruction_id_list"])
    assert (len(rows), counts) == (330, IFEVAL)
    read = open_source(str(data / "ifeval_prompts.jsonl"), declared=load_mapping("ifeval"))
    found = read.scan()
    assert (found.good, [bad.line for bad in found.bad]) == (328, [273, 324])
    assert all("combination:repeat_prompt and keywords:forbidden_words contradict" in bad.why for bad in found.bad)
    given = [problem.constraints for problem, _ in read.problems()]
    assert sum(map(len, given)) == 511 - sum(len(rows[line - 1]["kwargs"]) for line in (273, 324))
    assert [c for c in given if not any(kind_of(o).libraries for o in c) and satisfying_text(c) is None] == []


@pytest.mark.data
def test_published_questions_of_reasonif(data: Path):
    """192 rows, each with one constraint on the reasoning."""
    read = open_source(str(data / "reasonif.jsonl"), declared=load_mapping("reasonif"))
    assert read.scan().bad == []
    found = [problem.constraints for problem, _ in read.problems()]
    assert Counter(one.id for (one,) in found) == {
        "punctuation:no_comma": 43, "length_constraints:number_words": 38, "startend:end_checker": 30,
        "detectable_format:json_format": 28, "language:response_language": 27, "change_case:english_capital": 26,
    }  # fmt: skip
    assert {one.on for (one,) in found} == {"reasoning"}


@pytest.mark.data
def test_published_levels_of_followbench(data: Path):
    """76 groups of six levels. 13 rows have no instruction and one has that of another: 442 are problems."""
    read = open_source(str(data / "followbench.jsonl"), declared=load_mapping("followbench"))
    found = read.scan()
    assert (found.good, Counter(bad.why for bad in found.bad)) == (
        442,
        {"'question' is empty": 13, "the same question as in line 157": 1},
    )
    levels = Counter(problem.meta["level"] for problem, _ in read.problems())
    assert levels == {0: 62, 1: 76, 2: 76, 3: 76, 4: 76, 5: 76}


def test_published_names_are_ours():
    """Arguments that are null are none; names that only ReasonIF has become ids of the catalogue."""
    assert ifeval_constraints(["a:b"], [{"x": None, "y": 1}]) == [{"id": "a:b", "args": {"y": 1}}]
    assert reasonif_constraints(["language:reasoning_language"], [{"language": "fr"}]) == [
        {"id": "language:response_language", "args": {"language": "fr"}, "on": "reasoning"}
    ]


def test_the_page_says_what_is_there():
    """The example of docs/rlvr.md runs, and its table has every id of the catalogue."""
    page = (ROOT / "docs" / "rlvr.md").read_text().partition("\n## Constraints\n")[2].partition("\n## ")[0]
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], {})
    rows = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    assert [kind.id for kind in BUILT_IN if f"`{kind.id.partition(':')[2]}`" not in rows] == []
