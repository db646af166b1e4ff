"""What cannot be exported is told: what, where, and what to do about it; and nothing is written or mixed."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import run as run_pipeline
from support import stored, sums, synth, yaml_file

from synth.errors import UserError
from synth.export import ExportOptions, export_run
from synth.files import Draft
from synth.models import ScriptedModel, World
from synth.records import Media, Pair, Part, Problem, Rationale, Score


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("to", "options", "told"),
    [
        ("sfft", {}, "there is no format 'sfft'\n  → did you mean sft?"),
        ("dpo", {"trainer": "trlx"}, "there is no trainer 'trlx'"),
        ("prm", {"trainer": "llama-factory"}, "llama-factory cannot be given prm: it has no stepwise format"),
        ("grpo", {"trainer": "openai"}, "openai cannot be given grpo"),
        ("contrast", {"trainer": "axolotl"}, "axolotl cannot be given contrast"),
        ("dpo", {"shape": "prompt-completion"}, "--shape does not apply to dpo\n  → it is for sft;"),
        ("kto", {"target": "both"}, "--target does not apply to kto"),
        ("kto", {"margin": True}, "--margin does not apply to kto\n  → it is for reward;"),
        ("sft", {"labels": "tree"}, "--labels does not apply to sft\n  → it is for prm, steps;"),
        ("grpo", {"thinking": "tags"}, "--thinking does not apply to grpo"),
        ("contrast", {"as_thought": True}, "--as-thought does not apply to contrast"),
        ("judge", {"system": "Hm."}, "--system does not apply to judge"),
        ("prm", {"layout": "conversational"}, "read strings"),
        ("sft", {"trainer": "openai", "layout": "plain"}, "OpenAI takes conversations only"),
        ("sft", {"trainer": "openai", "file_format": "parquet"}, "OpenAI takes JSONL only"),
        ("sft", {"trainer": "axolotl", "shape": "prompt-completion"}, "axolotl reads conversations as one"),
        ("reward", {"trainer": "axolotl", "layout": "plain"}, "trained on conversations"),
        ("reward", {"trainer": "llama-factory", "margin": True}, "know no margin"),
        ("parquet", {"system": "Hm."}, "--system does not apply to parquet"),
        ("parquet", {"file_format": "parquet"}, "writes Parquet as it is"),
        ("sft", {"style": "delimiter", "order": "answer-first"}, "the delimiters of --style delimiter"),
        ("sft", {"style": "delimiter", "as_thought": True}, "the reasoning stands in the thought"),
        ("sft", {"order": "answer-first", "as_thought": True}, "the reasoning stands in the thought"),
        ("sft", {"thinking": "drop", "as_thought": True}, "leaves thoughts out"),
        ("sft", {"layout": "plain", "thinking": "thinking"}, "these rows are strings\n  → --thinking tags"),
        ("prm", {"thinking": "reasoning_content"}, "these rows are strings"),
        ("dpo", {"trainer": "axolotl", "thinking": "reasoning_content"}, "axolotl does not read the field"),
        ("sft", {"trainer": "openai", "thinking": "thinking"}, "openai does not read the field thinking"),
        ("sft", {"tags": ("<a>", "<a>")}, "must differ"),
        ("sft", {"tags": ("<a>", " ")}, "does not name two tags"),
        ("sft", {"stages": "two", "target": "both"}, "rows of their own, in that order"),
        ("sft", {"target": "answer", "order": "answer-first"}, "no rationale is written"),
        ("sft", {"weights": {"rationales": 0.5}}, "there is no task 'rationales'"),
        ("sft", {"weights": {"answer": 0.5}}, "no rows of the task 'answer'\n  → its tasks: rationale"),
        ("sft", {"weights": {"rationale": 0.5}}, "do not sum to 1"),
        ("sft", {"target": "both", "weights": {"rationale": 1.0}}, "do not sum to 1\n  → leave one task out"),
        ("sft", {"target": "both", "weights": {"rationale": -0.1}}, "weights are above 0"),
        ("sft", {"ask": {"feedback": "Why?"}}, "no rows of the task 'feedback'"),
        ("sft", {"per_problem": 0}, "--per-problem must be 1 or more"),
        ("sft", {"system": " "}, "--system is empty"),
        ("prm", {"reasons": "step_judged"}, "--reasons is for --as chat"),
        ("prm", {"steps_as": "chat", "layout": "plain"}, "--as chat is a conversation"),
        ("prm", {"steps_as": "chat", "thinking": "reasoning_content"}, "does not read the field reasoning_content"),
        ("prm", {"steps_as": "chat", "verdicts": ("yes", "yes")}, "does not name two different words"),
        ("prm", {"labels": "tree", "values": "step_value"}, "labels by tree come without them"),
        ("steps", {"labels": "tree"}, "labels of a tree are those of whole paths"),
        ("steps", {"balance": (0, 1)}, "a proportion of two whole numbers"),
        ("steps", {"trainer": "axolotl"}, "it has TRL's columns alone"),
        ("dpo", {"rejected": "step"}, "which needs a prefix"),
        ("dpo", {"prefix": "prompt", "style": "boxed"}, "--prefix cuts texts as their authors wrote them"),
        ("reward", {"prefix": "prompt"}, "--prefix does not apply to reward\n  → it is for dpo;"),
        ("sft", {"step_weight": "g", "target": "both"}, "and --target changes that"),
        ("sft", {"step_weight": "g", "trainer": "axolotl"}, "axolotl reads no weights of steps"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together(cot: Path, tmp_path: Path, to: str, options: dict[str, Any], told: str):
    with pytest.raises(UserError) as error:
        export_run(cot, to, tmp_path / "out", ExportOptions(**options))
    assert told in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("to", "maker"),
    [
        ("dpo", "a step 'pair' makes them"),
        ("reward", "a step 'pair' makes them"),
        ("prm", "scores of single steps named 'step_correct'"),
        ("judge", "a step 'review' makes them"),
        ("contrast", "a step 'counterfactual' makes them"),
        ("twins", "a step 'counterfactual' makes them"),
    ],
)
async def test_a_format_the_run_cannot_fill_names_the_step_that_would(tmp_path: Path, to: str, maker: str):
    made = yaml_file(tmp_path / "p.yaml", "pipeline: my/p\nsteps: [{step: generate}]")
    await run_pipeline(made, sums(tmp_path / "in.jsonl", 2), tmp_path / "run")
    with pytest.raises(UserError, match=f"nothing to export as {to}: this run has no .*") as error:
        export_run(tmp_path / "run", to, tmp_path / "out")
    assert maker in str(error.value.fix)
    assert not (tmp_path / "out").exists()


async def test_questions_without_answers_make_no_prompts_with_rewards(tmp_path: Path):
    problem = Problem.root(question="Why?")
    run = stored(tmp_path / "run", problem)
    with pytest.raises(UserError, match="this run has no problem with a gold answer") as error:
        export_run(run, "grpo", tmp_path / "out")
    assert "--map answer=COLUMN" in str(error.value)


async def test_the_filter_that_took_all_is_named(tmp_path: Path):
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - step: generate
          - step: verify_answer
          - {step: filter, name: never, keep: score.correct > 1}
        """,
    )
    await run_pipeline(made, sums(tmp_path / "in.jsonl", 3), tmp_path / "run", ScriptedModel(World()))
    with pytest.raises(
        UserError, match=r"all 3 records of the table rationales that could be were rejected, by never \(.*\) 3"
    ):
        export_run(tmp_path / "run", "sft", tmp_path / "out")


def one_problem(folder: Path, *texts: str, answer: str | None = "5", **fields: Any) -> tuple[Path, list[Rationale]]:
    problem = Problem.root(question="What?", answer="5", answer_kind="number", **fields)
    made = [
        Rationale.make(
            unit=problem.id,
            step="s",
            because=i,
            problem=problem.id,
            author="teacher",
            response=text,
            steps=tuple(text.splitlines()),
            answer=answer,
        )
        for i, text in enumerate(texts)
    ]
    pair = [
        Pair.make(
            unit=problem.id,
            step="p",
            because=0,
            problem=problem.id,
            chosen=made[0].id,
            rejected=made[1].id,
            reason="score",
            length_difference=0,
        )
    ]
    return stored(folder, problem, *made, *(pair if len(made) > 1 else [])), made


@pytest.mark.parametrize("to", ["dpo", "reward"])
def test_equal_sides_are_left_out_and_told(tmp_path: Path, to: str):
    run, _ = one_problem(tmp_path / "run", "The same.\nSo 5.", "The  same.\nSo 5. ")
    with pytest.raises(UserError, match="1: its chosen and rejected sides are equal"):
        export_run(run, to, tmp_path / "out")
    run, _ = one_problem(tmp_path / "other", "The same.\nSo 5.", "Not the same.")
    assert export_run(run, to, tmp_path / "out").rows == 1


@pytest.mark.parametrize("labels", [[(0, 1)], [(0, 1), (2, 1)], [(1, 0)], [(0, 0), (1, 1)]], ids=str)
def test_labels_that_are_not_one_for_each_step_are_left_out_and_told(tmp_path: Path, labels: list[tuple[int, int]]):
    problem = Problem.root(question="What?", answer="5", answer_kind="number")
    made = Rationale.make(
        unit=problem.id,
        step="s",
        because=0,
        problem=problem.id,
        author="teacher",
        response="a\nb\nc",
        steps=("a", "b", "c"),
    )
    scores = [
        Score.make(
            unit=problem.id,
            step="l",
            because=i,
            target=made.id,
            part=Part(kind="step", index=i),
            name="step_correct",
            value=v,
            judge="j",
        )
        for i, v in labels
    ]
    with pytest.raises(UserError, match="1: its labels are not one for each step"):
        export_run(stored(tmp_path / "run", problem, made, *scores), "prm", tmp_path / "out")
    assert not list((tmp_path).glob("out/*"))


def test_texts_that_would_break_their_row_are_left_out_and_reported(tmp_path: Path):
    """A text with the tag in it could be read in two ways; where no tags are written it is exported as it is."""
    run, made = one_problem(tmp_path / "run", "I </think> so 5.", "Fine.", "  ")
    got = export_run(run, "sft", tmp_path / "out", ExportOptions(as_thought=True, thinking="tags"))
    assert got.rows == 1
    assert sorted(got.left_out) == [
        f"1 left out: it has no text (such as {made[2].id})",
        f"1 left out: its text holds the tag </think> (such as {made[0].id})",
    ]
    assert export_run(run, "sft", tmp_path / "out", ExportOptions(thinking="tags")).rows == 2
    unanswered, made = one_problem(tmp_path / "no", "Hm.", "Well.", answer=None)
    for options in ({"as_thought": True}, {"style": "delimiter"}, {"order": "answer-first"}):
        with pytest.raises(UserError, match="1: it states no answer"):
            export_run(unanswered, "dpo", tmp_path / "no-out", ExportOptions(**options))
    assert export_run(unanswered, "dpo", tmp_path / "no-out").rows == 1


def test_a_pair_whose_side_was_rejected_as_a_near_duplicate_is_left_out(tmp_path: Path):
    """A step after `pair` may reject a side as a near-duplicate; the pair says so instead of being exported."""
    made = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/p
        steps:
          - {step: generate, samples: 6, temperature: 1.0}
          - {step: verify_answer}
          - {step: pair, limit: 9}
          - {step: deduplicate, threshold: 0.05, shingle: 1}
        """,
    )
    script = ScriptedModel(World(solve_rate=0.5))
    asyncio.run(run_pipeline(made, sums(tmp_path / "in.jsonl", 6), tmp_path / "run", script))
    got = export_run(tmp_path / "run", "dpo", tmp_path / "out")
    assert got.rows
    assert [
        line for line in got.left_out if re.search(r"its (chosen|rejected) side was rejected: near-duplicate", line)
    ]


@pytest.mark.parametrize("to", ["sft", "dpo", "kto", "grpo"])
def test_a_question_about_an_image_is_not_asked_without_it(tmp_path: Path, to: str):
    run, _ = one_problem(tmp_path / "run", "I see 5.", "Six.", media=(Media(kind="image", uri="a.png"),))
    with pytest.raises(UserError, match="images or sounds"):
        export_run(run, to, tmp_path / "out")


# --- the folder --------------------------------------------------------------------------------------------------------


def test_an_export_of_another_run_is_never_mixed_with_or_lost(cot: Path, reviewed: Path, tmp_path: Path):
    out = tmp_path / "out"
    made = export_run(cot, "sft", out)
    before = made.path.read_bytes()
    with pytest.raises(UserError, match=r"an export of another run in this folder: sft\.jsonl") as error:
        export_run(reviewed, "sft", out)
    assert "--replace" in str(error.value)
    assert made.path.read_bytes() == before
    assert export_run(reviewed, "kto", out).rows > 0  # another format is another file
    export_run(reviewed, "sft", out, ExportOptions(replace=True))
    assert {row["task"] for row in rows(out / "sft.jsonl")} == {"rationale", "feedback"}
    assert sorted(p.name for p in out.iterdir()) == [".synth-export.json", "kto.jsonl", "sft.jsonl"]


def test_the_same_export_again_leaves_nothing_of_the_one_before(split_cot: Path, cot: Path, tmp_path: Path):
    out = tmp_path / "out"
    export_run(split_cot, "sft", out, ExportOptions(trainer="openai"))
    assert len(list(out.rglob("*.jsonl"))) == 6
    export_run(split_cot, "sft", out, ExportOptions(trainer="axolotl"))
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert names == {
        ".synth-export.json",
        "sft.axolotl.yaml",
        *(f"sft.{s}.jsonl" for s in ("train", "validation", "test")),
    }
    export_run(cot, "sft", out, ExportOptions(replace=True))
    assert {p.name for p in out.rglob("*") if p.is_file()} == {".synth-export.json", "sft.jsonl"}


def test_a_failed_export_leaves_the_one_before_as_it_was(cot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "out"
    export_run(cot, "dpo", out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    assert set(before) == {".synth-export.json", "dpo.jsonl"}

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synth.export.files.Part.add", full_disk)
    with pytest.raises(OSError, match="No space"):
        export_run(cot, "dpo", out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_files_of_ones_own_beside_an_export_are_not_overwritten(cot: Path, tmp_path: Path):
    for trainer, name in (("axolotl", "sft.axolotl.yaml"), ("openai", "lineage/sft.jsonl")):
        out = tmp_path / trainer
        (out / name).parent.mkdir(parents=True)
        (out / name).write_text("mine")
        with pytest.raises(UserError, match=f"{name} is there and was not written by an export"):
            export_run(cot, "sft", out, ExportOptions(trainer=trainer))
        assert [p.name for p in out.rglob("*") if p.is_file()] == [Path(name).name]
        assert (out / name).read_text() == "mine"
        export_run(cot, "sft", out, ExportOptions(trainer=trainer, replace=True))
        assert (out / name).read_text() != "mine"


def test_an_export_killed_while_its_files_are_put_in_place_is_done_by_the_same_command(
    split_cot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, named = tmp_path / "out", []
    take_name = Draft.take_name

    def killed(draft: Draft) -> None:
        if draft.path.suffix == ".jsonl":
            if named:
                raise KeyboardInterrupt
            named.append(draft)
        take_name(draft)

    with monkeypatch.context() as patch:
        patch.setattr("synth.files.Draft.take_name", killed)
        with pytest.raises(KeyboardInterrupt):
            export_run(split_cot, "sft", out)
    assert len(list(out.glob("*.jsonl"))) == 1
    made = export_run(split_cot, "sft", out)
    assert {p.name for p in out.iterdir()} == {".synth-export.json", *(p.name for p in made.files)}


def _say(out: Path, run: Path, *files: str) -> None:
    """Write the note of an export that has these files."""
    said = {"format": 1, "exports": {"sft.jsonl": {"run": str(run.resolve()), "files": list(files)}}}
    (out / ".synth-export.json").write_text(json.dumps(said))


def test_what_the_folder_says_about_itself_is_not_trusted(cot: Path, tmp_path: Path):
    """Names that lead out of the folder, by themselves or by a link on the way, remove nothing; a link is removed as a link."""
    out, precious = tmp_path / "out", tmp_path / "home" / "precious.txt"
    out.mkdir()
    precious.parent.mkdir()
    precious.write_text("mine")
    (out / "lineage").symlink_to(precious.parent)
    (out / "link.jsonl").symlink_to(precious)
    (out / "sub").mkdir()
    _say(out, cot, "../home/precious.txt", str(precious), "lineage/precious.txt", "link.jsonl", "a\0b", "", "sub")
    export_run(cot, "sft", out)
    assert precious.read_text() == "mine"
    assert not (out / "link.jsonl").is_symlink()
    with pytest.raises(UserError, match="leads out of its folder"):  # nor is anything written there
        export_run(cot, "sft", out, ExportOptions(trainer="openai", replace=True))
    assert [p.name for p in precious.parent.iterdir()] == ["precious.txt"]


@pytest.mark.parametrize(
    "said",
    [
        "[]",
        "",
        "{",
        '{"format": 1}',
        '{"exports": {}}',
        '{"format": 1, "exports": {"sft.jsonl": {"run": 1, "files": []}}}',
        '{"format": 1, "exports": {"sft.jsonl": {"run": "r", "files": "all"}}}',
        '{"format": 1, "exports": {"sft.jsonl": 7}}',
        '{"format": 1, "x": ' + "[" * 500 + "]" * 500 + ', "exports": {}}',
    ],
)
def test_a_note_of_another_shape_is_reported(said: str, cot: Path, tmp_path: Path):
    """The note of an export says what it is not, and what to do."""
    (tmp_path / ".synth-export.json").write_text(said)
    with pytest.raises(UserError, match=r"\.synth-export\.json: this cannot be read(.|\n)*remove it"):
        export_run(cot, "sft", tmp_path)


def test_a_note_of_a_newer_version_is_reported_as_such(cot: Path, tmp_path: Path):
    """Before anything else that is wrong with it."""
    (tmp_path / ".synth-export.json").write_text('{"format": 2, "exports": "of tomorrow"}')
    with pytest.raises(UserError, match="newer version of synth"):
        export_run(cot, "sft", tmp_path)


def test_the_command_line_tells_mistakes_in_words(cot: Path, tmp_path: Path):
    out = tmp_path / "out"
    done = synth("export", cot, "--to", "judge", "--out", out, check=2)
    assert "nothing to export as judge: this run has no verdict of a model with a number" in done.stderr
    done = synth("export", cot, "--to", "sft", "--tags", "<think>", "--out", out, check=2)
    assert "is not OPEN...CLOSE" in done.stderr
    done = synth("export", cot, "--to", "sft", "--weight", "answer=much", "--out", out, check=2)
    assert "'much' is no number" in done.stderr
    assert not out.exists()
    words = ("--target", "both", "--weight", "answer=0.2", "--as-thought", "--per-problem", 1, "--for", "axolotl")
    done = synth("export", cot, "--to", "sft", *words, "--out", out, check=0)
    assert "beside: " in done.stdout
    assert "more than 1 of its problem" in done.stderr
    got = rows(out / "sft.jsonl")
    assert {(r["task"], r["weight"]) for r in got} == {("rationale", 0.8), ("answer", 0.2)}
    (out / "dpo.jsonl").mkdir()
    done = synth("export", cot, "--to", "dpo", "--out", out, check=2)
    assert "dpo.jsonl" in done.stderr
