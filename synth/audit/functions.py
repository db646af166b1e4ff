"""What SQL cannot say by itself: functions for audits and for questions of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from synth.store.database import Store

__all__ = ["FUNCTIONS", "SqlFunction", "add_functions"]


class SqlFunction(NamedTuple):
    """A function of Python over values of SQL types; what is NULL comes to it as None."""

    name: str
    takes: tuple[str, ...]
    gives: str
    meaning: str
    call: Callable[..., Any]


def add_functions(store: Store) -> None:
    """Make them known to a store."""
    for function in FUNCTIONS:
        store.add_function(function.name, function.call, function.takes, function.gives)


def _stated_answer(text: str | None, kind: Any, choices: Sequence[str] | None) -> str | None:
    from synth.verify import extract_answer

    return None if text is None or kind is None else extract_answer(text, kind=kind, choices=choices or ())


def _same_answer(found: str | None, gold: str | None, kind: Any, choices: Sequence[str] | None) -> bool | None:
    from synth.verify import compare_answers

    if found is None or gold is None or kind is None:
        return None
    label = compare_answers(found, gold, kind=kind, choices=choices or ()).label
    return label == "right" if label in {"right", "wrong"} else None


def _near_duplicates(texts: Sequence[str | None] | None, threshold: float | None) -> list[dict[str, Any]]:
    from synth.corpus.near_duplicates import near_duplicate_pairs

    if texts is None or threshold is None:
        return []
    pairs = near_duplicate_pairs([t or "" for t in texts], threshold=threshold, shingle=3)
    return [{"first": i + 1, "second": j + 1, "similarity": s} for i, j, s in pairs]  # SQL counts from 1


def _template_marks(text: str | None) -> list[str]:
    from synth.texts.control import control_tokens, half_tags

    return list(dict.fromkeys((*control_tokens(text), *half_tags(text)))) if text else []


_Counts = Sequence[int] | None


def _cohen_kappa(a: Sequence[str] | None, b: Sequence[str] | None, counts: _Counts) -> float | None:
    from synth.measures import cohen_kappa

    return None if a is None or b is None else cohen_kappa(a, b, counts)


def _krippendorff_alpha(items: Sequence[Sequence[float]] | None, counts: _Counts) -> float | None:
    from synth.measures import krippendorff_alpha

    return None if items is None else krippendorff_alpha(items, counts=counts)


def _area_under_curve(scores: Sequence[float] | None, truth: Sequence[bool] | None, counts: _Counts) -> float | None:
    from synth.measures import area_under_curve

    return None if scores is None or truth is None else area_under_curve(scores, truth, counts)


def _best_of_n(scores: Sequence[float | None] | None, right: Sequence[bool] | None, n: int | None) -> float | None:
    from synth.measures import best_of_n

    return None if scores is None or right is None or n is None else best_of_n(scores, right, n)


def _vote_of_n(
    answers: Sequence[str | None] | None,
    weights: Sequence[float | None] | None,
    right: Sequence[bool] | None,
    n: int | None,
) -> float | None:
    from synth.measures import vote_of_n

    return None if answers is None or right is None or n is None else vote_of_n(answers, weights, right, n)


def _pass_at_n(right: Sequence[bool] | None, n: int | None) -> float | None:
    from synth.measures import pass_at_n

    return None if right is None or n is None else pass_at_n(right, n)


def _first_error(
    predicted: Sequence[int | None] | None, gold: Sequence[int] | None, steps: Sequence[int] | None
) -> dict[str, Any] | None:
    from synth.measures import first_error

    found = None if predicted is None or gold is None else first_error(predicted, gold, steps)
    return None if found is None else found._asdict()


_FIRST_ERROR = (
    "STRUCT(erroneous BIGINT, correct BIGINT, on_erroneous DOUBLE, on_correct DOUBLE, f1 DOUBLE, precision DOUBLE, step_f1 DOUBLE, "
    "chance_on_erroneous DOUBLE, chance_on_correct DOUBLE, chance_f1 DOUBLE)"
)

FUNCTIONS = (
    SqlFunction(
        "stated_answer",
        ("VARCHAR", "VARCHAR", "VARCHAR[]"),
        "VARCHAR",
        "the final answer a text states, given the kind of answer and the choices; NULL where none can be read",
        _stated_answer,
    ),
    SqlFunction(
        "same_answer",
        ("VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR[]"),
        "BOOLEAN",
        "whether an answer is the gold one, given the kind of answer and the choices; NULL where it cannot be read",
        _same_answer,
    ),
    SqlFunction(
        "near_duplicates",
        ("VARCHAR[]", "DOUBLE"),
        "STRUCT(first BIGINT, second BIGINT, similarity DOUBLE)[]",
        "pairs of places in a list (from 1) whose texts have at least this Jaccard similarity, shingles of 3 words",
        _near_duplicates,
    ),
    SqlFunction(
        "template_marks",
        ("VARCHAR",),
        "VARCHAR[]",
        "tokens of chat templates, and thinking tags without their partner, that stand in a text outside of code",
        _template_marks,
    ),
    SqlFunction(
        "cohen_kappa",
        ("VARCHAR[]", "VARCHAR[]", "BIGINT[]"),
        "DOUBLE",
        "of two judges' labels on the same items, and how many items have these (NULL: one each)",
        _cohen_kappa,
    ),
    SqlFunction(
        "krippendorff_alpha",
        ("DOUBLE[][]", "BIGINT[]"),
        "DOUBLE",
        "interval scale; for each item the scores it was given, and how many items were given these (NULL: one each)",
        _krippendorff_alpha,
    ),
    SqlFunction(
        "area_under_curve",
        ("DOUBLE[]", "BOOLEAN[]", "BIGINT[]"),
        "DOUBLE",
        "the chance that what is true is scored above what is not; how many items are so in the third (NULL: one each)",
        _area_under_curve,
    ),
    SqlFunction(
        "best_of_n",
        ("DOUBLE[]", "BOOLEAN[]", "BIGINT"),
        "DOUBLE",
        "of the samples of one problem, by score and whether right: the expected accuracy of the best of n, over all subsets of n; ties are drawn",
        _best_of_n,
    ),
    SqlFunction(
        "vote_of_n",
        ("VARCHAR[]", "DOUBLE[]", "BOOLEAN[]", "BIGINT"),
        "DOUBLE",
        "the same of a vote: their answers (NULL does not vote), the weights of the votes (NULL: one each) and whether right",
        _vote_of_n,
    ),
    SqlFunction(
        "pass_at_n",
        ("BOOLEAN[]", "BIGINT"),
        "DOUBLE",
        "the chance that one of n samples of a problem is right, over all subsets of n; with n = 1 that of any of them",
        _pass_at_n,
    ),
    SqlFunction(
        "first_error",
        ("BIGINT[]", "BIGINT[]", "BIGINT[]"),
        _FIRST_ERROR,
        "first wrong steps that are predicted (from 0; -1: none; NULL: no verdict) against those marked, and numbers of steps (NULL: not known)",
        _first_error,
    ),
)
"""All of them."""
