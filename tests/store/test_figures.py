"""What the funnel, the table of models and the ledger count is the same thing everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import ask, endpoint, reply, run, stored, sums, synth, yaml_file

from synth.audit import run_audits
from synth.calls import Ledger
from synth.calls.ledger import call_id
from synth.engine import Summary
from synth.errors import ModelError
from synth.models import Completion, Model, Price, ScriptedModel, World
from synth.models.endpoint import EndpointModel
from synth.records import Call, CallStatus, Problem, Rationale, Rejection, Score
from synth.render.summary import figures_of, funnel_of
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.view.compare import differing

REVIEWED = """
    pipeline: my/reviewed
    steps:
      - {step: generate, samples: 2, temperature: 0.7}
      - {step: verify_answer}
      - {step: review, by: reviewer}
"""


def funnel(folder: Path) -> dict[str, int]:
    return dict(ask(folder, "SELECT stage, n FROM funnel ORDER BY position"))


def unparsed(folder: Path) -> tuple[float | None, int | None]:
    (verdict,) = run_audits(folder, only=["unparsed"])
    return verdict.value, verdict.n


PIPELINES = ("mapd", "poda", "tree-of-thoughts", "thought-trees", "refine")

# -- asked, answered, parsed --


async def test_reviews_are_not_asked_for_answers(tmp_path: Path):
    """One review a rationale: the funnel counts the rationales alone, and agrees with the audit, the report and `synth status`."""
    folder = tmp_path / "run"
    model = ScriptedModel(World(malformed_rate=0.2))
    models = {"teacher": [model], "reviewer": [ScriptedModel(World(), name="reviewer")]}
    await run(yaml_file(tmp_path / "p.yaml", REVIEWED), sums(tmp_path / "in.jsonl", 30), folder, models)
    found = funnel(folder)
    unread = ask(folder, "SELECT count(*) FROM rationales WHERE answer IS NULL")[0][0]
    assert unread > 3
    assert ask(folder, "SELECT count(*) FROM calls")[0][0] > 100
    assert (found["asked"], found["answered"], found["parsed"]) == (60, 60, 60 - unread)
    assert unparsed(folder) == (pytest.approx(unread / 60), 60)
    with open_store(folder) as store:
        shares = {s.name: s.of_before for s in funnel_of(store)}
    assert shares["parsed"] == pytest.approx(1 - unread / 60)
    told = synth("status", folder, check=0).stdout
    assert re.search(rf"^parsed +{60 - unread} ", told, re.MULTILINE)


async def test_every_pipeline_of_the_catalogue_agrees_with_the_audit(tmp_path: Path):
    """Peer review, trees, counterfactuals: parsed is answered less what the audit calls unparsed."""
    for name in PIPELINES:
        folder = tmp_path / name
        synth("rehearse", name, "--limit", 12, "--run", folder, check=0)
        found = funnel(folder)
        value, n = unparsed(folder)
        unread = round((n or 0) * (value or 0.0))
        assert found.get("answered", 0) == (n or 0), name
        assert found["parsed"] == found.get("answered", 0) - unread, name


async def test_replies_that_hold_no_answer_are_answered_and_errors_are_not(tmp_path: Path):
    """Cut off, empty and refused: a reply came, and no answer was read. A broken server: nothing came."""

    def script(request: Any, rng: Any) -> Any:
        n = int(request.task.problem.question.split("Case ")[1].split(":")[0])
        text = World(solve_rate=1)(request, rng)
        if n == 0:
            return Completion(text, finish="length", completion_tokens=9, prompt_tokens=9)
        if n == 1:
            return Completion("", finish="stop", completion_tokens=0, prompt_tokens=9)
        if n == 2:
            return Completion("No.", finish="content_filter", completion_tokens=2, prompt_tokens=9)
        if n == 3:
            raise ModelError("bad_request", "HTTP 400: too long")
        if n == 4:
            return "Count them.\nThe answer is very many."
        return text

    folder = tmp_path / "run"
    made = yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nsteps: [{step: generate}, {step: verify_answer}]")
    await run(made, sums(tmp_path / "in.jsonl", 12), folder, ScriptedModel(script))
    found = funnel(folder)
    assert (found["asked"], found["answered"], found["parsed"], found["verified"]) == (12, 11, 7, 7)
    assert unparsed(folder) == (pytest.approx(4 / 11), 11)


async def test_a_step_of_which_every_call_failed_was_asked_all_the_same(tmp_path: Path):
    """No rationale says that the step writes rationales; the pipeline does."""

    def script(request: Any, rng: Any) -> Any:
        if "Case 0:" in request.task.problem.question:
            return Completion("", finish="stop")
        raise ModelError("bad_request", "HTTP 400: too long")

    folder = tmp_path / "run"
    made = yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nsteps: [{step: generate}]")
    await run(made, sums(tmp_path / "in.jsonl", 6), folder, ScriptedModel(script))
    assert {k: funnel(folder)[k] for k in ("asked", "answered", "parsed")} == {"asked": 6, "answered": 1, "parsed": 0}


async def test_what_nobody_was_asked_for_has_a_line_of_its_own(tmp_path: Path):
    """Reference solutions are kept, and no call made them."""
    rows = tmp_path / "in.jsonl"
    rows.write_text(
        "".join(
            f'{{"question": "What is {i}+1?", "answer": "{i + 1}", "reference_solution": "So it is."}}\n'
            for i in range(5)
        )
    )
    made = yaml_file(
        tmp_path / "p.yaml",
        "pipeline: my/p\nsteps: [{step: reference}, {step: generate}, {step: verify_answer, of: '*'}]",
    )
    folder = tmp_path / "run"
    await run(made, rows, folder, ScriptedModel(World(solve_rate=1)))
    found = funnel(folder)
    assert list(found)[:3] == ["problems", "made without a call", "asked"]
    assert (found["made without a call"], found["asked"], found["answered"]) == (5, 5, 5)
    assert found["kept"] == ask(folder, "SELECT count(*) FROM kept_rationales")[0][0] == 10
    with open_store(folder) as store:
        assert all(s.of_before is None or s.of_before <= 1 for s in funnel_of(store))


def test_what_belongs_to_a_rejected_problem_is_kept_nowhere(tmp_path: Path):
    """Two rationales, one of a derived problem that is rejected: views, charts, comparison and card count one."""
    root = Problem.root(question="Q", answer="1")
    derived = Problem.make(unit=root.id, step="d", because=1, question="D", parent=root.id)
    of_it = Problem.make(unit=root.id, step="d", because=2, question="E", parent=root.id)
    mine = [
        Rationale.make(unit=root.id, step="s", because=p.id, problem=p.id, author="human", response="So.", answer="1")
        for p in (root, derived)
    ]
    scores = [
        Score.make(unit=root.id, step="v", because=r.id, target=r.id, name="correct", value=1, label="right", judge="v")
        for r in mine
    ]
    out = [Rejection.make(unit=root.id, step="f", because=3, target=derived.id, target_table="problems", rule="r")]
    folder = stored(tmp_path / "a", root, derived, of_it, *mine, *scores, *out)
    assert (funnel(folder)["kept"], ask(folder, "SELECT count(*) FROM kept_problems")) == (1, [(2,)])
    with open_store(folder) as store, open_store(folder) as other:
        drawn = figures_of(store)
        assert {x.name: x.drawn.n for x in drawn.scores} == {"correct": 2}
        charts = [*(h for *_, h in drawn.lengths), *(x.drawn for x in drawn.scores)]
        assert [sum(bar.counts[h.kinds.index("kept")] for bar in h.bars) for h in charts] == [1, 1]
        rows, _ = differing(store, other, "", "")
        assert sum(r.left[1] for r in rows) == 1
    out.append(Rejection.make(unit=root.id, step="f", because=4, target=root.id, target_table="problems", rule="r"))
    whole = stored(tmp_path / "b", root, derived, of_it, *mine, *scores, *out)
    assert (funnel(whole)["kept"], ask(whole, "SELECT count(*) FROM kept_problems")) == (0, [(0,)])


# -- what is paid for --

ROWS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(get_args(CallStatus)),
        "priced": st.booleans(),
        "counted": st.booleans(),
        "replied": st.booleans(),
    }
)
WITH_REPLY = {"ok", "truncated", "thought_cut", "only_thought", "empty"}
"""These there are only where a reply came."""


def as_call(i: int, row: dict[str, Any]) -> Call:
    """A row as the caller writes it: what has no reply has no tokens, no price and no finish."""
    replied = row["replied"] and row["status"] in WITH_REPLY | {"refused", "malformed", "server"}
    came = replied or row["status"] in WITH_REPLY
    counted = came and row["counted"]
    return Call(
        id=call_id(f"k{i}", 1), key=f"k{i}", attempt=1, model=f"t{i % 2}", endpoint="e", model_id="m", messages=[], status=row["status"],
        finish="stop" if replied else None, prompt_tokens=3 if counted else None, completion_tokens=2 if counted else None,
        price=0.5 if counted and row["priced"] else None, started=0.0, latency=0.1,
    )  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, min_size=1, max_size=12))
def test_the_ledger_and_the_store_agree_on_what_has_no_price(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
):
    """Unknown is the price of calls a reply came for, and of no others; of nothing but errors the cost is 0."""
    calls = [as_call(i, row) for i, row in enumerate(rows)]
    folder = stored(tmp_path_factory.mktemp("c") / "run", Problem.root(question="Q"))
    journal = Journal(folder / "journal")
    ledger = Ledger(journal)
    for call in calls:
        ledger.record(call)
    journal.flush()
    journal.close()
    came = [c for c in calls if c.finish is not None or c.status in WITH_REPLY]
    assert ledger.unpriced == sum(c.price is None for c in came)
    with open_store(folder) as store:
        found = store.rows("SELECT * FROM models")
        assert sum(t["unpriced"] for t in found) == ledger.unpriced == figures_of(store).unpriced
        for model in found:
            mine = [c for c in came if c.model == model["model"]]
            known = [c.price for c in mine if c.price is not None]
            assert model["cost_usd"] == (pytest.approx(sum(known)) if known or not mine else None)
            assert (model["completion_tokens"] == 0) if not mine else True
        assert sum(t["cost_usd"] or 0 for t in found) == pytest.approx(ledger.cost)


async def _served(folder: Path, price: Price | None, answer: Any) -> Summary:
    made = yaml_file(folder / "p.yaml", "pipeline: my/p\nsteps: [{step: generate}, {step: verify_answer}]")
    with endpoint(answer) as (url, _):
        model: Model = EndpointModel("gpt", base_url=url, model="m", price=price)
        return await run(made, sums(folder / "in.jsonl", 6), folder / "run", model)


@pytest.mark.parametrize("price", [Price(input=1, output=1), None], ids=["priced", "unpriced"])
async def test_calls_that_failed_cost_nothing(tmp_path: Path, price: Price | None):
    """Three of six requests are refused with HTTP 400: only the others can have an unknown price."""

    async def answer(_request: web.Request, body: Any) -> web.Response:
        if any(f"Case {i}:" in body["messages"][-1]["content"] for i in (1, 3, 5)):
            return web.json_response({"error": {"message": "context too long"}}, status=400)
        return reply("It is.\nThe answer is 35.")

    summary = await _served(tmp_path, price, answer)
    unknown = 0 if price else 3
    assert summary.unpriced == unknown
    rows = ask(tmp_path / "run", "SELECT attempts, failed, unpriced, cost_usd IS NULL FROM models")
    assert rows == [(6, 3, unknown, price is None)]
    with open_store(tmp_path / "run") as store:
        assert figures_of(store).unpriced == unknown
    grouped = synth("calls", tmp_path / "run", "--by", "model", "--json", check=0).stdout
    assert [group["unpriced_calls"] for group in orjson.loads(grouped)] == [unknown]
    synth("report", tmp_path / "run", check=0)
    report = (tmp_path / "run" / "report.html").read_text()
    assert ("The price of 3 calls is not known" in report) is (price is None)
    synth("export", tmp_path / "run", "--to", "sft", "--out", tmp_path / "data", "--card", check=0)
    card = (tmp_path / "data" / "README.md").read_text()
    assert ("cost: unknown" in card) is (price is None)
    assert ("of unknown price" in card) is False


async def test_where_no_reply_came_at_all_nothing_is_unknown(tmp_path: Path):
    """A model that refuses every request: 0 USD, 0 tokens."""

    def script(request: Any, rng: Any) -> Any:
        raise ModelError("bad_request", "HTTP 400: too long")

    class Unpriced(ScriptedModel):
        def __init__(self) -> None:
            super().__init__(script, name="gpt")
            self.price = None

    made = yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nsteps: [{step: generate}]")
    summary = await run(made, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", Unpriced())
    assert (summary.unpriced, summary.cost) == (0, 0)
    assert ask(tmp_path / "run", "SELECT cost_usd, unpriced, prompt_tokens FROM models") == [(0.0, 0, 0)]
    told = synth("status", tmp_path / "run", check=0).stdout
    assert "0.0000" in told
    assert "?" not in told.split("models")[-1]
