"""The kinds of answers, one module each, behind one registry.

A kind says how an answer is read out of a statement (`read`), compared with the gold one (`compare`, which also grades), whether a gold
answer is one of the kind (`unfit`), and in which form records hold it (`canonical`). The form that a model is asked for stands beside the
names of the kinds, in `synth.records.kinds`.
"""

from synth.verify.kinds.infer import infer_kind
from synth.verify.kinds.kind import Comparison, Kind
from synth.verify.kinds.registry import KINDS, kind_of

__all__ = ["KINDS", "Comparison", "Kind", "infer_kind", "kind_of"]
