"""The reward of answers in tags (arXiv:2502.14768)."""

from __future__ import annotations

from collections.abc import Sequence

from synth.records import AnswerKind
from synth.rewards.answers import judged
from synth.rewards.registry import reward

__all__ = ["tags"]

_TAGS = ("<think>", "</think>", "<answer>", "</answer>")


@reward
def tags(
    completion: str,
    answer: str,
    answer_kind: AnswerKind | None = None,
    choices: str | Sequence[str] = (),
    *,
    prefilled: bool = False,
    form: float = 1.0,
    no_form: float = -1.0,
    full: float = 2.0,
    wrong: float = -1.5,
    none: float = -2.0,
) -> float | None:
    """A reward of the form and of the answer: by default 3, -0.5, -1 or -3 (arXiv:2502.14768).

    The form is right where `<think>`, `</think>`, `<answer>` and `</answer>` each stand once and in this order. It counts `form`, and then the
    answer within its tags counts `full`, `wrong`, or `none` where it cannot be read. Without the form a completion has `no_form + none`, whatever
    else it says: outside of tags nothing is an answer. None where the row has no gold answer that can be compared.

    Args:
        completion: what the model wrote.
        answer: the gold answer; for choices the letter.
        answer_kind: how they are compared; by their form if not given.
        choices: the options, as a list or as a JSON list.
        prefilled: whether the prompt ends in `<think>`, so that completions begin within the thought.
        form: what the right form counts.
        no_form: what a wrong form counts.
        full: what a right answer counts.
        wrong: what a wrong answer counts.
        none: what an answer that cannot be read counts.
    """
    text = f"<think>{completion}" if prefilled else completion
    places = [text.find(tag) for tag in _TAGS]
    if any(text.count(tag) != 1 for tag in _TAGS) or places != sorted(places):
        return no_form + none
    said = text[places[2] + len(_TAGS[2]) : places[3]]
    if not said.strip():
        return form + none
    label = judged(f"<answer>{said}</answer>", answer, answer_kind, choices).label
    if label == "undecided":
        return None
    return form + {"right": full, "wrong": wrong}.get(label, none)
