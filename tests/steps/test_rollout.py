"""`continue` and `rollout`: beginnings stay as they are, values are the shares they say, and no call is made for nothing."""

from __future__ import annotations

import asyncio
import math
import random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from methods import near
from support import ask, run, sums, write_rows, yaml_file

from synth.errors import StepError, UserError
from synth.models import Completion, ScriptedModel, World
from synth.models.sums import claim
from synth.pipeline import allow_code, load_pipeline, read_pipeline
from synth.records import Problem, Rationale
from synth.steps.continuing import Beginning
from synth.steps.rollout import Rollout, first_zero_by_halving
from synth.steps.segmentation import segment
from synth.store.database import open_store

HEAD = "pipeline: my/rollouts\ntitle: t\nsample: arithmetic.jsonl\nroles: {student: solves}\nsteps:\n"
SOLVE = "  - {step: generate, name: solve, by: student, temperature: 0.7}\n  - {step: verify_answer}\n"


def pipeline(path, steps):
    return yaml_file(path, HEAD + SOLVE + steps)


async def go(folder, preset, rows, model):
    return await run(preset, rows, folder, {"student": [model]})


def scripted(world):
    return ScriptedModel(world, name="student")


def planted(steps, at):
    """A simulator of solutions with their one wrong sum in step `at`, or one of several, counted from 1."""

    def solve(request, rng):
        place = at if isinstance(at, int) else rng.choice(at)
        lines = [claim(rng, sound=i != place) + "." for i in range(1, steps + 1)]
        return "\n".join([*lines, "The answer is -1."])

    return solve


def step_values(folder, name="step_value"):
    """By rationale of the step `solve`: the values of its steps, in order; and the texts of these."""
    rows = ask(
        folder,
        f"SELECT r.id, r.steps, s.part.index, s.value FROM rationales r LEFT JOIN scores s ON s.target = r.id AND s.name = '{name}' "
        "AND s.part IS NOT NULL WHERE r.step = 'solve' ORDER BY r.id, s.part.index",
    )
    found = {}
    for id_, steps, index, value in rows:
        found.setdefault(id_, (steps, {}))[1][index] = value
    return list(found.values())


def calls_of(folder, step):
    return ask(folder, f"SELECT count(*) FROM calls WHERE step = '{step}'")[0][0]


def rationale(response, steps, **fields):
    given = {"segmenter": "lines/1", **fields}
    return Rationale(
        id="r", unit="p", step="s", problem="p", author="teacher", response=response, steps=tuple(steps), **given
    )


LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1), max_size=6)


@given(LINES, st.sampled_from(["\n", "\n\n", " "]), st.data())
def test_a_beginning_is_a_slice_and_a_continuation_keeps_it(lines, gap, data):
    """Text, steps and spans of a continued solution begin as the given one does, byte for byte, and cover all of it."""
    text = gap.join(lines)
    steps, segmenter = segment(text, "lines")
    whole = rationale(text, steps, segmenter=segmenter)
    kept = data.draw(st.integers(0, len(steps)))
    beginning = Beginning.of(whole, kept)
    end = whole.step_spans[kept - 1][1] if kept else 0
    assert beginning.text == text[:end]
    assert beginning.sent.startswith(beginning.text)
    added = data.draw(st.sampled_from(["It is 7.", " It is 7.", "\nIt is 7.\nThe answer is 7."]))
    joined, start = beginning.joined(added)
    assert joined.startswith(beginning.text)
    assert joined[start:].lstrip() == added.lstrip()
    spans = beginning.spans(len(joined))
    assert [s["start"] for s in spans] == [0, *(s["end"] for s in spans[:-1])]
    assert spans[-1] == {"by": "model", "start": end, "end": len(joined)}


def test_a_beginning_of_sentences_ends_without_a_blank_and_one_of_lines_with_its_line():
    sentences = rationale("We add. It is 7.", ["We add.", "It is 7."])
    assert (Beginning.of(sentences, 1).sent, Beginning.of(sentences, 1).joined("So 8.")[0]) == (
        "We add.",
        "We add. So 8.",
    )
    lines = rationale("We add.\nIt is 7.", ["We add.", "It is 7."])
    assert (Beginning.of(lines, 1).sent, Beginning.of(lines, 1).joined("So 8.")[0]) == ("We add.\n", "We add.\nSo 8.")
    foreign = rationale("Whatever.", ["One.", "Two."])
    assert Beginning.of(foreign, 1).text == "One."
    inserted = Beginning.of(lines, 1, "Wait.")
    assert (inserted.given, inserted.steps) == ("We add.\nWait.", ("We add.", "Wait."))
    assert inserted.spans(20) == [
        {"by": "given", "start": 0, "end": 7},
        {"by": "inserted", "start": 7, "end": 13},
        {"by": "model", "start": 13, "end": 20},
    ]
    stated = rationale("The answer is 7. For 3 + 4 = 7.", ["For 3 + 4 = 7."], answer="7", answer_span=(0, 16))
    problem = Problem.root(question="q", answer="7", answer_kind="number")
    assert Beginning.of(stated, 1).states_answer(problem)
    assert not Beginning.of(stated, 0).states_answer(problem)
    twice = rationale("The answer is 7.\nLet me check.\nThe answer is 7.", ["The answer is 7.", "Let me check."])
    assert Beginning.of(twice, 1).states_answer(problem)
    thought = rationale(
        "7",
        ["It is 7.", "The answer is 7.", "Or 8."],
        thought="It is 7.\nThe answer is 7.\nOr 8.",
        segmenter="thought lines/1",
    )
    assert [Beginning.of(thought, kept).states_answer(problem) for kept in range(4)] == [False, False, True, True]


async def test_values_are_what_arithmetic_says(tmp_path):
    """A policy that errs with q in each step and never recovers: the value of t of M steps is (1-q)^(M-t), and 0 after an error."""
    n, steps, q, k = 60, 4, 0.3, 8
    world = World(solve_rate=(1 - q) ** steps, steps=steps, lucky_rate=0, step_error_rate=0.3)
    preset = pipeline(tmp_path / "p.yaml", f"  - {{step: rollout, by: student, samples: {k}}}\n")
    await go(tmp_path / "run", preset, sums(tmp_path / "in.jsonl", n), scripted(world))
    by_left = {}
    for texts, values in step_values(tmp_path / "run"):
        assert set(values) == set(range(steps))
        wrong = World.first_error(tuple(texts))
        assert values[steps - 1] == (wrong is None)
        for index in range(steps - 1):
            assert (values[index] * k).is_integer()
            if wrong is not None and index >= wrong:
                assert values[index] == 0
            else:
                by_left.setdefault(steps - 1 - index, []).append(values[index])
    for left, values in by_left.items():
        assert near(sum(values) / len(values), (1 - q) ** left, len(values) * k)
    assert calls_of(tmp_path / "run", "rollout") == n * (steps - 1) * k
    counted = ask(tmp_path / "run", "SELECT DISTINCT value FROM scores WHERE name = 'step_value_known'")
    assert counted == [(float(k),)]


@pytest.mark.parametrize(("recover", "samples", "expected"), [(0.0, 4, 0.938), (0.05, 4, 0.764), (0.05, 8, None)])
async def test_the_first_pit_of_self_explore(tmp_path, recover, samples, expected):
    """Six steps, the error in any of them: the first pit is the error itself with Π(1-(1-p)^k)·(1-ε)^k; calls are k for each step up to it."""
    n, steps, p = 240, 6, 0.6
    world = World(
        steps=steps, finish_rate=p, recover_rate=recover, simulators={"solve": planted(steps, range(1, steps + 1))}
    )
    preset = pipeline(
        tmp_path / "p.yaml", f"  - {{step: rollout, by: student, samples: {samples}, probe: first_zero}}\n"
    )
    await go(tmp_path / "run", preset, sums(tmp_path / "in.jsonl", n), scripted(world))
    rows = ask(
        tmp_path / "run",
        "SELECT r.steps, s.value, (SELECT count(*) FROM scores t WHERE t.target = r.id AND t.name = 'step_value') FROM rationales r "
        "JOIN scores s ON s.target = r.id AND s.name = 'step_value_first_zero' WHERE r.step = 'solve'",
    )
    assert len(rows) == n
    exact = sum(World.first_error(tuple(texts)) == pit for texts, pit, _ in rows) / n
    closed = (
        sum(
            (1 - (1 - p) ** samples) ** (e - 1) * ((1 - recover) ** samples if e < steps else 1)
            for e in range(1, steps + 1)
        )
        / steps
    )
    if expected is not None:  # the card counts the last step as if it were continued too
        counted = (
            sum((1 - (1 - p) ** samples) ** (e - 1) * (1 - recover) ** samples for e in range(1, steps + 1)) / steps
        )
        assert counted == pytest.approx(expected, abs=5e-4)
    assert near(exact, closed, n)
    asked = sum(samples * min(int(pit) + 1, steps - 1) for _, pit, _ in rows)
    assert calls_of(tmp_path / "run", "rollout") == asked
    for _, pit, scored in rows:  # one score a step that was looked at, and the outcome
        assert scored == min(int(pit) + 1, steps - 1) + 1


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8, 20])
async def test_halving_finds_the_planted_error_in_log2_probes(tmp_path, steps):
    n, k = 24, 2
    world = World(steps=steps, finish_rate=1.0, simulators={"solve": planted(steps, range(1, steps + 1))})
    preset = pipeline(tmp_path / "p.yaml", f"  - {{step: rollout, by: student, samples: {k}, probe: binary}}\n")
    await go(tmp_path / "run", preset, sums(tmp_path / "in.jsonl", n), scripted(world))
    for texts, values in step_values(tmp_path / "run"):
        assert len(values) - 1 <= math.ceil(math.log2(steps))
        first = World.first_error(tuple(texts))
        assert values[first] == 0
        assert all(value == (index < first) for index, value in values.items())
    assert calls_of(tmp_path / "run", "rollout") <= n * k * math.ceil(math.log2(steps))
    pits = ask(
        tmp_path / "run",
        "SELECT s.value, r.steps FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'step_value_first_zero'",
    )
    assert all(World.first_error(tuple(texts)) == pit for pit, texts in pits)
    assert len(pits) == n


@given(st.integers(1, 600), st.data())
@settings(max_examples=60)
async def test_halving_asks_at_most_log2_questions(steps, data):
    first = data.draw(st.integers(1, steps))
    asked = []

    async def value(kept):
        asked.append(kept)
        return 0.0 if kept >= first else 0.5

    assert await first_zero_by_halving(steps, value) == first
    assert len(asked) <= math.ceil(math.log2(steps))
    assert len(set(asked)) == len(asked)


async def test_right_solutions_have_no_first_error_to_look_for(tmp_path):
    preset = pipeline(
        tmp_path / "p.yaml",
        "  - {step: rollout, name: a, by: student, probe: first_zero}\n  - {step: rollout, name: b, by: student, probe: binary, score: other}\n",
    )
    await go(tmp_path / "run", preset, sums(tmp_path / "in.jsonl", 5), scripted(World(solve_rate=1.0)))
    assert calls_of(tmp_path / "run", "a") + calls_of(tmp_path / "run", "b") == 0
    assert {tuple(v.items()) for _, v in step_values(tmp_path / "run")} == {((2, 1.0),)}


async def test_solutions_that_begin_alike_share_their_continuations(tmp_path):
    """Four solutions whose first two steps are the same: these are continued once."""
    shared = "We know that 1 + 1 = 2.\nWe know that 2 + 2 = 4.\n"

    def solve(request, rng):
        return f"{shared}{claim(rng, sound=True)}.\nThe answer is -1."

    steps = "  - {step: generate, name: more, by: student, samples: 3, temperature: 0.7, iteration: 2}\n"
    steps += "  - {step: rollout, of: [solve, more], by: student, samples: 4, keep: all}\n"
    world = World(simulators={"solve": solve, "more": solve})
    await go(tmp_path / "run", pipeline(tmp_path / "p.yaml", steps), sums(tmp_path / "in.jsonl", 6), scripted(world))
    assert calls_of(tmp_path / "run", "rollout") == 6 * 2 * 4
    rows = ask(
        tmp_path / "run",
        "SELECT r.unit, s.part.index, count(*), count(DISTINCT s.value) FROM scores s JOIN rationales r ON r.id = s.target "
        "WHERE s.name = 'step_value' AND s.part.index < 2 GROUP BY ALL",
    )
    assert len(rows) == 12
    assert all(count == 4 and different == 1 for _, _, count, different in rows)
    kept = ask(tmp_path / "run", "SELECT response, given, len(steps), parent FROM rationales WHERE step = 'rollout'")
    assert len(kept) == 6 * 2 * 4
    assert all(text.startswith(shared[: 24 * given - 1]) and parent for text, given, _, parent in kept)


async def test_enough_right_ones_end_the_asking(tmp_path):
    """With certain continuations one call a step is enough; with hopeless ones all are made."""
    steps = "  - {step: rollout, by: student, samples: 8, enough: 1, keep: one_right}\n"
    preset = pipeline(tmp_path / "p.yaml", steps)
    await go(tmp_path / "sure", preset, sums(tmp_path / "in.jsonl", 5), scripted(World(solve_rate=1.0)))
    assert calls_of(tmp_path / "sure", "rollout") == 5 * 2
    kept = ask(
        tmp_path / "sure",
        "SELECT count(*), bool_and(s.value = 1) FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct' WHERE r.step = 'rollout'",
    )
    assert kept == [(10, True)]
    hopeless = World(solve_rate=0, lucky_rate=0)
    await go(tmp_path / "none", preset, sums(tmp_path / "in.jsonl", 5), scripted(hopeless))
    assert calls_of(tmp_path / "none", "rollout") == 5 * 2 * 8
    assert ask(tmp_path / "none", "SELECT count(*) FROM rationales WHERE step = 'rollout'") == [(0,)]


async def test_the_bare_question_is_a_beginning_too(tmp_path):
    steps = "  - {step: rollout, by: student, samples: 16, start: true, at: '[2]'}\n  - {step: filter, each: problem, keep: problem_score.step_value > 0}\n"
    steps = steps.replace("  - {step: filter, each: problem, keep: problem_score.step_value > 0}\n", "")
    await go(
        tmp_path / "run",
        pipeline(tmp_path / "p.yaml", steps),
        sums(tmp_path / "in.jsonl", 40),
        scripted(World(solve_rate=0.5, lucky_rate=0)),
    )
    rows = ask(
        tmp_path / "run",
        "SELECT avg(s.value), count(*) FROM scores s JOIN problems p ON p.id = s.target WHERE s.name = 'step_value'",
    )
    assert rows[0][1] == 40
    assert near(rows[0][0], 0.5, 40 * 16)
    assert {tuple(v) for _, v in step_values(tmp_path / "run")} == {(1, 2)}


async def test_what_does_not_come_is_missing_and_not_wrong(tmp_path):
    """Cut off, begun again and looping continuations are failures with their reason; the share is of those that are known."""
    begun = "We begin with what is known of them: 2.\nWe know that 2 + 2 = 4.\nSo it is.\nThe answer is 0."
    replies = {
        0: "We know that 3 + 3 = 6.\nThe answer is 5.",
        1: "We begin with what is known of them: 2.\nOr not.\nThe answer is 5.",
        2: "so it is and so it was " * 40,
        3: Completion(text="We go on and", finish="length"),
    }

    def script(request, rng):
        return begun if request.task.kind == "solve" else replies[request.sample]

    rows = [{"question": "How many are there of them all?", "answer": "5"}]
    preset = pipeline(tmp_path / "p.yaml", "  - {step: rollout, by: student, samples: 4, mode: prompt, at: '[2]'}\n")
    await go(tmp_path / "run", preset, write_rows(tmp_path / "in.jsonl", rows), ScriptedModel(script, name="student"))
    causes = ask(tmp_path / "run", "SELECT cause FROM failures ORDER BY 1")
    assert [c for (c,) in causes] == ["repeated", "restarted", "truncated"]
    value, reason = ask(
        tmp_path / "run", "SELECT value, reason FROM scores WHERE name = 'step_value' AND part.index = 1"
    )[0]
    assert value == 1.0
    assert reason.startswith("1 of 1 right, 3 missing")


@pytest.mark.parametrize("prefill", [True, False])
async def test_a_beginning_is_sent_as_prefill_or_in_words(tmp_path, prefill):
    seen = []

    def script(request, rng):
        if request.task.kind != "continue":
            return "We add 3 + 4.\nIt is 8.\nThe answer is 8."
        seen.append(request)
        return "It is 7.\nThe answer is 7."

    able = frozenset({"chat", "prefill"}) if prefill else frozenset({"chat"})
    rows = [{"question": "What is 3 + 4?", "answer": "7"}]
    steps = "  - {step: continue, of: solve, by: student, at: '1', where: not score.correct}\n  - {step: verify_answer, name: again}\n"
    await go(
        tmp_path / "run",
        pipeline(tmp_path / "p.yaml", steps),
        write_rows(tmp_path / "in.jsonl", rows),
        ScriptedModel(script, name="student", capabilities=able),
    )
    (request,) = seen
    assert (request.continue_from, request.begun) == (("We add 3 + 4.\n", None) if prefill else (None, "We add 3 + 4."))
    assert ("We add 3 + 4." in str(request.messages)) is not prefill
    rows = ask(
        tmp_path / "run",
        "SELECT r.response, r.steps, r.given, r.answer, s.label FROM rationales r "
        "JOIN scores s ON s.target = r.id AND s.step = 'again' WHERE r.step = 'continue'",
    )
    assert rows == [("We add 3 + 4.\nIt is 7.\nThe answer is 7.", ["We add 3 + 4.", "It is 7."], 1, "7", "right")]


async def test_a_text_is_inserted_and_stays_whose_it_is(tmp_path):
    def script(request, rng):
        return "We add.\nIt is 8.\nThe answer is 8." if request.task.kind == "solve" else "It is 7.\nThe answer is 7."

    steps = '  - {step: continue, of: solve, by: student, insert: \'["Wait.", "No: " ~ rationale.answer ~ " is wrong."]\'}\n'
    rows = [{"question": "What is 3 + 4?", "answer": "7"}]
    await go(
        tmp_path / "run",
        pipeline(tmp_path / "p.yaml", steps),
        write_rows(tmp_path / "in.jsonl", rows),
        ScriptedModel(script, name="student"),
    )
    rows = ask(
        tmp_path / "run", "SELECT response, given, steps FROM rationales WHERE step = 'continue' ORDER BY response"
    )
    assert rows == [
        (
            "We add.\nIt is 8.\nNo: 8 is wrong.\nIt is 7.\nThe answer is 7.",
            3,
            ["We add.", "It is 8.", "No: 8 is wrong.", "It is 7."],
        ),
        ("We add.\nIt is 8.\nWait.\nIt is 7.\nThe answer is 7.", 3, ["We add.", "It is 8.", "Wait.", "It is 7."]),
    ]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("  - {step: rollout, by: student, temperature: 0}\n", "8 samples at temperature 0"),
        ("  - {step: rollout, by: student, probe: binary, at: '[1]'}\n", "probe: binary finds the beginnings itself"),
        ("  - {step: rollout, by: student, verifier: nobody}\n", "there is no verifier 'nobody'"),
        ("  - {step: rollout, by: student, mode: prefill}\n", "prefill"),
        ("  - {step: rollout, by: student, samples: 0}\n", "samples"),
        ("  - {step: continue, by: student, at: 'score.nothing'}\n", "nothing"),
        ("  - {step: continue, by: student, at: '1 +'}\n", "at"),
        ("  - {step: rollout, by: student, format: json}\n", "format"),
    ],
)
def test_mistakes_are_found_before_any_call(tmp_path, steps, says):
    draft = read_pipeline(str(pipeline(tmp_path / "p.yaml", steps)))
    draft.check_models({"student": [scripted(World())]})
    assert any(says in f.what for f in draft.findings), draft.findings


@pytest.mark.parametrize("at", ["'two'", "-1", "1.5"])
async def test_a_number_of_steps_that_is_none_is_named_with_its_step(tmp_path, at):
    steps = f'  - {{step: continue, by: student, at: "{at}"}}\n'
    with pytest.raises(UserError) as caught:
        await go(
            tmp_path / "run",
            pipeline(tmp_path / "p.yaml", steps),
            sums(tmp_path / "in.jsonl", 2),
            scripted(World()),
        )
    assert "step continue" in str(caught.value)


async def test_a_verifier_of_ones_own(tmp_path):
    """A function beside the pipeline decides; one that takes too long is a time-out, and in a rollout a missing one."""
    (tmp_path / "own.py").write_text(
        "import time\nimport synth\n\n\n@synth.verifies('even')\ndef even(rationale, problem):\n"
        "    if 'slow' in problem.question:\n        time.sleep(1.5)\n"
        "    return None if rationale.answer is None else int(rationale.answer) % 2 == 0\n"
    )
    text = (
        HEAD.replace("steps:\n", "code: [own.py]\nsteps:\n")
        + SOLVE.replace("{step: verify_answer}", "{step: verify_answer, verifier: even, timeout: 0.5}")
        + "  - {step: rollout, by: student, samples: 3, verifier: even, timeout: 0.5}\n"
    )
    preset = yaml_file(tmp_path / "p.yaml", text)
    allow_code(preset)

    def script(request, rng):
        return "One.\nTwo.\nThe answer is 4." if request.task.kind == "solve" else "Three.\nThe answer is 5."

    rows = [{"question": "quick"}, {"question": "slow"}]
    await go(tmp_path / "run", preset, write_rows(tmp_path / "in.jsonl", rows), ScriptedModel(script, name="student"))
    found = ask(
        tmp_path / "run",
        "SELECT p.question, s.name, s.part.index, s.value, s.label FROM scores s "
        "JOIN rationales r ON r.id = s.target JOIN problems p ON p.id = r.problem WHERE s.name IN ('correct', 'step_value') ORDER BY ALL",
    )
    assert found == [
        ("quick", "correct", None, 1.0, "right"),
        ("quick", "step_value", 0, 0.0, None),
        ("quick", "step_value", 1, 1.0, None),
        ("slow", "correct", None, 0.0, "timeout"),
        ("slow", "step_value", 0, None, None),
        ("slow", "step_value", 1, None, None),
    ]


def test_more_right_continuations_than_samples_are_refused():
    found = [[o for o, _, _ in Rollout(samples=4, enough=n).problems_with({}, ())] for n in (4, 5)]
    assert found == [[], ["enough"]]


VERIFIERS = """
import time
import synth

@synth.verifies("never")
def never(rationale, problem):
    return None

@synth.verifies("busy")
def busy(rationale, problem):
    time.sleep(0.3)
    return True

@synth.verifies("broken")
def broken(rationale, problem):
    return int("seven")

@synth.verifies("words")
def words(rationale, problem):
    return "yes"
"""


def own(path, verifier):
    """A pipeline that verifies and rolls out by a verifier of its own, which is allowed."""
    (path / "own.py").write_text(VERIFIERS)
    text = HEAD.replace("steps:\n", "code: [own.py]\nsteps:\n") + SOLVE.replace(
        "{step: verify_answer}", f"{{step: verify_answer, verifier: {verifier}}}"
    )
    preset = yaml_file(
        path / "p.yaml", f"{text}  - {{step: rollout, by: student, samples: 2, verifier: {verifier}, timeout: 0.8}}\n"
    )
    allow_code(preset)
    return preset


async def test_what_a_verifier_cannot_say_is_missing(tmp_path):
    await go(tmp_path / "run", own(tmp_path, "never"), sums(tmp_path / "in.jsonl", 4), scripted(World(solve_rate=0.5)))
    found = ask(
        tmp_path / "run",
        "SELECT DISTINCT value, label FROM scores WHERE name IN ('correct', 'step_value') ORDER BY label",
    )
    assert found == [(None, "undecided"), (None, None)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores WHERE name = 'step_value_first_zero'") == [(0,)]


async def test_waiting_for_a_turn_is_no_time_out(tmp_path):
    """Forty verdicts of 0.3 s each, of which two or more run at the same time: none is late at 0.8 s."""
    await go(tmp_path / "run", own(tmp_path, "busy"), sums(tmp_path / "in.jsonl", 8), scripted(World(solve_rate=0.5)))
    assert ask(tmp_path / "run", "SELECT DISTINCT label FROM scores WHERE name = 'correct'") == [("right",)]
    assert ask(tmp_path / "run", "SELECT DISTINCT value FROM scores WHERE name = 'step_value'") == [(1.0,)]


@pytest.mark.parametrize(("verifier", "says"), [("broken", "ValueError"), ("words", "gave a str")])
async def test_a_verifier_that_raises_is_named_with_its_line(tmp_path, verifier, says):
    with pytest.raises(StepError) as caught:
        await go(tmp_path / "run", own(tmp_path, verifier), sums(tmp_path / "in.jsonl", 2), scripted(World()))
    assert says in str(caught.value)
    assert "step verify_answer, problem" in str(caught.value)
    assert verifier != "broken" or "own.py:16" in str(caught.value)


async def test_problems_without_a_gold_answer_are_left_alone(tmp_path):
    """Derived problems may have none: nothing is asked, and no step of theirs is called wrong."""
    steps = "  - {step: rollout, by: student, samples: 2}\n"
    preset = pipeline(tmp_path / "p.yaml", steps)
    derived = "  - {step: ask, name: more, each: problem, by: student, prompt: more.j2, make: [{problem: reply}]}\n"
    (tmp_path / "more.j2").write_text(
        "{#- version: 1 purpose: p -#}\n{% call user() %}{{ problem.question }}{% endcall %}\n"
    )
    text = preset.read_text().replace("  - {step: verify_answer}\n", "").replace("steps:\n", "steps:\n" + derived)
    preset.write_text(text.replace("name: solve,", "name: solve, of: [input, more],"))
    await go(tmp_path / "run", preset, sums(tmp_path / "in.jsonl", 3), scripted(World(solve_rate=0.5)))
    rows = ask(
        tmp_path / "run",
        "SELECT p.parent IS NULL, count(*) FROM scores s JOIN rationales r ON r.id = s.target "
        "JOIN problems p ON p.id = r.problem WHERE s.name = 'step_value' GROUP BY 1",
    )
    assert rows == [(True, 9)]
    assert calls_of(tmp_path / "run", "rollout") == 3 * 2 * 2


async def test_what_came_first_decides_nothing(tmp_path):
    """Whichever reply is quick: the same records in the same order, also where beginnings are looked at one after the other."""

    class Fickle(ScriptedModel):
        async def complete(self, request):
            await asyncio.sleep(
                random.Random(
                    f"{self.pace}{request.messages}{request.continue_from}{request.begun}{request.sample}"
                ).random()
                / 20
            )
            return await super().complete(request)

    steps = (
        "  - {step: rollout, of: solve, by: student, samples: 3, probe: first_zero, keep: all}\n"
        "  - {step: pair, reason: first_error, of: [solve, rollout], over: solve, step_score: step_value, limit: 2}\n"
    )
    preset = pipeline(tmp_path / "p.yaml", steps)
    preset.write_text(preset.read_text().replace("temperature: 0.7}", "temperature: 0.7, samples: 4}", 1))
    found = []
    for pace in "abc":
        model = Fickle(World(solve_rate=0.3, steps=5, finish_rate=0.5), name="student")
        model.pace = pace
        await go(tmp_path / pace, preset, sums(tmp_path / "in.jsonl", 6), model)
        with open_store(tmp_path / pace) as store:
            found.append([store.sql(f"SELECT id FROM {table}").fetchall() for table in ("rationales", "pairs")])
    assert sorted(found[0][1]) == sorted(found[1][1]) == sorted(found[2][1])
    assert [sorted(f[0]) for f in found[1:]] == [sorted(found[0][0])] * 2


async def test_the_first_zero_is_known_only_where_all_before_it_is(tmp_path):
    """Of `at: [2]` nothing is known of the first step: what is 0 after the second may be so after the first."""
    for name, at in (("two", "'[2]'"), ("both", "'[1, 2]'")):
        preset = pipeline(tmp_path / f"{name}.yaml", f"  - {{step: rollout, by: student, samples: 2, at: {at}}}\n")
        await go(tmp_path / name, preset, sums(tmp_path / "in.jsonl", 12), scripted(World(solve_rate=0, lucky_rate=0)))
    query = "SELECT count(*) FROM scores WHERE name = 'step_value_first_zero'"
    assert ask(tmp_path / "two", query) == [(0,)]
    assert ask(tmp_path / "both", query) == [(12,)]


async def test_continuations_of_equal_beginnings_are_samples_of_their_own(tmp_path):
    """Four solutions with one first step, continued twice each: eight replies; and none that `generate` had already."""

    def solve(request, rng):
        return f"We know that 1 + 1 = 2.\n{claim(rng, sound=True)}.\nThe answer is -1."

    steps = "  - {step: continue, of: solve, by: student, at: '%d', samples: 2, temperature: 0.7}\n"
    for kept in (0, 1, 9):
        preset = pipeline(tmp_path / f"{kept}.yaml", steps % kept)
        preset.write_text(preset.read_text().replace("temperature: 0.7}", "temperature: 0.7, samples: 4}", 1))
        await go(
            tmp_path / f"run{kept}",
            preset,
            sums(tmp_path / "in.jsonl", 3),
            scripted(World(simulators={"solve": solve})),
        )
        made = ask(
            tmp_path / f"run{kept}", "SELECT count(*), count(DISTINCT call) FROM rationales WHERE step = 'continue'"
        )
        assert made == [(24, 24) if kept < 9 else (0, 0)]
        assert calls_of(tmp_path / f"run{kept}", "continue") == made[0][0]


async def test_steps_in_the_thought_of_a_continuation_are_its_steps(tmp_path):
    def script(request, rng):
        if request.task.kind == "solve":
            return "We add.\nIt is 8.\nThe answer is 8."
        return Completion(
            text="The answer is 7.", finish="stop", thought="No, 3 + 4 = 7.\nSo it is 7.", thought_kind="raw"
        )

    rows = [{"question": "What is 3 + 4?", "answer": "7"}]
    preset = pipeline(tmp_path / "p.yaml", "  - {step: continue, of: solve, by: student, at: '1'}\n")
    await go(tmp_path / "run", preset, write_rows(tmp_path / "in.jsonl", rows), ScriptedModel(script, name="student"))
    assert ask(tmp_path / "run", "SELECT steps, given FROM rationales WHERE step = 'continue'") == [
        (["We add.", "No, 3 + 4 = 7.", "So it is 7."], 1)
    ]


def test_kept_continuations_are_no_default(tmp_path):
    """What follows a rollout works on the solutions, and on the continuations where it names them."""
    steps = "  - {step: rollout, by: student, keep: all}\n  - {step: verify_answer, name: again, score: other}\n"
    steps += "  - {step: verify_answer, name: named, of: rollout, score: third}\n"
    made = load_pipeline(str(pipeline(tmp_path / "p.yaml", steps)))
    assert [made.sources_of(i) for i in range(5)] == [("input",), ("solve",), ("solve",), ("solve",), ("rollout",)]
