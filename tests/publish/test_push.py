"""Pushing to a Hub that is a real server on loopback: what it received is compared byte for byte, and read by `datasets`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hub_server import DROP, TOKEN, FakeHub
from support import ask

import synth
from synth.errors import CheckFailed, SetupError, Stopped, UserError
from synth.export import ExportOptions, export_dataset, export_run

# Of the library of the Hub, with the HTTP library it has chosen.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def header(card: bytes) -> dict:
    return yaml.safe_load(card.decode().split("---\n")[1])


def test_what_is_received_is_what_an_export_writes_and_what_datasets_reads(
    hub: FakeHub, run_in_splits: Path, tmp_path: Path
):
    from datasets import get_dataset_config_names, load_dataset

    pushed = synth.push(run_in_splits, "me/cot", ["sft", "dpo"], license="cc-by-4.0")
    assert hub.repos["me/cot"].private
    assert pushed.private
    assert pushed.commit == f"{hub.url}/datasets/me/cot/commit/{hub.repos['me/cot'].branches['main'][-1][0]}"
    files = hub.repos["me/cot"].files()
    for to in ("sft", "dpo"):
        made = export_run(run_in_splits, to, tmp_path / "out", ExportOptions(file_format="parquet"))
        assert {p.name: p.read_bytes() for p in made.files} == {
            p.removeprefix("data/"): content for p, content in files.items() if p.startswith(f"data/{to}.")
        }
        assert len(made.files) == 2
    beside = {".gitattributes", "README.md", "pipeline.yaml", "audits.json", "report.html", "synth.json"}
    assert set(files) == beside | {f"data/{c}.{s}.parquet" for c in ("sft", "dpo") for s in ("train", "validation")}
    assert {c.path: c.size for c in pushed.changes} == {p: len(c) for p, c in files.items() if p != ".gitattributes"}
    assert header(files["README.md"])["license"] == "cc-by-4.0"
    assert len(hub.repos["me/cot"].branches["main"]) == 2, "one commit after the one that made it"

    copy = hub.copy("me/cot", tmp_path / "copy")
    assert sorted(get_dataset_config_names(str(copy))) == ["dpo", "sft"]
    for to in ("sft", "dpo"):
        loaded = load_dataset(str(copy), to, cache_dir=str(tmp_path / "cache"))
        exported = export_dataset(run_in_splits, to)
        assert {s: d.to_list() for s, d in loaded.items()} == {s: d.to_list() for s, d in exported.items()}
        assert set(loaded) == {"train", "validation"}


def test_the_pipeline_beside_the_data_is_the_one_that_ran(hub: FakeHub, run_in_splits: Path, tmp_path: Path):
    synth.push(run_in_splits, "me/cot", "sft")
    path = tmp_path / "pipeline.yaml"
    path.write_bytes(hub.repos["me/cot"].files()["pipeline.yaml"])
    again, told = synth.load_pipeline(str(path)), json.loads((run_in_splits / "run.json").read_bytes())
    assert again.fingerprint() == told["fingerprint"]
    assert [s.described() for s in again.corpus] == told["corpus"]
    assert again.cites == synth.load_pipeline("fine-tune-cot").cites


def test_the_same_again_sends_nothing(hub: FakeHub, run_in_splits: Path):
    synth.push(run_in_splits, "me/cot", ["sft", "dpo"])
    hub.seen.clear()
    pushed = synth.push(run_in_splits, "me/cot", ["sft", "dpo"])
    assert hub.writes == []
    assert pushed.written == ()
    assert pushed.commit is None


def test_other_columns_leave_nothing_stale_and_files_of_others_stay(hub: FakeHub, run_in_splits: Path, tmp_path: Path):
    from datasets import load_dataset

    synth.push(run_in_splits, "me/cot", ["sft", "dpo"])
    repo = hub.repos["me/cot"]
    repo.commit("main", {**repo.files(), "notes.txt": b"mine", "extra/a.parquet": b"PAR1"})
    pushed = synth.push(run_in_splits, "me/cot", "sft", ExportOptions(layout="plain"))
    assert pushed.others == ("extra/a.parquet", "notes.txt")
    what = {c.path: c.what for c in pushed.changes}
    assert [p for p, w in what.items() if w == "gone"] == ["data/dpo.train.parquet", "data/dpo.validation.parquet"]
    assert what["data/sft.train.parquet"] == "changed"
    assert what["audits.json"] == "unchanged"
    files = repo.files()
    assert files["notes.txt"] == b"mine"
    assert files["extra/a.parquet"] == b"PAR1"
    assert not any("dpo" in path for path in files)
    assert [c["config_name"] for c in header(files["README.md"])["configs"]] == ["sft"]
    loaded = load_dataset(str(hub.copy("me/cot", tmp_path / "copy")), "sft", cache_dir=str(tmp_path / "cache"))
    assert "text" in loaded["train"].column_names
    assert "messages" not in loaded["train"].column_names


def test_a_card_that_others_changed_is_not_overwritten_unless_asked(hub: FakeHub, run_in_splits: Path):
    synth.push(run_in_splits, "me/cot", "sft")
    repo = hub.repos["me/cot"]
    stale = b"---\ndataset_info:\n  features:\n  - name: gone\n    dtype: string\n---\n# Cot\n"
    before = {**repo.files(), "README.md": stale, "dataset_infos.json": b'{"default": {"features": {"gone": {}}}}'}
    repo.commit("main", before)
    with pytest.raises(
        UserError, match=r"README\.md is there, .*changed since the last push; so are dataset_infos\.json"
    ):
        synth.push(run_in_splits, "me/cot", "sft", ExportOptions(layout="plain"))
    assert repo.files() == before
    synth.push(run_in_splits, "me/cot", "sft", ExportOptions(layout="plain", replace=True))
    assert "dataset_infos.json" not in repo.files()
    assert "dataset_info" not in header(repo.files()["README.md"])


def test_a_repository_of_somebody_elses_making_is_not_overwritten(hub: FakeHub, run_in_splits: Path):
    hub.make("me/cot", {"README.md": b"# By hand\n", "synth.json": b"[1]"})
    with pytest.raises(
        UserError, match=r"README\.md is there, is in the way and was not written by a push; so are synth\.json"
    ):
        synth.push(run_in_splits, "me/cot", "sft")
    assert hub.writes == []


def test_the_note_of_a_newer_version_is_reported_as_such(hub: FakeHub, run_in_splits: Path):
    """What an older version would remove or leave there is not known to it."""
    hub.make("me/cot", {"synth.json": b'{"format": 2, "files": "of tomorrow"}'})
    with pytest.raises(UserError, match="newer version of synth"):
        synth.push(run_in_splits, "me/cot", "sft")
    assert hub.writes == []


def test_a_dry_run_shows_all_and_writes_nothing(hub: FakeHub, run_in_splits: Path):
    shown = synth.push(run_in_splits, "me/cot", ["sft", "dpo"], dry_run=True)
    assert hub.writes == []
    assert hub.repos == {}
    done = synth.push(run_in_splits, "me/cot", ["sft", "dpo"])
    assert shown.changes == done.changes
    assert all(c.what == "new" and c.size and len(c.sha256) == 64 for c in shown.changes)
    assert {c.path: c.rows for c in shown.changes if c.rows} == {
        f"data/{to}.{split}.parquet": len(rows)
        for to in ("sft", "dpo")
        for split, rows in export_dataset(run_in_splits, to).items()
    }
    hub.seen.clear()
    synth.push(run_in_splits, "me/cot", ["dpo"], dry_run=True)
    assert hub.writes == []


def test_public_is_said_both_ways(hub: FakeHub, run_in_splits: Path):
    assert not synth.push(run_in_splits, "me/open", "sft", public=True).private
    assert not hub.repos["me/open"].private
    with pytest.raises(UserError, match="there, and public"):
        synth.push(run_in_splits, "me/open", "dpo")
    hub.make("me/closed")
    assert "private and stays so" in synth.push(run_in_splits, "me/closed", "sft", public=True).notes[-1]
    assert hub.repos["me/closed"].private


def test_failing_audits_are_refused_unless_asked(hub: FakeHub, run_in_splits: Path):
    with pytest.raises(CheckFailed, match=r"an audit fails:\n  kept_rows: .* at least 1e\+06") as refused:
        synth.push(run_in_splits, "me/cot", "sft", thresholds={"kept_rows": 1e6})
    assert refused.value.exit_code == 1
    assert hub.repos == {}
    synth.push(run_in_splits, "me/cot", "sft", thresholds={"kept_rows": 1e6}, ignore_audits=True)
    files = hub.repos["me/cot"].files()
    assert b"`kept_rows` | **failed**" in files["README.md"]
    told = json.loads(files["audits.json"])
    assert told["failed"]
    assert str(run_in_splits.parent) not in files["audits.json"].decode()


def test_cut_off_half_way_it_goes_on_with_what_is_missing(hub: FakeHub, run_in_splits: Path):
    sent = 0

    def fault(method: str, _path: str):
        nonlocal sent
        sent += method == "PUT"
        return DROP if method == "PUT" and sent > 1 else None

    hub.fault = fault
    with pytest.raises(Stopped, match="the same command again") as stopped:
        synth.push(run_in_splits, "me/cot", ["sft", "dpo"])
    assert stopped.value.exit_code == 3
    assert set(hub.repos["me/cot"].files()) == {".gitattributes"}, "no half state is to be seen"
    there = len(hub.large)
    assert 0 < there < 4
    hub.fault = lambda _method, _path: None
    hub.seen.clear()
    synth.push(run_in_splits, "me/cot", ["sft", "dpo"])
    assert sum(method == "PUT" for method, _ in hub.seen) == 4 - there
    assert len(hub.repos["me/cot"].files()) == 10


def test_a_lost_answer_to_the_commit_is_made_good(hub: FakeHub, run_in_splits: Path):
    hub.fault = lambda _method, path: DROP if "/commit/" in path else None
    with pytest.raises(Stopped, match="connection to the Hub was lost"):
        synth.push(run_in_splits, "me/cot", "sft")
    hub.fault = lambda _method, _path: None
    synth.push(run_in_splits, "me/cot", "sft")
    assert "data/sft.train.parquet" in hub.repos["me/cot"].files()


def test_what_others_write_meanwhile_is_not_overwritten(hub: FakeHub, run_in_splits: Path):
    hub.make("me/cot")

    def fault(_method: str, path: str):
        if "/preupload/" in path:
            hub.repos["me/cot"].commit("main", {"README.md": b"# mine\n"})

    hub.fault = fault
    with pytest.raises(Stopped, match="changed by somebody else meanwhile"):
        synth.push(run_in_splits, "me/cot", "sft")
    assert hub.repos["me/cot"].files() == {"README.md": b"# mine\n"}


def test_a_branch_is_made_where_it_is_not(hub: FakeHub, run_in_splits: Path):
    hub.make("me/cot", {"notes.txt": b"mine"})
    synth.push(run_in_splits, "me/cot", "sft", branch="next", message="first\n\nversion\n")
    assert set(hub.repos["me/cot"].files("main")) == {".gitattributes", "notes.txt"}
    assert {"notes.txt", "data/sft.train.parquet"} < set(hub.repos["me/cot"].files("next"))
    synth.push(run_in_splits, "me/cot", "dpo", branch="next")
    assert not any("sft" in path for path in hub.repos["me/cot"].files("next"))
    assert hub.messages == [("first", "version"), ("cot (dpo), by synth", "")]


def test_a_name_alone_is_ones_own(hub: FakeHub, run_in_splits: Path):
    assert synth.push(run_in_splits, "cot", "sft").repo == "me/cot"


@pytest.mark.parametrize(
    ("repo", "error", "told"),
    [
        ("me/a b", UserError, "not a name for a repository"),
        ("me/a/b", UserError, "not a name for a repository"),
        ("me/well-refused", UserError, r"refuses \(HTTP 400\): Invalid repo name"),
        ("them/cot", SetupError, "the token may not do this: You don't have the rights"),
    ],
)
def test_repositories_the_hub_refuses(hub: FakeHub, run_in_splits: Path, repo: str, error: type[Exception], told: str):
    with pytest.raises(error, match=told):
        synth.push(run_in_splits, repo, "sft")
    assert hub.repos == {}


def test_tokens_the_hub_refuses(hub: FakeHub, run_in_splits: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_" + "WrongOne0" * 5)
    with pytest.raises(SetupError, match="does not accept the token") as refused:
        synth.push(run_in_splits, "me/cot", "sft")
    assert "WrongOne" not in str(refused.value)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nonexistent")
    monkeypatch.setattr("huggingface_hub.constants.HF_STORED_TOKENS_PATH", "/nonexistent")
    with pytest.raises(SetupError, match="no token for the Hub"):
        synth.push(run_in_splits, "me/cot", "sft")
    assert hub.writes == []


def test_a_licence_the_hub_does_not_know(hub: FakeHub, run_in_splits: Path):
    with pytest.raises(UserError, match='license" must be one of'):
        synth.push(run_in_splits, "me/cot", "sft", license="not a licence")
    assert set(hub.repos["me/cot"].files()) == {".gitattributes"}


def test_no_hub_at_all(hub: FakeHub, run_in_splits: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SetupError, match="cannot be reached"):
        synth.push(run_in_splits, "me/cot", "sft", dry_run=True)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.fault = lambda _method, path: DROP if "/revision/" in path else None
    with pytest.raises(SetupError, match="cannot be reached"):
        synth.push(run_in_splits, "me/cot", "sft")


@pytest.mark.parametrize(
    ("to", "options", "told"),
    [
        ("stf", ExportOptions(), "no format 'stf'"),
        ([], ExportOptions(), "nothing is to be published"),
        (
            ["sft", "judge"],
            ExportOptions(),
            "this run has no verdict of a model with a number(.|\n)*a step 'review' makes them",
        ),
        (["sft", "dpo"], ExportOptions(margin=True), "--margin does not apply to sft or dpo"),
        ("sft", ExportOptions(trainer="openai"), "OpenAI takes JSONL only"),
    ],
)
def test_exports_that_cannot_be(
    hub: FakeHub, run_in_splits: Path, to: str | list[str], options: ExportOptions, told: str
):
    with pytest.raises(UserError, match=told):
        synth.push(run_in_splits, "me/cot", to, options)
    assert hub.writes == []


def test_nothing_left_to_export(hub: FakeHub, mine: Path):
    from synth.store.journal import Journal

    journal = Journal(mine / "journal")
    out = [
        {
            "id": f"x{i}",
            "unit": "corpus",
            "step": "by_hand",
            "target": r,
            "target_table": "rationales",
            "rule": "all out",
        }
        for i, (r,) in enumerate(ask(mine, "SELECT id FROM rationales"))
    ]
    journal.append(
        "commit", json.dumps({"owner": "corpus", "fingerprint": "f", "records": {"rejections": out}}).encode()
    )
    journal.close()
    with pytest.raises(UserError, match=r"nothing to export as sft(.|\n)*by_hand \(all out\)"):
        synth.push(mine, "me/cot", "sft", ignore_audits=True)
    assert hub.writes == []


def test_every_table_can_be_published(hub: FakeHub, run_in_splits: Path, tmp_path: Path):
    from datasets import get_dataset_config_names, load_dataset

    synth.push(run_in_splits, "me/tables", ["parquet", "sft"])
    copy = str(hub.copy("me/tables", tmp_path / "copy"))
    names = get_dataset_config_names(copy)
    assert {"sft", "problems", "rationales", "calls", "wide_rationales"} <= set(names)
    assert "nodes" not in names, "an empty table cannot be loaded"
    assert "data/nodes.parquet" not in hub.repos["me/tables"].files()
    for name in names:
        loaded = load_dataset(copy, name, cache_dir=str(tmp_path / "cache"))
        if name != "sft":
            assert loaded["train"].num_rows == ask(run_in_splits, f"SELECT count(*) FROM {name}")[0][0]


def test_the_token_is_in_nothing_that_is_sent_or_kept(hub: FakeHub, run_in_splits: Path, tmp_path: Path):
    synth.push(run_in_splits, "me/cot", ["sft", "parquet"])
    sent = [*hub.repos["me/cot"].files().values(), *hub.large.values()]
    kept = [p.read_bytes() for folder in (run_in_splits, tmp_path) for p in folder.rglob("*") if p.is_file()]
    assert not any(TOKEN.encode() in content for content in sent + kept)
