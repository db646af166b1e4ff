"""Formulas in one spelling, and what stands in them that a parser of mathematics passes over."""

from __future__ import annotations

import re

from synth.verify.latex import repair_escapes
from synth.verify.scripts import to_halfwidth

__all__ = ["as_interval", "formula", "is_interval", "ordered_values", "unlike"]

_SIGNS = {
    "π": "\\pi ", "∞": "\\infty ", "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "×": "\\times ", "÷": "\\div ", "·": "\\cdot ",
    "⋅": "\\cdot ", "±": "\\pm ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "∅": "\\emptyset ", "°": "^\\circ ", "−": "-",
    "–": "-", "→": "\\to ", "…": "\\ldots ", "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "γ": "\\gamma ", "λ": "\\lambda ",
    "μ": "\\mu ", "σ": "\\sigma ", "φ": "\\phi ", "ω": "\\omega ", "Ω": "\\Omega ", "Δ": "\\Delta ", "ℝ": "\\mathbb{R}",
    "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}", "¬": "\\neg ", "∧": "\\land ", "∨": "\\lor ", "⟨": "\\langle ",
    "⟩": "\\rangle ", "½": "\\frac{1}{2}", "⅓": "\\frac{1}{3}", "⅔": "\\frac{2}{3}", "¼": "\\frac{1}{4}", "¾": "\\frac{3}{4}",
    "⅕": "\\frac{1}{5}", "⅛": "\\frac{1}{8}", "′": "'", "∶": ":",
}  # fmt: skip
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱˣ", "0123456789+-nix", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉ₙₓ", "0123456789nx", strict=True))
_RAISED_RUN = re.compile(f"[{''.join(_RAISED)}]{{1,20}}")
_LOWERED_RUN = re.compile(f"[{''.join(_LOWERED)}]{{1,20}}")
_SIGN = re.compile(f"[{''.join(_SIGNS)}]")
_ROOT = re.compile(r"√\s?(?:\{([^{}]{1,200})\}|\(([^()]{1,200})\)|(\d{1,40}(?:\.\d{1,40})?|[a-zA-Z]))")
_STYLES = re.compile(
    r"\\(?:displaystyle|textstyle|scriptstyle|limits|left(?![a-z])|right(?![a-z])|bigg?[lr]?(?![a-z])|Bigg?[lr]?(?![a-z])|!|,|;|:|>|quad|qquad"
    r"|boldmath)(?![a-zA-Z])\s?"
)
_WRAPPED = re.compile(
    r"\\(?:boldsymbol|bm|pmb|mathbf|underline|boxed|fbox|ensuremath|mathit|mathsf|mathnormal)\s{0,2}\{([^{}]*)\}"
)
_UPRIGHT_LETTER = re.compile(r"((?<=[a-zA-Z]))?\\(?:mathrm|text|operatorname)\s{0,2}\{\s?([eid])\s?\}((?=[a-zA-Z]))?")
_ALIASES = [
    (re.compile(r"\\varnothing(?![a-zA-Z])"), r"\\emptyset "),
    (re.compile(r"\s?\\(?:degree|textdegree)(?![a-zA-Z])"), r"^\\circ "),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:leq|leqslant)(?![a-zA-Z])|<="), r"\\le "),
    (re.compile(r"\\(?:geq|geqslant)(?![a-zA-Z])|>="), r"\\ge "),
    (re.compile(r"\\neq(?![a-zA-Z])|!="), r"\\ne "),
    (re.compile(r"\\(?:dots[bcimo]?|cdots)(?![a-zA-Z])|\.{3}"), r"\\ldots "),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\\langle(?![a-zA-Z])\s?(?=[^|]{0,400},)([^|]{0,400}?)\\rangle(?![a-zA-Z])"), r"(\1)"),  # a vector
    (re.compile(r"\\lt(?![a-zA-Z])"), "<"),
    (re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    (re.compile(r"\\frac\s?(\d)\s?([a-zA-Z\d])(?![a-zA-Z])"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s?\{([^{}]{1,200})\}\s?([a-zA-Z\d])(?![a-zA-Z])"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s?(\d)\s?\{"), r"\\frac{\1}{"),
    (re.compile(r"(?:\\|(?<![a-zA-Z\\]))sqrt\s?\(([^()]{1,200})\)"), r"\\sqrt{\1}"),
    (re.compile(r"\\sqrt\s?(\d)(?!\d)"), r"\\sqrt{\1}"),
]
_NESTED = 4
_LONGEST = 2000


_REPEATING = re.compile(r"(?<![\d.])(\d{0,30})\.(\d{0,30})\\(?:overline|bar)\s?(?:\{(\d{1,30})\}|(\d))(?!\d)")


def _as_fraction(match: re.Match[str]) -> str:
    """A repeating decimal: `0.1\\overline{6}` is 15/90."""
    whole, fixed, period = match[1] or "0", match[2], match[3] or match[4]
    above, below = int(whole + fixed + period) - int(whole + fixed), 10 ** len(fixed) * (10 ** len(period) - 1)
    return f"\\frac{{{above}}}{{{below}}}"


def formula(text: str) -> str:
    """A formula in LaTeX, with signs outside of ASCII, styles and aliases in one spelling."""
    text = repair_escapes(to_halfwidth(text[:_LONGEST])).strip()
    if not text.isascii():
        text = _ROOT.sub(lambda m: f"\\sqrt{{{m[1] or m[2] or m[3]}}}", text)
        text = _RAISED_RUN.sub(lambda m: "^{" + "".join(_RAISED[c] for c in m[0]) + "}", text)
        text = _LOWERED_RUN.sub(lambda m: "_{" + "".join(_LOWERED[c] for c in m[0]) + "}", text)
        text = _SIGN.sub(lambda m: _SIGNS[m[0]], text)
    if "\\" in text or "sqrt" in text or "=" in text or "..." in text or "**" in text:
        text = _STYLES.sub(" ", text)
        for _ in range(_NESTED):
            text, changed = _WRAPPED.subn(r"{\1}" if "^" in text or "_" in text else r"\1", text)
            if not changed:
                break
        text = _UPRIGHT_LETTER.sub(
            lambda m: (" " if m[1] is not None else "") + m[2] + (" " if m[3] is not None else ""), text
        )
        for pattern, spelling in _ALIASES:
            text = pattern.sub(spelling, text)
        text = _REPEATING.sub(_as_fraction, text)
    return " ".join(text.split())


_BOUND = r"\s?(?P<{0}>[^<>,;=]{{1,80}}?)\s?"
_RELATION = r"(?P<{0}><|>|\\le(?![a-z])|\\ge(?![a-z]))"
_CHAIN = re.compile(
    _BOUND.format("low")
    + _RELATION.format("left")
    + r"\s?\\?[a-zA-Z]{1,6}\s?"
    + _RELATION.format("right")
    + _BOUND.format("high")
)
_ONE_SIDED = re.compile(r"\s?(?P<name>[a-zA-Z])\s?" + _RELATION.format("sign") + _BOUND.format("bound"))
_ONE_SIDED_TURNED = re.compile(_BOUND.format("bound") + _RELATION.format("sign") + r"\s?(?P<name>[a-zA-Z])\s?")
_INTERVAL = re.compile(r"(?:\\?[a-zA-Z]\s?\\in\s?)?[(\[][^()\[\]]{1,200},[^()\[\]]{1,200}[)\]](?:\s?\\cup.{1,400})?")
_OR = re.compile(r"\\text\s?\{\s?or\s?\}|\\lor(?![a-z])|\bor\b")
_TURNED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}


def is_interval(text: str) -> bool:
    """Whether a formula is an interval, or a union of some."""
    return _INTERVAL.fullmatch(text.strip()) is not None


def as_interval(text: str) -> str | None:
    """The interval that inequalities of one unknown describe (`0 < x \\le 2`, `x < 1 or x > 3`); None for other formulas."""
    parts = [_part_as_interval(part.strip()) for part in _OR.split(text)]
    return None if None in parts else " \\cup ".join(p for p in parts if p is not None)


def _part_as_interval(text: str) -> str | None:
    if (chain := _CHAIN.fullmatch(text)) is not None:
        low, high, left, right = chain["low"], chain["high"], chain["left"], chain["right"]
        if left in {">", "\\ge"} and right in {">", "\\ge"}:
            low, high, left, right = high, low, _TURNED[right], _TURNED[left]
        if left in {"<", "\\le"} and right in {"<", "\\le"}:
            return f"{'(' if left == '<' else '['}{low}, {high}{')' if right == '<' else ']'}"
        return None
    one = _ONE_SIDED.fullmatch(text)
    turned = _ONE_SIDED_TURNED.fullmatch(text) if one is None else None
    if one is None and turned is None:
        return None
    found = one or turned
    assert found is not None
    sign = found["sign"] if one is not None else _TURNED[found["sign"]]
    bound = found["bound"]
    if sign in {"<", "\\le"}:
        return f"(-\\infty, {bound}{')' if sign == '<' else ']'}"
    return f"{'(' if sign == '>' else '['}{bound}, \\infty)"


_TEXT_INSIDE = re.compile(r"\\(?:text|textrm|textbf|mbox|mathrm|operatorname)\s?\{([^{}]*)\}")
_BASE = re.compile(r"\d\s?\\?_\s?\{?\s?(\w{1,8})")
_ARROW = re.compile(r"\\(?:to|rightarrow|longrightarrow|mapsto)(?![a-zA-Z])")
_MODULUS = re.compile(r"(?:\\[pb]?mod(?![a-zA-Z])|\bmod\b|\\equiv|\\mid)(.{0,80})")
_QUALIFIERS = re.compile(
    r"(?i)\b(?:not|no|least|most|more|less|than|fewer|above|below|over|under|except|neither|nor|between|minus|negative|without|only|up to|or so)\b"
)
_RANGE = re.compile(r"\d\s?(?:--+|\.\.|\\text\s?\{\s?(?:--?|to)\s?\})\s?\d")
_GLUED = re.compile(r"[-+]?[\d.,]{1,40}\s?[a-zA-Z]")
_TWO_QUANTITIES = re.compile(
    r"(?i)\d\s{0,3}(?:h|hrs?|hours?|min|minutes?|ft|feet|foot|lbs?|pounds?|weeks?|days?|months?|years?|yards?|dollars?|r|remainder)\.?,?\s{0,3}\d"
)
_PRIME = re.compile(r"(?<=[\w)}])(?:'|\^\s?\{?\s?\\prime)")


def _beside(text: str) -> tuple[object, ...]:
    spoken = _TEXT_INSIDE.sub(r" \1 ", text)
    return (
        len(_PRIME.findall(text)),
        tuple(_BASE.findall(text)),
        len(_ARROW.findall(text)),
        tuple(re.sub(r"[\s{}()]", "", m) for m in _MODULUS.findall(text)),
        tuple(sorted({w.lower() for w in _QUALIFIERS.findall(spoken)})),
        _RANGE.search(text) is not None,
        _TWO_QUANTITIES.search(spoken) is not None,
    )


def unlike(a: str, b: str) -> str | None:
    """What one of two formulas has and the other has not, where a parser of mathematics would pass over it; None if nothing.

    Symmetric in its arguments.
    """
    if _beside(a) != _beside(b):
        return "a base, a prime, a modulus, an arrow, a range or a word stands in one of them only"
    if ("\\ldots" in a or "\\ldots" in b) and "".join(a.split()) != "".join(b.split()):
        return "terms are left out"
    for one, other in ((a, b), (b, a)):
        if _GLUED.fullmatch(one) and re.fullmatch(r"[-+]?[\d.,]{1,40}", other):
            return "the letter beside the number may be an unknown"
    brackets = {_brackets(a), _brackets(b)}
    if brackets == {"set", "ordered"}:
        return "one is a set, the other is ordered"
    return None


def _brackets(text: str) -> str:
    text = text.strip().removeprefix("$")
    if text.startswith("\\{"):
        return "set"
    return "ordered" if text[:1] in {"(", "["} and text[-1:] in {")", "]"} and "," in text else ""


_MEMBER = re.compile(
    r"\A\s?(?:\\?[a-zA-Z]|\([a-zA-Z],\s?[a-zA-Z](?:,\s?[a-zA-Z])?\))\s?(?:\\in(?![a-z])|=)\s?(?=[(\[])"
)


def ordered_values(text: str) -> list[str] | None:
    """The values of an ordered pair or longer tuple, also where they have names (`x = 1, y = 2`); None for other formulas.

    Names stand in the order of the alphabet.
    """
    inside = _MEMBER.sub("", text.strip())
    bracketed = inside[:1] == "(" and inside[-1:] == ")"
    parts = [p.strip() for p in re.split(r",|;|\\text\s?\{\s?and\s?\}|\band\b", inside[1:-1] if bracketed else inside)]
    if len(parts) < 2:
        return None
    named = [re.fullmatch(r"\\?([a-zA-Z]\w{0,3})\s?=\s?(.{1,200})", p) for p in parts]
    if all(named) and len({m[1] for m in named if m}) == len(parts):
        return [value for _, value in sorted((m[1], m[2].strip()) for m in named if m)]
    return parts if bracketed and not any("(" in p or ")" in p for p in parts) else None
