"""What templates and expressions of strangers reach: all attributes and items of everything they can name, filters, methods, calls."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

import pytest
from jinja2.runtime import LoopContext, Macro, TemplateReference, Undefined
from jinja2.utils import Namespace
from methods import code_of
from pydantic import BaseModel

from synth.errors import UserError
from synth.prompts import Expression, Prompt
from synth.prompts.called import Role
from synth.prompts.environment import environment, undefined_names, value_tree
from synth.prompts.work import begin, end
from synth.records import (
    RECORD_TYPES,
    Call,
    Critique,
    Execution,
    Failure,
    Media,
    Node,
    Pair,
    Problem,
    Rationale,
    Rejection,
    Score,
    record_fields,
)
from synth.sources.formats import FUNCTIONS
from synth.sources.mapping_files import Columns
from synth.steps.make import Answer
from synth.steps.sight import names_of as names_seen
from synth.steps.unit import Unit

DATA = (
    str,
    int,
    float,
    Decimal,
    date,
    time,
    timedelta,
    bytes,
    range,
    type(None),
    list,
    tuple,
    dict,
    BaseModel,
    Undefined,
)
CALLABLE = {"Method", "Function", "Macro", "Role"}
"""Types, by name, of what a template may call: a listed method, a function that we give, its own macro, a message."""
INERT = {"LoopContext", "Namespace", "TemplateReference"}

MORE_NAMES = (
    "__class__", "__globals__", "__init__", "__self__", "__func__", "__code__", "__dict__", "__subclasses__", "__mro__", "__reduce_ex__",
    "parse_raw", "parse_file", "model_construct", "model_copy", "model_rebuild", "model_fields", "_func", "_environment", "environment",
    "call", "of", "name", "messages", "gi_frame", "func", "format", "format_map", "mapping", "mro", "_Namespace__attrs", "blocks", "parent",
)  # fmt: skip
"""Names beside those that Python lists."""

PROBLEM = Problem.root(
    question="How many?",
    answer="B",
    answer_kind="choice",
    choices=("1", "2"),
    rubric={"a": [1]},
    meta={"topic": "x", "n": 1.5},
    media=(Media(kind="image", uri="https://e.org/a.png"),),
)
MADE: dict[str, Any] = {"unit": "b2:0", "step": "s", "because": [1]}
RECORDS: list[BaseModel] = [
    PROBLEM,
    Rationale.make(problem=PROBLEM.id, author="teacher", thought="t", response="a\nb", steps=("a", "b"), parts={"x": [1]}, **MADE),
    Node.make(problem=PROBLEM.id, text="t", **MADE),
    Score.make(target="b2:1", name="correct", value=1.0, judge="j", **MADE),
    Critique.make(target="b2:1", explanation="e", critic="c", **MADE),
    Pair.make(problem=PROBLEM.id, chosen="b2:1", rejected="b2:2", reason="r", length_difference=1, **MADE),
    Rejection.make(target="b2:1", target_table="rationales", rule="r", observed={"a": 1}, **MADE),
    Failure.make(target="b2:1", cause="shape", message="m", **MADE),
    Call(id="b2:1", key="k", attempt=1, model="t", endpoint="e", model_id="m", status="ok", started=0, latency=0, unit="u", step="s", messages=[]),
    Execution(id="b2:1", key="k", program="b2:2", sandbox="monty/1", status="ok", started=0, seconds=0),
]  # fmt: skip


@cache
def context() -> Any:
    """A context after a template has run that defines a macro and a namespace."""
    made = environment()
    template = made.from_string(
        "{% macro say(a, b=1) %}{{ caller() if caller is defined }}{% endmacro %}{% set notes = namespace(x=1) %}"
    )
    found = made.context_class(made, dict(template.globals), None, {})
    list(template.root_render_func(found))
    return found


def roots() -> list[Any]:
    """Everything that a template can name."""
    found = context()
    unit = Unit(PROBLEM, None, {})  # type: ignore[arg-type]  # it asks nobody
    unit.add(r for r in RECORDS if isinstance(r, (Rationale, Score)))
    sights = [unit.variables(r) for r in RECORDS if isinstance(r, (Problem, Rationale))]
    known = [
        sight.get(name) for sight in sights for name in names_seen(Rationale, None)
    ]  # also what is made when asked for
    both = sights[-1].beside({"reply": Answer("B", True), "step": {"index": 0, "score": {"x": 1.0}}})
    loop = LoopContext([1, "a"], environment().undefined)
    next(loop)
    return [
        *RECORDS,
        *sights,
        *known,
        both,
        Answer("B", True),
        unit.score(RECORDS[1], "correct"),  # type: ignore[arg-type]
        Columns({"a": 1, "b": {"c": [1, "x"]}}),
        code_of("thought-trees").Element("e1", "Is it?"),
        *FUNCTIONS.values(),
        *environment().globals.values(),
        *found.vars.values(),
        loop,
        TemplateReference(found),
        Role("user", []),
        environment().undefined(name="nothing"),
        *("text", 1, 1.5, True, None, Decimal("1.5"), date(2026, 1, 1), b"x", range(3), [1, "a"], (1, "a"), {"k": [1]}),
    ]


def names_of(thing: Any) -> set[str]:
    """All names that Python knows on a thing or its type, and some more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic warns of what it will drop
        found = {name for kind in type(thing).__mro__ for name in vars(kind)}
        with suppress(AttributeError):
            found |= set(object.__getattribute__(thing, "__dict__"))
    return {str(name) for name in found | set(MORE_NAMES)}


def asked_of(thing: Any, name: str) -> Iterator[tuple[str, Any]]:
    """What a template gets of a thing, by each way in which it can ask."""
    made, found = environment(), context()
    ways = {
        "x.NAME": lambda: made.getattr(thing, name),
        "x['NAME']": lambda: made.getitem(thing, name),
        "x | attr('NAME')": lambda: made.call_filter("attr", thing, [name], context=found),
        "[x] | map(attribute='NAME')": lambda: [
            *made.call_filter("map", [thing], (), {"attribute": name}, context=found)
        ],
        "[x] | sum(attribute='NAME', start=0)": lambda: made.call_filter("sum", [thing], [name], context=found),
        "[x] | groupby('NAME')": lambda: [*made.call_filter("groupby", [thing], [name], context=found)],
    }
    for way, ask in ways.items():
        started = begin()
        try:
            value = ask()
        except Exception:  # noqa: BLE001 - an error gives nothing to a template
            continue
        finally:
            end(started)
        yield way, value


def strange(value: Any) -> bool:
    """Whether it is neither data nor something that may be called."""
    if isinstance(value, (types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType, type)):
        return True
    kind = type(value).__name__
    return not (isinstance(value, DATA) or kind in CALLABLE or kind in INERT)


def parts_of(value: Any) -> list[Any]:
    """A value and what it holds."""
    if isinstance(value, dict):
        return [value, *value.keys(), *value.values()]
    return [value, *value] if isinstance(value, (list, tuple)) else [value]


def test_all_attributes_of_all_objects():
    """By no way does a template get anything but data and what we list as callable, however far it goes."""
    found: dict[str, str] = {}
    waiting, seen = [(type(r).__name__, r, 0) for r in roots()], set()
    while waiting:
        path, thing, depth = waiting.pop()
        key = (type(thing), id(thing) if type(thing).__name__ in {"Method", "Function"} else path.split(".")[0])
        if key in seen:
            continue
        seen.add(key)
        for name in names_of(thing):
            for way, value in asked_of(thing, name):
                for part in parts_of(value):
                    if strange(part):
                        found[f"{path}: {way.replace('NAME', name)}"] = type(part).__name__
                    elif depth < 4 and not isinstance(part, Undefined):
                        waiting.append((f"{path}.{name}", part, depth + 1))
    assert not found, "\n".join(f"{way} gives a {kind}" for way, kind in islice(sorted(found.items()), 60))
    assert len(seen) > 60


def test_records_show_their_fields_and_no_more():
    """What is seen of a record is what `record_fields` says, which the static check goes by; of each type of record."""
    assert {type(r) for r in RECORDS} == set(RECORD_TYPES)
    for record in RECORDS:
        started = begin()
        for ask in (environment().getattr, environment().getitem):
            seen = {n for n in names_of(record) if not isinstance(ask(record, n), Undefined)}
            assert seen == record_fields(type(record))  # type: ignore[arg-type]
        end(started)


def test_what_methods_and_filters_give_is_data():
    """Every method and every filter, called with nothing and with a little, gives data or refuses."""
    made, found = environment(), context()
    little: tuple[tuple[Any, ...], ...] = ((), ("a",), (1,), ("a", "b"), ("search", "a"), ("upper",))
    gave = 0
    for thing in roots():
        started = begin()
        calls = [(n, lambda *a, n=n, t=thing: made.call(found, made.getattr(t, n), *a)) for n in names_of(thing)]
        calls += [(f, lambda *a, f=f, t=thing: made.call_filter(f, t, a, context=found)) for f in made.filters]
        end(started)
        for name, call in calls:
            for arguments in little:
                started = begin()
                try:
                    value = call(*arguments)
                except Exception:  # noqa: BLE001 - refused
                    continue
                finally:
                    end(started)
                gave += 1
                assert not any(map(strange, parts_of(value))), f"{type(thing).__name__} {name} {arguments}"
    assert gave > 500


@pytest.mark.parametrize(
    "attack",
    [
        "problem['parse_raw']('cos\\nsystem\\n(S\"touch x\"\\ntR.', proto='pickle', allow_pickle=true)",
        "problem.parse_file('/etc/hostname')",
        "[problem][0].model_construct()",
        "(problem | attr('model_copy'))()",
        "([problem] | map(attribute='model_dump') | first)()",
        "problem.model_rebuild(force=true)",
        "''.__class__.__mro__",
        "problem.__init__.__globals__",
        "problem._abc_impl",
        "'%s'.format(problem)",
        "'{0.__class__}'.format(problem)",
        "range.__globals__",
        "namespace.__init__",
        "match.call",
        "match.__globals__",
        "self._TemplateReference__context",
        "[match]",
        "match",
        "problem.question.upper",
        "{'f': range}",
        "range()()",
        "lipsum()",
        "cycler(1)",
        "dict(a=1)",
        "problem | pprint",
        "problem | xmlattr",
        "'a' | center(10)",
    ],
)
def test_attacks_are_refused(attack: str):
    """Known ways out of a sandbox end in an error that says what is not known, and nothing comes out."""
    with pytest.raises((UserError, TypeError)):
        Expression(attack)({"problem": PROBLEM, **FUNCTIONS})


def test_a_template_cannot_take_in_others():
    """Tags that read other templates, change escaping or inherit are unknown, and the message says so."""
    for tag in ("{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% block a %}{% endblock %}"):  # fmt: skip
        with pytest.raises(UserError, match=r"is not known here|Unexpected|unknown tag"):
            Prompt("p", tag, "1", "").check()
    with pytest.raises(UserError, match="not known here"):
        Prompt("p", "{% autoescape true %}{% endautoescape %}", "1", "").check()


def test_the_static_check_sees_items_as_attributes():
    """`problem['x']` is checked as `problem.x` is, wherever it stands."""
    known = {"problem": record_fields(Problem), "score": frozenset({"correct"})}
    source = "problem['parse_raw'] or score['right'] or problem.colour or problem['answer'] or problem.meta['x'] or score[problem.id]"
    names = [name for name, _ in undefined_names(value_tree(source), known)]
    assert sorted(names) == ["problem.colour", "problem.parse_raw", "score.right"]


def test_what_is_of_use_stays():
    """Fields, properties, keys, loops with `loop`, macros, namespaces, listed methods, filters and tests work as in Jinja."""
    text = """{% macro line(a, b='-') %}{{ b }}{{ a }}{{ caller() if caller is defined }}{% endmacro %}
{% set seen = namespace(n=0) %}{% call user() %}
{% for letter, text in problem.lettered_choices %}{{ loop.index }}/{{ loop.length }}{{ loop.cycle('x', 'y') }}{{ line(letter, b='*') }}
{% set seen.n = seen.n + text | int %}{% endfor %}
{{ seen.n }} {{ problem.meta.topic }} {{ problem['meta']['n'] }} {{ problem.answer_shown }} {{ problem.media[0].kind }}
{{ [3, 1, 2] | sort | join(', ') }} {{ 'a-b'.split('-') | last }} {{ {'a': 1}.items() | list }} {{ "%.2f" | format(1.234) }}
{{ [problem] | map(attribute='question') | first }} {{ problem.question[:3] }} {{ 'B' in problem.answer }} {{ 2 ** 10 % 7 }}
{% call line('z') %}!{% endcall %}{% endcall %}"""
    (message,) = Prompt("p", text, "1", "").render(problem=PROBLEM)
    lines = message["content"].splitlines()
    assert lines[0] == "1/2x*A"
    assert [" ".join(line.split()) for line in lines if line.strip()][1:] == [
        "2/2y*B", "3 x 1.5 B) 2 image", "1, 2, 3 b [('a', 1)] 1.23", "How many? How True 2", "-z!",
    ]  # fmt: skip


def test_macros_and_namespaces_are_no_values():
    """What can be called cannot be put into a list, shown or given back."""
    for name in ("[ns]", "ns", "user", "m", "self", "loop", "ns.__class__", "ns._Namespace__attrs"):
        source = (
            "{% set ns = namespace() %}{% macro m() %}{% endmacro %}{% call user() %}{% for i in [1] %}"
            f"{{{{ {name} }}}}"
            "{% endfor %}{% endcall %}"
        )
        with pytest.raises(UserError):
            Prompt("p", source, "1", "").render()
    assert isinstance(context().vars["notes"], Namespace)
    assert isinstance(context().vars["say"], Macro)
