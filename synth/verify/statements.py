"""Where a reply states its answer in a sentence, under a heading or after a label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Statement", "find_statements", "value_after", "widen"]

_TOPIC = r"(?:\s{1,3}(?:here|to\s{1,3}(?:the|this|your)\s{1,3}(?:question|problem)))?"
_IS = r"\s{0,3}[*_]{0,2}\s{0,3}(?:\b(?:is|are|would\s{1,3}be|should\s{1,3}be|must\s{1,3}be|will\s{1,3}be)\b|[:=])"
# White space is bounded everywhere: two unbounded runs side by side take quadratic time on a long run of spaces.
_ENGLISH = rf"""(?x)
    (?:
      \b(?:
        (?:final|correct|right|best|closest|likely|appropriate)
          \s{{1,3}}(?:answer|option|choice)(?:\s{{1,3}}choice)?
      | (?:the|my|our|so|thus|therefore|hence),?\s{{1,3}}(?:\w{{1,20}}\s{{1,3}}answer\s{{1,3}}choice|answer)
      ){_TOPIC}{_IS}
    | (?<![^\n.!?*\#>]) [\s*_\#>]{{0,6}} (?:final\s{{1,3}})? answer \s{{0,3}}[*_]{{0,2}}\s{{0,3}} (?:\bis\b|[:=])
    )
    [\s*_:]{{0,8}} (?:(?:\.{{2,3}}|…)\s{{1,3}})?
    """
_STATEMENT, _STATEMENT_LOWER = re.compile(_ENGLISH, re.IGNORECASE), re.compile(_ENGLISH)
_WORDS = ("answer", "option", "choice")
"""One of them is in every English statement; to look for them first is many times as quick."""
_BEFORE_WORD, _FROM_WORD = 40, 120
"""Characters that a statement can have before the first of these words, at most, and from it on."""

# Each language: a word that is in every statement of it, and the pattern. Signs are half-width already.
_LANGUAGES = {
    "答": r"(?:答案|答え|解答|回答|正答|答)\s{0,2}[*_]{0,2}\s{0,2}(?:(?:应该|應該|应|應|就)?(?:是|为|為|选|選)|は|:|=)",
    "选": r"(?<!不)(?:选|选择)\s{0,2}(?=\(?[A-Z](?![A-Za-z]))",
    "選": r"(?<!不)(?:選|選擇)\s{0,2}(?=\(?[A-Z](?![A-Za-z]))",
    "正解": r"正解\s{0,2}[*_]{0,2}\s{0,2}(?:は|:|=)",
    "답": r"(?:정답|해답|답변|답)\s{0,2}[*_]{0,2}\s{0,2}(?:은|는|이|:|=)",
    "คำตอบ": r"คำตอบ(?:สุดท้าย|ที่ถูกต้อง)?\s{0,2}(?:คือ|:|=)",
    "respuesta": r"\brespuesta(?:\s(?:final|correcta))?\s{0,2}[*_]{0,2}\s{0,2}(?:\bes\b|:|=)",
    "opción": r"\bopción\scorrecta\s{0,2}(?:\bes\b|:|=)",
    "réponse": r"\bréponse(?:\s(?:finale|correcte))?\s{0,2}[*_]{0,2}\s{0,2}(?:\best\b|:|=)",
    "antwort": r"\bantwort\s{0,2}[*_]{0,2}\s{0,2}(?:\b(?:ist|lautet|is)\b|:|=)",
    "ответ": r"\bответ\s{0,2}[*_]{0,2}\s{0,2}(?:\b(?:равен|будет|это)\b|:|=|—|–)",
    "resposta": r"\bresposta(?:\s(?:final|correta))?\s{0,2}[*_]{0,2}\s{0,2}(?:é\b|:|=)",
    "risposta": r"\brisposta(?:\s(?:finale|corretta))?\s{0,2}[*_]{0,2}\s{0,2}(?:è\b|:|=)",
    "الإجابة": r"الإجابة(?:\sالنهائية|\sالصحيحة)?\s{0,2}(?:هي|:|=)",
    "الجواب": r"الجواب(?:\sالنهائي|\sالصحيح)?\s{0,2}(?:هو|:|=)",
    "उत्तर": r"उत्तर\s{0,2}(?:है|:|=)",
    "đáp án": r"\bđáp\sán(?:\s(?:cuối\scùng|đúng))?\s{0,2}(?:là\b|:|=)",
}
_FOREIGN = {word: re.compile(rf"(?i){pattern}[\s*_:]{{0,8}}") for word, pattern in _LANGUAGES.items()}

_HEADING_WORDS = (
    r"(?:the\s|my\s|your\s)?(?:final\s|correct\s)?answer|最终答案|最後の答え|答案|答え|정답|답|"
    r"respuesta(?:\sfinal)?|réponse(?:\sfinale)?|antwort|ответ"
)
_HEADING = re.compile(
    rf"(?im)^[ \t>]{{0,3}}(?:\#{{1,6}}[ \t]{{1,3}}[*_]{{0,3}}|[*_]{{1,3}}|(?=(?:final\s)?answer[ \t]*$))"
    rf"(?:{_HEADING_WORDS})[ \t]{{0,3}}:?[*_]{{0,3}}:?[ \t]{{0,8}}$"
)
_CONDITION = re.compile(
    r"(?i)\b(?:if|whether|suppose|supposing|assume|assuming|unless|when|how|why|what|check|verify|until|that\sif)"
    r"(?:\sthat)?[\s*_]{1,3}(?:the\s)?\Z"
)

_ABBREVIATION = re.compile(
    r"(?i)(?:\b(?:st|mr|mrs|ms|dr|mt|ft|vs|no|jr|prof|sen|gen|col|capt|inc|[a-z]\.[a-z])|\b(?-i:[A-Z]))\Z"
)
_SENTENCE_END = re.compile(
    r"""(?x)
      (?P<stop>[.!?]["'”’*_)\]`$]{0,4})(?=[ \t\u00a0]{1,}(?:[^\W\d_a-z]|[(\[*_"“'‘«¿¡#$\\]|[\U0001f000-\U0001faff\u2600-\u27bf]))
    | (?P<number>(?<=\d)[.!?])(?=[ \t]{1,8}\d)
    | (?P<full>[。！？｡]["'”’*_)\]」』]{0,4})
    | \n
    """
)
_DISPLAYS = (("$$", "$$"), ("\\[", "\\]"), ("```", "```"), ("\\begin{equation}", "\\end{equation}"),
             ("\\begin{equation*}", "\\end{equation*}"), ("\\begin{align}", "\\end{align}"),
             ("\\begin{align*}", "\\end{align*}"))  # fmt: skip
_LONGEST_VALUE = 2000
_CONNECTIVE = re.compile(
    r"""(?ix) [\s*_\#>]{0,8}
    (?:(?:[-•*+]|\d{1,2}[.)])[ \t]{1,3}[*_]{0,3})?
    (?: (?:
        so|thus|therefore|hence|then|finally|and|now|consequently|accordingly|ultimately|overall|indeed|clearly|but|yes|ok|okay
      | in\s(?:conclusion|summary|short|total|all|the\send) | to\s(?:conclude|summari[sz]e|sum\sup) | as\sa\sresult
      | for\s(?:this|that)\sreason | (?:this|that|which)\smeans | (?:this|that)\sis\swhy
      | we\s(?:can\s)?(?:conclude|see|find|get|have|know) | i\s(?:think|believe|conclude|would\ssay) | that | the | my | our | it\sfollows
      | step\s\d{1,2} | (?:final\s)?answer(?=\s?[*_]{0,2}:) | based\son\s(?:this|that|the\sabove) | given\s(?:this|that|the\sabove)
      | por\s(?:lo\s)?tanto | así\sque | entonces | la | el | por\sende | donc | ainsi | par\sconséquent | also | daher | somit | die
      | итак | следовательно | таким\sобразом | поэтому | portanto | assim | logo | quindi | a | l[ae]\s(?:bonne|opción) | правильный
      | окончательный | richtige | endgültige | korrekte | finale | correcta | bonne
      | 所以 | 因此 | 故 | 那么 | 综上(?:所述)? | 最终 | 最終 | 最后 | 正确(?:的)? | 正確(?:的)? | 的 | 应 | 應 | よって | したがって | 従って
      | それゆえ | 最終的な | 따라서 | 그러므로 | 최종 | ดังนั้น
      )(?![a-zà-ÿа-я])
      [\s,:*_、]{0,4}
    ){0,5}"""
)


class Statement(NamedTuple):
    """Words that announce an answer."""

    start: int
    """Where they begin."""
    end: int
    """Where the value begins."""
    heading: bool = False
    """Whether the value stands on lines of its own under them."""


@lru_cache(maxsize=8)
def find_english(text: str) -> tuple[tuple[int, int], ...]:
    """The places of English statements, without their values."""
    lower = text.lower()
    if len(lower) != len(text):  # some letters become two
        return tuple(m.span() for m in _STATEMENT.finditer(text))
    found: list[tuple[int, int]] = []
    end = 0
    for at in sorted(at for word in _WORDS for at in _places(lower, word)):
        near = _STATEMENT_LOWER.search(lower, max(end, at - _BEFORE_WORD), at + _FROM_WORD) if at >= end else None
        if near is not None and (whole := _STATEMENT.match(text, near.start())) is not None:
            found.append(whole.span())
            end = whole.end()
    return tuple(found)


def _places(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


@lru_cache(maxsize=8)
def find_statements(text: str) -> tuple[Statement, ...]:
    """Every statement of a text in any of the languages, in order; of several that overlap the longest."""
    found = [Statement(*span) for span in find_english(text)]
    lower = text.lower()
    for word, pattern in _FOREIGN.items():
        if word in lower:
            found += [Statement(*m.span()) for m in pattern.finditer(text)]
    found += [Statement(*m.span(), heading=True) for m in _HEADING.finditer(text)]
    kept: list[Statement] = []
    for one in sorted(found, key=lambda s: (s.start, -s.end)):
        if kept and one.start < kept[-1].end:
            continue
        if _CONDITION.search(text, max(0, one.start - 40), _after_space(text, one.start)) is None:
            kept.append(one)
    return tuple(kept)


def value_after(text: str, start: int, *, words: bool, heading: bool) -> int:
    """Where the value that begins at `start` ends: with its sentence, its line, or the displayed formula.

    Args:
        text: the reply.
        start: where the value, or white space before it, begins.
        words: whether the answer is in words, in which abbreviations and initials end no sentence.
        heading: whether the value is all of its line.
    """
    start = _after_space(text, start)
    for opening, closing in _DISPLAYS:
        if text.startswith(opening, start):
            end = text.find(closing, start + len(opening), start + _LONGEST_VALUE)
            if end >= 0:
                return end + len(closing)
    stop = min(len(text), start + _LONGEST_VALUE)
    at = start
    while (mark := _SENTENCE_END.search(text, at, stop)) is not None:
        if mark[0] == "\n":
            return mark.start()
        at = mark.end()
        if heading:
            continue
        if not (
            words and mark[0][0] == "." and _ABBREVIATION.search(text, max(start, mark.start() - 12), mark.start())
        ):
            return mark.end()
    return stop


def widen(text: str, start: int, end: int) -> tuple[int, int]:
    """A place with what belongs to it: words such as "So" before it, list and heading signs, emphasis and dollar signs around."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    start, end = _with_marks(text, start, end)
    begins = _sentence_start(text, start)
    if (before := _CONNECTIVE.match(text, begins, start)) is not None and before.end() == start:
        start = _after_space(text, begins)
        start, end = _with_marks(text, start, end)
    line = text.rfind("\n", 0, start) + 1
    if _LIST_MARK.fullmatch(text, line, start) is not None:
        start = _after_space(text, line)
    return start, end


_LIST_MARK = re.compile(r"[ \t]*(?:[-•*+>]|\#{1,6}|\d{1,2}[.)])[ \t]+")


def _after_space(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


_AROUND = [
    (sign, re.compile(rf"{re.escape(sign)}\s{{0,4}}\Z"), closing, re.compile(rf"[.,]?\s{{0,4}}{re.escape(closing)}"))
    for sign, closing in (
        ("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("`", "`"),
    )
]  # fmt: skip
_CLOSES = re.compile(r"[.,]?\s{0,4}[$\\*_`]")
"""How all of these close, to rule them out at once."""
_EMPHASES = {"**", "__", "*", "_", "`"}


def _with_marks(text: str, start: int, end: int) -> tuple[int, int]:
    """The place with the signs that stand on both sides of it, and the full stop after them."""
    for sign, opens, closing, closes in _AROUND if _CLOSES.match(text, end) is not None else ():
        after = closes.match(text, end)
        if after is None:
            continue
        before = opens.search(text, max(0, start - 8), start)
        odd = text.count(closing, start, end) % 2 == 1
        if before is not None and not (odd and sign[0] in "$*_`"):
            start, end = before.start(), after.end()
        elif odd and closing in _EMPHASES:
            end = after.end()
    at_stop = end < len(text) and text[end] in ".。" and text[end - 1] not in ".。"
    if at_stop and (end + 1 == len(text) or text[end + 1].isspace()):
        end += 1
    return start, end


def _sentence_start(text: str, position: int) -> int:
    """Where the sentence around a position begins."""
    line = text.rfind("\n", 0, position) + 1
    near = max(line, position - 500)
    return max((near + m.end() for m in re.finditer(r"[.!?]\s|[。！？]", text[near:position])), default=line)
