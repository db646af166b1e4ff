"""`ask` and `score`: typed replies, records made of them, what expressions see."""

from __future__ import annotations

import gc
import json
import math
import random
import statistics
import weakref
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from methods import choices, near
from support import ask, run, stored, sums, synth, write_rows, yaml_file

from synth.corpus.view import StoreView
from synth.errors import PipelineError, UserError
from synth.export import export_run
from synth.models import Completion, Request, ScriptedModel, World
from synth.pipeline import load_pipeline, read_pipeline
from synth.prompts import Expression
from synth.records import Part, Problem, Rationale, Score
from synth.steps import Unit
from synth.steps.score import Score as ScoreStep
from synth.store.database import open_store

PROMPT = """{#- version: 1
    purpose: a test
-#}
{% call system() %}{{ reply_format }}{% endcall %}
{% call user() %}
{{ problem.full_question }}
%s
{% endcall %}
"""


def written(folder: Path, steps: str, shows: str = "", extra: str = "") -> Path:
    """A pipeline file with its prompt `p.j2` beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "p.j2").write_text(PROMPT.replace("%s", shows))
    body = "\n".join(f"  {line}" for line in steps.strip().splitlines())
    return yaml_file(folder / "p.yaml", f"pipeline: my/ask\nsteps:\n{body}\n{extra}")


def replying(seed: int = 0, **by_step: Any) -> ScriptedModel:
    """A model that gives each step the reply named, or solves."""
    world = World()

    def script(request: Request, rng: random.Random) -> Any:
        reply = by_step.get(request.step)
        if reply is None:
            return world(request, rng)
        reply = reply(request, rng) if callable(reply) else reply
        return reply if isinstance(reply, str) else json.dumps(reply)

    return ScriptedModel(script, name="m", seed=seed)


OPTIONS = """
- {step: generate, by: m, samples: 2, temperature: 0.7}
- step: ask
  name: verdict
  each: option of rationale
  by: m
  prompt: p.j2
  reply: {correct: yes_no, why: text}
  make:
    - {score: option_right, value: reply.correct == (option.letter == problem.answer), reason: reply.why}
    - {critique: "'of ' ~ option.letter", when: not reply.correct}
- {step: score, score: consistency, value: options.option_right | mean}
- {step: score, name: misses, score: misses, value: options.option_right | reject | list | length}
"""


async def test_options_are_asked_about_one_by_one(tmp_path: Path):
    """Each option of each rationale is one question; scores are on parts, figures of them on the whole."""
    says = {"A": "yes", "B": "no", "C": "no", "D": "yes"}

    def verdict(request: Request, _rng: Any) -> Any:
        assert request.task.part is not None
        return {"correct": says["ABCD"[request.task.part.index or 0]], "why": "so"}

    file = written(
        tmp_path / "f", OPTIONS, "Is {{ option.letter }}) {{ option.text }} right, after {{ rationale.text }}?"
    )
    rows = choices(tmp_path / "in.jsonl", 4, 4)  # answers A, B, C, D
    summary = await run(file, rows, tmp_path / "run", replying(verdict=verdict))
    assert not summary.failures
    found = ask(
        tmp_path / "run",
        "SELECT DISTINCT gold, name, value FROM scores s JOIN wide_rationales r ON r.id = s.target WHERE part IS NULL ORDER BY ALL",
    )
    # Right of four: yes for the gold option, no for the others. Gold A: D is wrong; gold B: A, B and D are.
    expected = {"A": 3, "B": 1, "C": 1, "D": 3}
    assert found == sorted(
        row for a, n in expected.items() for row in [(a, "consistency", n / 4), (a, "misses", 4 - n)]
    )
    assert ask(
        tmp_path / "run", "SELECT count(*), count(DISTINCT (target, part.index)) FROM scores WHERE part.kind = 'option'"
    ) == [(32, 32)]
    assert ask(tmp_path / "run", "SELECT DISTINCT part.kind, explanation FROM critiques ORDER BY ALL") == [
        ("option", "of B"),
        ("option", "of C"),
    ]


async def test_equal_questions_about_parts_are_records_of_their_own(tmp_path: Path):
    """A prompt that does not name the part asks each time the same: one call, and a score for each part."""
    file = written(tmp_path / "f", OPTIONS)
    await run(
        file, choices(tmp_path / "in.jsonl", 1, 4), tmp_path / "run", replying(verdict={"correct": "no", "why": "?"})
    )
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'verdict'") == [(1,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'option_right'") == [(8,)]


ALL_KINDS = """
- {step: generate, by: m}
- step: ask
  by: m
  prompt: p.j2
  show_gold: true
  reply: {items: list(text), why: text, at: int, answer: answer}
  make:
    - {critique: reply.why, step: reply.at - 1, mistake: "'logic'", correction: "reply['items'] | first"}
    - {score: heard, value: reply.answer.right, label: reply.answer.text}
    - {rationale: reply.why, answer: reply.answer.text, steps: "reply['items']"}
    - {problem: item, answer: "'7'", for: "reply['items']", meta: {place: index}}
    - {node: reply.why, answer: reply.answer.text}
    - {reject: not reply.answer.right}
"""


async def test_all_kinds_of_records_are_made(tmp_path: Path):
    steps = ALL_KINDS.replace("items", "lines").replace("reply['lines']", "reply.lines")
    file = written(tmp_path / "f", steps, "{{ gold }}")
    reply = {"lines": ["How many now?", "And then?"], "why": "We count to 7.", "at": 1, "answer": "The answer is 5."}
    await run(file, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", replying(ask=reply))
    folder = tmp_path / "run"
    assert ask(folder, "SELECT question, answer, answer_kind, meta->>'place', parent IS NOT NULL FROM problems WHERE step = 'ask' ORDER BY ALL") == [
        ("And then?", "7", "number", "1", True), ("How many now?", "7", "number", "0", True),
    ]  # fmt: skip
    assert ask(folder, "SELECT response, answer, steps, hinted, parent IS NOT NULL FROM rationales WHERE step = 'ask'") == [
        ("We count to 7.", "5", ["How many now?", "And then?"], True, True)
    ]  # fmt: skip
    assert ask(folder, "SELECT explanation, mistake, correction, part.kind, part.index, critic FROM critiques") == [
        ("We count to 7.", "logic", "How many now?", "step", 0, "m")
    ]  # fmt: skip
    assert ask(folder, "SELECT value, label, judge FROM scores WHERE name = 'heard'") == [(1.0, "5", "m")]
    assert ask(folder, "SELECT text, answer, terminal FROM nodes") == [("We count to 7.", "5", True)]
    assert ask(folder, "SELECT count(*) FROM rejections") == [(0,)]


@pytest.mark.parametrize(
    ("make", "reply", "why"),
    [
        ("{score: s, value: reply.why}", {"why": "a text"}, "the score s is to be a number"),
        ("{score: s, value: 1, step: 9}", {"why": "x"}, "there is no step 9"),
        ("{problem: reply.why, choices: \"['a', 'b']\", answer: \"'C'\"}", {"why": "x"}, "none of the options A, B"),
        ("{rationale: \"'  '\"}", {"why": "x"}, "rationale is empty"),
        ("{score: s, value: 1, for: reply.why}", {"why": "x"}, "not a list"),
    ],
)
async def test_a_reply_of_which_nothing_can_be_made_is_a_failure(tmp_path: Path, make: str, reply: Any, why: str):
    """It says why, and holds the reply; nothing is made of a part of it."""
    step = f"- {{step: generate, by: m}}\n- {{step: ask, by: m, prompt: p.j2, reply: {{why: text}}, make: [{{score: first, value: 1}}, {make}]}}"
    file = written(tmp_path / "f", step)
    await run(file, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", replying(ask=reply))
    ((cause, message, raw),) = ask(tmp_path / "run", "SELECT cause, message, raw FROM failures")
    assert (cause, json.loads(raw)) == ("shape", reply)
    assert why in message
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name IN ('first', 's')") == [(0,)]


async def test_a_reply_that_cannot_be_read_is_repaired_once(tmp_path: Path):
    said = iter(["no idea", '{"answer": "yes"}'])
    file = written(
        tmp_path / "f",
        "- {step: ask, each: problem, by: m, prompt: p.j2, reply: yes_no, make: [{score: ok, value: reply}]}",
    )
    await run(file, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", replying(ask=lambda *_: next(said)))
    assert ask(tmp_path / "run", "SELECT value FROM scores") == [(1.0,)]
    assert ask(tmp_path / "run", "SELECT count(*), count(repairs) FROM calls") == [(2, 1)]


async def test_a_probability_is_that_of_a_yes(tmp_path: Path):
    file = written(
        tmp_path / "f",
        "- {step: ask, each: problem, by: m, prompt: p.j2, reply: probability, make: [{score: p, value: reply}]}",
    )
    await run(file, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", ScriptedModel(World(specificity=1), name="m"))
    values = {round(v, 6) for (v,) in ask(tmp_path / "run", "SELECT value FROM scores")}
    assert values == {0.9}


JUDGES = """
- {step: generate, by: a}
- step: ask
  name: grade
  by: [a, b]
  prompt: p.j2
  reply: int(1, 5)
  make: [{score: grade, value: reply, label: "'high' if reply > 3 else 'low'"}]
- {step: score, score: spread, value: (judgements.grade | max) - (judgements.grade | min)}
- {step: filter, keep: score.grade >= 3}
"""


@pytest.mark.parametrize(("b", "mean", "label", "kept"), [(5, 4.5, "high", 1), (1, 2.5, None, 0)])
async def test_several_judges_are_one_mean_and_a_list(
    tmp_path: Path, b: int, mean: float, label: str | None, kept: int
):
    """`score.grade` is the mean over the judges, in the unit, in SQL, in exports and for corpus steps."""
    file = written(
        tmp_path / "f",
        JUDGES,
        extra="corpus:\n  - {step: filter_range, target: rationale, of: score.grade, lowest: 0}\n",
    )
    models = {"a": [replying(grade="4")], "b": [replying(1, grade=str(b))]}
    models["b"][0].name = "other"
    await run(file, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", models)
    folder = tmp_path / "run"
    assert ask(folder, "SELECT value, label, judges FROM current_scores WHERE name = 'grade'") == [(mean, label, 2)]
    assert ask(folder, "SELECT score_grade, label_grade, score_spread FROM wide_rationales") == [
        (mean, label, abs(4 - b))
    ]
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(kept,)]
    with open_store(folder) as store:
        (seen,) = (
            StoreView(store).variables("rationale") if kept else [{"score": {"grade": mean}, "label": {"grade": label}}]
        )
        assert (seen["score"]["grade"], seen["label"]["grade"]) == (mean, label)


PROBLEM = Problem.root(question="How many?", answer="1", answer_kind="number")


def rationale(n: int, step: str = "write", parent: str | None = None) -> Rationale:
    return Rationale.make(
        unit=PROBLEM.unit, step=step, because=n, problem=PROBLEM.id, author="teacher", response=f"It is {n}.", answer=str(n),
        steps=("a", "b", "c"), segmenter="given/1", parent=parent,
    )  # fmt: skip


def scored(
    record: Rationale, name: str, value: float | None, judge: str = "j", step: str = "s", place: int | None = None
) -> Score:
    part = None if place is None else Part(kind="step", index=place)
    return Score.make(
        unit=record.unit, step=step, because=[record.id, name, value, judge, place], target=record.id, part=part, name=name, value=value, judge=judge
    )  # fmt: skip


@given(st.lists(st.one_of(st.none(), st.floats(-100, 100)), min_size=1, max_size=6))
def test_expressions_see_siblings_and_a_missing_score_is_no_number(values: list[float | None]):
    """Figures over the group equal those of the statistics module; where one is missing there is none."""
    unit = Unit(PROBLEM, None, {})
    records = [rationale(n) for n in range(len(values))]
    unit.add(records)
    unit.add(scored(r, "x", v) for r, v in zip(records, values, strict=True))
    seen = unit.variables(records[0])
    known = [v for v in values if v is not None]

    def value(source: str) -> Any:
        return Expression(source).value(seen, "here")

    listed = 'group | map(attribute="score.x")'
    whole = len(known) == len(values)
    assert value(f"({listed}) | mean") == (pytest.approx(statistics.fmean(known)) if whole else None)
    assert value(f"({listed}) | known | mean") == (pytest.approx(statistics.fmean(known)) if known else None)
    assert value(f"({listed}) | known | median") == (pytest.approx(statistics.median(known)) if known else None)
    assert value("siblings | length") == len(values) - 1
    if values[0] is not None:
        deviation = statistics.pstdev(known)
        z = 0.0 if deviation == 0 else (values[0] - statistics.fmean(known)) / deviation
        assert value(f"score.x | z({listed} | known)") == pytest.approx(z, abs=1e-6)
        assert value(f"score.x | rank({listed} | known)") == 1 + sum(v > values[0] for v in known)
    assert value("score.x + 1") == (None if values[0] is None else values[0] + 1)


def test_figures_are_those_of_their_definitions():
    def value(source: str, **names: Any) -> Any:
        return Expression(source).value(names, "here")

    assert value("[0.5, 0.25] | product") == 0.125
    assert value("4 | weibull(4)") == 1
    assert value("[0.9, 0.9] | geomean * (8 | weibull(3.846))") == pytest.approx(0.9 * 0.741, abs=1e-3)
    assert value("[1, 4] | geomean") == pytest.approx(2)
    assert (value("[0, 4] | geomean"), value("[-1, 4] | geomean"), value("[] | geomean")) == (0, None, None)
    assert value("[0.5, 0.25] | log_sum") == pytest.approx(math.log(0.125))
    assert value("[0.5, 0] | log_sum") == pytest.approx(math.log(0.5e-6))
    assert value("[0.5, 0] | log_sum(floor=0.25)") == pytest.approx(math.log(0.125))
    assert value("[1, 1, 1] | discounted(0.5)") == 1.75
    assert (value("[3, 4] | discounted(1)"), value("[3, 4] | discounted(0)")) == (7, 3)
    assert (value("[] | log_sum"), value("[none, 1] | discounted"), value("[] | discounted")) == (None, None, None)
    for wrong in ("[1] | discounted(1.5)", "[1] | log_sum(floor=0)"):
        with pytest.raises(UserError, match="has a f"):
            value(wrong)
    assert value("[1, 1, 2] | entropy") == pytest.approx(1.5 * math.log(2))
    assert value("[0, 3] | entropy") == 0
    assert value("[1, 1, 3] | softmax | sum") == pytest.approx(1)
    assert value("([0, 1] | softmax(temperature=0.5))[1]") == pytest.approx(1 / (1 + math.exp(-2)))
    assert value("[2, 4, 4, 4, 5, 5, 7, 9] | stdev") == pytest.approx(2)
    assert (value("[] | max"), value("[] | min"), value("[] | mean")) == (None, None, None)
    with pytest.raises(UserError, match="temperature above 0"):
        value("[1] | softmax(temperature=0)")


async def test_scores_of_parts_and_of_lines_of_descent():
    """Steps, parents and children: a child sees its parent, a parent its children."""
    unit = Unit(PROBLEM, None, {})
    first = rationale(1)
    second = rationale(2, "revise", first.id)
    unit.add([first, second])
    unit.add([scored(first, "sound", v, place=i) for i, v in enumerate([1, 0])])
    unit.add([scored(first, "good", 0.25), scored(second, "good", 0.75)])
    made = await ScoreStep(name="m", score="m", value="steps.sound").run([], unit)
    assert list(made) == []

    def value(record: Rationale, source: str) -> Any:
        return Expression(source).value(unit.variables(record), "here")

    assert value(first, "steps.sound") == [1, 0, None]
    assert value(first, "steps.sound | known | product") == 0
    assert value(second, "score.good - parent.score.good") == 0.5
    assert value(first, "children | map(attribute='score.good') | max") == 0.75
    assert (value(first, "parent"), value(second, "children")) == (None, [])
    steps = await ScoreStep(
        name="m", score="m", each="step of rationale", value="step.score.sound * 2 + step.index"
    ).run([first], unit)
    assert [(s.part.index, s.value) for s in steps] == [(0, 2), (1, 1), (2, None)]


def test_a_rationale_sees_the_scores_of_its_problem():
    """`problem_score` of a rationale is `score` of its problem; a score that is not there is none."""
    unit = Unit(PROBLEM, None, {})
    record = rationale(1)
    unit.add([record, scored(record, "x", 0.25), scored(PROBLEM, "x", 0.75)])
    for about, expected in ((record, 0.25), (PROBLEM, 0.75)):
        seen = unit.variables(about)
        assert Expression("[score.x, problem_score.x, problem_score.y]").value(seen, "here") == [expected, 0.75, None]


def test_a_later_step_replaces_what_an_earlier_one_said():
    """Scores of one name by two steps: the later step counts, not the mean of both."""
    unit = Unit(PROBLEM, None, {})
    record = rationale(1)
    unit.add([record, scored(record, "vote", 0.5, step="vote"), scored(record, "vote", 1, step="vote_2")])
    assert unit.variables(record)["score"]["vote"] == 1


@pytest.mark.parametrize(
    ("step", "what", "fix"),
    [
        ("reply: yesno, make: [{score: s, value: 1}]", "'yesno' is no type", "yes_no"),
        ("reply: {why: string}, make: [{score: s, value: 1}]", "reply: why: 'string' is no type", "did you mean text?"),
        ("reply: 'oneof(a, b)', make: [{score: s, value: 1}]", "'oneof(a, b)' is no type", "did you mean one_of?"),
        ("reply: text, make: [{problem: reply, meta: reply}]", "make.0.", "dictionary"),
        (
            "reply: text, each: step of rationale, where: step.label.gon == 1, make: [{score: s, value: 1}]",
            "the score 'gon'",
            "",
        ),
        ("reply: yes_no, make: [{scores: s, value: 1}]", "an entry of make has one of the keys", "score"),
        ("reply: yes_no, make: [{score: s, valeu: 1}]", "valeu", ""),
        ("reply: yes_no, make: []", "make", ""),
        ("reply: {ok: yes_no}, make: [{score: s, value: reply.okay}]", "reply has no 'okay'", "did you mean 'ok'"),
        ("reply: yes_no, make: [{score: s, value: replay}]", "unknown name 'replay'", "did you mean 'reply'"),
        (
            "reply: yes_no, each: option of rationale, make: [{score: s, value: option.lettr}]",
            "option has no 'lettr'",
            "letter",
        ),
        ("reply: yes_no, make: [{score: s, value: option.letter}]", "unknown name 'option'", ""),
        ("reply: yes_no, make: [{score: s, value: score.missing}]", "no earlier step makes the score 'missing'", ""),
        ("reply: yes_no, make: [{score: s, value: 'reply +'}]", "does not compile", "docs/expressions.md"),
        ("reply: {schema: there/is/none.json}, make: [{score: s, value: 1}]", "cannot be read", ""),
        ("reply: {schema: ../../out.json}, make: [{score: s, value: 1}]", "cannot be read", ""),
        ("reply: yes_no, each: steps, make: [{score: s, value: 1}]", "each", ""),
        ("reply: yes_no, prompt: none.j2, make: [{score: s, value: 1}]", "no such prompt", ""),
    ],
)
def test_mistakes_are_reported_before_any_call(tmp_path: Path, step: str, what: str, fix: str):
    prompt = "" if "prompt:" in step else "prompt: p.j2, "
    file = written(tmp_path / "f", f"- {{step: generate, by: m}}\n- {{step: ask, name: asks, by: m, {prompt}{step}}}")
    with pytest.raises(PipelineError) as error:
        load_pipeline(file)
    assert what in str(error.value)
    assert fix in str(error.value)
    assert "p.yaml:4" in str(error.value)


@pytest.mark.parametrize(
    "value", ["range(100000) | map('string') | list | length * 0 + (range(99999) | sum)", "'x' * 999999999"]
)
async def test_an_expression_that_grows_ends(tmp_path: Path, value: str):
    """Whatever takes too much work ends the run with the step and the record, and no traceback."""
    file = written(
        tmp_path / "f", f'- {{step: generate, by: m}}\n- {{step: score, name: big, score: s, value: "{value}"}}'
    )
    rows = sums(tmp_path / "in.jsonl", 1)
    done = synth("run", str(file), "--input", str(rows), "--run", str(tmp_path / "run"))
    assert done.returncode in {0, 2}
    assert "Traceback" not in done.stderr


async def test_a_world_approves_of_what_is_sound(tmp_path: Path):
    """A reply that is a verdict on a rationale follows the rates of the world: yes, and the highest grade, to sound work."""
    n = 300
    file = written(
        tmp_path / "f",
        "- {step: generate, by: m}\n"
        "- {step: ask, by: m, prompt: p.j2, reply: {ok: yes_no, grade: 'int(1, 5)'},\n"
        "   make: [{score: ok, value: reply.ok}, {score: grade, value: reply.grade}]}",
    )
    world = World(solve_rate=0.5, sensitivity=0.7, specificity=0.9)
    await run(file, sums(tmp_path / "in.jsonl", n), tmp_path / "run", ScriptedModel(world, name="m"))
    rows = ask(tmp_path / "run", "SELECT r.text, r.score_ok, r.score_grade FROM wide_rationales r")
    sound = [ok for text, ok, _ in rows if World.is_sound(text)]
    unsound = [ok for text, ok, _ in rows if not World.is_sound(text)]
    assert near(statistics.fmean(sound), 0.9, len(sound))
    assert near(statistics.fmean(unsound), 0.3, len(unsound))
    assert {grade for _, ok, grade in rows if ok} == {5}


async def test_listening_reads_an_answer(tmp_path: Path):
    """`answer` compares what a listener says with the gold answer, by the problem's kind of answer."""
    rows = write_rows(
        tmp_path / "in.jsonl",
        [{"question": "2 + 2?", "answer": "4"}, {"question": "Which?", "choices": ["x", "y"], "answer": "B"}],
    )
    file = written(
        tmp_path / "f",
        "- {step: ask, each: problem, by: m, prompt: p.j2, reply: answer, make: [{score: heard, value: reply.right, label: reply.text}]}",
    )
    says = {"2 + 2?": "I hear 4.0 then.", "Which?": "(b) y"}
    await run(
        file, rows, tmp_path / "run", replying(ask=lambda request, _: {"answer": says[request.task.problem.question]})
    )
    assert ask(tmp_path / "run", "SELECT value, label FROM scores ORDER BY label") == [(1.0, "4.0"), (1.0, "B")]


async def test_a_pass_rate_counts_the_rationales_it_is_given(tmp_path: Path):
    """Hinted attempts are always right, the others never: the rate over the others is 0, over both one half."""
    steps = """
- {step: generate, name: alone, by: m}
- {step: generate, name: hinted, by: m, hint: answer}
- {step: verify_answer, of: [alone, hinted]}
- {step: pass_rate, name: both, of: input}
- {step: score, name: keep_both, score: both, each: problem, value: score.pass_rate}
- {step: pass_rate, name: few, of: input, over: alone}
"""
    world = World(solve_rate=0, lucky_rate=0, hint_rate=1)
    file = written(tmp_path / "f", steps)
    await run(file, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", ScriptedModel(world, name="m"))
    found = ask(
        tmp_path / "run",
        "SELECT DISTINCT name, value FROM current_scores WHERE name IN ('both', 'pass_rate') ORDER BY ALL",
    )
    assert found == [("both", 0.5), ("pass_rate", 0.0)]
    with pytest.raises(PipelineError, match="there is no earlier step 'alne'"):
        load_pipeline(written(tmp_path / "g", steps.replace("over: alone", "over: alne")))


@pytest.mark.parametrize("field", ["answer", "answer_shown", "reference_solution"])
def test_a_solver_that_would_see_the_answer_is_found(tmp_path: Path, field: str):
    """Who answers a problem is shown the gold answer only where the pipeline says so: the rationale is then called hinted."""
    step = "- {step: ask, each: problem, by: m, prompt: p.j2, make: [{rationale: reply}]}"
    draft = read_pipeline(written(tmp_path / "f", step, f"{{{{ problem.{field} }}}}"))
    draft.check_models({"m": [ScriptedModel(World(), name="m")]})
    assert [f"problem.{field}" in finding.what for finding in draft.findings] == [True]
    judge = "- {step: ask, each: problem, by: m, prompt: p.j2, reply: yes_no, make: [{score: s, value: reply}]}"
    draft = read_pipeline(written(tmp_path / "g", judge, f"{{{{ problem.{field} }}}}"))
    draft.check_models({"m": [ScriptedModel(World(), name="m")]})
    assert draft.findings == []


async def test_the_thought_of_a_typed_reply_is_kept(tmp_path: Path):
    """A judge that reasons: what it thought stands beside the rationale that is made of its fields."""
    step = "- {step: ask, each: problem, by: m, prompt: p.j2, reply: {why: text}, make: [{rationale: reply.why}]}"

    def think(_request: Request, _rng: Any) -> Completion:
        return Completion(text='{"why": "It is 5."}', finish="stop", thought="Hm, five.", thought_kind="raw")

    model = ScriptedModel(think, name="m")
    await run(written(tmp_path / "f", step), sums(tmp_path / "in.jsonl", 1), tmp_path / "run", model)
    found = ask(tmp_path / "run", "SELECT response, thought, thought_kind, answer FROM rationales")
    assert found == [("It is 5.", "Hm, five.", "raw", "5")]


async def test_a_judge_of_pairs_sees_both_sides(tmp_path: Path):
    """A pair is asked about with its two rationales; what the judge says is a score of the pair, and rejects it."""
    steps = """
- {step: generate, by: m, samples: 4, temperature: 0.7}
- {step: verify_answer}
- {step: pair, limit: 1}
- step: ask
  name: judge
  each: pair
  by: m
  prompt: p.j2
  reply: one_of(first, second)
  make: [{score: agrees, value: reply == "first"}, {reject: reply == "second" and chosen.answer != rejected.answer}]
"""
    file = written(tmp_path / "f", steps, "1: {{ chosen.answer }} 2: {{ rejected.answer }}")
    model = replying(judge=lambda request, _: {"answer": "second"})
    await run(file, sums(tmp_path / "in.jsonl", 6), tmp_path / "run", model)
    pairs = ask(tmp_path / "run", "SELECT count(*) FROM pairs")[0][0]
    assert pairs > 0
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_pairs") == [(0,)]
    shown = "SELECT bool_and(c.messages::VARCHAR LIKE '%1: ' || a.answer || ' 2: ' || b.answer || '%') FROM calls c"
    sides = "JOIN scores s ON s.call = c.id JOIN pairs p ON p.id = s.target JOIN rationales a ON a.id = p.chosen JOIN rationales b ON b.id = p.rejected"
    assert ask(tmp_path / "run", f"{shown} {sides}") == [(True,)]


async def test_a_changed_question_has_the_answer_it_is_given(tmp_path: Path):
    """A derived problem has no gold answer unless the pipeline says which: that of the original would be wrong in silence."""
    steps = """
- step: ask
  each: problem
  by: m
  prompt: p.j2
  make: [{problem: reply, when: index == 0, for: "[1]"}, {problem: reply ~ "!", answer: problem.answer}]
"""
    file = written(tmp_path / "f", steps)
    await run(file, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", replying(ask="How many are left?"))
    found = ask(
        tmp_path / "run", "SELECT question, answer, answer_kind FROM problems WHERE parent IS NOT NULL ORDER BY 1"
    )
    assert found == [("How many are left?", None, None), ("How many are left?!", "5", "number")]


def test_the_view_says_what_a_unit_says(tmp_path: Path):
    """`current_scores` and `Unit.score` agree: also on scores that came with the input, and of a name that two steps gave."""
    unit = Unit(PROBLEM, None, {})
    record = rationale(1)
    given_scores = [
        scored(record, "a", 1, "x", step="input"), scored(record, "a", 0, "y", step="input"), scored(record, "b", None, "x", step="input"),
        scored(record, "c", 0.5, "x", step="input", place=0), scored(record, "c", 1, "y", step="input", place=0),
    ]  # fmt: skip
    unit.add([record, *given_scores])
    with open_store(stored(tmp_path / "run", PROBLEM, record, *given_scores)) as store:
        found = {
            (r["name"], r["part"] and r["part"]["index"]): (r["value"], r["label"], r["whose"])
            for r in store.rows("FROM current_scores")
        }
    assert found == {
        ("a", None): (0.5, None, ["x", "y"]),
        ("b", None): (None, None, ["x"]),
        ("c", 0): (0.75, None, ["x", "y"]),
    }
    for (name, place), (value, label, _) in found.items():
        assert unit.score(record, name, None if place is None else Part(kind="step", index=place)) == (value, label)


async def test_labels_of_parts_say_nothing_of_the_whole(tmp_path: Path):
    """A step that is called wrong makes no right answer a bad example, and none that is called right a verified one."""
    steps = """
- {step: generate, by: m, samples: 2, temperature: 0.7}
- {step: verify_answer}
- {step: score, name: bad, score: s, each: step of rationale, value: 0, label: "'wrong'"}
- {step: score, name: odd, score: t, each: step of rationale, value: 1, label: "'unparsed'"}
- {step: filter, name: none, keep: "false"}
"""
    file = written(tmp_path / "f", steps)
    await run(file, sums(tmp_path / "in.jsonl", 6), tmp_path / "run", ScriptedModel(World(solve_rate=1), name="m"))
    funnel = dict(ask(tmp_path / "run", "SELECT stage, n FROM funnel"))
    assert (funnel["parsed"], funnel["verified"]) == (12, 12)
    with pytest.raises(UserError, match="nothing to export as kto"):
        export_run(tmp_path / "run", "kto", tmp_path / "out")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("one_of(a, b)", ["a"]),
        ("one_of(a, b)", {"a": "b"}),
        ("int", 10**400),
        ("int(1, 5)", 10**400),
        ("number", float("inf")),
        ("number", float("nan")),
        ("list(one_of(a, b))", [["a"]]),
        ("yes_no", {"yes": True}),
        ("text", 3.5),
    ],
)
async def test_a_reply_of_the_wrong_type_ends_no_run(tmp_path: Path, reply: str, said: Any):
    """Whatever a model writes is read, or is a failure with the reply as it came."""
    step = (
        f"- {{step: ask, each: problem, by: m, prompt: p.j2, reply: {{v: '{reply}'}}, make: [{{score: s, value: 1}}]}}"
    )
    model = replying(ask=lambda *_: json.dumps({"v": said}))
    await run(written(tmp_path / "f", step), sums(tmp_path / "in.jsonl", 1), tmp_path / "run", model)
    causes = [cause for (cause,) in ask(tmp_path / "run", "SELECT cause FROM failures")]
    assert causes == ([] if reply == "text" else ["shape"])


@pytest.mark.parametrize(
    ("number", "text"),
    [("1234567", "1234567"), ("3.14159265", "3.14159265"), ("2.0", "2"), ("1e20", "1e+20"), ("true", "yes")],
)
async def test_numbers_are_written_out(tmp_path: Path, number: str, text: str):
    """A gold answer that is computed keeps its digits."""
    step = f"- {{step: ask, each: problem, by: m, prompt: p.j2, make: [{{problem: reply, answer: '{number}'}}]}}"
    await run(
        written(tmp_path / "f", step), sums(tmp_path / "in.jsonl", 1), tmp_path / "run", replying(ask="How many?")
    )
    assert ask(tmp_path / "run", "SELECT answer FROM problems WHERE parent IS NOT NULL") == [(text,)]


@pytest.mark.parametrize(
    ("meta", "stored"),
    [
        ("reply.parts", [{"ok": True}]),
        ("reply", {"parts": [{"ok": True}], "why": "so"}),
        ("siblings | map(attribute='problem.id') | list", []),
        ("problem", None),
        ("parent", None),
        ("1e308 * 10", None),
    ],
)
async def test_meta_is_data(tmp_path: Path, meta: str, stored: Any):
    """Fields of a reply are stored as they are; what is no data is a failure, not the end of the run."""
    step = (
        "- {step: ask, each: problem, by: m, prompt: p.j2, reply: {parts: [{ok: yes_no}], why: text},"
        f' make: [{{problem: reply.why, meta: {{x: "{meta}"}}}}]}}'
    )
    said = {"parts": [{"ok": "yes"}], "why": "so"}
    await run(written(tmp_path / "f", step), sums(tmp_path / "in.jsonl", 1), tmp_path / "run", replying(ask=said))
    found = ask(tmp_path / "run", "SELECT meta->'x' FROM problems WHERE parent IS NOT NULL")
    failed = ask(tmp_path / "run", "SELECT count(*) FROM failures")[0][0]
    assert ([json.loads(x) for (x,) in found], failed) in (([stored], 0), ([], 1))
    assert failed == (meta in {"problem", "1e308 * 10"})


async def test_a_changed_schema_is_asked_again(tmp_path: Path):
    """The fingerprint holds what a schema file says, not its name."""
    step = (
        "- {step: ask, each: problem, by: m, prompt: p.j2, reply: {schema: s.json}, make: [{score: s, value: reply.v}]}"
    )
    file = written(tmp_path / "f", step)
    schema = {"type": "object", "properties": {"v": {"type": "integer", "minimum": 1, "maximum": 5}}}
    (file.parent / "s.json").write_text(json.dumps(schema))
    first = load_pipeline(file).fingerprint()
    schema["properties"]["v"]["maximum"] = 2
    (file.parent / "s.json").write_text(json.dumps(schema))
    assert load_pipeline(file).fingerprint() != first


def test_what_is_known_of_a_record_is_not_gone_through():
    """An expression cannot depend on what another one has looked at before."""
    unit = Unit(PROBLEM, None, {})
    records = [rationale(n) for n in range(2)]
    unit.add(records)
    seen = unit.variables(records[0])
    assert Expression("siblings[0].get('score') is none").value(seen, "here") is False
    for source in ("siblings[0] | length", "siblings[0].items() | length", "siblings[0] | list"):
        with pytest.raises(UserError, match="gone through"):
            Expression(source).value(seen, "here")


async def test_units_are_released(tmp_path: Path):
    """What expressions have seen keeps no unit alive."""
    unit = Unit(PROBLEM, None, {})
    records = [rationale(n) for n in range(3)]
    unit.add(records)
    Expression("group | map(attribute='siblings') | list | length + (right | length)").value(
        unit.variables(records[0]), "x"
    )
    alive = weakref.ref(unit)
    unit.forget()
    gc.disable()
    try:
        del unit
        assert alive() is None
    finally:
        gc.enable()


async def test_each_iteration_asks_for_samples_of_its_own(tmp_path: Path):
    """Three judgements in each of three iterations are nine calls, though the prompt is the same."""
    steps = """
- {step: generate, by: m}
- repeat:
    until: "false"
    at_most: 3
    steps:
      - {step: ask, by: m, of: generate, prompt: p.j2, samples: 3, temperature: 0.7, reply: yes_no, make: [{score: ok, value: reply}]}
"""
    await run(
        written(tmp_path / "f", steps),
        sums(tmp_path / "in.jsonl", 2),
        tmp_path / "run",
        ScriptedModel(World(), name="m"),
    )
    assert ask(tmp_path / "run", "SELECT count(*), count(DISTINCT sample) FROM calls WHERE step LIKE 'ask%'") == [
        (18, 9)
    ]
