"""The marks that models write around a thought, by family, and the tokens with which they end their turn."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["END_OF_TURN", "TABLE", "Mark"]


class Mark(NamedTuple):
    """The marks of one family, as they are written."""

    family: str
    """What it is called."""
    open: tuple[str, ...]
    """Any of these begins a thought."""
    close: tuple[str, ...]
    """Any of these ends it."""
    response_open: tuple[str, ...] = ()
    """Marks before the response; they also end a thought."""
    response_close: tuple[str, ...] = ()
    """Marks after the response."""
    alone: bool = True
    """Whether `close` ends a thought of which no beginning is to be seen. What else that word ends would be taken for one."""
    attributes: bool = False
    """Whether the opening tag may have attributes: `<think duration=3>`."""
    words: bool = False
    """Whether the marks are words that any text may begin with: they count only as a pair, and exactly as written."""
    joints: tuple[str, ...] = ()
    """Marks between the parts of one thought."""


def _tag(name: str) -> Mark:
    return Mark(name, (f"<{name}>",), (f"</{name}>",), attributes=True)


TABLE: tuple[Mark, ...] = (
    _tag("think"),  # DeepSeek, Qwen, GLM, Nemotron, Kimi K2, Step, MiniMax M2, Olmo, Intern, Hunyuan, ERNIE
    _tag("thinking"),  # prompted; Claude
    _tag("thought"),  # Gemini behind the OpenAI interface, EXAONE Deep
    _tag("reasoning"),  # prompted
    _tag("reflection"),  # prompted
    _tag("seed:think"),  # Seed-OSS
    _tag("mm:think"),  # MiniMax M3, which may write the closing tag alone
    _tag("longcat_think"),  # LongCat
    Mark("[THINK]", ("[THINK]",), ("[/THINK]",)),  # Mistral
    Mark("◁think▷", ("◁think▷",), ("◁/think▷",)),  # Kimi k1.5
    Mark("gemma", ("<|channel>thought",), ("<channel|>",)),  # Gemma 4
    Mark("medgemma", ("<unused94>thought",), ("<unused95>",)),  # MedGemma 1.5
    Mark("apertus", ("<|inner_prefix|>",), ("<|inner_suffix|>",)),
    Mark(
        "cohere",
        ("<|START_THINKING|>",),
        ("<|END_THINKING|>",),
        ("<|START_RESPONSE|>", "<|START_TEXT|>"),
        ("<|END_RESPONSE|>", "<|END_TEXT|>"),
    ),
    Mark(  # OpenThinker, Sky-T1
        "begin_of_thought",
        ("<|begin_of_thought|>",),
        ("<|end_of_thought|>",),
        ("<|begin_of_solution|>",),
        ("<|end_of_solution|>",),
    ),
    Mark(
        "inkling",
        ("<|message_model|><|content_thinking|>", "<|content_thinking|>"),
        ("<|end_message|>",),
        ("<|message_model|><|content_text|>", "<|content_text|>"),
        alone=False,
    ),
    Mark(  # gpt-oss; "commentary" is what it says while it works
        "harmony",
        (
            "<|start|>assistant<|channel|>analysis<|message|>",
            "<|channel|>analysis<|message|>",
            "<|start|>assistant<|channel|>commentary<|message|>",
            "<|channel|>commentary<|message|>",
        ),
        ("<|end|>",),
        ("<|start|>assistant<|channel|>final<|message|>", "<|channel|>final<|message|>"),
        alone=False,
    ),
    Mark(  # gpt-oss where the server has taken the special tokens off
        "harmony without tokens",
        ("analysis",),
        ("assistantfinal",),
        words=True,
        joints=("assistantanalysis", "assistantcommentary"),
    ),
    Mark(
        "granite",
        ("Here is my thought process:", "Here's my thought process:"),
        ("Here is my response:", "Here's my response:"),
        words=True,
    ),
)
"""The families we know; those that name no model were seen in prompts. A profile adds its own in front."""

END_OF_TURN = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|return|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<|end_message|>",
    "<|content_model_end_sampling|>",
    "<|END_OF_TURN_TOKEN|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "</s>",
    "<eos>",
)
"""Tokens with which models end their turn; servers should take them off, and some do not."""
