"""Why an export would be empty: which step makes what it needs, or which one put it out."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import NamedTuple

from synth.errors import UserError
from synth.export.options import ExportOptions
from synth.export.rows import LeftOut
from synth.store.database import Store

__all__ = ["nothing"]


class _Need(NamedTuple):
    what: str
    """What a contract is made of, in words."""
    made: str
    """SQL: how many there are, whether they are kept or not."""
    kept: str
    """SQL: how many of these are kept."""
    table: str
    """Where they lie."""
    maker: str
    """What makes them."""


_RATIONALES = _Need(
    "rationale",
    "SELECT count(*) FROM rationales",
    "SELECT count(*) FROM kept_rationales",
    "rationales",
    "a step such as 'generate' makes them",
)
_PAIRS = _Need(
    "pair",
    "SELECT count(*) FROM pairs",
    "SELECT count(*) FROM kept_pairs",
    "pairs",
    "a step 'pair' makes them, of rationales that were scored (such as by 'verify_answer') and before the losers are put out",
)
_JUDGED = (
    """SELECT count(*) FROM reviews v JOIN calls c ON c.id = v.call WHERE v.value IS NOT NULL AND c.shape = 'Rated'"""
)
_DERIVED = "SELECT count(*) FROM {} WHERE parent IS NOT NULL"
_COUNTERFACTUALS = _Need(
    "counterfactual problem",
    _DERIVED.format("problems"),
    _DERIVED.format("kept_problems"),
    "problems",
    "a step 'counterfactual' makes them (synth pipelines poda)",
)
_TREE = (
    "SELECT count(*) FROM rationales r JOIN scores s ON s.target = r.id WHERE r.node IS NOT NULL AND s.name = 'correct'"
)
_STEP_SCORES = "SELECT count(*) FROM scores WHERE part.kind = 'step' AND value IS NOT NULL AND name = '{}'"

_NEEDS = {
    "sft": _RATIONALES,
    "dpo": _PAIRS,
    "reward": _PAIRS,
    "kto": _Need(
        "rationale that was kept or found wrong",
        "SELECT count(*) FROM rationales WHERE trim(text) <> ''",
        "SELECT count(*) FROM kept_rationales",
        "rationales",
        "a step such as 'generate' makes them, 'verify_answer' or 'review' tells the bad ones",
    ),
    "grpo": _Need(
        "problem with a gold answer",
        "SELECT count(*) FROM problems WHERE answer IS NOT NULL",
        "SELECT count(*) FROM kept_problems WHERE answer IS NOT NULL",
        "problems",
        "the input must have a column with the answers: --map answer=COLUMN",
    ),
    "judge": _Need("spoken review", _JUDGED, _JUDGED, "scores", "a step 'review' makes them"),
    "contrast": _COUNTERFACTUALS,
    "twins": _COUNTERFACTUALS,
}
_LABELS = {
    "scores": _Need(
        "label of a step",
        _STEP_SCORES,
        _STEP_SCORES,
        "scores",
        "scores of single steps named {0!r} make them (--step-score names others), the steps 'search', 'path_to_rationale' and "
        "'verify_answer' together (--labels tree), or, on a critic's word alone, a step 'critique' (--labels critiques)",
    ),
    "tree": _Need(
        "path of a thought tree whose answer was verified",
        _TREE,
        _TREE,
        "rationales",
        "the steps 'search', 'path_to_rationale' and 'verify_answer' make them",
    ),
    "critiques": _Need(
        "critique that names a step",
        "SELECT count(*) FROM critiques WHERE part.kind = 'step'",
        "SELECT count(*) FROM kept_critiques WHERE part.kind = 'step'",
        "critiques",
        "a step 'critique' makes them",
    ),
}


def nothing(store: Store, contract: str, run: Path, options: ExportOptions, left_out: LeftOut) -> UserError:
    """The error that says why there is nothing to export, and what to do about it."""
    need = _LABELS["scores" if options.labels == "auto" else options.labels] if contract == "prm" else _NEEDS[contract]
    name = options.step_score.replace("'", "''")
    made, kept = (store.sql(q.format(name)).fetchall()[0][0] for q in (need.made, need.kept))
    head, look = (
        f"there is nothing to export as {contract}",
        f"synth status {quote(str(run))} shows where the records went",
    )
    if left_out.reasons:
        reasons = "; ".join(f"{n:,}: {why}" for why, n in left_out.reasons.most_common())
        return UserError(
            f"{head}: all that could be were left out ({reasons})",
            where=str(run),
            remedy=f"other options may keep them; {look}",
        )
    if not made:
        return UserError(
            f"{head}: this run has no {need.what}", where=str(run), remedy=need.maker.format(options.step_score)
        )
    if not kept:
        reasons = ", ".join(f"{step} ({rule}) {n:,}" for step, rule, n in store.sql(_REASONS, [need.table]).fetchall())
        what = f"{head}: all {made:,} records of the table {need.table} that could be are out, put out by {reasons}"
        return UserError(what, where=str(run), remedy=f"loosen that step and give the command of the run again; {look}")
    reasons = ", ".join(f"{step} ({rule}) {n:,}" for step, rule, n in store.sql(_REASONS, ["problems"]).fetchall())
    what = f"{head}: there are {kept:,} records that could be, but none of a problem that is kept with all it needs"
    what += f"; problems are out by {reasons}" if reasons else ""
    return UserError(what, where=str(run), remedy=look)


_REASONS = """SELECT step, rule, n FROM rejection_reasons
WHERE target_table = $1 OR (target_table = 'problems' AND $1 <> 'problems') ORDER BY n DESC LIMIT 5"""
