"""Programs against tests: verdicts, grades, rows of what ran, and replay."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest
from support import ask, run, write_rows, yaml_file

from synth.calls import Executions
from synth.models import ScriptedModel
from synth.sandbox import choose, why_none

pytestmark = pytest.mark.skipif(why_none() is not None, reason="there is no sandbox here")

PIPELINE = """
    pipeline: my/programs
    title: Programs that pass their tests
    roles: {teacher: writes programs}
    steps:
      - {step: generate, samples: SAMPLES, temperature: 0.7}
      - {step: verify_answer}
      - {step: filter, keep: score.correct}
"""


def fenced(code: str, language: str = "python") -> str:
    return f"Let me think.\n\n```{language}\n{code}\n```\n"


async def verified(
    tmp_path: Path, replies: dict[str, list[str]], rows: list[dict[str, Any]], extra: str = ""
) -> dict[str, list[tuple]]:
    """The verdicts on replies, by question: (label, reason)."""
    count: dict[str, int] = {}

    def script(request, rng: random.Random) -> str:
        question = request.task.problem.question
        return replies[question][request.sample]

    samples = max(map(len, replies.values()))
    text = PIPELINE.replace("SAMPLES", str(samples)).replace("{step: verify_answer}", f"{{step: verify_answer{extra}}}")
    path = yaml_file(tmp_path / "p.yaml", text)
    await run(path, write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "run", ScriptedModel(script))
    found: dict[str, list[tuple]] = {}
    query = """SELECT p.question, s.label, s.reason, s.value FROM scores s JOIN rationales r ON r.id = s.target
    JOIN problems p ON p.id = r.problem WHERE s.name = 'correct' ORDER BY p.question, r.sample"""
    for question, *verdict in ask(tmp_path / "run", query):
        found.setdefault(question, []).append(tuple(verdict))
    assert not count
    return found


ADD = {"question": "Write add(a, b).", "tests": ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"]}


async def test_a_program_is_right_where_it_passes_all_tests(tmp_path: Path):
    """Right, wrong with the first failing test, no program, another language."""
    replies = [
        fenced("def add(a, b):\n    return a + b"),
        fenced("def add(a, b):\n    return abs(a) + abs(b)"),
        "It is a sum.",
        fenced("int add(int a, int b) { return a + b; }", "cpp"),
        fenced("def add(a, b):\n    return a - b") + fenced("def add(a, b):\n    return b + a"),
    ]
    found = (await verified(tmp_path, {ADD["question"]: replies}, [ADD]))[ADD["question"]]
    assert [label for label, _, _ in found] == ["right", "wrong", "unparsed", "unparsed", "right"]
    assert found[0][1] == "all 2 tests passed"
    assert found[1][1].startswith("1 of 2 tests failed; test 2: AssertionError")
    assert (found[2][1], found[3][1]) == ("no program found", "the program is in cpp, not in Python")
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(2,)]


async def test_each_run_is_a_row(tmp_path: Path):
    """A row for each test of each program, with its rationale, status and sandbox; programs that are equal run once."""
    good, bad = fenced("def add(a, b):\n    print('hi')\n    return a + b"), fenced("def add(a, b):\n    return 3")
    await verified(tmp_path, {ADD["question"]: [good, bad, good]}, [ADD])
    rows = ask(tmp_path / "run", "SELECT r.sample, e.test, e.status, e.stdout, e.error IS NULL, e.sandbox LIKE '%/%', e.seconds > 0 FROM "
               "executions e JOIN rationales r ON r.id = e.rationale ORDER BY 1, 2")  # fmt: skip
    assert rows == [
        (0, 0, "ok", "hi\n", True, True, True),
        (0, 1, "ok", "hi\n", True, True, True),
        (1, 0, "ok", "", True, True, True),
        (1, 1, "error", "", False, True, True),
    ]


async def test_a_second_run_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Neither when it is resumed, nor when a changed pipeline does the units again."""
    ran: list[int] = []
    close = Executions.close

    async def closed(self: Executions) -> None:
        ran.append(self.ran)
        await close(self)

    monkeypatch.setattr(Executions, "close", closed)
    replies = {ADD["question"]: [fenced("def add(a, b):\n    return a + b"), fenced("def add(a, b):\n    return 3")]}
    await verified(tmp_path, replies, [ADD])
    await verified(tmp_path, replies, [ADD])
    found = await verified(tmp_path, replies, [ADD], extra=", name: check, tolerance: 0.1")
    assert ran == [4, 0, 0]
    assert [label for label, _, _ in found[ADD["question"]]] == ["right", "wrong"]
    await verified(tmp_path, replies, [ADD], extra=", name: check, timeout: 4")
    assert ran[-1] == 4  # other limits may have another outcome


async def test_scripts_read_and_write(tmp_path: Path):
    """A program that reads standard input is compared by what it writes."""
    row = {
        "question": "Sum the numbers of a line.",
        "tests": [{"input": "1 2 3\n", "output": "6"}, {"input": "4\n", "output": "4\n"}],
    }
    replies = [
        fenced("print(sum(map(int, input().split())))"),
        fenced("import sys\nprint(sum(int(x) for x in sys.stdin.read().split()), '  ')\n"),
        fenced("print(6)"),
        fenced("print(input(), input())"),
    ]
    found = (await verified(tmp_path, {row["question"]: replies}, [row]))[row["question"]]
    labels = (
        ["right", "right", "wrong", "wrong"]
        if any(s.name == "bubblewrap" for s in choose())
        else ["right", "undecided", "wrong", "undecided"]
    )
    assert [label for label, _, _ in found] == labels
    assert found[2][1] == "1 of 2 tests failed; test 2: it wrote 6, not 4"


async def test_calls_are_compared_by_their_values(tmp_path: Path):
    """A value that is equal to everything in the sandbox is not equal out of it."""
    row = {
        "question": "Write f(n).",
        "tests": [{"call": "f(2)", "expected": [2, 4.0]}, {"call": "f(0)", "expected": True}],
    }
    replies = [
        fenced("def f(n):\n    return (n, n * n + 1e-15) if n else True"),
        fenced("class Liar:\n    def __eq__(self, other):\n        return True\ndef f(n):\n    return Liar()"),
        fenced("def f(n):\n    return [n, n * n] if n else 1"),
    ]
    found = (await verified(tmp_path, {row["question"]: replies}, [row]))[row["question"]]
    assert [label for label, _, _ in found] == ["right", "wrong", "wrong"]
    assert found[2][1] == "1 of 2 tests failed; test 2: f(0) is 1, not True"


HUMANEVAL = {
    "question": 'from math import gcd\n\ndef helper(a):\n    return gcd(a, 4)\n\n\ndef f(a: int) -> int:\n    """Twice the helper."""\n',
    "entry_point": "f",
    "test": "def check(candidate):\n    assert candidate(8) == 8\n",
}


async def test_a_question_that_is_code_is_continued(tmp_path: Path):
    """A body alone continues the question; a whole function has the imports and functions that stand before it."""
    replies = [
        fenced("    return 2 * helper(a)"),
        fenced("def f(a):\n    return gcd(a, 4) * 2\n") + fenced("print(f(8))"),
        "    return 2 * helper(a)",
        fenced("    return helper(a)"),
    ]
    found = await verified(tmp_path, {HUMANEVAL["question"].strip(): replies}, [HUMANEVAL])
    assert [label for label, _, _ in found[HUMANEVAL["question"].strip()]] == ["right", "right", "right", "wrong"]


async def test_the_answer_of_a_program_is_compared_as_an_answer(tmp_path: Path):
    """Programs of thought: what they assign, return or print is compared as the kind of the problem."""
    row = {"question": "What is 3 times 4?", "answer": "12"}
    replies = [
        fenced("ans = 3 * 4"),
        fenced("def solver():\n    return 3 * 4.0"),
        fenced("print('working')\nprint(3 * 4)"),
        fenced("ans = 3 + 4"),
        fenced("ans = 1 / 0"),
        "12",
        fenced("x = 12"),
    ]
    found = (await verified(tmp_path, {row["question"]: replies}, [row], ", verifier: program"))[row["question"]]
    assert [label for label, _, _ in found] == ["right", "right", "right", "wrong", "wrong", "unparsed", "unparsed"]
    assert "ZeroDivisionError" in found[4][1]


async def test_no_line_of_a_program_runs_in_this_process(tmp_path: Path):
    """Nothing is compiled, imported or executed here that a model wrote: the interpreter reports each such event to an audit hook."""
    marker = "marker_4711"
    seen: list[str] = []
    hearing = True

    def hook(event: str, arguments: tuple) -> None:
        if hearing and event in {"compile", "exec", "import", "marshal.loads", "pickle.find_class", "code.__new__"}:
            text = "".join(
                part.decode(errors="replace") if isinstance(part, bytes) else part if isinstance(part, str) else
                " ".join((*part.co_names, part.co_filename)) if hasattr(part, "co_names") else ""
                for part in arguments
            )  # fmt: skip
            if marker in text:
                seen.append(event)

    sys.addaudithook(hook)
    code = f"def add(a, b):\n    {marker} = a + b\n    return {marker}"
    program = f"{marker} = 12\nans = {marker}"
    try:
        await verified(
            tmp_path, {ADD["question"]: [fenced(code)]}, [{**ADD, "tests": [f"assert add(1, 2) == 3  # {marker}"]}]
        )
        (tmp_path / "b").mkdir()
        row = {"question": "What is 3 times 4?", "answer": "12"}
        found = await verified(tmp_path / "b", {row["question"]: [fenced(program)]}, [row], ", verifier: program")
        assert found[row["question"]][0][0] == "right"
        assert seen == []
        compile(f"{marker} = 1", "here.py", "exec")  # the hook hears what it is to hear
        assert seen == ["compile"]
    finally:
        hearing = False
