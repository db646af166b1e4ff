"""No text takes more time for each of its signs the longer it is: every pattern, and every function over texts of others."""

from __future__ import annotations

import inspect
import json
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from difflib import SequenceMatcher
from itertools import islice
from random import Random
from time import monotonic, sleep

import hypothesis.strategies as st
import pytest
from constraint_cases import CASES
from growth import PROSE, UNITS, Found, attacks, modules, name_of, patterns, probe, scan, seconds_of, size_for
from hypothesis import given
from methods import code_of

from synth import redact as secrets
from synth.algorithms import ALGORITHMS, Form
from synth.alignment import TooAlikeError, aligned
from synth.bounded import SharedRuns, _runs, nearest, nfkc
from synth.cli.tables import is_formula
from synth.constraints import kind_of
from synth.constraints.keywords import count_phrase
from synth.constraints.lengths import blocks_of
from synth.constraints.letters import language_found
from synth.constraints.whole import said_in
from synth.corpus.near_duplicates import near_duplicates
from synth.corpus.overlap import common_words, resembling, shared_words, sharing_runs
from synth.corpus.shingles import hash_shingles, normalise, shingle_set
from synth.errors import InputError
from synth.generators.atoms import atoms_of, numbers_in
from synth.measures.diversity import compression_ratio, distinct_n
from synth.models import Completion
from synth.models.continuation import LEAST_OVERLAP, _overlap, strip_prefix
from synth.models.reading import read_reply
from synth.models.refusals import _refused_parameter, refusal_of_server
from synth.models.stream import assembled
from synth.models.structured import Reply, Unreadable, _label, read_structured
from synth.models.thought import part
from synth.models.transport import HttpReply
from synth.publish.markdown import code, escaped, title
from synth.publish.scan import _Wanted
from synth.records import Constraint, Rationale, solution_of, spans_of
from synth.records.identity import canonical_json
from synth.redact import redact, scrub
from synth.render.differences import differences
from synth.render.inert import brief, inert, inert_lines, plain, restored
from synth.render.pages import as_html, stated
from synth.rewards import segments_penalty, think_format
from synth.sandbox.missing import is_missing
from synth.sources.chats import context_of, question_of, reply_of, thought_of
from synth.sources.formats import math_shepherd_steps, prm800k_steps, turns
from synth.sources.json_values import parse_json
from synth.sources.mapping import to_problem
from synth.steps.mask import spans_to_hide
from synth.steps.review import _Rated
from synth.steps.segment_by_model import _chunks, _Purposes, chunk_starts
from synth.steps.segmentation import cut, segment, spans, uncut
from synth.steps.token_spans import Unaligned, step_logprobs
from synth.texts import (
    announces_answer,
    boilerplate,
    control_tokens,
    count_sentences,
    count_words,
    half_tags,
    language_of,
    longest_shared_run,
    personal_data,
    refusal,
    repeated_share,
    split_thought,
    words_of,
)  # fmt: skip
from synth.texts.marks import END_OF_TURN, TABLE
from synth.texts.thoughts import _Table
from synth.verify import (
    arithmetic_claims,
    compare_answers,
    extract_answer,
    find_answer,
    find_quote,
    infer_kind,
    quote_claims,
    quotes_in,
    token_f1,
    trace_claims,
)  # fmt: skip
from synth.verify.assignments import read_assignment, resolve, statement_end
from synth.verify.booleans import last_boolean, read_boolean
from synth.verify.calculations import tokens_of
from synth.verify.choices import _by_part, last_named_choice, read_choice
from synth.verify.formulas import as_interval, formula, ordered_values, unlike
from synth.verify.gym import is_plain
from synth.verify.hypotheses import suppositions
from synth.verify.items import as_json, bracket_end, key, last_object, parse_value, read_items
from synth.verify.kinds.action import read_action, read_gold
from synth.verify.kinds.interval import read_intervals
from synth.verify.kinds.kind import only_line
from synth.verify.kinds.listed import end_of_values
from synth.verify.latex import last_box, repair_escapes, unwrap
from synth.verify.numbers import find_numbers, is_number, last_number, read_number, read_scaled
from synth.verify.places import own_part, statements
from synth.verify.programs import continued, defines, find_program, same_output
from synth.verify.reading import plain_statement, without_display
from synth.verify.rouge import rouge_l
from synth.verify.scripts import to_halfwidth
from synth.verify.statements import find_statements, value_after, widen
from synth.verify.text import normalise_text, same_text
from synth.verify.text import words_of as words_compared

PODA = code_of("poda")
TREES = code_of("thought-trees")
PARITY = {"algorithm": "parity", "instance": {"modulus": 2, "numbers": [1, 0, 1]}}
OURS = {
    "synth.store.views": "reads the package's own views.sql",
    "synth.export.files": "names of files of our own",
    "synth.publish.configs": "names of files of our own",
}
"""Modules whose patterns meet nothing that somebody else wrote, or are given to them."""
OF_OTHERS = {"synth.prompts.environment", "synth.sources.formats"}
"""Modules that take patterns from pipelines and mappings."""


class Answered(Reply):
    """A reply in fields."""

    some_steps: tuple[str, ...] = ()
    answer: str
    score: int = 0


def make_patterns() -> None:
    """Calls what makes patterns of what it is given."""
    _runs.__wrapped__()
    _Table(TABLE)
    _label.__wrapped__(Answered)
    find_quote("some words", "x some words")
    _by_part("some words", ("some words", "other"))
    find_answer("A) red", kind="choice", choices=("red", "b"))
    extract_answer("B", kind="choice", choices=("red", "b"), which="last")
    announces_answer("the answer is 3", "3")
    _refused_parameter({}, "unsupported temperature", ("temperature",))
    PODA.relation_in("not supported")
    for form in (algorithm.form for algorithm in ALGORITHMS.values()):
        Form(form._state, form.text, **form._written)
    for value in ("hunter22", 'a"b\\\\c/dddd'):
        secrets._known.pop(value, None)
        secrets.keep_secret(value)


@pytest.fixture
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_known", {})


@pytest.fixture(scope="module")
def all_patterns() -> tuple[list[Found], list[str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_known", {})
        found, missing = patterns(make_patterns)
    different = {(f.pattern.pattern, f.pattern.flags, f.ways): f for f in found if f.where.split(":")[0] not in OURS}
    return list(different.values()), missing


def slow_on(found: Found) -> str | None:
    """The first text on which a pattern is slow."""
    for attack in attacks(found.pattern):
        slow = probe(
            found.where, attack, lambda text: scan(found, text), size=2500, most=3e-6, never=3e-5, least=2.5e-7
        )
        if slow is not None:
            return str(slow)
    return None


def test_every_pattern_is_seen(all_patterns: tuple[list[Found], list[str]]):
    """Of each place in the source that makes a pattern there is one to probe."""
    found, missing = all_patterns
    assert [m for m in missing if m.split(":")[0] not in {*OURS, *OF_OTHERS}] == []
    assert len(found) > 350


def test_every_pattern_takes_linear_time(all_patterns: tuple[list[Found], list[str]]):
    """No repetition, start or alternative of any pattern makes it slower for each sign of a longer text."""
    assert [slow for found in all_patterns[0] if (slow := slow_on(found)) is not None] == []


@pytest.mark.parametrize(
    ("pattern", "ways"),
    [
        (r"\s+$", {"finditer"}),  # from each start to the end of the run
        (r"<a>(.*?)</a>", {"finditer"}),
        (r"“[^”]+”", {"finditer"}),
        (r"^\s*-", {"finditer"}),
        (r"a\s*,?\s*b", {"match"}),  # two runs side by side
        (r"(?:\S+\s+){3}.*\?\Z", {"match"}),
        (r"x(?:\w+\s?)*!", {"match"}),  # in 2^n ways
        (r"\A1(?:,1|,[\d,]*)*;", {"match"}),
        (rb"(?:a|aa)+b", {"fullmatch"}),
        (r"(?=[^|]*,)[^|]*?z", {"finditer"}),
    ],
)
def test_a_slow_pattern_is_seen(pattern: str, ways: set[str]):
    """The probe finds patterns that are known to be slow, each in its way."""
    assert slow_on(Found("it", re.compile(pattern, re.DOTALL | re.MULTILINE), frozenset(ways))) is not None


@pytest.mark.parametrize(
    "pattern", [r"(?<!\d)\d+ apples", r"\s{1,8}$", r"(?<!\s)\s++$", r'"[^"\n]*"', r"\w++(?:@\w+)?"]
)
def test_a_linear_pattern_is_not_slow(pattern: str):
    """Nor does it take others for slow."""
    assert slow_on(Found("it", re.compile(pattern), frozenset({"finditer"}))) is None


# Functions over texts.

MARKS = [*(w for m in TABLE for w in (*m.open, *m.close, *m.response_open, *m.joints)), *END_OF_TURN]
KINDS: dict[str, tuple[str, ...]] = {
    "any": (*" \t\n\u3000aA1_.,:?\"'`*-\\({[<$|\u0301", *UNITS),
    "answers": (
        "\\boxed{", "\\boxed{1} ", "\\boxed a ", "####", "\n#### 1", "answer: ", "Answer: 1\n", "The answer is ", "The answer is 1. ",
        "\n# Answer\n", "**Answer:** ", "<answer>", "<answer>1</answer>", "</answer>", '{"answer": ', '"answer": "', '"answer":"\\',
        '{"answer":{"a":', "```\n{", "\nQuestion: 1\n", "Q:", ":", "答案是", "A) ", "(A) ", "A. a\n", "A and B, ", "not A ", "A is wrong ",
        "yes ", "yes or no, ", "not ", "the statement is true. ", "1 = ", "x = 1, ", "<<1>>", "<<", "1,000,", "1e9 ", "10^9 ", "½", "10² ",
        "1 million ", "1 and ", "because ", "a b? ", "\\frac{1}{2}", "\\frac{", "\\text{", "\\(", "\\[", "$1$ ", "\\langle ,", "\\sqrt{",
        "x < 1 or ", "0.1\\overline{6}", "\\\\", "\x0c", "'\\", '"\\', "is: A) ", "option A ", "a'", "</s>", "e.g. ", "\\equiv ",
    ),
    "thoughts": (
        *MARKS, "<think></think>", "<think>a</think>\nb\n", "\n<think>\n", "a. <think>", '"<think>"', "`<think>`", "</think>.", "</think> a",
        "```\n<think>\n```\n", "~~~\n", "<|a|>", "[INST]", "<｜a｜>",
    ),
    "json": (
        '{"a": ', '{"a": {', '{"a":1}\n', '{"answer": "', '"a": ', "[1,", "```json\n{", "```json", "<answer>", "<json>{", "answer: a\n", "**answer**: ",
        "answer", "\\u", "\\u0041", '\\"', "\\n", "\\frac", "Premises:\n1. a\nOptions:\n", "A) a\nRelation: not ", "1. a\n", "- ", "data: {}\n\n",
        "not supported ", "not a ", "4/5 ", "data:", "\ud800",
    ),
    "data": (
        "a@", "a@b.", "a.b@", "+1 ", "+1 202 555 01", "(0", "(020) 1234", "1234-", "4111 1111 1111 1111 ", "DE89 3704 ", "1.1.1.1", "1:1:",
        "http://", "http://a:", "http://a:b@", "sk-", "sk-a1", "bearer a", "eyJaaaaaaaaaaaa.", "-----BEGIN ", "-----BEGIN A ", "AKIA", "hunter2", "hunter22",
        "\\u0068", "#### 1", "answer: 3", "as an AI ", "sorry, but ", "I hope this ", "\x1b[", "\u202e", "\u0301\u0316", "ﷺ", "中文", "ß", "² ", "—",
    ),
    "sums": (
        "1 + 1 = 2 ", "1+1", "1=", "=", "= ", "+", "- ", "-", "1-", "(", ")", "(1)", "1(", "((1+1)) ", "1 and 1/2 ", "1/2 ", "1 1/2 ", "1,000", "1,", "1.",
        "1:1", "1e9", "1 apple + ", "apple ", "$1 ", "$", "20% of ", "%", "!", "1!", "^2", "2^", "2**", "**", "*", "x", "1x", "1 x ", "\\frac{1}{2}",
        "\\frac", "\\frac12", "\\left(", "\\text{a}", "{", "\\times ", "\\\\ &= 1", "\n= 1", "<<1+1=2>>", "<<", ">>", "1. 1 + ", "- 1\n",
        "1 times 1 ", "divided by ", "is equal to ", "/a", "1/a ", "a/1", "²", "½", "…", "...", " -- ", "=~", "≈", "(a) ", "1 (a) ", "1-a", "km ",
    ),
    "values": (
        "[1, 2]", "[1,", "{1} ", '{"a": 1}\n', '{"a": ', '"a": ', '", "', "', '", "'a, ", "- a\n", "(1) a\n", "(1) Ann is a knight\n", "Ann is a knight, ",
        "Ann is a knave. ", "Ann and ", " are knights", " is ", "a is b ", ": ", " = ", "a > b > ", "[3] > ", "(0, 1) \\cup ", "(-∞, ", " U ", "x < 1 or ",
        "\\{", "\\text{and}", "The answer is [1", "The answer is {", "The answer is Ann is a knight. ", "<answer>[", "1,234", "and ", "“", "a, “", ", '", "so ",
    ),
    "constraints": (
        "***", "******", "\n***\n", "* a\n", "- ", "\n1. a", "*a* ", "**a**", "*a", "<<", "<<a>>", "[a]", "[a](", "SECTION 1 a ", "SECTION ", "P.S. ",
        "p. ", "p.p.s", "~~~~", "cat", "red fish ", "a, b", "Elm\n\n", "\n\n", "My answer is yes. ", "```json", '{"a":', "e.g. ", "Dr. ", "我", "๐", "ก",
        "I A ",
    ),
    "steps": ("Step 1: ", "Step 1: a ки\n", "ки", "\nStep 2 :", "Human: ", "\n\nHuman: a", "\n\nAssistant:", "a. A", ". ", "。", '." ', "[a]", "{a}"),
}  # fmt: skip
NESTED = (
    ("{", "}"), ("[", "]"), ("(", ")"), ("\\boxed{", "}"), ("<think>", "</think>"), ("<think>\n", "</think>\n"), ("<answer>", "</answer>"),
    ("```\n", "a\n"), ("$", " "), ('{"a":', "}"), ("“", "”"), (" ", "\n"), ("1", "0"), ("not ", "A"), ("`", "a"), ("\\", '"'),
)  # fmt: skip
"""What comes many times, and then what as many times."""

CHOICES = ("red", "green fish", "3", "4")
GOLD = {
    "number": "3",
    "math": "x+1",
    "choice": "B",
    "boolean": "yes",
    "text": "green fish",
    "set": "[1, 2]",
    "list": '["a", 1]',
    "interval": "(-∞, 1]",
    "assignment": '{"Ann": "knight", "Bob": "knave"}',
    "action": '{"type": "a", "name": "b", "$compare": {"name": {"rouge_l": 0.5}}}',
    "ranking": "[3, 1, 2]",
}


def message(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text, "reasoning": "a" + text}}]}).encode()


def streamed(text: str) -> bytes:
    """A stream in pieces of a few signs, as servers send it."""
    pieces = [text[i : i + 4] for i in range(0, len(text), 4)]
    events = (
        {
            "delta": {"content": p, "reasoning_details": [{"type": "reasoning.text", "text": p}]},
            "logprobs": {"content": [{"token": p, "logprob": -1}]},
        }
        for p in pieces
    )
    return "".join(f"data: {json.dumps({'choices': [event]})}\n\n" for event in events).encode()


def scored(text: str) -> HttpReply:
    tokens = [text[i : i + 4] for i in range(0, len(text), 4)]
    prompt = [{"1": {"decoded_token": token, "logprob": -1.0}} for token in tokens]
    return HttpReply(200, {}, json.dumps({"choices": [{"text": "a"}], "prompt_logprobs": prompt}).encode())


def refused(text: str) -> object:
    headers = {"retry-after": text[:16_000], "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": text}
    body = json.dumps({"error": {"message": text, "param": text[:2]}}).encode()
    return [
        refusal_of_server(HttpReply(status, headers, body), "http://a", model="m", sent=("temperature", "max_tokens"))
        for status in (400, 429)
    ]


def row(text: str) -> object:
    mapping = {"question": "q", "answer": "a", "choices": "c", "reference_solution": "s"}
    return to_problem({"q": "a" + text, "a": "b" + text, "c": None, "s": text}, mapping, "f:1", frozenset())


def _tokens_of_steps(text: str, segmenter: str) -> None:
    """Tokens of two characters for a reply of this text, in JSON too, and steps that stand in it and last ones that do not."""
    said = f"{text}" if segmenter == "lines/1" else json.dumps({"steps": list(text), "answer": text})
    tokens = [said[i : i + 2] for i in range(0, len(said), 2)]
    listed = {"tokens": tokens, "token_logprobs": [-1.0] * len(tokens)}
    steps = tuple(text.split()) if segmenter == "lines/1" else (*text[: len(text) // 2], "no")
    made = Rationale(
        id="r", unit="u", step="s", problem="p", author="teacher", response=text, steps=steps, segmenter=segmenter
    )
    with suppress(Unaligned):
        step_logprobs(Completion(said, logprobs=listed), made)


FUNCTIONS: dict[str, tuple[str, Callable[[str], object]]] = {
    **{
        f"synth.verify.extract.find_answer {kind}": (
            "answers",
            lambda t, kind=kind: find_answer(t, kind=kind, choices=CHOICES if kind == "choice" else ()),
        )
        for kind in GOLD
    },
    "synth.verify.extract.extract_answer": (
        "answers",
        lambda t: [extract_answer(t, kind=k, choices=CHOICES, which="last") for k in ("number", "choice", "boolean")],
    ),
    **{
        f"synth.verify.compare.compare_answers {kind}": (
            "answers",
            lambda t, kind=kind: (
                compare_answers(t, GOLD[kind], kind=kind, choices=CHOICES if kind == "choice" else ()),
                compare_answers(GOLD[kind], t or "-", kind=kind, choices=CHOICES if kind == "choice" else ()),
            ),
        )
        for kind in (
            "number",
            "choice",
            "boolean",
            "text",
            "set",
            "list",
            "interval",
            "assignment",
            "action",
            "ranking",
        )
    },
    "synth.verify.assignments.read_assignment": (
        "values",
        lambda t: (read_assignment(t), read_assignment(t, strict=True)),
    ),
    "synth.verify.assignments.resolve": ("values", lambda t: resolve({t: "a"}, ("Ann", t[:20] or "b"))),
    "synth.verify.assignments.statement_end": ("values", lambda t: statement_end(t, 0)),
    "synth.verify.items.read_items": ("values", lambda t: key(read_items(t))),
    "synth.verify.items.parse_value": ("values", lambda t: as_json(parse_value(t))),
    "synth.verify.items.bracket_end": ("values", lambda t: bracket_end("[" + t, 0)),
    "synth.verify.items.last_object": ("values", last_object),
    "synth.verify.kinds.action.read_action": ("values", read_action),
    "synth.verify.kinds.action.read_gold": ("values", read_gold),
    "synth.verify.kinds.interval.read_intervals": ("values", read_intervals),
    "synth.verify.kinds.listed.end_of_values": ("values", lambda t: end_of_values(t, 0)),
    "synth.verify.kinds.kind.only_line": ("answers", only_line),
    "synth.verify.reading.plain_statement": ("answers", plain_statement),
    "synth.verify.reading.without_display": ("answers", without_display),
    "synth.verify.places.own_part": ("answers", lambda t: own_part(t, "text")),
    "synth.verify.places.statements": ("values", lambda t: [*statements(t, "assignment")]),
    "synth.verify.rouge.rouge_l": ("any", lambda t: rouge_l(t, t + " x")),
    "synth.verify.gym.is_plain": ("answers", lambda t: (is_plain(t, "data"), is_plain(t, "formula"))),
    "synth.verify.text.words_of": ("answers", words_compared),
    **{
        f"synth.constraints {name}": ("constraints", kind_of(Constraint(id=name, args=args)).judge)
        for name, (args, _, _) in CASES.items()
    },
    "synth.constraints.keywords.count_phrase": (
        "constraints",
        lambda t: (count_phrase(t, "aa"), count_phrase("a" + t[:99] + t, t[:99])),
    ),
    "synth.constraints.lengths.blocks_of": ("constraints", blocks_of),
    "synth.constraints.whole.said_in": ("any", said_in),
    "synth.constraints.letters.language_found": ("constraints", lambda t: language_found(t, "en")),
    "synth.texts.counts.count_words": ("constraints", count_words),
    "synth.texts.counts.count_sentences": ("constraints", count_sentences),
    "synth.texts.counts.words_of": ("constraints", words_of),
    "synth.verify.text.token_f1": ("any", lambda t: token_f1(t, t + " x")),
    "synth.verify.text.normalise_text": ("data", normalise_text),
    "synth.verify.text.same_text": ("answers", lambda t: same_text(t, t + "x")),
    "synth.verify.choices.read_choice": ("answers", lambda t: read_choice(t, ("a" + t, "b" + t[:99], "c"))),
    "synth.verify.choices.last_named_choice": ("answers", lambda t: last_named_choice(t, CHOICES)),
    "synth.verify.booleans.last_boolean": ("answers", last_boolean),
    "synth.verify.booleans.read_boolean": ("answers", read_boolean),
    "synth.verify.kinds.infer.infer_kind": ("answers", infer_kind),
    "synth.verify.latex.last_box": ("answers", last_box),
    "synth.verify.latex.repair_escapes": ("answers", repair_escapes),
    "synth.verify.latex.unwrap": ("answers", unwrap),
    "synth.verify.numbers.find_numbers": ("answers", find_numbers),
    "synth.verify.numbers.is_number": ("answers", is_number),
    "synth.verify.numbers.last_number": ("answers", last_number),
    "synth.verify.numbers.read_number": ("answers", read_number),
    "synth.verify.numbers.read_scaled": ("answers", read_scaled),
    "synth.verify.formulas.formula": ("answers", formula),
    "synth.verify.formulas.as_interval": ("answers", lambda t: as_interval(formula(t))),
    "synth.verify.formulas.ordered_values": ("answers", lambda t: ordered_values(formula(t))),
    "synth.verify.formulas.unlike": ("answers", lambda t: unlike(formula(t), formula("x" + t))),
    "synth.verify.quotes.find_quote": ("any", lambda t: (find_quote(t, "b" + t), find_quote("a…b…" + t[:99], t))),
    "synth.verify.quotes.quotes_in": ("any", quotes_in),
    "synth.verify.arithmetic.arithmetic_claims": ("sums", arithmetic_claims),
    "synth.verify.calculations.tokens_of": ("sums", tokens_of),
    "synth.verify.step_checkers.quote_claims": ("any", lambda t: quote_claims(t, [t[:99]])),
    "synth.verify.step_checkers.trace_claims": ("any", lambda t: trace_claims(t, PARITY, [t, f"Number 1 is 1: {t}"])),
    "synth.algorithms.form.Form.read": ("any", lambda t: [algorithm.form.read(t) for algorithm in ALGORITHMS.values()]),
    "synth.verify.scripts.to_halfwidth": ("data", to_halfwidth),
    "synth.verify.hypotheses.suppositions": ("sums", suppositions),
    "synth.verify.statements.find_statements": ("answers", find_statements),
    "synth.verify.statements.value_after": ("answers", lambda t: value_after(t, 0, words=True, heading=False)),
    "synth.verify.statements.widen": ("answers", lambda t: (widen(t, 0, 3), widen(t, len(t) // 2, len(t)))),
    "synth.texts.language.language_of": ("any", language_of),
    "synth.texts.leaks.announces_answer": ("data", lambda t: (announces_answer(t, "3"), announces_answer(t, t + "1"))),
    "synth.texts.leaks.longest_shared_run": ("any", lambda t: longest_shared_run(t, [t, PROSE])),
    "synth.texts.personal_data.personal_data": ("data", lambda t: personal_data(t, ("US",))),
    "synth.texts.phrases.boilerplate": ("data", boilerplate),
    "synth.texts.phrases.refusal": ("data", refusal),
    "synth.verify.programs.find_program": (
        "steps",
        lambda t: (find_program(t), find_program("```python\n" + t), find_program(t + "<answer>" + t, "f")),
    ),
    "synth.verify.programs.find_program fences": ("any", lambda t: find_program("```\n".join(t), "f")),
    "synth.verify.programs.continued": ("any", lambda t: (continued(t, f"def f(x):\n{t}", "f"), continued(t, t, "f"))),
    "synth.verify.programs.defines": ("any", lambda t: defines(t, "f")),
    "synth.verify.programs.same_output": ("any", lambda t: same_output(t, t + " \n")),
    "synth.sandbox.missing.is_missing": (
        "any",
        lambda t: (is_missing("TypeError", t), is_missing("AttributeError", f"'{t}'")),
    ),
    "synth.texts.repetition.repeated_share": ("any", repeated_share),
    "synth.texts.control.control_tokens": ("thoughts", control_tokens),
    "synth.texts.control.half_tags": ("thoughts", half_tags),
    "synth.texts.thoughts.split_thought": ("thoughts", split_thought),
    "synth.bounded.nfkc": ("data", nfkc),
    "synth.bounded.nearest": ("any", lambda t: nearest(t, [t + "x", "abc"])),
    "synth.bounded.SharedRuns": ("any", lambda t: SharedRuns(t).longest_in(t[::-1])),
    "synth.redact.redact": ("data", redact),
    "synth.redact.scrub": ("data", lambda t: scrub(json.dumps(json.dumps(t)).encode())),
    "synth.publish.scan._Wanted": ("data", lambda t: (WANTED.anything(t), [*WANTED.seen(t)])),
    "synth.publish.markdown": ("data", lambda t: (code(t), escaped(t), title(t))),
    "synth.render.inert.inert": ("data", inert),
    "synth.render.inert.inert_lines": ("data", inert_lines),
    "synth.cli.tables.is_formula": ("data", is_formula),
    "synth.render.inert.brief": ("data", lambda t: brief(t, 100)),
    "synth.render.pages.as_html": ("data", as_html),
    "synth.render.inert.plain": ("data", plain),
    "synth.render.inert.restored": ("data", lambda t: restored(plain(t), t)),
    "synth.render.pages.stated": ("data", lambda t: stated(t, (3, len(t)), len(t))),
    "synth.corpus.shingles.normalise": ("data", normalise),
    "synth.corpus.shingles.shingle_set": ("data", lambda t: shingle_set(t, 5)),
    "synth.corpus.shingles.hash_shingles": ("data", lambda t: hash_shingles([t], 5)),
    "synth.corpus.overlap.common_words": ("any", lambda t: common_words(t, t)),
    "synth.corpus.overlap.shared_words": ("any", lambda t: shared_words(t, t, 8)),
    "synth.corpus.overlap.sharing_runs": ("any", lambda t: sharing_runs([t], [t], run=8)),
    "synth.corpus.overlap.resembling": ("any", lambda t: resembling([t], [t], cosine=0.5)),
    "synth.corpus.near_duplicates.near_duplicates": (
        "any",
        lambda t: near_duplicates([t, "x " + t], threshold=0.8, shingle=5),
    ),
    "synth.measures.diversity.compression_ratio": ("any", lambda t: compression_ratio([t])),
    "synth.measures.diversity.distinct_n": ("any", lambda t: distinct_n([t])),
    "synth.records.identity.canonical_json": ("any", canonical_json),
    "synth.records.parts.spans_of": (
        "any",
        lambda t: spans_of(tuple(t.splitlines()), t, (len(t) // 2, len(t) // 2 + 3)),
    ),
    "synth.records.parts.solution_of": ("any", lambda t: solution_of(t, (len(t) // 2, len(t) // 2 + 3))),
    "synth.generators.atoms.atoms_of": (
        "answers",
        lambda t: atoms_of("p", f"3 of 5 or 8? {t}", "40", f"{t}\n5 * 8 = 40"),
    ),
    "synth.generators.atoms.numbers_in": ("answers", numbers_in),
    "synth.steps.mask.spans_to_hide": ("any", lambda t: [*islice(spans_to_hide(t, "names", 3, Random(1)), 4)]),
    "synth.steps.mask.spans_to_hide words": ("any", lambda t: [*islice(spans_to_hide(t, "words", 3, Random(1)), 4)]),
    "synth.steps.mask.spans_to_hide numbers": (
        "any",
        lambda t: [*islice(spans_to_hide(t, "numbers", 3, Random(1)), 4)],
    ),
    "synth.rewards.answers.think_format": ("thoughts", lambda t: think_format([t])),
    "synth.rewards.lengths.segments_penalty": (
        "steps",
        lambda t: segments_penalty([t, "The answer is 5."], answer=["5", "5"], prompts=["", ""]),
    ),
    "synth.sources.chats": (
        "any",
        lambda t: [
            (question_of(c), context_of(c), reply_of(c), thought_of(c))
            for c in (
                [{"role": "user", "content": t}, {"role": "assistant", "content": [{"text": t, "type": "text"}]}],
            )
        ],
    ),
    "synth.sources.formats.math_shepherd_steps": ("steps", lambda t: math_shepherd_steps(t, t)),
    "synth.sources.formats.prm800k_steps": ("any", lambda t: prm800k_steps([{"human_completion": t}])),
    "synth.sources.formats.turns": ("steps", turns),
    "synth.sources.json_values.parse_json": ("json", lambda t: parse_json(t.encode("utf-8", "surrogatepass"))),
    "synth.sources.json_values.parse_json text": ("json", lambda t: parse_json(json.dumps([t, t]).encode())),
    "synth.sources.mapping.to_problem": ("steps", row),
    "counterfactual.poda.parts.relation_in": ("json", PODA.relation_in),
    "counterfactual.poda.parts.Analysis": (
        "json",
        lambda t: read_structured(f"Premises:\n{t}\nOptions:\n{t}\nAnswer: {t}", PODA.Analysis),
    ),
    "counterfactual.poda.parts._Premises": ("json", lambda t: read_structured(t, PODA._Premises)),
    "counterfactual.poda.parts._META": ("steps", PODA._META.search),
    "counterfactual.poda.parts.asks_for_exception": ("any", PODA.asks_for_exception),
    "synth.steps.review._Rated": ("json", lambda t: _Rated(score=t)),  # type: ignore[arg-type]
    "trees.thought-trees.parts._decision": ("any", lambda t: TREES._decision(Completion(text=t, finish="stop"))),
    "synth.steps.segmentation.segment": ("steps", lambda t: (segment(t), segment(t, "sentences"))),
    "synth.steps.segmentation.segment by words": (
        "steps",
        lambda t: [segment(t, by) for by in ("paragraphs", "numbered", "pieces:16", "markers:wait,so,1")],
    ),
    "synth.steps.segmentation.segment by code": ("any", lambda t: segment(t, "code")),
    "synth.steps.segmentation.segment by pattern": ("steps", lambda t: segment(t, "regex:(?s)x.*y|\\d+")),
    "synth.steps.segmentation.spans": ("steps", lambda t: spans(t, merge_short=9, most=9, apart=(len(t) // 2,))),
    "synth.steps.segmentation.uncut": ("steps", lambda t: uncut(t, t, (len(t) // 2, len(t) // 2 + 3))),
    "synth.steps.segment_by_model.chunk_starts": (
        "any",
        lambda t: (chunk_starts("x" + t, ["x" + t]), chunk_starts(t + "x", [*t, "x"])),
    ),
    "synth.steps.segment_by_model._chunks": ("any", lambda t: _chunks(t + "<chunk>" * (len(t) // 7))),
    "synth.steps.segment_by_model._Purposes": ("json", lambda t: list(_Purposes.fields_in(t))),
    "synth.steps.segmentation.cut": ("steps", lambda t: cut(t, t, (len(t) // 2, len(t) // 2 + 3))),
    "synth.steps.token_spans.step_logprobs": (
        "any",
        lambda t: [_tokens_of_steps(t, s) for s in ("given/1", "lines/1")],
    ),
    "synth.models.continuation.strip_prefix": (
        "any",
        lambda t: (strip_prefix("b" + t, t[len(t) // 2 :] + "x"), strip_prefix(t + "y", t[:-9] + "x")),
    ),
    "synth.models.reading.read_reply": (
        "thoughts",
        lambda t: read_reply(HttpReply(200, {}, message(t)), "", model="m"),
    ),
    "synth.models.reading.read_reply scores": ("any", lambda t: read_reply(scored(t), "", model="m", scored=t)),
    "synth.models.refusals.refusal_of_server": ("data", refused),
    "synth.models.stream.assembled": ("any", lambda t: assembled(streamed(t))),
    "synth.models.stream.assembled text": ("json", lambda t: assembled(t.encode("utf-8", "surrogatepass"))),
    "synth.models.structured.read_structured": ("json", lambda t: read_structured(t, Answered)),
    "synth.models.thought.part": (
        "thoughts",
        lambda t: part({"content": t, "reasoning": "a" + t}, TABLE, summarised=False, reasoned=True),
    ),
}
"""Each with the kind of texts it is tried with, beside those of any kind."""

BOUNDED_OTHERWISE = {
    **dict.fromkeys(
        (
            f"synth.constraints.{n}"
            for n in (
                "check.check_constraints",
                "check.check_rationale",
                "check.share_of",
                "check.judge_of",
                "compose.draw_constraints",
                "compose.question_with",
                "compose.sentence_of",
                "published.ifeval_constraints",
                "published.reasonif_constraints",
                "catalogue.named",
                "catalogue.kind_of",
                "catalogue.misfit",
                "catalogue.all_constraints",
                "kind.compared",
                "passages.filler",
                "satisfy.draft_of",
                "satisfy.satisfying_text",
                "conflicts.conflicts",
                "conflicts.why_unfit",
            )
        ),
        "the checkers of the catalogue, each tried by itself, and short arguments",
    ),
    "synth.verify.verifiers.verify_by_constraints": "the checkers of the catalogue",
    "synth.alignment.aligned": "counts its steps: below",
    "counterfactual.poda.parts.share_changed": "by synth.alignment: below",
    "synth.render.differences.differences": "by synth.alignment: below",
    "synth.verify.mathematics.equivalent": "in a process that is ended: below",
    "synth.verify.compare.verify_answer": "extract_answer, then compare_answers",
    "synth.verify.programs.same_value": "values of at most 1 MiB, nested at most 50 deep",
    "synth.rewards.programs.tests_passed": "find_program; programs of bounded length and time",
    "synth.verify.verifiers.verify_by_answer": "compare_answers",
    "synth.measures.best_of_n.vote_of_n": "at most MOST_SUBSETS subsets",
    "synth.verify.verifiers.as_verdict": "looks at no text",
    "synth.verify.verifiers.verifies": "looks at no text",
    "synth.verify.items.as_json": "within parse_value",
    "synth.verify.items.key": "within read_items",
    "synth.verify.kinds.registry.kind_of": "a name of ours",
    "synth.verify.kinds.near.near": "within compare_answers",
    "synth.verify.kinds.near.number_of": "read_number",
    "synth.verify.kinds.action.compare_fields": "within compare_answers",
    "synth.verify.kinds.number.smooth": "numbers",
    "synth.verify.formulas.is_interval": "within compare_answers, of at most 2,000 signs",
    "synth.verify.latex.last_boxed": "last_box",
    "synth.verify.statement.state_answer": "find_answer",
    "synth.rewards.answers.choices_of": "orjson",
    "synth.rewards.answers.correct": "verify_answer",
    "synth.rewards.partial.partial": "verify_answer",
    "synth.rewards.partial.similarity": "500 characters or words of each text; tests/test_rewards_steps.py",
    "synth.rewards.partial.step_similarity": "split_thought, then similarity",
    "synth.rewards.answers.correct_or_unknown": "verify_answer",
    "synth.rewards.groups.majority": "extract_answer, then answer_clusters",
    "synth.rewards.groups.majority_share": "extract_answer, then answer_clusters",
    "synth.rewards.lengths.length_band": "verify_answer",
    "synth.rewards.steps.length_shape": "verify_answer",
    "synth.rewards.steps.step_aggregate": "verify_answer",
    "synth.verify.clusters.answer_clusters": "compare_answers, of each wording with the first of each cluster",
    "synth.rewards.answers.judged": "verify_answer",
    "synth.rewards.columns.by_column": "the rewards that it calls",
    "synth.rewards.columns.reward_of_row": "by_column",
    "synth.rewards.constrained.constraints": "the checkers of synth.constraints",
    "synth.rewards.graded.action": "verify_answer",
    "synth.rewards.graded.numeric_smooth": "verify_answer",
    "synth.rewards.graded.ranking": "verify_answer",
    "synth.rewards.graded.set_match": "verify_answer",
    "synth.rewards.openrlhf.reward_func": "reward_of_row",
    "synth.rewards.verl.compute_score": "reward_of_row",
    "synth.rewards.verl.compute_scores": "reward_of_row",
    "synth.rewards.route.legs_in": "2,000 characters, and the names of the network",
    "synth.rewards.route.route": "split_thought, then legs_in",
    "synth.rewards.tags.tags": "str.count, str.find and verify_answer",
    "synth.verify.gym.runs_answers": "names of tasks of the package",
    "synth.rewards.completions.text_of": "looks at no text",
    "synth.rewards.completions.texts_of": "looks at no text",
    "synth.rewards.registry.check_args": "arguments of rows, of the types that the options have",
    "synth.rewards.registry.entry": "looks at no text",
    "synth.rewards.registry.is_column": "looks at no text",
    "synth.rewards.registry.reward": "functions",
    "synth.verify.statement.answer_sentence": "puts words around an answer",
    "synth.models.structured.repair_turn": "puts words around a reply",
    "synth.records.derive.derive": "a record made, and its content_id",
    **dict.fromkeys(
        (
            f"synth.texts.cuts.{n}"
            for n in (
                "code_lines",
                "line_starts",
                "marked_sentences",
                "numbered_steps",
                "paragraph_starts",
                "piece_starts",
                "sentence_starts",
            )
        ),
        "as synth.steps.segmentation.segment",
    ),
    "synth.steps.segmentation.name_of": "words of the pipeline",
    "synth.steps.segmentation.slices": "within spans",
    "synth.records.identity.content_id": "a hash of canonical_json",
    "synth.records.kept.is_kept": "ids",
    "synth.redact.keep_secret": "a secret of the user",
    "synth.publish.scan.secrets_here": "the environment of the user",
    "synth.publish.scan.secrets_in": "reads files, each text by _Wanted",
    "synth.publish.markdown.code": "with escaped and title, as synth.publish.markdown",
    "synth.publish.markdown.escaped": "the same",
    "synth.publish.markdown.title": "the same",
    "synth.cli.tables.funnel_table": "names of stages, and numbers",
    "synth.cli.tables.record_of": "inert, for each value",
    "synth.cli.tables.table_of": "inert, for each value",
    "synth.models.refusals.pause_of": "within refusal_of_server",
    "synth.render.inert.sign": "one character",
    "synth.render.pages.asset": "files of our own",
    "synth.render.pages.asset_hash": "files of our own",
    "synth.render.pages.page": "templates of our own",
    "synth.corpus.overlap.meaning_alike": "embeddings, as many as there are texts",
    "synth.corpus.shingles.mixed": "numbers",
    "synth.corpus.shingles.ragged": "numbers",
    "synth.measures.agreement.cohen_kappa": "labels, counted",
    "synth.measures.agreement.fleiss_kappa": "labels, counted",
    "synth.measures.agreement.krippendorff_alpha": "labels, counted",
    "synth.measures.diversity.embedding_spread": "numbers",
    "synth.measures.diversity.vendi_score": "numbers",
    **dict.fromkeys(
        (f"synth.sources.chats.{n}" for n in ("context_of", "question_of", "reply_of", "thought_of", "turns_of")),
        "as synth.sources.chats",
    ),
    "synth.sources.formats.at": "an item of a list",
    "synth.sources.formats.first": "an item of a list",
    "synth.sources.formats.match": "a pattern of the user",
    "synth.sources.formats.math_shepherd_question": "within math_shepherd_steps",
}
"""Public functions that take texts and are not in the table, with the reason."""

TEXTS = (
    "synth.verify", "synth.texts", "synth.constraints", "synth.measures", "synth.records", "synth.redact", "synth.rewards", "synth.bounded",
    "synth.alignment", "synth.corpus.shingles", "synth.corpus.overlap", "synth.cli.tables", "synth.publish.markdown", "synth.publish.scan",
    "synth.sources.chats", "synth.sources.formats", "synth.sources.json_values", "counterfactual.poda.parts",
    "synth.steps.segmentation", "synth.steps.segment_by_model", "synth.steps.token_spans",
    "synth.models.continuation", "synth.models.reading", "synth.models.refusals", "synth.models.stream", "synth.models.structured",
    "synth.models.thought", "synth.render.differences", "synth.render.inert", "synth.render.pages",
)  # fmt: skip
"""Modules and packages that work on texts of others."""
WANTED = _Wanted({"hunter22": "a password"})


def test_every_function_over_texts_is_tried():
    """Whatever public function takes a text is in the table, or it is said why not."""
    known = {name.split(" ")[0] for name in FUNCTIONS} | set(BOUNDED_OTHERWISE)
    takes_text = re.compile(r"\b(?:str|bytes|Any|Hashable)\b")
    untried = []
    for module in modules():
        if not f"{name_of(module)}.".startswith(tuple(f"{name}." for name in TEXTS)):
            continue
        for name in getattr(module, "__all__", ()):
            given = inspect.unwrap(getattr(module, name))
            if inspect.isfunction(given) and given.__module__ == module.__name__:
                takes = any(takes_text.search(str(p.annotation)) for p in inspect.signature(given).parameters.values())
                if takes and f"{name_of(module)}.{name}" not in known:
                    untried.append(f"{name_of(module)}.{name}")
    assert untried == []


@pytest.mark.usefixtures("_no_secrets")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_takes_linear_time(name: str):
    """No text makes a function slower for each of its signs the longer it is."""
    secrets.keep_secret("hunter22")
    kind, call = FUNCTIONS[name]

    def run(text: str) -> None:
        with suppress(ValueError, LookupError, TypeError, InputError):  # what it says of such a text is not asked here
            call(text)

    size = size_for(run)
    slow = [
        probe(name, ("", unit, ""), run, size=size, most=0.5e-6, never=1e-4)
        for unit in dict.fromkeys((*KINDS["any"], *KINDS[kind]))
    ]
    for opens, closes in NESTED:

        def nested(text: str, opens: str = opens, closes: str = closes) -> None:
            times = len(text) // len(opens + closes)
            run(opens * times + closes * times)

        slow.append(probe(name, (opens, "·", closes), nested, size=size, most=0.5e-6, never=1e-4))
    assert [str(one) for one in slow if one is not None] == []


# What is bounded otherwise.


@pytest.mark.parametrize("words", [["a"], ["a", "b"], ["a", "b", "a", "c"]])
def test_alignment_counts_its_steps(words: list[str]):
    """Two long sequences of the same few items are not aligned; others are, as difflib does it."""
    with pytest.raises(TooAlikeError):
        aligned(words * 5000, [*words * 5000, "x"])
    few, more = words * 20, [*words * 19, "x", *words]
    assert aligned(few, more).get_opcodes() == SequenceMatcher(None, few, more, autojunk=False).get_opcodes()


def test_comparing_passages_ends():
    """A passage of one word many times over is compared by its words, without their order; pages show it as a whole."""
    many = "word " * 20_000
    assert seconds_of(lambda: PODA.share_changed(many, many + "x"), 60) < 5
    assert PODA.share_changed(many, many + "x") == pytest.approx(1 / 40_001)
    lines = "word\n" * 20_000
    assert seconds_of(lambda: differences(lines, lines + "x"), 60) < 10
    left, right = differences(lines, lines + "x")
    assert [p.text for p in left] == [lines]
    assert [p.text for p in right] == [lines + "x"]


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_longest_shared_run_is_that_of_difflib(a: list[str], b: list[str]):
    """The suffix automaton finds the run that difflib finds."""
    found = SequenceMatcher(None, a, b, autojunk=False).find_longest_match()
    assert SharedRuns(b).longest_in(a) == ((found.a, found.size) if found.size else (0, 0))


@given(st.text(max_size=60), st.integers(0, 29))
def test_nfkc_is_that_of_unicode(text: str, marks: int):
    """Up to thirty combining marks in a row the form is Unicode's own."""
    text = f"{text}é" + "\u0316\u0301"[marks % 2] * marks
    assert nfkc(text) == unicodedata.normalize("NFKC", text)


@given(st.text("ab (.", max_size=40), st.text("ab (.", max_size=12))
def test_a_long_quotation_is_found_as_a_short_one(text: str, quote: str):
    """How long a piece is does not change whether it stands in a text, word for word."""
    short = find_quote(quote, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synth.verify.quotes._LONG", 0)
        assert find_quote(quote, text) == short


@given(st.text("ab", max_size=40), st.text("ab", max_size=40))
def test_what_is_repeated_is_the_longest_overlap(given_text: str, said: str):
    """The end of one text that begins another is found whatever it is made of."""
    longest = next(n for n in range(min(len(given_text), len(said)), -1, -1) if given_text.endswith(said[:n]))
    assert _overlap(given_text, said) == (longest if longest >= LEAST_OVERLAP else 0) or longest < LEAST_OVERLAP


@pytest.mark.parametrize(
    "said", ["10^" * 3 + "10", "9^{9^{9^{9}}}", "(10^{10^{10}})!", "\\sqrt{" * 300 + "2" + "}" * 300, "1" * 1900]
)
def test_what_mathematics_takes_too_long_is_ended(said: str):
    """Comparing formulas ends within its time, also inside of one operation on one number."""
    begin = monotonic()
    verdict = compare_answers(said, "x + 1", kind="math", timeout=1.0)
    assert verdict.label in {"timeout", "unparsed", "wrong"}
    assert monotonic() - begin < 30  # a child may have to be started


@pytest.mark.parametrize(
    "said",
    [
        "9" * 100_000,
        "1e999999999",
        "10^999999999",
        "1/" + "9" * 5000,
        "0." + "0" * 5000 + "1",
        "1e-999",
        "9" * 999 + "e999",
        "9,999" * 3000,
        "٣" * 5000,
    ],
)
def test_numbers_are_bounded(said: str):
    """A number of many digits, or a large power, is no number or one within bounds, and takes no time."""

    def read() -> None:
        for text in (said, f"The answer is {said}.", f'{{"answer": {said}, "score": {said}}}'):
            assert compare_answers(text, "3", kind="number").label in {"wrong", "unparsed"}
            find_answer(text, kind="number")
            with suppress(Unreadable):
                read_structured(text, Answered)

    assert seconds_of(read, 30) < 2


def test_a_list_of_formulas_shares_its_time(monkeypatch: pytest.MonkeyPatch):
    """Parts that are compared one by one have no more time than one comparison, all together."""

    def slowly(found: str, gold: str, timeout: float) -> str:
        if "," not in found:
            sleep(min(0.2, timeout))
        return "right"

    monkeypatch.setattr("synth.verify.mathematics.equivalent", slowly)
    begin = monotonic()
    one, other = (f"({', '.join(f'{x}_{i}' for i in range(100))})" for x in "ab")
    assert compare_answers(one, other, kind="math", timeout=1.0).label != "right"
    assert monotonic() - begin < 3
