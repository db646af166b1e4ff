"""Checkers of answers. Pure: no teacher, no network; nothing a model wrote is ever evaluated as code.

An answer is first read out of a reply (`extract_answer`), then compared with the gold one (`compare_answers`). The
measured agreement with published labels is printed by `benchmarks/verify_agreement.py`.
"""

from synth.verify.compare import compare_answers, verify_answer
from synth.verify.extract import extract_answer, split_answer
from synth.verify.kinds import infer_kind
from synth.verify.quotes import find_quote, quotes_in
from synth.verify.text import token_f1
from synth.verify.verdict import Label, Verdict

__all__ = [
    "Label",
    "Verdict",
    "compare_answers",
    "extract_answer",
    "find_quote",
    "infer_kind",
    "quotes_in",
    "split_answer",
    "token_f1",
    "verify_answer",
]
