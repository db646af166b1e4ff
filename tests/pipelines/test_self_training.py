"""self_training/crest (arXiv:2411.06387), self-motivated (arXiv:2404.07017), mc-cot (arXiv:2311.14109), and rounds."""

from __future__ import annotations

import json
import math
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from support import ask, endpoint, reply, run, sums, synth, write_rows, yaml_file

from synth.export import export_run
from synth.models import ScriptedModel, World


def near(share: float, expected: float, n: int) -> bool:
    return abs(share - expected) <= 3 * math.sqrt(expected * (1 - expected) / n)


def questions(path: Path, n: int, options: int = 5) -> Path:
    rows = [
        {
            "question": f"Which of those is it in case {i}, with {i * i} of one kind and {7 * i} of another (r{i}x)?",
            "choices": [f"word{j}x{i}" for j in range(options)],
            "answer": "ABCDE"[i % options],
        }
        for i in range(n)
    ]
    return write_rows(path, rows)


def preset(path: Path, base: str, **override) -> Path:
    return yaml_file(path, f"pipeline: my/preset\nextends: {base}\noverride: {json.dumps(override)}\n")


async def test_follow_up_questions_find_out_lucky_guesses_at_a_known_rate(tmp_path: Path):
    """Accepted 0.60, of it 0.8333 sound; with follow-ups right at 0.95 and 0.60, one miss of five allowed, 0.9774 and 0.3370
    of the sound and the lucky pass, and 0.9355 of what passes is sound.
    """
    n, k = 150, 4
    made = preset(
        tmp_path / "p.yaml", "self_training/crest",
        solve={"samples": k}, deduplicate=None, consistent={"keep": "score.correct and score.follow_up_misses <= 1"},
    )  # fmt: skip
    model = ScriptedModel(World(solve_rate=0.5, follow_up_rate=0.95, unsound_follow_up_rate=0.6))
    await run(made, questions(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    folder = tmp_path / "run"
    rows = ask(
        folder,
        "SELECT r.text, r.id IN (SELECT id FROM kept_rationales) FROM rationales r JOIN scores s ON s.target = r.id "
        "WHERE s.name = 'correct' AND s.value = 1",
    )
    assert near(len(rows) / (n * k), 0.60, n * k)
    sound = [(World.is_sound(text), kept) for text, kept in rows]
    assert near(sum(s for s, _ in sound) / len(sound), 0.8333, len(sound))
    passes = {rate: rate**5 + 5 * rate**4 * (1 - rate) for rate in (0.95, 0.6)}
    assert [round(v, 4) for v in passes.values()] == [0.9774, 0.337]
    for is_sound, rate in ((True, 0.95), (False, 0.6)):
        mine = [kept for s, kept in sound if s == is_sound]
        assert near(sum(mine) / len(mine), passes[rate], len(mine))
    kept = [s for s, kept in sound if kept]
    purity = 0.8333 * passes[0.95] / (0.8333 * passes[0.95] + 0.1667 * passes[0.6])
    assert round(purity, 4) == 0.9355
    assert near(sum(kept) / len(kept), purity, len(kept))
    # Only right answers are questioned, and of each every option once.
    asked = ask(folder, "SELECT count(*), count(DISTINCT key) FROM calls WHERE step = 'follow_up'")
    assert asked == [(5 * len(rows), 5 * len(rows))]


@pytest.mark.parametrize(
    ("says", "share", "misses", "balanced"),
    [
        (lambda gold, option: "Yes" if option == gold else "No", 1.0, 0, 1.0),
        (lambda gold, option: "No", 0.75, 1, 0.5),  # always no
        (lambda gold, option: "Yes.", 0.25, 3, 0.5),
        (lambda gold, option: "It is notable" if option == gold else "cannot be ruled out", 0.0, 4, 0.0),
        (lambda gold, option: "No" if option == gold else "Yes", 0.0, 4, 0.0),
    ],
)
async def test_follow_ups_are_counted_by_option(tmp_path: Path, says, share, misses, balanced):
    def script(request, rng):
        task = request.task
        return (
            says(task.problem.answer, task.hint)
            if task.kind == "follow_up"
            else f"So.\nThe answer is {task.problem.answer}."
        )

    model = ScriptedModel(script, capabilities=frozenset({"chat"}))
    made = preset(tmp_path / "p.yaml", "self_training/crest", solve={"samples": 1})
    await run(made, questions(tmp_path / "in.jsonl", 1, 4), tmp_path / "run", model)
    scores = dict(ask(tmp_path / "run", "SELECT name, value FROM scores WHERE step = 'follow_up'"))
    assert scores == {"follow_up": share, "follow_up_misses": misses, "follow_up_balanced": balanced}
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(int(balanced > 0.5),)]


async def test_pools_of_pairs_have_their_sizes_and_are_mixed_exactly(tmp_path: Path):
    made = preset(
        tmp_path / "p.yaml", "self_training/crest",
        solve={"samples": 6}, by_outcome={"limit": 99}, by_consistency={"limit": 99}, mixed_pairs=None,
    )  # fmt: skip
    model = ScriptedModel(World(solve_rate=0.5))
    rows = questions(tmp_path / "in.jsonl", 60)
    await run(made, rows, tmp_path / "run", model)
    found = ask(
        tmp_path / "run",
        "SELECT r.problem, r.text, s.value, f.value FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct' "
        "LEFT JOIN scores f ON f.target = r.id AND f.name = 'follow_up'",
    )
    # Z has c (k - c) pairs a problem, the other pool the sum over a > b of n_a n_b.
    by_problem: dict[str, list] = {}
    for problem, text, right, share in found:
        by_problem.setdefault(problem, []).append((text, right, share))
    outcome = sum(len({t for t, r, _ in rs if r}) * len({t for t, r, _ in rs if not r}) for rs in by_problem.values())
    consistency = 0
    for rs in by_problem.values():
        levels = Counter(share for _, share in {(t, s) for t, r, s in rs if r})
        consistency += sum(levels[a] * levels[b] for a in levels for b in levels if a > b)
    assert dict(ask(tmp_path / "run", "SELECT step, count(*) FROM pairs GROUP BY 1")) == {
        "by_outcome": outcome,
        "by_consistency": consistency,
    }
    assert ask(tmp_path / "run", "SELECT DISTINCT reason, margin > 0 FROM pairs ORDER BY 1") == [
        ("correctness", True),
        ("score follow_up", True),
    ]

    mixed = preset(
        tmp_path / "p.yaml",
        "self_training/crest",
        solve={"samples": 6},
        by_outcome={"limit": 99},
        by_consistency={"limit": 99},
    )
    await run(mixed, rows, tmp_path / "run", model)
    kept = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM kept_pairs GROUP BY 1"))
    whole = min(consistency / 0.6, outcome / 0.4)
    assert kept == {"by_consistency": round(whole * 0.6), "by_outcome": round(whole * 0.4)}
    out = dict(ask(tmp_path / "run", "SELECT rule, count(*) FROM rejections WHERE step = 'mixed_pairs' GROUP BY 1"))
    assert sum(out.values()) == outcome + consistency - sum(kept.values())


async def test_a_pool_without_pairs_is_left_out_of_the_mix(tmp_path: Path):
    """The follow-ups of a student that always says no tell nothing: no pairs by consistency, and nothing to fine-tune on."""
    world = World(solve_rate=0.5)

    def always_no(request, rng):
        return "No" if request.task.kind == "follow_up" else world(request, rng)

    model = ScriptedModel(always_no, capabilities=frozenset({"chat", "seed"}))
    made = preset(tmp_path / "p.yaml", "self_training/crest", solve={"samples": 4})
    await run(made, questions(tmp_path / "in.jsonl", 10), tmp_path / "run", model)
    pairs = dict(ask(tmp_path / "run", "SELECT step, count(*) FROM pairs GROUP BY 1"))
    assert set(pairs) == {"by_outcome"}
    assert dict(ask(tmp_path / "run", "SELECT step, count(*) FROM kept_pairs GROUP BY 1")) == pairs
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(0,)]


async def test_ranks_by_answer_make_c_times_w_pairs_and_a_hint_only_where_all_failed(tmp_path: Path):
    n = 80
    model = ScriptedModel(World(solve_rate=0.25, hint_rate=0.5))
    await run("self_training/self-motivated", sums(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    folder = tmp_path / "run"
    counts = ask(
        folder,
        "SELECT problem, sum(s.value)::INT, count(*), bool_or(hinted) FROM rationales r JOIN scores s ON s.target = r.id AND s.name = 'correct' GROUP BY 1",
    )
    pairs = dict(ask(folder, "SELECT problem, count(*) FROM pairs GROUP BY 1"))
    assert all(pairs.get(p, 0) == c * (k - c) for p, c, k, _ in counts)
    assert all((k == 9) == hinted for _, _, k, hinted in counts)
    unhinted = dict(
        ask(
            folder,
            "SELECT r.problem, sum(s.value) FROM rationales r JOIN scores s ON s.target = r.id WHERE r.step = 'solve' GROUP BY 1",
        )
    )
    assert all((unhinted[p] == 0) == hinted for p, _, _, hinted in counts)
    assert any(hinted for *_, hinted in counts)
    crossed = "SELECT count(*) FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales d ON d.id = p.rejected WHERE c.problem <> d.problem"
    assert ask(folder, crossed) == [(0,)]


async def test_the_medoid_of_the_majority_is_kept_and_two_stages_are_exported(tmp_path: Path):
    texts = [
        "We count to three and see two.",
        "We count to three and see them.",
        "We count to three and see two now.",
        "Elephants sing.",
        "Away.",
    ]

    def script(request, rng):
        i = request.sample
        return f"{texts[i]}\nThe answer is {'B' if i == 4 else 'A'}."

    await run("self_training/mc-cot", questions(tmp_path / "in.jsonl", 1, 3), tmp_path / "run", ScriptedModel(script))
    folder = tmp_path / "run"
    assert ask(folder, "SELECT text FROM kept_rationales") == [(texts[0],)]
    scores = dict(
        ask(
            folder,
            "SELECT r.text, s.value FROM scores s JOIN rationales r ON r.id = s.target WHERE s.name = 'consensus'",
        )
    )
    assert set(scores) == set(texts[:4])  # the minority is out before
    assert scores[texts[3]] == 0
    assert max(scores, key=scores.get) == texts[0]
    assert synth("export", folder, "--to", "sft", "--stages", "two", "--out", tmp_path / "out", check=0)
    rows = [json.loads(line) for line in (tmp_path / "out" / "sft.jsonl").read_text().splitlines()]
    assert [r["task"] for r in rows] == ["rationale", "answer"]
    assert rows[0]["messages"][-1]["content"] == texts[0]
    assert texts[0] in rows[1]["messages"][0]["content"]
    assert rows[1]["messages"][-1]["content"] == "The answer is A."
    assert len(export_run(folder, "sft", tmp_path / "one").path.read_text().splitlines()) == 1


async def test_consensus_of_equal_texts_is_one(tmp_path: Path):
    model = ScriptedModel(lambda request, rng: "So it is.\nThe answer is A.")
    await run("self_training/mc-cot", questions(tmp_path / "in.jsonl", 1, 3), tmp_path / "run", model)
    assert {v for (v,) in ask(tmp_path / "run", "SELECT value FROM scores WHERE name = 'consensus'")} == {1.0}


async def test_refining_keeps_p_and_r_of_the_rest_and_pairs_each_revision_with_what_it_mends(tmp_path: Path):
    p, r, n = 0.5, 0.6, 200
    model = ScriptedModel(World(solve_rate=p, revise_rate=r))
    await run("self_training/refine", sums(tmp_path / "in.jsonl", n), tmp_path / "run", model)
    folder = tmp_path / "run"
    kept = dict(ask(folder, "SELECT step, count(*) FROM kept_rationales GROUP BY 1"))
    assert near(kept["solve"] / n, p, n)
    assert near(sum(kept.values()) / n, p + (1 - p) * r, n)
    calls = dict(ask(folder, "SELECT step, count(*) FROM calls GROUP BY 1"))
    assert calls == {"solve": n, "critique": n - kept["solve"], "revise": n - kept["solve"]}
    pairs = ask(
        folder,
        "SELECT p.reason, c.parent = d.id, c.step FROM pairs p JOIN rationales c ON c.id = p.chosen JOIN rationales d ON d.id = p.rejected",
    )
    assert len(pairs) == kept["revise"]
    assert set(pairs) == {("revision", True, "revise")}


def test_a_method_for_options_is_refused_without(tmp_path: Path):
    done = synth(
        "run",
        "crest",
        "--input",
        sums(tmp_path / "in.jsonl", 2),
        "--run",
        tmp_path / "run",
        "--model",
        "scripted",
        check=2,
    )
    assert "choices" in done.stderr


TRAIN = """
import json, os, pathlib, sys
rows = [json.loads(l) for l in open(os.environ["SYNTH_DATA"] + "/sft.jsonl")]
number = int(os.environ["SYNTH_ROUND"])
print("trained on", len(rows), "rows of", os.environ["SYNTH_STUDENT"])
marker = pathlib.Path(sys.argv[1])
if number == 2 and not marker.exists():
    marker.touch()
    sys.exit("out of memory")
url = os.environ["SYNTH_STUDENT"].split("#")[0]
if "say nothing" not in sys.argv:
    pathlib.Path(os.environ["SYNTH_OUT"], "student.txt").write_text(f"{url}#student-{number}\\n")
"""


def test_rounds_train_on_what_was_kept_and_go_on_where_training_failed(tmp_path: Path):
    """The stand-in trains a student that solves more: 0.3, 0.6, 0.9."""
    knows = {"base": 0.3, "student-1": 0.6, "student-2": 0.9}
    n = 60

    async def answer(request, body):
        question = body["messages"][-1]["content"]
        case = int(question.split("Case ")[1].split(":")[0])
        luck = random.Random(f"{body['model']} {case}").random()
        right = luck < knows[body["model"]]
        return reply(f"It is {case}.\nThe answer is {case * 10 + 5 if right else 1}.")

    script, marker = tmp_path / "train.py", tmp_path / "failed"
    script.write_text(TRAIN)
    with endpoint(answer) as (url, seen):
        words = (
            "rounds", "star", "--input", sums(tmp_path / "in.jsonl", n), "--run", tmp_path / "rounds", "--rounds", "3",
            "--model", f"student={url}#base", "--train", f"{sys.executable} {script} {marker}",
        )  # fmt: skip
        stopped = synth(*words, check=3)
        assert "the training command of round 2 ended with 1" in stopped.stderr
        assert "out of memory" in stopped.stderr
        asked = len(seen)
        done = synth(*words, check=0)
        # The second round is not asked again, the first neither run nor trained.
        assert {b["model"] for b in seen[asked:]} == {"student-2"}
        assert "round 3 of 3, student: " in done.stdout
        before = len(seen)
        again = synth(*words, check=0)
        assert len(seen) == before
        assert "trained on" not in again.stdout
    kept = []
    for k in (1, 2, 3):
        folder = tmp_path / "rounds" / f"round-{k}"
        kept.append(ask(folder / "run", "SELECT count(*) FROM kept_rationales WHERE NOT hinted")[0][0])
        rows = (folder / "data" / "sft.jsonl").read_text().splitlines()
        assert (
            f"trained on {len(rows)} rows of {url}#{['base', 'student-1', 'student-2'][k - 1]}"
            in (folder / "train.log").read_text()
        )
    assert all(near(share / n, p, n) for share, p in zip(kept, (0.3, 0.6, 0.9), strict=True))
    assert kept == sorted(kept)


@pytest.mark.parametrize(
    ("more", "code", "what"),
    [
        (("--train", "true"), 3, "did not say which student it made"),
        (("--train", "true", "--role", "nobody"), 2, "no role 'nobody'"),
        (("--train", "true", "--to", "tea"), 2, "no contract 'tea'"),
        (("--train", "no-such-command-here"), 3, "ended with 127"),
    ],
)
def test_what_is_wrong_with_rounds_is_told(tmp_path: Path, more, code, what):
    rows = sums(tmp_path / "in.jsonl", 3)
    done = synth(
        "rounds",
        "star",
        "--input",
        rows,
        "--run",
        tmp_path / "r",
        "--rounds",
        "1",
        "--model",
        "scripted",
        *more,
        check=code,
    )
    assert what in " ".join(done.stderr.split())
