"""Searches: the order in which they expand, what they are worth, what they cost, why they end."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from support import ask, contents, run, sums, write_rows, yaml_file

from synth.errors import PipelineError
from synth.models import ScriptedModel, World
from synth.pipeline import load_pipeline
from synth.records import Node
from synth.steps.search import BestFirst, Branch, BreadthFirst, DepthFirst, Scored, Search, Uct, upper_confidence


def test_searches_expand_what_they_say():
    children = {"": [3, 9, 5], "9": [1, 2], "5": [8]}

    def order(search) -> list[str]:
        seen = []
        search.add([Scored(float(v), str(v)) for v in children[""]])
        while found := search.next():
            seen += found
            for node in found:
                search.add([Scored(float(v), str(v)) for v in children.get(node, [])])
        return seen

    assert order(DepthFirst()) == ["9", "2", "1", "5", "8", "3"]
    assert order(BestFirst()) == ["9", "5", "8", "3", "2", "1"]
    assert order(BreadthFirst(2)) == ["9", "5", "8", "2"]


@pytest.mark.data
def test_a_beam_chooses_what_the_released_search_chose(data: Path):
    """The game-of-24 trees of arXiv:2305.10601: at each depth the five of highest value."""
    levels = 0
    for line in (data / "tot_game24_trees.jsonl").read_text().splitlines():
        for step in json.loads(line)["steps"]:
            search = BreadthFirst(5)
            search.add([Scored(v, y) for v, y in zip(step["values"], step["new_ys"], strict=True)])
            chosen = search.next()
            worth = dict(zip(step["new_ys"], step["values"], strict=True))
            assert [worth[y] for y in chosen] == [worth[y] for y in step["select_new_ys"]]
            levels += 1
    assert levels > 100


SEARCH = """
pipeline: my/search
roles: {teacher: solves, judge: judges}
steps:
  - {step: search, OPTIONS}
"""


async def grown(path: Path, options: str, n: int = 6, name: str = "run", **world: Any) -> Path:
    """The run folder of a search over `n` problems by a world with these abilities."""
    made = yaml_file(
        path / f"{name}.yaml",
        SEARCH.replace("OPTIONS", options if "propose" in options else f"segment: lines, {options}"),
    )
    model = ScriptedModel(World(**{"steps": 4, "solve_rate": 0.5, **world}))
    await run(made, sums(path / "in.jsonl", n), path / name, {"teacher": [model], "judge": [model]})
    return path / name


def ended(folder: Path) -> dict[str, int]:
    return dict(ask(folder, "SELECT label, count(*) FROM scores WHERE name = 'search_ended' GROUP BY 1"))


def test_the_upper_confidence_bound_is_that_of_the_formula():
    assert upper_confidence(0.5, 4, 16, 1) == pytest.approx(0.5 + math.sqrt(math.log(16) / 4))
    assert upper_confidence(0.5, 4, 16, 0) == 0.5
    root = Branch()
    for i, (visits, total) in enumerate([(4, 2.0), (1, 0.4), (2, 1.2)]):
        node = Node(id=f"n{i}", unit="u", step="s", problem="p", text=f"step {i}")
        child = Branch(node, root)
        root.attach(child)
        child.visits, child.total = visits, total
    root.visits, root.expanded = 7, True
    bounds = [upper_confidence(q, n, 7, 1) for q, n in ((0.5, 4), (0.4, 1), (0.6, 2))]
    assert max(range(3), key=bounds.__getitem__) == 1
    assert [b.node.text for b in Uct(root, c=1).next()] == ["step 1"]
    assert [b.node.text for b in Uct(root, c=0).next()] == ["step 2"]
    assert [b.node.text for b in Uct(root, c=1, at_once=3).next()] == ["step 1", "step 2", "step 0"]


async def test_values_backed_up_are_means_of_the_outcomes_below(tmp_path: Path):
    folder = await grown(tmp_path, "policy: uct, max_searches: 8, width: 2, root_samples: 4", finish_rate=0.5)
    assert ended(folder).get("max_searches")
    outcomes: dict[tuple[str, ...], list[float]] = {}
    rows = ask(
        folder,
        "SELECT r.id, r.problem, r.steps, s.value FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct'",
    )
    for _, problem, steps, right in rows:
        for n in range(1, len(steps) + 1):
            outcomes.setdefault((problem, *steps[:n]), []).append(right)
    above = {i: (p, t) for i, p, t in ask(folder, "SELECT id, parent, text FROM nodes")}
    children: dict[tuple[str, ...], list[float]] = {}
    shared = 0
    for node, problem, visits, value in ask(folder, "SELECT id, problem, visits, value FROM nodes"):
        path: list[str] = []
        at = node
        while at is not None:
            at, text = above[at]
            path.insert(0, text)
        found = outcomes[(problem, *path)]
        assert (visits, value) == (len(found), pytest.approx(sum(found) / len(found)))
        children.setdefault((problem, *path[:-1]), []).append(value)
        shared += visits > 1
    assert shared > 10
    of_steps = "SELECT target, part.index, value FROM scores WHERE name = 'step_value' AND part IS NOT NULL"
    by_id = {i: (p, tuple(s)) for i, p, s, _ in rows}
    for target, index, value in ask(folder, of_steps):
        problem, steps = by_id[target]
        found = outcomes[(problem, *steps[: index + 1])]
        assert value == pytest.approx(sum(found) / len(found))
    # All of one search are asked once: root, then `width` after each node that was expanded.
    calls = [n for (n,) in ask(folder, "SELECT count(*) FROM calls GROUP BY unit")]
    assert max(calls) == 4 + 7 * 2


async def test_backed_up_values_come_to_the_chances_of_a_known_tree(tmp_path: Path):
    """Every continuation of a sound beginning is right 7 times of 10: the mean over the root's children comes to it."""
    folder = await grown(tmp_path, "policy: uct, root_samples: 60, max_searches: 1", n=10, solve_rate=0.7)
    n, mean = ask(folder, "SELECT sum(visits), sum(value * visits) / sum(visits) FROM nodes WHERE parent IS NULL")[0]
    assert n == 600
    assert abs(mean - 0.7) <= 3 * math.sqrt(0.7 * 0.3 / n)


@pytest.mark.parametrize("at_once", [1, 4])
async def test_the_same_search_twice(tmp_path: Path, at_once: int):
    options = f"policy: uct, max_searches: 9, at_once: {at_once}"
    first, again = [await grown(tmp_path, options, finish_rate=0.5, name=name) for name in ("a", "b")]
    assert contents(first) == contents(again)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("policy: uct, max_calls: 7", "max_calls"),
        ("policy: uct, max_tokens_in_all: 300", "max_tokens_in_all"),
        ("policy: uct, max_nodes: 13", "max_nodes"),
        ("policy: uct, max_searches: 2", "max_searches"),
        ("policy: best, expand: propose, max_calls: 12, max_depth: 9, max_nodes: 999", "max_calls"),
        ("policy: best, expand: propose, max_answers: 1, max_nodes: 999", "max_answers"),
        ("policy: breadth, expand: propose, max_depth: 2", "done"),
        ("policy: uct, max_depth: 1", "done"),
    ],
)
async def test_a_search_says_why_it_ended(tmp_path: Path, options: str, reason: str):
    folder = await grown(tmp_path, options, n=4, finish_rate=0.5)
    assert reason in ended(folder)
    calls = [n for (n,) in ask(folder, "SELECT count(*) FROM calls GROUP BY unit")]
    if "max_calls: 7" in options:
        assert max(calls) == 6  # three at first, then three after a node; three more would be one too many
    if "max_calls: 12" in options:
        assert max(calls) == 12


async def test_a_node_is_valued_by_its_continuations(tmp_path: Path):
    """Line by line, with eight continuations of each: the value of a sound line is how often they come out right."""
    options = "policy: breadth, expand: next_step, evaluate: rollout, samples: 8, width: 2, beam: 2, max_depth: 4"
    folder = await grown(tmp_path, options, n=12, finish_rate=0.6, recover_rate=0)
    sound, unsound = [], []
    for text, parent, value, terminal in ask(folder, "SELECT text, parent, value, terminal FROM nodes"):
        assert terminal or round(value * 8) == value * 8
        if parent is None and not terminal:
            (sound if World.is_sound(text) else unsound).append(value)
    assert set(unsound) <= {0.0}
    assert abs(sum(sound) / len(sound) - 0.6) <= 3 * math.sqrt(0.24 / (8 * len(sound)))
    # The rationales are those that ended.
    assert ask(folder, "SELECT count(*) FROM rationales") == ask(
        folder, "SELECT count(*) FROM nodes WHERE answer IS NOT NULL"
    )


async def test_values_can_be_an_expression_over_evaluators(tmp_path: Path):
    options = "policy: best, expand: next_step, width: 2, max_nodes: 6, samples: 4, judge: judge, evaluations: 1, "
    both = await grown(tmp_path, options + "evaluate: rollout + verdicts / 40", name="both", finish_rate=0.5)
    for (value,) in ask(both, "SELECT value FROM nodes WHERE NOT terminal"):
        parts = [value - v / 40 for v in (20, 0.001)]
        assert any(-1e-9 <= p <= 1 + 1e-9 and abs(p * 4 - round(p * 4)) < 1e-6 for p in parts)
    counted = await grown(tmp_path, options + "evaluate: 1 / (1 + steps | length)", name="counted")
    assert set(ask(counted, "SELECT depth, value FROM nodes")) <= {(d, 1 / (2 + d)) for d in range(9)}
    assert ask(counted, "SELECT count(DISTINCT step) FROM calls") == [(1,)]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"policy": "deepest"}, "there is no policy 'deepest'"),
        ({"evaluate": "verdict"}, "there is no evaluator 'verdict'"),
        ({"policy": "omega", "expand": "propose"}, "the policy omega goes by rollouts"),
        ({"policy": "omega", "evaluate": "outcome"}, "the policy omega goes by rollouts"),
        ({"policy": "breadth", "expand": "rollouts"}, "rollouts make many levels at once, and breadth goes by nodes"),
        ({"policy": "omega", "temperature": 0}, "8 continuations at temperature 0 are one"),
        ({"policy": "uct", "verifier": "nobody"}, "there is no verifier 'nobody'"),
        ({"policy": "uct"}, None),
        ({"policy": "omega"}, None),
        ({}, None),
    ],
)
def test_what_cannot_be_searched_is_refused_before_any_call(options: dict[str, Any], what: str | None):
    found = [said for _, said, _ in Search(**options).problems_with({"teacher": [ScriptedModel(World())]}, ())]
    assert found == ([what] if what else [])


def test_an_expression_with_an_unknown_name_is_a_mistake_of_the_pipeline(tmp_path: Path):
    made = yaml_file(tmp_path / "p.yaml", SEARCH.replace("OPTIONS", "evaluate: rollout + surprise"))
    with pytest.raises(PipelineError, match="surprise"):
        load_pipeline(str(made))


async def test_a_search_by_outcomes_needs_answers_and_one_by_verdicts_none(tmp_path: Path):
    assert Search(policy="uct").needed() == Search(evaluate="rollout + 1").needed() == {"answer"}
    assert Search().needed() == frozenset()
    rows = write_rows(tmp_path / "in.jsonl", [{"question": "What is it?"}])
    made = yaml_file(tmp_path / "p.yaml", SEARCH.replace("OPTIONS", "policy: breadth").replace(", judge: judges", ""))
    await run(made, rows, tmp_path / "run", ScriptedModel(World()))
    assert ask(tmp_path / "run", "SELECT count(*) > 3 FROM nodes") == [(True,)]


VERDICTS = "policy: best, expand: next_step, width: 2, max_nodes: 12, evaluations: 1"


async def test_solutions_of_a_search_by_verdicts_have_their_outcome_as_well(tmp_path: Path):
    folder = await grown(tmp_path, VERDICTS)
    solutions = ask(folder, "SELECT r.answer, p.answer, s.value FROM rationales r JOIN problems p ON p.id = r.problem "
                    "LEFT JOIN scores s ON s.target = r.id AND s.name = 'correct'")  # fmt: skip
    assert {right for _, _, right in solutions} == {0.0, 1.0}
    assert all(right == (own == gold) for own, gold, right in solutions)
    without = yaml_file(tmp_path / "p.yaml", SEARCH.replace("OPTIONS", VERDICTS).replace(", judge: judges", ""))
    rows = write_rows(tmp_path / "open.jsonl", [{"question": "What is 2 + 2?"}])
    said = {"evaluate": '{"verdict": "sure"}'}
    model = ScriptedModel(lambda request, _: said.get(request.task.kind, "The answer is 4."))
    await run(without, rows, tmp_path / "open", model)
    assert ask(tmp_path / "open", "SELECT count(*) > 0 FROM rationales") == [(True,)]
    assert ask(tmp_path / "open", "SELECT count(*) FROM scores WHERE name = 'correct'") == [(0,)]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (VERDICTS, "step_worth"),
        ("policy: uct, max_searches: 3, evaluate: verdicts", "step_worth"),
        ("policy: uct, max_searches: 3, evaluate: rollout + 1, samples: 2", "step_worth"),
        ("policy: uct, max_searches: 3", "step_value"),
        ("policy: uct, max_searches: 3, evaluate: rollout, samples: 2", "step_value"),
        (VERDICTS.replace("evaluations: 1", "evaluate: none"), None),
    ],
)
async def test_only_shares_are_called_values(tmp_path: Path, options: str, name: str | None):
    folder = await grown(tmp_path, options, n=4)
    found = ask(folder, "SELECT DISTINCT name FROM scores WHERE part IS NOT NULL")
    assert found == ([(name,)] if name else [])
    (step,) = load_pipeline(str(tmp_path / "run.yaml")).steps
    assert {"step_value", "step_worth"} & set(step.gives_scores()) == ({name} if name else set())
    if name == "step_value":
        assert ask(folder, "SELECT min(value) >= 0 AND max(value) <= 1 FROM scores WHERE part IS NOT NULL") == [(True,)]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"policy": "breadth", "c": 1, "alpha": 0.5, "length": 9, "max_searches": 3, "root_samples": 2, "samples": 4},
         {"c", "alpha", "length", "max_searches", "root_samples", "samples"}),
        ({"evaluate": "none", "judge": "judge", "evaluations": 2, "evaluate_prompt": "no.j2"}, {"judge", "evaluations", "evaluate_prompt"}),
        ({"policy": "uct", "beam": 2, "samples": 3, "propose_prompt": "no.j2"}, {"beam", "samples", "propose_prompt"}),
        ({"policy": "omega", "c": 1, "width": 2, "max_depth": 3, "min_value": 0.1}, {"c", "width", "max_depth", "min_value"}),
        ({"continue_prompt": "no.j2", "keep": "all"}, {"continue_prompt", "keep"}),
        ({"policy": "uct", "root_samples": 5, "max_calls": 4}, {"max_calls"}),
        ({"policy": "uct", "evaluate": "rollout", "samples": 1022}, {"samples"}),
        ({"evaluate": "0 - verdicts", "evaluations": 0}, {"evaluations"}),
        ({"policy": "uct", "alpha": None, "samples": None, "beam": None}, set()),
        ({"evaluations": 0, "judge": "judge"}, set()),
    ],
)  # fmt: skip
def test_an_option_that_the_search_does_not_use_is_a_mistake(options: dict[str, Any], named: set[str]):
    found = list(Search(**options).problems_with({"teacher": [ScriptedModel(World())]}, ()))
    assert {option for option, _, _ in found} == named


async def test_negative_values_end_no_search(tmp_path: Path):
    below = "policy: best, expand: next_step, width: 2, max_nodes: 12, evaluate: 0 - (steps | length)"
    free = await grown(tmp_path, below, n=2, name="free")
    assert ask(free, "SELECT min(value) <= -2 AND sum(visits) > 2 FROM nodes") == [(True,)]
    held = await grown(tmp_path, below + ", min_value: -0.5", n=2, name="held")
    assert ask(held, "SELECT sum(visits), min(value) FROM nodes") == [(0, -1.0)]


async def test_expansions_are_other_samples_than_those_that_gave_the_value(tmp_path: Path):
    folder = await grown(
        tmp_path, "policy: uct, evaluate: rollout, samples: 2, width: 2, root_samples: 6, max_searches: 4", n=3
    )
    spent = (
        "SELECT sum(CAST(regexp_extract(reason, '([0-9]+) calls', 1) AS INT)) FROM scores WHERE name = 'search_ended'"
    )
    assert ask(folder, "SELECT count(DISTINCT key) FROM calls") == ask(folder, spent)
