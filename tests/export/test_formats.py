"""Every row of every format, in every trainer's format: what its schema says, what loaders read, what consumers ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
import yaml
from support import ROOT, ask, stored

from synth.errors import UserError
from synth.export import ROWS, TRAINERS, ExportOptions, export_run
from synth.export.formats.prm import PrmRow
from synth.records import Critique, Node, Pair, Part, Problem, Rationale, Score

# The run each format is exported from, and with which options.
EXPORTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("cot", "sft", "sft", {}),
    ("cot", "sft", "sft", {"trainer": "axolotl", "target": "both", "thinking": "tags", "as_thought": True}),
    ("cot", "sft", "sft", {"trainer": "llama-factory", "system": "Think."}),
    ("cot", "sft", "sft.text", {"layout": "plain", "style": "delimiter"}),
    ("cot", "sft", "sft.text", {"layout": "plain", "trainer": "llama-factory"}),
    ("cot", "sft", "sft.prompt-completion", {"shape": "prompt-completion"}),
    ("cot", "sft", "sft.prompt-completion", {"shape": "prompt-completion", "layout": "plain", "trainer": "axolotl"}),
    ("cot", "sft", "openai.sft", {"trainer": "openai", "system": "Think."}),
    ("reviewed", "sft", "sft", {"weights": {"feedback": 0.3}}),
    ("cot", "dpo", "dpo", {}),
    ("cot", "dpo", "dpo", {"layout": "plain", "trainer": "axolotl"}),
    ("cot", "dpo", "ranking", {"trainer": "axolotl"}),
    ("cot", "dpo", "ranking", {"trainer": "llama-factory", "system": "Think."}),
    ("cot", "dpo", "openai.dpo", {"trainer": "openai", "system": "Think."}),
    ("cot", "reward", "reward", {"margin": True}),
    ("cot", "reward", "axolotl.reward", {"trainer": "axolotl", "system": "Think."}),
    ("cot", "reward", "ranking", {"trainer": "llama-factory"}),
    ("cot", "kto", "kto", {}),
    ("cot", "kto", "kto", {"layout": "plain", "trainer": "llama-factory"}),
    ("cot", "kto", "axolotl.kto", {"trainer": "axolotl"}),
    ("cot", "kto", "llama-factory.kto", {"trainer": "llama-factory"}),
    ("trees", "prm", "prm", {}),
    ("trees", "prm", "prm", {"trainer": "axolotl", "per_problem": 2}),
    ("stepped", "prm", "prm", {"values": "step_value", "step_weight": "step_gain", "unsure": "cut"}),
    ("stepped", "prm", "prm.chat", {"steps_as": "chat", "values": "step_value", "unsure": "cut"}),
    ("stepped", "prm", "prm.chat", {"steps_as": "chat", "trainer": "axolotl", "unsure": "cut"}),
    (
        "stepped",
        "prm",
        "prm.chat",
        {"steps_as": "chat", "trainer": "llama-factory", "unsure": "cut", "system": "Check."},
    ),
    ("stepped", "prm", "openai.sft", {"steps_as": "chat", "trainer": "openai", "unsure": "cut"}),
    ("stepped", "steps", "steps", {"balance": (1, 1)}),
    ("stepped", "steps", "steps", {"layout": "plain", "values": "step_value", "labels": "scores"}),
    ("stepped", "sft", "sft.step-weights", {"step_weight": "step_gain"}),
    ("stepped", "sft", "sft.step-weights", {"step_weight": "step_gain", "layout": "plain"}),
    ("stepped", "dpo", "dpo", {"prefix": "prompt", "rejected": "step"}),
    ("stepped", "dpo", "dpo", {"prefix": "assistant", "layout": "plain"}),
    ("stepped", "dpo", "ranking", {"prefix": "prompt", "trainer": "llama-factory"}),
    ("stepped", "dpo", "openai.dpo", {"prefix": "assistant", "trainer": "openai"}),
    ("cot", "grpo", "grpo", {}),
    ("cot", "grpo", "grpo", {"layout": "plain", "trainer": "axolotl"}),
    ("cot", "grpo", "grpo", {"trainer": "verifiers", "system": "Reason, then answer."}),
    ("cot", "grpo", "verl", {"trainer": "verl", "system": "Reason, then answer."}),
    ("cot", "grpo", "nemo-rl", {"trainer": "nemo-rl"}),
    ("cot", "grpo", "openrlhf", {"trainer": "openrlhf"}),
    ("cot", "grpo", "openrlhf", {"trainer": "openrlhf", "layout": "plain"}),
    ("reviewed", "judge", "judge", {}),
    ("reviewed", "judge", "judge", {"trainer": "llama-factory"}),
    ("reviewed", "judge", "judge", {"trainer": "axolotl"}),
    ("reviewed", "judge", "openai.sft", {"trainer": "openai"}),
]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def leaves(value: Any) -> Iterator[Any]:
    """Everything in a row that holds nothing else."""
    for inner in value.values() if isinstance(value, dict) else value:
        yield from leaves(inner) if isinstance(inner, (dict, list)) else [inner]


@pytest.mark.parametrize(("run", "to", "schema", "options"), EXPORTS, ids=json.dumps)
def test_rows_are_what_their_schema_says_and_load_as_they_stand(
    request: pytest.FixtureRequest, tmp_path: Path, run: str, to: str, schema: str, options: dict[str, Any]
):
    from datasets import Features, load_dataset

    folder = request.getfixturevalue(run)
    made = export_run(folder, to, tmp_path / "a", ExportOptions(**options))
    got = rows(made.path)
    assert len(got) == made.rows > 5
    validator = jsonschema.Draft202012Validator(
        json.loads((ROOT / "schemas" / "export" / f"{schema}.json").read_text())
    )
    for row in got:
        validator.validate(row)
        assert not any(value is None for value in leaves(row))
    loaded = load_dataset("json", data_files=str(made.path), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == got
    if options.get("trainer") not in {"openai", "verifiers"}:
        table = export_run(folder, to, tmp_path / "b", ExportOptions(**options, file_format="parquet")).path
        assert pq.read_table(table).to_pylist() == got
        assert Features.from_arrow_schema(pq.read_schema(table)) == loaded.features


def test_every_row_type_and_every_trainer_is_in_the_list_above():
    assert {schema for _, _, schema, _ in EXPORTS} | {"contrast", "twins"} == set(ROWS)
    there = {(o.get("trainer", "trl"), to) for _, to, _, o in EXPORTS}
    assert there | {("trl", c) for c in ("contrast", "twins", "parquet")} == {
        (trainer, to) for trainer, formats in TRAINERS.items() for to in formats
    }


# --- what consumers ask for --------------------------------------------------------------------------------------------


def openai_faults(row: dict[str, Any], preference: bool) -> list[str]:
    """What OpenAI's published rules for fine-tuning files find fault with in a line."""
    faults = []

    def check(messages: Any, roles: set[str]) -> None:
        if not isinstance(messages, list) or not messages:
            faults.append("no messages")
            return
        for m in messages:
            if set(m) - {"role", "content", "name", "weight"}:
                faults.append(f"unknown keys {set(m)}")
            if m.get("role") not in roles:
                faults.append(f"role {m.get('role')}")
            if not isinstance(m.get("content"), str) or not m["content"]:
                faults.append("no content")

    if not preference:
        if set(row) - {"messages", "tools", "parallel_tool_calls"}:
            faults.append(f"unknown keys {set(row)}")
        check(row.get("messages"), {"system", "user", "assistant"})
        if row["messages"][-1]["role"] != "assistant":
            faults.append("the last turn is not the assistant's")
        return faults
    if set(row) != {"input", "preferred_output", "non_preferred_output"}:
        faults.append(f"keys {set(row)}")
    check(row["input"]["messages"], {"system", "user", "assistant"})
    if row["input"]["messages"][-1]["role"] != "user":
        faults.append("the input does not end with the user")
    for side in ("preferred_output", "non_preferred_output"):
        check(row[side], {"assistant"})
        if len(row[side]) != 1:
            faults.append("more than one turn")
    return faults


@pytest.mark.parametrize(("run", "to"), [("cot", "sft"), ("cot", "dpo"), ("reviewed", "judge"), ("reviewed", "sft")])
def test_openai_takes_the_lines_and_the_lineage_lies_beside_them(
    request: pytest.FixtureRequest, tmp_path: Path, run: str, to: str
):
    folder = request.getfixturevalue(run)
    made = export_run(folder, to, tmp_path / "o", ExportOptions(trainer="openai"))
    plain = export_run(folder, to, tmp_path / "t").path
    got = rows(made.path)
    assert [openai_faults(row, to == "dpo") for row in got] == [[]] * len(got)
    assert len(got) >= 10
    assert [note.partition(":")[0] for note in made.notes] == ["The text of this run is invented"]
    beside = rows(tmp_path / "o" / "lineage" / f"{to}.jsonl")
    for line, lineage, whole in zip(got, beside, rows(plain), strict=True):
        assert lineage.items() <= whole.items()
        assert lineage["record_id"] == whole["record_id"]
        assert whole.get("messages", whole.get("prompt")) == (line["input"] if to == "dpo" else line)["messages"]


def test_a_file_openai_would_refuse_for_its_length_is_noted(tmp_path: Path):
    run = small(tmp_path / "run")
    made = export_run(run, "sft", tmp_path / "o", ExportOptions(trainer="openai"))
    assert made.notes == (f"{made.rows} rows to train on: OpenAI takes no fewer than 10",)


@pytest.mark.parametrize("layout", ["conversational", "plain"])
def test_llama_factory_finds_every_column_and_turn(cot: Path, reviewed: Path, tmp_path: Path, layout: str):
    """By the rules of LLaMA-Factory's parser.py and converter.py."""
    out = tmp_path / "data"
    out.mkdir()
    (out / "dataset_info.json").write_text(json.dumps({"identity": {"file_name": "identity.json"}}))
    for run, to in ((cot, "sft"), (cot, "dpo"), (cot, "kto"), (cot, "reward"), (reviewed, "judge")):
        system = None if to == "judge" else "Think."
        chosen = None if to == "judge" else layout
        made = export_run(run, to, out, ExportOptions(trainer="llama-factory", layout=chosen, system=system))
        assert out / "dataset_info.json" in made.beside
    info = json.loads((out / "dataset_info.json").read_text())
    assert info.pop("identity") == {"file_name": "identity.json"}
    assert list(info) == ["sft", "dpo", "kto", "reward", "judge"]
    for name, entry in info.items():
        columns, ranking = entry["columns"], entry.get("ranking", False)
        assert ranking == (name in {"dpo", "reward"})
        for row in rows(out / entry["file_name"]):
            assert set(columns.values()) <= set(row)
            if name == "kto":
                assert isinstance(row[columns["kto_tag"]], bool)
            if entry["formatting"] == "alpaca":
                assert all(isinstance(row[c], str) for k, c in columns.items() if k != "kto_tag")
                continue
            tags, messages = entry["tags"], row[columns["messages"]]
            turns = [m[tags["role_tag"]] for m in messages]
            if turns[0] == tags["system_tag"]:
                turns = turns[1:]
            assert turns == [tags["user_tag"], tags["assistant_tag"]][: 1 if ranking else 2]
            if ranking:
                for side in ("chosen", "rejected"):
                    assert row[columns[side]][tags["role_tag"]] == tags["assistant_tag"]
                assert row["chosen"] != row["rejected"]


def test_entries_of_files_that_are_gone_go_too(cot: Path, split_cot: Path, tmp_path: Path):
    out = tmp_path / "data"
    export_run(split_cot, "dpo", out, ExportOptions(trainer="llama-factory"))
    info = json.loads((out / "dataset_info.json").read_text())
    assert set(info) == {"dpo_train", "dpo_validation", "dpo_test"}
    info["mine"] = {"file_name": "mine.json"}
    (out / "dataset_info.json").write_text(json.dumps(info))
    export_run(cot, "dpo", out, ExportOptions(trainer="llama-factory", replace=True))
    assert set(json.loads((out / "dataset_info.json").read_text())) == {"dpo", "mine"}
    # TRL's rows have another shape than the entry says.
    export_run(cot, "dpo", out)
    assert set(json.loads((out / "dataset_info.json").read_text())) == {"mine"}
    info = {"dpo": {"file_name": "theirs.json"}}
    (out / "dataset_info.json").write_text(json.dumps(info))
    (out / "dpo.jsonl").unlink()
    (out / ".synth-export.json").unlink()
    with pytest.raises(UserError, match="another data set 'dpo'"):
        export_run(cot, "dpo", out, ExportOptions(trainer="llama-factory"))
    assert json.loads((out / "dataset_info.json").read_text()) == info
    (out / "dataset_info.json").write_text("[")
    with pytest.raises(UserError, match="no JSON"):
        export_run(cot, "dpo", out, ExportOptions(trainer="llama-factory"))


@pytest.mark.parametrize("layout", ["conversational", "plain"])
@pytest.mark.parametrize("to", ["sft", "dpo", "kto", "grpo"])
def test_axolotls_settings_name_files_and_columns_that_are_there(split_cot: Path, tmp_path: Path, to: str, layout: str):
    made = export_run(split_cot, to, tmp_path, ExportOptions(trainer="axolotl", layout=layout))
    settings = yaml.safe_load((tmp_path / f"{to}.axolotl.yaml").read_text())
    assert settings.get("rl") == (None if to == "sft" else to)
    (train,), (validation,) = settings["datasets"], settings["test_datasets"]
    assert (train["path"], validation["path"]) == tuple(
        (tmp_path / f"{to}.{split}.jsonl").as_posix() for split in ("train", "validation")
    )
    assert Path(train["path"]) in made.files
    named = [v for k, v in train.items() if k.startswith("field")]
    named += [v for k, v in train["type"].items() if k.startswith("field")] if isinstance(train["type"], dict) else []
    row = rows(Path(train["path"]))[0]
    assert set(named) <= set(row)
    if to == "grpo":
        from importlib import import_module

        (name,) = settings["trl"]["reward_funcs"]
        module, _, function = name.rpartition(".")
        assert callable(getattr(import_module(module), function))
        assert (name, row["reward"]) == ("synth.rewards.by_column", "synth.rewards.correct")


# --- splits and columns ------------------------------------------------------------------------------------------------


def test_splits_are_files_of_their_own_that_load_together(split_cot: Path, tmp_path: Path):
    from datasets import load_dataset

    made = export_run(split_cot, "sft", tmp_path / "o")
    assert sorted(p.name for p in made.files) == ["sft.test.jsonl", "sft.train.jsonl", "sft.validation.jsonl"]
    files = {p.name.split(".")[1]: str(p) for p in made.files}
    loaded = load_dataset("json", data_files=files, cache_dir=str(tmp_path / "c"))
    units = {name: set(part["unit"]) for name, part in loaded.items()}
    assert not units["train"] & units["test"]
    assert not units["train"] & units["validation"]
    assert sum(loaded.num_rows.values()) == made.rows


def small(folder: Path, **fields: Any) -> Path:
    """A problem with three rationales, the first of which has nothing that can be left out."""
    problem = Problem.root(question="What is 2 + 3?", answer="5", answer_kind="number", **fields)

    def solved(i: int, **more: Any) -> Rationale:
        said = {"response": f"Way {i}.\nSo 5.", "answer": "5", "author": "teacher"} | more
        return Rationale.make(unit=problem.id, step="s", because=i, problem=problem.id, **said)

    made = [solved(i) for i in range(3)]
    pairs = [
        Pair.make(
            unit=problem.id,
            step="p",
            because=i,
            problem=problem.id,
            chosen=made[i].id,
            rejected=made[2].id,
            reason="score",
            length_difference=0,
            **more,
        )
        for i, more in enumerate([{}, {"margin": 0.5, "first_differing_step": 0}])
    ]
    return stored(folder, problem, *made, *pairs)


def test_columns_that_begin_with_nothing_can_still_hold_something(cot: Path, tmp_path: Path):
    """A column of nulls in the first file makes `datasets` refuse the second, which has values."""
    from datasets import load_dataset

    for to in ("sft", "dpo", "kto", "grpo"):
        bare = export_run(small(tmp_path / to), to, tmp_path / "bare").path
        full = export_run(cot, to, tmp_path / "full").path
        files = {"train": str(bare), "test": str(full)}
        loaded = load_dataset("json", data_files=files, cache_dir=str(tmp_path / "c"))
        assert loaded["test"].to_list() == rows(full)


def test_two_judges_of_a_step_share_it_and_labels_end_at_the_first_mistake(tmp_path: Path):
    problem = Problem.root(question="Q?", answer="5", answer_kind="number")
    steps = ("a\n\nb", " c ", "d")
    made = Rationale.make(
        unit=problem.id,
        step="s",
        because=0,
        problem=problem.id,
        author="teacher",
        response="a\n\nb\n c \nd",
        steps=steps,
        segmenter="given/1",
        answer="7",
    )

    def label(i: int, value: float, judge: str) -> Score:
        because = [i, judge]
        return Score.make(
            unit=problem.id,
            step="l",
            because=because,
            target=made.id,
            part=Part(kind="step", index=i),
            name="step_correct",
            value=value,
            judge=judge,
        )

    judged = [label(0, 1, "x"), label(0, 0, "y"), label(1, 1, "x"), label(2, 0, "x"), label(2, 0.5, "y")]
    run = stored(tmp_path / "run", problem, made, *judged)
    (row,) = rows(export_run(run, "prm", tmp_path / "o").path)
    assert (row["completions"], row["labels"]) == (list(steps), [True, True, False])
    assert row["labelled_by"] == "x, y"
    (row,) = rows(export_run(run, "prm", tmp_path / "o", ExportOptions(label_from=0.6)).path)
    assert row["labels"] == [False, True, False]
    said = Critique.make(
        unit=problem.id,
        step="c",
        because=0,
        target=made.id,
        part=Part(kind="step", index=1),
        explanation="wrong",
        critic="z",
    )
    run = stored(tmp_path / "criticised", problem, made, said)
    (row,) = rows(export_run(run, "prm", tmp_path / "o2", ExportOptions(labels="critiques")).path)
    assert (row["completions"], row["labels"], row["labelled_by"]) == (list(steps[:2]), [True, False], "z")


def test_a_step_of_a_tree_is_right_where_the_right_answer_was_reached_below_it(tmp_path: Path):
    """Root -> a -> (c right, d wrong); root -> b -> e wrong. Only what leads to c is right."""
    problem = Problem.root(question="Q?", answer="5", answer_kind="number")
    nodes: dict[str, Node] = {}
    records: list[Any] = [problem]
    for name, parent, answer in (
        ("a", None, None),
        ("b", None, None),
        ("c", "a", "5"),
        ("d", "a", "6"),
        ("e", "b", "7"),
    ):
        above = nodes[parent] if parent else None
        nodes[name] = Node.make(
            unit=problem.id,
            step="t",
            because=name,
            problem=problem.id,
            parent=above.id if above else None,
            depth=1 if above else 0,
            text=f"thought {name}",
            terminal=answer is not None,
            answer=answer,
        )
        records.append(nodes[name])
    for leaf, first, right in (("c", "a", 1), ("d", "a", 0), ("e", "b", 0)):
        told = Rationale.make(
            unit=problem.id,
            step="p",
            because=leaf,
            problem=problem.id,
            author="teacher",
            response="t",
            steps=(f"thought {first}", f"thought {leaf}"),
            answer=nodes[leaf].answer,
            node=nodes[leaf].id,
        )
        score = Score.make(
            unit=problem.id, step="v", because=leaf, target=told.id, name="correct", value=right, judge="number/1"
        )
        records += [told, score]
    got = {
        r["answer"]: r["labels"]
        for r in rows(export_run(stored(tmp_path / "run", *records), "prm", tmp_path / "o").path)
    }
    assert got == {"5": [True, True, True], "6": [True, False, False], "7": [False, False, False]}


def test_step_rows_of_a_run_are_its_steps_and_right_ends_are_right(trees: Path, tmp_path: Path):
    got = rows(export_run(trees, "prm", tmp_path / "o").path)
    known = {r[0]: r for r in ask(trees, "SELECT id, steps FROM rationales")}
    right = dict(ask(trees, "SELECT target, value FROM scores WHERE name = 'correct'"))
    assert {row["labels"][-1] for row in got} == {True, False}
    for row in got:
        PrmRow.model_validate(row)
        assert row["completions"] == [*known[row["record_id"]][1], f"The answer is {row['answer']}."]
        assert row["labels"][-1] == (right[row["record_id"]] == 1)
        # Once nothing right is below, nothing further down is right.
        assert row["labels"] == sorted(row["labels"], reverse=True)


def test_tables_are_the_run_as_it_is(cot: Path, tmp_path: Path):
    import polars as pl

    made = export_run(cot, "parquet", tmp_path / "o")
    for path in made.files:
        n = ask(cot, f'SELECT count(*) FROM "{path.stem}"')[0][0]
        assert pl.read_parquet(path).height == n
    kept = pl.read_parquet(tmp_path / "o" / "wide_rationales.parquet").filter(pl.col("kept"))
    assert kept.height == ask(cot, "SELECT count(*) FROM kept_rationales")[0][0] > 0
    assert json.loads(pl.read_parquet(tmp_path / "o" / "calls.parquet")["messages"][0])
    assert export_run(cot, "parquet", tmp_path / "o").rows == made.rows
    with pytest.raises(UserError, match="an export of another run"):
        export_run(small(tmp_path / "other"), "parquet", tmp_path / "o")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "problems.parquet").write_text("mine")
    with pytest.raises(UserError, match=r"problems\.parquet is there and was not written by an export"):
        export_run(cot, "parquet", tmp_path / "p")
