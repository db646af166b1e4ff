"""Each shipped audit on a small corpus in which it must fail, and on the same one mended, in which it must pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ask, manifest, run, sums, yaml_file

from synth.audit import load_audits, run_audits
from synth.audit.look import look_over
from synth.errors import UserError
from synth.models import ScriptedModel, World
from synth.records import Call, Critique, Failure, Node, Pair, Part, Problem, Rationale, Record, Rejection, Score
from synth.store.database import open_store
from synth.store.journal import Journal
from synth.texts.marks import TABLE

Corpus = list[Record]


def write(folder: Path, records: Iterable[Record], told: Mapping[str, Any] | None = None) -> Path:
    """A run folder that holds these records."""
    folder.mkdir(exist_ok=True)
    manifest(folder, **(told or {}))
    journal = Journal(folder / "journal")
    tables: dict[str, list[Any]] = {}
    for record in records:
        body = record.model_dump(mode="json", exclude_none=True)
        if isinstance(record, Call):
            journal.append("call", orjson.dumps(body))
        else:
            tables.setdefault(record.table, []).append(body)
    journal.append("commit", orjson.dumps({"owner": "u", "fingerprint": "f", "records": tables}))
    journal.close()
    return folder


def problem(i: int, **fields: Any) -> Problem:
    given = {"id": f"p{i}", "unit": f"p{i}", "step": "input", "question": f"How many is case {i}?"}
    return Problem(**{**given, "answer": str(1000 + i), "answer_kind": "number", "meta": {}, **fields})


def rationale(i: int, *, of: int | None = None, **fields: Any) -> Rationale:
    p = f"p{i if of is None else of}"
    given: dict[str, Any] = {
        "id": f"r{i}",
        "unit": p,
        "step": "solve",
        "problem": p,
        "author": "teacher",
        "model": "t",
    }
    text = f"It is so.\nThat makes {1000 + i}."
    return Rationale(
        **{**given, "response": text, "steps": text.split("\n"), "answer": str(1000 + i), "call": f"c{i}", **fields}
    )


def call(i: int, **fields: Any) -> Call:
    asked = [{"role": "system", "content": "Solve it."}, {"role": "user", "content": f"How many is case {i}?"}]
    given = {
        "id": f"c{i}",
        "key": f"k{i}",
        "attempt": 1,
        "model": "t",
        "endpoint": "e",
        "model_id": "m",
        "unit": f"p{i}",
    }
    more = {"step": "solve", "messages": asked, "status": "ok", "reply": "It is so.", "started": 0.0, "latency": 1.0}
    return Call(**{**given, **more, "prompt_tokens": 50, "completion_tokens": 50, "price": 0.001, **fields})


def score(
    target: str, name: str, value: float | None, unit: str = "p0", judge: str = "number/1", **fields: Any
) -> Score:
    key = f"s-{target}-{name}-{judge}-{fields.get('part')}"
    return Score(id=key, unit=unit, step="judge", target=target, name=name, value=value, judge=judge, **fields)


def sound(n: int = 30) -> Corpus:
    """Problems, each with a call and a right rationale."""
    records: Corpus = []
    for i in range(n):
        records += [problem(i), call(i), rationale(i), score(f"r{i}", "correct", 1.0, f"p{i}", label="right")]
    return records


def changed(records: Corpus, change: Callable[[Record], Record], every: int = 3) -> Corpus:
    """Every third record of each type made otherwise."""
    seen: dict[type, int] = {}
    made = []
    for r in records:
        seen[type(r)] = seen.get(type(r), -1) + 1
        made.append(change(r) if seen[type(r)] % every == 0 else r)
    return made


def with_(record: Record, **fields: Any) -> Record:
    return type(record)(**{**record.model_dump(), **fields})


def told(r: Record) -> Record:
    if not isinstance(r, Call):
        return r
    asked = f"How many is case {r.id[1:]}?\n(Right answer: {1000 + int(r.id[1:])})"
    return with_(r, messages=[{"role": "user", "content": asked}])


def contradicting(r: Record) -> Record:
    return with_(r, response="It is so.\nThe answer is 7.") if isinstance(r, Rationale) else r


def wrong(r: Record) -> Record:
    return with_(r, value=0.0, label="wrong") if isinstance(r, Score) else r


def unread(r: Record) -> Record:
    return with_(r, answer=None) if isinstance(r, Rationale) else r


def refusing(r: Record) -> Record:
    return with_(r, reply="I'm sorry, but I can't help with that.") if isinstance(r, Call) else r


def refusal(r: Record) -> Record:
    return with_(r, response="I cannot assist with this.") if isinstance(r, Rationale) else r


def looping(r: Record) -> Record:
    return with_(r, response="and so on " * 400, steps=["and so on"] * 400) if isinstance(r, Rationale) else r


def orphaned(r: Record) -> Record:
    return with_(r, call="c-lost") if isinstance(r, Rationale) else r


def guessed(right: int) -> Corpus:
    """Forty questions with four options, of which the model gets so many right; two samples each, both alike."""
    records: Corpus = []
    for i in range(40):
        records.append(problem(i, choices=("red", "blue", "green", "grey"), answer="B", answer_kind="choice"))
        for j in (i, 100 + i):
            records += [rationale(j, of=i, answer="B" if i < right else "C"), call(j, unit=f"p{i}")]
            records.append(score(f"r{j}", "correct", float(i < right), f"p{i}"))
    return records


def choices(answers: Iterable[str]) -> Corpus:
    given = {"choices": ("red", "green", "blue", "white"), "answer_kind": "choice"}
    made: Corpus = []
    for i, a in enumerate(answers):
        made += [problem(i, answer=a, **given), call(i), rationale(i, answer=a)]
    return made


def scheduled(n: int, off: int) -> Corpus:
    """Half of the rows are to have their rationale; every other has, and `off` more."""
    made = sound(n)
    for i in range(n):
        label = "rationale" if i % 2 or i // 2 < off else "answer"
        made.append(score(f"r{i}", "cot_share", 0.5, f"p{i}", label=label))
    return made


TOPICS = ["apples", "trains", "coins", "rain", "pages", "bees", "boats", "tiles", "songs", "wells", "kites", "maps"]


def in_splits(*, torn: bool) -> Corpus:
    """Problems 0 and 1 say the same but for a word; in two splits where torn."""
    text = "A long story about a farmer who sells eggs at the market each day and counts what is left in the end, which is mostly {}"
    made: Corpus = []
    for i, topic in enumerate(TOPICS):
        question = (
            text.format(topic) if i < 2 else f"{topic} {i * 7} of {topic[::-1]} and {i * 31} more by {topic[1:]}?"
        )
        made += [
            problem(i, question=question),
            score(f"p{i}", "split", None, f"p{i}", label="train" if i % 2 == 0 else "test"),
        ]
    return made if torn else [with_(r, label="train") if isinstance(r, Score) and r.target == "p1" else r for r in made]


def by_models(others: int) -> Corpus:
    return [with_(r, model="other") if isinstance(r, Rationale) and int(r.id[1:]) < others else r for r in sound(40)]


def reviewed(first: Callable[[int], float], second: Callable[[int], float]) -> Corpus:
    """Right and wrong rationales in turn, each reviewed by two."""
    made = [with_(r, value=float(int(r.target[1:]) % 2)) if isinstance(r, Score) else r for r in sound(40)]
    for i in range(40):
        for judge, value in (("one", first(i)), ("two", second(i))):
            made.append(score(f"r{i}", "review_single", value, f"p{i}", judge))
    return made


def honest(i: int) -> float:
    return 5.0 if i % 2 else 2.0


def pairs(longer: int) -> Corpus:
    made = sound(30)
    for i in range(30):
        made += [rationale(100 + i, of=i, call=None)]
        given = {"id": f"a{i}", "unit": f"p{i}", "step": "pair", "problem": f"p{i}", "chosen": f"r{i}"}
        more = {"rejected": f"r{100 + i}", "reason": "correctness", "length_difference": 20 if i < longer else -20}
        made.append(Pair(**given, **more))
    return made


def step_labels(*, contradicting: bool) -> Corpus:
    """All steps right; every third answer is wrong where contradicting."""
    made = changed(sound(), wrong) if contradicting else sound()
    labels = [
        score(f"r{i}", "step", 1.0, f"p{i}", "judge", part=Part(kind="step", index=k))
        for i in range(30)
        for k in range(2)
    ]
    return [*made, *labels]


def lost_calls(n: int) -> Corpus:
    return [*sound(), *(call(100 + i, unit=f"p{i}", step="tried") for i in range(n))]


def failed(n: int) -> Corpus:
    given = {"step": "solve", "cause": "truncated", "message": "cut off"}
    return [*sound(), *(Failure(id=f"f{i}", unit=f"p{i}", target=f"p{i}", **given) for i in range(n))]


def out(target: str, rule: str, step: str = "right", table: str = "rationales", observed: Any = None) -> Rejection:
    return Rejection(
        id=f"x-{target}", unit="p0", step=step, target=target, target_table=table, rule=rule, observed=observed
    )


FOUND = {
    "benchmark": "gsm8k.jsonl",
    "row": 7,
    "item": "How many goats are there?",
    "words": "how many goats",
    "share": 0.5,
}
"""What `decontaminate` notes."""


def none_kept(*, kept: bool) -> Corpus:
    return [*sound(5), *(out(f"r{i}", "score.correct") for i in range(0 if not kept else 1, 5))]


def priced(price: float | None) -> Corpus:
    return [with_(r, price=price) if isinstance(r, Call) else r for r in sound()]


def tokens(n: int) -> Corpus:
    return [with_(r, prompt_tokens=n) if isinstance(r, Call) else r for r in sound()]


def thinking(*, kept: bool = True, kind: str = "raw", **fields: Any) -> Corpus:
    """Every call has a thought; the records have it too where kept."""
    made: Corpus = []
    for r in sound():
        if isinstance(r, Call):
            made.append(with_(r, thought="Well, well.", **fields))
        elif isinstance(r, Rationale) and kept:
            made.append(with_(r, thought=None if kind == "hidden" else "Well, well.", thought_kind=kind))
        else:
            made.append(r)
    return made


def some_lost(r: Record) -> Record:
    return with_(r, thought=None, thought_kind=None) if isinstance(r, Rationale) else r


def marked(r: Record) -> Record:
    return with_(r, response="It is so.<|im_end|>\nThat makes 7.") if isinstance(r, Rationale) else r


def quoting(r: Record) -> Record:
    quoted = "It writes `<think>` first, as in\n```\n<|im_start|>x</s>\n```\nThat makes 7, and <think>so</think> on."
    return with_(r, response=quoted) if isinstance(r, Rationale) else r


def bare(r: Record) -> Record:
    stated = "The answer is 7."
    return (
        with_(r, response=f"\n{stated}\n", answer_span=(1, 1 + len(stated)), steps=())
        if isinstance(r, Rationale)
        else r
    )


def contaminated(*, carried: bool) -> Corpus:
    """A rationale that gives away a benchmark's item is out; a pair still has it, unless it is out too."""
    made = [*pairs(15), out("r3", "shares 13 words in a row with a benchmark", "decontaminate", observed=FOUND)]
    return made if carried else [*made, out("a3", "its side is out", "decontaminate", "pairs")]


CASES: dict[str, tuple[Corpus, Corpus]] = {
    "answer_in_prompt": (changed(sound(), told), sound()),
    "answer_contradicts_text": (changed(sound(), contradicting), sound()),
    "wrong_answers_kept": (changed(sound(), wrong), sound()),
    "unparsed": (changed(sound(), unread), sound()),
    "beats_chance": (guessed(10), guessed(36)),
    "label_balance": (choices("A" * 26 + "BCD"), choices("ABCD" * 7)),
    "near_duplicates_across_splits": (in_splits(torn=True), in_splits(torn=False)),
    "cot_share": (scheduled(100, 25), scheduled(100, 5)),
    "model_share": (by_models(2), by_models(12)),
    "refusals": (changed(sound(), refusing), sound()),
    "refusals_kept": (changed(sound(), refusal), sound()),
    "length_outliers": (changed(sound(), looping, 12), sound()),
    "step_count_outliers": (changed(sound(), looping, 12), sound()),
    "reviewer_leniency": (reviewed(honest, lambda i: honest(i) - 2), reviewed(honest, honest)),
    "reviewer_agreement": (reviewed(honest, lambda i: 5.0 if i % 4 < 2 else 2.0), reviewed(honest, honest)),
    "reviewer_informativeness": (reviewed(honest, lambda i: 5.0 if i % 4 < 2 else 2.0), reviewed(honest, honest)),
    "pair_length_bias": (pairs(27), pairs(18)),
    "step_labels_contradict": (step_labels(contradicting=True), step_labels(contradicting=False)),
    "orphans": (changed(sound(), orphaned), sound()),
    "calls_without_outcome": (lost_calls(20), lost_calls(3)),
    "failures": (failed(10), failed(1)),
    "kept_rows": (none_kept(kept=False), none_kept(kept=True)),
    "cost_per_kept_row": (priced(2.0), priced(0.1)),
    "tokens_per_kept_row": (tokens(200_000), tokens(900)),
    "contamination": (contaminated(carried=True), contaminated(carried=False)),
    "thoughts_lost": (changed(thinking(), some_lost), thinking()),
    "control_tokens_kept": (changed(sound(), marked), changed(sound(), quoting)),
    "no_reasoning": (changed(sound(), bare), changed(thinking(), bare)),
    "thought_is_summary": (thinking(kind="summary"), thinking()),
}


def test_every_shipped_audit_has_its_two_corpora():
    assert set(CASES) == {a.name for a in load_audits()}


@pytest.mark.parametrize("name", CASES)
def test_it_fails_where_it_must_and_passes_once_mended(name: str, tmp_path: Path):
    bad, good = CASES[name]
    (failed_,) = run_audits(write(tmp_path / "bad", bad), only=[name])
    (passed,) = run_audits(write(tmp_path / "good", good), only=[name])
    assert (failed_.status, passed.status) == ("failed", "passed"), (failed_, passed)


def value(records: Corpus, name: str, folder: Path, **options: Any) -> float | None:
    (verdict,) = run_audits(write(folder, records), only=[name], **options)
    return verdict.value


def test_what_is_measured_is_what_was_planted(tmp_path: Path):
    expected = {
        "answer_in_prompt": 10 / 30,
        "answer_contradicts_text": 10 / 30,
        "wrong_answers_kept": 10 / 30,
        "unparsed": 10 / 30,
        "near_duplicates_across_splits": 2 / 12,
        "model_share": 38 / 40,
        "beats_chance": -1.96 * (40 * 0.25 * 0.75 / 39) ** 0.5 / 40**0.5,
        "refusals": 10 / 30,
        "refusals_kept": 10 / 30,
        "length_outliers": 3 / 30,
        "step_count_outliers": 3 / 30,
        "reviewer_informativeness": 0.5,
        "pair_length_bias": 27 / 30,
        "step_labels_contradict": 10 / 30,
        "orphans": 10,
        "calls_without_outcome": 20 / 50,
        "failures": 10 / 30,
        "kept_rows": 0,
        "cost_per_kept_row": 2.0,
        "tokens_per_kept_row": 200_050,
        "contamination": 1,
        "thoughts_lost": 10 / 30,
        "control_tokens_kept": 10 / 30,
        "no_reasoning": 10 / 30,
        "thought_is_summary": 1,
    }
    for name, planted in expected.items():
        assert value(CASES[name][0], name, tmp_path / name) == pytest.approx(planted), name


def test_examples_are_records_that_do_not_pass(tmp_path: Path):
    (verdict,) = run_audits(write(tmp_path / "r", CASES["refusals_kept"][0]), only=["refusals_kept"])
    assert verdict.examples == ("r0", "r12", "r15", "r18", "r21")
    (verdict,) = run_audits(
        write(tmp_path / "s", CASES["near_duplicates_across_splits"][0]), only=["near_duplicates_across_splits"]
    )
    assert verdict.examples == ("p0", "p1")


def test_the_same_words_in_every_prompt_are_no_leak(tmp_path: Path):
    """Worked examples name some problems' answers by chance, to all alike."""

    def with_examples(r: Record) -> Record:
        if not isinstance(r, Call):
            return r
        return with_(r, messages=[{"role": "user", "content": "1003 and 1004, 1005, 1005."}, *r.messages])

    made = changed(sound(), with_examples, every=1)
    more = [rationale(200, of=3, answer="1003", call="c3"), rationale(201, of=3, answer="1003", call="c3")]
    assert value([*made, *more], "answer_in_prompt", tmp_path / "r") == pytest.approx(0)


def test_an_answer_that_stands_in_the_passage_is_no_leak(tmp_path: Path):
    """Answers are to be found there; beside the passage they are a leak as ever."""

    def read(*, leaking: bool) -> Corpus:
        def with_passage(r: Record) -> Record:
            number = 1000 + int(re.sub(r"\D", "", r.id) or 0)
            passage = f"It is said\nto be {number}."
            if isinstance(r, Problem):
                return with_(r, context=passage)
            if not isinstance(r, Call):
                return r
            asked = f"{passage}\n\nHow many is case {r.id[1:]}?" + (f" ({number})" if leaking else "")
            return with_(r, messages=[{"role": "user", "content": asked}])

        return changed(sound(), with_passage, every=1)

    assert value(read(leaking=False), "answer_in_prompt", tmp_path / "sound") == 0
    assert value(read(leaking=True), "answer_in_prompt", tmp_path / "leaking") == 1


def test_letters_of_options_beside_open_questions_are_no_leak(tmp_path: Path):
    """Every prompt with options has all letters; whether one's own stands out is seen against other letters."""

    def every_second(r: Record) -> Record:
        number = int(re.sub(r"\D", "", r.id) or 0)
        if number % 2:
            return r
        if isinstance(r, Problem):
            return with_(r, choices=("red", "blue"), answer="AB"[number % 4 // 2], answer_kind="choice")
        if isinstance(r, Call):
            return with_(r, messages=[{"role": "user", "content": f"How many is case {number}?\nA) red\nB) blue"}])
        return r

    assert value(changed(sound(), every_second, every=1), "answer_in_prompt", tmp_path / "r") == 0


def by_a_call(i: int, **fields: Any) -> Call:
    return call(i, thought="Well, well.", **fields)


def test_thoughts_count_as_lost_only_where_a_record_was_to_have_them(tmp_path: Path):
    """Judges, trees, steps that drop thoughts and calls that made nothing do not count; repaired replies do."""

    def lost(name: str, records: Corpus, manifest: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        (verdict,) = run_audits(write(tmp_path / name, records, manifest), only=["thoughts_lost"])
        return verdict.value, verdict.n, verdict.examples

    dropped = thinking(kept=False)
    assert lost("all", dropped) == (1, 30, ("c0", "c1", "c10", "c11", "c12"))
    dropping = {"described": {"steps": [{"name": "solve", "step": "generate", "thought": "drop"}]}}
    assert lost("drop", dropped, dropping) == (None, 0, ())
    keeping = {"described": {"steps": [{"name": "solve", "step": "generate", "thought": "keep"}]}}
    assert lost("keep", dropped, keeping)[:2] == (1, 30)

    judged = [by_a_call(50, step="judge"), score("r0", "review", 1.0, call="c50")]
    node = Node(id="n0", unit="p0", step="tree", problem="p0", text="a thought", call="c51")
    told_ = rationale(50, of=0, node="n0", call="c51", step="tell")
    elsewhere = [by_a_call(51, step="tree"), node, told_]
    failed_ = [
        problem(60),
        by_a_call(60),
        Failure(id="f60", unit="p60", target="p60", step="solve", cause="shape", message=""),
    ]
    failing_ = [by_a_call(61, status="truncated"), by_a_call(62, unit=None)]
    assert lost("others", [*thinking(), *judged, *elsewhere, *failed_, *failing_]) == (0, 30, ())

    blank = [with_(r, thought="") if isinstance(r, Call) else r for r in sound()]
    assert lost("blank", blank) == (None, 0, ())
    planned = [*sound(), by_a_call(70, unit="p0")]  # a call that helped with the record of another one
    assert lost("planned", planned) == (1, 1, ("c70",))
    helped = [with_(r, thought="Well.") if r.id == "r0" else r for r in planned]
    assert lost("helped", helped) == (0, 1, ())

    repaired = [by_a_call(80, unit="p0"), call(81, unit="p0", repairs="c80"), rationale(80, of=0, call="c81")]
    assert lost("repaired", [*thinking(), *repaired]) == (1 / 31, 31, ())  # few enough to pass
    assert lost("mostly", [*sound(), *repaired, rationale(82, of=0, thought="x")]) == (1, 1, ("c80",))


MARKS = [
    *(
        "<|im_end|>",
        "<|eot_id|>",
        "</s>",
        "[INST]",
        "[/INST]",
        "<start_of_turn>",
        "<end_of_turn>",
        "<eos>",
        "<unused7>",
    ),
    *("<｜end▁of▁sentence｜>", "<|channel>thought", "<channel|>"),
    *(mark for family in TABLE if family.alone and not family.words for mark in (*family.open, *family.close)),
]


@pytest.mark.parametrize("part", ["thought", "response"])
def test_every_mark_of_a_template_or_thought_is_seen(tmp_path: Path, part: str):
    """No family is passed over by the search that comes before the reading."""
    made: Corpus = []
    for i, mark in enumerate(MARKS):
        made += [
            problem(i),
            rationale(i, call=None, response="It is so."),
            rationale(1000 + i, of=i, call=None, response=""),
        ]
        made[-1] = with_(
            made[-1], **{part: f"It is so.\n{mark.upper() if i % 2 and mark[1:2].isalpha() else mark}\nYes."}
        )
    with open_store(write(tmp_path / "r", made)) as store:
        (verdict,) = run_audits(store, only=["control_tokens_kept"])
        found = dict(
            store.sql(f"SELECT id, template_marks({part}) FROM rationales WHERE {part} LIKE '%Yes.'").fetchall()
        )
    assert len(found) == len(MARKS)
    seen = {i for i, marks in found.items() if marks}
    assert verdict.value == pytest.approx(len(seen) / (2 * len(MARKS)))
    assert {f"r{1000 + i}" for i, mark in enumerate(MARKS) if not mark[1:2].isalpha() or i % 2 == 0} <= seen


PARTS = st.text(st.sampled_from(" \t\n\r\f\va.1\N{NO-BREAK SPACE}。"), max_size=6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.none() | PARTS, PARTS, st.booleans(), PARTS), min_size=10, max_size=40))
def test_rationales_without_reasoning_are_those_whose_reasoning_is_empty(given_: list[tuple[Any, ...]]):
    """The audit does not read the column, and finds the same rows."""
    made: Corpus = [problem(0)]
    for i, (thought, before, stated, after) in enumerate(given_):
        said = "The answer is 1." if stated else ""
        span = (len(before), len(before) + len(said)) if stated else None
        made.append(rationale(i, of=0, call=None, thought=thought, response=before + said + after, answer_span=span))
    with TemporaryDirectory() as folder, open_store(write(Path(folder) / "r", made)) as store:
        (verdict,) = run_audits(store, only=["no_reasoning"])
        ((expected,),) = store.sql("SELECT avg((reasoning = '')::INT) FROM rationales").fetchall()
    assert verdict.value == pytest.approx(expected)
    assert expected == pytest.approx(sum(r.reasoning == "" for r in made if isinstance(r, Rationale)) / len(given_))


def test_hidden_thoughts_and_summaries_are_counted_apart(tmp_path: Path):
    made = [
        with_(r, thought_kind="hidden", thought=None) if r.id in {"r0", "r1"} else r for r in thinking(kind="summary")
    ]
    (verdict,) = run_audits(write(tmp_path / "r", made), only=["thought_is_summary"])
    assert (verdict.value, verdict.note) == (1, "28 summaries, 2 hidden")
    assert value(sound(), "thought_is_summary", tmp_path / "s") is None


def test_a_thought_that_comes_to_the_answer_before_it_checks_it_does_not_contradict(tmp_path: Path):
    """Of a response that is the answer alone the thought is read: its end, not its last line."""

    def with_thought(end: str) -> Corpus:
        made: Corpus = []
        for r in sound():
            if not isinstance(r, Rationale):
                made.append(r)
                continue
            stated = f"The answer is {r.answer}."
            thought = "First there are 3, then 4. " * 9000 + end.format(r.answer)
            made.append(with_(r, response=stated, answer_span=(0, len(stated)), thought=thought, thought_kind="raw"))
        return made

    right = with_thought(
        "So it is {}.\n\nA check: half of it and half of it again. That was 2 times.\n\nI write it down."
    )
    assert value(right, "answer_contradicts_text", tmp_path / "r") == 0
    assert value(with_thought("So the answer is 8."), "answer_contradicts_text", tmp_path / "s") == 1


def test_contamination_that_nobody_looked_for_is_not_called_clean(tmp_path: Path):
    (verdict,) = run_audits(write(tmp_path / "r", sound()), only=["contamination"])
    assert (verdict.status, verdict.value) == ("skipped", None)
    assert "not looked for" in verdict.note
    looked = {"corpus": [{"step": "decontaminate", "name": "clean"}]}
    (verdict,) = run_audits(write(tmp_path / "s", sound(), looked), only=["contamination"])
    assert (verdict.status, verdict.note) == ("passed", "0 records were rejected")


@pytest.mark.parametrize("dirty", ["r3", "r103"])
def test_either_side_of_a_pair_carries_contamination(tmp_path: Path, dirty: str):
    made = [*pairs(15), out(dirty, "may be an item of a benchmark, rephrased", "decontaminate", observed=FOUND)]
    (verdict,) = run_audits(write(tmp_path / "r", made), only=["contamination"])
    assert verdict.examples == ("a3",)
    assert verdict.note == f'1 records were rejected: {dirty}, by row 7 of gsm8k.jsonl ("how many goats"); all: --look'


def test_contamination_is_told_with_record_item_and_words_whoever_found_it(tmp_path: Path):
    reason = "cosine 0.83; both say 'many goats'; the item: How many goats;\nor kids: item 2?"
    judged = score("p4", "contamination", 0.9, "p4", label="b/he.jsonl:12", reason=reason)
    clean = score("p5", "contamination", 0.1, "p5", label="b/he.jsonl:13", reason=reason)
    observed = {"score.contamination": 0.9, "label.contamination": "b/he.jsonl:12"}
    made = [*sound(), judged, clean, out("p4", "score.contamination < 0.5", "filter", "problems", observed)]
    made += [
        out("p5", "score.other", "filter", "problems", {"score.other": 1}),
        out("r3", "words", "d", observed=FOUND),
    ]
    with open_store(write(tmp_path / "r", made)) as store:
        query = "SELECT record, benchmark, item_row, share, words, item FROM contamination ORDER BY record"
        assert store.sql(query).fetchall() == [
            ("p4", "b/he.jsonl", 12, 0.9, "many goats", "How many goats;\nor kids: item 2?"),
            ("r3", "gsm8k.jsonl", 7, 0.5, "how many goats", "How many goats are there?"),
        ]
        (section,) = [s for s in look_over(store) if s.title == "contamination"]
    assert [(r["record"], r["item_row"]) for r in section.rows] == [("p4", 12), ("r3", 7)]


def test_a_share_of_a_few_is_not_judged(tmp_path: Path):
    (verdict,) = run_audits(write(tmp_path / "r", changed(pairs(30), lambda r: r)[:60]), only=["pair_length_bias"])
    assert verdict.status == "skipped"
    (verdict,) = run_audits(write(tmp_path / "s", CASES["model_share"][0][:40]), only=["model_share"])
    assert (verdict.status, verdict.note) == ("skipped", "only 10 to measure it on, of at least 20")


def test_nothing_is_said_of_an_empty_run(tmp_path: Path):
    assert {(v.status, v.value) for v in run_audits(write(tmp_path / "r", []))} == {("skipped", None)}


def test_records_of_every_type_are_known_to_lineage(tmp_path: Path):
    node = Node(id="n0", unit="p0", step="tree", problem="p0", text="a thought")
    below = Node(id="n1", unit="p0", step="tree", problem="p0", parent="n0", text="another")
    said = Critique(id="q0", unit="p0", step="critique", target="r0", explanation="wrong", critic="t")
    tells = rationale(50, of=0, node="n1", call=None, parent="r0")
    made = [
        *pairs(15),
        node,
        below,
        said,
        tells,
        out("n1", "weak", table="nodes"),
        score("a0", "x", 1.0),
        score("q0", "x", 1.0),
    ]
    assert value(made, "orphans", tmp_path / "r") == 0
    lost = [*made, with_(tells, id="r51", node="n9"), score("nobody", "x", 1.0)]
    (verdict,) = run_audits(write(tmp_path / "s", lost), only=["orphans"])
    assert verdict.examples == ("r51", "s-nobody-x-number/1-None")


async def test_a_whole_run_and_one_whose_prompt_leaks(tmp_path: Path):
    pipeline = """
        pipeline: my/small
        steps:
          - {step: generate, samples: 2, temperature: 0.7, name: solve}
          - {step: verify_answer}
          - {step: pair}
          - {step: filter, name: right, keep: score.correct}
        corpus:
          - {step: split, name: part, shares: {train: 0.5, test: 0.5}}
    """
    rows = sums(tmp_path / "in.jsonl", 60)
    await run(yaml_file(tmp_path / "p.yaml", pipeline), rows, tmp_path / "run", ScriptedModel(World(solve_rate=0.7)))
    verdicts = {v.name: v for v in run_audits(tmp_path / "run")}
    # What the scripted model reasons has nothing to do with what it answers, and that is seen.
    assert [v.name for v in verdicts.values() if v.status == "failed"] == ["answer_contradicts_text"]
    assert verdicts["near_duplicates_across_splits"].status == "passed"
    steps = ask(tmp_path / "run", "SELECT position, name, step FROM pipeline_steps")
    assert steps[0] == (1, "solve", "generate")
    assert steps[-1] == (5, "part", "split")
    (tmp_path / "leak.j2").write_text(
        "{#- version: 1\n purpose: leak\n source: ours -#}\n{% call user() %}{{ problem.question }} Hint: {{ problem.answer }}{% endcall %}\n"
    )
    leaking = pipeline.replace("samples: 2", "prompt: leak.j2, samples: 2")
    await run(yaml_file(tmp_path / "q.yaml", leaking), rows, tmp_path / "leaking", ScriptedModel(World(solve_rate=0.7)))
    leaked = {v.name: v for v in run_audits(tmp_path / "leaking")}["answer_in_prompt"]
    assert leaked.status == "failed"
    assert leaked.value > 0.9


HEADER = "-- severity: error\n-- threshold: at most 0\n-- unit: rows\n-- meaning: m\n-- fix: r\n"


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("SELECT count(*) AS value, 1 AS n FROM range(1000000000000) a, range(1000) b", "longer than 1 seconds"),
        ("SELECT length(repeat('a', 3000000000)) AS value, 1 AS n", "longer than 1 seconds"),
        ("SELECT count(*) AS value, 1 AS n\nFROM nowhere", "bad.sql:7: DuckDB cannot answer"),
    ],
)
def test_an_audit_of_others_is_bounded(tmp_path: Path, question: str, told: str):
    """It runs in a process that is ended, and its file is named; ours are not held up."""
    (tmp_path / "bad.sql").write_text(HEADER + question)
    run_of_one = write(tmp_path / "r", [Problem.root(question="q")])
    with pytest.raises(UserError) as caught:
        run_audits(
            run_of_one, folder=tmp_path, only=["bad"], seconds=60.0 if "nowhere" in question else 1.0, memory="50%"
        )
    assert told in str(caught.value)


def test_an_audit_of_others_says_the_same_as_one_of_ours(tmp_path: Path):
    """Asked in its own process: decimals, whole numbers, lists, functions of ours and no value."""
    (tmp_path / "mine.sql").write_text(
        HEADER
        + "SELECT 0.50::DECIMAL(4, 2) AS value, 2 AS n, ['a', stated_answer('The answer is 4.', 'number', NULL)] AS examples"
    )
    (tmp_path / "none.sql").write_text(HEADER + "SELECT NULL AS value, 0 AS n")
    mine, none = run_audits(write(tmp_path / "r", [Problem.root(question="q")]), folder=tmp_path, only=["mine", "none"])
    assert (mine.status, mine.value, mine.n, mine.examples) == ("failed", 0.5, 2, ("a", "4"))
    assert (none.status, none.value) == ("skipped", None)
