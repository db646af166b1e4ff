"""Hostile templates and expressions, each compiled and evaluated in turn; prints how each ended. Run in a process with limits."""

from __future__ import annotations

import sys
import time

from synth.errors import UserError
from synth.prompts import Expression, Prompt, load_prompt
from synth.records import Problem

PROBLEM = Problem.root(source="s", question="What is 1 + 1? " * 2000, answer="2", choices=("2", "3"))
DEEP = 10_000

EXPRESSIONS = [
    # Folded while it compiles
    "'a' * 10**9", "[0] * 10**9 == []", "10 ** (10 ** 10) > 1", "('a' * 99999) * 99999", "(1, 2) * 10**9", "2 ** 2 ** 2 ** 2 ** 2 ** 2",
    "'%1000000000d' % 1", "'x' | center(2000000000)", "range(10**9) | list | length", "'a' | indent(10**9)", "lipsum(n=100000)",
    "'%1000000000d' | format(1)", "'%.1000000000f' | format(1)", "'%*d' | format(10**9, 1)", "1 | round(10**9)", "1 | round(-(10**9))",
    "'%1000000000d' is odd", "'%1000000000d' is even", "'%1000000000d' is divisibleby(3)", "0x" + "f" * 15_000 + " ** 9", "9" * 5000 + " > 1",
    # Sizes
    "'{:>2000000000}'.format(problem.answer)", "'a'.center(10**9)", "'a'.ljust(10**9)", "'1'.zfill(10**9)", "'\t'.expandtabs(10**9)",
    "('a' * 90000).replace('a', 'b' * 90000)", "('a' * 90000) | replace('a', 'b' * 90000)", "('a' * 90000) | replace('', 'b' * 90000)",
    "('b' * 90000).join('a' * 90000)", "('a' * 90000) | join('b' * 90000)", "('\\n' * 90000) | indent('b' * 100) | indent('b' * 100)",
    "('\\u2028' * 90000) | indent(100) | indent(100) | indent(100)", "range(90000) | map('replace', '', problem.question) | list",
    "range(90000) | map('default', problem.question) | list | string", "[problem] * 90000 | string", "([problem] * 90000) | sort(attribute='question')",
    "([problem] * 90000) | map(attribute='question') | join", "range(90000) | map(attribute='x', default=problem.question) | join",
    "[[[[[[[[[0] * 9] * 9] * 9] * 9] * 9] * 9] * 9] * 9] * 9 | string", "[" + "problem.question," * 5000 + "] | string", "problem.question ~ " * 900 + "1",
    "range(90000) | batch(10**9, 0) | list", "[1] | slice(10**9) | list", "[1] | sum(start=[]) | string", "([[1] * 900] * 900) | sum(start=[])",
    "problem | tojson", "[1] | tojson(indent=10**9)", "('\x00' * 90000 * 9) | tojson | tojson | tojson | tojson", "'f' * 90000 | int(base=16)",
    "('f' * 90000) | int(0, 16) | string", "('9' * 90000) | int", "(1,) * 10**9 | first", "'a' | truncate(10**9) | length > 9 ** 99999",
    # Time
    "problem.question is search('(.*.*.*)*x$|(\\\\w+\\\\s?)*$$Q')", "('a' * 40) is search('(a+)+b')", "('a' * 20000) is search('(a?){500}a{500}b')",
    "('x' * 90000) is search('(x+x+)+y')", "[problem.question] * 9000 | select('search', '(a|b|c)*d') | list",
    "range(90000) | map('string') | select('search', 'a{900}') | list", "range(90000) | select('in', range(90000) | map('string') | list) | list",
    "range(90000) | map('string') | map('replace', '1', '2')" + " | map('replace', '2', '1')" * 30 + " | list", "('a' * 90000) is mentioning('a' * 999)",
    "('ab ' * 300000) is mentioning('ab ' * 150000 ~ 'a')", "('a' * 900000).rfind('b' ~ 'a' * 400000)", "('a' * 900000).rsplit('b' ~ 'a' * 400000)",
    "('a' * 900000).strip('b' * 400000 ~ 'a')", "('a' * 900000) | trim('b' * 400000 ~ 'a')", "range(90000) | map('first') | list",
    "range(99999) | sum + (range(99999) | sum)" + " + (range(99999) | sum)" * 60,
    "('a.' * 900000) | length > ([problem] * 90000 | map(attribute='a.' * 90000) | length)",
    "x is search(10)", "range(10**6) | select('search', '(?=a)') | list", "range(*range(90000))", "match(problem.question, '(.*)*(.*)*(.*)*y')",
    # Depth
    "(" * DEEP + "1" + ")" * DEEP, "[" * DEEP + "]" * DEEP, "not " * 5000 + "1", "-" * DEEP + "1", "1" + "+1" * 9000, "1" + "|abs" * 4000, "x" + ".a" * 9000,
    "1" + " if 1 else 1" * 1600, "{'a':" * 3000 + "1" + "}" * 3000, "1" + " ~ 1" * 5000, "1" + "[0]" * 6000, "1 == " * 3000 + "1", "'" + "a" * 30_000 + "'",
    "1" * 20_001, "[" + "1," * 9_900 + "]", "f(" * 5000, "'" * DEEP, "{{" * DEEP, "\\" * DEEP, "match(" * 5000 + ")" * 5000,
]  # fmt: skip


def called(text: str) -> str:
    return "{% call user() %}" + text + "{% endcall %}"


TEMPLATES = [
    called("{% for i in range(90000) %}{% for j in range(90000) %}x{% endfor %}{% endfor %}"),
    called("{% for i in range(90000) %}" + "lorem ipsum " * 5000 + "{% endfor %}"),
    called("{% for i in range(90000) %}{{ problem.question }}{% endfor %}"),
    called("{% for i in range(90000) %}{{ problem }}{% endfor %}"),
    called("{% for i in range(90000) %}{% if problem.question == problem.question ~ '' %}{% endif %}{% endfor %}"),
    called("{% for i in range(90000) %}{% if 'zz' in problem.question %}{% endif %}{% endfor %}"),
    called("{% for i in range(90000) %}{% set x = problem.question[1:] %}{% endfor %}"),
    called("{% for i in range(90000) %}{% set x = problem.question.split() %}{% endfor %}"),
    called("{% for i in range(90000) %}{% set x = problem.lettered_choices %}{% endfor %}"),
    called("{% set x = 'ab' %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}"),
    called("{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}"),
    called("{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x == x }}"),
    called("{% set x = {'a': 1} %}" + "{% set x = {'a': x, 'b': x} %}" * 60 + "{{ x | tojson }}"),
    called("{% set x = (1, 2) %}" + "{% set x = (x, x) %}" * 60 + "{{ {x: 1} }}"),
    called("{% set x = 9 %}" + "{% set x = x * x %}" * 60 + "{{ x }}"),
    called("{% set x = 'a' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60 + "{{ x }}"),
    called("{% set n = namespace(x='ab') %}{% for i in range(900) %}{% set n.x = n.x ~ n.x %}{% endfor %}"),
    called("{% set n = namespace(x=[]) %}{% for i in range(90000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}"),
    called("{% set n = namespace(x=1) %}{% for i in range(9000) %}{% set n.x = [n.x] | map('upper') %}{% endfor %}"),
    called("{% set n = namespace() %}{% set n.x = n %}{{ n }}{{ [n] }}"),
    called("{% set n = namespace(a=1) %}" + "{% set n = namespace(a=n, b=n) %}" * 60 + "{{ n }}"),
    "{% macro m() %}{{ m() }}{% endmacro %}" + called("{{ m() }}"),
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}" + called("{{ m(60) }}"),
    "{% macro m(n) %}{{ caller() }}{{ caller() }}{% endmacro %}" + "{% call m() %}" * 40 + "x" + "{% endcall %}" * 40,
    "{% macro m() %}{{ varargs | length }}{% endmacro %}{% set r = range(90000) %}{% for i in r %}{{ m(*r) }}{% endfor %}",
    "{% macro m() %}" + "x{{ 1 }}" * 1500 + "{% endmacro %}{% for i in range(90000) %}{{ m() }}{% endfor %}",
    "{% for i in [[[]]] recursive %}{{ loop(i) }}{% endfor %}",
    "{% for i in [1] %}" * 30 + "{% endfor %}" * 30,
    "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "{% if 1 %}{% elif 2 %}" + "{% elif 3 %}" * 5000 + "{% endif %}",
    "{% filter upper %}" * 90 + "x" + "{% endfilter %}" * 90,
    called("{% filter replace('x', 'y' * 9000) %}" + "x" * 90_000 + "{% endfilter %}"),
    "{% with a = 1 %}" * 90 + "{% endwith %}" * 90,
    called("{{ 1 }}" * 3_000),
    called("{{ " + "(" * DEEP + " }}"),
    "{#" * DEEP, "{% raw %}" * DEEP, "{{" * DEEP, "{%" * DEEP, "{{ '" + "\\" * 9999, "x" * 1_000_001, "\n" * 300_000, "{#" + "\n" * 300_000 + "#}",
    "{% " + " " * 300_000, "{{ 'a' }}" + "-" * 300_000, "{% set x = " + "1," * 400_000 + " %}", "{{ x" + " " * 300_000 + "}}",
]  # fmt: skip


def ended(run: object) -> str:
    try:
        value = run()  # type: ignore[operator]
    except (UserError, TypeError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:100] if str(error) else ''}"
    return f"gave {len(value)} characters" if isinstance(value, str) else f"gave a {type(value).__name__}"


def main() -> None:
    for kind, sources in (("expression", EXPRESSIONS), ("template", TEMPLATES)):
        for number, source in enumerate(sources):
            began = time.process_time()
            if kind == "expression":
                how = ended(lambda source=source: Expression(source)({"problem": PROBLEM}))
                ended(lambda source=source: Expression(source).unknown_names({"problem": frozenset({"question"})}))
            else:
                prompt = Prompt("p", source, "1", "")
                how = ended(lambda prompt=prompt: prompt.render(problem=PROBLEM))
                ended(prompt.stray_text)
                ended(lambda prompt=prompt: prompt.own_words)
                ended(lambda prompt=prompt: prompt.unknown_variables({"problem": frozenset({"question"})}))
            print(f"{kind} {number} {time.process_time() - began:.2f} s {source[:60]!r}: {how}", flush=True)
    for header in ("version: 1\n" + "\n" * 300_000 + "x", "version : " * 50_000, "version" + " " * 300_000 + "x"):
        began = time.process_time()
        with open(sys.argv[1], "w") as file:  # noqa: PTH123
            file.write("{#" + header + "#}{% call user() %}x{% endcall %}")
        print(
            f"header 0 {time.process_time() - began:.2f} s {header[:20]!r}: {ended(lambda: load_prompt(sys.argv[1]).version)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
