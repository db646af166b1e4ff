"""What an analysis of every option of a question holds, how it is written, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, create_model, model_validator

from synth.models import Reply
from synth.records import Rationale

__all__ = ["Analysis", "OptionAnalysis", "Relation", "analysis_of", "analysis_shape", "relation_in", "write_analysis"]

Relation = Literal["supported", "contradicted", "unrelated", "mixed"]
"""What the passage says to an option, arXiv:2409.14495: its premises support it, contradict it, do not bear on it, or some
of each."""

_NEGATION = (
    r"(?:\b(?:not|neither|nor|never|hardly|no longer|cannot be|isn't|aren't|without)\b\s*(?:\w+\s+){0,2}?|\bun|\bnon-?)"
)
_SUPPORTED, _CONTRADICTED = r"support(?:s|ed|ing)?\b", r"contradict(?:s|ed|ing|ory)?\b|refuted\b|ruled out\b"
_UNRELATED = re.compile(
    r"\bunrelated\b|\birrelevant\b|\b(?:not|no) (?:\w+ )?(?:related|bearing|relevant|mention\w*)\b|\bneither\b",
    re.IGNORECASE,
)
_MIXED = re.compile(r"\bmixed\b|\bpart(?:ly|ially)\b", re.IGNORECASE)


def relation_in(text: str) -> Relation | None:
    """The relation a phrase names: "supported by 1 and 3", "not supported" (unrelated), "partly supported" (mixed).

    None where it names none. A negated word is not that word, which substring matching of the original took it for.
    """
    text = text.lower()
    if _UNRELATED.search(text):
        return "unrelated"
    if _MIXED.search(text):
        return "mixed"
    found = set()
    for name, pattern in (("supported", _SUPPORTED), ("contradicted", _CONTRADICTED)):
        denied = re.search(_NEGATION + rf"(?:{pattern})", text) is not None
        said = re.search(rf"(?:{pattern})", re.sub(_NEGATION + rf"(?:{pattern})", " ", text)) is not None
        found |= {name} if said else {"unrelated"} if denied else set()
    if {"supported", "contradicted"} <= found:
        return "mixed"
    for relation in ("supported", "contradicted", "unrelated"):
        if relation in found:
            return relation
    return None


def _relation(value: Any) -> Any:
    return (relation_in(value) or value) if isinstance(value, str) and value not in get_args(Relation) else value


def _numbers(value: Any) -> Any:
    return [int(n) for n in re.findall(r"\d+", value)] if isinstance(value, str) else value


class OptionAnalysis(BaseModel):
    """One option."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, str_strip_whitespace=True)

    analysis: Annotated[str, Field(min_length=1)]
    """Why it follows, or does not."""
    relation: Annotated[Relation, BeforeValidator(_relation)]
    """What the premises say to it."""
    premises: Annotated[list[int], BeforeValidator(_numbers)] = []
    """Numbers of the premises that bear on it, from 1."""


_BLOCK = re.compile(r"^[ \t>*#-]*(?:option[ \t]*)?\(?([A-Z])[).:][ \t*]*", re.MULTILINE | re.IGNORECASE)
_ITEM = re.compile(r"^[^\S\n]*(?:\d+[.)]|[-*])\s+(.*)$", re.MULTILINE)
_SECTION = re.compile(r"^[ \t>*#]*(premises|options|conclusion|answer)[ \t*]*:[ \t*]*", re.MULTILINE | re.IGNORECASE)
_RELATION_LINE = re.compile(r"^[ \t>*-]*relation[ \t*]*:(.*)$", re.MULTILINE | re.IGNORECASE)


class Analysis(Reply):
    """The premises of a passage, every option in their light, and the answer."""

    premises: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    options: list[OptionAnalysis]
    conclusion: str = ""
    answer: Annotated[str, BeforeValidator(lambda v: v.strip(" ().").upper() if isinstance(v, str) else v)]

    @model_validator(mode="after")
    def _cited_premises_are_there(self) -> Analysis:
        for letter, option in zip("ABCDEFGHIJ", self.options, strict=False):
            beyond = [n for n in option.premises if not 1 <= n <= len(self.premises)]
            if beyond:
                raise ValueError(f"option {letter} cites premise {beyond[0]}, and there are {len(self.premises)}")
        return self

    @classmethod
    def fields_in(cls, text: str) -> Iterator[dict[str, Any]]:
        """Sections `Premises:`, `Options:`, `Conclusion:`, `Answer:`; a block `A) …` with a line `Relation: …` an option."""
        found = list(_SECTION.finditer(text))
        ends = [*(m.start() for m in found), len(text)][1:]
        parts = {m[1].lower(): text[m.end() : end].strip() for m, end in zip(found, ends, strict=True)}
        if not {"premises", "options", "answer"} <= parts.keys():
            return
        blocks = list(_BLOCK.finditer(parts["options"]))
        stops = [*(m.start() for m in blocks), len(parts["options"])][1:]
        options = []
        for number, (block, stop) in enumerate(zip(blocks, stops, strict=True)):
            if block[1].upper() != chr(ord("A") + number):
                return  # one block an option, in their order
            body = parts["options"][block.end() : stop]
            line = _RELATION_LINE.search(body)
            said = line[1] if line else ""
            options.append({"analysis": _RELATION_LINE.sub("", body).strip(), "relation": said, "premises": said})
        answer = re.search(r"\b([A-J])\b", parts["answer"])
        yield {
            "premises": [" ".join(p.split()) for p in _ITEM.findall(parts["premises"])],
            "options": options,
            "conclusion": parts.get("conclusion", ""),
            "answer": answer[1] if answer else parts["answer"],
        }


@cache
def analysis_shape(options: int) -> type[Analysis]:
    """The shape for a question with so many options."""
    letters = [chr(ord("A") + i) for i in range(options)]
    of_all = (list[OptionAnalysis], Field(min_length=options, max_length=options))
    answer = (
        str,
        Field(pattern=f"^[{letters[0]}-{letters[-1]}]$", json_schema_extra={"enum": list[JsonValue](letters)}),
    )
    return create_model("Analysis", __base__=Analysis, options=of_all, answer=answer)


def write_analysis(analysis: Analysis) -> tuple[str, tuple[str, ...]]:
    """An analysis as text, one layout for all, and its steps: the premises, each option, the conclusion."""
    premises = "Premises:\n" + "\n".join(f"{i}. {p}" for i, p in enumerate(analysis.premises, 1))
    options = [f"{chr(ord('A') + i)}) {o.analysis} {_told(o)}" for i, o in enumerate(analysis.options)]
    steps = [premises, *options, *([analysis.conclusion] if analysis.conclusion else [])]
    return "\n".join(steps), tuple(steps)


def _told(option: OptionAnalysis) -> str:
    if option.relation == "unrelated" or not option.premises:
        return (
            f"({option.relation.capitalize()}.)" if option.relation != "unrelated" else "(Unrelated to the premises.)"
        )
    numbers = ", ".join(map(str, option.premises))
    return f"({option.relation.capitalize()}{' by' if option.relation != 'mixed' else ': see'} {numbers}.)"


def analysis_of(rationale: Rationale) -> Analysis | None:
    """The analysis a rationale holds; None where it is of another kind."""
    parts = rationale.parts
    return Analysis.model_validate(parts) if isinstance(parts, dict) and "options" in parts else None
