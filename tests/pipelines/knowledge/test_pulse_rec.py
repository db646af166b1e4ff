"""knowledge/pulse-rec (arXiv:2510.08626): texts about a user that let a listener find the next item."""

from __future__ import annotations

import json
from pathlib import Path

from methods import near
from support import ask, run, write_rows

from synth.models import ScriptedModel

NAME = "knowledge/pulse-rec"
OPTIONS = 5


def users(path: Path, n: int) -> Path:
    """A file of `n` users who each like one genre, which singles out the held-out item."""
    rows = []
    for i in range(n):
        items = [f"title{i}x{k} of genre{(i + k) % 12}" for k in range(OPTIONS)]
        place = i % OPTIONS
        items[0], items[place] = items[place], items[0]
        rows.append(
            {
                "question": f"What does user {i} take next?",
                "context": f"They took things of genre{i % 12}. Number {i}.",
                "choices": items,
                "answer": "ABCDE"[place],
                "other_history": f"They took things of genre{(i + 7) % 12}. Number {i}.",  # of no item that is offered
            }
        )
    return write_rows(path, rows)


def model(rate: float, leaks: bool = False) -> ScriptedModel:
    """A writer that names the genre of the history at a rate, and a listener that goes by the genre that it reads."""

    def script(request, rng):
        task, shown = request.task, str(request.messages[-1]["content"])
        if request.shape is None:
            genre = shown.split("genre")[1].partition(".")[0]
            title = f" They will take {task.problem.answer_text}." if leaks else ""
            said = f"They like genre{genre} most." if rng.random() < rate else "They like things."
            return f"{said} I say so for the {rng.randrange(10**9)}th time.{title}"
        about = shown.partition("About this person: ")[2].partition("\n")[0].split()
        genres = [word for word in about if word.startswith("genre")]
        letters = [a for a, text in task.problem.lettered_choices if text.split()[-1] in genres]
        return json.dumps({"answer": letters[0] if letters else rng.choice("ABCDE"[:OPTIONS])})

    return ScriptedModel(script)


async def test_hits_are_those_of_named_genres_and_of_chance(tmp_path: Path):
    """hit@1 = a + (1 - a) chance; without a text, and with one about another user, chance alone; kept where only it helps."""
    n, a, chance = 200, 0.6, 1 / OPTIONS
    await run(NAME, users(tmp_path / "in.jsonl", n), tmp_path / "run", model(a))
    shares = {
        name: (value, count)
        for name, value, count in ask(tmp_path / "run", "SELECT name, avg(value), count(value) FROM scores GROUP BY 1")
    }
    hit = a + (1 - a) * chance
    assert near(shares["heard"][0], hit, 4 * n)
    assert near(shares["blind"][0], chance, n)
    assert near(shares["heard_of_another"][0], chance, n)
    assert [shares[name][1] for name in ("heard", "blind", "heard_of_another", "gain")] == [4 * n, n, n, 4 * n]
    kept = ask(
        tmp_path / "run",
        """SELECT r.step, max(s.value) FILTER (s.name = 'heard'), max(s.value) FILTER (s.name = 'gain'),
        (SELECT sum(c.value) FROM scores c WHERE c.target = r.problem AND c.name IN ('blind', 'heard_of_another'))
        FROM kept_rationales r JOIN scores s ON s.target = r.id GROUP BY r.id, r.step, r.problem""",
    )
    assert {tuple(row) for row in kept} == {("why", 1.0, 1.0, 0.0)}
    # The controls hit for 1 - (1 - chance)² of the users; their texts are no better than what they are without.
    of_users = ask(tmp_path / "run", "SELECT count(DISTINCT problem) FROM kept_rationales")[0][0]
    assert near(of_users / n, (1 - chance) ** 2 * (1 - (1 - hit) ** 4), n)


async def test_a_text_that_names_the_item_is_rejected(tmp_path: Path):
    """However well a listener does with it; nobody is asked about it."""
    await run(NAME, users(tmp_path / "in.jsonl", 5), tmp_path / "run", model(1.0, leaks=True))
    assert ask(tmp_path / "run", "SELECT count(*) FROM kept_rationales") == [(0,)]
    rejected = ask(tmp_path / "run", "SELECT count(*) FROM rejections WHERE step = 'names_no_item'")
    assert rejected == [(20,)]
    assert ask(tmp_path / "run", "SELECT count(*) FROM calls WHERE step = 'listen'") == [(0,)]


async def test_nobody_is_shown_more_than_it_may_see(tmp_path: Path):
    """The writer sees no item that is offered; the listener sees neither history."""
    seen: list[tuple[bool, str]] = []
    answers = model(1.0)

    def script(request, rng):
        seen.append((request.shape is None, "".join(str(m["content"]) for m in request.messages)))
        return answers._script(request, rng)

    await run(NAME, users(tmp_path / "in.jsonl", 5), tmp_path / "run", ScriptedModel(script))
    assert seen
    assert not any("title" in text.replace("no title", "") for writes, text in seen if writes)
    assert not any("They took" in text for writes, text in seen if not writes)


async def test_without_another_history_the_other_control_remains(tmp_path: Path):
    rows = [json.loads(line) for line in users(tmp_path / "all.jsonl", 40).read_text().splitlines()]
    given = write_rows(tmp_path / "in.jsonl", [{k: v for k, v in row.items() if k != "other_history"} for row in rows])
    await run(NAME, given, tmp_path / "run", model(1.0))
    names = dict(ask(tmp_path / "run", "SELECT name, count(*) FROM scores GROUP BY 1"))
    assert set(names) == {"heard", "blind", "gain"}
    blind = ask(tmp_path / "run", "SELECT sum(value) FROM scores WHERE name = 'blind'")[0][0]
    assert ask(tmp_path / "run", "SELECT count(DISTINCT problem) FROM kept_rationales") == [(40 - blind,)]
