"""How much a template or an expression of a stranger may do, while it compiles and while it is evaluated."""

from __future__ import annotations

import gc
import re
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import ROOT

from synth.errors import InputError, UserError
from synth.models import Task
from synth.prompts import Expression, Prompt, Rule, patterns, rule, work
from synth.prompts.conditions import TESTS
from synth.prompts.environment import EXPRESSION_LETTERS, TEMPLATE_LETTERS
from synth.prompts.filters import FILTERS, MOST_DIGITS, MOST_WIDTH
from synth.prompts.rewrite import MOST_DEPTH, MOST_NODES
from synth.prompts.sandbox import MOST_RANGE, MOST_TOKENS
from synth.prompts.values import METHODS, MOST_BITS
from synth.reach import Reach
from synth.records import Problem
from synth.sources.declared import read_row
from synth.sources.formats import FUNCTIONS
from synth.sources.mapping_files import Declared
from synth.steps.generate import Generate

PROBLEM = Problem.root(
    question="How many are 6 times 7?", answer="42", choices=("42", "43"), meta={"n": 3, "list": [1, 2]}
)
MEMORY = 3 << 30
"""Bytes of addresses: a single text of the bombs would take more."""
SECONDS = 8
"""Of processor time for one bomb; the longest takes 1.5."""


def test_bombs(tmp_path: Path):
    """Each of some 140 hostile sources ends soon, in little memory, with a value or a message: never with a traceback or a dead process."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (120, 120))

    program = [sys.executable, str(Path(__file__).parent / "bombs.py"), str(tmp_path / "header.j2")]
    done = subprocess.run(program, capture_output=True, text=True, preexec_fn=limited, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1:]} {done.stderr[-2000:]}"
    assert len(lines) > 140
    slow = [line for line in lines if float(re.search(r" ([\d.]+) s ", line)[1]) > SECONDS]
    assert not slow
    assert not [line for line in lines if "too much memory" in line]


ATOMS = st.sampled_from(
    ["0", "1", "-1", "7", "99999", "10**9", "1.5", "''", "'a'", "'a b'", "'%9999d'", "none", "true", "[]", "[1, 'a']", "{'a': 1}", "problem",
     "problem.question", "problem.meta", "problem.choices", "problem.lettered_choices", "range(99999)", "range(3)", "nothing", "range", "namespace()"]
)  # fmt: skip


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "not in", "and", "or"])
    filters, tests = st.sampled_from(sorted(FILTERS)), st.sampled_from(sorted(t for t in TESTS if t.isidentifier()))
    methods = st.sampled_from(sorted({name for of in METHODS.values() for name in of}))
    arguments = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, binary, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, filters, arguments).map(lambda t: f"({t[0]} | {t[1]}({t[2]}))"),
        st.tuples(inner, filters, inner).map(lambda t: f"({t[0]} | map('{t[1]}', {t[2]}))"),
        st.tuples(inner, tests, arguments).map(lambda t: f"({t[0]} is {t[1]}({t[2]}))"),
        st.tuples(inner, methods, arguments).map(lambda t: f"{t[0]}.{t[1]}({t[2]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"{t[0]}[{t[1]}]"),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]}[{t[1]}:{t[2]}]"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, {t[1]}, {t[1]}]"),
        inner.map(lambda s: f"not {s}"),
    )


EXPRESSIONS = st.recursive(ATOMS, _combined, max_leaves=12)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EXPRESSIONS)
def test_any_expression_ends(source: str):
    """Whatever is written, it ends within the steps, with data or a message; and leaves no steps counted behind."""
    try:
        value = Expression(source)({"problem": PROBLEM})
    except (UserError, TypeError):
        return
    assert not callable(value)
    if isinstance(value, (str, list, tuple, dict)):
        assert len(value) <= work.MOST_STEPS * work.LETTERS_A_STEP


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(["if", "for", "call", "set", "macro", "filter", "with", "raw"]), EXPRESSIONS),
        max_size=4,
    ),
    EXPRESSIONS,
)
def test_any_template_ends(around: list[tuple[str, str]], inner: str):
    """So do templates, whatever tags stand around."""
    forms = {
        "if": "{{% if {0} %}}{1}{{% endif %}}",
        "for": "{{% for i in {0} %}}{1}{{% endfor %}}",
        "call": "{{% call user() %}}{1}{{{{ {0} }}}}{{% endcall %}}",
        "set": "{{% set x = {0} %}}{1}{{{{ x }}}}",
        "macro": "{{% macro m(a={0}) %}}{1}{{{{ a }}}}{{% endmacro %}}{{{{ m() }}}}{{{{ m() }}}}",
        "filter": "{{% filter upper %}}{1}{{% endfilter %}}",
        "with": "{{% with y = {0} %}}{1}{{% endwith %}}",
        "raw": "{{% raw %}}{1}{{% endraw %}}",
    }
    text = "{{ " + inner + " }}"
    for form, source in around:
        text = forms[form].format(source, text)
    with_message = Prompt("p", text + "{% call user() %}x{% endcall %}", "1", "")
    try:
        messages = with_message.render(problem=PROBLEM)
    except UserError as error:
        assert error.where  # noqa: PT017
        return
    assert sum(len(m["content"]) for m in messages) <= work.MOST_STEPS * work.LETTERS_A_STEP


def message_of(expression: Expression) -> str:
    with pytest.raises(UserError) as told:
        expression({})
    return told.value.what


def test_steps_are_those_of_one_evaluation_in_one_thread(monkeypatch: pytest.MonkeyPatch):
    """Each evaluation has all its steps, however many go on at once; the same ends at the same step everywhere."""
    monkeypatch.setattr(work, "MOST_STEPS", 3000)
    within, beyond = Expression("range(900) | sum"), Expression("range(900) | map('string') | list | length")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: within({}), range(200))) == {404550}
        told = set(pool.map(lambda _: message_of(beyond), range(50)))
    assert len(told) == 1
    assert "3,000 steps" in told.pop()


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a(?=b)", "no lookaround"),
        ("(?<!a)b", "no lookaround"),
        ("(a)\\\\1", "no back references"),
        ("a\\\\Z", "no pattern of RE2"),
        ("(", "missing"),
        ("a{5000}", "repetition"),
        ("a" * 3000, "may have 2,000"),
    ],
)
def test_patterns_of_another_engine_are_mistakes(pattern: str, why: str):
    """A pattern that RE2 does not know is reported when the expression compiles, wherever a constant pattern can stand; and when
    it comes to be used, where it is not constant.
    """
    for source in (
        f"problem.question is search('{pattern}')",
        f"match(problem.question, '{pattern}')",
        f"problem.choices | select('search', '{pattern}') | list",
    ):
        with pytest.raises(UserError, match=why):
            Expression(source)
    with pytest.raises(UserError, match=why):
        Expression(f"problem.question is search(['{pattern}'][0])")({"problem": PROBLEM})


def test_patterns_find():
    """`search` finds anywhere, `match` gives the first group or the whole; texts of any script, and with half a character."""

    def value(source: str, **variables: object) -> object:
        return Expression(source)({**FUNCTIONS, **variables})

    assert value("'ab1' is search('[0-9]')") is True
    assert value("x is search('(?i)ÄRGER|痛')", x="viel ärger") is True
    assert value("match('A: 7 apples', 'A:\\\\s*(.+)')") == "7 apples"
    assert value("match('x7y', '[0-9]')") == "7"
    assert value("match('x', '[0-9]')") is None
    assert value("match(none, 'a')") is None
    assert value("x is search('b')", x="a\ud800b") is True
    assert value("['a1', 'b'] | select('search', '[0-9]') | list") == ["a1"]


def test_what_is_json():
    """An object or a list, whole and alone; what is nested too deep for a record is none."""
    for text, there in [
        ('{"a": [1, "x"]}', True), (" [1]\n", True), ("[]", True), ('{"a": 1', False), ('{"a": 1} so', False), ("{'a': 1}", False),
        ("1", False), ('"a"', False), ("", False), (None, False), ([1], False), ("[" * 101 + "]" * 101, False), ("[" * 99999, False),
    ]:  # fmt: skip
        assert Expression("t is json")({"t": text}) is there


def test_mentioning_as_before():
    """Words, and numbers in whatever grouping, that stand by themselves."""
    for text, words, there in [
        ("It is 1,200.", "1200", True), ("It is 12000.", "1200", False), ("It is 1200.5", "1200", False), ("so B it is", "B", True),
        ("Bees", "B", False), ("a.B", "B", False), ("x  y", "x y", False), ("Ärger", "ärger", True), ("", "a", False), ("aa a", "a", True),
    ]:  # fmt: skip
        assert Expression("t is mentioning(w)")({"t": text, "w": words}) is there


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ problem.question + 1 }}", "concatenate"),
        ("{{ 1 / 0 }}", "zero"),
        ("{{ problem.colour }}", "colour"),
        ("{{ 2.0 ** 99999 }}", "too large"),
        ("{{ 'a'.index('b') }}", "not found"),
        ("{{ 'a' | truncate(1) }}", "expected length"),
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ [1] | first | sort }}", "has no items"),
        ("{% for i in range(90000) %}{{ 'a' * 9000 }}{% endfor %}", "2,000,000 steps"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls itself without an end"),
        ("{{ problem.question.upper }}", "a method is no value"),
    ],
)
def test_whatever_goes_wrong_names_step_record_and_prompt(source: str, why: str):
    """An error inside of a prompt is the user's to mend: it says at which step, record and prompt, and what went wrong."""
    step = Generate(step="generate", name="sample", prompt="mine.j2")
    prompt = Prompt("mine.j2", "{% call user() %}" + source + "{% endcall %}", "1", "")
    with pytest.raises(UserError, match=re.escape(why)) as told:
        step.request(prompt, {"problem": PROBLEM}, Task("solve", PROBLEM))
    assert told.value.where == f"step sample, {PROBLEM.id}, prompt mine.j2"
    assert told.value.fix


@pytest.mark.parametrize(
    "source",
    [
        "x | int",
        "x | round(method='ceil')",
        "'%d' | format(x)",
        "b * 10**9",
        "10**9 * b",
        "'%s' | format(b) * 10**9",
        "x ** x",
    ],
)
def test_numbers_and_bytes_of_a_table(source: str):
    """Parquet has decimal numbers, whose digits could be millions, and bytes."""
    with pytest.raises(UserError):
        Expression(source)({"x": Decimal("1e999999"), "b": b"abc"})


HOSTILE_TEXTS = (
    " ",
    "\n",
    "a",
    "Step 1 ",
    "\nStep 1 ",
    ". Step 1",
    "\n\nHuman:",
    "+ ",
    "ки",
    "\n\n",
    ". ",
    "\n ",
    "Step 1 :",
)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_of_mappings_take_time_that_grows_with_the_row(name: str):
    """Of a text ten times as long, whatever it repeats, no function takes much more than ten times as long."""
    kinds = (str, lambda text: [{"role": "user", "content": text}], lambda text: [{"human_completion": text}])

    def seconds(atom: str, letters: int) -> float:
        text = atom * (letters // len(atom))
        began = time.process_time()
        for kind in kinds:
            for more in ((), (text,), ("a+b",)):
                with suppress(UserError, TypeError):
                    Expression(f"{name}({', '.join(['x', *(f'y{i}' for i, _ in enumerate(more))])})")(
                        {**FUNCTIONS, "x": kind(text), **{f"y{i}": value for i, value in enumerate(more)}}
                    )
        return time.process_time() - began

    gc.disable()  # what it takes grows with all that other tests have left
    try:
        for atom in HOSTILE_TEXTS:
            assert seconds(atom, 200_000) < 40 * max(seconds(atom, 20_000), 0.02), repr(atom)
    finally:
        gc.enable()


def test_a_mapping_names_the_place_of_what_fails(tmp_path: Path):
    """An expression of a mapping that fails says where it stands, and a row is refused, not the run ended."""
    row = {"q": "What?", "r": "It is 4."}
    for text, why in (
        ("r | center(9)", "center"),
        ("r * 10**9", "steps"), ("r.__class__", "__class__"), ("[r][1]", "1"), ("r | nothing", "nothing"),
    ):  # fmt: skip
        mapping = Declared.model_validate(
            {"mapping": "a", "problem": {"question": "q"}, "rationales": [{"text": text}]}
        )
        with pytest.raises((InputError, UserError), match=why) as told:
            read_row(row, ["q", "r"], mapping, "f:1", frozenset(), Reach(tmp_path))
        assert "rationales[0].text" in str(told.value)


def test_rules_are_of_a_small_language():
    """A rule of a row has numbers, names, comparisons and choices; it cannot call, ask for parts, or make text."""
    weighed = Rule("(2 if end else 0) + 1 * (data or not e3) - count // 2 % 5 / 2.5")
    assert weighed({"end": True, "data": False, "e3": True, "count": 6}) == pytest.approx(2 + 0 - 3 % 5 / 2.5)
    assert weighed.unknown_names({"end": None}) == ["data", "e3", "count"]
    calls = ("count.real", "count()", "range(3)", "count | abs", "count is odd", "count[0]")
    values = ("'a'", "[1]", "{}", "none", "count ~ 1", "2 ** 9", "1 in count")
    for source in (*calls, *values, "1 +", "1 " * 2000, "(" * 900):
        with pytest.raises(UserError):
            Rule(source)
    with pytest.raises(UserError, match="too large"):
        Rule("9" * 310 + "/ 1")({})
    with pytest.raises(UserError):
        Rule("1 / count")({"count": 0})
    with pytest.raises(UserError, match="bits"):
        Rule("*".join(["n"] * 90))({"n": 10**200})


def test_the_documentation_names_all_that_can_be_used():
    """docs/expressions.md lists every filter, test and method, and the limits."""
    page = (ROOT / "docs" / "expressions.md").read_text()
    for name in (*FILTERS, *TESTS, *(name for methods in METHODS.values() for name in methods)):
        assert f"`{name}`" in page or f"`loop.{name}`" in page, name
    limits = (
        work.MOST_STEPS,
        TEMPLATE_LETTERS,
        EXPRESSION_LETTERS,
        MOST_TOKENS,
        MOST_NODES,
        MOST_DEPTH,
        MOST_RANGE,
        MOST_BITS,
    )
    for limit in (*limits, MOST_WIDTH, MOST_DIGITS, rule.MOST_LETTERS, patterns.MOST_LETTERS):
        assert f"{limit:,}" in page, limit
