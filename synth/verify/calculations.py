"""The tokens of which calculations in a text consist: numbers, operators, units, and what ends them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from synth.verify.calculate import Kind, Token
from synth.verify.scripts import to_halfwidth

__all__ = ["UNITS", "tokens_of"]

_FAMILIES = """
second seconds sec secs|minute minutes min mins|hour hours hr hrs|day days|week weeks|month months|year years yr yrs|decade decades
mm millimeters|cm centimeter centimeters|km kms kilometer kilometers kilometres|meter meters metres|inch inches|foot feet ft|yard yards yd|mile miles mi
mg milligrams|kg kgs kilogram kilograms kilos|gram grams|ounce ounces oz|pound pounds lb lbs|ton tons tonne tonnes
ml milliliters|liter liters litres|cup cups|pint pints|quart quarts|gallon gallons|tablespoon tablespoons tbsp|teaspoon teaspoons tsp
$ dollar dollars bucks|¢ cent cents pennies penny|nickel nickels|dime dimes|quarter quarters|€ euro euros|£|₹ rupees|¥
degree degrees|radian radians
kmph kph|mph|mps
""".split("\n")[1:-1]  # noqa: SIM905  # a line each
UNITS: dict[str, tuple[int, int]] = {
    name: (family, unit)
    for family, units in enumerate(_FAMILIES)
    for unit, names in enumerate(units.split("|"))
    for name in names.split()
}
"""Words for units, each with what it measures and which unit of it it is: two of one family do not add up without conversion."""

_LONGEST_NUMBER = 100
"""Digits that a number of a claim can have."""
_NUMBER = re.compile(
    rf"""(?x)
    (?P<mixed>(?P<whole>\d{{1,4}})\s{{1,2}}(?P<above>\d{{1,3}})/(?P<below>\d{{1,3}})(?![\d/.,]))     # 2 1/2
    | (?P<time>\d{{1,8}}(?::\d{{1,8}}){{1,3}}|\d{{1,2}}/\d{{1,2}}/[12]\d{{3}}(?!\d)
        |(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d))                             # 12:30, a ratio, a date
    | (?P<grouped>\d{{1,3}}(?:(?:,|\{{,\}}|,\\!)\d{{3}}){{1,30}}(?![\d]|,\d)(?:\.\d{{1,{_LONGEST_NUMBER}}})?(?!\d)
        |\d{{1,2}}(?:,\d\d){{1,6}},\d{{3}}(?![\d,])(?:\.\d{{1,30}})?(?!\d))
    | (?P<commas>\d++(?:,\d++)++)                                                                   # 2,5: a list, or a decimal comma
    | (?P<plain>(?:\d++(?:\.\d++)?|\.\d++)(?:[eE][-+]?\d{{1,6}}(?![\w.]))?)
    """
)
_WORD = re.compile(r"(?:[^\W\d_]|[\d_](?=\w))[^\W\d_]*+(?:['’-][^\W\d_]++)*+[\d_]*+\w*+")
_NAME = re.compile(r"\w++")
_LETTERS = re.compile(r"[^\W\d_]++")
_BEFORE_NUMBER = re.compile(r"[ \t]{0,3}(?:\\?\$|[€£])?[ \t]?[\d(.]")
_LATEX = re.compile(r"\\(?:([A-Za-z]{1,20})\*?|(.)|\Z)", re.DOTALL)
_SHORT_FRACTION = re.compile(r"[ \t]{0,2}(\d)[ \t]{0,2}(\d)(?!\d)")
_ENVIRONMENT = re.compile(r"\{[a-z]{1,20}\*?\}")
_DEGREE = re.compile(r"\^[ ]?(?:\{\s?\\circ\s?\}|\\circ(?![a-z]))|°")
_RELATION = re.compile(
    r"=\s?[~≈]|={2,3}(?![>=])|(?<![<>!:+*/-])=(?![>=])|:=|≈|≅|\\(?:approx|simeq|cong|sim|doteq)(?![a-z])|~="
)
_BULLET = re.compile(r"(?<![^\n])[ \t]{0,8}(?:[-*+•–][ \t]{1,4}|\(?\d{1,3}[.)][ \t]{1,4}|[a-z][.)][ \t]{1,4})")
_LINE_END = re.compile(r"[\r\n][ \t\r\n]{0,8}(?:&\s?)?")
_ALIGNED = re.compile(r"[ \t]{0,4}[\r\n]?[ \t]{0,8}&?[ \t]{0,2}")
_OPERATORS = {
    "+": "+", "-": "-", "−": "-", "–": "-", "‒": "-", "‐": "-", "‑": "-", "*": "*", "×": "*", "·": "*", "⋅": "*", "∗": "*", "•": "*",
    "✕": "*", "✖": "*", "/": "/", "÷": "/", "∕": "/", "⁄": "/", "^": "^",
}  # fmt: skip
_COMMANDS: dict[str, tuple[Kind, str] | None] = {
    **dict.fromkeys(("times", "cdot", "ast", "bullet"), ("operator", "*")),
    "div": ("operator", "/"),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac"), ("fraction", "frac")),
    **dict.fromkeys(
        ("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "quad", "qquad", "displaystyle", "text", "textbf", "textit",
         "mathrm", "mathbf", "mbox", "boxed", "bf", "rm", "textrm", "operatorname", "boldsymbol", "underline", "emph", "mathit"),
        None,
    ),
}  # fmt: skip
"""What LaTeX commands are; None for those that change looks alone. Others have no value here."""
_FUNCTIONS = frozenset(
    {"pi", "sqrt", "log", "ln", "exp", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "gcd", "lcm", "mod"}
)
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", range(10), strict=True))
_SKIPPED = frozenset(" \t\u00a0\u2009\u202f\"'`’‘“”&~\u200b\ufe0f#")
_BREAKS = frozenset(";:?<>→⇒∴∵⟹⟺⇔—。！？；：|")


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in order; each with its place in it."""
    return _joined(list(_tokens(to_halfwidth(text))))


def _tokens(halfwidth: str) -> Iterator[Token]:
    before: Token | None = None
    place = 0
    while place < len(halfwidth):
        found = list(_at(halfwidth, place, before))
        after = found.pop().start if found[-1].kind == "break" and found[-1].text == "skip" else found[-1].end
        for token in found:
            glued = before is not None and not any(c.isspace() for c in halfwidth[before.end : token.start])
            before = token._replace(glued=glued)
            yield before
        place = max(after, place + 1)


def _skip(to: int) -> Token:
    return Token("break", "skip", to, to)


def _at(text: str, i: int, before: Token | None) -> Iterator[Token]:
    """The tokens that begin at a place; last a `skip` where there is more to pass over."""
    sign = text[i]
    if (i == 0 or text[i - 1] == "\n") and (bullet := _BULLET.match(text, i)) is not None:
        yield Token("break", "bullet", i, bullet.end())
    elif sign in "\n\r":
        line = _LINE_END.match(text, i)
        after = line.end() if line is not None else i + 1
        if _RELATION.match(text, after) is not None:  # a chain that goes on
            yield _skip(after)
        else:
            yield Token("break", "\n", i, i + 1)
    elif sign in _SKIPPED:
        yield _skip(i + 1)
    elif (sign.isdigit() and sign.isascii()) or (sign == "." and text[i + 1 : i + 2].isdecimal()):
        yield from _number(text, i)
    elif (relation := _RELATION.match(text, i)) is not None:
        exact = relation[0].strip(":=") == ""
        yield Token("relation", "=" if exact else "≈", i, relation.end())
    elif (degree := _DEGREE.match(text, i)) is not None:
        yield _skip(degree.end())
    elif sign == "\\":
        yield from _latex(text, i)
    elif sign == "*" and text.startswith("**", i):
        yield from _two_stars(text, i, before)
    elif sign == "*" and _is_emphasis(text, i, before):
        yield _skip(i + 1)
    elif sign in "-–" and text.startswith((" -- ", " --- ", " – – "), i - 1):
        yield Token("break", "--", i, i + 2)
    elif sign in "-–" and (i > 0 and text[i - 1].isalpha() and text[i + 1 : i + 2].isalpha()):
        yield _skip(i + 1)
    elif sign in "+/-±" and text.startswith(("+/-", "+-", "±"), i):
        yield Token("unknown", sign, i, i + 1)
    elif sign in _OPERATORS:
        yield Token("operator", _OPERATORS[sign], i, i + 1)
    elif sign in "([{":
        yield Token("open", sign, i, i + 1)
    elif sign in ")]}":
        yield Token("close", sign, i, i + 1)
    elif sign in "$€£₹¥¢":
        yield Token("sign", sign, i, i + 1)
    elif sign in "%!":
        yield Token("postfix", sign, i, i + 1)
    elif sign in ",、，":
        yield Token("comma", ",", i, i + 1)
    elif sign in ".…":
        yield from _dots(text, i, before)
    elif sign in _RAISED:
        power = i + 1
        while power < len(text) and power < i + 4 and text[power] in _RAISED:
            power += 1
        if before is not None and before.end == i and before.kind in {"number", "close"}:
            value = int("".join(str(_RAISED[c]) for c in text[i:power]))
            yield Token("operator", "^", i, i)
            yield Token("number", text[i:power], i, power, Fraction(value), 0)
        else:
            yield _skip(power)
    elif sign in _BREAKS:
        yield Token("break", sign, i, i + 1)
    elif unicodedata.category(sign) == "No" and unicodedata.numeric(sign, -1.0) >= 0:
        yield Token("number", sign, i, i + 1, Fraction(unicodedata.numeric(sign)).limit_denominator(10))
    elif (word := _WORD.match(text, i)) is not None:
        yield _word(text, word, before)
    elif unicodedata.category(sign) in {"So", "Cf", "Mn", "Sk"}:
        yield _skip(i + 1)
    else:
        yield Token("unknown", sign, i, i + 1)


def _number(text: str, i: int) -> Iterator[Token]:
    match = _NUMBER.match(text, i)
    assert match is not None
    end = match.end()
    if match["mixed"] is not None:
        whole, above, below = (int(match[n]) for n in ("whole", "above", "below"))
        if 0 < above < below:
            yield Token("number", match[0], i, end, whole + Fraction(above, below))
            return
        end = i + len(match["whole"])
        yield Token("number", match["whole"], i, end, Fraction(whole), 0)
        return
    if match["time"] is not None or match["commas"] is not None:
        yield Token("unknown", match[0], i, end)
        return
    digits = (match["grouped"] or match["plain"]).replace("{,}", "").replace(",", "").replace("\\!", "")
    letters = _LETTERS.match(text, end)
    tail = letters[0].casefold() if letters is not None else ""
    scientific = "e" in digits.casefold()
    too_long = len(digits) > _LONGEST_NUMBER or (scientific and abs(int(re.split("[eE]", digits)[1])) > _LONGEST_NUMBER)
    if tail in {"st", "nd", "rd", "th"}:
        yield Token("word", match[0] + tail, i, end + len(tail))
    elif len(digits) > 1 and digits[0] == "0" and digits.isdecimal():
        yield Token("unknown", match[0][:40], i, end)  # a time, a code
    elif too_long or text[end : end + 1] == "_" or (tail and not _is_unit_after(text, end, tail, digits)):
        name = _NAME.match(text, end)
        yield Token("unknown", match[0][:40], i, end if name is None else name.end())
    else:
        mantissa = re.split("[eE]", digits)[0]
        decimals = None if scientific else len(mantissa.partition(".")[2])
        yield Token("number", match[0], i, end, Fraction(Decimal(digits)), decimals)
        # A trailing ellipsis says that more decimals follow.
        if decimals and text.startswith(("...", "…"), end):
            yield _skip(end + (3 if text[end] == "." else 1))
        elif text[end : end + 1] in {"-", "‑"} and (hyphened := _LETTERS.match(text, end + 1)) and len(hyphened[0]) > 1:
            yield Token("word", hyphened[0].casefold(), end, hyphened.end())  # a 3-page letter


def _is_unit_after(text: str, end: int, letters: str, digits: str) -> bool:
    """Whether letters directly after a number are a unit, an operator, or of a script without spaces."""
    if letters == "x":
        hexadecimal = digits == "0" and text[end + 1 : end + 2].isdecimal()  # 0x10
        return not hexadecimal and _BEFORE_NUMBER.match(text, end + 1) is not None and text[end + 1 : end + 2] != "("
    return letters in UNITS or not letters.isascii()


def _word(text: str, match: re.Match[str], before: Token | None) -> Token:
    i, end, word = match.start(), match.end(), match[0].casefold()
    if word[0] == "x" and (i > 0 and text[i - 1].isdigit()) and word != "x":
        end, word = i + 1, "x"  # 3x4
    follows = before is not None and before.kind in {"number", "close", "word", "postfix"}
    if word == "x" and follows and _BEFORE_NUMBER.match(text, end) is not None and text[end : end + 1] != "(":
        return Token("operator", "*", i, end)
    if not word.isalpha() and not all(part.isalpha() for part in re.split(r"['’-]", word)):
        return Token("unknown", word[:40], i, end)
    if len(word) == 1 and match[0] != "a" and (word.isascii() or "\u0370" <= word < "\u0500"):
        return Token("unknown", word, i, end)
    if word in _FUNCTIONS or (
        1 < len(word) <= 4 and not match[0][1:].islower() and word.isascii() and word not in UNITS
    ):
        return Token("unknown", word, i, end)
    return Token("word", word, i, end)


def _latex(text: str, i: int) -> Iterator[Token]:
    match = _LATEX.match(text, i)
    assert match is not None
    name, sign, end = match[1], match[2], match.end()
    if sign is not None or name is None:
        if sign == "\\":
            line = _ALIGNED.match(text, end)
            after = line.end() if line is not None else end
            yield _skip(after) if _RELATION.match(text, after) is not None else Token("break", "\n", i, end)
        elif sign == "$":
            yield Token("sign", "$", i, end)
        elif sign == "%":
            yield Token("postfix", "%", i, end)
        elif sign is not None and sign.isalnum():
            yield _skip(i + 1)
        elif sign in {"{", "}"}:
            yield Token("unknown", "\\" + sign, i, end)
        else:
            yield Token("break", "\\[", i, end) if sign in {"[", "]"} else _skip(end)
    elif name in {"begin", "end"}:
        environment = _ENVIRONMENT.match(text, end)
        yield Token("break", name, i, environment.end() if environment is not None else end)
    elif name in _COMMANDS:
        known = _COMMANDS[name]
        short = _SHORT_FRACTION.match(text, end) if name.endswith("frac") else None
        if short is not None and short[2] != "0":
            yield Token("number", short[0], i, short.end(), Fraction(int(short[1]), int(short[2])))
        elif known is None:
            yield _skip(end)
        else:
            yield Token(*known, i, end)
    elif name in {"Rightarrow", "implies", "to", "rightarrow", "therefore", "because", "iff", "ne", "neq", "le", "leq", "ge", "geq", "lt", "gt"}:  # fmt: skip
        yield Token("break", name, i, end)
    else:
        yield Token("unknown", "\\" + name, i, end)


def _two_stars(text: str, i: int, before: Token | None) -> Iterator[Token]:
    """A power, or bold type."""
    left, right = text[i - 1 : i].strip() != "" if i else False, text[i + 2 : i + 3].strip() != ""
    if before is not None and before.kind in {"number", "close"} and left == right and text[i + 2 : i + 3] != "*":
        yield Token("operator", "^", i, i + 2)
    else:
        yield _skip(i + 2)


def _is_emphasis(text: str, i: int, before: Token | None) -> bool:
    left, right = text[i - 1 : i].strip() != "" if i else False, text[i + 1 : i + 2].strip() != ""
    if not left and right:
        return before is None or before.kind not in {"number", "close", "word", "postfix"} or text[i + 1].isalpha()
    return left and not right and text[i + 1 : i + 2] in {"", "\n"}


def _dots(text: str, i: int, before: Token | None) -> Iterator[Token]:
    if text[i] == "…" or text.startswith("...", i):
        yield Token("unknown", "…", i, i + (1 if text[i] == "…" else 3))
        return
    if before is not None and before.kind == "number" and before.end == i and text[i + 1 : i + 2] == "\\":
        yield Token("unknown", ".", i, i + 1)  # 0.\overline{3}
        return
    rest = text[i + 1 : i + 4].lstrip(" ")[:1]
    if before is not None and before.kind == "word" and before.end == i and rest and rest in "+*/=×÷":
        yield _skip(i + 1)  # 5 ft. + 3 ft.
    else:
        yield Token("break", ".", i, i + 1)


def _joined(tokens: list[Token]) -> list[Token]:
    """The tokens with words that are operators or signs as such: `times`, `divided by`, `percent`, `20% of 50`."""
    made: list[Token] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        if token.kind == "word" and following is not None:
            operator = _spoken(token.text, following, tokens, i)
            if operator is not None:
                kind, text, used = operator
                made.append(Token(kind, text, token.start, tokens[i + used - 1].end))
                i += used
                continue
            if token.text == "of" and _after_share(made) and (used := _begins_number(tokens, i + 1)):
                made.append(Token("operator", "*", token.start, token.end))
                i += used
                continue
        elif token.kind == "word" and token.text in {"percent", "percents"}:
            token = token._replace(kind="postfix", text="%")
        made.append(token)
        i += 1
    return made


def _spoken(word: str, following: Token, tokens: list[Token], i: int) -> tuple[Kind, str, int] | None:
    after = tokens[i + 2] if i + 2 < len(tokens) else None
    if word in {"percent", "percents"}:
        return "postfix", "%", 1
    if word == "equals":
        return "relation", "=", 1
    if word == "is" and following.text == "equal" and after is not None and after.text == "to":
        return "relation", "=", 3
    if word in {"times", "plus", "minus"} and i > 0 and following.kind in {"number", "open", "sign"}:
        return "operator", {"times": "*", "plus": "+", "minus": "-"}[word], 1
    if word in {"divided", "multiplied"} and following.text == "by" and after is not None:
        if after.kind in {"number", "open", "sign"}:
            return "operator", "/" if word == "divided" else "*", 2
        return "unknown", word, 2
    return None


def _after_share(made: list[Token]) -> bool:
    """Whether `of` follows a percentage or a fraction, so that it multiplies."""
    if not made:
        return False
    if made[-1].kind == "postfix" and made[-1].text == "%":
        return True
    if made[-1].kind == "number" and made[-1].decimals is None:
        return True
    last = made[-3:]
    if [t.kind for t in last] == ["number", "operator", "number"] and last[1].text == "/":
        return last[1].glued and last[2].glued
    return made[-1].text == "}" and any(t.kind == "fraction" for t in made[-8:])


def _begins_number(tokens: list[Token], i: int) -> int:
    """How many tokens from `of` on come before the number that follows it; 0 where none does."""
    for used in (1, 2):
        if i + used - 1 >= len(tokens):
            return 0
        token = tokens[i + used - 1]
        if token.kind in {"number", "open", "sign"}:
            return used
        if token.text not in {"the", "her", "his", "their", "those", "these", "all"}:
            return 0
    return 0
