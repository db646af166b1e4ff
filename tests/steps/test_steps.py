from __future__ import annotations

from collections import Counter
from pathlib import Path

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given
from support import ask, run, write_rows, yaml_file

from synth.calls import Caller, Ledger
from synth.documented import field_docs
from synth.errors import UserError
from synth.models import Completion, ScriptedModel
from synth.models.structured import response_format
from synth.records import Node, Pair, Problem, Rationale, Rejection, Score
from synth.steps import Unit, all_steps
from synth.steps.deduplicate import Deduplicate
from synth.steps.filter import Filter
from synth.steps.generate import Generate
from synth.steps.pair import Pair as PairStep
from synth.steps.reference import Reference
from synth.steps.segment import Segment
from synth.steps.segmentation import segment
from synth.steps.select import Select
from synth.steps.verify_answer import VerifyAnswer
from synth.steps.vote import Vote
from synth.store.journal import Journal

PROBLEM = Problem.root(
    question="How many?", answer="1,000", answer_kind="number", reference_solution="Ten by\nhundred."
)


def rationale(
    text: str = "So it is.", answer: str | None = "1000", n: int = 0, problem: Problem = PROBLEM
) -> Rationale:
    steps, segmenter = segment(text)
    return Rationale.make(
        unit=problem.unit,
        step="write",
        because=n,
        problem=problem.id,
        author="teacher",
        response=text,
        steps=steps,
        segmenter=segmenter,
        answer=answer,
        sample=n,
    )


def unit_of(*records, problem: Problem = PROBLEM) -> Unit:
    unit = Unit(problem, None, {})
    unit.add(records)
    return unit


def scored(record, value: float | None, name: str = "correct", label: str | None = None) -> Score:
    return Score.make(
        unit=record.unit,
        step="s",
        because=[record.id, name],
        target=record.id,
        name=name,
        value=value,
        label=label,
        judge="j",
    )


async def test_verify_answer_scores_each_rationale_with_its_verdict():
    some = [
        rationale(n=0),
        rationale(answer="999", n=1),
        rationale(answer=None, n=2),
        rationale(answer="$1,000.00", n=3),
    ]
    made = await VerifyAnswer(name="v").run(some, unit_of(*some))
    assert [(s.target, s.value, s.label) for s in made] == [
        (some[0].id, 1.0, "right"),
        (some[1].id, 0.0, "wrong"),
        (some[2].id, 0.0, "unparsed"),
        (some[3].id, 1.0, "right"),
    ]
    assert {s.judge for s in made} == {"number/2"}
    near = [rationale(answer="1040", n=0)]
    assert [s.value for s in await VerifyAnswer(tolerance=0.05).run(near, unit_of(*near))] == [1.0]
    assert [s.value for s in await VerifyAnswer(tolerance=0.03).run(near, unit_of(*near))] == [0.0]


async def test_vote_gives_shares_and_sees_equal_answers_in_other_words():
    answers = ["1000", "1,000", "$1000", "7", "7.0", None]
    some = [rationale(answer=a, n=i) for i, a in enumerate(answers)]
    made = await Vote(name="vote").run(some, unit_of(*some))
    assert [(round(s.value, 3), s.label) for s in made] == [
        (0.5, "majority"),
        (0.5, "majority"),
        (0.5, "majority"),
        (0.333, "minority"),
        (0.333, "minority"),
        (0.0, "unparsed"),
    ]
    tie = [rationale(answer=a, n=i) for i, a in enumerate(["1", "2"])]
    assert {s.label for s in await Vote().run(tie, unit_of(*tie))} == {"majority"}


@given(
    st.lists(
        st.tuples(st.sampled_from(["a b c", "a b d", "x y z", "long " * 9]), st.sampled_from([0.0, 1.0, 0.5])),
        max_size=9,
    )
)
async def test_pairs_hold_what_they_promise(drawn):
    some = [rationale(text, n=i) for i, (text, _) in enumerate(drawn)]
    value = {r.id: v for r, (_, v) in zip(some, drawn, strict=True)}
    text = {r.id: r.text for r in some}
    unit = unit_of(*some, *(scored(r, value[r.id]) for r in some))
    made = list(await PairStep(name="p", limit=3, margin=0.4).run(some, unit))
    assert len(made) <= 3
    assert all(value[p.chosen] - value[p.rejected] > 0.4 for p in made)
    assert all(text[p.chosen] != text[p.rejected] for p in made)
    assert len({(text[p.chosen], text[p.rejected]) for p in made}) == len(made)
    possible = any(
        value[a.id] - value[b.id] > 0.4 and text[a.id].split() != text[b.id].split() for a in some for b in some
    )
    assert bool(made) == possible


async def test_pairs_use_each_side_evenly_and_prefer_equal_lengths():
    right = [rationale("right " * n, n=n) for n in (3, 10, 20)]
    wrong = [rationale("wrong " * n, answer="1", n=100 + n) for n in (4, 11, 19)]
    unit = unit_of(*right, *wrong, *(scored(r, 1) for r in right), *(scored(r, 0) for r in wrong))
    made = await PairStep(limit=3).run([*right, *wrong], unit)
    assert {(p.chosen, p.rejected) for p in made} == {(r.id, w.id) for r, w in zip(right, wrong, strict=True)}
    assert {p.reason for p in made} == {"correctness"}
    assert all(p.margin == 1 for p in made)
    (three,) = [p for p in made if p.chosen == right[0].id]
    assert three.length_difference == len(right[0].text) - len(wrong[0].text)


async def test_the_first_differing_step():
    a, b = rationale("Same.\nSo two.\nEnd.", n=0), rationale("Same.\nSo three.\nEnd.", answer="3", n=1)
    (made,) = await PairStep().run([a, b], unit_of(a, b, scored(a, 1), scored(b, 0)))
    assert made.first_differing_step == 1


async def test_filter_keeps_what_holds_and_says_what_it_saw():
    some = [rationale(n=i) for i in range(3)]
    unit = unit_of(*some, scored(some[0], 1, label="right"), scored(some[1], 0, label="wrong"))
    made = list(await Filter(name="f", keep="score.correct").run(some, unit))
    assert [(r.target, r.rule, r.observed) for r in made] == [
        (some[1].id, "score.correct", {"score.correct": 0, "label.correct": "wrong"}),
        (some[2].id, "score.correct", {"score.correct": None}),
    ]
    made = list(await Filter(name="f", keep="score.correct >= 0.5").run(some, unit))
    assert [r.target for r in made] == [some[1].id, some[2].id]
    assert not list(await Filter(keep="unit.rationales | length == 3").run(some, unit))
    problems = list(await Filter(target="problem", keep="problem.answer != '1,000'").run([PROBLEM], unit))
    assert [r.target_table for r in problems] == ["problems"]


async def test_select_keeps_the_best_of_each_problem_and_ties_in_order():
    some = [rationale(n=i) for i in range(4)]
    values = [0.1, 0.9, 0.9, 0.5]
    unit = unit_of(*some, *(scored(r, v, "review") for r, v in zip(some, values, strict=True)))
    made = await Select(keep=2, best="score.review").run(some, unit)
    assert {r.target for r in made} == {some[0].id, some[3].id}
    made = await Select(keep=1, best="score.review").run(some, unit)
    assert {r.target for r in made} == {some[0].id, some[2].id, some[3].id}
    made = await Select(keep=3).run(some, unit)
    assert [(r.target, r.observed) for r in made] == [(some[3].id, {"rank": 4, "of": 4})]
    made = await Select(keep=1, best="score.nothing").run(some, unit)
    assert len(list(made)) == 3


async def test_deduplicate_names_what_is_repeated():
    texts = ["One two three.", "one, two -- THREE!", "One two four.", "One two three."]
    some = [rationale(t, n=i) for i, t in enumerate(texts)]
    made = list(await Deduplicate(name="d").run(some, unit_of(*some)))
    assert [(r.target, r.observed) for r in made] == [
        (some[1].id, {"duplicate_of": some[0].id, "similarity": 1.0}),
        (some[3].id, {"duplicate_of": some[0].id, "similarity": 1.0}),
    ]


async def test_deduplicate_compares_answers_too():
    """The same reasoning with another answer is another rationale; answers that differ in writing alone are the same."""
    written = [
        ("5", "One."),
        ("6", "One."),
        ("5.0", "One."),
        (None, "One."),
        (None, "One."),
        ("6", "Two."),
        ("6", "One."),
    ]
    some = [rationale(text, answer, n=i) for i, (answer, text) in enumerate(written)]
    for threshold in (1.0, 0.8):
        made = await Deduplicate(name="d", threshold=threshold).run(some, unit_of(*some))
        assert [(r.target, r.observed["duplicate_of"]) for r in made] == [
            (some[2].id, some[0].id),
            (some[4].id, some[3].id),
            (some[6].id, some[1].id),
        ]


async def test_deduplicate_compares_rationales_of_one_problem_only():
    """The same words about a derived problem are not said twice."""
    derived = Problem.make(
        unit=PROBLEM.unit, step="d", because=[], question="Another?", answer="1000", parent=PROBLEM.id
    )
    some = [rationale("One.", n=1), rationale("One.", n=2, problem=derived), rationale("One.", n=3)]
    made = await Deduplicate(name="d").run(some, unit_of(derived, *some))
    assert [r.target for r in made] == [some[2].id]


@pytest.mark.parametrize(
    ("text", "by", "steps"),
    [
        ("One.\n\nTwo. Three.\n", "steps", ["One.", "Two. Three."]),
        ("One. Two.", "steps", ["One.", "Two."]),
        ("One. Two.\nThree", "sentences", ["One.", "Two.", "Three"]),
        ("One. Two.", "lines", ["One. Two."]),
        (
            "It is 3.5 m. Mr. Smith has 2 p.m. today. Dr. A. B. Cey left! Why?",
            "steps",
            ["It is 3.5 m.", "Mr. Smith has 2 p.m. today.", "Dr. A. B. Cey left!", "Why?"],
        ),
        ('He said "Go." Then he went.', "sentences", ['He said "Go."', "Then he went."]),
        ("We use e.g. Euler. Then i.e. Gauss.", "sentences", ["We use e.g. Euler.", "Then i.e. Gauss."]),
        ("一加一等于二。所以答案是二。", "steps", ["一加一等于二。", "所以答案是二。"]),
        ("", "steps", []),
        ("  \n ", "steps", []),
    ],
)
def test_one_definition_of_step(text: str, by, steps: list[str]):
    assert segment(text, by) == (tuple(steps), f"{by}/1")


@given(st.text(max_size=300), st.sampled_from(["steps", "lines", "sentences"]))
def test_steps_are_parts_of_the_text_in_order_and_lose_nothing(text: str, by):
    steps, _ = segment(text, by)
    assert all(s and s == s.strip() for s in steps)
    assert "".join("".join(steps).split()) == "".join(text.split())
    at = 0
    for step in steps:
        at = text.index(step, at) + len(step)


async def test_segment_replaces_and_points_back():
    old = rationale("One. Two.\nThree.")
    unit = unit_of(old)
    made = list(await Segment(name="cut", into="sentences").run([old], unit))
    unit.add(made)
    (new,) = unit.all(Rationale)
    assert (new.steps, new.segmenter, new.parent, new.text) == (
        ("One.", "Two.", "Three."),
        "sentences/1",
        old.id,
        old.text,
    )
    (out,) = [r for r in made if isinstance(r, Rejection)]
    assert (out.target, out.rule, out.observed) == (old.id, "superseded", new.id)


async def test_reference_solutions_become_rationales_by_humans():
    (made,) = await Reference(name="r").run([PROBLEM], unit_of())
    assert (made.author, made.steps, made.answer, made.call) == ("human", ("Ten by", "hundred."), "1,000", None)
    assert not list(await Reference().run([Problem.root(question="?")], unit_of()))


async def test_a_reference_solution_that_states_no_answer_has_the_gold_one_unless_asked_otherwise():
    """With `answer: stated` it has none; one that states another answer has that, in both cases."""
    silent = Problem.root(question="?", answer="5", answer_kind="number", reference_solution="We think.")
    other = Problem.root(
        question="?", answer="5", answer_kind="number", reference_solution="We think.\nThe answer is 6."
    )
    for option, expected in (("gold", ["5", "6"]), ("stated", [None, "6"])):
        made = await Reference(name="r", answer=option).run([silent, other], unit_of())
        assert [r.answer for r in made] == expected


REPLIES = [
    ("text", "First.\nSecond.\nThe answer is 1,000.", ("First.", "Second."), "1,000"),
    ("text", "First. Second. The answer is $1,000.", ("First.", "Second."), "$1,000"),
    ("text", "I cannot say", ("I cannot say",), None),
    ("json", '{"steps": ["a", " ", "b "], "answer": " 1000 "}', ("a", "b"), "1000"),
    ("json", '```json\n{"steps": ["a"], "answer": 1000}\n```', ("a",), "1000"),
]


@pytest.mark.parametrize(("form", "reply", "steps", "answer"), REPLIES)
async def test_rationalize_reads_replies(tmp_path: Path, form, reply: str, steps, answer):
    journal = Journal(tmp_path / "j")
    model = ScriptedModel(lambda _request, _rng: Completion(reply, finish="stop", completion_tokens=9), name="t")
    unit = Unit(PROBLEM, Caller(Ledger(journal)), {"teacher": [model]})
    (made,) = await Generate(name="write", format=form).run([PROBLEM], unit)
    journal.close()
    assert (made.steps, made.answer, made.style, made.model, made.tokens) == (steps, answer, form, "t", 9)
    assert made.call
    assert "The answer is" not in made.text


async def test_rationalize_asks_small_models_in_json_with_examples_and_others_plainly(tmp_path: Path):
    asked = []

    def script(request, _rng):
        asked.append(request)
        return '{"steps": ["a"], "answer": "A"}' if request.task.format == "json" else "a\nThe answer is A."

    choice = Problem.root(question="Which?", choices=("x", "y"), answer="A", answer_kind="choice")
    journal = Journal(tmp_path / "j")
    for small in (True, False):
        unit = Unit(
            choice, Caller(Ledger(journal)), {"teacher": [ScriptedModel(script, name=f"t{small}", small=small)]}
        )
        await Generate(name="write").run([choice], unit)
    journal.close()
    small, large = asked
    schema = response_format(small.shape)["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["A", "B"]
    roles = Counter(m["role"] for m in small.messages)
    assert roles == {"system": 1, "user": 5, "assistant": 4}
    assert all(orjson.loads(m["content"])["answer"] in "ABCD" for m in small.messages if m["role"] == "assistant")
    assert large.shape is None
    assert [m["role"] for m in large.messages] == ["system", "user"]


def test_every_step_and_every_option_says_what_it_is():
    for name, kind in all_steps().items():
        assert kind.__doc__, name
        assert set(field_docs(kind)) == set(kind.model_fields), name


def test_expressions_see_scores_by_name_and_tables_of_the_unit():
    record = rationale()
    unit = unit_of(record, scored(record, 0.5, "review", "fair"))
    seen = unit.variables(record)
    assert (seen["score"]["review"], seen["label"]["review"], seen["score"]["none"]) == (0.5, "fair", None)
    assert seen["unit"]["rationales"] == [record]
    assert seen["unit"]["nodes"] == []
    assert {Node.alias, Pair.alias} == {"node", "pair"}


async def test_texts_are_inspected_and_a_filter_decides(tmp_path: Path):
    pipeline = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: text_stats, name: questions, target: problem, measures: [answer_in_question]}
          - {step: filter, name: fair, target: problem, keep: not score.answer_in_question}
          - {step: generate, samples: 1}
          - {step: text_stats, measures: [language, length, repetition, refusal, boilerplate, prompt_in_reply, personal_data]}
          - step: filter
            keep: label.language == "en" and score.repetition < 0.3 and not score.refusal and score.prompt_in_reply < 8
              and not score.personal_data
        """,
    )
    said = {
        "good": "There are four goats here and two of them go away, so two of them are left.\nThe answer is 2.",
        "german": "Es sind vier Ziegen, und zwei von ihnen laufen weg, also bleiben zwei übrig.\nThe answer is 2.",
        "loop": "There are four goats here and two of them go away.\n" * 20 + "The answer is 2.",
        "refusal": "I'm sorry, but I can't help with questions about animals of any kind.\nThe answer is 2.",
        "prompt": "Reply with a JSON object: steps is a list of short sentences, each one step of the reasoning.\nThe answer is 2.",
        "person": "There are four goats, says jane@mail.example.org, and two of them are left.\nThe answer is 2.",
    }
    rows = [{"question": f"How many goats? ({name})", "answer": "2"} for name in said]
    rows.append({"question": "How many goats? The answer is 2.", "answer": "2"})

    def script(request, rng):
        return next(text for name, text in said.items() if f"({name})" in request.messages[-1]["content"])

    await run(pipeline, write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    kept = ask(tmp_path / "run", "SELECT p.question FROM kept_rationales r JOIN problems p ON p.id = r.problem")
    assert kept == [("How many goats? (good)",)]
    why = dict(
        ask(
            tmp_path / "run",
            """SELECT any_value(regexp_extract(p.question, '\\((.*)\\)', 1)), max(s.value) FILTER (s.name = 'prompt_in_reply')
            FROM scores s JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem GROUP BY p.id""",
        )
    )
    assert why["prompt"] >= 8 > why["good"]
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE reason LIKE '%jane%'") == [(0,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == [(len(said),)]


def weighing(answers: list[str | None], weights: list[float | None]) -> tuple[list[Rationale], Unit]:
    """Rationales with these answers and weights (score `reward`), in their unit."""
    some = [rationale(answer=a, n=i) for i, a in enumerate(answers)]
    return some, unit_of(*some, *(scored(r, w, "reward") for r, w in zip(some, weights, strict=True)))


async def test_a_vote_counts_by_its_weights():
    """One vote of 0.6 outweighs two of 0.2; 1,000 and 1000 are one answer; who has no weight or no answer does not win."""
    some, unit = weighing(["7", "7.0", "1,000", "1000", None], [0.2, 0.2, 0.6, None, 0.5])
    made = list(await Vote(name="v", weight="score.reward").run(some, unit))
    assert [s.value for s in made] == pytest.approx([4 / 15, 4 / 15, 0.4, 0.4, 0])
    assert [s.label for s in made] == ["minority", "minority", "majority", "majority", "unparsed"]
    assert made[2].reason == "2 of 5 agree, with 0.6 of 1.5 in weight"
    some, unit = weighing(["1", "1", "2"], [0.1, 0.2, 0.3])
    assert {s.label for s in await Vote(weight="score.reward").run(some, unit)} == {
        "majority"
    }  # 0.1 + 0.2 ties with 0.3


@given(
    st.lists(st.sampled_from(["1000", "1,000", "7", "8", None]), min_size=1, max_size=7),
    st.sampled_from([0.1, 0.7, 3.0]),
)
async def test_a_constant_weight_is_the_majority_vote(answers, weight):
    some, unit = weighing(answers, [weight] * len(answers))
    plain = list(await Vote().run(some, unit))
    weighed = list(await Vote(weight="score.reward").run(some, unit))
    assert [s.value for s in weighed] == pytest.approx([s.value for s in plain])
    assert [s.label for s in weighed] == [s.label for s in plain]


async def test_a_perfect_weight_finds_the_right_answer_wherever_there_is_one():
    some, unit = weighing(["7", "7", "7", "1000"], [0.0, 0.0, 0.0, 1.0])
    assert [s.label for s in await Vote(weight="score.reward").run(some, unit)] == ["minority"] * 3 + ["majority"]


async def test_without_any_weight_there_is_no_share():
    some, unit = weighing(["7", None], [None, 0.0])
    made = list(await Vote(weight="score.reward").run(some, unit))
    assert [(s.value, s.label) for s in made] == [(None, "no_weight"), (None, "unparsed")]


@pytest.mark.parametrize("weight", ["-0.5", "'much'", "score.reward - 2"])
async def test_a_weight_that_is_none_is_refused(weight: str):
    some, unit = weighing(["7"], [1.0])
    with pytest.raises(UserError, match="0 or more"):
        await Vote(name="v", weight=weight).run(some, unit)
