"""Answers that are yes or no."""

from __future__ import annotations

import re

from synth.verify.latex import unwrap

__all__ = ["last_boolean", "read_boolean"]

# "no" before a noun ("no information") denies a thing, not the question.
_WORD = re.compile(
    r"""(?ix) (?P<not>\bnot\s(?:a\s|the\s)?|n['’]t\s(?:be\s)?|\bnever\s)?
    \b(?: (?P<yes>yes|true|correct) | (?P<no>false|incorrect|no(?=\s?(?:\Z|[^\w\s]|(?:because|since|as|but|and|or)\b))) )\b
    (?!\s(?:answer|option|choice))
    """
)
_CLAIM = re.compile(
    r"(?i)\b(?:the|this)\s(?:given\s)?(?:statement|claim|assertion|proposition|conclusion)\sis\s(?:therefore\s|thus\s)?"
    r"((?:not\s)?(?:true|false|correct|incorrect))\b"
)
_MOOD = r"(?:(?:most\s)?(?:likely|probably)|definitely|certainly|clearly|so|thus|therefore|hence|answer|ans|the\sanswer\sis)"
_FIRST = re.compile(rf"(?i)\A(?:[\s*_\"'`:>#-]|{_MOOD}\b,?){{0,8}}\b(yes|no|true|false)\b(?=\s?(?:\Z|[^\w\s]))")
_BOTH = re.compile(r"\W{0,3}\s?(?:/|\||,|\band\b|\bor\b)\s?\W{0,2}(?:yes|no|true|false)\b(?!\s\w)", re.IGNORECASE)
# Neither yes nor no: nobody can say what the grader would have made of it.
_HEDGED = re.compile(
    r"(?i)\bnot\s(?:necessarily|always|entirely|completely|fully|quite|exactly|certain|clear|sure)\b|\b(?:partly|partially|unlikely|hardly|barely|scarcely|rarely|doubtful|far\sfrom|neither|sometimes|"
    r"depends|unclear|uncertain|unknown|(?:cannot|can['’]t|impossible\sto|hard\sto)\s(?:be\s)?(?:determined?|answer(?:ed)?|know|known|sa(?:y|id)))\b"
)
_SHORT_LINE = 5
"""Words of a line that is nothing but a verdict, at most."""
_YES = {
    "是", "是的", "对", "對", "正确", "正確", "真", "はい", "正しい", "예", "네", "참",
    "sí", "verdadero", "cierto", "oui", "vrai", "ja", "wahr",
    "richtig", "да", "верно", "правда", "sim", "verdadeiro", "sì", "vero", "y", "t",
}  # fmt: skip
_NO = {
    "否", "不", "不是", "不对", "不對", "错", "錯", "错误", "錯誤", "不正确", "不正確", "假", "いいえ", "正しくない", "아니오", "아니요", "거짓",
    "falso", "non",
    "faux", "nein", "falsch", "нет", "неверно", "ложь", "não", "n", "f",
}  # fmt: skip
_PHRASES = {
    "yep": True, "yeah": True, "yup": True, "absolutely": True, "definitely": True, "certainly": True, "of course": True,
    "indeed": True, "nope": False, "nah": False, "no way": False, "not really": False, "not at all": False,
    "absolutely not": False, "definitely not": False, "certainly not": False, "of course not": False, "probably not": False,
}  # fmt: skip
"""What a line says that consists of nothing else."""
_THAT = re.compile(
    r"(?i)\A[\s*_]{0,4}it\sis\s(not\s)?(true|false|correct|incorrect)\sthat\b(?!.*\b(?:but|however|although|though|yet)\b)"
)
_CONCLUDES = re.compile(
    r"(?i)\b(?:so|thus|therefore|hence|overall|answer\sis)[,:]?\s(?:the\sanswer\sis\s)?(?:actually\s)?(yes|no|true|false)\W{0,4}\Z"
)
_ASKED = re.compile(r"(?i)\A(?:[^?\n]{1,200}\?\s|true\sor\sfalse\s?:\s?|yes\sor\sno\s?:\s?)(?=\S)")
_ENDING = re.compile(r"(?:です|である|だ|입니다|이다|的)\Z")


def _says_yes(word: str) -> bool:
    return word.lower() in {"yes", "true"}


def read_boolean(text: str) -> bool | None:
    """Yes or no, as a statement says; None where it says neither, or both without beginning with one of them."""
    text = unwrap(text[:2000])
    first = _FIRST.match(text)
    if first is not None and not _BOTH.match(text, first.end()):
        return _says_yes(first[1])
    whole = text.strip(" \t\n.,!:;*_\"'`()。！，").casefold()
    for word in (whole, _ENDING.sub("", whole)):
        if word in _YES or word in _NO:
            return word in _YES
    if whole in _PHRASES:
        return _PHRASES[whole]
    if _HEDGED.search(text) is not None:
        return None
    said = {(match["yes"] is not None) != (match["not"] is not None) for match in _WORD.finditer(text)}
    return said.pop() if len(said) == 1 else None


def last_boolean(text: str) -> bool | None:
    """Where nothing is stated: what the last line says if it begins with it or is short, a verdict on "the statement", or
    what the text begins with.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    for given in (lines[-1], None, lines[0]):
        if given is None:
            claims = _CLAIM.findall(text)
            if claims:
                return read_boolean(claims[-1])
            continue
        line = _ASKED.sub("", given)
        first = _FIRST.match(line)
        closes = _CONCLUDES.search(line)
        if first is not None and closes is not None and _says_yes(first[1]) != _says_yes(closes[1]):
            return None  # "Yes, but only partly. So no."
        if first is None and (that := _THAT.match(line)) is not None:
            return (that[2].lower() in {"true", "correct"}) != (that[1] is not None)
        if first is not None:
            return None if _BOTH.match(line, first.end()) else _says_yes(first[1])
        if len(line) < 80 and len(line.split()) <= _SHORT_LINE and (said := read_boolean(line)) is not None:
            return said
    return None
