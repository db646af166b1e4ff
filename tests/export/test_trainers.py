"""TRL's own trainers load our exports and take a step on them, with a tiny random model and a tokenizer made here.

Not part of the ordinary run, for torch is heavy; the command is in docs/export.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from reward_examples import EXAMPLES

from synth.export import ExportOptions, export_run
from synth.rewards import by_column, correct, think_format
from synth.rewards.registry import Entry, our_rewards

trl = pytest.importorskip("trl", reason="the trainers are not installed: pip install -e '.[trainers]'")

from datasets import Dataset, load_dataset  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    LlamaConfig,
    PreTrainedTokenizerFast,
)

pytestmark = pytest.mark.filterwarnings("ignore")

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ m['content'] }}<|end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes and little more."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        ["The answer is"], trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet)
    )
    whole = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|end|>", pad_token="<|pad|>")
    whole.chat_template = TEMPLATE
    return whole


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Callable[[type], str]:
    """Saves a tiny random model of a kind; gives its folder."""

    def made(kind: type) -> str:
        folder = tmp_path_factory.mktemp("model")
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=2048,
            num_labels=1 if kind is AutoModelForSequenceClassification else 2,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
        kind.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return made


SETTINGS: dict[str, Any] = {
    "max_steps": 1,
    "per_device_train_batch_size": 2,
    "use_cpu": True,
    "report_to": [],
    "save_strategy": "no",
    "logging_steps": 1,
    "bf16": False,
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
    "disable_tqdm": True,
}


def loaded(run: Path, to: str, tmp_path: Path, **options: Any) -> Dataset:
    """An export as a user loads it, with every column there is."""
    path = export_run(run, to, tmp_path / "data", ExportOptions(**options)).path
    kind = "parquet" if path.suffix == ".parquet" else "json"
    return load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))


def step(trainer: Any) -> dict[str, float]:
    """Takes one step, in which the weights must move; gives what was logged."""
    before = {n: p.detach().clone() for n, p in trainer.model.named_parameters()}
    done = trainer.train()
    assert math.isfinite(done.training_loss)
    assert any((p.detach() != before[n]).any() for n, p in trainer.model.named_parameters())
    return trainer.state.log_history[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"file_format": "parquet"},
        {"layout": "plain"},
        {"shape": "prompt-completion"},
        {"shape": "prompt-completion", "layout": "plain"},
        {"thinking": "tags", "as_thought": True, "system": "Think first.", "target": "both"},
    ],
    ids=str,
)
def test_sft(cot: Path, tmp_path: Path, tokenizer, model, options: dict[str, Any]):
    rows = loaded(cot, "sft", tmp_path, **options)
    args = trl.SFTConfig(output_dir=str(tmp_path / "out"), max_length=1024, **SETTINGS)
    trainer = trl.SFTTrainer(
        model=model(AutoModelForCausalLM), args=args, train_dataset=rows, processing_class=tokenizer
    )
    first = trainer.train_dataset[0]
    seen = tokenizer.decode(first["input_ids"])
    row = rows[0]
    if "messages" in row:
        assert all(m["content"] in seen for m in row["messages"])
    elif "text" in row:
        assert row["text"] in seen
    else:
        told = row["completion"] if isinstance(row["completion"], str) else row["completion"][0]["content"]
        learnt = (
            [i for i, m in zip(first["input_ids"], first["completion_mask"], strict=True) if m]
            if "completion_mask" in first
            else [i for i in first["labels"] if i != -100]
        )
        assert tokenizer.decode(learnt).replace("<|end|>", "").strip() == told.strip()
    assert step(trainer)["loss"] > 0


@pytest.mark.parametrize("layout", ["conversational", "plain"])
def test_dpo(cot: Path, tmp_path: Path, tokenizer, model, layout: str):
    rows = loaded(cot, "dpo", tmp_path, layout=layout)
    args = trl.DPOConfig(output_dir=str(tmp_path / "out"), max_length=1024, **SETTINGS)
    trainer = trl.DPOTrainer(
        model=model(AutoModelForCausalLM), args=args, train_dataset=rows, processing_class=tokenizer
    )
    # Before the first update policy and reference are one, so the loss is that of a coin.
    assert step(trainer)["loss"] == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize("layout", ["conversational", "plain"])
def test_kto(cot: Path, tmp_path: Path, tokenizer, model, layout: str):
    rows = loaded(cot, "kto", tmp_path, layout=layout)
    assert set(rows["label"]) == {True, False}
    args = trl.KTOConfig(output_dir=str(tmp_path / "out"), max_length=1024, **SETTINGS)
    trainer = trl.KTOTrainer(
        model=model(AutoModelForCausalLM), args=args, train_dataset=rows, processing_class=tokenizer
    )
    assert math.isfinite(step(trainer)["loss"])


@pytest.mark.parametrize("layout", ["conversational", "plain"])
@pytest.mark.parametrize("margin", [False, True])
def test_reward(cot: Path, tmp_path: Path, tokenizer, model, layout: str, margin: bool):
    rows = loaded(cot, "reward", tmp_path, layout=layout, margin=margin)
    args = trl.RewardConfig(output_dir=str(tmp_path / "out"), max_length=1024, **SETTINGS)
    trainer = trl.RewardTrainer(
        model=model(AutoModelForSequenceClassification), args=args, train_dataset=rows, processing_class=tokenizer
    )
    # The model knows nothing: -log sigmoid of about minus the margin, which is 1 (right over wrong) or is not stated.
    expected = math.log(1 + math.e) if margin else math.log(2)
    assert step(trainer)["loss"] == pytest.approx(expected, abs=0.05)


def test_prm(trees: Path, tmp_path: Path, tokenizer, model):
    try:
        from trl.experimental.prm import PRMConfig, PRMTrainer
    except ImportError:
        pytest.skip(f"TRL {trl.__version__} has no trainer for process rewards any more: pip install 'trl<1.14'")
    rows = loaded(trees, "prm", tmp_path)
    args = PRMConfig(output_dir=str(tmp_path / "out"), max_length=2048, **SETTINGS)
    whole = AutoModelForTokenClassification.from_pretrained(model(AutoModelForTokenClassification))
    trainer = PRMTrainer(model=whole, args=args, train_dataset=rows, processing_class=tokenizer)
    for row, seen in zip(rows, trainer.train_dataset, strict=True):
        # One label a step, at its last token, in order: nothing was joined and cut again.
        assert [label for label in seen["labels"] if label != -100] == [int(x) for x in row["labels"]]
        assert tokenizer.decode(seen["input_ids"]) == row["prompt"] + "".join(s + "\n" for s in row["completions"])
    assert step(trainer)["loss"] > 0


@pytest.mark.parametrize("layout", ["conversational", "plain"])
def test_grpo(cot: Path, tmp_path: Path, tokenizer, model, layout: str):
    rows = loaded(cot, "grpo", tmp_path, layout=layout)
    gold = {json.dumps(row["prompt"]): row["answer"] for row in rows}
    asked: list[Any] = []

    def says_the_answer(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float]:
        """Ours, given what the model should have said in half of the cases, in the very form the trainer uses."""
        asked.extend(completions)
        assert [gold[json.dumps(p)] for p in prompts] == columns["answer"]
        said = [f"The answer is {a if i % 2 else a + '1'}." for i, a in enumerate(columns["answer"])]
        told = said if layout == "plain" else [[{"role": "assistant", "content": s}] for s in said]
        rewards = correct(completions=told, prompts=prompts, **columns)
        assert rewards == [float(i % 2) for i in range(len(said))]
        return rewards

    args = trl.GRPOConfig(
        output_dir=str(tmp_path / "out"),
        num_generations=2,
        max_completion_length=8,
        **SETTINGS,
    )
    trainer = trl.GRPOTrainer(
        model=model(AutoModelForCausalLM),
        reward_funcs=[correct, think_format, says_the_answer],
        args=args,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    logged = step(trainer)
    assert len(asked) == 2
    assert all(isinstance(a, str if layout == "plain" else list) for a in asked)
    assert (logged["rewards/correct/mean"], logged["rewards/think_format/mean"]) == (0.0, 0.0)
    assert logged["rewards/says_the_answer/mean"] == 0.5


def test_grpo_with_every_reward(cot: Path, tmp_path: Path, tokenizer, model):
    """One step with all registered rewards, each given what it needs, and with the one that reads the column."""
    rows = loaded(cot, "grpo", tmp_path, reward="length_band", reward_args={"high": 300})

    def given(name: str, known: Entry) -> Callable[..., list[float | None]]:
        def rewarded(completions: list[Any], **columns: Any) -> list[float | None]:
            n = len(completions)
            more = {c: [value] * n for c, value in EXAMPLES[name].row.items() if c not in columns or c == "reward_args"}
            more |= {c: [of(said[-1]["content"]) for said in completions] for c, of in EXAMPLES[name].each.items()}
            columns = {c: v for c, v in columns.items() if c != "reward"} | {"reward_args": ["{}"] * n} | more
            found = known.function(completions, **columns)
            assert len(found) == n
            return found

        rewarded.__name__ = name
        return rewarded

    args = trl.GRPOConfig(output_dir=str(tmp_path / "out"), num_generations=2, max_completion_length=8, **SETTINGS)
    trainer = trl.GRPOTrainer(
        model=model(AutoModelForCausalLM),
        reward_funcs=[by_column, *(given(name, known) for name, known in our_rewards().items())],
        args=args,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    logged = trainer.state.log_history[0]
    assert {f"rewards/{name}/mean" for name in ("by_column", *our_rewards())} <= set(logged)
    # What a random model says is nowhere right; alone or with one other it is its own majority share.
    assert (logged["rewards/by_column/mean"], logged["rewards/correct/mean"]) == (0.0, 0.0)


def test_rloo(cot: Path, tmp_path: Path, tokenizer, model):
    rows = loaded(cot, "grpo", tmp_path)
    args = trl.RLOOConfig(output_dir=str(tmp_path / "out"), num_generations=2, max_completion_length=8, **SETTINGS)
    trainer = trl.RLOOTrainer(
        model=model(AutoModelForCausalLM),
        reward_funcs=[by_column],
        args=args,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    trainer.train()
    assert trainer.state.log_history[0]["rewards/by_column/mean"] == 0.0


def test_judge(reviewed: Path, tmp_path: Path, tokenizer, model):
    rows = loaded(reviewed, "judge", tmp_path)
    args = trl.SFTConfig(output_dir=str(tmp_path / "out"), max_length=2048, assistant_only_loss=True, **SETTINGS)
    trainer = trl.SFTTrainer(
        model=model(AutoModelForCausalLM), args=args, train_dataset=rows, processing_class=tokenizer
    )
    assert step(trainer)["loss"] > 0


AXOLOTL = [
    ("cot", "sft", {}),
    ("cot", "sft", {"layout": "plain"}),
    ("cot", "sft", {"layout": "plain", "shape": "prompt-completion"}),
    ("cot", "dpo", {}),
    ("cot", "dpo", {"layout": "plain"}),
    ("cot", "kto", {}),
    ("cot", "kto", {"layout": "plain"}),
    ("cot", "reward", {}),
    ("trees", "prm", {}),
    ("cot", "grpo", {}),
    ("reviewed", "judge", {}),
]


@pytest.mark.parametrize(("run", "to", "options"), AXOLOTL, ids=str)
def test_axolotl_reads_what_its_settings_name(
    request: pytest.FixtureRequest, tmp_path: Path, tokenizer, run: str, to: str, options: dict[str, Any]
):
    """Its own prompt strategies, chosen as it chooses them, over every row."""
    reason = "Axolotl is not installed: docs/export.md says how"
    pytest.importorskip("axolotl.prompt_strategies", reason=reason)
    from axolotl.prompt_strategies import load as load_supervised
    from axolotl.prompt_strategies.bradley_terry import load as load_reward
    from axolotl.prompt_strategies.dpo import load as load_dpo
    from axolotl.prompt_strategies.kto import load as load_kto
    from axolotl.prompt_strategies.stepwise_supervised import load as load_stepwise
    from axolotl.utils.dict import DictDefault

    whole = ExportOptions(trainer="axolotl", **options)
    made = export_run(request.getfixturevalue(run), to, tmp_path / "data", whole)
    settings = yaml.safe_load((tmp_path / "data" / f"{to}.axolotl.yaml").read_text())
    (entry,) = settings["datasets"]
    assert entry["path"] == made.path.as_posix()
    cfg = DictDefault({**settings, "sequence_len": 4096, "train_on_inputs": False})
    rows = load_dataset("json", data_files=entry["path"], split=entry["split"], cache_dir=str(tmp_path / "cache"))
    kind = entry["type"]
    if isinstance(kind, dict):
        kind = "user_defined" if to == "sft" else "user_defined.default"
    for row in rows:
        row = dict(row)  # noqa: PLW2901  # strategies change the row they are given
        if to == "dpo":
            transform = load_dpo(kind, cfg, dataset_idx=0)
            transform = transform[0] if isinstance(transform, tuple) else transform
            got = transform(dict(row), tokenizer=tokenizer) if "chat" in kind else transform(dict(row))
            for side in ("chosen", "rejected"):
                told = row[side] if isinstance(row[side], str) else row[side]["content"]
                assert got[side].removesuffix("<|end|>").strip() == told.strip()
            asked = row["prompt"] if "prompt" in row else row["messages"][-1]["content"]
            assert asked in got["prompt"]
        elif to == "kto":
            got = load_kto(kind, cfg, dataset_idx=0)(dict(row))
            told = row["completion"] if isinstance(row["completion"], str) else row["completion"][-1]["content"]
            assert got["completion"].removesuffix("<|im_end|>") == told
            assert got["label"] == row["label"]
        elif to == "reward":
            got = load_reward(kind.partition(".")[2], tokenizer, cfg, entry)._tokenize_single_prompt(dict(row))
            for side in ("chosen", "rejected"):
                assert row[side] in tokenizer.decode(got[f"{side}_ids"])
                assert row["input"] in tokenizer.decode(got[f"{side}_ids"])
        elif to == "prm":
            got = load_stepwise(tokenizer, cfg, DictDefault(entry)).tokenize_prompt(row)
            assert [x for x in got["labels"] if x != -100] == [int(x) for x in row["labels"]]
        elif to == "grpo":
            assert kind is None  # taken as it stands
            assert row["prompt"][-1]["role"] == "user"
        else:
            strategy = load_supervised(kind, tokenizer, cfg, {**entry["type"]} if kind == "user_defined" else entry)
            got = strategy.tokenize_prompt({k: [v] for k, v in row.items()} if kind == "completion" else row)
            ids, labels = got["input_ids"], got["labels"]
            if kind == "completion":
                (ids,), (labels,) = ids, labels
            learnt = tokenizer.decode([i for i, label in zip(ids, labels, strict=True) if label != -100])
            told = row.get("text") or row.get("completion") or row["messages"][-1]["content"]
            assert learnt.replace("<|end|>", "").strip() == told.strip()


@pytest.mark.parametrize("layout", ["conversational", "plain"])
@pytest.mark.parametrize("prefix", ["prompt", "assistant"])
def test_dpo_of_continuations(stepped: Path, tmp_path: Path, tokenizer, model, layout: str, prefix: str):
    """What is compared is what follows the shared steps; TRL closes a begun turn, so a shared beginning is in both sides."""
    rows = loaded(stepped, "dpo", tmp_path, layout=layout, prefix=prefix, rejected="step")
    args = trl.DPOConfig(output_dir=str(tmp_path / "out"), max_length=1024, **SETTINGS)
    trainer = trl.DPOTrainer(
        model=model(AutoModelForCausalLM), args=args, train_dataset=rows, processing_class=tokenizer
    )
    for row, seen in zip(rows, trainer.train_dataset, strict=True):
        for side in ("chosen", "rejected"):
            asked, said = (tokenizer.decode(seen[f"{name}_ids"]) for name in ("prompt", side))
            text = row[side] if layout == "plain" else row[side][0]["content"]
            assert said.replace("<|end|>", "").rstrip("\n") == text.rstrip("\n")
            begun = row["prefix"] in (said if prefix == "assistant" and layout == "conversational" else asked)
            assert begun
    assert step(trainer)["loss"] == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.parametrize(
    ("to", "options"),
    [
        ("prm", {"steps_as": "chat", "unsure": "cut", "values": "step_value"}),
        ("steps", {"balance": (1, 1)}),
        ("steps", {"layout": "plain"}),
        ("sft", {"step_weight": "step_gain"}),
        ("sft", {"step_weight": "step_gain", "layout": "plain"}),
    ],
    ids=str,
)
def test_sft_of_steps(stepped: Path, tmp_path: Path, tokenizer, model, to: str, options: dict[str, Any]):
    rows = loaded(stepped, to, tmp_path, **options)
    args = trl.SFTConfig(output_dir=str(tmp_path / "out"), max_length=2048, assistant_only_loss=to == "prm", **SETTINGS)
    trainer = trl.SFTTrainer(
        model=model(AutoModelForCausalLM), args=args, train_dataset=rows, processing_class=tokenizer
    )
    assert step(trainer)["loss"] > 0


def test_prm_of_scores(stepped: Path, tmp_path: Path, tokenizer, model):
    """Values and weights beside the labels are ignored."""
    prm = pytest.importorskip("trl.experimental.prm", reason="this TRL has no trainer for process rewards any more")
    rows = loaded(stepped, "prm", tmp_path, values="step_value", step_weight="step_gain", unsure="cut")
    args = prm.PRMConfig(output_dir=str(tmp_path / "out"), max_length=2048, **SETTINGS)
    whole = AutoModelForTokenClassification.from_pretrained(model(AutoModelForTokenClassification))
    trainer = prm.PRMTrainer(model=whole, args=args, train_dataset=rows, processing_class=tokenizer)
    for row, seen in zip(rows, trainer.train_dataset, strict=True):
        assert [label for label in seen["labels"] if label != -100] == [int(x) for x in row["labels"]]
    assert step(trainer)["loss"] > 0
