"""Answers in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from synth.bounded import nfkc
from synth.verify.latex import unwrap

__all__ = ["normalise_text", "same_text", "token_f1", "words_of"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_CODE = re.compile(r"[\[\]{}<>=_\\|*+^~@#]|\A(['\"`]).*\1\Z|\A-", re.DOTALL)
_STRINGS = {
    "'": re.compile(r"'(?:[^'\\]++|\\.)*+'", re.DOTALL),
    '"': re.compile(r"\"(?:[^\"\\]++|\\.)*+\"", re.DOTALL),
}
_BETWEEN_STRINGS = re.compile(r"\s+|[^\s'\"]+|['\"]")
_LONGEST_LITERAL = 4000
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED_RUN = re.compile("[⁰¹²³⁴-⁹⁺⁻]{1,20}")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DATE = re.compile(r"(?<!\d)\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?!\d)")
_TEXT_COMMAND = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt)?|mathrm|mathbf|mathit|mbox|operatorname|boxed|emph|underline|[,;! ])(?![a-z])"
)
_IN_BRACKETS = re.compile(r"\A[\[*_`]{1,3}([^\W\d_][^\W_]*(?:\s[^\W_]+)*)[\]*_`]{1,3}\Z")  # [Paris], **Paris**
_IN_DOLLARS = re.compile(r"\$[^$]{1,2000}\$|\\\(.{1,2000}\\\)", re.DOTALL)
_ARTICLE_WORDS = {"a", "an", "the", "An", "The", "AN", "THE"}  # the A of "vitamin A" is none
_OPERATORS = set("+*/^=<>|-−×÷±√")
_WORD_OR_SIGN = re.compile(
    r"""(?x)
      \d+(?:[.:]\d+)* | (?:[^\W\d_]+(?:\d+[^\W\d_]*)*) | [^\W_]+
    | [+*^=<>|\#¬~%@±×÷√∞∑∏∫∂∇≈≠≤≥∈∉⊂∪∩→←↔∀∃∧∨⊕∴°]
    | (?<![\w)\]-])-(?=[\w(]) | (?<=\w)-(?![\w-])(?=\s*\Z|[)+])      # a minus, a charge; between words it is a hyphen
    | (?<![^\W\d_]{2})/ | /(?![^\W\d_]{2})                          # and/or
    | (?<=\d)! | (?<![^\W_])(?<=[^\W\d_])! | (?<=\b[^\W\d_])! | (?<=\b[^\W\d_])['′](?![^\W_])
    | [()]
    """
)


def normalise_text(text: str) -> str:
    """Lower case, without punctuation, articles and extra white space: SQuAD's normalisation, after NFKC."""
    text = nfkc(text).casefold()
    return " ".join(_ARTICLES.sub(" ", _PUNCTUATION.sub(" ", text)).split())


def same_text(found: str, gold: str) -> bool:
    """Whether two answers say the same words; where one of them is code (`[0]`, `'-a'`), whether they are the same.

    Case, articles, punctuation and LaTeX around words do not count; signs that say something do (`C#` is not `C`, `-x` not `x`).
    """
    found, gold = _without_commands(found), _without_commands(gold)
    words = _said(gold)
    if words and not any(_CODE.search(_IN_BRACKETS.sub(r"\1", text.strip())) for text in (found, gold)):
        return _said(found) == words and not _other_symbol(found.strip(" ."), gold.strip(" ."))
    a, b = _literal(found), _literal(gold)
    return b in {a, found} or a == gold  # white space at the ends counts inside of quotation marks


def words_of(text: str) -> tuple[str, ...]:
    """What is equal of two texts that are the same words by `same_text`, so that many can be compared at once."""
    text = _without_commands(text)
    words = _said(text)
    if not words or _CODE.search(_IN_BRACKETS.sub(r"\1", text.strip())):
        return ("code", _literal(text))
    plain = text.strip(" .")
    return (plain,) if len(plain) == 2 and plain.isalpha() and plain.isupper() else tuple(words)


def _without_commands(text: str) -> str:
    """A text without LaTeX around its words (`\\text{Monday}`); other texts, such as code, as they are."""
    if "\\" not in text and "$" not in text:
        return text
    return unwrap(text) if _TEXT_COMMAND.search(text) is not None or _IN_DOLLARS.fullmatch(text.strip()) else text


def _said(text: str) -> list[str]:
    """The words of a text, and the signs in it that say something, in order."""
    text = _RAISED_RUN.sub(lambda m: "^" + m[0].translate(_RAISED), text[:_LONGEST_LITERAL]).replace("\u2212", "-")
    text = nfkc(text).replace("\u2044", "/").replace("&", " and ")
    text = _DATE.sub(lambda m: m[0].replace(m[1], " "), _THOUSANDS.sub("", text)).strip().strip("*_`").strip()
    tokens = [m[0] for m in _WORD_OR_SIGN.finditer(text)]
    last = len(tokens) - 1
    kept = [
        word for i, word in enumerate(tokens) if i == last or not (word in _ARTICLE_WORDS or (i == 0 and word == "A"))
    ]
    if not any(t in _OPERATORS for t in kept):
        kept = [t for t in kept if t not in "()"]
    return [t.casefold() for t in kept]


def _other_symbol(a: str, b: str) -> bool:
    """Whether both are symbols of two letters that differ in case: `Co` is cobalt, `CO` is not."""
    return len(a) == len(b) == 2 and a.isalpha() and a != b and a[0] == b[0] and a[0].isupper()


def _literal(text: str) -> str:
    """Code without white space outside of strings, with single quotes, and without quotes around the whole."""
    text = text.strip().strip("`").strip()
    if len(text) > _LONGEST_LITERAL:
        return text
    in_words = len(text.split()) > 1 and text[0] not in "[({"  # without quotes around them: the space between counts
    parts = []
    for token in _tokens(text):
        if len(token) > 1 and token[0] in "'\"" and token[0] == token[-1]:
            parts.append(f"'{token[1:-1]}'")
        elif in_words or not token.isspace():
            parts.append(token)
    if len(parts) == 1 and parts[0][0] == "'" and parts[0][-1] == "'":
        return parts[0][1:-1]
    return "".join(parts)


def _tokens(text: str) -> Iterator[str]:
    """The strings of a piece of code, its white space, and what stands between."""
    place, unclosed = 0, set[str]()
    while place < len(text):
        sign = text[place]
        token = None
        if sign in _STRINGS and sign not in unclosed:
            token = _STRINGS[sign].match(text, place)
            if token is None:
                unclosed.add(sign)  # nor is any such sign that follows
        token = token or _BETWEEN_STRINGS.match(text, place)
        assert token is not None
        yield token[0]
        place = token.end()


def token_f1(found: str, gold: str) -> float:
    """The harmonic mean of token precision and recall, in [0, 1]; SQuAD's definition (arXiv:1606.05250)."""
    a, b = normalise_text(found).split(), normalise_text(gold).split()
    if not a or not b:
        return float(a == b)
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b))
