"""`synth rounds` over a method: a student that learns, and what is wrong with a round."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from methods import near
from support import ask, endpoint, reply, sums, synth

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
        (("--train", "true", "--to", "tea"), 2, "no format 'tea'"),
        (("--train", "no-such-command-here"), 3, "ended with 127"),
    ],
)
def test_what_is_wrong_with_rounds_is_reported(tmp_path: Path, more, code, what):
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
