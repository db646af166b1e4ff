"""Steps in which models judge and mend: critique, revise, review; and pairs for each stated reason."""

from __future__ import annotations

import json
import math
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from synth.calls import Caller, Ledger
from synth.measures import area_under_curve, cohen_kappa, krippendorff_alpha
from synth.models import Completion, ScriptedModel
from synth.records import Critique as CritiqueRecord
from synth.records import Failure, Part, Problem, Rationale, Score
from synth.steps import Unit
from synth.steps.critique import Critique
from synth.steps.pair import Pair
from synth.steps.review import Review
from synth.steps.revise import Revise
from synth.steps.select import Select
from synth.store.journal import Journal

PROBLEM = Problem.root(question="How many?", answer="7", answer_kind="number", reference_solution="Three and four.")
CHAT = frozenset({"chat"})


def rationale(text: str = "One.\nTwo.", answer: str | None = "5", step: str = "write", **more) -> Rationale:
    fields = {"author": "teacher", "model": "ann", "steps": tuple(text.split("\n")), **more}
    because = [text, answer, step, fields["model"], more.get("parent")]
    return Rationale.make(
        unit=PROBLEM.id, step=step, because=because, problem=PROBLEM.id, response=text, answer=answer, **fields
    )


def score(
    target: Rationale, value: float | None, name: str = "correct", label: str | None = None, index: int | None = None
):
    because = [target.id, name, index]
    part = None if index is None else Part(kind="step", index=index)
    return Score.make(
        unit=target.unit, step="s", because=because, target=target.id, name=name, value=value, label=label, judge="j", part=part
    )  # fmt: skip


@pytest.fixture
def asking(tmp_path: Path):
    """A function that runs a step on records with models of some replies; gives the unit and the requests."""
    journal = Journal(tmp_path / "j")

    async def do(step, records, replies, *, capabilities=CHAT | {"logprobs"}, also=()):
        seen = []

        def script(name):
            def answer(request, rng):
                seen.append((name, request))
                reply = replies[name]
                return reply(request) if callable(reply) else reply

            return answer

        models = [ScriptedModel(script(n), name=n, capabilities=capabilities) for n in replies]
        unit = Unit(PROBLEM, Caller(Ledger(journal)), {"teacher": models, "reviewers": models})
        unit.add([*also, *records])
        unit.add(await step.run(records, unit))
        return unit, seen

    yield do
    journal.close()


LINES = "Explanation: The sum is off.\nIt is seven.\nFirst wrong step: Step 2\nKind: arithmetic\nCorrection: 3 + 4 = 7"
OBJECT = {"explanation": "No.", "first_wrong_step": 9, "kind": "", "correction": ""}


@pytest.mark.parametrize(
    ("reply", "index", "mistake", "explanation"),
    [
        (LINES, 1, "arithmetic", "The sum is off.\nIt is seven."),
        (f"Well.\n**{LINES.replace(':', ':**')}", 1, "arithmetic", "The sum is off.\nIt is seven."),
        (json.dumps(OBJECT), None, None, "No."),  # there is no ninth step
        (json.dumps({**OBJECT, "first_wrong_step": "none"}), None, None, "No."),
        (json.dumps({**OBJECT, "first_wrong_step": 1}), 0, None, "No."),
    ],
)
async def test_a_critique_names_the_step_where_it_can(asking, reply, index, mistake, explanation):
    wrong = rationale()
    unit, seen = await asking(Critique(name="explain"), [wrong], {"bob": reply})
    (made,) = unit.all(CritiqueRecord)
    assert (made.part and made.part.index, made.mistake, made.explanation, made.critic) == (
        index,
        mistake,
        explanation,
        "bob",
    )
    assert (made.target, made.call is not None) == (wrong.id, True)
    shown = seen[0][1].messages[-1]["content"]
    assert "1. One.\n2. Two." in shown
    assert "The student's answer: 5" in shown
    assert "Right answer: 7" in shown
    assert "Three and four." in shown
    assert "ann" not in shown


async def test_a_critic_may_be_left_without_the_answer_and_one_that_says_nothing_is_a_failure(asking):
    wrong = rationale()
    unit, seen = await asking(Critique(name="explain", show_gold=False), [wrong], {"bob": "It is wrong, I feel."})
    assert "7" not in seen[0][1].messages[-1]["content"]
    assert "Three and four" not in seen[0][1].messages[-1]["content"]
    assert len(seen) == 2  # it was asked once to mend its reply
    assert [(f.cause, f.target) for f in unit.all(Failure)] == [("shape", wrong.id)]


async def test_a_revision_sees_what_was_said_and_keeps_its_parent(asking):
    wrong, other = rationale(), rationale("Else.")
    said = CritiqueRecord.make(
        unit=PROBLEM.id,
        step="c",
        because=1,
        target=wrong.id,
        explanation="Count again.",
        correction="3 + 4",
        critic="x",
    )
    elsewhere = CritiqueRecord.make(
        unit=PROBLEM.id, step="c", because=2, target=other.id, explanation="Hush.", critic="x"
    )
    unit, seen = await asking(
        Revise(name="mend"), [wrong], {"bob": "Three and four.\nThe answer is 7."}, also=[other, said, elsewhere]
    )
    (made,) = [r for r in unit.all(Rationale) if r.step == "mend"]
    assert (made.parent, made.answer, made.text, made.model) == (wrong.id, "7", "Three and four.", "bob")
    shown = seen[0][1].messages[-1]["content"]
    assert "Count again. It should have been: 3 + 4" in shown
    assert "Hush" not in shown


def reviews(unit: Unit) -> dict[str, tuple[float | None, str | None]]:
    singles = [s for s in unit.all(Score) if s.name == "review_single"]
    return {s.judge: (s.value, s.label) for s in singles}


@pytest.mark.parametrize(
    ("said", "value", "label"),
    [
        ("Score: 4", 4, None),
        ("Reasons: fine\nScore: [4]", 4, None),
        ("Score: 4/5", 4, None),
        ("Score: 4 out of 5.", 4, None),
        ('{"reasons": "x", "score": "5"}', 5, None),
        ("Score: 0", None, "out_of_range"),
        ("Score: 83", None, "out_of_range"),
    ],
)
async def test_spoken_scores_are_read_strictly(asking, said, value, label):
    unit, _ = await asking(Review(name="r"), [rationale()], {"bob": said})
    assert reviews(unit) == {"bob": (value, label)}


@pytest.mark.parametrize(
    "said", ["Score: good", "4", "Score: 4.5", "Score: 2 of 3 steps hold", "Score: between 3 and 5"]
)
async def test_what_is_no_score_is_a_failure(asking, said):
    unit, _ = await asking(Review(name="r"), [rationale()], {"bob": said})
    assert reviews(unit) == {}
    assert [f.cause for f in unit.all(Failure)] == ["shape"]


async def test_nobody_reviews_what_is_his_own_and_the_author_is_hidden(asking):
    step = Review(name="r")
    _unit, seen = await asking(
        step, [rationale(), rationale("B.", model="bob")], dict.fromkeys(("ann", "bob"), "Score: 5")
    )
    assert [(name, r.task.subject.model) for name, r in seen] == [("bob", "ann"), ("ann", "bob")]
    assert all("Right answer: 7" in r.messages[-1]["content"] for _, r in seen)
    _unit, blind = await asking(Review(name="r", show_gold=False), [rationale("D.")], {"bob": "Score: 5"})
    assert "7" not in json.dumps(blind[0][1].messages)
    assert not any(n in json.dumps(r.messages) for _, r in seen for n in ("ann", "bob"))
    _unit, seen = await asking(
        step.model_copy(update={"exclude_author": False}), [rationale("C.")], dict.fromkeys(("ann", "bob"), "Score: 5")
    )
    assert [name for name, _ in seen] == ["ann", "bob"]


@pytest.mark.parametrize(
    ("options", "label", "value"),
    [
        ({"threshold": 4.0}, "rejected", 4.0),
        ({"threshold": 4.0, "strict": False}, "accepted", 4.0),
        ({"aggregate": "min"}, "rejected", 3.0),
        ({"aggregate": "median"}, "accepted", 4.0),
        ({"min_valid": 3}, "accepted", 4.0),
    ],
)
async def test_what_reviews_come_to(asking, options, label, value):
    unit, _ = await asking(
        Review(name="r", **options), [made := rationale()], {"b": "Score: 5", "c": "Score: 3", "d": "Score: 4"}
    )
    total = unit.score(made, "review")
    assert (total.label, total.value) == (label, value)


def _yes(p: float, first: str = "Yes"):
    listed = [{"token": " yes", "logprob": math.log(p)}, {"token": "No", "logprob": math.log(0.8 - p)}]
    return lambda _: Completion(
        text=first, finish="stop", logprobs={"content": [{"token": first, "logprob": -1.0, "top_logprobs": listed}]}
    )


async def test_the_probability_of_a_yes_is_its_share_of_yes_and_no(asking):
    strange = Completion(
        text="Maybe", finish="stop", logprobs={"content": [{"token": "Maybe", "logprob": 0.0, "top_logprobs": []}]}
    )
    unit, seen = await asking(
        Review(name="r", mode="probability", min_valid=1),
        [made := rationale()],
        {"b": _yes(0.6), "c": lambda _: strange},
    )
    assert reviews(unit) == {"b": (pytest.approx(0.75), None), "c": (None, "unreadable")}
    assert unit.score(made, "review").label == "accepted"
    assert seen[0][1].parameters["logprobs"] is True
    assert Review(mode="probability").needs_of_models() == {"logprobs"}


async def test_questions_are_reviewed_by_what_a_prompt_asks_of_them(asking):
    """As a guard does: whether a question is safe."""
    step = Review(name="r", target="problem", mode="probability", prompt="review/safe", score="safe", min_valid=1)
    unit, seen = await asking(step, [PROBLEM], {"ann": _yes(0.2), "b": _yes(0.05)})
    assert unit.score(PROBLEM, "safe").label == "rejected"
    assert [name for name, _ in seen] == ["ann", "b"]  # a question has no author who could not be asked
    assert all("How many?" in str(r.messages) and "Is this text safe?" in str(r.messages) for _, r in seen)
    assert step.fewest_models() == 1
    told = {option for option, *_ in Review(name="r", target="problem").problems_with({}, ())}
    assert told == {"prompt"}
    assert "mode" in {o for o, *_ in Review(name="r", target="problem", mode="resolve").problems_with({}, ())}
    unit, seen = await asking(
        Review(name="r", mode="probability", prompt="review/safe", min_valid=1),
        [rationale("A bomb.")],
        {"b": _yes(0.2)},
    )
    assert "A bomb." in str(seen[0][1].messages)


async def test_who_solves_again_never_sees_the_rationale_and_agreement_is_the_score(asking):
    answers = {"b": ["5", "5.0", "6", "none"], "c": ["7"] * 4}
    step = Review(name="r", mode="resolve", samples=4, temperature=0.7)

    def of(name):
        return lambda request: f"So.\nThe answer is {answers[name][request.sample]}."

    five, six = rationale(), rationale("Six.", answer="6")
    unit, seen = await asking(step, [five, six], {n: of(n) for n in answers})
    assert len(seen) == 8  # each reviewer solves the problem once a sample, however many rationales there are
    assert not any("One." in json.dumps(r.messages) or "Right answer" in json.dumps(r.messages) for _, r in seen)
    singles = {(s.target, s.judge): s.value for s in unit.all(Score) if s.name == "review_single"}
    assert singles == {(five.id, "b"): 0.5, (five.id, "c"): 0, (six.id, "b"): 0.25, (six.id, "c"): 0}
    assert [r for r in unit.all(Rationale) if r.step == "r"] == []


async def test_select_at_random_is_the_same_each_time_and_even(asking):
    made = [rationale(f"{i}.") for i in range(40)]
    unit = Unit(PROBLEM, None, {})
    unit.add(made)
    firsts = set()
    for seed in range(30):
        out = [
            {r.target for r in await Select(name="s", keep=1, seed=seed).run(order, unit)}
            for order in (made, made[::-1])
        ]
        assert out[0] == out[1]
        firsts |= {r.id for r in made} - out[0]
    assert len(firsts) > 15


def paired(unit: Unit, records, **options) -> list[tuple[str, str]]:
    import asyncio

    made = asyncio.run(Pair(name="p", limit=50, **options).run(records, unit))
    names = {r.id: r.text for r in unit.all(Rationale)}
    return [(names[p.chosen], names[p.rejected]) for p in made]


def unit_with(*records) -> Unit:
    unit = Unit(PROBLEM, None, {})
    unit.add(records)
    return unit


def test_pairs_of_a_revision_and_what_it_revises():
    first, second = rationale("first"), rationale("second")
    better, worse = rationale("better", parent=first.id), rationale("worse", parent=second.id)
    made = [first, second, better, worse]
    values = (0, 1, 1, 0)
    unit = unit_with(*made, *(score(r, v) for r, v in zip(made, values, strict=True)))
    assert paired(unit, made, reason="revision") == [("better", "first")]


def test_pairs_by_majority():
    made = [rationale(t) for t in ("a", "b", "c", "none")]
    labels = ["majority", "minority", "majority", "unparsed"]
    unit = unit_with(
        *made, *(score(r, 0.5 if "maj" in v else 0.2, "vote", v) for r, v in zip(made, labels, strict=True))
    )
    assert sorted(paired(unit, made, reason="majority", score="vote")) == [("a", "b"), ("c", "b")]


def test_pairs_that_part_at_the_first_wrong_step():
    good, late, early = rationale("one\ntwo\nthree"), rationale("one\ntwo\nno"), rationale("no\nno\nno")
    elsewhere = rationale("one\nno\nthree")
    labels = [score(late, 0, "step_correct", index=2), score(elsewhere, 0, "step_correct", index=2)]
    made = [good, late, early, elsewhere]
    unit = unit_with(*made, *(score(r, r is good) for r in made), *labels)
    assert paired(unit, made, reason="first_error") == [
        ("one\ntwo\nthree", "one\ntwo\nno"),
        ("one\ntwo\nthree", "no\nno\nno"),
    ]


def test_losing_sides_of_another_step():
    win, also, lost = rationale("win", step="teach"), rationale("also", step="teach"), rationale("lost", step="exam")
    unit = unit_with(win, also, lost, score(win, 4.5, "review"), score(also, 3.5, "review"))
    options = {"reason": "review", "score": "review", "over": "exam"}
    assert sorted(paired(unit, [win, also], **options)) == [("also", "lost"), ("win", "lost")]


def test_heavy_sides_and_close_ones_first():
    made = [rationale(t) for t in ("a\nb\nc", "a\nb\nd", "x\ny\nz")]
    weights = [score(r, w, "path_weight") for r, w in zip(made, (0.5, 0.1, 0.4), strict=True)]
    unit = unit_with(*made, *weights, *(score(r, r is made[0]) for r in made))
    assert [b for _, b in paired(unit, made, rank_by="weight")] == ["x\ny\nz", "a\nb\nd"]
    assert [b for _, b in paired(unit, made, rank_by="edit_distance")] == ["a\nb\nd", "x\ny\nz"]


def test_agreement_has_its_closed_forms():
    assert cohen_kappa("yynn", "yynn") == 1
    assert cohen_kappa("yynn", "ynyn") == 0
    assert cohen_kappa("yynn", "nnyy") == -1
    assert cohen_kappa("yyyn", "yynn") == pytest.approx((0.75 - 0.5) / 0.5)
    assert cohen_kappa("", "") is None
    assert cohen_kappa("yy", "yy") is None
    # Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", example C: interval alpha 0.849.
    data = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    items = [[row[i] for row in data if row[i] is not None] for i in range(12)]
    assert krippendorff_alpha(items) == pytest.approx(0.849, abs=0.001)
    assert krippendorff_alpha([[1], [2]]) is None
    assert krippendorff_alpha([[3, 3], [3, 3]]) is None


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30))
def test_the_area_under_the_curve_counts_pairs(drawn):
    yes, no = [s for s, t in drawn if t], [s for s, t in drawn if not t]
    found = area_under_curve([s for s, _ in drawn], [t for _, t in drawn])
    if not yes or not no:
        assert found is None
    else:
        assert found == pytest.approx(sum((a > b) + (a == b) / 2 for a in yes for b in no) / (len(yes) * len(no)))
