"""Looking a run over: named audits in SQL that it can fail, and how its reviewers judge and agree."""

from synth.audit.agreement import Agreement, agreement_of
from synth.audit.files import Audit, load_audits
from synth.audit.functions import FUNCTIONS, SqlFunction, add_functions
from synth.audit.look import Section, look_over, rater_calibration
from synth.audit.verdicts import Severity, Verdict, failing, run_audits

__all__ = [
    "FUNCTIONS",
    "Agreement",
    "Audit",
    "Section",
    "Severity",
    "SqlFunction",
    "Verdict",
    "add_functions",
    "agreement_of",
    "failing",
    "load_audits",
    "look_over",
    "rater_calibration",
    "run_audits",
]
