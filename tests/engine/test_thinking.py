"""Reasoning models from the call to the row: what the endpoint sent as thought and as response stands in every format."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support import ask, endpoint, sums, synth

from synth.export import ExportOptions, export_dataset, export_run
from synth.records import Rationale
from synth.store.database import open_store

STATEMENTS = ["The answer is {}.", "**Answer:** {}", "\\boxed{{{}}}", "The answer is {}. Hope this helps!"]


def _told(number: int, gold: int) -> tuple[str, str]:
    """A thought unlike every other one, and a response that states an answer: the gold one, but for each fifth."""
    answer = gold if number % 5 else gold + 1
    words = " ".join(f"w{number * 31 + i * i}" for i in range(40))
    return f"Let me see, {words}.\n\nSo it comes to {answer}.", STATEMENTS[number % len(STATEMENTS)].format(answer)


def _message(way: str, thought: str, response: str) -> dict[str, str]:
    return {
        "field": {"content": response, "reasoning_content": thought},
        "tags": {"content": f"<think>\n{thought}\n</think>\n\n{response}"},
        "half": {"content": f"{thought}\n</think>\n\n{response}"},
    }[way]


def _server(way: str):
    numbers = count()

    async def answer(_: web.Request, body: Any) -> web.Response:
        question = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
        number = next(numbers)
        gold = int(question.split("Case ")[1].split(":")[0]) * 10 + 5
        message = {"role": "assistant", **_message(way, *_told(number, gold))}
        usage = {"prompt_tokens": 9, "completion_tokens": 99, "completion_tokens_details": {"reasoning_tokens": 80}}
        return web.json_response(
            {"choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": usage}
        )

    return answer


@pytest.fixture(scope="module", params=["field", "tags", "half"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of fine-tune-cot with an endpoint that delivers its thoughts in one of the three usual ways."""
    folder = tmp_path_factory.mktemp("thinking")
    with endpoint(_server(request.param)) as (url, seen):
        words = ("--input", sums(folder / "in.jsonl", 6), "--model", f"{url}#m", "--run", folder / "run")
        synth("run", "fine-tune-cot", *words, check=0)
        assert len(seen) == 24
    return folder / "run"


def test_no_thought_is_lost(run: Path):
    """Every call makes a rationale whose thought and response are those of the ledger; none is taken for a near-duplicate."""
    rows = ask(
        run, "SELECT r.thought, r.response, c.thought, c.reply, r.text FROM rationales r JOIN calls c ON c.id = r.call"
    )
    assert len(rows) == 24
    for thought, response, sent, reply, text in rows:
        assert (thought, response) == (sent, reply)
        assert thought.startswith("Let me see, w")
        assert thought.endswith(text.rpartition(" ")[2]) or text == "Hope this helps!"
    assert ask(run, "SELECT count(*) FROM rejections WHERE rule LIKE 'near-dup%'") == [(0,)]
    assert ask(run, "SELECT DISTINCT thought_kind, reasoning_tokens FROM calls") == [("raw", 80)]


def test_the_audits_pass(run: Path):
    """No audit fails: nothing was lost, no tags are left, no rationale is without reasoning."""
    verdicts = json.loads(synth("audit", run, "--format", "json").stdout)["verdicts"]
    outcome = {v["name"]: v["status"] for v in verdicts}
    assert [v["name"] for v in verdicts if v["status"] == "failed" and v["severity"] == "error"] == []
    for name in ("thoughts_lost", "control_tokens_kept", "no_reasoning", "unparsed"):
        assert outcome[name] == "passed"


WAYS: list[tuple[str, dict[str, Any]]] = [
    ("sft", {}),
    ("sft", {"thinking": "thinking"}),
    ("sft", {"thinking": "tags"}),
    ("sft", {"layout": "plain"}),
    ("sft", {"shape": "prompt-completion"}),
    ("sft", {"trainer": "llama-factory"}),
    ("sft", {"trainer": "openai"}),
    ("sft", {"file_format": "parquet"}),
    ("dpo", {}),
    ("dpo", {"layout": "plain"}),
    ("dpo", {"trainer": "axolotl"}),
    ("kto", {}),
    ("reward", {}),
    ("reward", {"trainer": "axolotl"}),
]


def _turns(row: dict[str, Any]) -> list[Any]:
    """The texts of a row that an author wrote: turns of the assistant, or strings that hold them."""
    found: list[Any] = [m for m in row.get("messages") or [] if m["role"] == "assistant"]
    for name in ("completion", "chosen", "rejected", "text", "preferred_output", "non_preferred_output"):
        value = row.get(name)
        found += [value] if isinstance(value, (str, dict)) else list(value or [])
    return found


@pytest.mark.parametrize(("to", "options"), WAYS, ids=str)
def test_every_format_holds_the_thought_and_the_response_of_the_ledger(
    run: Path, tmp_path: Path, to: str, options: dict[str, Any]
):
    """What an author wrote is in the row byte for byte, once, in the place its trainer reads."""
    path = export_run(run, to, tmp_path / "out", ExportOptions(**options)).path
    if path.suffix == ".parquet":
        import polars as pl

        rows = pl.read_parquet(path).to_dicts()
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    with open_store(run) as store:
        written = {(r.thought, r.response) for r in store.records(Rationale)}
    assert rows
    for row in rows:
        assert _turns(row)
        for turn in _turns(row):
            if isinstance(turn, str):
                assert any(turn.endswith(f"<think>\n{t}\n</think>\n\n{r}") for t, r in written)
            elif "</think>" in turn["content"]:
                head, _, response = turn["content"].partition("\n</think>\n\n")
                assert (head.removeprefix("<think>\n"), response) in written
                assert not turn.get("reasoning_content")
            else:
                assert (turn.get("reasoning_content") or turn.get("thinking"), turn["content"]) in written


def test_thoughts_can_be_left_out(run: Path, tmp_path: Path):
    """`--thinking drop` writes the responses alone."""
    synth("export", run, "--to", "sft", "--thinking", "drop", "--out", tmp_path / "out", check=0)
    for line in (tmp_path / "out" / "sft.jsonl").read_text().splitlines():
        (turn,) = _turns(json.loads(line))
        assert set(turn) == {"role", "content"}
        assert "Let me see" not in turn["content"]


def test_rows_load_as_a_data_set(run: Path):
    """The rows load with the thought as a text column of the messages."""
    rows = export_dataset(run, "sft")
    assert rows.num_rows == ask(run, "SELECT count(*) FROM kept_rationales")[0][0] > 10
    assert all(row["messages"][-1]["reasoning_content"].startswith("Let me see") for row in rows)
