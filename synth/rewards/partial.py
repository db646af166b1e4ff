"""Rewards of a single step, and partial ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Annotated

from pydantic import Field

from synth.errors import UserError
from synth.records import AnswerKind
from synth.rewards.answers import judged
from synth.rewards.registry import reward
from synth.texts import split_thought

__all__ = ["partial", "similarity", "step_similarity"]

_MOST = 500
"""Characters or words that are compared. The time grows with the third power where one of them is in every second place: about a second."""
_WORDS = re.compile(r"\w+|[^\w\s]")


@reward
def partial(
    completion: str,
    answer: str,
    answer_kind: AnswerKind | None = None,
    choices: str | Sequence[str] = (),
    *,
    full: float = 1.0,
    parsed: float = 0.2,
    none: float = 0.0,
) -> float | None:
    """`full` for each completion that states the gold answer, `parsed` for one that states another, and `none` where no answer can be read.

    The values are those that the code of arXiv:2402.05808 trains with. None where the row has no gold answer to compare with.

    Args:
        completion: what the model wrote.
        answer: the gold answer; for choices the letter.
        answer_kind: how they are compared; by their form if not given.
        choices: the options, as a list or as a JSON list.
        full: reward of the gold answer.
        parsed: reward of another answer.
        none: reward without an answer.

    Raises:
        UserError: another answer would be worth as much as the gold one, or less than none.
    """
    if not full > parsed >= none:
        what = f"the reward partial has full {full}, parsed {parsed} and none {none}"
        raise UserError(what, fix="give them in this order: full above parsed, and parsed at least none")
    label = judged(completion, answer, answer_kind, choices).label
    if label == "undecided":
        return None
    return full if label == "right" else none if label == "unparsed" else parsed


@reward(own=True)
def step_similarity(
    completion: str,
    *,
    step: str,
    invalid: Annotated[float, Field(lt=0)] = -1.0,
    thought: bool = True,
) -> float:
    """How similar what a completion writes after its thought is to the next step of a given solution, from 0 to 1 (arXiv:2510.25992).

    Similarity is 2 M / T: M characters in matching blocks, T characters in both. White space counts as one blank. The thought is free.

    Args:
        completion: what the model wrote, without the beginning that it continues.
        step: the next step of the solution.
        invalid: reward of a completion without such a step, or, with `thought`, without one thought that ends before it.
        thought: whether the completion has to think first, in the tags of any family of models.
    """
    said = split_thought(completion)
    if not said.response.strip() or (thought and not (said.thought or "").strip()):
        return invalid
    return similarity(said.response, step)


def similarity(text: str, other: str) -> float:
    """2 M / T of two texts, from 0 to 1: 1 where they are equal, 0 where they share nothing. It is not symmetric.

    Texts of up to 500 characters are compared by characters, where either is longer by words, each counting with its characters; what comes
    after 500 words counts as different.

    Args:
        text: what was written.
        other: what it is compared with.
    """
    text, other = " ".join(text.split()), " ".join(other.split())
    if text == other:
        return float(bool(text))
    by_words = max(len(text), len(other)) > _MOST
    one, two = (_WORDS.findall(t) if by_words else list(t) for t in (text, other))
    matcher = SequenceMatcher(None, one[:_MOST], two[:_MOST], autojunk=False)
    matched = sum(len(part) for a, _, size in matcher.get_matching_blocks() for part in one[a : a + size])
    return 2 * matched / sum(map(len, [*one, *two]))
