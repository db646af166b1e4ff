"""Numbers in answers.

A percent sign is a unit like any other: `18%` equals `18`, and does not equal `0.18`. Words that multiply belong to the
number: `2 million` is 2,000,000. A time (`5:30`, `3 pm`), a date (`1/2/2020`, `2020-01-02`) or an ordinal (`13th`) is no
number; nor is a number inside an expression (`3\\sqrt{2}`, `2^5`, `5 - 3`, `5!`, `37_8`, `x > 10`, `at least 10`), of which it
is only a part.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from synth.verify.latex import unwrap
from synth.verify.scripts import NOT_AFTER_WORD, to_halfwidth

__all__ = ["find_numbers", "is_number", "last_number", "read_number", "read_scaled"]

_SPACES = "\u00a0\u2009\u202f"
_MULTIPLIERS = {
    "hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12, "lakh": 5, "crore": 7, "mn": 6, "bn": 9,
    "mio": 6, "mrd": 9, "millones": 6, "millón": 6, "milliards": 9, "millionen": 6, "milliarden": 9, "tausend": 3,
    "тысяч": 3, "тыс": 3, "миллиона": 6, "миллионов": 6, "млн": 6, "млрд": 9,
    "十": 1, "百": 2, "千": 3, "万": 4, "萬": 4, "亿": 8, "億": 8, "백": 2, "천": 3, "만": 4, "억": 8,
}  # fmt: skip
"""Words that multiply the number before them, and the power of ten by which."""
_DOZEN = 12
"""A unit like others, so that `8 dozen` is 8; yet nobody can say that it is not 96."""
_LATIN = "|".join(sorted((w for w in _MULTIPLIERS if w < "\u3000"), key=len, reverse=True))
_CJK = "".join(w for w in _MULTIPLIERS if w >= "\u3000")
_MULTIPLIER = re.compile(rf"\s?-?(?:(?P<latin>{_LATIN})s?\b\.?|(?P<cjk>[{_CJK}])(?![分米克瓦]))", re.IGNORECASE)
_SCALED = re.compile(r"\s{0,2}(?P<currency>[$€£¥₹]?)\s?(?P<number>[\d.,]{1,40})\s?(?P<scale>[kKMB]|bn|tn)\b\.?\s{0,2}")
_SCALES = {"k": 3, "K": 3, "M": 6, "B": 9, "bn": 9, "tn": 12}
_VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5", "⅙": "1/6",
    "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅑": "1/9", "⅒": "1/10", "⁄": "/",
}  # fmt: skip
_VULGAR_SIGN = re.compile(rf"(\d?)\s?([{''.join(_VULGAR)}])")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_TEN_RAISED = re.compile(r"(?<=10)[⁻⁺]?[⁰¹²³⁴-⁹]{1,3}")
_DIGITS = 1000
"""Digits that a number can have; a longer one is none."""

# Every repetition is bounded: what models write can be long, and a number in it is not.
_NUMBER = re.compile(
    rf"""(?x)
    {NOT_AFTER_WORD}(?<![\d.])(?<!\d[/:])(?<!\d{{4}}-(?=\d\d-))(?<!-\d\d-)         # not inside a word, a number, a date or a time
    (?<!第)
    (?P<sign>(?:(?<![\d)\]])(?<![\d)\]]\s)(?!(?<=\n)[-+−–]\s)[-+−–])?)\s?  # 10-7 is no -7, nor is `- 7` in a list
    (?:USD|US\$|Rs\.?|[$€£¥₹])?\s?(?P<sign2>[-−]?)
    (?:
      (?P<whole>\d{{1,4}})[ ]{{1,3}}(?P<a>\d{{1,4}})\s?/\s?(?P<b>\d{{1,4}})(?![\d/])       # 2 1/2
    | (?P<n>\d{{1,15}}(?:\.\d{{1,15}})?)\s?/\s?(?P<d>\d{{1,15}}(?:\.\d{{1,15}})?)(?![\d/])  # 3/4
    | (?P<grouped>\d{{1,3}}(?:[,_'’{_SPACES}]\d{{3}}){{1,30}}(?!\d)(?:\.\d{{1,30}})?)         # 1,234.5
    | (?P<indian>\d{{1,2}}(?:,\d\d){{1,6}},\d{{3}}(?![\d,])(?:\.\d{{1,30}})?)               # 1,00,000
    | (?P<european>\d{{1,3}}(?:\.\d{{3}}){{2,8}}(?![\d.])(?:,\d{{1,30}})?
        |\d{{1,3}}(?:\.\d{{3}}){{1,8}},\d{{1,30}}(?![\d,.]))                                # 1.234,5
    | (?P<spaced>\d{{1,3}}(?:[ ]\d{{3}}){{1,8}}(?![\d-])(?:\.\d{{1,30}})?)                     # 1 234.5
    | 10\s?(?:\^|\*\*)\s?\{{?\(?(?P<power>[-−+]?\d{{1,3}})\)?\}}?                               # 10^3
    | (?P<plain>(?:\d{{1,{_DIGITS}}}(?:\.\d{{1,{_DIGITS}}})?|\.\d{{1,40}}))
      (?:[eE](?P<e>[-+]?\d{{1,3}})|\s?(?:\\times|\\cdot|[×·*xX])\s?10\s?(?:\^|\*\*)\s?\{{?\(?(?P<p>[-−+]?\d{{1,3}})\)?\}}?)?
    )
    (?!\d|[.:/eE]\d|-\d{{1,2}}-\d|[½¼¾⅓⅔⅛²³⁰-⁹])
    (?!(?:st|nd|rd|th)\b|\s?(?:[apAP]\.?[mM]\b|o['’]clock))
    """
)
_MARK = re.compile(r"<<[^<>]{0,200}>>")
_BOLD = re.compile(r"(?<![\w)])\*\*|\*\*(?![\w(])")  # not the power of 2**5
_HTML = re.compile(r"</?(?:b|i|u|em|strong|span|p|code|sup|sub|mark)>", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s(?=[A-Z(])|(?<=[。！？])|\n")
_RELATIONS = [
    (
        re.compile(
            r"\\approx(?![a-z])|\\simeq|\\sim(?![a-z])|≈|≅|\\cong(?![a-z])|(?<![<>!=])={1,3}>|⇒|\\Rightarrow|\\implies|==+"
        ),
        "=",
    ),
    (re.compile(r">=|≥|\\geq?(?:slant)?(?![a-z])|\\gt(?![a-z])"), "≥"),
    (re.compile(r"<=|≤|\\leq?(?:slant)?(?![a-z])|\\lt(?![a-z])"), "≤"),
    (re.compile(r"!=|=/=|\\neq?(?![a-z])|\\not\s?="), "≠"),
    (re.compile(r"\\pm(?![a-z])"), "±"),
    (re.compile(r"\\[lc]?dots(?:[a-z](?![a-z]))?(?![a-z])"), "…"),
    (re.compile(r"(?:\\[,;:! ]|\s|~|(?<=\d))\\Omega(?![a-zA-Z])"), " Ω"),
    (re.compile(r"(?:\\[,;:! ]|\s|~)\\mu\s?(?:\\(?:mathrm|text)\{)?(?=\s{0,2}(?:m|g|s|F|A|V|L|l|W|C|mol)\b)"), " μ"),
    (re.compile(r"(?<=[A-Za-z])\s?\\cdot\s?(?=[A-Za-z])"), "·"),
    (re.compile(r"\\(?:degree|textdegree)(?![a-z])"), "°"),
]
_OPERAND_BEFORE = re.compile(
    r"""(?x)
    (?: [*×·/^_+±∓|√<>≤≥≠]\s?
    | (?:\b|_)[A-Za-z] | [A-Za-z]\(
    | \b(?:minus|negative|plus|times|not|never|than|least|most|beyond|over|under|above|below|exceeds?|exceeding|neither|nor|except
        |log|ln|sqrt|root(?:\sof)?|twice|double|triple|thrice|half|(?:third|quarter|fifth|tenth)s?\sof|(?:half|multiple|power|factor)s?\sof
        |up\sto|step|question|problem|equation|eq\.|figure|page|section|chapter|footnote)
      \s{1,2}(?:(?:equal\s)?to\s|be\s|about\s)?
    | n['’]t\s(?:be\s|equal\s)?
    | (?:不是|不等于|不到|大于|小于|超过|至少|至多|最多|最少|不足|少于|多于)\s?
    )\Z""",
    re.IGNORECASE,
)
_OPERAND_AFTER = re.compile(
    r"""(?x) \s?\^ | \.?\( | \| | ! | _ | π | ['′]\s?\d
    | \s?[<>≤≥≠±]
    | \s?(?:\.{2,}|…|--+|[-–—])\s?[-+$€£]?\d
    | \s?\+(?=\s?(?:\Z|[.,;)]|[a-z]{2}))                          # 10+
    | \s?(?:\*{1,2}|[×·/+\-−–]|x(?=\s?\d))\s?(?:[$\d(\\]|[A-Za-z]\b|(?:sin|cos|tan|log|ln|exp|sqrt|pi)\b)
    | \s(?:minus|plus(?:\sor\sminus)?|times|divided\sby|over|multiplied\sby)\s(?=[\d$(\\]|[A-Za-z]\b)
    | \s(?:less|more|fewer|greater|larger|smaller)\sthan\s[$€£]?\d
    | \s(?:mil|pi|squared|cubed|factorial|(?:raised\s)?to\sthe\s(?:power|\d))\b
    | \s?(?:%|percent|per\scent)\sof\s(?:the\s)?[$€£]?\d
    | (?:\.{2,}|…|[?,;.]|\s?[-–—])?\s?(?:no,?\swait|wait|oops|sorry|scratch\sthat|hold\son)\b | \?\s?no\b         # taken back
    | .{1,40}\brounds?\s(?:up\s|down\s|off\s)?to\s(?:about\s)?[$€£]?\d[\d.,]*(?!\s(?:decimal|significant|place))
    | [abceiknpqrtuvwxyzBKM]\b                                    # a variable, or thousands; other letters are units
    | \s[eiknxyz](?=\s?(?:\Z|[.,;)+*/^-]))
    | (?:\s[A-Za-z]{1,20})?\s(?:or|and)\s(?:more|less|fewer|greater|above|below|over|under|higher|lower|beyond|up)\b
    | (?:\s[A-Za-z]{1,20})?\sat\s(?:least|most)\b
    | [个個]?(?:以上|以下|以内)
    | \s\(?mod\b
    """
)
_ANOTHER = re.compile(
    r"\s?%?(?:\s[A-Za-z]{1,20}){0,2}\s?(?:[,;、]\s?(?:and\s|or\s)?|\s(?:and|or|to)\s|[和或到至~])\(?(?:x\s?=\s?)?[-+−±$€£]{0,2}\d"
)
_SMALLER_UNIT = re.compile(
    r"(?i)\s?(?:h|hrs?|hours?|min|minutes?|m|km|ft|feet|foot|°|lbs?|pounds?|weeks?|days?|months?|years?|yards?|dollars?|euros?|kg|gallons?"
    r"|r|rem|remainder)\.?,?\s?\d"
)
_OTHER_UNKNOWN = re.compile(r"(?:\b(?:and|or)\b|[,;])\s?\(?[A-Za-z](?:_\w)?\s?=")
_UNKNOWN_BEFORE = re.compile(r"\b[A-Za-z]\s?\Z")  # x - 5
_COMMAND = re.compile(r"\\[A-Za-z]")
_UNIT = re.compile(
    r"(?!(?:am|pm|th|st|nd|rd)\b)[%°]?\s?(?:[A-Za-zΩμ·]+(?:[\s/][A-Za-z]+)?)?\s?(?:\^\s?\{?[23]\}?|[²³])?\.?",
    re.IGNORECASE,
)
_DECIMAL_GOES_ON = re.compile(r"\s?(?:\.{2,}|…)")
_MARKS_BEFORE = "$€£¥₹*_\"'`([{≈=:~ "


def _value(match: re.Match[str]) -> Fraction | None:
    got = match.groupdict()
    negative = (got["sign"] in {"-", "−", "–"}) != (got["sign2"] in {"-", "−"})
    try:
        if got["whole"] is not None:
            value = Fraction(int(got["whole"])) + Fraction(int(got["a"]), int(got["b"]))
        elif got["n"] is not None:
            value = Fraction(Decimal(got["n"])) / Fraction(Decimal(got["d"]))
        elif got["european"] is not None:
            value = Fraction(Decimal(got["european"].replace(".", "").replace(",", ".")))
        elif (grouped := got["grouped"] or got["indian"] or got["spaced"]) is not None:
            value = Fraction(Decimal(re.sub(r"[,_'’\s]", "", grouped)))
        elif got["power"] is not None:
            value = Fraction(10) ** int(got["power"].replace("−", "-"))
        else:
            value = Fraction(Decimal(got["plain"]))
            if (exponent := got["e"] or got["p"]) is not None:
                value *= Fraction(10) ** int(exponent.replace("−", "-"))
    except (ZeroDivisionError, InvalidOperation, ValueError):
        return None
    return -value if negative else value


def _times(multiplier: re.Match[str]) -> int:
    word = (multiplier["latin"] or multiplier["cjk"]).casefold()
    return int(10 ** _MULTIPLIERS[word])


def _without_marks(text: str) -> str:
    """Calculator marks (`<<3*3=9>>`) as so many spaces: places stay the same."""
    return _MARK.sub(lambda m: " " * len(m[0]), to_halfwidth(text))


def _spelled(text: str) -> str:
    """Fractions and powers that are one sign (`2½`, `10³`) in several."""
    if text.isascii():
        return text
    text = _TEN_RAISED.sub(lambda m: "^" + m[0].translate(_RAISED), text)
    return _VULGAR_SIGN.sub(lambda m: (m[1] + " " if m[1] and m[2] != "⁄" else m[1]) + _VULGAR[m[2]], text)


def find_numbers(text: str) -> list[tuple[int, str]]:
    """Every number in a text with the place where it starts. Calculator marks (`<<3*3=9>>`) are passed over."""
    return [
        (m.end() - len(m[0].lstrip()), m[0].strip())
        for m in _NUMBER.finditer(_without_marks(text))
        if _value(m) is not None
    ]


def last_number(text: str) -> str | None:
    """The number a text ends on, where it states no answer; None where there is none, or where it is part of an expression.

    Of `4 * 5 = 20 miles in 5 days` it is the result, not the last number.
    """
    plain = _BOLD.sub("  ", _spelled(_without_marks(text)))
    matches = list(_NUMBER.finditer(plain))
    while matches and _value(matches[-1]) is None:
        matches.pop()
    if not matches:
        return None
    last = matches[-1]
    start = last.end() - len(last[0].lstrip())
    sentence_start = max((m.end() for m in _SENTENCE_END.finditer(plain, 0, start)), default=0)
    equals = plain.rfind("=", sentence_start, start)
    if equals >= 0 and _RESTATED.search(plain, max(equals, start - 40), start) is None:
        last = next(m for m in matches if m.end() > equals and _value(m) is not None)
        start = last.end() - len(last[0].lstrip())
    multiplier = _MULTIPLIER.match(plain, last.end())
    end = last.end() if multiplier is None else multiplier.end()
    line = plain[sentence_start:start].strip(_MARKS_BEFORE)
    # Part of an expression, or the last of several numbers: nobody can say which one is meant.
    if equals < 0 and (_NEGATED.search(plain, max(sentence_start, start - 40), start) or _LISTED.search(line)):
        return None
    before = _EMPHASIS_BEFORE.sub("", plain[max(sentence_start, start - 60) : start])
    beside = plain[end : end + 60]
    if _GLUED.match(beside) or _OPERAND_AFTER.match(beside.lstrip(")]}")):
        return None
    if equals < 0 and (_SMALLER_UNIT.match(beside) or _OPERAND_BEFORE.search(before) or _COMMAND_BEFORE.search(before)):
        return None
    return plain[start:end].strip()


_COMMAND_BEFORE = re.compile(
    r"\\(?!boxed|text|quad|left|displaystyle)[A-Za-z]{1,20}\s?[{(]{0,2}\Z|\d\s{0,3}(?:\b(?:h|hours?|ft|feet|r)\.?|['′])\s?\Z"
)
_EMPHASIS_BEFORE = re.compile(r"(?:\A|(?<=\s))[*_]{1,3}\Z|\A\s{0,8}[*+•-]\s{1,4}")  # *10*, or an item of a list
_RESTATED = re.compile(
    r"(?i)\b(?:which|that)\s(?:is|equals|means)\s(?:about\s)?[$]?\Z"
)  # `6/3 = .5 hours, which is 30`
_NEGATED = re.compile(
    r"(?i)(?:\bnot|n['’]t|\bnever|≠|!=|不是|不等于)\s?(?:be\s|equal\s(?:to\s)?|about\s)?[$*\s(]{0,3}\Z"
)
_LISTED = re.compile(r"\d\s?%?\s?(?:,|,?\s(?:and|or)|[、和或])\Z")
_GLUED = re.compile(
    r"(?:[A-Za-z](?![A-Za-z])|!(?![\s\"'*)]|\Z)|_\{?\d|\^|\s?[<>≤≥≠±]\s?\d|\s?(?:\.{2,}|…|--+)\s?\d|:\d)"
)


def _prepared(text: str) -> str:
    plain = _spelled(to_halfwidth(text[:_LONGEST]))
    plain = _ABOUT_RANGE.sub("–", plain)
    if "\\" in plain or "=" in plain or not plain.isascii():
        for pattern, sign in _RELATIONS:
            plain = pattern.sub(sign, plain)
    plain = _HTML.sub("", _BOLD.sub("", _without_marks(unwrap(plain))))
    return plain.replace("≈", "=")


_LONGEST = 2000
_ABOUT_RANGE = re.compile(r"(?<=\d)\s?~\s?(?=\d)")
_SPOKEN_SIGN = re.compile(r"(?i)\A(?:minus|negative)\s(?=\d)")
_REASON = re.compile(r"(?i)\b(?:because|since)\b")
_THREE_WORDS = re.compile(r"(?:\S++\s++){3}")


def read_number(text: str) -> Fraction | None:
    """The number an answer states; None where it states none, several (`5 or 3`), or an expression (`2\\pi`).

    Of `5 * 3 = 15` the result counts; of `18 dollars (2 days)` the first.
    """
    plain = _prepared(text)
    if plain.endswith("?") and _THREE_WORDS.match(plain) is not None:
        return None  # the question said again, as its own answer
    plain = _SPOKEN_SIGN.sub("-", plain)
    if (reason := _REASON.search(plain)) is not None and re.search(r"\d", plain[: reason.start()]):
        plain = plain[: reason.start()]
    if "=" in plain:
        if _OTHER_UNKNOWN.search(plain):
            return None
        head, _, tail = plain.rpartition("=")
        # `18 (9 * 2 = 18)` and `18 since 9 * 2 = 18` say it first.
        return _single(tail) if re.search(r"\d", tail) else _single(head)
    return _single(plain)


def _single(plain: str) -> Fraction | None:
    match = next((m for m in _NUMBER.finditer(plain) if _value(m) is not None), None)
    if match is None:
        return None
    multiplier = _MULTIPLIER.match(plain, match.end())
    before, after = plain[: match.start()], plain[match.end() if multiplier is None else multiplier.end() :]
    if _COMMAND.search(before) or _COMMAND.search(after):  # left by unwrapping: a root, a logarithm, π
        return None
    if match["sign"] and _UNKNOWN_BEFORE.search(before):
        return None
    inner = after.lstrip(")]}%")
    if any(_OPERAND_BEFORE.search(b) for b in (before, before.rstrip("([{"))):
        return None
    if (
        _OPERAND_AFTER.match(after)
        or _OPERAND_AFTER.match(inner)
        or _ANOTHER.match(inner)
        or _SMALLER_UNIT.match(inner)
    ):
        return None
    if "." in match[0] and _DECIMAL_GOES_ON.match(inner):
        return None
    if _PROSE.search(before) is not None and _NUMBER.search(_ASIDE.sub(" ", after)) is not None:
        return None
    value = _value(match)
    return value if value is None or multiplier is None else value * _times(multiplier)


_PROSE = re.compile(r"(?i)[a-z]{2,}")
_ASIDE = re.compile(r"\([^()]*\)|\b(?:because|since|as|per|each|every|in|for|on|at|of|out\sof|by)\b.*", re.DOTALL)


def read_scaled(text: str) -> tuple[Fraction | None, Fraction | None]:
    """Of a number with a multiplier the other ways to take it: the multiplied value of `3k` (which may be 3 times k), and
    the value without the multiplier (`2 million` where millions are asked for), or with it where it is a unit (`8 dozen`).
    """
    plain = _prepared(text)
    scaled = _SCALED.fullmatch(plain)
    if scaled is not None and (value := _single(scaled["number"])) is not None:
        return value * 10 ** _SCALES[scaled["scale"]], value
    match = next((m for m in _NUMBER.finditer(plain) if _value(m) is not None), None)
    value = None if match is None else _value(match)
    if match is None or value is None:
        return None, None
    if re.match(r"\s?dozens?\b", plain[match.end() :]) is not None:
        return None, value * _DOZEN
    return None, value if _MULTIPLIER.match(plain, match.end()) is not None else None


def is_number(text: str) -> bool:
    """Whether a text is nothing but a number, with at most a currency sign, a percent sign or a unit of one or two words.

    `5m` and `2x` are left to mathematics: the letter may be a variable.
    """
    plain = _prepared(text.strip())
    match = _NUMBER.match(plain)
    if match is None or _value(match) is None or _OPERAND_AFTER.match(plain, match.end()):
        return False
    multiplier = _MULTIPLIER.match(plain, match.end())
    rest = plain[match.end() if multiplier is None else multiplier.end() :]
    return not re.match(r"[A-Za-z]\b", rest) and _UNIT.fullmatch(rest.strip()) is not None
