"""Rewards of right answers that depend on the length of the completion. What is wrong has 0, whatever its length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from synth.errors import UserError
from synth.measures.shaping import segment_penalties
from synth.records import AnswerKind
from synth.rewards.answers import judged
from synth.rewards.registry import reward
from synth.texts.cuts import marked_sentences

__all__ = ["length_band", "segments_penalty"]

MARKERS = ("wait", "alternatively", "however", "hmm", "but", "let me", "actually", "maybe")
"""Words with which segments begin; three of them are named in arXiv:2510.09535, the others are ours."""
GAP = 0.5
"""Half of the difference between right and wrong: what shaping may add or take away without making a wrong completion worth more."""


@reward
def length_band(
    completion: str,
    answer: str,
    answer_kind: AnswerKind | None = None,
    choices: str | Sequence[str] = (),
    completion_ids: Sequence[int] = (),
    *,
    low: Annotated[int, Field(ge=0)] = 0,
    high: Annotated[int, Field(ge=1)],
    count: Literal["words", "characters", "tokens"] = "words",
    least: Annotated[float, Field(gt=0, le=1)] = 0.5,
) -> float | None:
    """1.0 for a right completion whose length is in a band, less for one outside of it, 0.0 for a wrong one.

    Below the band the reward falls in proportion to the length, above it in proportion to what is beyond, to `least` at no length and
    at twice `high`. None where the row has no gold answer that a completion could be compared with.

    Args:
        completion: what the model wrote.
        answer: the gold answer.
        answer_kind: how answers are compared.
        choices: the options.
        completion_ids: its tokens, which TRL gives; for `count: tokens`.
        low: the least length of the band.
        high: the greatest length of the band.
        count: what is counted. Words stand between white space.
        least: the reward of a right completion far outside of the band, above 0.
    """
    verdict = judged(completion, answer, answer_kind, choices)
    if verdict.label == "undecided":
        return None
    if verdict.label != "right":
        return 0.0
    if low > high:
        raise UserError(f"length_band: low is {low} and high is {high}", fix="give the lesser one as low")
    if count == "tokens" and not completion_ids:
        raise UserError(
            "length_band counts tokens, and there is no column completion_ids", fix="take count: words or characters"
        )
    n = len(completion.split() if count == "words" else completion if count == "characters" else completion_ids)
    beyond = (low - n) / low if n < low else min(1.0, (n - high) / high) if n > high else 0.0
    return 1.0 - (1.0 - least) * beyond


@reward(group=True)
def segments_penalty(
    completions: Sequence[str],
    answer: Sequence[str],
    answer_kind: Sequence[AnswerKind | None] = (),
    choices: Sequence[str | Sequence[str] | None] = (),
    *,
    markers: tuple[str, ...] = MARKERS,
    weights: tuple[Annotated[float, Field(ge=0)], ...] = (5, 4, 3, 2, 1),
    scale: Annotated[float, Field(ge=0)] = 0.1,
    of: Literal["right", "all"] = "right",
) -> list[float | None]:
    """1.0 for a right completion and 0.0 for a wrong one, less a penalty for more segments than the others of its problem have.

    Segments begin where a sentence begins with a marker, so hard problems keep the words that they need: it is turns that are counted,
    not tokens (arXiv:2510.09535). The penalty is `scale` times that of `synth.measures.shaping.segment_penalties`, with the weights
    divided by their sum; with `of: all` an empty completion has the greatest one. None where a row has no gold answer.

    Args:
        completions: what the model wrote for one problem.
        answer: the gold answer.
        answer_kind: how answers are compared.
        choices: the options.
        markers: the words with which segments begin.
        weights: of clusters of segments by length, from the shortest. The values of the paper are not known; that descending ones are
            better is.
        scale: how much a penalty counts. The value of the paper is not known.
        of: whether the penalty is of right completions alone or of all.

    Raises:
        UserError: penalties so large that a wrong completion could be worth more than a right one.
    """
    n, total = len(completions), math.fsum(weights)
    # No standardised number of n is beyond the root of n - 1.
    if total <= 0 or not markers or scale * math.sqrt(max(0, n - 1)) >= GAP:
        most = GAP / math.sqrt(n - 1) if n > 1 else math.inf
        raise UserError(
            f"segments_penalty with scale {scale:g}, {len(weights)} weights and {len(markers)} markers, of {n} completions: "
            "a wrong completion could be worth more than a right one, or nothing is penalised",
            fix=f"give markers, weights above 0 and a scale below {most:.4g}",
        )
    options = choices or [()] * n
    kinds = answer_kind or [None] * n
    labels = [
        judged(said, gold or "", kind, given or ()).label
        for said, gold, kind, given in zip(completions, answer, kinds, options, strict=True)
    ]
    penalties = segment_penalties([_segments(said, markers) for said in completions], [w / total for w in weights])
    most = scale * math.sqrt(max(0, n - 1))
    values: list[float | None] = []
    for said, label, penalty in zip(completions, labels, penalties, strict=True):
        if label == "undecided":
            values.append(None)
        elif label == "right":
            values.append(1 - scale * penalty)
        else:
            values.append(0.0 if of == "right" else -scale * penalty if said.strip() else -most)
    return values


def _segments(text: str, markers: Sequence[str]) -> list[int]:
    """The lengths of the segments of a text, in words; what stands before the first marker is one too."""
    starts = sorted({0, *marked_sentences(text, markers), len(text)})
    return [words for a, b in pairwise(starts) if (words := len(text[a:b].split()))]
