"""The plan counts: what it says of a pipeline is what a run with the same simulated model asks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field
from support import ask, run, sums, write_rows, yaml_file

from synth.engine import run_pipeline
from synth.engine.before import unknown_columns
from synth.engine.plan import LOOKED_AT, Measured, Plan, make_plan, spread
from synth.engine.simulation import FEWEST_PROBLEMS, MOST_PROBLEMS
from synth.errors import UserError
from synth.models import Completion, Model, Price, Reply, Request, ScriptedModel, Task, World, make_model
from synth.models.profile import Profile
from synth.pipeline import Pipeline, catalogue, load_pipeline
from synth.records import Problem, Rationale, Score, UnitRecord
from synth.shipped import shipped
from synth.sources import Given, open_source
from synth.steps import ModelStep, Step, Unit, all_steps

WORLD = World()
EMPTY = Profile(models={}, roles={})


class Untouched(Model):
    """A model of an endpoint that fails the test where it is asked."""

    def __init__(self, name: str = "endpoint", **given: Any) -> None:
        self.name, self.model_id, self.endpoint = name, f"id-of-{name}", f"https://{name}.example.org/v1"
        self.__dict__.update(given)

    async def complete(self, request: Request) -> Completion:
        raise AssertionError(f"{self.name} was asked at step {request.step}")


def rehearsing(pipeline: Pipeline) -> dict[str, list[Model]]:
    """The models that `synth rehearse` gives to the roles."""
    most = {r: max(s.fewest_models() for s in pipeline.model_steps if r in s.roles()) for r in pipeline.role_names}
    names = ["scripted", *(f"scripted:{i}" for i in range(1, 9))]
    made = {name: make_model(name, EMPTY).knowing(pipeline.simulators) for name in names}
    return {role: list(made.values())[:n] for role, n in most.items()}


async def planned(
    pipeline: str | Path | Pipeline, rows: Path | str, models: Any = None, limit: int | None = None, **given: Any
) -> Plan:
    made = pipeline if isinstance(pipeline, Pipeline) else load_pipeline(str(pipeline))
    source = open_source(str(rows), needs=made.needs, check_input=made.check_input)
    total = min(source.scan().problems, limit or 10**9)
    if not isinstance(models, dict):
        models = {role: [models or Untouched()] for role in made.role_names}
    sample = list(islice(source.problems(), limit)) if limit else spread(source.problems(), total)
    return await make_plan(made, sample, total, models, media=source.media, **given)


def asked(folder: Path) -> dict[tuple[str, str], tuple[int, float]]:
    """Calls and prompt tokens (characters / 4) of a run, by step and model."""
    found: dict[tuple[str, str], tuple[int, float]] = {}
    for step, model, messages in ask(folder, "SELECT step, model, messages::VARCHAR FROM calls"):
        calls, tokens = found.get((step, model), (0, 0.0))
        more = sum(len(m["content"]) for m in json.loads(messages)) / 4
        found[step, model] = (calls + 1, tokens + more)
    return found


def counts(plan: Plan) -> dict[tuple[str, str], tuple[int, float]]:
    return {(s.step, s.model): (round(s.calls), pytest.approx(s.prompt_tokens)) for s in plan.steps if s.calls}


@pytest.mark.parametrize("name", catalogue())
async def test_calls_and_prompts_are_those_of_a_rehearsal(tmp_path: Path, name: str):
    """Of the same problems, for all shipped pipelines: of every step and every model, exactly."""
    made = load_pipeline(name)
    models, n = rehearsing(made), FEWEST_PROBLEMS
    sample = str(made.sample)
    rows = sample if sample.startswith("make:") else shipped("samples") / sample
    plan = await planned(made, rows, models, limit=n)
    source = open_source(str(rows), needs=made.needs, check_input=made.check_input)
    await run_pipeline(made, source, tmp_path / "run", models, limit=n)
    found = asked(tmp_path / "run")
    assert counts(plan) == found
    assert plan.calls == pytest.approx(sum(calls for calls, _ in found.values()))
    assert plan.not_counted == []
    said = f"counted on all {n} problems with a simulated model that solves 0.6 of them"
    assert not found or said in plan.assumptions[0]  # where nobody is asked there is nothing to assume


async def test_a_model_of_an_endpoint_is_simulated_with_its_own_capabilities(tmp_path: Path):
    """Steps ask the simulated model in the form in which they ask the bound one, and nothing is asked of that one."""
    rows = sums(tmp_path / "in.jsonl", 12)
    for capabilities, small in ((frozenset({"chat"}), False), (frozenset({"chat", "json_schema", "seed"}), True)):
        bound = Untouched(capabilities=capabilities, small=small, parameters={"temperature": 0.2}, reasoning=512)
        simulated = ScriptedModel.instead_of(bound, WORLD)
        for name in ("name", "model_id", "endpoint", "capabilities", "unknown", "small", "parameters", "reasoning"):
            assert getattr(simulated, name) == getattr(bound, name)
        plan = await planned("self_training/refine", rows, bound)
        folder = tmp_path / f"run{len(capabilities)}"
        await run("self_training/refine", rows, folder, simulated)
        assert counts(plan) == asked(folder)


async def test_what_is_not_known_of_a_model_is_said(tmp_path: Path):
    """A run asks such an endpoint a few small questions first."""
    rows = sums(tmp_path / "in.jsonl", 3)
    said = (
        await planned("self_training/refine", rows, Untouched("new", unknown=frozenset({"json_schema"})))
    ).assumptions
    assert any("what model new can do is not in its profile: counted without json_schema" in line for line in said)
    said = (await planned("self_training/refine", rows, Untouched("new"))).assumptions
    assert not any("what model new can do" in line for line in said)


@pytest.mark.parametrize("p", [0.2, 0.8])
async def test_calls_scale_to_the_whole_input_within_chance(tmp_path: Path, p: float):
    """arXiv:2203.14465 asks again what the model does not solve: 1 - p of the problems, here of 50 of 1,000."""
    plan = await planned("self_training/star", sums(tmp_path / "in.jsonl", 1000), world=World(solve_rate=p))
    calls = {s.step: s.calls for s in plan.steps}
    assert calls["solve"] == 1000
    assert abs(calls["rationalization"] / 1000 - (1 - p)) <= 4 * math.sqrt(p * (1 - p) / MOST_PROBLEMS)
    said = "\n".join(plan.assumptions)
    assert f"counted on {MOST_PROBLEMS} of the 1,000 problems with a simulated model that solves {p:g} of them" in said
    assert "calls of rationalization depend on how often the model is right" in said
    assert "1 where it never is, 0 where it always is" in said
    assert "calls of solve depend" not in said


async def test_problems_are_fewer_where_a_step_makes_many_calls(tmp_path: Path):
    """A tree of thoughts makes a hundred calls a problem: the fewest problems are enough."""
    plan = await planned("trees/tree-of-thoughts", sums(tmp_path / "in.jsonl", 40))
    assert f"counted on {FEWEST_PROBLEMS} of the 40 problems" in plan.assumptions[0]


def prompt(path: Path, words: str) -> Path:
    path.write_text(f"{{#- version: 1\n    purpose: none -#}}\n{{% call user() %}}\n{words}{{% endcall %}}\n")
    return path


TWO = """
pipeline: my/two
roles: {teacher: writes}
steps:
  - {step: generate, temperature: 0.5, MORE}
  - {step: review, by: teacher, exclude_author: false, prompt: long.j2}
"""


async def test_prompts_of_later_steps_are_real(tmp_path: Path):
    """Also of a step that works on what an earlier one wrote: its prompt, and the simulated rationale in it."""
    prompt(tmp_path / "long.j2", "word " * 2000 + "{{ rationale.text }}")
    plan = await planned(yaml_file(tmp_path / "p.yaml", TWO.replace(", MORE", "")), sums(tmp_path / "in.jsonl", 5))
    read = {s.step: s.prompt_tokens / s.calls for s in plan.steps}
    assert 2500 < read["review"] < 2600
    assert read["generate"] < 200


async def test_replies_are_bounded_by_the_limits_that_go_with_a_request(tmp_path: Path):
    """max_tokens of the step is for the visible reply; a limit of the profile for all of it."""
    prompt(tmp_path / "long.j2", "{{ rationale.text }}")
    rows = sums(tmp_path / "in.jsonl", 4)

    async def written(more: str, **given: Any) -> float:
        plan = await planned(yaml_file(tmp_path / "p.yaml", TWO.replace("MORE", more)), rows, Untouched(**given))
        return next(s.completion_tokens / s.calls for s in plan.steps if s.step == "generate")

    assert await written("max_tokens: 1024") == 200
    assert await written("max_tokens: 64") == 64
    assert await written("max_tokens: null") == 200
    assert await written("max_tokens: 64", reasoning=True) == 64 + 2000
    assert await written("max_tokens: 64", reasoning=300) == 64 + 300
    assert await written("max_tokens: 1024", parameters={"max_completion_tokens": 150}, reasoning=True) == 150


async def test_what_was_measured_goes_before_what_is_simulated(tmp_path: Path):
    """Its own figures for a model; for another the calls and prompts of those that were asked."""
    rows = sums(tmp_path / "in.jsonl", 10)
    prompt(tmp_path / "long.j2", "{{ rationale.text }}")
    pipeline = yaml_file(tmp_path / "p.yaml", TWO.replace(", MORE", ""))
    price = Price(input=1, output=10)
    models = {"teacher": [Untouched("a", price=price), Untouched("b", price=price)]}
    measured = [Measured("generate", "a", 3.0, 1000.0, 50.0)]
    plan = await planned(pipeline, rows, models, measured=measured)
    first = {s.model: s for s in plan.steps if s.step == "generate"}
    assert (first["a"].calls, first["a"].prompt_tokens, first["a"].completion_tokens) == (30, 30_000, 1500)
    assert first["a"].cost == pytest.approx((30_000 + 15_000) / 1e6)
    assert (first["b"].calls, first["b"].prompt_tokens, first["b"].completion_tokens) == (30, 30_000, 6000)
    assert {s.model: s.calls for s in plan.steps if s.step == "review"} == {"a": 20, "b": 20}
    said = "\n".join(plan.assumptions)
    assert "calls a problem: measured in this run folder" in said
    assert "as measured with a" in said
    both = [*measured, Measured("review", "a", 1.0, 10.0, 10.0)]
    assert "simulated" not in "\n".join((await planned(pipeline, rows, models, measured=both)).assumptions)


async def test_a_step_that_is_switched_off_costs_nothing(tmp_path: Path):
    prompt(tmp_path / "long.j2", "{{ rationale.text }}")
    text = TWO.replace(", MORE", "").replace("prompt: long", 'where: "false", prompt: long')
    plan = await planned(yaml_file(tmp_path / "p.yaml", text), sums(tmp_path / "in.jsonl", 5))
    assert [(s.step, s.calls, s.cost) for s in plan.steps] == [("generate", 5, None), ("review", 0, 0.0)]


class Picky(Step):
    """Needs what is not there."""

    takes: ClassVar[type[UnitRecord]] = Rationale
    gives: ClassVar[tuple[type[UnitRecord], ...]] = (Score,)
    step: Literal["picky"] = "picky"

    async def run(self, records: Sequence[Any], unit: Unit) -> Iterable[UnitRecord]:
        raise ImportError("No module named 'embeddings'")


RAN: list[str] = []


class Executes(Picky):
    """Runs what models wrote."""

    runs_code: ClassVar[bool] = True
    step: Literal["executes"] = "executes"  # type: ignore[assignment]

    async def run(self, records: Sequence[Any], unit: Unit) -> Iterable[UnitRecord]:
        RAN.append("code")
        return []


class Verdict(Reply):
    verdict: Literal["good", "bad"]


class Asks(ModelStep):
    """Asks something that no world knows."""

    takes: ClassVar[type[UnitRecord]] = Rationale
    step: Literal["asks"] = "asks"
    shape: ClassVar[type[Reply]] = Verdict
    times: int = 1

    async def run(self, records: Sequence[Any], unit: Unit) -> Iterable[UnitRecord]:
        for model in unit.models(self.by):
            task = Task("other", unit.problem)
            messages = ({"role": "user", "content": f"{self.name}: {unit.problem.question}".ljust(400)},)
            first = Request(messages, task, step=self.name, shape=self.shape)
            asked = [(model, first._replace(sample=i), records[0]) for i in range(self.times)]
            replies = await self.ask_all(asked, unit)
            assert all(r is not None and r.value.verdict in {"good", "bad"} for r in replies)
        return []


class Twice(Picky):
    """Counts how often it is run."""

    step: Literal["twice"] = "twice"  # type: ignore[assignment]

    async def run(self, records: Sequence[Any], unit: Unit) -> Iterable[UnitRecord]:
        RAN.append("again")
        raise OSError("no")


def own(*steps: Step) -> Pipeline:
    first = all_steps()["generate"].model_validate({"step": "generate", "name": "generate"})
    return Pipeline(pipeline="my/own", steps=(first, *steps))


async def test_a_step_that_the_simulation_cannot_run_is_named_and_the_others_are_counted(tmp_path: Path):
    """And as steps after it are counted without it, what all costs is not known."""
    rows = sums(tmp_path / "in.jsonl", 6)
    priced = Untouched(price=Price(input=1, output=1))
    last = Asks(name="asks", prompt="review/score")
    plan = await planned(own(Picky(name="picky"), last), rows, priced)
    assert plan.not_counted == [("picky", "it raised ImportError: No module named 'embeddings'")]
    assert [(s.step, s.calls) for s in plan.steps] == [("generate", 6), ("asks", 6)]
    assert plan.steps[1].prompt_tokens == 600
    assert plan.cost is None
    plan = await planned(own(last, Picky(name="picky")), rows, priced)
    assert plan.cost == pytest.approx(sum(s.cost for s in plan.steps))
    plan = await planned(own(last), rows, priced)
    assert plan.not_counted == []


async def test_a_prompt_that_cannot_be_filled_in_is_a_mistake_and_not_a_step_that_was_not_counted(tmp_path: Path):
    """Also of a step that does not read the input; its run would end there after it had paid for the steps before."""
    (tmp_path / "p.j2").write_text(
        "{#- name: my/p\nversion: 1 -#}\n{% call user() %}{{ 1 / (rationale.text | length - rationale.text | length) }}{% endcall %}"
    )
    file = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        title: x
        about: x
        roles: {teacher: writes}
        steps:
          - {step: generate}
          - {step: ask, name: asks, prompt: p.j2, by: teacher, reply: yes_no, make: [{score: good, value: reply}]}
        """,
    )
    with pytest.raises(UserError, match="the prompt cannot be filled in: division by zero") as error:
        await planned(file, sums(tmp_path / "in.jsonl", 3))
    assert "asks" in error.value.where


async def test_a_step_that_failed_is_not_tried_on_every_problem(tmp_path: Path):
    """It may have taken a while each time."""
    plan = await planned(own(Twice(name="twice")), sums(tmp_path / "in.jsonl", 9))
    assert plan.not_counted == [("twice", "it raised OSError: no")]
    assert RAN == ["again"]
    RAN.clear()


async def test_so_many_calls_are_simulated_once_only(tmp_path: Path):
    rows = sums(tmp_path / "in.jsonl", 9)
    plan = await planned(own(Asks(name="asks", prompt="review/score", times=3500)), rows)
    assert {s.step: s.calls for s in plan.steps} == {"generate": 9, "asks": 9 * 3500}
    assert "counted on 1 of the 9 problems" in plan.assumptions[0]
    assert "no more were simulated: these make 3,501 calls already" in plan.assumptions
    assert (
        "whether calls depend on how often the model is right was not simulated: they are too many" in plan.assumptions
    )


async def test_code_is_not_run(tmp_path: Path):
    plan = await planned(own(Executes(name="executes")), sums(tmp_path / "in.jsonl", 3))
    assert plan.not_counted == [("executes", "it runs code, and a plan runs none")]
    assert RAN == []


class Impossible(Reply):
    """No value has this shape."""

    verdict: Annotated[str, Field(pattern="^q{40}$")]


class Refuses(Asks):
    step: Literal["refuses"] = "refuses"  # type: ignore[assignment]
    shape: ClassVar[type[Reply]] = Impossible


async def test_a_step_without_a_valid_reply_and_one_without_an_end_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """They stop neither the plan nor the count of other steps that ask the same model."""
    rows = sums(tmp_path / "in.jsonl", 8)
    last = Asks(name="asks", prompt="review/score")
    plan = await planned(own(Refuses(name="refuses", prompt="review/score"), last), rows)
    ((step, why),) = plan.not_counted
    assert step == "refuses"
    assert "no valid Impossible" in why
    assert {s.step: s.calls for s in plan.steps} == {"generate": 8, "asks": 8}
    monkeypatch.setattr("synth.engine.simulation.MOST_CALLS", 50)
    plan = await planned(own(Asks(name="many", prompt="review/score", times=51), last), rows)
    assert plan.not_counted == [("many", "it makes more than 50 calls for one problem")]
    assert {s.step: s.calls for s in plan.steps} == {"generate": 8, "asks": 8}


async def test_a_prompt_that_cannot_be_filled_in_is_an_error_as_in_the_run(tmp_path: Path):
    prompt(tmp_path / "bad.j2", "{{ problem.meta.x.y }}")
    text = "pipeline: my/p\nroles: {teacher: writes}\nsteps:\n  - {step: generate, prompt: bad.j2}\n"
    with pytest.raises(UserError, match="cannot be filled in"):
        await planned(yaml_file(tmp_path / "p.yaml", text), sums(tmp_path / "in.jsonl", 3))


async def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = sums(tmp_path / "in.jsonl", 3)
    monkeypatch.chdir(tmp_path)
    await planned("peer_review/mapd", rows, {"student": [Untouched("s")], "teachers": [Untouched("a"), Untouched("b")]})
    assert [path.name for path in tmp_path.rglob("*")] == ["in.jsonl"]


@pytest.mark.parametrize("total", [1, 2, 5, 49, 50, 51, 300])
def test_every_beginning_of_the_sample_is_spread_over_the_input(total: int):
    problems = [Given(Problem.root(question=f"{i}?")) for i in range(total)]
    chosen = [problems.index(given) for given in spread(iter(problems), total)]
    assert len(chosen) == len(set(chosen)) == min(total, MOST_PROBLEMS)
    first = sorted(chosen[:FEWEST_PROBLEMS])
    if total >= MOST_PROBLEMS:
        assert max(b - a for a, b in zip(first, [*first[1:], total], strict=True)) <= total / 3
    if total <= MOST_PROBLEMS:
        assert sorted(chosen) == list(range(total))


def test_no_more_of_a_large_input_is_read_than_it_takes():
    read = []

    def problems():
        for i in range(LOOKED_AT * 3):
            read.append(i)
            yield Given(Problem.root(question=f"{i}?"))

    assert len(spread(problems(), LOOKED_AT * 3)) == MOST_PROBLEMS
    assert len(read) == LOOKED_AT


def columns(tmp_path: Path, keep: str, rows: Sequence[dict[str, Any]], **given: Any) -> list[str]:
    path = write_rows(tmp_path / "in.jsonl", [{"question": f"{i}?", "answer": "1"} | r for i, r in enumerate(rows)])
    text = f"pipeline: my/p\nroles: {{teacher: writes}}\nsteps: [{{step: generate}}, {{step: filter, keep: {keep}}}]\n"
    source = open_source(str(path))
    problems = (g.problem for g in source.problems())
    return unknown_columns(
        load_pipeline(yaml_file(tmp_path / "p.yaml", text)), problems, fields=source.mapping, **given
    )


def test_a_column_that_any_row_has_is_there(tmp_path: Path):
    rows = [{}] * 300 + [{"window": 1}]
    assert columns(tmp_path, "problem.meta.window", rows) == []
    assert columns(tmp_path, "problem.meta.made", rows, made=frozenset({"made"})) == []
    (said,) = columns(tmp_path, "problem.meta.windw", rows)
    assert "step filter, keep reads problem.meta.windw, and no row of the input has such a column" in said
    assert said.endswith("did you mean 'window'?")
    (said,) = columns(tmp_path, "problem.meta.answer", rows)
    assert said.endswith("write problem.answer")
    (said,) = columns(tmp_path, "problem.meta.zzz", [{}])
    assert said.endswith("columns beside the fields of problems: none")


async def test_columns_of_problems_that_steps_make_are_known(tmp_path: Path):
    """`meta.counterfactual` stands in no row; where no such problem was made nothing is known."""
    made = load_pipeline("counterfactual/poda")
    plan = await planned(made, shipped("samples") / str(made.sample))
    assert plan.columns is not None
    assert "counterfactual" in plan.columns
    rows = sums(tmp_path / "in.jsonl", 3)
    assert (await planned("self_training/star", rows)).columns == frozenset()
