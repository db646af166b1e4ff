"""The ids of what steps make: the same id means the same record."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from methods import code_of
from support import ask, run, sums, yaml_file

from synth.corpus.choose import LimitPerGroup
from synth.corpus.step import CorpusRecord
from synth.errors import StepError
from synth.models import ScriptedModel, World
from synth.records import Problem, Rationale, Score, derive
from synth.steps import Unit
from synth.steps.filter import Filter
from synth.steps.pair import Pair
from synth.steps.pass_rate import PassRate
from synth.steps.reference import Reference
from synth.steps.segment import Segment
from synth.steps.verify_answer import VerifyAnswer
from synth.steps.vote import Vote
from synth.verify import Verdict

ROOT = Path(__file__).parents[2]
PROBLEM = Problem.root(question="How many?", answer="100", answer_kind="number", reference_solution="Ten.\nSo 100.")


def rationale(answer: str, n: int = 0, problem: Problem = PROBLEM) -> Rationale:
    return Rationale.make(
        unit=problem.unit, step="write", because=[answer, n], problem=problem.id, author="teacher",
        response=f"First.\nSo {answer}.", steps=("First.", f"So {answer}."), segmenter="lines/1", answer=answer, sample=n,
    )  # fmt: skip


def scored(record: Rationale, value: float, name: str = "correct") -> Score:
    return Score.make(
        unit=record.unit,
        step="s",
        because=[record.id, name, value],
        target=record.id,
        name=name,
        value=value,
        judge="j",
    )


def unit_of(*records) -> Unit:
    unit = Unit(PROBLEM, None, {})
    unit.add(records)
    return unit


async def _ids(step, records, unit: Unit) -> dict[str, object]:
    return {r.id: r for r in await step.run(records, unit)}


async def test_a_tolerance_that_changes_the_verdict_changes_the_id():
    """Two verdicts on one rationale are two scores."""
    near = rationale("104")
    strict = await _ids(VerifyAnswer(name="v"), [near], unit_of(near))
    lenient = await _ids(VerifyAnswer(name="v", tolerance=0.05), [near], unit_of(near))
    assert [s.value for s in strict.values()] == [0.0]
    assert [s.value for s in lenient.values()] == [1.0]
    assert not strict.keys() & lenient.keys()


async def test_a_vote_depends_on_the_voters():
    first, second, third = rationale("100", 0), rationale("100", 1), rationale("7", 2)
    two = await _ids(Vote(name="v"), [first, third], unit_of(first, third))
    three = await _ids(Vote(name="v"), [first, second, third], unit_of(first, second, third))
    assert not two.keys() & three.keys()


async def test_a_pair_depends_on_its_reason_and_its_margin():
    good, bad = rationale("100"), rationale("7")
    unit = unit_of(
        good, bad, scored(good, 1.0), scored(bad, 0.0), scored(good, 5.0, "review"), scored(bad, 3.0, "review")
    )
    by_answer = await _ids(Pair(name="p"), [good, bad], unit)
    by_review = await _ids(Pair(name="p", score="review"), [good, bad], unit)
    assert [(p.reason, p.margin) for p in by_answer.values()] == [("correctness", 1.0)]
    assert [(p.reason, p.margin) for p in by_review.values()] == [("score review", 2.0)]
    assert not by_answer.keys() & by_review.keys()


async def test_a_reference_depends_on_its_author():
    people = await _ids(Reference(name="r"), [PROBLEM], unit_of())
    program = await _ids(Reference(name="r", author="program"), [PROBLEM], unit_of())
    assert not people.keys() & program.keys()


async def test_totals_of_a_rubric_tree_depend_on_their_value():
    step = code_of("thought-trees").RubricTree(name="t", rule="1 + 1")
    assert step._score(PROBLEM, "max_path", 0.25).id != step._score(PROBLEM, "max_path", 0.5).id


async def test_a_pass_rate_depends_on_its_score():
    one = rationale("100")
    unit = unit_of(one, scored(one, 1.0), scored(one, 0.0, "other"))
    a = await _ids(PassRate(name="p"), [PROBLEM], unit)
    b = await _ids(PassRate(name="p", score="other"), [PROBLEM], unit)
    assert not a.keys() & b.keys()


async def test_an_option_that_changes_nothing_leaves_the_id():
    """A verdict that a person gave on a record outlives options that do not change it."""
    one = rationale("100")
    a = await _ids(Segment(name="s"), [one], unit_of(one))
    b = await _ids(Segment(name="s", of="write"), [one], unit_of(one))
    assert a == b
    right = await _ids(Filter(name="f", keep="false"), [one], unit_of(one))
    assert right == await _ids(Filter(name="f", keep="false", where="true"), [one], unit_of(one))


def test_what_a_reply_made_is_known_by_the_reply(tmp_path: Path):
    """Another prompt to verify or another option of the reader leaves the rationales of recorded replies their ids."""
    text = """
        pipeline: my/p
        roles: {{teacher: writes}}
        steps:
          - {{step: generate, samples: 2, segment: {segment}}}
    """
    ids = []
    for segment in ("steps", "sentences"):
        made = yaml_file(tmp_path / f"{segment}.yaml", text.format(segment=segment))
        asyncio.run(run(made, sums(tmp_path / "in.jsonl", 3), tmp_path / segment, ScriptedModel(World())))
        ids.append(ask(tmp_path / segment, "SELECT id FROM rationales ORDER BY id"))
    assert len(ids[0]) == 6
    assert ids[0] == ids[1]


FIELDS = st.fixed_dictionaries(
    {
        "target": st.sampled_from(["a", "b"]),
        "name": st.sampled_from(["x", "y"]),
        "value": st.none() | st.sampled_from([0.0, 0.5, 1.0]),
        "label": st.none() | st.sampled_from(["", "right"]),
        "judge": st.sampled_from(["j", "k"]),
        "reason": st.none() | st.text(max_size=3),
        "call": st.none() | st.text(max_size=3),
    }
)


@given(FIELDS, FIELDS)
def test_computed_records_have_one_id_if_and_only_if_they_are_equal(one: dict, other: dict):
    made = [derive(Score, step="s", version=1, parents=[PROBLEM], **fields) for fields in (one, other)]
    assert (made[0].id == made[1].id) == (one == other)


def test_the_version_the_parents_and_the_key_are_part_of_an_id():
    fields = {"target": "t", "name": "n", "judge": "j", "value": 1.0}
    base = {"step": "s", "version": 1, "parents": [PROBLEM], "replies": ["k"]}
    ways = [{}, {"step": "u"}, {"version": 2}, {"parents": [PROBLEM, "x"]}, {"replies": ["k", "l"]}, {"key": 1}]
    ids = [derive(Score, **{**base, **way}, **fields).id for way in ways]
    assert len(set(ids)) == len(ways)
    assert derive(Score, **base, **{**fields, "value": 2.0}).id == ids[0]


def test_the_same_id_with_other_content_is_an_error():
    """Silently the first one stayed: now the step is named, and what differs."""
    one = derive(
        Score, step="mine", version=1, parents=[PROBLEM], replies=["k"], target="t", name="n", judge="j", value=1.0
    )
    unit = unit_of(one)
    unit.add([one.model_copy()])
    assert len(unit.records) == 2
    with pytest.raises(StepError, match=r"step mine: two records that differ in value have the id b2:.*\n.*`key`"):
        unit.add([one.model_copy(update={"value": 0.0})])


def test_one_model_under_two_names_gives_one_record_a_reply():
    """Both names are asked, one call serves both, and its rationale is there once, under the first name."""
    one = derive(Rationale, step="s", version=1, parents=[PROBLEM], replies=["k"], problem=PROBLEM.id, author="teacher",
                 response="5", model="a")  # fmt: skip
    unit = unit_of(one, one.model_copy(update={"model": "b"}))
    assert [r.model for r in unit.all(Rationale)] == ["a"]


def test_a_step_that_makes_two_records_of_one_id_ends_the_run_with_its_name(tmp_path: Path, monkeypatch):
    """The mistake is in the code of a step: it is reported, and nothing of the unit is kept."""

    def scores_alike(
        step: VerifyAnswer, target: Rationale, _verdict: Verdict, _name: str
    ) -> Score:  # one id, other values
        return derive(Score, step="v", version=1, parents=[target], replies=["k"], target=target.id, name="correct",
                      judge="j", value=float(len(step.name)))  # fmt: skip

    monkeypatch.setattr(VerifyAnswer, "verdict", scores_alike)
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        roles: {teacher: writes}
        steps:
          - {step: generate}
          - {step: verify_answer, name: v}
          - {step: verify_answer, name: again}
        """,
    )
    with pytest.raises(StepError, match="step v: two records that differ in value have the id"):
        asyncio.run(run(made, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", ScriptedModel(World())))
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores") == [(0,)]


def test_a_rejection_depends_on_what_was_observed():
    record = CorpusRecord(*([None] * len(CorpusRecord._fields)))._replace(id="r", unit="u", table="rationales")
    step = LimitPerGroup(name="l", at_most=1)
    assert step.reject(record, "at most 1", {"of": "a"}).id != step.reject(record, "at most 1", {"of": "b"}).id
    assert step.reject(record, "at most 1", {"of": "a"}).id == step.reject(record, "at most 1", {"of": "a"}).id


def test_no_step_makes_an_id_of_its_own():
    """Steps and corpus steps go through `derive` alone."""
    for path in [*(ROOT / "synth" / "steps").glob("*.py"), *(ROOT / "synth" / "corpus").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                names = {keyword.arg for keyword in node.keywords}
                assert "because" not in names, f"{path.name}:{node.lineno}"
                assert not ({"id", "unit", "step"} <= names), f"{path.name}:{node.lineno}"
