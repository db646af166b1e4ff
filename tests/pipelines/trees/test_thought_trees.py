"""trees/thought-trees (arXiv:2406.19949): closed forms of votes, branches and pairs; rubrics."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from methods import code_of
from methods import preset as preset_of
from support import ROOT, ask, run, synth, write_rows

from synth.export import export_run
from synth.measures import quadratic_weighted_kappa
from synth.models import Completion, ScriptedModel
from synth.records import Problem

read_rubric = code_of("trees/thought-trees").read_rubric
Q = (0.97, 0.9, 0.05, 0.5)
"""How likely a vote is a yes, by element."""
VOTES = 10
RULE = "3 if count >= 3 else count"
WORDS = ("alpha", "beta", "gamma", "delta")


def marker(q=Q, *, names=WORDS, capabilities=frozenset({"chat", "json_schema", "seed"}), said=None):
    """A model whose votes on the element that names a word are yes at a known rate."""

    def script(request, rng):
        task, asked = request.task, request.messages[-1]["content"]
        if task.hint is None:
            chance = q[next(i for i, w in enumerate(names) if asked.rstrip().endswith(f"{w}?"))]
            decision = "yes" if rng.random() < chance else "no"
            return json.dumps({"decision": decision}) if task.format == "json" else f"{decision.capitalize()}."
        if request.shape is not None and "reason" in request.shape.model_fields:
            return json.dumps(
                {"reason": f"It is {task.hint}.", "quote": "the answer" if rng.random() < 0.75 else "no such words"}
            )
        return (
            said(request)
            if said
            else json.dumps({"rationale": f'Mark {task.hint}: "the answer".', "mark": task.hint, "suggestion": "More."})
        )

    return ScriptedModel(script, name="marker", capabilities=capabilities)


def answers(path: Path, n: int, gold: str = "3", **more) -> Path:
    rubric = {"elements": [f"Does it say {w}?" for w in WORDS], "rule": RULE, **more}
    rows = [
        {"question": "Say it.", "context": f"This is the answer of case {i}.", "answer": gold, "rubric": rubric}
        for i in range(n)
    ]
    return write_rows(path, rows)


def preset(path: Path, **override) -> Path:
    return preset_of(path, "trees/thought-trees", **override)


def split_chance(q: float) -> float:
    return 1 - q**VOTES - (1 - q) ** VOTES


async def test_branches_leaves_weights_and_pairs_are_those_of_the_closed_forms(tmp_path: Path):
    n = 250
    whole = preset(
        tmp_path / "p.yaml",
        tree={"justify": False, "min_path_weight": 0.0, "max_leaves": 99},
        report=None,
        pair=None,
        verify_answer=None,
        right=None,
    )
    await run(whole, answers(tmp_path / "in.jsonl", n), tmp_path / "run", marker())
    folder = tmp_path / "run"

    # Leaf weights of a tree sum to 1, each path has K decisions, and its mark is the rule's.
    sums_ = ask(
        folder,
        "SELECT n.problem, sum(s.value), count(*) FROM nodes n JOIN scores s ON s.target = n.id AND s.name = 'path_weight' GROUP BY 1",
    )
    assert all(math.isclose(total, 1) for _, total, _ in sums_)
    assert ask(folder, "SELECT DISTINCT depth FROM nodes WHERE terminal") == [(3,)]
    assert ask(folder, "SELECT DISTINCT value FROM scores WHERE name = 'pruned_mass'") == [(0.0,)]
    paths = ask(
        folder,
        """SELECT d.problem, [a.decision, b.decision, c.decision, d.decision], d.answer, s.value, a.value * b.value * c.value * d.value
        FROM nodes d JOIN nodes c ON c.id = d.parent JOIN nodes b ON b.id = c.parent JOIN nodes a ON a.id = b.parent
        JOIN scores s ON s.target = d.id AND s.name = 'path_weight' WHERE d.terminal""",
    )
    assert len(paths) == sum(leaves for *_, leaves in sums_)
    for _, decisions, mark, weight, product_of_shares in paths:
        assert mark == str(min(3, decisions.count("yes")))
        assert math.isclose(weight, product_of_shares)

    # P(branch at j) = 1 - q^n - (1 - q)^n, E[leaves] = prod (1 + P_j) = 5.837, E[w(1, 1, 0, 1)] = 0.4147.
    leaves = [count for *_, count in sums_]
    expected = math.prod(1 + split_chance(q) for q in Q)
    assert round(expected, 3) == 5.837
    spread = math.sqrt((math.prod(1 + 3 * split_chance(q) for q in Q) - expected**2) / n)
    assert abs(sum(leaves) / n - expected) <= 3 * spread
    weight = sum(w for _, d, _, w, _ in paths if d == ["yes", "yes", "no", "yes"]) / n
    truth = Q[0] * Q[1] * (1 - Q[2]) * Q[3]
    assert round(truth, 4) == 0.4147
    assert abs(weight - truth) <= 3 * math.sqrt(truth * (1 - truth) / VOTES / n) * 1.5

    # Exact yields by going through {yes only, no only, both}^4: pairs 0.9992 with gold 3.
    kinds = dict.fromkeys(("both", "better", "worse"), 0.0)
    for case in product(*([("y", q**VOTES), ("n", (1 - q) ** VOTES), ("yn", split_chance(q))] for q in Q)):
        marks = {min(3, sum(d == "y" for d in path)) for path in product(*(kind for kind, _ in case))}
        kind = "both" if 3 in marks and marks != {3} else "better" if 3 in marks else "worse"
        kinds[kind] += math.prod(p for _, p in case)
    assert [round(v, 4) for v in kinds.values()] == [0.9992, 0.0003, 0.0006]
    by_tree: dict[str, set[str]] = {}
    for tree, _, mark, _, _ in paths:
        by_tree.setdefault(tree, set()).add(mark)
    paired = sum("3" in marks and marks != {"3"} for marks in by_tree.values())
    assert abs(paired / n - kinds["both"]) <= 3 * math.sqrt(kinds["both"] * (1 - kinds["both"]) / n) + 1 / n

    # The two predictions of a tree.
    mine = {p: max(rest, key=lambda r: r[0])[1] for p, rest in _by_problem(paths, lambda d: (d[3], d[2])).items()}
    told = dict(ask(folder, "SELECT target, label FROM scores WHERE name = 'max_path'"))
    heaviest = {p: max(r[0] for r in rest) for p, rest in _by_problem(paths, lambda d: (d[3], d[2])).items()}
    assert all(
        told[p] == mine[p] or sum(math.isclose(r[0], heaviest[p]) for r in rest) > 1
        for p, rest in _by_problem(paths, lambda d: (d[3], d[2])).items()
    )
    summed = dict(ask(folder, "SELECT target, value FROM scores WHERE name = 'sum_by_answer'"))
    for p, rest in _by_problem(paths, lambda d: (d[3], d[2])).items():
        totals: Counter = Counter()
        for w, mark in rest:
            totals[mark] += w
        assert math.isclose(summed[p], max(totals.values()))


def _by_problem(paths, pick):
    found: dict[str, list] = {}
    for path in paths:
        found.setdefault(path[0], []).append(pick(path))
    return found


async def test_the_whole_pipeline_keeps_faithful_reports_and_pairs_siblings(tmp_path: Path):
    n = 30

    def said(request):
        mark = request.task.hint
        number = int(request.task.problem.context.split("case ")[1].rstrip("."))
        told = {0: {"mark": "9"}, 1: {"rationale": 'It says "what nobody wrote".'}}.get(number % 5, {})
        return json.dumps(
            {
                "rationale": f'The mark is {mark}, see "the ANSWER of case {number}". Path {request.messages[-1]["content"].count(" yes.")}.',
                "mark": mark,
                "suggestion": "Say more.",
                **told,
            }
        )

    full = preset(tmp_path / "p.yaml", tree={"min_path_weight": 0.0})
    await run(full, answers(tmp_path / "in.jsonl", n), tmp_path / "run", marker(said=said))
    folder = tmp_path / "run"
    rejected = dict(
        ask(
            folder,
            "SELECT rule, count(DISTINCT r.problem) FROM rejections x JOIN rationales r ON r.id = x.target WHERE x.step = 'report' GROUP BY 1",
        )
    )
    assert rejected == {"states the mark of its path": 6, "quotes only what is there": 6}
    sides = ask(
        folder,
        "SELECT c.answer, d.answer, c.problem = d.problem, p.margin, p.reason, p.problem FROM kept_pairs p "
        "JOIN rationales c ON c.id = p.chosen JOIN rationales d ON d.id = p.rejected",
    )
    assert len(sides) > 30
    assert all(
        c == "3" and d != "3" and same and margin == 3 - int(d) and reason == "siblings"
        for c, d, same, margin, reason, _ in sides
    )
    assert max(Counter(p for *_, p in sides).values()) == 3
    assert ask(folder, "SELECT DISTINCT answer FROM kept_rationales") == [("3",)]
    # At full mark there is nothing to suggest.
    assert ask(
        folder,
        "SELECT DISTINCT answer = '3', text LIKE '%Suggestion%' FROM rationales WHERE step = 'report' ORDER BY ALL",
    ) == [(False, True), (True, False)]
    # Quotations of justifications are looked up.
    quoted = dict(ask(folder, "SELECT label, count(*) FROM scores WHERE name = 'quoted' GROUP BY 1"))
    assert abs(quoted["found"] / sum(quoted.values()) - 0.75) < 3 * math.sqrt(0.75 * 0.25 / sum(quoted.values()))
    assert ask(
        folder,
        "SELECT DISTINCT n.quote, s.label FROM nodes n JOIN scores s ON s.target = n.id AND s.name = 'quoted' ORDER BY ALL",
    ) == [("no such words", "missing"), ("the answer", "found")]
    rows = [json.loads(line) for line in export_run(folder, "sft", tmp_path / "out").path.read_text().splitlines()]
    asked = rows[0]["messages"][0]["content"]
    assert all(f"Does it say {w}?" in asked for w in WORDS)
    assert {
        json.loads(line)["label"] for line in export_run(folder, "kto", tmp_path / "out").path.read_text().splitlines()
    } == {True, False}


async def test_what_is_pruned_is_reported(tmp_path: Path):
    few = preset(
        tmp_path / "p.yaml",
        tree={"justify": False, "max_leaves": 3, "min_path_weight": 0.12},
        report=None,
        pair=None,
        verify_answer=None,
        right=None,
    )
    await run(few, answers(tmp_path / "in.jsonl", 40), tmp_path / "run", marker())
    folder = tmp_path / "run"
    for problem, mass in ask(folder, "SELECT target, value FROM scores WHERE name = 'pruned_mass'"):
        leaves = f"n.problem = '{problem}' AND n.id NOT IN (SELECT target FROM rejections)"
        weights = "FROM scores s JOIN nodes n ON n.id = s.target WHERE s.name = 'path_weight'"
        alive = ask(folder, f"SELECT coalesce(sum(s.value), 0), count(*), min(s.value) {weights} AND {leaves}")
        assert math.isclose(alive[0][0] + mass, 1)
        assert alive[0][1] <= 3
        assert (alive[0][2] or 1) >= 0.12
    assert ask(folder, "SELECT avg(value) > 0.1 FROM scores WHERE name = 'pruned_mass'") == [(True,)]
    assert ask(
        folder,
        "SELECT count(*) > 10, min(observed->>'path_weight') IS NOT NULL FROM rejections WHERE target_table = 'nodes'",
    ) == [(True, True)]


async def test_votes_that_are_neither_are_left_out_and_an_element_without_any_fails_that_branch_only(tmp_path: Path):
    def script(request, rng):
        asked = request.messages[-1]["content"].rstrip()
        if asked.endswith("alpha?"):
            return ["Yes.", "unknown", "no, but yes", "Yes"][request.sample % 4]
        if asked.endswith("beta?"):
            return ["Yes", "No"][request.sample % 2]
        if asked.endswith("gamma?") and "beta? no" in asked:
            return Completion(text="hm", finish="length")
        return "No"

    model = ScriptedModel(script, name="t", capabilities=frozenset({"chat"}))
    bare = preset(
        tmp_path / "p.yaml", tree={"justify": False, "votes": 4}, report=None, pair=None, verify_answer=None, right=None
    )
    await run(bare, answers(tmp_path / "in.jsonl", 1), tmp_path / "run", model)
    folder = tmp_path / "run"
    assert ask(folder, "SELECT depth, decision, value, visits FROM nodes ORDER BY depth, decision DESC") == [
        (0, "yes", 1.0, 2), (1, "yes", 0.5, 4), (1, "no", 0.5, 4), (2, "no", 1.0, 4), (3, "no", 1.0, 4),
    ]  # fmt: skip
    assert ask(folder, "SELECT cause, count(*) FROM failures GROUP BY 1 ORDER BY 1") == [
        ("no_valid_votes", 1),
        ("truncated", 4),
    ]
    assert ask(folder, "SELECT value FROM scores WHERE name = 'pruned_mass'") == [(0.5,)]


async def test_a_branch_sees_the_decisions_taken_on_it(tmp_path: Path):
    for history in ("taken", "none"):
        seen = []
        model = marker((0.5,) * 4)
        inner = model._script
        model._script = lambda request, rng, inner=inner, seen=seen: (seen.append(request), inner(request, rng))[1]
        bare = preset(
            tmp_path / "p.yaml",
            tree={"justify": False, "history": history, "order": "reverse"},
            report=None,
            pair=None,
            verify_answer=None,
            right=None,
        )
        await run(bare, answers(tmp_path / "in.jsonl", 1), tmp_path / history, model)
        asked = {r.messages[-1]["content"] for r in seen if r.messages[-1]["content"].rstrip().endswith("gamma?")}
        assert len(asked) == (2 if history == "taken" else 1)
        assert all(("- Does it say delta? " in a) == (history == "taken") for a in asked)


@pytest.mark.parametrize(
    ("rubric", "answer", "what"),
    [
        ({"elements": ["A?"], "rule": "bravo"}, "1", "names an unknown element 'bravo'"),
        ({"elements": ["A?"], "rule": "count +"}, "1", "does not compile"),
        ({"elements": ["A?"], "rule": "'high'"}, "1", "it has no 'high'"),
        ({"elements": ["A?"], "rule": "1 / (1 - count)"}, "1", "gives no mark"),
        ({"elements": ["A?"], "rule": "'a'.__class__"}, "1", "does not compile"),
        ({"elements": ["A?"], "rule": "range(3) | sum"}, "1", "does not compile"),
        ({"elements": []}, "1", "has no elements"),
        ({"elements": ["A?", 7]}, "1", "not of its form"),
        ({"elements": ["A?"], "rules": "count"}, "1", "not of its form"),
        ({"elements": [{"name": "a", "question": "A?"}, {"name": "a", "question": "B?"}]}, "1", "two elements 'a'"),
        ({"elements": ["A?"], "marks": {"0": "none"}}, "0", "gives the mark 1, which the rubric does not describe"),
        ({"elements": ["A?"]}, "7", "give the gold mark '7'"),
        ({"elements": ["A?"]}, "good", "'good' is not a number"),
        (None, "1", "has no elements"),
    ],
)
def test_a_rubric_that_cannot_be_used_is_reported_before_anything_is_asked(tmp_path: Path, rubric, answer, what):
    good = {"question": "Q", "context": "c", "answer": "1", "rubric": {"elements": ["A?"]}}
    rows = write_rows(tmp_path / "in.jsonl", [good, {**good, "context": "d", "answer": answer, "rubric": rubric}])
    done = synth("run", "thought-trees", "--input", rows, "--run", tmp_path / "run", "--model", "scripted", check=2)
    assert "line 2: " in done.stderr
    assert what in " ".join(done.stderr.split())
    assert not (tmp_path / "run" / "journal").exists()


def test_an_empty_context_is_reported_before_anything_is_asked(tmp_path: Path):
    row = {"question": "Q", "context": " ", "answer": "1", "rubric": {"elements": ["A?"]}}
    done = synth(
        "run",
        "thought-trees",
        "--input",
        write_rows(tmp_path / "in.jsonl", [row]),
        "--run",
        tmp_path / "run",
        "--model",
        "scripted",
        check=2,
    )
    assert "context" in done.stderr


def test_rules_over_named_elements():
    rubric = {
        "elements": [{"name": "data", "question": "D?"}, {"name": "end", "question": "E?"}, "F?"],
        "rule": "(2 if end else 0) + (1 if data or e3 else 0)",
    }
    read = read_rubric(Problem.root(question="q", answer="3", rubric=rubric))
    assert read.mark({"data": False, "end": True, "e3": True}) == "3"
    assert read.mark({"data": True, "end": False, "e3": True}) == "1"
    assert read.best == "3"
    # The published tables: sets 1, 2 and 6 count to three; set 5 asks for more.
    for rule, table in (
        ("3 if count >= 3 else count", "01233"),
        ("3 if count >= 4 else 2 if count == 3 else 1 if count >= 1 else 0", "01123"),
    ):
        read = read_rubric(Problem.root(question="q", rubric={"elements": ["?"] * 4, "rule": rule}))
        assert "".join(read.mark({f"e{i}": i <= yes for i in range(1, 5)}) for yes in range(5)) == table
    # Elements may be the evidence; a rule cannot reach beyond what it is given.
    assert len(read_rubric(Problem.root(question="q", evidence=("A?", "B?"))).elements) == 2
    with pytest.raises(Exception, match=r"unknown element|no mark|compile"):
        read_rubric(Problem.root(question="q", rubric={"elements": ["?"], "rule": "''.__class__.__mro__ | length"}))


async def test_a_reader_of_the_marks_agrees_with_what_was_told(tmp_path: Path):
    """A listener that reads the mark out of each report has a quadratic weighted kappa of 1 with the paths' marks."""
    full = preset(tmp_path / "p.yaml", right=None, pair=None)
    await run(full, answers(tmp_path / "in.jsonl", 20), tmp_path / "run", marker())
    told = ask(tmp_path / "run", "SELECT r.text, n.answer FROM rationales r JOIN nodes n ON n.id = r.node")
    read = [text.split("Mark ")[1][0] for text, _ in told]
    assert quadratic_weighted_kappa([int(m) for m in read], [int(a) for _, a in told]) == 1


def test_the_shipped_marking_sample_can_be_marked():
    for line in (ROOT / "samples" / "marking.jsonl").read_text().splitlines():
        row = json.loads(line)
        read_rubric(
            Problem.root(question=row["question"], context=row["context"], answer=row["answer"], rubric=row["rubric"])
        )
