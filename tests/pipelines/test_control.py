"""`enabled`, `when`, `use`, `repeat` and the changes of an extended pipeline, in runs whose counts are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from methods import choices
from support import ROOT, ask, contents, run, sums, yaml_file

from synth.calls import Budget
from synth.engine.plan import make_plan
from synth.models import ScriptedModel, World
from synth.pipeline import allow_code, find_pipeline, load_pipeline, read_pipeline
from synth.publish.bundle import pipeline_file
from synth.records import Problem
from synth.sources import Given
from synth.store.manifest import read_manifest

SOLVE = """
    pipeline: my/p
    roles: {teacher: writes, critic: explains}
    steps:
      - {step: generate, name: solve, temperature: 0.7}
      - {step: verify_answer, name: check}
"""
REVISE_UNTIL_RIGHT = """
      - repeat:
          until: score.pass_rate > 0
          at_most: MOST
          steps:
            - {step: critique, by: critic, where: not score.correct, max_tokens: 512}
            - {step: revise, where: not score.correct, temperature: 0.7}
            - {step: verify_answer, name: check_revision}
            - {step: pass_rate, name: rate}
      - {step: pair, of: [solve, revise], reason: revision, limit: 9}
      - {step: filter, name: right, of: [solve, revise], keep: score.correct}
"""


def number_of(problem) -> int:
    """Which row of `sums` a problem is."""
    return (int(problem.answer) - 5) // 10


def solved_after(revisions):
    """A model that is wrong until it has revised a problem so many times; it counts its own revisions in its text."""

    def script(request, rng):
        task = request.task
        if task.kind not in {"solve", "revise"}:
            return World()(request, rng)
        before = 0 if task.kind == "solve" else int(task.subject.text.split("revisions: ")[1].split(".")[0]) + 1
        right = before >= revisions(number_of(task.problem))
        answer = task.problem.answer if right else "1"
        return f"My revisions: {before}.\n1 + 1 = 2.\nThe answer is {answer}."

    script.identity = "solved after"
    return ScriptedModel(script, capabilities=frozenset({"chat"}))


def counts(folder: Path) -> dict[str, int]:
    return dict(ask(folder, "SELECT step, count(*) FROM calls GROUP BY 1"))


@pytest.mark.parametrize("most", [1, 3, 5])
async def test_a_repeat_revises_until_right(tmp_path: Path, most: int):
    """Of n problems, solved after i mod 5 revisions, iteration k is run by those that need k revisions or more."""
    n = 20
    path = yaml_file(tmp_path / "p.yaml", SOLVE + REVISE_UNTIL_RIGHT.replace("MOST", str(most)))
    rows, folder = sums(tmp_path / "in.jsonl", n), tmp_path / "run"
    summary = await run(path, rows, folder, solved_after(lambda i: i % 5))
    assert summary.stopped is None
    need = [i % 5 for i in range(n)]
    ran = {k: sum(needed >= k for needed in need) for k in range(1, most + 1)}
    wanted = {"solve": n}
    for k, count in ran.items():
        ending = "" if k == 1 else f"_{k}"
        wanted |= {f"critique{ending}": count, f"revise{ending}": count} if count else {}
    assert counts(folder) == wanted
    # Every revision is a record of its own, and its step says in which iteration it was made.
    made = dict(ask(folder, "SELECT step, count(*) FROM rationales GROUP BY 1"))
    assert made == {step: count for step, count in wanted.items() if not step.startswith("critique")}
    # What stands after the repeat sees all iterations: one pair and one kept rationale for each problem that was solved.
    solved = sum(needed <= most for needed in need)
    assert ask(folder, "SELECT count(*) FROM kept_rationales") == [(solved,)]
    assert ask(folder, "SELECT count(*) FROM kept_pairs") == [(sum(0 < needed <= most for needed in need),)]
    before, calls = contents(folder), counts(folder)
    again = await run(path, rows, folder, solved_after(lambda i: i % 5))
    assert (contents(folder), counts(folder), again.progress.calls.sent) == (before, calls, 0)


async def test_a_run_that_is_cut_short_within_a_repeat_ends_as_one_that_is_not(tmp_path: Path):
    """A run whose budget ends within the iterations, given again, makes the records of one that was not cut short."""
    path = yaml_file(tmp_path / "p.yaml", SOLVE + REVISE_UNTIL_RIGHT.replace("MOST", "4"))
    rows = sums(tmp_path / "in.jsonl", 15)
    model = solved_after(lambda i: i % 4)
    await run(path, rows, tmp_path / "whole", model)
    stopped = await run(path, rows, tmp_path / "parts", model, budget=Budget(max_tokens=2000))
    assert stopped.stopped is not None
    assert 0 < sum(counts(tmp_path / "parts").values()) < sum(counts(tmp_path / "whole").values())
    await run(path, rows, tmp_path / "parts", model)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert counts(tmp_path / "parts") == counts(tmp_path / "whole")


async def test_each_iteration_asks_for_samples_of_its_own(tmp_path: Path):
    """The same prompt in another iteration is another call: sampling until right takes 1/p calls, not one for ever."""
    path = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        roles: {teacher: writes}
        steps:
          - repeat:
              until: score.pass_rate > 0
              at_most: 20
              steps:
                - {step: generate, temperature: 0.7, samples: 2}
                - {step: verify_answer}
                - {step: pass_rate}
          - {step: filter, keep: score.correct}
        """,
    )
    n, p, folder = 300, 0.4, tmp_path / "run"
    await run(path, sums(tmp_path / "in.jsonl", n), folder, ScriptedModel(World(solve_rate=p, lucky_rate=0)))
    asked = ask(folder, "SELECT count(*), count(DISTINCT key), max(sample) FROM calls")[0]
    assert asked[0] == asked[1]
    assert asked[2] % 1024 == 1
    fails = (1 - p) ** 2  # of one iteration; the number of iterations is geometric
    assert abs(asked[0] / (2 * n) - 1 / (1 - fails)) < 4 * (fails / (1 - fails) ** 2 / n) ** 0.5
    # The filter has no `of`: its records are those of all iterations.
    (pipeline_filter,) = (s for s in load_pipeline(str(path)).steps if s.step == "filter")
    assert pipeline_filter.of == ("generate", *(f"generate_{k}" for k in range(2, 21)))
    assert ask(folder, "SELECT count(DISTINCT problem) FROM kept_rationales") == [(n,)]
    wrong = ask(
        folder,
        "SELECT count(*) FROM kept_rationales r JOIN scores s ON s.target = r.id WHERE s.name = 'correct' AND s.value = 0",
    )
    assert wrong == [(0,)]


async def test_the_pipeline_as_it_ran_is_plain_and_the_same(tmp_path: Path):
    """What a run says of its pipeline has no blocks and no repetitions, and can be loaded again."""
    path = yaml_file(tmp_path / "p.yaml", SOLVE + REVISE_UNTIL_RIGHT.replace("MOST", "3"))
    await run(path, sums(tmp_path / "in.jsonl", 2), tmp_path / "run", solved_after(lambda i: 1))
    text = pipeline_file(read_manifest(tmp_path / "run"))
    assert {"use", "repeat", "enabled"}.isdisjoint(key for step in yaml.safe_load(text)["steps"] for key in step)
    plain = yaml_file(tmp_path / "plain.yaml", text)
    assert load_pipeline(str(plain)).fingerprint() == load_pipeline(str(path)).fingerprint()


async def test_a_disabled_step_makes_nothing(tmp_path: Path):
    """A pipeline with disabled steps is the pipeline without them."""
    disabled = SOLVE + (
        "      - {step: review, by: critic, exclude_author: false, enabled: false}\n"
        '      - {step: filter, name: accepted, keep: label.review == "accepted", enabled: false}\n'
        "      - {step: filter, name: right, keep: score.correct}\n"
    )
    without = SOLVE + "      - {step: filter, name: right, keep: score.correct}\n"
    rows = sums(tmp_path / "in.jsonl", 8)
    made = {}
    for name, text in (("disabled", disabled), ("without", without)):
        path = yaml_file(tmp_path / f"{name}.yaml", text)
        summary = await run(path, rows, tmp_path / name)
        made[name] = contents(tmp_path / name), counts(tmp_path / name), sorted(summary.progress.steps)
    assert made["disabled"] == made["without"]
    assert (
        load_pipeline(str(tmp_path / "disabled.yaml")).described()
        == load_pipeline(str(tmp_path / "without.yaml")).described()
    )
    enabled = yaml_file(tmp_path / "enabled.yaml", disabled.replace("enabled: false", "enabled: true"))
    await run(enabled, rows, tmp_path / "enabled")
    assert counts(tmp_path / "enabled")["review"] == 8


def test_a_disabled_corpus_step_is_not_there(tmp_path: Path):
    """Its files are not looked for either."""
    corpus = "    corpus:\n      - {step: decontaminate, against: [none.jsonl], enabled: false}\n      - {step: near_duplicates}\n"
    made = load_pipeline(str(yaml_file(tmp_path / "p.yaml", SOLVE + corpus)))
    assert [step.step for step in made.corpus] == ["near_duplicates"]


async def test_when_decides_for_the_problem(tmp_path: Path):
    """A step runs for the problems for which `when` is true, and for all their records."""
    text = SOLVE + (
        "      - {step: pass_rate}\n"
        "      - {step: score, score: nothing, each: problem, where: 'false', value: 1}\n"
        "      - {step: generate, name: easy, when: score.pass_rate == 1}\n"
        "      - {step: generate, name: hard, when: score.pass_rate < 1 and unit.rationales | length == 1}\n"
        "      - {step: generate, name: never, when: score.nothing > 1}\n"
        "      - {step: generate, name: named, when: '\"number 3,\" in problem.question'}\n"
        "      - {step: generate, name: unlike, unless: '\"number 3,\" in problem.question', temperature: 0.9}\n"
        "      - {step: generate, name: missing, unless: score.nothing > 1, temperature: 0.8}\n"
    )
    n, folder = 20, tmp_path / "run"
    await run(
        yaml_file(tmp_path / "p.yaml", text), sums(tmp_path / "in.jsonl", n), folder, solved_after(lambda i: i % 4)
    )
    made = dict(ask(folder, "SELECT step, count(*) FROM rationales GROUP BY 1"))
    assert made == {"solve": n, "easy": 5, "hard": 15, "named": 1, "unlike": n - 1, "missing": n}


async def test_a_block_runs_as_the_steps_it_holds(tmp_path: Path):
    """A block that is used twice, with other parameters, is the pipeline in which it is written out."""
    (tmp_path / "blocks").mkdir()
    yaml_file(
        tmp_path / "blocks" / "attempt.yaml",
        """
        with: {samples: 1, least: "0"}
        steps:
          - {step: generate, name: solve, by: "${role}", samples: "${samples}", temperature: 0.7}
          - {step: verify_answer, name: check, of: solve}
          - {step: filter, name: right, of: [solve], keep: "score.correct and rationale.steps | length >= ${least}"}
        """,
    )
    used = """
        pipeline: my/p
        roles: {teacher: writes, student: writes}
        steps:
          - use: blocks/attempt.yaml
            name: first
            with: {role: student, least: 1}
          - use: blocks/attempt.yaml
            name: second
            with: {role: teacher, samples: 3}
    """
    written = """
        pipeline: my/p
        roles: {teacher: writes, student: writes}
        steps:
          - {step: generate, name: first_solve, by: student, temperature: 0.7}
          - {step: verify_answer, name: first_check, of: first_solve}
          - {step: filter, name: first_right, of: [first_solve], keep: score.correct and rationale.steps | length >= 1}
          - {step: generate, name: second_solve, by: teacher, samples: 3, temperature: 0.7}
          - {step: verify_answer, name: second_check, of: second_solve}
          - {step: filter, name: second_right, of: [second_solve], keep: score.correct and rationale.steps | length >= 0}
    """
    paths = [yaml_file(tmp_path / f"{name}.yaml", text) for name, text in (("used", used), ("written", written))]
    assert load_pipeline(str(paths[0])).fingerprint() == load_pipeline(str(paths[1])).fingerprint()
    rows = sums(tmp_path / "in.jsonl", 6)
    for path in paths:
        await run(path, rows, tmp_path / path.stem)
    assert contents(tmp_path / "used") == contents(tmp_path / "written")
    assert counts(tmp_path / "used") == {"first_solve": 6, "second_solve": 12}  # one sample of three is on record


async def test_a_plan_counts_the_iterations_that_are_run(tmp_path: Path):
    """All of them with a model that is never right, none after the first attempt with one that always is."""
    pipeline = load_pipeline(str(yaml_file(tmp_path / "p.yaml", SOLVE + REVISE_UNTIL_RIGHT.replace("MOST", "3"))))
    few = [Given(Problem.root(question="What is 1 + 1?", answer="2", answer_kind="number", source="f:1"), ())]
    for rate, again in ((0.0, 4), (1.0, 0)):
        model = ScriptedModel(World(solve_rate=rate, revise_rate=rate, lucky_rate=0.0))
        plan = await make_plan(pipeline, few, 4, {"teacher": [model], "critic": [model]})
        steps = ("critique", "revise", "critique_2", "revise_2", "critique_3", "revise_3")
        assert {s.step: s.calls for s in plan.steps} == {"solve": 4, **dict.fromkeys(steps, again)}


def test_feedback_review_of_mapd_is_turned_on_by_two_options(tmp_path: Path):
    """Half of it is a finding that says what is missing."""
    half = yaml_file(
        tmp_path / "p.yaml", "pipeline: my/p\nextends: mapd\noverride: {sound_feedback: {enabled: true}}\n"
    )
    assert any("'feedback_review', which is disabled" in f.what for f in read_pipeline(str(half)).findings)


DOCUMENT = "".join(
    (ROOT / "docs" / name).read_text() for name in ("pipelines.md", "process.md", "search.md", "rlvr.md")
)
PROMPTS = dict(
    zip(("listen.j2", "judge_steps.j2"), re.findall(r"```jinja\n(.*?)```", DOCUMENT, re.DOTALL), strict=True)
)
EXAMPLES = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", DOCUMENT, re.DOTALL))


@pytest.mark.parametrize("name", [name for name, text in EXAMPLES.items() if "pipeline:" in text])
async def test_the_examples_of_the_document_run(tmp_path: Path, name: str):
    """Each pipeline of the documents runs over a few problems, and keeps some."""
    assert len(EXAMPLES) == DOCUMENT.count("```yaml")
    for file, text in {**EXAMPLES, **PROMPTS}.items():
        (tmp_path / file).write_text(text)
    two = [ScriptedModel(World(solve_rate=0.5), name=one) for one in ("one", "two")]
    pipeline = load_pipeline(tmp_path / name)
    models = {role: [two[i % 2]] for i, role in enumerate(pipeline.role_names)}
    rows = (
        choices(tmp_path / "in.jsonl", 12) if "choice" in (pipeline.sample or "") else sums(tmp_path / "in.jsonl", 12)
    )
    summary = await run(pipeline, rows, tmp_path / "run", models)
    assert summary.stopped is None
    assert ask(tmp_path / "run", "SELECT count(*) > 0 FROM kept_rationales") == [(True,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM failures") == [(0,)]


async def test_what_a_run_says_of_its_pipeline_names_its_python(tmp_path: Path):
    """CREST as it ran is loaded again from beside its files: the same steps, prompts and Python."""
    await run("crest", choices(tmp_path / "in.jsonl", 2), tmp_path / "run", ScriptedModel(World()))
    text = pipeline_file(read_manifest(tmp_path / "run"))
    assert yaml.safe_load(text)["code"] == ["simulate.py"]
    folder = find_pipeline("crest").parent
    for name in ("simulate.py", "follow_up.j2"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    plain = yaml_file(tmp_path / "plain.yaml", text)
    allow_code(plain)
    assert load_pipeline(str(plain)).fingerprint() == load_pipeline("crest").fingerprint()
