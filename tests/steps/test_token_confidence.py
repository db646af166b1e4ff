"""`token_confidence` in runs: planted doubts are found, and what cannot be scored says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods import near
from support import ask, contents, endpoint, reply, run, sums, synth, yaml_file

from synth.errors import PipelineError
from synth.measures import area_under_curve
from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline, read_pipeline

NAMES = "figures: [mean, minimum, first, divergence, leco], whole: [mean, logprob, perplexity]"


def pipeline(path: Path, generate: str = "logprobs: true", more: str = "", score: str = NAMES) -> Path:
    return yaml_file(
        path,
        f"""
        pipeline: my/sure
        roles: {{teacher: writes}}
        steps:
          - {{step: generate, format: text, {generate}}}
          {more}
          - {{step: token_confidence, {score}}}
        """,
    )


BY_STEP = """SELECT s.target, s.part.index, s.value, r.steps[s.part.index + 1], s.reason FROM scores s JOIN rationales r
ON r.id = s.target WHERE s.name = '{}' ORDER BY ALL"""


async def test_planted_doubts_are_found(tmp_path: Path):
    """With a doubt for each wrong sum the least sure step is a wrong one always; at a rate of 0.5 half of the wrong steps are below
    every right one.
    """
    made = pipeline(tmp_path / "p.yaml", "logprobs: true, samples: 4", score="score: sure")
    for rate in (1.0, 0.5):
        world = World(solve_rate=0.3, steps=5, doubt_rate=rate)
        folder = tmp_path / str(rate)
        await run(made, sums(tmp_path / "in.jsonl", 60), folder, ScriptedModel(world))
        rows = ask(folder, BY_STEP.format("sure"))
        assert len(rows) == 60 * 4 * 5
        right = [World.is_sound(step) for *_, step, _ in rows]
        # A sum of 5 words of 8 is doubted, at 0.4 on average instead of 0.9.
        low = [value < 0.75 for _, _, value, *_ in rows]
        assert not any(is_low for is_low, sound in zip(low, right, strict=True) if sound)
        wrong = [is_low for is_low, sound in zip(low, right, strict=True) if not sound]
        assert near(sum(wrong) / len(wrong), rate, len(wrong))
        ranked = area_under_curve([value for _, _, value, *_ in rows], right)
        assert ranked == pytest.approx(0.5 + rate / 2, abs=0.06)


async def test_all_figures_have_names_and_a_reason(tmp_path: Path):
    """Five for each step and three for the whole, which knows of the tokens of the steps alone."""
    await run(pipeline(tmp_path / "p.yaml"), sums(tmp_path / "in.jsonl", 3), tmp_path / "run")
    names = dict(ask(tmp_path / "run", "SELECT name, count(value) FROM scores GROUP BY 1"))
    figures = ["", "_minimum", "_first", "_divergence", "_leco"]
    assert names == {f"step_confidence{f}": 9 for f in figures} | {
        f"confidence{f}": 3 for f in ("", "_logprob", "_perplexity")
    }
    reasons = ask(tmp_path / "run", "SELECT DISTINCT part IS NULL, reason FROM scores ORDER BY ALL")
    assert reasons == [(False, "8 tokens"), (True, "24 tokens")]
    means = ask(
        tmp_path / "run",
        """SELECT max(value) FILTER (part IS NULL), avg(value) FILTER (part IS NOT NULL) FROM scores
        WHERE name IN ('confidence', 'step_confidence') GROUP BY target""",
    )
    assert all(whole == pytest.approx(mean) for whole, mean in means)


@pytest.mark.parametrize(
    ("generate", "world"),
    [
        ("logprobs: true, segment: sentences", World()),
        ("logprobs: true, thought: only", World(thinks=1)),
        ("logprobs: true, thought: drop", World(thinks=1)),
    ],
)
async def test_thoughts_and_other_cuts_are_scored(tmp_path: Path, generate: str, world: World):
    made = pipeline(tmp_path / "p.yaml", generate, score="whole: [mean]")
    await run(made, sums(tmp_path / "in.jsonl", 5), tmp_path / "run", ScriptedModel(world))
    steps = ask(tmp_path / "run", "SELECT sum(len(steps)) FROM rationales")
    assert ask(tmp_path / "run", "SELECT count(value) FROM scores WHERE part IS NOT NULL") == steps


async def test_replies_in_json_are_scored(tmp_path: Path):
    made = pipeline(tmp_path / "p.yaml", "logprobs: true").read_text().replace("format: text", "format: json")
    await run(
        yaml_file(tmp_path / "j.yaml", made),
        sums(tmp_path / "in.jsonl", 5),
        tmp_path / "run",
        ScriptedModel(World(solve_rate=0, doubt_rate=1)),
    )
    rows = ask(tmp_path / "run", BY_STEP.format("step_confidence"))
    assert len(rows) == 15
    # Words end at white space alone, so `1111","We` is of two steps: the mean still tells them apart.
    assert all((value > 0.75) == World.is_sound(step) for _, _, value, step, _ in rows)


async def test_steps_that_were_cut_again_are_scored(tmp_path: Path):
    """The rationale that `segment` makes has the call of the one that it replaces."""
    made = pipeline(tmp_path / "p.yaml", more="- {step: segment, into: sentences}", score="of: segment")
    await run(made, sums(tmp_path / "in.jsonl", 3), tmp_path / "run")
    assert ask(tmp_path / "run", "SELECT count(value), count(*) FROM scores") == [(9, 9)]


async def test_a_reply_that_its_tokens_do_not_spell_has_no_score(tmp_path: Path):
    """Nor one without log-probabilities; both say so, and the run goes on."""

    def script(request, rng):
        made = World()(request, rng)
        case = int(request.task.problem.answer) // 10
        if case % 3 == 1:
            return made._replace(logprobs={"content": made.logprobs["content"][1:]})
        return made._replace(logprobs=None) if case % 3 == 2 else made

    made = pipeline(tmp_path / "p.yaml", score="whole: [mean]")
    await run(made, sums(tmp_path / "in.jsonl", 6), tmp_path / "run", ScriptedModel(script))
    rows = ask(
        tmp_path / "run", "SELECT value IS NULL, left(reason, 20), count(*) FROM scores GROUP BY ALL ORDER BY ALL"
    )
    assert rows == [
        (False, "24 tokens", 2),
        (False, "8 tokens", 6),
        (True, "no reply with log-pr", 8),
        (True, "the tokens of its re", 8),
    ]


def test_it_is_found_before_the_run_that_nobody_asks_for_logprobs(tmp_path: Path):
    """And that a model cannot give them."""
    plain = ScriptedModel(World(), name="plain", capabilities=frozenset({"chat"}))
    draft = read_pipeline(str(pipeline(tmp_path / "p.yaml", "samples: 1")))
    draft.check_models({"teacher": [plain]})
    assert [f.what for f in draft.findings] == [
        "step token_confidence: step generate does not ask for log-probabilities, so its rationales would have no score"
    ]
    draft = read_pipeline(str(pipeline(tmp_path / "p.yaml")))
    draft.check_models({"teacher": [plain]})
    assert [f.what for f in draft.findings] == [
        "step generate: needs logprobs, which model plain does not have",
    ]
    draft = read_pipeline(str(pipeline(tmp_path / "p.yaml", score="score: confidence, whole: [mean]")))
    draft.check_models({"teacher": [ScriptedModel(World())]})
    with pytest.raises(PipelineError, match="name of the score on steps and on the whole"):
        draft.checked()


async def test_scores_are_the_same_when_replies_are_replayed(tmp_path: Path):
    """Another step is added and the units run again: no call, and the same records with the same ids."""
    rows, model = sums(tmp_path / "in.jsonl", 8), ScriptedModel(World(solve_rate=0.2))
    made = pipeline(tmp_path / "p.yaml")
    await run(made, rows, tmp_path / "run", model)
    before = contents(tmp_path / "run")["scores"]
    calls = ask(tmp_path / "run", "SELECT count(*) FROM calls")
    longer = yaml_file(tmp_path / "q.yaml", made.read_text() + "  - {step: verify_answer}\n")
    await run(load_pipeline(str(longer)), rows, tmp_path / "run", model)
    after = contents(tmp_path / "run")["scores"]
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls") == calls
    assert len(before) == 8 * (3 * 5 + 3)
    assert set(before) < set(after)


async def test_what_an_endpoint_sends_is_scored_and_kept_lean(tmp_path: Path):
    """A server that sends 20 alternatives unasked, and a mark at the end: one is asked for, none kept, and the run goes through the
    command line.
    """

    async def answer(_request, body):
        text = "Tom has 3 €.\nSo 4.\nThe answer is 4."
        pieces = [text.encode()[i : i + 3] for i in range(0, len(text.encode()), 3)] + [b"<|im_end|>"]
        content = [
            {
                "token": p.decode(errors="replace"),
                "logprob": -0.1,
                "bytes": list(p),
                "top_logprobs": [{"token": "a", "logprob": -0.1}] * 20,
            }
            for p in pieces
        ]
        message = {"role": "assistant", "content": text}
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": message,
            "logprobs": {"content": content} if body.get("logprobs") else None,
        }
        return reply(choices=[choice])

    with endpoint(answer) as (url, seen):
        profile = tmp_path / "models.yaml"
        profile.write_text(f"models: {{t: {{base_url: '{url}', model: m, capabilities: [logprobs]}}}}\n")
        words = ["run", pipeline(tmp_path / "p.yaml", score="whole: [perplexity]"), "--input"]
        words += [sums(tmp_path / "in.jsonl", 2), "--profile", profile, "--model", "t", "--run", tmp_path / "run"]
        synth(*words, check=0)
        assert {(b["logprobs"], b["top_logprobs"]) for b in seen} == {(True, 1)}
    values = ask(tmp_path / "run", "SELECT part IS NULL, round(value, 6), count(*) FROM scores GROUP BY ALL ORDER BY 1")
    assert values == [(False, 0.904837, 4), (True, 1.105171, 2)]
    (kept,) = ask(tmp_path / "run", "SELECT logprobs FROM calls LIMIT 1")
    assert "top_logprobs" not in json.dumps(kept)
