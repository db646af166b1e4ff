"""The card of a data set: true, read by the Hub and by `datasets`, and inert whatever models and people wrote."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support import ROOT, ask, run, sums, synth, write_rows, yaml_file
from view_support import HOSTILE, write_run

import synth as package
from synth.audit import run_audits
from synth.documented import field_docs
from synth.errors import UserError
from synth.export import FORMATS, ROWS, ExportOptions, export_run
from synth.export.files import columns_of
from synth.models import ScriptedModel, World
from synth.publish import Licenses, card_of, configs_of, write_card
from synth.publish.markdown import code, escaped
from synth.records import Call, Critique, Pair, Problem, Rationale, Rejection, Score
from synth.store.database import open_store


def card(folder: Path, out: Path, *formats: str, **said: str) -> tuple[dict, str]:
    """Header and body of the card of exports."""
    for to in formats:
        export_run(folder, to, out)
    text = write_card(folder, out, **said).read_text()
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), body


def table(body: str, title: str) -> list[list[str]]:
    """The cells of the first table after a line, without its head."""
    lines = body[body.index(title) :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
    return rows


def test_the_header_is_what_datasets_reads(run_in_splits: Path, tmp_path: Path):
    from datasets import get_dataset_config_names, load_dataset

    header, _ = card(run_in_splits, tmp_path, "sft", "dpo", license="mit")
    assert header["license"] == "mit"
    assert header["size_categories"] == ["n<1K"]
    assert {"synthetic", "sft", "dpo"} <= set(header["tags"])
    assert header["task_categories"] == ["text-generation", "question-answering"]
    assert "language" not in header, "it was not measured"
    assert header["configs"] == [
        {
            "config_name": to,
            **({"default": True} if to == "sft" else {}),
            "data_files": [{"split": split, "path": f"{to}.{split}.jsonl"} for split in ("train", "validation")],
        }
        for to in ("sft", "dpo")
    ]
    assert get_dataset_config_names(str(tmp_path)) == ["sft", "dpo"]
    for to in ("sft", "dpo"):
        loaded = load_dataset(str(tmp_path), to, cache_dir=str(tmp_path / "cache"))
        assert set(loaded) == {"train", "validation"}


def test_the_body_says_what_the_store_says(run_in_splits: Path, tmp_path: Path):
    _, body = card(run_in_splits, tmp_path, "sft")
    with open_store(run_in_splits) as store:
        funnel = store.sql("SELECT stage, n FROM funnel ORDER BY position").fetchall()
        (calls, read, written) = store.sql(
            "SELECT count(*), sum(prompt_tokens), sum(completion_tokens) FROM calls"
        ).fetchall()[0]
        reasons = store.sql("SELECT step, rule, n FROM rejection_reasons ORDER BY n DESC, step, rule").fetchall()
        steps = store.sql("SELECT name, step FROM pipeline_steps ORDER BY position").fetchall()
    assert [(name, n) for name, n, _ in table(body, "### From problems to rows")] == [(s, f"{n:,}") for s, n in funnel]
    (model,) = table(body, "### Models")
    assert model[3] == f"{calls:,}"
    assert model[5:7] == [f"{read:,}" if read else "unknown", f"{written:,}" if written else "unknown"]
    assert [(s, r, n) for s, r, _, n in table(body, "### What was rejected")] == [
        (s, r, f"{n:,}") for s, r, n in reasons
    ]
    assert [(s[0], s[1]) for s in table(body, "### Steps")] == steps
    told = {name: verdict.strip("*").partition(" ")[0] for name, verdict, *_ in table(body, "### Audits")}
    assert told == {v.name: v.status for v in run_audits(run_in_splits)}
    prompts = json.loads((run_in_splits / "run.json").read_bytes())["described"]["prompts"]
    assert [f"{name}/{version}#{digest}" for _, name, version, digest in table(body, "| step | prompt")] == list(
        prompts.values()
    )
    assert "[arXiv:2212.10071](https://arxiv.org/abs/2212.10071)" in body
    assert "Large Language Models Are Reasoning Teachers" in body
    assert "Nothing was checked: whether these rows hold items of a benchmark is unknown." in body
    assert "This data set: unknown" in body


def test_prices_that_are_not_known_are_said(tmp_path: Path):
    problem = Problem.root(question="How many?", answer="5", answer_kind="number", source="a.jsonl:1")
    asked = {
        "messages": [],
        "status": "ok",
        "reply": "5",
        "started": 1.0,
        "latency": 1.0,
        "attempt": 1,
        "model_id": "m",
    }
    calls = [
        Call(
            id="b2:1",
            key="1",
            model="paid",
            endpoint="https://api.example.com/v1",
            price=0.25,
            prompt_tokens=7,
            **asked,
        ),
        Call(id="b2:2", key="2", model="paid", endpoint="https://api.example.com/v1", prompt_tokens=7, **asked),
        Call(id="b2:3", key="3", model="mine", endpoint="http://gpu.secret.lan:8000/v1", **asked),
    ]
    good = Rationale.make(
        unit=problem.id, step="s", because=[1], problem=problem.id, author="teacher", response="It is 5.", call="b2:1"
    )
    folder = write_run(tmp_path / "run", [problem, good], calls)
    _, body = card(folder, tmp_path / "out", "sft")
    mine, paid = table(body, "### Models")
    assert paid[2] == "api.example.com"
    assert paid[7] == "0.2500 USD and 1 calls of unknown price"
    assert mine[2] == "a server of the author's own"
    assert mine[7] == mine[5] == "unknown"
    assert "gpu.secret" not in body
    assert "cost: 0.2500 USD, and 2 calls whose price is unknown" in body
    assert "No answer was compared with one that is known to be right." in body


def test_what_was_compared_with_benchmarks_and_in_which_languages_is_said(tmp_path: Path):
    items = write_rows(
        tmp_path / "bench.jsonl",
        [{"question": f"Case {i}: nobody knows which item of it this may be"} for i in range(3)],
    )
    sums(tmp_path / "in.jsonl", 12)
    first = json.loads((tmp_path / "in.jsonl").read_text().splitlines()[0])["question"]
    items.write_text(items.read_text() + json.dumps({"question": first}) + "\n")
    pipeline = yaml_file(
        tmp_path / "p.yaml",
        """
        pipeline: my/clean
        extends: distil/fine-tune-cot
        corpus:
          - {step: decontaminate, name: clean, against: [bench.jsonl]}
          - {step: near_duplicates, name: once, target: problem, threshold: 0.9}
        """,
    )
    asyncio.run(run(pipeline, tmp_path / "in.jsonl", tmp_path / "run", ScriptedModel(World())))
    _, body = card(tmp_path / "run", tmp_path / "out", "sft")
    said = body[body.index("### Contamination") : body.index("### Near-duplicates")]
    assert re.search(
        r"`clean`: problems were compared with `bench.jsonl` \(content `[0-9a-f]{32}`\) by runs of 13 words", said
    )
    assert "; 1 were rejected." in said
    assert "`once`: among problems, Jaccard similarity of 0.9 or more" in body
    assert str(tmp_path) not in body


def test_languages_that_were_measured_are_in_the_header(run_in_splits: Path, mine: Path, tmp_path: Path):
    from synth.store.journal import Journal

    journal = Journal(mine / "journal")
    kept = ask(mine, "SELECT id, unit FROM kept_rationales")
    words = ["de"] * (len(kept) // 10) + ["sw"]
    words += ["en"] * (len(kept) - len(words))
    scores = [
        {
            "id": f"l{i}",
            "unit": u,
            "step": "look",
            "target": r,
            "name": "language",
            "value": 1.0,
            "label": w,
            "judge": "inspect/1",
        }
        for i, ((r, u), w) in enumerate(zip(kept, words, strict=True))
    ]
    journal.append("commit", orjson.dumps({"owner": "human:me:x", "fingerprint": "f", "records": {"scores": scores}}))
    journal.close()
    header, _ = card(mine, tmp_path / "out", "sft")
    assert len(kept) > 40
    assert header["language"] == ["en", "de"]


def test_licences_are_those_somebody_said(run_in_splits: Path, tmp_path: Path):
    profile = tmp_path / "models.yaml"
    model = ask(run_in_splits, "SELECT DISTINCT model FROM calls")[0][0]
    profile.write_text(f"models: {{{model}: {{base_url: 'http://x/v1', model: m, license: Some Terms 1.0}}}}\n")
    _, body = card(run_in_splits, tmp_path / "out", "sft", profile=str(profile), input_license="CC BY 4.0")
    said = body[body.index("## Licences") : body.index("## Known limits")]
    assert "rests on: CC BY 4.0." in said
    assert "Some Terms 1.0" in said
    assert said.count("unknown") == 1
    _, body = card(ROOT / "samples" / "finished", tmp_path / "other", "sft")
    assert "Apache-2.0" in body, "of the models this package fetches it is known"


def test_a_card_is_of_what_lies_there_and_replaces_only_a_card(run_in_splits: Path, tmp_path: Path):
    with pytest.raises(UserError, match="no export of this run"):
        write_card(run_in_splits, tmp_path / "out")
    export_run(run_in_splits, "sft", tmp_path / "out")
    (tmp_path / "out" / "README.md").write_text("mine")
    with pytest.raises(UserError, match=r"README\.md is there and was not written by an export"):
        write_card(run_in_splits, tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_text() == "mine"
    write_card(run_in_splits, tmp_path / "out", replace=True)
    first = (tmp_path / "out" / "README.md").read_bytes()
    write_card(run_in_splits, tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_bytes() == first
    header, _ = card(run_in_splits, tmp_path / "out", "dpo")
    assert [c["config_name"] for c in header["configs"]] == ["sft", "dpo"]


def test_every_column_is_explained(run_in_splits: Path, tmp_path: Path):
    for name, kind in ROWS.items():
        assert set(field_docs(kind)) == set(columns_of(kind)), name
        same = [k for k in ROWS.values() if columns_of(k) == columns_of(kind)]
        assert name == "openai.sft" or len(same) == 1 or kind in FORMATS.values(), "told by the name of the format"
    export_run(run_in_splits, "parquet", tmp_path)
    export_run(run_in_splits, "sft", tmp_path, ExportOptions(layout="plain"))
    sft, *tables = configs_of(tmp_path, run_in_splits)
    assert dict(sft.columns)["text"] == "Question, rationale and answer."
    assert {c.name for c in tables} > {"problems", "rationales", "calls", "wide_rationales"}
    for config in tables:
        assert config.about
        assert all(meaning for _, meaning in config.columns), config


MARKDOWN = (
    HOSTILE
    + "\n---\nlicense: mit\n---\n# Owned | | a ![x](//evil.example/x.png) [y](javascript:alert(1)) <https://evil.example> https://evil.example "
    "`` ` ```\n```\n| - | *b* __c__ ~~d~~ $e$ &lt; {{ 7 * 7 }} {% raw %} \\| @someone \r\n\r\n> q\n1. n\n- l\n\tcode"
)


def hostile_run(folder: Path) -> Path:
    """A run in which every word that a card may show is hostile."""
    bad = MARKDOWN
    problem = Problem.root(question=bad, answer="5", answer_kind="number", source=bad)
    call = Call(
        id="b2:call", key="k", attempt=1, model=bad, endpoint=f"https://{bad}", model_id=bad, served_model=bad + "2", unit=problem.id, step=bad,
        prompt=bad, messages=[], status="ok", reply=bad, started=1.0, latency=1.0,
    )  # fmt: skip

    def made(kind, n, **fields):
        return kind.make(unit=problem.id, step=bad, because=[n], **fields)

    good = made(Rationale, 1, problem=problem.id, author="teacher", model=bad, response=bad, answer=bad, call=call.id)
    worse = made(Rationale, 2, problem=problem.id, author="student", model=bad, response=bad, answer=bad)
    records = [
        problem,
        good,
        worse,
        made(Score, 1, target=good.id, name="language", value=1.0, label=bad, judge=bad),
        made(Critique, 1, target=worse.id, explanation=bad, critic=bad),
        made(Pair, 1, problem=problem.id, chosen=good.id, rejected=worse.id, reason=bad, length_difference=1),
        made(Rejection, 1, target=worse.id, target_table="rationales", rule=bad),
    ]
    write_run(folder, records, [call], bad)
    manifest = json.loads((folder / "run.json").read_bytes())
    manifest["introduced"] = {"title": bad, "about": bad, "cites": [bad, f"arXiv:2212.10071 {bad}"]}
    manifest["described"] = {"steps": [{"step": bad, "name": bad, "prompt": bad}], "prompts": {bad: bad}}
    manifest["corpus"] = [{"step": "decontaminate", "name": bad, "against": [bad], "contents": {bad: bad}, "words": 13}]
    (folder / "run.json").write_bytes(orjson.dumps(manifest))
    return folder


PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def rendered(body: str) -> list:
    return PARSER.parse(body)


def kinds(tokens: list) -> list[str]:
    return [t.type for token in tokens for t in (token, *(token.children or ()))]


def test_a_card_of_hostile_words_is_inert(tmp_path: Path):
    folder = hostile_run(tmp_path / "run")
    export_run(folder, "sft", tmp_path / "out")
    with open_store(folder) as store:
        licenses = Licenses(None, MARKDOWN, {MARKDOWN: MARKDOWN})
        configs = configs_of(tmp_path / "out", folder)
        text = card_of(store, folder, configs, run_audits(store), licenses, name=MARKDOWN)
    _, header, body = text.split("---\n", 2)
    told = yaml.safe_load(header)
    assert told["license"] == "unknown"
    assert "language" not in told
    assert "\n" not in told["pretty_name"]
    tokens = rendered(body)
    found = kinds(tokens)
    assert not {
        "html_block",
        "html_inline",
        "image",
        "s_open",
        "code_block",
        "hr",
        "ordered_list_open",
        "em_open",
    } & set(found)
    assert found.count("heading_open") == len(re.findall(r"^#+ ", body, re.MULTILINE)) == 15
    assert found.count("fence") == 1
    links = [t.attrs["href"] for token in tokens for t in token.children or () if t.type == "link_open"]
    assert links == ["https://github.com/synth-rationales/synth", "https://arxiv.org/abs/2212.10071"]
    rows, head = 0, 0
    for token in tokens:  # no word of others begins or ends a cell
        if token.type == "tr_open":
            rows = 0
        rows += token.type in {"th_open", "td_open"}
        if token.type == "thead_close":
            head = rows
        elif token.type == "tr_close" and token.level > 1:
            assert rows == (head or rows)
        elif token.type == "table_close":
            head = 0
    acts = set(body) & {*map(chr, range(32)), *map(chr, range(127, 160)), *"\u202e\u202c\u2028\u200b"} - {"\n"}
    assert acts == set()


@given(st.text(max_size=60) | st.sampled_from([MARKDOWN, HOSTILE]))
def test_any_word_is_text_in_a_cell(word: str):
    for made in (escaped(word), code(word)):
        assert "\n" not in made
        tokens = rendered(f"| a | b |\n|---|---|\n| x{made} | y |\n")
        cells = [t for t in tokens if t.type == "inline"]
        assert [c.content for c in cells[:2]] + [cells[3].content] == ["a", "b", "y"]
        assert {t.type for t in cells[2].children} <= {"text", "code_inline", "text_special"}


def test_the_command_writes_it_beside_the_rows(run_in_splits: Path, tmp_path: Path):
    done = synth(
        "export",
        run_in_splits,
        "--to",
        "sft",
        "--to",
        "dpo",
        "--out",
        tmp_path / "out",
        "--card",
        "--license",
        "mit",
        check=0,
    )
    assert f"card: {tmp_path / 'out' / 'README.md'}" in done.stdout
    header = yaml.safe_load((tmp_path / "out" / "README.md").read_text().split("---\n")[1])
    assert header["license"] == "mit"
    assert [c["config_name"] for c in header["configs"]] == ["sft", "dpo"]
    told = synth("export", run_in_splits, "--to", "sft", "--out", tmp_path / "out", "--license", "mit", check=2)
    assert "--license only affects the dataset card" in told.stderr
    assert package.write_card is write_card
