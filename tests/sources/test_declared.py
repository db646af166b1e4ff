"""Declared mappings: data people own, as records of a run."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import ask, contents, run, sums, synth, write_rows, yaml_file

import synth as package
from synth.engine import open_session
from synth.errors import InputError, PipelineError, UserError
from synth.export import export_run
from synth.sources import load_mapping, open_source, shipped_mappings

KINDS = ("rationales", "pairs", "scores", "critiques")


def imported(rows: list[dict[str, Any]], mapping: str, folder: Path, **options: Any) -> Path:
    made = {"pipeline": "import/test", "imports": load_mapping(mapping).gives()}
    package.run(made, rows, folder, mapping=mapping, **options)
    return folder


def read(rows: list[dict[str, Any]], mapping: str, path: Path) -> list[Any]:
    """The problems of rows with their records, all rows being good."""
    source = open_source(str(write_rows(path / "rows.jsonl", rows)), declared=load_mapping(mapping))
    assert source.scan().bad == []
    return list(source.problems())


def whys(rows: list[dict[str, Any]], mapping: str, path: Path) -> list[str]:
    source = open_source(str(write_rows(path / "rows.jsonl", rows)), declared=load_mapping(mapping))
    return [bad.why for bad in source.scan().bad]


def labels(given: Any, name: str = "step_correct") -> list[float | None]:
    (rationale,) = (r for r in given.records if r.table == "rationales")
    found = {r.step_index: r.value for r in given.records if r.table == "scores" and r.name == name}
    return [found.get(i) for i in range(len(rationale.steps))]


def test_prm800k_takes_the_path_that_was_gone_on_with(tmp_path: Path):
    def offered(*ratings: int | None) -> list[dict[str, Any]]:
        return [{"text": f"{i}:{rating}", "rating": rating, "flagged": False} for i, rating in enumerate(ratings)]

    steps = [
        {"completions": offered(-1, 1), "human_completion": None, "chosen_completion": 1},
        {"completions": offered(0), "human_completion": None, "chosen_completion": 0},
        {
            "completions": offered(-1),
            "human_completion": {"text": "by hand", "rating": None},
            "chosen_completion": None,
        },
        {"completions": offered(-1, -1), "human_completion": None, "chosen_completion": None},
        {"completions": offered(1), "human_completion": None, "chosen_completion": 0},
    ]
    row = {
        "labeler": "abc",
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {"problem": "What is 1/2 + 1/2?", "ground_truth_answer": "1"},
        "label": {"steps": steps, "finish_reason": "found_error"},
    }
    screening = {
        **row,
        "is_initial_screening_question": True,
        "question": {"problem": "Else?", "ground_truth_answer": "1"},
    }
    (given,) = read([row, screening], "prm800k", tmp_path)
    rationale = given.records[0]
    assert rationale.steps == ("1:1", "0:0", "by hand", "0:-1")  # after the last one nothing was gone on with
    assert labels(given) == [1, 1, None, 0]
    assert {r.judge for r in given.records if r.table == "scores"} == {"abc"}
    assert given.problem.answer_kind == "math"


def test_processbench_and_big_bench_mark_the_first_wrong_step(tmp_path: Path):
    base = {"problem": "What is 2 + 2?", "steps": ["a", "b", "c"], "generator": "m", "final_answer_correct": False}
    for label, wanted in ((-1, [1, 1, 1]), (0, [0, None, None]), (2, [1, 1, 0])):
        (given,) = read([{**base, "label": label}], "processbench", tmp_path)
        assert labels(given) == wanted
        assert [r.value for r in given.records if getattr(r, "name", "") == "correct"] == [0]
    (given,) = read(
        [{"input": "q", "target": "t", "answer": "x", "steps": ["a", "b"], "mistake_index": None}],
        "big-bench-mistake",
        tmp_path,
    )
    assert labels(given) == [1, 1]
    (why,) = whys([{**base, "label": 3}], "processbench", tmp_path)
    assert why == "rationales[0].scores[0].first_wrong is 3, and there are 3 steps (counted from 0)"


def test_math_shepherd_is_taken_apart_at_its_tags(tmp_path: Path):
    question = "Janet has 3 eggs + 2 more. How many?"
    text = f"{question} Step 1: 3 + 2 = 5 ки\nStep 2: So 5 - 1 = 4. The answer is: 4 ки"
    label = f"{question} Step 1: 3 + 2 = 5 +\nStep 2: So 5 - 1 = 4. The answer is: 4 -"
    (given,) = read([{"input": text, "label": label, "task": "GSM8K"}], "math-shepherd", tmp_path)
    assert given.problem.question == question
    assert given.records[0].steps == ("Step 1: 3 + 2 = 5", "Step 2: So 5 - 1 = 4. The answer is: 4")
    assert given.records[0].answer == "4"
    assert labels(given) == [1, 0]
    (why,) = whys(
        [{"input": text, "label": f"{question} Step 1: 3 + 2 = 5 +", "task": "GSM8K"}], "math-shepherd", tmp_path
    )
    assert "2 steps, and 1 marks in the label" in why


def test_preferences_in_four_shapes_are_the_same_pair(tmp_path: Path):
    def chat(text: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": text}]

    said = {"chosen": "So.", "rejected": "No."}
    rows = {
        "pairs/chosen-rejected": {"prompt": "Why?", **said},
        "pairs/messages": {"prompt": "Why?", **{side: chat(text) for side, text in said.items()}},
        "pairs/sharegpt": {
            "conversations": [{"from": "human", "value": "Why?"}],
            **{side: {"from": "gpt", "value": text} for side, text in said.items()},
        },
        "pairs/hh-rlhf": {side: f"\n\nHuman: Why?\n\nAssistant: {text}" for side, text in said.items()},
    }
    found = {}
    for mapping, row in rows.items():
        (given,) = read([row], mapping, tmp_path)
        texts = {r.id: r.text for r in given.records if r.table == "rationales"}
        (pair,) = (r for r in given.records if r.table == "pairs")
        assert (texts[pair.chosen], texts[pair.rejected]) == ("So.", "No.")
        found[mapping] = (given.problem.id, pair.id)
    assert len(set(found.values())) == 1


ROW = {"prompt": "What is 2 + 3?", "completions": ["2 + 3 = 5", "The answer is 5."], "labels": [True, True]}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"labels": [True]}, "rationales[0].scores[0].steps: 1 labels for 2 steps"),
        ({"labels": None}, None),
        ({"labels": [True, "yes"]}, "rationales[0].scores[0].steps[1] is 'yes', not a number"),
        ({"completions": []}, "rationales[0].steps is [], not a list of texts"),
        ({"completions": "2 + 3 = 5"}, "rationales[0].steps is '2 + 3 = 5', not a list of texts"),
        ({"completions": ["a", " "]}, "rationales[0].steps[1] is empty"),
        ({"prompt": ""}, "'question' is empty"),
        ({"prompt": 5}, "'question' is a int, not text"),
    ],
)
def test_rows_that_do_not_fit_are_told_with_their_place(tmp_path: Path, change: dict[str, Any], why: str | None):
    assert whys([ROW | {"prompt": "Other?"}, ROW | change], "stepwise", tmp_path) == ([] if why is None else [why])


def test_sides_that_are_the_same_and_authors_that_are_none(tmp_path: Path):
    row = {"prompt": "Why?", "chosen": "So.", "rejected": "So."}
    assert whys([row], "chosen-rejected", tmp_path) == ["pairs[0]: chosen and rejected are the same"]
    made = yaml.safe_load(shipped_mappings()["pairs/chosen-rejected"].read_text())
    made["rationales"][0]["author"] = "'robot'"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(made))
    (why,) = whys([{**row, "rejected": "No."}], str(tmp_path / "mine.yaml"), tmp_path)
    assert why.startswith("rationales[0].author is 'robot', not one of teacher, student, human")


def test_every_mistake_of_a_mapping_is_told_at_once(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        """
mapping: mine
problem: {question: prompt, anser: gold}
rationales:
  - {name: a, text: chosen, steps: chosen}
  - {name: a, text: "rejected | "}
pairs:
  - {chosen: a, rejected: c}
"""
    )
    with pytest.raises(InputError) as told:
        load_mapping(str(file))
    for part in (
        "problem.anser: a problem has no field 'anser'; did you mean 'answer'?",
        "rationales[0]: either text or steps is to be given",
        "rationales[1].name: the name 'a' is taken",
        "pairs[0].rejected: there is no rationale named 'c'",
        "rationales[1].text: 'rejected | ' does not compile",
    ):
        assert part in str(told.value)
    file.write_text("mapping: mine\nproblem: {question: prompt}\nrationals: []\nrationales: [{text: a, scoers: []}]\n")
    with pytest.raises(InputError) as told:
        load_mapping(str(file))
    assert "rationals: unknown key; did you mean 'rationales'?" in str(told.value)
    assert "rationales[0].scoers: unknown key; did you mean 'scores'?" in str(told.value)
    with pytest.raises(InputError, match="no mapping 'prm8k'; did you mean"):
        load_mapping("prm8k")
    with pytest.raises(InputError, match="could be pairs/messages or solutions/messages"):
        load_mapping("messages")
    with pytest.raises(
        InputError,
        match=r"(?s)mapping steps/stepwise does not fit:.*no column 'completions'; did you mean 'completion'.*its columns: prompt, completion",
    ):
        open_source(str(write_rows(tmp_path / "a.jsonl", [{"prompt": "q", "completion": "a", "labels": []}])), declared=load_mapping("stepwise"))  # fmt: skip


def test_rows_of_one_problem_are_one_unit_in_whatever_order_they_stand(tmp_path: Path):
    rows = [
        {"question": f"What is {n} + {n}?", "answer": f"# {2 * n}", "generator": m, "output": [f"{n} + {n} = {2 * n + m % 2}. The answer is {2 * n + m % 2}."]}
        for n in range(9)
        for m in range(4)
    ]  # fmt: skip
    first = contents(imported(rows, "zeroeval", tmp_path / "a"))
    random.Random(3).shuffle(rows)
    second = contents(imported([*rows, rows[0]], "zeroeval", tmp_path / "b"))
    assert ask(tmp_path / "a", "SELECT count(*), count(DISTINCT problem), count(DISTINCT unit) FROM rationales") == [
        (36, 9, 9)
    ]
    for table in ("rationales", "scores", "pairs"):
        assert first[table] == second[table]


def test_a_problem_that_stands_once_without_records_and_once_with_is_one_unit(tmp_path: Path):
    mapping = yaml_file(
        tmp_path / "mine.yaml",
        """
        mapping: mine
        problem: {question: q, answer: a}
        rationales: [{author: "'human'", text: said, when: said is not none}]
        """,
    )
    rows = [{"q": "What is 1 + 1?", "a": "2", "said": said} for said in (None, "1 + 1 = 2.\nThe answer is 2.")]
    run = imported(rows, str(mapping), tmp_path / "run")
    assert ask(run, "SELECT count(*) FROM problems") == [(1,)]
    assert ask(run, "SELECT count(*) FROM rationales") == [(1,)]


def test_more_rows_of_a_problem_do_that_problem_again_and_no_other(tmp_path: Path):
    def row(n: int, model: str) -> dict[str, Any]:
        return {"question": f"{n}?", "answer": "1", "generator": model, "output": ["The answer is 1."]}

    made = {"pipeline": "import/test", "imports": ["rationale"]}
    few = [row(n, "x") for n in range(5)]
    package.run(made, few, tmp_path / "run", mapping="zeroeval")
    assert package.run(made, few, tmp_path / "run", mapping="zeroeval").progress.done == 0
    again = package.run(made, [*few, row(2, "y")], tmp_path / "run", mapping="zeroeval")
    assert (again.progress.done, again.progress.earlier) == (1, 4)
    assert ask(tmp_path / "run", "SELECT count(*) FROM rationales") == [(6,)]


@pytest.mark.parametrize(
    ("contract", "mapping"), [("prm", "stepwise"), ("dpo", "pairs/messages"), ("sft", "solutions/messages")]
)
async def test_what_is_exported_can_be_imported_and_exported_again(tmp_path: Path, contract: str, mapping: str):
    source = tmp_path / "run"
    if contract == "prm":
        rows = [
            {
                "prompt": f"{n}?",
                "completions": [f"a{i}\n b" for i in range(n + 1)],
                "labels": [i < n for i in range(n + 1)],
            }
            for n in range(5)
        ]
        imported(rows, mapping, source)
    else:
        await run("distil/fine-tune-cot", sums(tmp_path / "in.jsonl", 8), source)
    texts = {"prm": ("completions", "labels"), "dpo": ("chosen", "rejected"), "sft": ("messages",)}[contract]

    def exported(folder: Path, out: Path) -> set[str]:
        made = export_run(folder, contract, out)
        return {
            json.dumps([json.loads(line)[t] for t in texts], sort_keys=True)
            for line in made.path.read_text().splitlines()
        }

    first = exported(source, tmp_path / "a")
    rows = [json.loads(line) for line in (tmp_path / "a" / f"{contract}.jsonl").read_text().splitlines()]
    second = exported(imported(rows, mapping, tmp_path / "again"), tmp_path / "b")
    if contract == "prm":
        assert first == second
    else:  # the question of a conversation is the whole of what was asked, and the answer is read out of the reply anew
        assert len(first) == len(second) > 0


def test_steps_work_on_what_the_input_brings(tmp_path: Path):
    pipeline = yaml_file(
        tmp_path / "check.yaml",
        """
        pipeline: my/check
        imports: [rationale, score.reward]
        steps:
          - {step: verify_answer}
          - {step: filter, name: right, keep: score.correct == 1}
          - {step: filter, name: rewarded, keep: score.reward > 2}
          - {step: pair}
        """,
    )
    row = {
        "question": "What is 2 + 2?",
        "gt": "4",
        "gt_cot": "",
        "level": 1,
        "pred": ["4", "5", "4"],
        "score": [True, False, True],
    }
    row |= {"code": ["So 4", "So 5", "Hence 4"], "pred_score": [[1.0], [3.0], [3.0]]}
    rows = write_rows(tmp_path / "in.jsonl", [row])
    done = package.run(pipeline, rows, tmp_path / "run", mapping="math-samples")
    assert ask(done.run, "SELECT text FROM kept_rationales") == [("Hence 4",)]
    assert ask(done.run, "SELECT step, count(*) FROM rejections GROUP BY 1 ORDER BY 1") == [
        ("rewarded", 1),
        ("right", 1),
    ]
    with pytest.raises(UserError, match=r"this input brings no score.reward; zeroeval gives rationale"):
        open_session(str(pipeline), input_name=str(rows), mapping="zeroeval")
    with pytest.raises(UserError, match=r"this input brings no rationale, no score.reward"):
        open_session(str(pipeline), input_name=str(rows))
    text = pipeline.read_text()
    pipeline.write_text(text.replace("score.reward]", "score.rewrad]"))
    with pytest.raises(PipelineError, match="no earlier step makes the score 'reward'"):
        package.load_pipeline(pipeline)
    pipeline.write_text(text.replace("imports: [rationale, score.reward]\n", ""))
    with pytest.raises(PipelineError, match=r"imports: \[rationale\]"):
        package.load_pipeline(pipeline)


def test_a_data_set_is_read_through_datasets(tmp_path: Path):
    (tmp_path / "set").mkdir()
    write_rows(tmp_path / "set" / "train.jsonl", [ROW])
    where = f"hub:{tmp_path / 'set'}?split=train"
    source = open_source(where, declared=load_mapping("stepwise"))
    assert [(g.problem.question, len(g.records)) for g in source.problems()] == [(ROW["prompt"], 3)]
    with pytest.raises(InputError, match="unknown option 'spilt'"):
        open_source(f"hub:{tmp_path / 'set'}?spilt=train")
    with pytest.raises(InputError, match="cannot be loaded"):
        open_source(f"hub:{tmp_path / 'none'}")


def test_the_command_lists_shows_previews_and_imports(tmp_path: Path):
    rows = write_rows(tmp_path / "rows.jsonl", [ROW, {**ROW, "labels": [True]}])
    listed = synth("import", "--list", check=0).stdout
    assert all(name in listed for name in shipped_mappings())
    shown = synth("import", "--mapping", "stepwise", "--show", check=0).stdout
    assert yaml.safe_load(shown)["mapping"] == "steps/stepwise"
    preview = synth("import", rows, "--mapping", "stepwise", "--run", tmp_path / "run", "--dry-run", check=0).stdout
    assert "1 rows: 1 problems, 1 rationales, 2 scores" in preview
    assert "line 2: rationales[0].scores[0].steps: 1 labels for 2 steps" in preview
    assert not (tmp_path / "run").exists()
    done = synth("import", rows, "--mapping", "stepwise", "--run", tmp_path / "run", check=2)
    assert "1 of 2 rows is not usable" in done.stderr
    done = synth("import", rows, "--mapping", "stepwise", "--run", tmp_path / "run", "--skip-bad", check=0)
    assert "imported" in done.stderr
    assert "asked" not in done.stderr
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores") == [(2,)]
    assert synth("audit", tmp_path / "run", check=0)
    for words, why in (
        (["import", rows], "no mapping is named"),
        (["import", "--mapping", "stepwise"], "no input is named"),
    ):
        assert why in synth(*words, check=2).stderr


REAL = {
    "big_bench_mistake": ("big-bench-mistake", (750, 0, 4249, 0)),
    "mr_gsm8k": ("mr-gsm8k", (259, 0, 1310, 259)),
    "dpo_pairs": ("sharegpt", (252, 126, 0, 0)),
    "pandalm_human_pairs": ("pandalm", None),
    "llmbar_pairs": ("llmbar", (530, 265, 0, 0)),
    "judgebench_pairs": ("judgebench", (562, 281, 0, 0)),
    "zeroeval_gsm": ("zeroeval", (1500, 0, 0, 0)),
    "mmlu_pro_outputs": ("mmlu-pro", (1708, 0, 0, 0)),
    "math_samples_rm": ("math-samples", (456, 0, 912, 0)),
    "gsm8k_model_solutions": ("gsm8k-model-solutions", (2800, 0, 2800, 0)),
    "explanation_acceptability": ("acceptability", None),
    "explanation_quality": ("quality", None),
    "thoughtsource_outputs": ("thoughtsource", None),
}


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_data_of_thirteen_kinds(data: Path, tmp_path: Path, name: str):
    mapping, counts = REAL[name]
    made = {"pipeline": "import/real", "imports": load_mapping(mapping).gives()}
    done = package.run(made, data / f"{name}.jsonl", tmp_path / "run", mapping=mapping, skip_bad=True)
    with done.open() as store:
        found = tuple(store.sql(f"SELECT count(*) FROM {t}").fetchall()[0][0] for t in KINDS)
    assert counts is None or found == counts
    assert found[0] > 0
    verdicts = {v.name: v for v in package.run_audits(done.run)}
    assert verdicts["orphans"].status == "passed"
