"""Which keys of a mapping an expression or a prompt reads, seen without evaluating it."""

from __future__ import annotations

import pytest

from synth.prompts import Expression, Prompt


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("problem.meta.window", ["window"]),
        ("problem['meta']['a b'] and problem.meta['c'].d", ["a b", "c"]),
        ("problem.meta.get('x', 0) > 1 or 'y' in problem.meta", ["x"]),
        ("problem.meta.a is defined and problem.meta.a.b | length", ["a"]),
        ("record.meta.own", ["own"]),
        ("problem.meta.items() | list", []),
        ("problem.meta.keys() | length and problem.meta['keys']", ["keys"]),
        ("problem.meta[problem.question]", []),
        ("problem.meta[0]", []),
        ("problem.question.meta.x and other.meta.y and meta.z", []),
        ("unit.problems | selectattr('meta.x') | list", []),
        ("problem.meta.get()", []),
    ],
)
def test_expressions(source: str, keys: list[str]):
    assert Expression(source).keys_read(("problem", "record"), "meta") == keys


def test_prompts():
    """With the line of each; a variable that the prompt sets itself is another one."""
    text = (
        "{#- version: 1\n purpose: none -#}\n{% call user() %}{{ problem.meta.a }}\n{% for p in problem.meta.b %}\n"
        "{{ p.meta.c }}{% endfor %}{% endcall %}"
    )
    prompt = Prompt("own.j2", text, "1", "none")
    assert prompt.keys_read(("problem",), "meta") == [("a", 3), ("b", 4)]
    assert prompt.keys_read(("p",), "meta") == []
