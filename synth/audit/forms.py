"""Verdicts for machines: JSON, and the XML of JUnit that CI systems read. ASCII, so that a terminal takes no harm."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from xml.etree import ElementTree as ET

from synth.audit.verdicts import Severity, Verdict, failing

__all__ = ["as_json", "as_junit"]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(verdicts: Sequence[Verdict], run: str, fail_on: Severity) -> str:
    """One object: `run`, `failed` (whether what failed is of at least this severity) and `verdicts`."""
    report = {"run": run, "failed": bool(failing(verdicts, fail_on)), "verdicts": [asdict(v) for v in verdicts]}
    return json.dumps(report, indent=2)


def as_junit(verdicts: Sequence[Verdict], run: str, fail_on: Severity) -> str:
    """One test suite, a test case an audit; one that failed without failing the run says so in its output."""
    counts = set(failing(verdicts, fail_on))
    suite = ET.Element(
        "testsuite",
        name=f"synth audit {run}",
        tests=str(len(verdicts)),
        failures=str(len(counts)),
        errors="0",
        skipped=str(sum(v.status == "skipped" for v in verdicts)),
    )
    for v in verdicts:
        case = ET.SubElement(suite, "testcase", classname=f"synth.audit.{v.severity}", name=v.name)
        if v.status == "skipped":
            ET.SubElement(case, "skipped", message=_inert(v.note or ""))
        elif v.status == "failed":
            said = f"{v.value:g} {v.unit}, {v.bound} {v.threshold:g}"
            more = "\n".join(filter(None, [said, v.note, v.meaning, f"→ {v.fix}", *v.examples]))
            if v in counts:
                ET.SubElement(case, "failure", message=_inert(said), type=v.severity).text = _inert(more)
            else:
                ET.SubElement(case, "system-out").text = _inert(f"{v.severity}: {more}")
    ET.indent(suite)
    written: bytes = ET.tostring(suite, encoding="us-ascii")
    return written.decode()


def _inert(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
