"""`ask` about all steps of a rationale at once (`per_step`), and about one after the other (`until`)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from methods import near
from support import ask, run, sums, yaml_file

from synth.errors import PipelineError
from synth.export import ExportOptions, export_group
from synth.models import Completion, Request, ScriptedModel, World, read_structured
from synth.models.filler import fill
from synth.models.structured import Unreadable, repair_turn, response_format
from synth.pipeline import load_pipeline
from synth.steps.reply_types import parse_reply

VERDICT = {"per_step": {"verdict": "one_of(right, wrong)", "kind": "text?", "reason": "text"}}
PROMPT = """{#- version: 1
    purpose: a test
-#}
{% call user() %}
{{ problem.full_question }}
{% for step in rationale.steps %}
{{ loop.index }}. {{ step }}{{ " was " ~ steps.given[loop.index0] if steps.given[loop.index0] is not none }}
{% endfor %}
{{ reply_format }}
{% endcall %}
"""


def items(verdicts: str) -> list[dict[str, Any]]:
    """One item for each letter, `r` (right) or `w` (wrong)."""
    return [
        {"step": i, "verdict": "right" if v == "r" else "wrong", "kind": None, "reason": f"reason {i}"}
        for i, v in enumerate(verdicts, 1)
    ]


def pipeline(folder: Path, steps: str) -> Path:
    """A pipeline file that generates, and then has these steps; its prompt lies beside it."""
    (folder / "p.j2").write_text(PROMPT)
    return yaml_file(folder / "p.yaml", "pipeline: my/judges\nsteps:\n  - {step: generate, by: m}\n" + steps)


ALL = """  - step: ask
    name: judge
    by: m
    prompt: p.j2
    reply: {per_step: {verdict: "one_of(right, wrong)", kind: "text?", reason: text}}
    make:
      - {score: step_judged, for: reply, step: index, value: item.verdict == "right", label: item.kind or item.verdict, reason: item.reason}
      - {critique: item.reason, for: '(reply | selectattr("verdict", "eq", "wrong"))[:1]', step: item.step - 1}
"""


def writing(steps: int, judge: Callable[[Request], Any]) -> ScriptedModel:
    """A model that writes so many steps, and judges by a function."""

    def script(request: Request, _rng: random.Random) -> Any:
        if request.task.kind != "ask":
            return "\n".join([*(f"This is step {i}." for i in range(1, steps + 1)), "The answer is 5."])
        said = judge(request)
        return said if isinstance(said, (str, Completion)) else json.dumps(said)

    return ScriptedModel(script, name="m")


@given(st.permutations(range(1, 8)), st.randoms(use_true_random=False))
def test_items_are_put_in_the_order_of_their_steps(order: list[int], rng: random.Random):
    """In whatever order a reply has them, and whether or not their numbers are keys."""
    kind = parse_reply(VERDICT, 7)
    given_items = [items("rrwrwrr")[i - 1] for i in order]
    as_list = read_structured(json.dumps({"answer": given_items}), kind.shape).answer
    keyed = {f"Step {i['step']}": {k: v for k, v in i.items() if k != "step"} for i in given_items}
    assert [one.step for one in as_list] == list(range(1, 8))
    assert [one.verdict for one in as_list] == ["right", "right", "wrong", "right", "wrong", "right", "right"]
    assert as_list == read_structured(json.dumps({"answer": keyed}), kind.shape).answer
    assert as_list == read_structured("So:\n```json\n" + json.dumps(given_items) + "\n```", kind.shape).answer
    filled = fill(kind.shape, rng)
    assert [one["step"] for one in filled["answer"]] == list(range(1, 8))
    assert read_structured(json.dumps(filled), kind.shape)


@given(st.integers(1, 12), st.data())
def test_a_list_that_does_not_match_the_steps_is_refused(steps: int, data: st.DataObject):
    """An item less, one more, one twice or one of no step: never is an item taken for another step's."""
    numbers = list(range(1, steps + 1))
    place = data.draw(st.sampled_from(numbers)) - 1
    changed = data.draw(
        st.sampled_from(
            [
                numbers[:place] + numbers[place + 1 :],
                [*numbers, steps + 1],
                [*numbers, numbers[place]],
                [i - 1 for i in numbers],
            ]
        )
    )
    written = json.dumps({"answer": [{**items("r")[0], "step": i} for i in changed]})
    with pytest.raises(Unreadable, match="exactly one item for"):
        read_structured(written, parse_reply(VERDICT, steps).shape)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([1, 2, 4], "it has no item for step 3"),
        ([1, 2, 2, 4], "it has no item for step 3; it has more than one item for step 2"),
        ([0, 1, 2, 3], "it has no item for step 4; it has an item for step 0"),
        ([1, 2, 3, 4, 5], "it has an item for step 5"),
    ],
)
def test_the_message_names_the_steps(numbers: list[int], said: str):
    """Also where the list is the whole reply, which is then tried as a text as well."""
    reply = json.dumps({"answer": [{"step": i, "value": "right"} for i in numbers]})
    with pytest.raises(Unreadable, match=f"each of the steps 1 to 4, and {said}$"):
        read_structured(reply, parse_reply("per_step(one_of(right, wrong))", 4).shape)


def test_values_are_lines_or_json():
    """A model that is not held to a schema writes a line for each step."""
    kind = parse_reply("per_step(one_of(right, wrong))", 3)
    assert kind.flat
    lines = read_structured("Step 2: wrong\n1. right\n\n**3**: Right.", kind.shape).answer
    assert [(one.step, one.value) for one in lines] == [(1, "right"), (2, "wrong"), (3, "right")]
    assert "steps 1 to 3" in kind.instructions("text")
    assert "steps 1 to 3" in kind.instructions("json")
    with pytest.raises(Unreadable, match="does not begin with the number of its step"):
        read_structured("right\nwrong\nright", kind.shape)


def test_endpoints_are_held_to_the_number_of_steps():
    """The schema that is sent has the bounds, the numbers, and no word of ours."""
    shape = parse_reply({"steps": VERDICT, "all": "one_of(right, wrong)"}, 4).shape
    sent = response_format(shape)["json_schema"]["schema"]
    assert (sent["properties"]["steps"]["minItems"], sent["properties"]["steps"]["maxItems"]) == (4, 4)
    assert sent["$defs"]["Step"]["properties"]["step"]["enum"] == [1, 2, 3, 4]
    assert "numbered_by" not in json.dumps(sent)
    assert "enum" not in json.dumps(response_format(parse_reply("per_step(text)", 500).shape))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"a": {"b": "per_step(text)"}}, "stands within nothing else"),
        ("list(per_step(text))", "stands within nothing else"),
        ("per_step(text)?", "stands within nothing else"),
        ({"per_step": {"step": "int"}}, "in each item already"),
        ({"per_step": "text", "a": "text"}, "cannot be called 'per_step'"),
        ("per_step", "is no type"),
    ],
)
def test_mistakes_in_the_type(written: Any, why: str):
    with pytest.raises(ValueError, match=why):
        parse_reply(written)


async def test_a_missing_step_is_repaired_once_and_then_a_failure(tmp_path: Path):
    """The second question says which step is missing; a reply that misses it again makes no score at all."""
    seen: list[Request] = []

    def judge(request: Request) -> Any:
        seen.append(request)
        return {"answer": items("rwr") if fixed and len(request.messages) > 1 else items("rwr")[:2]}

    file = pipeline(tmp_path, ALL)
    for fixed, scores, failures in ((True, 3, 0), (False, 0, 1)):
        seen.clear()
        folder = tmp_path / str(fixed)
        await run(file, sums(tmp_path / "in.jsonl", 1), folder, writing(3, judge))
        assert len(seen) == 2
        assert "no item for step 3" in str(seen[1].messages[-1]["content"])
        assert ask(folder, "SELECT count(*) FROM scores WHERE name = 'step_judged'") == [(scores,)]
        assert (
            len(ask(folder, "SELECT 1 FROM failures WHERE cause = 'shape' AND message LIKE '%no item for step 3%'"))
            == failures
        )


async def test_scores_a_step_and_a_critique_of_the_first_wrong_one(tmp_path: Path):
    """`prm` takes the scores, and with the critique the steps up to the first wrong one."""
    await run(
        pipeline(tmp_path, ALL),
        sums(tmp_path / "in.jsonl", 1),
        tmp_path / "run",
        writing(4, lambda _: items_as_json("rwrw")),
    )
    found = ask(
        tmp_path / "run", "SELECT part.index, value, label, reason FROM scores WHERE name = 'step_judged' ORDER BY 1"
    )
    assert found == [
        (0, 1, "right", "reason 1"),
        (1, 0, "wrong", "reason 2"),
        (2, 1, "right", "reason 3"),
        (3, 0, "wrong", "reason 4"),
    ]
    assert ask(tmp_path / "run", "SELECT part.index, explanation FROM critiques") == [(1, "reason 2")]
    for options, labels in (
        (ExportOptions(step_score="step_judged"), [True, False, True, False]),
        (ExportOptions(labels="critiques"), [True, False]),
    ):
        made = export_group(tmp_path / "run", {"prm": options}, tmp_path / f"out{len(labels)}")
        (row,) = [json.loads(line) for line in made["prm"].path.read_text().splitlines()]
        assert row["labels"] == labels


def items_as_json(verdicts: str) -> str:
    return json.dumps({"answer": items(verdicts)})


async def test_a_right_solution_has_no_critique(tmp_path: Path):
    await run(
        pipeline(tmp_path, ALL),
        sums(tmp_path / "in.jsonl", 1),
        tmp_path / "run",
        writing(1, lambda _: items_as_json("r")),
    )
    assert ask(tmp_path / "run", "SELECT count(*) FROM critiques") == [(0,)]
    assert ask(tmp_path / "run", "SELECT part.index, value FROM scores WHERE name = 'step_judged'") == [(0, 1)]


async def test_solutions_of_no_step_and_of_500(tmp_path: Path):
    """Nothing is asked about no step; a long list that is cut off is a failure, or asked for once more with room."""
    assert not (
        await run(pipeline(tmp_path, ALL), sums(tmp_path / "in.jsonl", 1), tmp_path / "none", writing(0, lambda _: "!"))
    ).failures
    assert ask(tmp_path / "none", "SELECT count(*) FROM calls WHERE step = 'judge'") == [(0,)]

    def judge(request: Request) -> Completion:
        text = items_as_json("r" * 499 + "w")
        whole = request.parameters["max_tokens"] > 10_000
        return Completion(
            text=text if whole else text[:9000], finish="stop" if whole else "length", completion_tokens=9
        )

    for name, more, scores, causes in (
        ("cut", "", 0, [("truncated",)]),
        ("long", "    max_tokens_on_truncation: 20000\n", 500, []),
    ):
        await run(pipeline(tmp_path, ALL + more), sums(tmp_path / "in.jsonl", 1), tmp_path / name, writing(500, judge))
        assert ask(tmp_path / name, "SELECT count(*) FROM scores WHERE name = 'step_judged'") == [(scores,)]
        assert ask(tmp_path / name, "SELECT cause FROM failures") == causes
    assert ask(tmp_path / "long", "SELECT part.index FROM critiques") == [(499,)]


@pytest.mark.parametrize("schema", [True, False])
async def test_the_scripted_model_judges_each_step_at_its_rates(tmp_path: Path, schema: bool):
    """A step that is wrong is found at `sensitivity`, one that is right passes at `specificity`, in one call a solution."""
    world = World(solve_rate=0.4, step_error_rate=0.4, sensitivity=0.7, specificity=0.9, steps=4)
    can = frozenset({"chat", *(("json_schema",) if schema else ())})
    steps = '  - {step: ask, name: judge, by: m, prompt: p.j2, reply: "per_step(one_of(right, wrong))",\n'
    steps += "     make: [{score: step_judged, for: reply, step: item.step - 1, value: item.value == 'right'}]}\n"
    model = ScriptedModel(world, capabilities=can)
    await run(pipeline(tmp_path, steps), sums(tmp_path / "in.jsonl", 250), tmp_path / "run", model)
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'judge'") == [(250,)]
    query = "SELECT r.steps[s.part.index + 1], s.value FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'step_judged'"
    rows = ask(tmp_path / "run", query)
    assert len(rows) == 1000
    for sound, rate in ((True, 0.9), (False, 0.3)):
        passed = [value for step, value in rows if world.is_sound(step) == sound]
        assert near(sum(passed) / len(passed), rate, len(passed))


GIVEN = """  - {step: score, name: label, each: step of rationale, score: given, value: step.index != 1}
"""


async def test_the_prompt_sees_scores_of_all_steps(tmp_path: Path):
    """A judge can be shown labels, here to explain them."""
    seen: list[str] = []

    def judge(request: Request) -> str:
        seen.append(str(request.messages[-1]["content"]))
        return items_as_json("rwr")

    file = pipeline(tmp_path, GIVEN + ALL.replace("by: m", "by: m\n    of: generate"))
    await run(file, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", writing(3, judge))
    assert "2. This is step 2. was 0.0" in seen[0]
    assert "3. This is step 3. was 1.0" in seen[0]


EXPLAINED = """  - {step: score, name: truth, each: step of rationale, score: given,
     value: '(step.text.split()[3] | int) + (step.text.split()[5] | int) == step.text.strip(".").split()[7] | int'}
  - {step: ask, name: explain, of: generate, by: m, prompt: p.j2, reply: "per_step(text)",
     make: [{score: explained, for: reply, step: index, reason: item.value}]}
  - {step: ask, name: blind, of: generate, by: n, prompt: blind.j2, reply: "per_step(one_of(right, wrong))",
     make: [{score: blind, for: reply, step: index, value: item.value == "right"}]}
  - {step: score, name: agreement, of: generate, each: step of rationale, score: agrees, value: step.score.blind == step.score.given}
"""


async def test_a_label_is_explained_and_a_blind_judge_agrees_at_its_rate(tmp_path: Path):
    """Only who explains is shown the labels; one call a rationale each."""
    (tmp_path / "blind.j2").write_text(PROMPT.replace("steps.given[loop.index0]", "none"))
    world = World(solve_rate=0.3, step_error_rate=0.5, sensitivity=0.8, specificity=0.8)
    models = {name: [ScriptedModel(world, name=name)] for name in ("m", "n")}
    await run(pipeline(tmp_path, EXPLAINED), sums(tmp_path / "in.jsonl", 200), tmp_path / "run", models)
    shown = "SELECT step, count(*), count(*) FILTER (messages::VARCHAR LIKE '% was %') FROM calls WHERE step IN ('blind', 'explain') GROUP BY 1 ORDER BY 1"
    assert ask(tmp_path / "run", shown) == [("blind", 200, 0), ("explain", 200, 200)]
    ((agree, n),) = ask(tmp_path / "run", "SELECT avg(value), count(*) FROM scores WHERE name = 'agrees'")
    assert n == 600
    assert near(agree, 0.8, n)
    assert ask(tmp_path / "run", "SELECT count(reason) FROM scores WHERE name = 'explained'") == [(600,)]


ONE = """  - step: ask
    name: judge
    each: step of rationale
    by: [m, n]
    prompt: q.j2
    reply: yes_no
    until: not reply
    make: [{score: step_judged, value: reply}]
"""


async def test_the_questions_end_with_the_first_wrong_step(tmp_path: Path):
    """Of steps right, right, wrong, … three are asked about, by each model on its own; a question without a reply ends them too."""
    (tmp_path / "q.j2").write_text(
        "{#- version: 1\n purpose: a test\n-#}\n{% call user() %}{{ step.text }}{% endcall %}\n"
    )
    verdicts = {"m": "yynyn", "n": "y?yyy"}

    def named(name: str) -> ScriptedModel:
        def script(request: Request, _rng: random.Random) -> str:
            if request.task.kind != "ask":
                return "\n".join(
                    [*(f"This is step {i} of {request.task.problem.question}" for i in range(5)), "The answer is 5."]
                )
            assert request.task.part is not None
            letter = verdicts[name][request.task.part.index or 0]
            return {"y": "yes", "n": "no", "?": "Well, who knows?"}[letter]

        return ScriptedModel(script, name=name, capabilities=frozenset({"chat"}))

    models = {"m": [named("m")], "n": [named("n")]}
    summary = await run(pipeline(tmp_path, ONE), sums(tmp_path / "in.jsonl", 3), tmp_path / "run", models)
    calls = ask(tmp_path / "run", "SELECT model, count(*) FROM calls WHERE step = 'judge' GROUP BY 1 ORDER BY 1")
    assert calls == [("m", 9), ("n", 9)]  # n: yes, and a question and its repair without a reply that can be read
    assert summary.failures == {"judge": 3} or sum(1 for _ in ask(tmp_path / "run", "SELECT 1 FROM failures")) == 3
    scores = "SELECT judge, part.index, value FROM scores WHERE name = 'step_judged' GROUP BY ALL ORDER BY ALL"
    assert ask(tmp_path / "run", scores) == [("m", 0, 1), ("m", 1, 1), ("m", 2, 0), ("n", 0, 1)]


@pytest.mark.parametrize("wrong_at", [1, 4, 6])
async def test_calls_until_the_first_wrong_step_are_those_of_its_place(tmp_path: Path, wrong_at: int):
    """Of six steps, the first wrong one at place `w`: `min(w, 6)` calls instead of six."""
    (tmp_path / "q.j2").write_text(
        "{#- version: 1\n purpose: a test\n-#}\n{% call user() %}{{ step.text }}{% endcall %}\n"
    )
    model = writing(6, lambda r: {"answer": "no" if (r.task.part.index or 0) + 1 == wrong_at else "yes"})
    file = pipeline(tmp_path, ONE.replace("[m, n]", "m"))
    await run(file, sums(tmp_path / "in.jsonl", 1), tmp_path / "run", model)
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'judge'") == [(wrong_at,)]
    made = export_group(tmp_path / "run", {"prm": ExportOptions(step_score="step_judged")}, tmp_path / "out")
    (row,) = [json.loads(line) for line in made["prm"].path.read_text().splitlines()]
    assert row["labels"] == [True] * (wrong_at - 1) + [False]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (ALL + "    until: reply\n", "until needs parts"),
        (ALL + "    each: step of rationale\n", "per_step asks about all steps"),
        (ONE.replace("not reply", "not replied"), "replied"),
    ],
)
def test_mistakes_end_before_any_call(tmp_path: Path, steps: str, why: str):
    (tmp_path / "q.j2").write_text(
        "{#- version: 1\n purpose: a test\n-#}\n{% call user() %}{{ step.text }}{% endcall %}\n"
    )
    with pytest.raises(PipelineError, match=why):
        load_pipeline(str(pipeline(tmp_path, steps)))


def test_the_repair_says_what_is_wrong():
    shape = parse_reply("per_step(text)", 2).shape
    with pytest.raises(Unreadable) as error:
        read_structured('{"answer": [{"step": 1, "value": "a"}]}', shape)
    assert "no item for step 2" in str(repair_turn("…", str(error.value), shape)[-1]["content"])
