"""Thoughts and responses are parted, whatever marks stand around the thought, and nothing else is changed."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synth.texts.control import control_tokens, half_tags
from synth.texts.marks import TABLE, Mark
from synth.texts.thoughts import Split, split_thought

THOUGHT = "First I add 2 and 2. That could be 5, no, it is 4."
RESPONSE = "Two and two make four.\nThe answer is 4."
HARMONY = "<|channel|>analysis<|message|>{t}<|end|><|start|>assistant<|channel|>final<|message|>{r}"
AFTER = "<|start|>assistant<|channel|>analysis<|message|>c<|end|><|start|>assistant<|channel|>final<|message|>d"

WHOLE = {
    "think": "<think>{t}</think>\n{r}",
    "think, on lines of their own": "<think>\n{t}\n</think>\n\n{r}",
    "think, with white space before it": "\n\n <think>{t}</think>{r}",
    "think, with attributes": '<think duration=3 effort="high">{t}</think>{r}',
    "think, in capitals": "<THINK>{t}</THINK>{r}",
    "think, with a space": "<think >{t}</think >{r}",
    "think, twice opened": "<think>\n<think>\n{t}</think>{r}",
    "think, twice closed": "<think>{t}</think>\n</think>\n{r}",
    "think, closed as another": "<think>{t}</thinking>{r}",
    "think, after the beginning of a turn": "<|im_start|>assistant\n<think>{t}</think>{r}",
    "think, the opening mark missing": "{t}</think>\n{r}",
    "think, the opening mark missing, lines": "\n{t}\n</think>\n\n{r}",
    "thinking": "<thinking>{t}</thinking>{r}",
    "thought": "<thought>{t}</thought>{r}",
    "reasoning": "<reasoning>\n{t}\n</reasoning>\n{r}",
    "reflection": "<reflection>{t}</reflection>{r}",
    "Seed": "<seed:think>{t}</seed:think>{r}",
    "MiniMax": "<mm:think>{t}</mm:think>{r}",
    "LongCat": "<longcat_think>{t}</longcat_think>{r}",
    "Mistral": "[THINK]{t}[/THINK]{r}",
    "Mistral, the opening mark missing": "{t}[/THINK]{r}",
    "Kimi": "◁think▷{t}◁/think▷{r}",
    "Gemma": "<|channel>thought\n{t}<channel|>{r}",
    "MedGemma": "<unused94>thought\n{t}<unused95>{r}",
    "Apertus": "<|inner_prefix|>{t}<|inner_suffix|>{r}",
    "Cohere": "<|START_THINKING|>{t}<|END_THINKING|><|START_RESPONSE|>{r}<|END_RESPONSE|>",
    "Cohere, as text": "<|START_THINKING|>{t}<|END_THINKING|><|START_TEXT|>{r}<|END_TEXT|><|END_OF_TURN_TOKEN|>",
    "Cohere, the opening mark missing": "{t}<|END_THINKING|><|START_RESPONSE|>{r}<|END_RESPONSE|>",
    "OpenThinker": "<|begin_of_thought|>\n\n{t}\n\n<|end_of_thought|>\n\n<|begin_of_solution|>{r}<|end_of_solution|>",
    "Inkling": "<|message_model|><|content_thinking|>{t}<|end_message|><|message_model|><|content_text|>{r}<|end_message|>",
    "harmony": HARMONY,
    "harmony, with its end": HARMONY + "<|return|>",
    "harmony, from its start": "<|start|>assistant" + HARMONY,
    "harmony, the opening mark missing": HARMONY.removeprefix("<|channel|>analysis<|message|>"),
    "harmony, without <|end|>": "<|channel|>analysis<|message|>{t}<|channel|>final<|message|>{r}",
    "harmony without tokens": "analysis{t}assistantfinal{r}",
    "Granite": "Here is my thought process:\n{t}\nHere is my response:\n{r}",
    "Granite, short": "Here's my thought process: {t} Here's my response: {r}",
}
"""The forms in which replies come: `t` the thought, `r` the response."""


def form(name: str, thought: str = THOUGHT, response: str = RESPONSE) -> str:
    return WHOLE[name].replace("{t}", "\0").replace("{r}", response).replace("\0", thought)


@pytest.mark.parametrize("name", WHOLE)
def test_every_form_is_parted(name: str):
    text = form(name)
    got = split_thought(text)
    assert (got.thought, got.response, got.finished) == (THOUGHT, RESPONSE, True)
    assert text[got.start : got.start + len(got.response)] == RESPONSE
    assert got.family is not None


def test_every_family_has_a_form():
    assert {split_thought(form(name)).family for name in WHOLE} == {mark.family for mark in TABLE}


WORDS = st.text(st.sampled_from("ab 1=+\n.é、😀\\$*#_{}"), min_size=1).map(str.strip).filter(bool)
"""Any text without marks, code or quotation marks; white space at the ends is not part of a thought."""


@settings(deadline=None)
@given(st.sampled_from(sorted(WHOLE)), WORDS, WORDS)
@example("think, the opening mark missing", "x </", "a")
def test_any_thought_and_response_come_back(name: str, thought: str, response: str):
    if "missing" in name:  # a full stop behind a closing mark, or a small letter, makes it a word of a sentence
        response = "So: " + response
    text = form(name, thought, response)
    got = split_thought(text)
    assert (got.thought, got.response, got.finished) == (thought, response, True)
    assert text[got.start : got.start + len(response)] == response


@settings(deadline=None)
@given(st.text(st.sampled_from("ab 1<>/|[]\n.`'\"=thinkTHINKsalyfr:é◁▷😀"), max_size=80) | st.text(max_size=40))
def test_whatever_comes_nothing_is_changed(text: str):
    """The response is a part of the text, and thought and response have all of its letters but for those of marks."""
    got = split_thought(text)
    assert text[got.start : got.start + len(got.response)] == got.response
    if got.family is None and not got.ended:
        assert got == Split(None, text)
    if not got.finished:
        assert got.response == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n two lines \n",
        "4",
        "2 < 3 > 1, [THIN], <thin>, |end|",
        "The tag <think> opens a thought, and </think> closes it. The answer is 4.",
        "Write `</think>` behind the thought.\nThe answer is 4.",
        "Each thought ends with </think>. The answer is 4.",
        "Each thought ends with </think>, says the page.",
        "Write </think> at the end of it.",
        "The parser looks for '</think>' in the text.",
        'It splits at "</think>": the rest is the reply.',
        "Here is a parser:\n```python\nprint(reply.split('</think>')[1])\n```\nThe answer is 4.",
        "```\n<think>hm</think>\n```\nThat is the form.",
        "`<think>hm</think>` is the form.",
        "The model was trained on replies in which the reasoning stands first, in this form:\n<think>\nreasoning\n</think>\nreply",
        "analysis of the sum: it is 4",
        "Here is my thought process: two and two make four.",
        "analysis\nassistant\nfinal",
    ],
)
def test_text_without_a_thought_is_left_as_it_is(text: str):
    assert split_thought(text) == Split(None, text)


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{THOUGHT}",
        f"<think>\n{THOUGHT}\n",
        f"[THINK]{THOUGHT}",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|>",
        f"<|channel>thought\n{THOUGHT}",
        f"◁think▷{THOUGHT}",
        f"<|START_THINKING|>{THOUGHT}",
        f"<think>{THOUGHT}<|im_end|>",
    ],
)
def test_a_thought_without_an_end_takes_all(text: str):
    got = split_thought(text)
    assert (got.thought, got.response, got.finished, got.start) == (THOUGHT, "", False, len(text))


@pytest.mark.parametrize(
    ("text", "thought", "response"),
    [
        # Several thoughts: what stands between them is part of the thought.
        (f"<think>{THOUGHT}</think>Wait.<think>more: 5</think>{RESPONSE}", f"{THOUGHT}\n\nWait.\n\nmore: 5", RESPONSE),
        (f"<think>a</think>\n\n<think>b</think>\n\n{RESPONSE}", "a\n\nb", RESPONSE),
        (f"a</think>\nSo:\nno.\n<think>b</think>{RESPONSE}", "a\n\nSo:\nno.\n\nb", RESPONSE),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b<|end|>" + AFTER,
            "a\n\nb\n\nc",
            "d",
        ),
        ("analysisaassistantanalysisbassistantfinalc", "a\n\nb", "c"),
        # A line that leads to the thought.
        (f"Sure!\n<think>{THOUGHT}</think>\n{RESPONSE}", f"Sure!\n\n{THOUGHT}", RESPONSE),
        (
            f"Here is my reasoning:\n<think>{THOUGHT}</think>\n{RESPONSE}",
            f"Here is my reasoning:\n\n{THOUGHT}",
            RESPONSE,
        ),
        # An empty thought is none.
        (f"<think>\n\n</think>\n\n{RESPONSE}", None, RESPONSE),
        (f"</think>\n\n{RESPONSE}", None, RESPONSE),
        (f"</mm:think>{RESPONSE}", None, RESPONSE),
        (f"<|START_RESPONSE|>{RESPONSE}<|END_RESPONSE|>", None, RESPONSE),
        (f"<|channel|>final<|message|>{RESPONSE}<|return|>", None, RESPONSE),
        # The response keeps what is its own.
        ("<think>a</think><answer>4</answer>", "a", "<answer>4</answer>"),
        ("<think>a</think>The tag </think> closes it.", "a", "The tag </think> closes it."),
        ("<think>a</think>Write `<think>`. Then\nthink.", "a", "Write `<think>`. Then\nthink."),
        ("<think>a</think>For example:\n<think>b</think>\nc", "a", "For example:\n<think>b</think>\nc"),
        ("<think>a</think>Two tags.\n<think> opens.", "a", "Two tags.\n<think> opens."),
        ("<think>a</think>\n```\n<think>b</think>\n```\nSo.", "a", "```\n<think>b</think>\n```\nSo."),
        ("<think>a</think>  b \n", "a", "b \n"),
        # A thought that speaks of marks.
        ("<think>I end it with `</think>` here.</think>b", "I end it with `</think>` here.", "b"),
        ("<think>a\n```\n</think>\n```\nb</think>c", "a\n```\n</think>\n```\nb", "c"),
        ("<think>a <think>b</think> c</think>d", "a <think>b</think> c", "d"),
        ("I must not write <think> again.\nSo 4.\n</think>\nd", "I must not write <think> again.\nSo 4.", "d"),
        ('<think>He said "hi"</think>"Hi" it is.', 'He said "hi"', '"Hi" it is.'),
        ("<think>```\na</think>b\n```py\nc\n```", "```\na", "b\n```py\nc\n```"),
    ],
)
def test_unclear_cases_are_decided_so(text: str, thought: str | None, response: str):
    got = split_thought(text)
    assert (got.thought, got.response, got.finished) == (thought, response, True)
    assert text[got.start : got.start + len(response)] == response


@pytest.mark.parametrize(
    ("text", "response", "ended"),
    [
        (f"{RESPONSE}<|im_end|>", RESPONSE, ("<|im_end|>",)),
        (f"{RESPONSE}\n<|eot_id|>\n", f"{RESPONSE}\n", ("<|eot_id|>",)),
        (f"{RESPONSE}</s>", RESPONSE, ("</s>",)),
        (f"{RESPONSE}<|im_end|>\n<|endoftext|>", RESPONSE, ("<|im_end|>", "<|endoftext|>")),
        (f"{RESPONSE}<｜end▁of▁sentence｜>", RESPONSE, ("<｜end▁of▁sentence｜>",)),
        ("It costs <s>5</s>", "It costs <s>5</s>", ()),
        ("The token `<|im_end|>`", "The token `<|im_end|>`", ()),
        ("<|im_end|> ends it", "<|im_end|> ends it", ()),
    ],
)
def test_tokens_that_end_a_turn_are_taken_off_the_end_and_named(text: str, response: str, ended: tuple[str, ...]):
    got = split_thought(text)
    assert (got.response, got.ended, got.thought) == (response, ended, None)


def test_marks_of_ones_own_come_first():
    own = Mark("own", ("<<plan>>",), ("<<do>>",))
    assert split_thought(f"<<plan>>a<<do>>{RESPONSE}", (own, *TABLE))[:2] == ("a", RESPONSE)
    assert split_thought(f"a<<do>>{RESPONSE}", (own, *TABLE))[:2] == ("a", RESPONSE)
    assert split_thought(f"<think>a</think>{RESPONSE}", (own, *TABLE))[:2] == ("a", RESPONSE)
    assert split_thought(f"<think>a</think>{RESPONSE}", (own,))[:2] == (None, f"<think>a</think>{RESPONSE}")
    closing = Mark("own", (), ("###",))
    assert split_thought(f"a###{RESPONSE}", (closing,))[:2] == ("a", RESPONSE)


def test_control_tokens_and_half_tags_are_found_outside_of_code():
    text = "A<|im_end|> b </s> [INST] `<|im_start|>` <｜User｜>\n```\n<|end|>\n```\nx |> f <| y, |x| < 2"
    assert control_tokens(text) == ["<|im_end|>", "</s>", "[INST]", "<｜User｜>"]
    assert control_tokens("It costs <s>5</s>") == []
    assert half_tags("a</think> b <think>c</think> `<think>` [THINK] d") == ["</think>", "[THINK]"]
    assert half_tags(RESPONSE) == []


HOSTILE = {
    "closing": "</think>" * 25_000,
    "opening": "<think>" * 25_000,
    "pairs": "<think></think>" * 13_000,
    "sentences": "a.\n<think>x" * 18_000,
    "two families": "a.\n<think>x.\n<thinking>y</thinking>" * 6_000,
    "quoted": "x `</think>` " * 15_000,
    "on one line": "text <think> a" * 14_000,
    "fences": "```\n<think>\n" * 15_000,
    "half attributes": "<think " * 28_000,
    "ends of a turn": "</s>" * 50_000,
    "white space": "<think>" + " " * 200_000 + "x",
    "nested": "<think>a " * 22_000 + "</think>" * 20_000,
    "mentioned": "a </think> b " * 15_000,
    "joints": "analysis" + "assistantanalysis \n" * 10_000 + "assistantfinalx",
    "a long thought": "<think>" + "word " * 40_000 + "</think>ok",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_long_or_hostile_text_takes_no_longer(name: str):
    """200 kB take a fraction of a second; what is not linear takes minutes."""
    began = time.process_time()
    split_thought(HOSTILE[name])
    half_tags(HOSTILE[name])
    control_tokens(HOSTILE[name])
    assert time.process_time() - began < 5
