"""Tokens of steps: found by their place in the reply whatever the tokens are, and never those of another step."""

from __future__ import annotations

import json
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from synth.models import Completion
from synth.records import Rationale
from synth.steps.token_spans import Unaligned, step_logprobs

SENTENCES = (
    "Tom has 3 apples.",
    "Café costs 4 €.",
    "So 3 + 4 = 7.",
    "🦄 is one token or four.",
    "はい、7です。",
    "Then -7.",
)


def spelled(pieces, end: str = "") -> dict:
    """Log-probabilities of tokens given as bytes: the first has -1, the second -2 and so on."""
    texts = [*pieces, *([end.encode()] if end else [])]
    listed = [{"token": p.decode(errors="replace"), "logprob": -1.0 - i, "bytes": list(p)} for i, p in enumerate(texts)]
    return {"content": listed}


def rationale(steps, response: str, **fields) -> Rationale:
    given = {"segmenter": "lines/1", "author": "teacher", **fields}
    return Rationale(id="r", unit="u", step="s", problem="p", response=response, steps=tuple(steps), **given)


def of(text: str, size: int = 4) -> list[bytes]:
    """A text as pieces of so many bytes, which cut characters in two."""
    raw = text.encode()
    return [raw[i : i + size] for i in range(0, len(raw), size)]


@st.composite
def replies(draw):
    """A thought or none, steps with white space between them, a statement, and tokens that begin anywhere."""
    steps = draw(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6))
    blank = st.sampled_from(["\n", "\n\n", " \n ", "\n\t"])
    body = "".join(step + draw(blank) for step in steps)
    statement = draw(st.sampled_from(["", "The answer is 7."]))
    text = draw(st.sampled_from(["", " ", "\n\n"])) + (body + statement if statement else body.rstrip())
    thought = draw(st.sampled_from([None, "Hm, 3 + 4.", "Tom has 3 apples."]))
    whole = (f"<think>\n{thought}\n</think>\n\n" if thought else "") + text
    raw = whole.encode()
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(raw) - 1)), max_size=30)) | {0, len(raw)})
    pieces = [raw[a:b] for a, b in pairwise(cuts)]
    return steps, text, statement, thought, pieces


@given(replies(), st.sampled_from(["", "<|im_end|>", "</s>", "\n"]))
def test_each_step_has_the_tokens_that_have_a_character_of_it(made, end):
    """Beside an oracle that looks at each byte: no token more, none less, wherever tokens are cut."""
    steps, text, statement, thought, pieces = made
    span = (len(text) - len(statement), len(text)) if statement else None
    record = rationale(steps, text, answer_span=span, thought=thought)
    found = step_logprobs(Completion(text, thought=thought, logprobs=spelled(pieces, end)), record)
    owner = [i for i, piece in enumerate(pieces) for _ in piece]
    place = len(b"".join(pieces)) - len(text.encode())
    spans = record.step_spans
    assert spans is not None
    for tokens, (start, stop) in zip(found, spans, strict=True):
        first = place + len(text[:start].encode())
        last = place + len(text[:stop].encode())
        assert tokens == tuple(-1.0 - i for i in sorted(set(owner[first:last])))


@given(replies(), st.data())
def test_tokens_that_do_not_spell_the_reply_give_nothing(made, data):
    """One token lost, doubled or changed: an error that says so, unless what is left spells the reply all the same."""
    _, text, _, _, pieces = made
    place = data.draw(st.integers(0, len(pieces) - 1))
    changed = data.draw(
        st.sampled_from(
            [pieces[:place] + pieces[place + 1 :], [*pieces[: place + 1], *pieces[place:]], [*pieces, b"and more"]]
        )
    )
    assume(not b"".join(changed).rstrip().endswith(text.encode().rstrip()))
    record = rationale([text.strip()], text)
    with pytest.raises(Unaligned, match="do not spell"):
        step_logprobs(Completion(text, logprobs=spelled(changed or [b"x"])), record)


def test_a_mark_at_the_end_is_not_taken_for_a_part_of_the_text():
    """The reply "e" stands before the mark, not in the name of the mark."""
    found = step_logprobs(Completion("e", logprobs=spelled([b"e"], "<|end|>")), rationale(["e"], "e"))
    assert found == [(-1.0,)]


def test_steps_of_a_thought():
    """They are found in front of the response, also where both say the same; a thought that the tokens leave out has none."""
    thought, text = "Tom has 3.\nSo 7.", "Tom has 3.\nThe answer is 7."
    pieces = [b"<think>\n", b"Tom has 3.\n", b"So 7.", b"\n</think>\n\n", b"Tom has 3.\n", b"The answer is 7."]
    record = rationale(["Tom has 3.", "So 7."], text, thought=thought, segmenter="thought lines/1")
    assert step_logprobs(Completion(text, thought=thought, logprobs=spelled(pieces)), record) == [(-2.0,), (-3.0,)]
    with pytest.raises(Unaligned, match="thought"):
        step_logprobs(Completion(text, thought=thought, logprobs=spelled(pieces[-2:])), record)
    only = rationale(["Tom has 3.", "So 7."], "The answer is 7.", thought=thought, segmenter="thought lines/1")
    assert step_logprobs(Completion(text, thought=thought, logprobs=spelled(pieces)), only) == [(-2.0,), (-3.0,)]


def test_steps_in_the_fields_of_a_reply():
    """The strings of the JSON, escapes and all; in two objects those of the last one, which is the one that is read."""
    steps = ['He said "3 €".', "Tom has 3.", "So\n7."]
    text = json.dumps({"steps": steps, "answer": "6"}) + json.dumps({"steps": steps, "answer": "7"}, indent=1)
    record = rationale(steps, "laid out", segmenter="given/1")
    found = step_logprobs(Completion(text, logprobs=spelled([c.encode() for c in text])), record)
    for step, tokens in zip(steps, found, strict=True):
        assert tokens is not None
        first = int(-1 - tokens[0])
        assert text[first : first + len(tokens)] == json.dumps(step)[1:-1]
    assert found[0] is not None
    assert -1 - found[0][0] > text.index("}")
    other = rationale(["Tom has 4."], "laid out", segmenter="given/1")
    with pytest.raises(Unaligned, match="strings"):
        step_logprobs(Completion(text, logprobs=spelled(of(text))), other)


def test_steps_of_a_prefix_have_no_tokens():
    """A continuation holds its own steps alone; a step that the prefix began is not its own, nor are steps that an endpoint repeats."""
    response = "Tom has 3.\nEve has 4.\nSo 7."
    assert step_logprobs(
        Completion("Eve has 4.\nSo 7.", logprobs=spelled([b"Eve has 4.\n", b"So 7."])),
        rationale(response.splitlines(), response),
    ) == [None, (-1.0,), (-2.0,)]
    begun = Completion(" has 4.\nSo 7.", logprobs=spelled([b" has 4.\n", b"So 7."]))
    assert step_logprobs(begun, rationale(response.splitlines(), response)) == [None, None, (-2.0,)]
    repeated = Completion(response, logprobs=spelled([s.encode() for s in response.splitlines(keepends=True)]))
    assert step_logprobs(repeated, rationale(response.splitlines(), response, given=2)) == [None, None, (-3.0,)]


def test_steps_that_are_no_slices_have_no_tokens():
    """Such as imported ones, and ones in another order."""
    with pytest.raises(Unaligned, match="slices"):
        step_logprobs(Completion("a\nb", logprobs=spelled([b"a\n", b"b"])), rationale(["b", "a"], "a\nb"))
