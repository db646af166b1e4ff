"""counterfactual/poda (arXiv:2409.14495): the organise stage case by case, micro-worlds whose truth is decided, invariants."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import hypothesis.strategies as st
import jsonschema
import polars as pl
import pytest
from hypothesis import given
from methods import code_of, near
from support import ROOT, ask, run, synth, write_rows, yaml_file

from synth.errors import UserError
from synth.export import ExportOptions, export_run
from synth.models import Completion, ScriptedModel, World
from synth.models.structured import Unreadable, read_structured
from synth.pipeline import load_pipeline
from synth.records import Problem

PARTS = code_of("poda")
Analysis, _Premises, analysis_shape, relation_in = (
    PARTS.Analysis,
    PARTS._Premises,
    PARTS.analysis_shape,
    PARTS.relation_in,
)
asks_for_exception, organise, share_changed = PARTS.asks_for_exception, PARTS.organise, PARTS.share_changed
S, C, U, M = "supported", "contradicted", "unrelated", "mixed"

# Of five premises the gold option cites 1 and 2 (or none), the other option 2 and 3 (or none): what stays. By hand from
# the rule as published: first what is not the gold option's (or, where it is unrelated, what is), then less what the
# other option cites, unless its relation lets the rest stand.
CITED = {
    (S, S): [3, 4, 5], (S, C): [4, 5], (S, U): [3, 4, 5], (S, M): [4, 5],
    (C, S): [4, 5], (C, C): [3, 4, 5], (C, U): [3, 4, 5], (C, M): [4, 5],
    (U, S): [1], (U, C): [1], (U, U): [1, 2], (U, M): [1],
    (M, S): [4, 5], (M, C): [4, 5], (M, U): [3, 4, 5], (M, M): [4, 5],
}  # fmt: skip


@pytest.mark.parametrize(("gold", "other"), CITED)
def test_what_stays_when_both_cite(gold, other):
    assert organise(5, (gold, [1, 2]), (other, [2, 3])) == CITED[gold, other]


# Without a citation an option counts as citing all: (gold cites, other cites) where one or both cite none.
UNCITED = {
    (S, S): ([], [3, 4, 5], []), (S, C): ([], [], []), (S, U): ([], [3, 4, 5], []), (S, M): ([], [], []),
    (C, S): ([], [], []), (C, C): ([], [3, 4, 5], []), (C, U): ([], [3, 4, 5], []), (C, M): ([], [], []),
    (U, S): ([1, 4, 5], [], []), (U, C): ([1, 4, 5], [], []), (U, U): ([1, 2, 3, 4, 5], [1, 2], [1, 2, 3, 4, 5]), (U, M): ([1, 4, 5], [], []),
    (M, S): ([], [], []), (M, C): ([], [], []), (M, U): ([], [3, 4, 5], []), (M, M): ([], [], []),
}  # fmt: skip


@pytest.mark.parametrize(("gold", "other"), UNCITED)
def test_what_stays_when_one_or_both_cite_nothing(gold, other):
    cites = (([], [2, 3]), ([1, 2], []), ([], []))
    found = tuple(organise(5, (gold, g), (other, o)) for g, o in cites)
    assert found == UNCITED[gold, other]


def test_the_released_cases_where_gold_is_supported_and_the_others_unrelated():
    """What gold does not cite stays, for each of the wrong options."""
    for premises, cited, kept in ((3, [2], [1, 3]), (2, [2], [1]), (3, [1, 2, 3], []), (3, [3], [1, 2])):
        assert organise(premises, (S, cited), (U, [1])) == kept


@given(st.integers(1, 8), st.sampled_from([S, C, U, M]), st.sampled_from([S, C, U, M]), st.data())
def test_what_made_the_gold_option_right_never_stays(n, gold, other, data):
    cites = data.draw(st.sets(st.integers(1, n)))
    kept = organise(n, (gold, cites), (other, data.draw(st.sets(st.integers(1, n)))))
    assert kept == sorted(set(kept))
    assert set(kept) <= set(range(1, n + 1))
    if gold != U:
        assert not set(kept) & (cites or set(range(1, n + 1)))


@pytest.mark.parametrize(
    ("said", "relation"),
    [
        ("supported by premises 1 and 3", S), ("Supports.", S), ("not supported", U), ("unsupported by the passage", U),
        ("isn't really supported", U), ("contradicted by 2", C), ("not contradicted, but supported by 1", S),
        ("supported by 1, contradicted by 2", M), ("partly supported", M), ("mixed", M), ("unrelated to 1", U),
        ("neither supported nor contradicted", U), ("no bearing", U), ("irrelevant", U), ("ruled out by 3", C), ("true", None),
    ],
)  # fmt: skip
def test_relations_are_read_with_their_negations(said, relation):
    assert relation_in(said) == relation


WRITTEN = """Premises:
1. Ann has a key.
2. Keys open doors, 3 of them.
Options:
A) She can go in. It follows.
Relation: supported by 1 and 2
B) She cannot.
Relation: contradicted by premise 2
C) She is tall.
Relation: not supported by anything
Conclusion: A is the one.
Answer: (A)"""


def test_a_written_analysis_is_read():
    read = read_structured(WRITTEN, analysis_shape(3))
    assert read.premises == ["Ann has a key.", "Keys open doors, 3 of them."]
    assert [(o.relation, o.premises) for o in read.options] == [(S, [1, 2]), (C, [2]), (U, [])]
    assert read.options[0].analysis == "She can go in. It follows."
    assert (read.conclusion, read.answer) == ("A is the one.", "A")
    text, steps, spans = PARTS.write_analysis(read)
    assert text == "\n".join(steps)
    assert [text[begin:end] for begin, end in spans] == [o.analysis for o in read.options]
    assert text.startswith("Premises:\n1. Ann has a key.\n2. ")
    assert "\nA) She can go in. It follows. (Supported by 1, 2.)\n" in text
    assert len(steps) == 5
    again = read_structured(json.dumps(read.model_dump()), analysis_shape(3))
    assert again.model_dump() == read.model_dump()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would rather not.",
        "Premises:\n1. So.\nOptions:\nnone\nAnswer: A",
        '{"premises": ["a"], "opt',
        "Answer: A",
        "{}",
    ],
)
def test_what_is_no_analysis_is_unreadable(text):
    with pytest.raises(Unreadable):
        read_structured(text, analysis_shape(3))


@given(st.text(st.sampled_from("ABPremisOptions: Answer\n1.)-*")))
def test_whatever_is_written_is_read_or_refused(text):
    for shape in (analysis_shape(2), _Premises):
        try:
            read_structured(text, shape)
        except Unreadable:
            continue


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("C) She is tall.\nRelation: not supported by anything\n", ""), "options"),
        (("B) She cannot", "D) She cannot"), "no JSON object"),
        (("contradicted by premise 2", "contradicted by premise 7"), "cites premise 7, and there are 2"),
        (("contradicted by premise 2", "who knows"), "relation"),
        (("Answer: (A)", "Answer: D"), "answer"),
        (("Answer: (A)", ""), "no JSON object"),
        (("1. Ann has a key.\n2. Keys open doors, 3 of them.\n", ""), "premises"),
    ],
)
def test_an_analysis_that_lacks_something_is_not_patched_up(change, why):
    assert change[0] in WRITTEN
    with pytest.raises(Unreadable, match=why):
        read_structured(WRITTEN.replace(*change), analysis_shape(3))


def test_questions_for_an_exception():
    assert asks_for_exception("Each of the following could be true EXCEPT:")
    assert asks_for_exception("Which is least likely?")
    assert not asks_for_exception("Which of these must be true? It is not raining.")


@given(st.text("ab "), st.text("ab "))
def test_the_share_changed_is_a_share(a, b):
    assert 0 <= share_changed(a, b) <= 1
    assert share_changed(a, a) == 0
    assert share_changed("one two", "three four") == 1
    assert share_changed("a b c d", "a b c e") == 0.25


# Micro-worlds: a passage is facts and rules over atoms, an option is an atom, the question is which follows.
ATOMS = ("p", "q", "r", "s")


def follows(passage: str) -> set[str]:
    """The options that follow from a passage, by forward chaining."""
    known, rules = set(), []
    for sentence in passage.split(". "):
        words = sentence.strip(". ").split()
        if words[:1] == ["If"]:
            rules.append((words[1], words[3]))
        elif len(words) == 2:
            known.add(words[0])
    while new := {b for a, b in rules if a in known} - known:
        known |= new
    return known & set(ATOMS)


def passage(options: set[str], case: int) -> str:
    """A passage from which exactly these options follow, each by a rule."""
    facts = [f"f{case}{o} holds" for o in sorted(options)]
    rules = [f"If f{case}{o} then {o}" for o in ATOMS]
    return ". ".join([f"Case {case} it is", *facts, *rules]) + "."


def worlds(path: Path, n: int) -> Path:
    rows = [
        {
            "question": "Which of these follows?",
            "context": passage({ATOMS[i % 4]}, i),
            "choices": list(ATOMS),
            "answer": "ABCD"[i % 4],
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def solver(problem: Problem) -> str:
    """The letter that follows; a passage from which not exactly one does has none."""
    found = follows(problem.context or "")
    return "ABCD"[ATOMS.index(found.pop())] if len(found) == 1 else "-"


def analysed(answer: str, problem: Problem) -> str:
    options = [
        {"analysis": f"{o} it is.", "relation": S if "ABCD"[i] == answer else U, "premises": [1]}
        for i, o in enumerate(ATOMS)
    ]
    return json.dumps({"premises": ["A fact.", "A rule."], "options": options, "conclusion": "So.", "answer": answer})


def asked_for(request) -> str:
    """What a request asks for: an `analysis`, `premises` or a `passage`."""
    fields = request.shape.model_fields
    return "analysis" if "options" in fields else "premises" if "premises" in fields else "passage"


def inventor(g: float) -> ScriptedModel:
    def script(request, rng):
        task = request.task
        if asked_for(request) == "analysis":
            return analysed(task.problem.answer, task.problem)
        if asked_for(request) == "premises":
            return json.dumps({"premises": [f"{task.hint} is to follow."]})
        target = ATOMS["ABCD".index(task.hint)]
        valid = rng.random() < g
        wrong = {ATOMS["ABCD".index(task.problem.answer)]} | ({target} if rng.random() < 0.5 else set())
        return json.dumps({"passage": passage({target} if valid else wrong, rng.randrange(10**6))})

    return ScriptedModel(script, name="inventor")


def verifier(a: float, b: float) -> ScriptedModel:
    def script(request, rng):
        problem = request.task.problem
        valid = solver(problem) == problem.answer
        yes = rng.random() < (a if valid else b)
        return analysed(problem.answer if yes else rng.choice([x for x in "ABCD" if x != problem.answer]), problem)

    return ScriptedModel(script, name="verifier")


def truth(folder: Path) -> list[tuple[bool, bool]]:
    """Of each derived problem: whether it is valid, and whether it was kept."""
    rows = ask(
        folder, "SELECT context, answer, id IN (SELECT id FROM kept_problems) FROM problems WHERE parent IS NOT NULL"
    )
    return [(follows(context) == {ATOMS["ABCD".index(answer)]}, kept) for context, answer, kept in rows]


@pytest.mark.parametrize(
    ("g", "a", "b", "kept", "pure"), [(0.6, 0.85, 0.05, 0.530, 0.962), (0.4, 0.7, 0.1, 0.340, 0.824)]
)
async def test_yield_and_purity_are_those_of_the_closed_form(tmp_path: Path, g, a, b, kept, pure):
    """Of what is written g a + (1 - g) b are kept, of which g a are valid; the solver decides what is."""
    n = 250
    once = tmp_path / "p.yaml"
    once.write_text("pipeline: my/p\nextends: poda\noverride: {solve_anew: {samples: 1}}\n")
    asked = {"teacher": [inventor(g)], "verifier": [verifier(a, b)]}
    await run(once, worlds(tmp_path / "in.jsonl", n), tmp_path / "run", asked)
    found = truth(tmp_path / "run")
    assert len(found) == 3 * n
    expected = g * a + (1 - g) * b
    assert (round(expected, 3), round(g * a / expected, 3)) == (kept, pure)
    of_kept = [valid for valid, yes in found if yes]
    assert abs(len(of_kept) / len(found) - expected) <= 3 * math.sqrt(expected * (1 - expected) / len(found))
    purity = g * a / expected
    assert abs(sum(of_kept) / len(of_kept) - purity) <= 3 * math.sqrt(purity * (1 - purity) / len(of_kept))
    assert abs(sum(v for v, _ in found) / len(found) - g) <= 3 * math.sqrt(g * (1 - g) / len(found))


async def test_what_always_holds_and_what_is_exported(tmp_path: Path):
    n = 40
    asked = {"teacher": [inventor(0.8)], "verifier": [verifier(0.95, 0.05)]}
    rows = worlds(tmp_path / "in.jsonl", n)
    await run("poda", rows, tmp_path / "run", asked)
    folder = tmp_path / "run"
    same = """SELECT count(*) FROM problems d JOIN problems p ON p.id = d.parent
        WHERE d.question <> p.question OR d.choices <> p.choices OR d.answer = p.answer OR d.unit <> p.id"""
    assert ask(folder, same) == [(0,)]
    assert ask(
        folder,
        "SELECT max(n) FROM (SELECT count(DISTINCT answer) n FROM problems WHERE parent IS NOT NULL GROUP BY parent)",
    ) == [(3,)]
    assert set(
        ask(
            folder,
            "SELECT meta->'counterfactual'->>'removed', meta->'counterfactual'->>'kept' FROM problems WHERE parent IS NOT NULL",
        )
    ) == {("[1]", "[2]")}
    # Every derived problem is kept, or a rejection says what was seen.
    out = "parent IS NOT NULL AND id NOT IN (SELECT id FROM kept_problems)"
    assert ask(folder, f"SELECT count(*) FROM problems WHERE {out} AND id NOT IN (SELECT target FROM rejections)") == [
        (0,)
    ]
    seen = json.loads(ask(folder, "SELECT observed::VARCHAR FROM rejections WHERE step = 'verified' LIMIT 1")[0][0])
    assert set(seen) == {"score.pass_rate", "score.original_follows", "score.changed", "score.copied"}
    # Nobody who solves is told the answer.
    assert ask(
        folder,
        "SELECT count(*) FROM calls WHERE step IN ('analyse', 'solve_anew') AND lower(messages::VARCHAR) LIKE '%right answer is%'",
    ) == [(0,)]

    kept = ask(folder, "SELECT count(*) FROM kept_problems WHERE parent IS NOT NULL")[0][0]
    rows_of = {
        c: [json.loads(line) for line in export_run(folder, c, tmp_path / "out").path.read_text().splitlines()]
        for c in ("sft", "dpo", "contrast", "twins")
    }
    for to, rows in rows_of.items():
        schema = json.loads((ROOT / "schemas" / "export" / f"{to}.json").read_text())
        for row in rows:
            jsonschema.validate(row, schema)
    for to in ("contrast", "twins"):
        table = export_run(folder, to, tmp_path / "out", ExportOptions(file_format="parquet")).path
        assert pl.read_parquet(table).to_dicts() == rows_of[to]
    assert len(rows_of["sft"]) == n + kept
    assert len(rows_of["contrast"]) == kept
    for row in rows_of["contrast"]:
        a, b = row["original"], row["counterfactual"]
        letters = {row["anchor"], b["answer"], *row["positives"]}
        assert (a["answer"], len(letters), len(row["positives"])) == (row["anchor"], 4, 2)
        assert a["prompt"][0]["content"].split("\n\n", 1)[1] == b["prompt"][0]["content"].split("\n\n", 1)[1]
        assert a["prompt"] != b["prompt"]
        for side in (a, b):
            cuts = [side["text"][s["begin"] : s["end"]] for s in side["spans"]]
            assert cuts == [f"{o} it is." for o in ATOMS]
            assert [s["letter"] for s in side["spans"]] == list("ABCD")
            ends = [e for s in side["spans"] for e in (s["begin"], s["end"])]
            assert ends == sorted(ends)
    assert len(rows_of["dpo"]) == kept
    for row in rows_of["dpo"]:
        assert row["reason"] == "counterfactual"
        problem = {r["problem_id"]: r for r in rows_of["twins"]}[row["problem_id"]]
        assert row["prompt"] == problem["prompt"]
        assert row["chosen"][0]["content"].endswith(f"The answer is {problem['answer']}.")
        assert not row["rejected"][0]["content"].endswith(f"The answer is {problem['answer']}.")
    # Whoever ignores the passage and was right at first is wrong on every twin.
    by_unit = {r["unit"]: r["answer"] for r in rows_of["twins"] if r["kind"] == "original"}
    twins = [r for r in rows_of["twins"] if r["kind"] == "counterfactual"]
    assert len(twins) == kept
    assert not any(by_unit[r["unit"]] == r["answer"] for r in twins)


async def test_near_copies_text_about_itself_and_old_answers_that_still_follow_are_out(tmp_path: Path):
    def script(request, rng):
        task = request.task
        if asked_for(request) == "analysis":
            answer = task.problem.answer
            whole = json.loads(analysed(answer, task.problem))
            if task.problem.parent is not None and answer == "D":  # the original's answer is still called supported
                whole["options"][0]["relation"] = S
            return json.dumps(whole)
        if asked_for(request) == "premises":
            return f"- One for {task.hint}.\n- Two."
        copy = f"Passage: {task.problem.context} So."
        return {
            "B": copy,
            "C": "Passage: [Generated text] All is well in this world.",
            "D": "Passage: quite other words and many of them",
        }[task.hint]

    model = ScriptedModel(script, name="t", capabilities=frozenset({"chat"}))
    row = {"question": "Which?", "context": passage({"p"}, 1), "choices": list(ATOMS), "answer": "A"}
    await run("poda", write_rows(tmp_path / "in.jsonl", [row]), tmp_path / "run", model)
    folder = tmp_path / "run"
    assert ask(folder, "SELECT cause, message FROM failures") == [
        ("meta_text", "the passage holds text about itself: '[Generated text]'")
    ]
    scores = ask(
        folder,
        "SELECT p.answer, s.name, s.value FROM scores s JOIN problems p ON p.id = s.target WHERE p.parent IS NOT NULL ORDER BY ALL",
    )
    by_name = {(a, name): value for a, name, value in scores}
    assert by_name["B", "pass_rate"] == by_name["D", "pass_rate"] == 1
    assert by_name["B", "changed"] < 0.1
    assert (by_name["B", "original_follows"], by_name["D", "original_follows"]) == (0, 1)
    assert ask(folder, "SELECT count(*) FROM kept_problems WHERE parent IS NOT NULL") == [(0,)]


async def test_passages_that_hold_the_option_word_for_word_are_out(tmp_path: Path):
    options = ["the cat is black", "the cat is white", "the cat is grey", "it rains"]

    def script(request, rng):
        task = request.task
        if asked_for(request) == "analysis":
            return analysed(task.problem.answer, task.problem)
        if asked_for(request) == "premises":
            return json.dumps({"premises": [f"For {task.hint}."]})
        return json.dumps(
            {
                "passage": {
                    "B": "They say that The cat is white, no more.",
                    "C": "The grey of the cat is plain.",
                    "D": "So it rains and rains.",
                }[task.hint]
            }
        )

    row = {"question": "Which?", "context": "Coal and the cat are alike.", "choices": options, "answer": "A"}
    await run("poda", write_rows(tmp_path / "in.jsonl", [row]), tmp_path / "run", ScriptedModel(script))
    kept = ask(
        tmp_path / "run",
        "SELECT answer, id IN (SELECT id FROM kept_problems) FROM problems WHERE parent IS NOT NULL ORDER BY 1",
    )
    assert kept == [("B", False), ("C", True), ("D", True)]


async def test_only_right_analyses_are_gone_on_from_and_refusals_fail_one_option(tmp_path: Path):
    world = World(solve_rate=0.5, simulators=load_pipeline("poda").simulators)

    def script(request, rng):
        if asked_for(request) == "passage" and request.task.hint == "B":
            return Completion(text="", finish="stop", refusal="No.")
        return world(request, rng)

    rows = [
        {"question": "Which?", "context": passage({ATOMS[i % 4]}, i), "choices": list(ATOMS), "answer": "ABCD"[i % 4]}
        for i in range(30)
    ]
    await run("poda", write_rows(tmp_path / "in.jsonl", rows), tmp_path / "run", ScriptedModel(script, name="t"))
    folder = tmp_path / "run"
    assert ask(
        folder,
        "SELECT count(*) FROM problems d WHERE d.parent IS NOT NULL AND d.parent NOT IN (SELECT problem FROM kept_rationales WHERE step = 'analyse')",
    ) == [(0,)]
    assert ask(folder, "SELECT DISTINCT cause, step FROM failures") == [("refused", "twin")]
    assert ask(folder, "SELECT DISTINCT answer FROM problems WHERE parent IS NOT NULL ORDER BY 1") == [
        ("A",),
        ("C",),
        ("D",),
    ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"context": ""}, "context"),
        ({"choices": ["p", "p", "q"]}, "given twice"),
        ({"choices": None}, "choices"),
        ({"answer": None}, "answer"),
        ({"choices": ["p"]}, "only one choice"),
    ],
)
def test_what_cannot_be_used_is_reported_before_anything_is_asked(tmp_path: Path, change, what):
    row = {"question": "Which?", "context": "It is so.", "choices": list(ATOMS), "answer": "A", **change}
    rows = write_rows(tmp_path / "in.jsonl", [row])
    done = synth("run", "poda", "--input", rows, "--run", tmp_path / "run", "--model", "scripted", check=2)
    assert what in done.stderr
    assert "line 1" in done.stderr


def test_the_solver_of_the_micro_worlds_solves():
    rng = random.Random(1)
    for case in range(50):
        options = {o for o in ATOMS if rng.random() < 0.5}
        assert follows(passage(options, case)) == options


async def test_whoever_still_gives_the_old_answer_says_that_it_follows():
    from synth.records import Rationale, Score
    from synth.steps import Unit
    from synth.steps.pass_rate import PassRate

    root = Problem.root(question="Which?", context="c", choices=ATOMS, answer="A", answer_kind="choice")
    twin = Problem.make(
        unit=root.id, step="t", because=1, question="Which?", context="d", choices=ATOMS, answer="B", parent=root.id
    )
    unit = Unit(root, None, {})
    unit.add([twin])
    for i, (answer, relation) in enumerate([("A", U), ("B", U), ("B", S), ("C", C)]):
        parts = json.loads(analysed(answer, twin))
        parts["options"][0]["relation"] = relation
        made = Rationale.make(
            unit=root.id,
            step="s",
            because=i,
            problem=twin.id,
            author="teacher",
            response="x",
            answer=answer,
            parts=parts,
        )
        right = Score.make(
            unit=root.id, step="s", because=i, target=made.id, name="correct", value=answer == "B", judge="j"
        )
        unit.add([made, right])
    (follows,) = (step for step in load_pipeline("poda").steps if step.step == "original_follows")
    unit.add([*await PassRate(name="pass_rate").run([twin], unit), *await follows.run([twin], unit)])
    assert unit.score(twin, "pass_rate").value == 0.5
    assert unit.score(twin, "original_follows").value == 0.5


async def test_an_own_pipeline_may_use_the_steps_under_other_names(tmp_path: Path):
    """Their prompts come with them; the scripted model answers at the rate at which it solves, and what it writes is read."""
    text = """
        pipeline: my/p
        extends: poda
        steps:
          - {step: analyse_options, name: look, by: teacher}
          - {step: verify_answer}
          - {step: counterfactual, name: other, of: look, by: teacher}
          - {step: filter, of: look, keep: score.correct}
        """
    made = yaml_file(tmp_path / "p.yaml", text)
    n = 60
    model = ScriptedModel(World(solve_rate=0.5), name="t").knowing(load_pipeline(made).simulators)
    await run(made, worlds(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    kept, twins, failed = (
        ask(tmp_path / "run", f"SELECT count(*) FROM {what}")[0][0]
        for what in ("kept_rationales", "problems WHERE parent IS NOT NULL", "failures WHERE step = 'look'")
    )
    assert near(kept / n, 0.5, n)
    assert failed == 0
    assert twins > 0


@pytest.mark.parametrize(
    ("says", "exported"), [("So it is.", 1), ("Yes. The answer is A.", 0)], ids=["elsewhere", "within an option"]
)
async def test_places_of_options_are_data(tmp_path: Path, says, exported):
    """An analysis says in `parts` where in its text each option stands; not where a statement within it is left out of the text."""

    def script(request, rng):
        problem = request.task.problem
        if asked_for(request) == "premises":
            return json.dumps({"premises": [f"Another for {request.task.hint}."]})
        if asked_for(request) == "passage":
            return json.dumps(
                {"passage": f"Quite another text, for {request.task.hint}, that has nothing of the first."}
            )
        whole = json.loads(analysed(problem.answer, problem))
        whole["options"][0]["analysis"] = says if problem.parent is None else "p it is."
        whole["conclusion"] = ""
        return json.dumps(whole)

    row = {"question": "Which?", "context": "Coal is p.", "choices": list(ATOMS), "answer": "A"}
    await run("poda", write_rows(tmp_path / "in.jsonl", [row]), tmp_path / "run", ScriptedModel(script, name="t"))
    folder = tmp_path / "run"
    for text, parts in ask(
        folder,
        "SELECT text, parts FROM rationales WHERE problem NOT IN (SELECT parent FROM problems WHERE parent IS NOT NULL)",
    ):
        spans = [(o["analysis"], o["span"]) for o in json.loads(parts)["options"]]
        assert all(text[begin:end] == words for words, (begin, end) in spans)
    (first,) = ask(folder, "SELECT parts FROM rationales WHERE step = 'analyse'")
    assert all((o["span"] is not None) == bool(exported) for o in json.loads(first[0])["options"])
    kept = ask(folder, "SELECT count(*) FROM kept_problems WHERE parent IS NOT NULL")[0][0]
    assert kept == 3
    if not exported:
        with pytest.raises(UserError, match="says where each option stands"):
            export_run(folder, "contrast", tmp_path / "out")
        return
    assert len(export_run(folder, "contrast", tmp_path / "out").path.read_text().splitlines()) == kept
