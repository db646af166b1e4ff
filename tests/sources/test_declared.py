"""Declared mappings: data people own, as records of a run."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ask, contents, run, sums, synth, write_rows, yaml_file

import synth as package
from synth.engine import open_session
from synth.errors import InputError, PipelineError, UserError
from synth.export import export_run
from synth.sources import load_mapping, mapping_for, open_source, shipped_mappings

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
    found = {r.part.index: r.value for r in given.records if r.table == "scores" and r.name == name and r.part}
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
    left = [
        {
            **row,
            "label": {"steps": steps, "finish_reason": reason},
            "question": {"problem": reason, "ground_truth_answer": "1"},
        }
        for reason in ("give_up", "bad_problem")
    ]
    (given,) = read([row, screening, *left], "prm800k", tmp_path)
    rationale = given.records[0]
    assert rationale.steps == ("1:1", "0:0", "by hand", "0:-1")  # after the last one nothing was gone on with
    assert labels(given) == [1, 1, None, 0]
    assert {r.judge for r in given.records if r.table == "scores"} == {"abc"}
    assert given.problem.answer_kind == "math"


def test_prm800k_reads_the_annotated_line_of_its_readme(tmp_path: Path):
    """Three steps; five candidates for the third, none of which was gone on with: the first, rated -1, is the first error."""

    def offered(*ratings: int) -> list[dict[str, Any]]:
        return [{"text": f"{i}:{rating}", "rating": rating, "flagged": None} for i, rating in enumerate(ratings)]

    steps = [
        {"completions": offered(1), "human_completion": None, "chosen_completion": 0},
        {"completions": offered(0), "human_completion": None, "chosen_completion": 0},
        {"completions": offered(-1, 0, -1, 0, 0), "human_completion": None, "chosen_completion": None},
    ]
    row = {
        "labeler": "340d89bc",
        "timestamp": "2022-07-31T14:02:45.031762",
        "generation": None,
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {"problem": "How many seconds are in 7.8 minutes?", "ground_truth_answer": "468"},
        "label": {"steps": steps, "total_time": 270434, "finish_reason": "found_error"},
    }
    (given,) = read([row], "prm800k", tmp_path)
    assert given.records[0].steps == ("0:1", "0:0", "0:-1")
    assert labels(given) == [1, 1, 0]


def test_a_git_lfs_pointer_is_called_one(tmp_path: Path):
    """Mirrors of PRM800K hold pointers of 131 to 134 bytes: that is said, before anything is parsed."""
    pointer = tmp_path / "phase1_train.jsonl"
    pointer.write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 4166384\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="Git LFS pointer of 132 bytes") as caught:
        open_source(str(pointer), declared=load_mapping("prm800k")).scan()
    assert "git lfs pull --include phase1_train.jsonl" in str(caught.value)


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
        "rationales[0]: give either text or steps",
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
    ("to", "mapping"),
    [
        ("prm", "stepwise"),
        ("dpo", "pairs/messages"),
        ("sft", "solutions/messages"),
        ("kto", "solutions/completions"),
    ],
)
async def test_what_is_exported_can_be_imported_and_exported_again(tmp_path: Path, to: str, mapping: str):
    source = tmp_path / "run"
    if to == "prm":
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
    texts = {
        "prm": ("completions", "labels"),
        "dpo": ("chosen", "rejected"),
        "sft": ("messages",),
        "kto": ("prompt", "completion"),
    }[to]

    def exported(folder: Path, out: Path) -> set[str]:
        made = export_run(folder, to, out)
        return {
            json.dumps([json.loads(line)[t] for t in texts], sort_keys=True)
            for line in made.path.read_text().splitlines()
        }

    first = exported(source, tmp_path / "a")
    rows = [json.loads(line) for line in (tmp_path / "a" / f"{to}.jsonl").read_text().splitlines()]
    second = exported(imported(rows, mapping, tmp_path / "again"), tmp_path / "b")
    if to == "prm":
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
    done = synth("import", rows, "--mapping", "stepwise", "--run", tmp_path / "run", "--skip-invalid", check=0)
    assert "imported" in done.stderr
    assert "asked" not in done.stderr
    assert ask(tmp_path / "run", "SELECT count(*) FROM scores") == [(2,)]
    assert synth("audit", tmp_path / "run", check=0)
    for words, why in (
        (["import", "--show"], "no mapping is named"),
        (["import", "--mapping", "stepwise"], "no input is named"),
    ):
        assert why in synth(*words, check=2).stderr


REAL = {
    "big_bench_mistake": ("big-bench-mistake", (750, 0, 4249, 0)),
    "mr_gsm8k": ("mr-gsm8k", (259, 0, 1310, 259)),
    "dpo_pairs": ("pairs/sharegpt", (252, 126, 252, 0)),
    "pandalm_human_pairs": ("pandalm", None),
    "llmbar_pairs": ("llmbar", (530, 265, 530, 0)),
    "judgebench_pairs": ("judgebench", (562, 281, 562, 0)),
    "zeroeval_gsm": ("zeroeval", (1500, 0, 1497, 0)),
    "mmlu_pro_outputs": ("mmlu-pro", (1708, 0, 1621, 0)),
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
    done = package.run(made, data / f"{name}.jsonl", tmp_path / "run", mapping=mapping, skip_invalid=True)
    with done.open() as store:
        found = tuple(store.sql(f"SELECT count(*) FROM {t}").fetchall()[0][0] for t in KINDS)
    assert counts is None or found == counts
    assert found[0] > 0
    verdicts = {v.name: v for v in package.run_audits(done.run)}
    assert verdicts["orphans"].status == "passed"


# Thoughts


def first_rationale(rows: list[dict[str, Any]], mapping: str, path: Path) -> Any:
    (given,) = read(rows, mapping, path)
    return next(r for r in given.records if r.table == "rationales")


THOUGHT = "Perhaps the answer is 5. No: 2 and 2 make 4."
MARKED = [
    f"<think>\n{THOUGHT}\n</think>\n\nTom has 4 apples.",
    f"{THOUGHT}\n</think>\n\nTom has 4 apples.",
    f"[THINK]{THOUGHT}[/THINK]Tom has 4 apples.",
    f"<|begin_of_thought|>\n\n{THOUGHT}\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nTom has 4 apples.\n\n<|end_of_solution|>",
    f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>Tom has 4 apples.",
]


@pytest.mark.parametrize("text", MARKED)
def test_a_thought_in_a_text_is_set_apart_and_no_answer_is_read_from_it(tmp_path: Path, text: str):
    row = {"instruction": "Tom has 2 apples and gets 2. How many?", "input": "", "output": text}
    made = first_rationale([row], "alpaca", tmp_path)
    assert (made.thought, made.thought_kind, made.response.strip()) == (THOUGHT, "raw", "Tom has 4 apples.")
    assert made.answer != "5"


def test_a_thought_without_an_end_is_kept_whole_and_states_nothing(tmp_path: Path):
    rows = [{"instruction": "And 1 and 2?", "input": "", "output": "<think>\nSo the answer is 3"}]
    run_folder = imported(rows, "alpaca", tmp_path / "run")
    asked = "SELECT thought, response, answer, text FROM kept_rationales"
    assert ask(run_folder, asked) == [("So the answer is 3", "", None, "So the answer is 3")]


CONVERSATION = [{"from": "user", "value": "2+2?"}, {"from": "assistant", "value": MARKED[3]}]
R1_STYLE = {
    "solutions/sharegpt": {"system": "Think first.", "conversations": CONVERSATION},
    "solutions/messages": {
        "messages": [
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "content": "Tom has 4 apples.", "reasoning_content": THOUGHT},
        ]
    },
    "solutions/openthoughts-metadata": {
        "problem": "2+2?",
        "deepseek_reasoning": THOUGHT,
        "deepseek_solution": "Tom has 4 apples.",
        "ground_truth_solution": None,
        "domain": "math",
        "source": "x",
    },
    "solutions/openr1-math": {
        "problem": "2+2?",
        "solution": "It is 4.",
        "answer": "4",
        "problem_type": "Algebra",
        "question_type": "math-word-problem",
        "source": "x",
        "uuid": "u",
        "is_reasoning_complete": [True, True, False],
        "generations": [MARKED[0], "<think>It is 6.</think>\nThe answer is 6.", "<think>It is"],
        "correctness_math_verify": [True, False],
        "correctness_llama": None,
        "messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": MARKED[0]}],
    },
    "solutions/s1k": {
        "question": "2+2?",
        "solution": 4,
        "cot_type": "math",
        "source_type": "x",
        "metadata": "{}",
        "cot": None,
        "thinking_trajectories": [THOUGHT],
        "attempt": "Tom has 4 apples.",
    },
    "solutions/medical-o1": {"Question": "2+2?", "Complex_CoT": THOUGHT, "Response": "Tom has 4 apples."},
    "solutions/openmathreasoning": {
        "problem": "2+2?",
        "expected_answer": "4",
        "generated_solution": MARKED[0],
        "generation_model": "DeepSeek-R1",
        "problem_type": "has_answer_extracted",
        "problem_source": "x",
    },
}


@pytest.mark.parametrize("mapping", R1_STYLE)
def test_rows_of_reasoning_models_are_recognised_and_come_in_two_parts(tmp_path: Path, mapping: str):
    rows = [R1_STYLE[mapping]]
    assert mapping_for(str(write_rows(tmp_path / "rows.jsonl", rows))) == mapping
    made = first_rationale(rows, mapping, tmp_path)
    assert (made.thought, made.response.strip()) == (THOUGHT, "Tom has 4 apples.")


def test_openr1_generations_have_labels_and_wrong_ones_are_rejected(tmp_path: Path):
    run_folder = imported([R1_STYLE["solutions/openr1-math"]], "openr1-math", tmp_path / "run")
    assert ask(run_folder, "SELECT label, count(*) FROM scores GROUP BY 1 ORDER BY 1") == [("right", 1), ("wrong", 1)]
    assert ask(run_folder, "SELECT response FROM rationales WHERE id IN (SELECT target FROM rejections)") == [
        ("The answer is 6.",)
    ]
    assert ask(run_folder, "SELECT count(*) FROM kept_rationales") == [(2,)]


def test_s1k_in_its_second_version_has_two_authors_and_their_grades(tmp_path: Path):
    row = R1_STYLE["solutions/s1k"] | {"thinking_trajectories": None, "attempt": None}
    for model, grade in (("gemini", "No"), ("deepseek", "Yes")):
        row |= {f"{model}_thinking_trajectory": THOUGHT, f"{model}_attempt": f"{model}: 4.", f"{model}_grade": grade}
    run_folder = imported([row], "s1k", tmp_path / "run")
    assert ask(run_folder, "SELECT model, response FROM kept_rationales") == [("DeepSeek-R1", "deepseek: 4.")]
    assert ask(run_folder, "SELECT rule FROM rejections") == [("labelled wrong",)]


def test_a_thought_in_a_column_of_its_own_may_have_tags_and_stand_in_the_response_too(tmp_path: Path):
    for thought, response in (
        (THOUGHT, f"<think>{THOUGHT}</think>It is 4."),
        (f"<think>\n{THOUGHT}\n</think>", "It is 4."),
    ):
        row = {"Question": "2+2?", "Complex_CoT": thought, "Response": response}
        made = first_rationale([row], "medical-o1", tmp_path)
        assert (made.thought, made.response) == (THOUGHT, "It is 4.")


# What each text is


def pair_row(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def test_the_rejected_side_of_a_pair_is_known_to_be_bad(tmp_path: Path):
    rows = [pair_row(f"{n}?", f"So {n}.", f"No {n}.") for n in range(3)]
    run_folder = imported(rows, "chosen-rejected", tmp_path / "run")
    assert ask(run_folder, "SELECT response FROM kept_rationales ORDER BY 1") == [(f"So {n}.",) for n in range(3)]
    assert ask(run_folder, "SELECT DISTINCT step, rule, target_table FROM rejections") == [
        ("input", "rejected side of a pair", "rationales")
    ]
    assert ask(
        run_folder, "SELECT label, value, count(*) FROM scores WHERE name = 'preference' GROUP BY ALL ORDER BY 1"
    ) == [
        ("chosen", 1.0, 3),
        ("rejected", 0.0, 3),
    ]
    for to, wanted in (("sft", 3), ("dpo", 3), ("reward", 3), ("kto", 6)):
        assert export_run(run_folder, to, tmp_path / to).rows == wanted
    rows_of_kto = [json.loads(line) for line in (tmp_path / "kto" / "kto.jsonl").read_text().splitlines()]
    assert sorted(row["label"] for row in rows_of_kto) == [False] * 3 + [True] * 3


def test_what_is_chosen_here_and_rejected_there_is_kept_and_counted(tmp_path: Path):
    rows = [pair_row("Q?", "best", "middle"), pair_row("Q?", "middle", "worst"), pair_row("R?", "middle", "best")]
    made = {"pipeline": "import/test", "imports": load_mapping("chosen-rejected").gives()}
    done = package.run(made, rows, tmp_path / "run", mapping="chosen-rejected")
    assert "not rejected, because they are chosen in one pair and rejected in another: texts: 1" in done.notes
    found = "SELECT p.question, r.response FROM rejections j JOIN rationales r ON r.id = j.target JOIN problems p ON p.id = r.problem ORDER BY ALL"
    assert ask(done.run, found) == [("Q?", "worst"), ("R?", "best")]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 4)), max_size=12))
@settings(deadline=None, max_examples=40)
def test_a_text_is_rejected_when_it_is_a_rejected_side_and_never_a_chosen_one(tmp_path_factory, pairs):
    rows = [pair_row(f"{q}?", f"text {a}", f"text {b}") for q, a, b in pairs if a != b]
    if not rows:
        return
    folder = tmp_path_factory.mktemp("p")
    source = open_source(str(write_rows(folder / "rows.jsonl", rows)), declared=load_mapping("chosen-rejected"))
    for given_problem in source.problems():
        mine = [r for r in rows if r["prompt"] == given_problem.problem.question]
        texts = {r.id: r.response for r in given_problem.records if r.table == "rationales"}
        out = {texts[r.target] for r in given_problem.records if r.table == "rejections"}
        assert out == {r["rejected"] for r in mine} - {r["chosen"] for r in mine}


LABELLED = """
mapping: mine
problem: {question: q, answer: "'1'"}
rationales:
  - each: texts
    text: item.text
    scores:
      - {name: correct, value: item.right, judge: item.judge}
"""


def test_texts_labelled_wrong_are_rejected_unless_another_label_says_right(tmp_path: Path):
    mapping = str(yaml_file(tmp_path / "mine.yaml", LABELLED))
    said = [("a", True, "x"), ("b", False, "x"), ("c", None, "x")]
    rows = [{"q": "Q?", "texts": [{"text": t, "right": r, "judge": j} for t, r, j in said]}]
    run_folder = imported(rows, mapping, tmp_path / "run")
    assert ask(run_folder, "SELECT response FROM kept_rationales ORDER BY 1") == [("a",), ("c",)]
    assert ask(run_folder, "SELECT rule FROM rejections") == [("labelled wrong",)]
    assert ask(run_folder, "SELECT label FROM scores ORDER BY 1") == [("right",), ("wrong",)]
    rows += [{"q": "Q?", "texts": [{"text": "b", "right": True, "judge": "y"}]}]
    again = package.run({"pipeline": "import/test", "imports": ["rationale"]}, rows, tmp_path / "two", mapping=mapping)
    assert ask(again.run, "SELECT count(*) FROM rejections") == [(0,)]
    assert "not rejected, because they are labelled right as well as wrong: texts: 1" in again.notes


def test_a_solution_with_a_wrong_step_is_no_example_and_still_has_step_labels(tmp_path: Path):
    rows = [{**ROW, "labels": [True, False]}, {**ROW, "prompt": "Other?"}]
    run_folder = imported(rows, "stepwise", tmp_path / "run")
    assert ask(run_folder, "SELECT rule FROM rejections") == [("a step is labelled wrong",)]
    assert export_run(run_folder, "sft", tmp_path / "sft").rows == 1
    assert export_run(run_folder, "prm", tmp_path / "prm").rows == 2


def test_steps_see_what_the_input_calls_bad(tmp_path: Path):
    pipeline = yaml_file(
        tmp_path / "check.yaml",
        """
        pipeline: my/check
        imports: [rationale]
        steps:
          - {step: verify_answer, score: again}
        """,
    )
    row = {"question": "2+2?", "gt": "4", "gt_cot": "", "level": 1, "pred": ["4", "5"], "score": [True, False]}
    row |= {"code": ["So 4", "So 5"], "pred_score": None}
    done = package.run(pipeline, [row], tmp_path / "run", mapping="math-samples")
    assert ask(done.run, "SELECT count(*) FROM scores WHERE name = 'again'") == [(2,)]
    assert ask(done.run, "SELECT response FROM kept_rationales") == [("So 4",)]


# Chats


def test_earlier_turns_and_other_roles_are_the_context(tmp_path: Path):
    turns_before = [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "Hi"},
        {"from": "gpt", "value": "Yes?"},
        {"from": "human", "value": "2+2?"},
    ]
    row = {
        "conversations": turns_before,
        "chosen": {"from": "gpt", "value": "4"},
        "rejected": {"from": "gpt", "value": "5"},
    }
    (given_problem,) = read([row], "pairs/sharegpt", tmp_path)
    assert given_problem.problem.question == "2+2?"
    assert given_problem.problem.context == "System: Be brief.\n\nUser: Hi\n\nAssistant: Yes?"
    as_list = {"prompt": [{"role": "user", "content": "2+2?"}]}
    as_list |= {side: [{"role": "assistant", "content": text}] for side, text in (("chosen", "4"), ("rejected", "5"))}
    (given_problem,) = read([as_list], "pairs/messages", tmp_path)
    assert (given_problem.problem.question, given_problem.problem.context) == ("2+2?", None)


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([{"role": "user", "content": "?"}], "the last message is of the role user: the assistant did not reply"),
        ([{"role": "assistant", "content": "!"}], "the conversation has no message of a user"),
        ([{"role": "narrator", "content": "?"}], "a message has the role 'narrator', which is not one of"),
        (["?"], "a message is a str, not an object with role and content"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], "a part of the kind 'image_url'"),
        ([{"role": "user", "content": "?"}, {"role": "assistant", "content": " "}], "rationales[0].text is empty"),
    ],
)
def test_conversations_that_cannot_be_read_say_why(tmp_path: Path, messages: list[Any], why: str):
    good = {"messages": [{"role": "user", "content": "ok?"}, {"role": "assistant", "content": "ok"}]}
    (said,) = whys([good, {"messages": messages}], "solutions/messages", tmp_path)
    assert why in said


def test_a_message_may_be_in_parts_and_a_part_a_thought(tmp_path: Path):
    parts = [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": "It is 4."}]
    row = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "2+2?"}]},
            {"role": "assistant", "content": parts},
        ]
    }
    made = first_rationale([row], "solutions/messages", tmp_path)
    assert (made.thought, made.response) == (THOUGHT, "It is 4.")


# The command


def test_the_command_recognises_rows_and_says_what_to_do_next(tmp_path: Path):
    pairs = write_rows(tmp_path / "pairs.jsonl", [pair_row("Why?", "So.", "No.")])
    done = synth("import", pairs, "--run", tmp_path / "pairs", check=0)
    assert "read as the mapping pairs/chosen-rejected" in done.stderr
    assert f"next: synth export {tmp_path / 'pairs'} --to dpo --out data" in done.stderr
    steps = write_rows(tmp_path / "steps.jsonl", [ROW])
    assert "--to prm" in synth("import", steps, "--run", tmp_path / "steps", check=0).stderr
    worked = write_rows(tmp_path / "worked.jsonl", [{"question": "2+2?", "answer": "2+2=4\n#### 4"}])
    done = synth("import", worked, "--run", tmp_path / "worked", check=0)
    assert "problems with their worked solutions" in done.stderr
    assert "--to sft" in done.stderr
    found = ask(tmp_path / "worked", "SELECT author, response, answer, gold FROM wide_rationales")
    assert found == [("reference", "2+2=4\n#### 4", "4", "4")]
    named = write_rows(tmp_path / "named.jsonl", [{"ask": "2+2?", "say": "4"}])
    assert "--map question=ask" in synth("import", named, check=2).stderr
    assert synth("import", named, "--map", "question=ask", "--map", "answer=say", "--run", tmp_path / "named", check=0)
    both = write_rows(
        tmp_path / "both.jsonl", [{**R1_STYLE["solutions/s1k"], "Question": "?", "Complex_CoT": "a", "Response": "b"}]
    )
    assert "2 mappings read such rows: solutions/medical-o1, solutions/s1k" in synth("import", both, check=2).stderr
    wrong = synth("import", pairs, "--mapping", "stepwise", check=2).stderr
    assert "probably meant: --mapping pairs/chosen-rejected" in wrong


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_is_kept_in_the_run_folder(tmp_path: Path, packed: bool):
    rows = b"".join(json.dumps(pair_row(f"{n}?", "So.", "No.")).encode() + b"\n" for n in range(3))
    given = gzip.compress(rows) if packed else rows
    command = ["import", "-", "--run", str(tmp_path / "run")]
    done = synth(*command, check=0, given=given)
    assert "mapping pairs/chosen-rejected" in done.stderr
    (copy,) = (tmp_path / "run" / "stdin").iterdir()
    assert copy.read_bytes() == given
    assert copy.name.endswith(".jsonl.gz" if packed else ".jsonl")
    assert ask(tmp_path / "run", "SELECT count(*) FROM pairs") == [(3,)]
    assert "nothing left to do" in synth(*command, check=0, given=given).stderr
    dry = synth("import", "-", "--run", tmp_path / "dry", "--dry-run", check=0, given=given)
    assert "3 pairs" in dry.stdout
    assert not (tmp_path / "dry").exists()
    assert "standard input is empty" in synth("import", "-", "--run", tmp_path / "none", check=2, given=b"").stderr


def test_a_run_over_standard_input_can_be_taken_up(tmp_path: Path):
    rows = b"".join(json.dumps({"question": f"What is {n} + 1?", "answer": n + 1}).encode() + b"\n" for n in range(4))
    folder = tmp_path / "run"
    command = ["rehearse", "fine-tune-cot", "--input", "-", "--run", str(folder)]
    assert synth(*command, check=0, given=rows)
    assert ask(folder, "SELECT count(*) FROM problems WHERE step = 'input'") == [(4,)]
    assert synth("retry", folder, "--all", check=0)
    assert (
        "4 problems from"
        in synth("plan", "fine-tune-cot", "--model", "scripted", "--input", "-", check=0, given=rows).stdout
    )


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "mapping", "rows"),
    [
        ("dpo_pairs", "pairs/sharegpt", 126),
        ("judgebench_pairs", "pairs/judgebench", 281),
        ("llmbar_pairs", "pairs/llmbar", 265),
        ("gsm8k_model_solutions", "solutions/gsm8k-model-solutions", 1052),
        ("math_samples_rm", "solutions/math-samples", 415),
    ],
)
def test_real_texts_that_are_known_to_be_bad_are_not_exported(
    data: Path, tmp_path: Path, name: str, mapping: str, rows: int
):
    path = data / f"{name}.jsonl"
    assert mapping_for(str(path)) == mapping
    made = {"pipeline": "import/real", "imports": load_mapping(mapping).gives()}
    package.run(made, path, tmp_path / "run", mapping=mapping, skip_invalid=True)
    assert export_run(tmp_path / "run", "sft", tmp_path / "out").rows == rows
    bad = "SELECT count(*) FROM kept_rationales WHERE id IN (SELECT target FROM scores WHERE label IN ('wrong', 'rejected'))"
    assert ask(tmp_path / "run", bad) == [(0,)]


# Prompts with completions

COMPLETIONS = [
    {"prompt": "1+1?", "completion": "<think>one</think>2", "label": True},
    {"prompt": "1+1?", "completion": "3", "label": False},
]


@pytest.mark.parametrize(
    "rows",
    [
        COMPLETIONS,
        [{**row, "label": int(row["label"])} for row in COMPLETIONS],
        [{**row, "label": str(row["label"])} for row in COMPLETIONS],
        [
            {
                **row,
                "prompt": [{"role": "user", "content": row["prompt"]}],
                "completion": [{"role": "assistant", "content": row["completion"]}],
            }
            for row in COMPLETIONS
        ],
        [{"question": "1+1?", "response": row["completion"], "answer": "2"} for row in COMPLETIONS],
        [{"query": "1+1?", "response": row["completion"], "answer": 2} for row in COMPLETIONS],
    ],
)
def test_a_completion_that_is_labelled_or_found_wrong_is_rejected(tmp_path: Path, rows: list[dict[str, Any]]):
    assert mapping_for(str(write_rows(tmp_path / "rows.jsonl", rows))) == "solutions/completions"
    folder = imported(rows, "completions", tmp_path / "run")
    assert ask(folder, "SELECT thought, response FROM rationales ORDER BY response") == [("one", "2"), (None, "3")]
    rejected = "SELECT r.response, j.rule FROM rejections j JOIN rationales r ON r.id = j.target"
    assert ask(folder, rejected) == [("3", "labelled wrong")]
    made = export_run(folder, "sft", tmp_path / "out")
    assert [json.loads(line)["messages"][-1]["content"] for line in made.path.read_text().splitlines()] == ["2"]


@pytest.mark.parametrize(
    ("row", "context", "thought"),
    [
        ({"query": "q", "response": "r", "type": "MATH"}, None, None),
        ({"id": 1, "system_prompt": "Be kind.", "question": "q", "response": "r"}, "System: Be kind.", None),
        ({"instruction": "q", "context": "c", "response": "r", "category": "qa"}, "c", None),
        ({"prompt": "q", "reasoning_content": "t", "response": "r"}, None, "t"),
    ],
)
def test_a_response_is_a_rationale_whatever_the_question_is_called(tmp_path: Path, row, context, thought):
    assert mapping_for(str(write_rows(tmp_path / "rows.jsonl", [row]))) == "solutions/completions"
    (given,) = read([row], "completions", tmp_path)
    (made,) = given.records
    assert (given.problem.question, given.problem.context, made.thought, made.response) == ("q", context, thought, "r")


@pytest.mark.parametrize(
    "row",
    [
        {"question": "q", "choices": ["a", "b"], "answer": 0, "response": "A"},
        {"question": "q", "answer": "2 #### 2", "response": "r"},
        {"problem": "q", "solution": "s", "response": "r"},
        {"prompt": "q", "completion": ""},
    ],
)
def test_rows_that_say_more_than_a_question_and_a_response_are_read_otherwise(tmp_path: Path, row):
    assert mapping_for(str(write_rows(tmp_path / "rows.jsonl", [row]))) is None
