"""Prompts: Jinja2 files with a name and a version, and the one expression language.

A prompt file starts with a comment that gives its `version`, its `purpose` and, where it follows a paper, its `source`.
Messages are written as call blocks, so that no text put into a prompt can open a message of its own:

    {#- version: 1
        purpose: ask for a rationale
    -#}
    {% call system() %}You solve problems step by step.{% endcall %}
    {% call user() %}{{ problem.question }}{% endcall %}
"""

from synth.prompts.called import Function
from synth.prompts.expression import Expression
from synth.prompts.lazy import Lazy
from synth.prompts.patterns import check_splitter, matched, places
from synth.prompts.prompt import Prompt, load_prompt, shipped_prompts
from synth.prompts.rule import Rule
from synth.prompts.work import Refused

__all__ = [
    "Expression",
    "Function",
    "Lazy",
    "Prompt",
    "Refused",
    "Rule",
    "check_splitter",
    "load_prompt",
    "matched",
    "places",
    "shipped_prompts",
]
