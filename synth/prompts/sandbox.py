"""The environment in which templates and expressions are compiled and evaluated; what is in it is all they have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.lexer import Token, TokenStream
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace
from pydantic import BaseModel

from synth.prompts.called import Function, Role
from synth.prompts.conditions import TESTS
from synth.prompts.filters import FILTERS
from synth.prompts.rewrite import INTERNAL, bounded, weight_of
from synth.prompts.values import METHODS, OPERATORS, charged, concat, printed
from synth.prompts.work import LETTERS_A_STEP, Refused, spend

__all__ = ["Environment", "make_environment"]

MOST_TOKENS = 30_000
"""Words and signs in the tags of a template."""
MOST_RANGE = 100_000
"""Numbers of a `range`."""


class Method:
    """A listed method of a value, as a template has it before it calls it."""

    __slots__ = ("call", "of")

    def __init__(self, call: Callable[..., Any], of: Any) -> None:
        self.call = call
        self.of = of


class _Seen(NamedTuple):
    """What templates see of values of one type."""

    fields: frozenset[str]
    derived: frozenset[str]
    """Properties that are made each time somebody asks."""
    methods: Mapping[str, Callable[..., Any]]
    indexed: bool
    """Whether it has items."""


class Generator(CodeGenerator):
    """Evaluates nothing while it compiles."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.optimizer = None
        self.parts: list[int] = []  # of the macros around

    def _output_child_to_const(self, node: nodes.Expr, frame: Any, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def _output_child_pre(self, node: nodes.Expr, frame: Any, finalize: Any) -> None:  # noqa: ARG002
        self.write("printed(")

    def macro_body(self, node: Any, frame: Any) -> Any:
        self.parts.append(weight_of([*node.body, *node.defaults]))
        body = super().macro_body(node, frame)
        self.parts.pop()
        return body

    def return_buffer_contents(self, frame: Any, force_unescaped: bool = False) -> None:  # noqa: ARG002
        self.writeline(f"return concat({frame.buffer}, {self.parts[-1]})")

    def write_commons(self) -> None:
        self.writeline("printed = environment.printed")
        super().write_commons()


class LightContext(Context):
    """What an evaluation sees, made again for each: without inheritance, imports and escaping there is little to it."""

    def __init__(self, environment: Any, parent: dict[str, Any], name: Any, blocks: Any, globals: Any = None) -> None:  # noqa: A002, ARG002
        self.parent, self.vars, self.blocks, self.exported_vars = parent, {}, {}, set()
        self.environment, self.eval_ctx, self.name = environment, environment.eval_ctx, name


class Environment(SandboxedEnvironment):
    """Templates see data and call what is listed, and all they do is counted."""

    code_generator_class = Generator
    context_class = LightContext
    eval_ctx: EvalContext
    concat = staticmethod(concat)  # type: ignore[assignment]  # of lists alone, as templates are compiled here
    printed = staticmethod(printed)
    intercepted_binops = frozenset(OPERATORS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        kind = type(obj)
        if attribute in _fields.get(kind, ()):  # what most ask for
            return getattr(obj, attribute)
        seen = _seen.get(kind) or _look_at(kind)
        if attribute in seen.fields:  # of a type that is new
            return getattr(obj, attribute)
        if attribute in seen.derived:
            return self.derived(obj, attribute)
        if attribute in seen.methods:
            return Method(seen.methods[attribute], obj)
        if isinstance(obj, dict):
            return self.getitem(obj, attribute)
        if kind is Namespace and not attribute.startswith("_"):
            return getattr(obj, attribute, self.undefined(obj=obj, name=attribute))
        return self.missing(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        kind = type(obj)
        seen = _seen.get(kind) or _look_at(kind)
        if seen.indexed:
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        if isinstance(argument, str):
            if argument in seen.fields:
                return getattr(obj, argument)
            if argument in seen.derived:
                return self.derived(obj, argument)
        return self.missing(obj, argument)

    def derived(self, obj: Any, name: str) -> Any:
        made = getattr(obj, name)
        spend(len(made) // LETTERS_A_STEP if isinstance(made, str) else len(made) if isinstance(made, tuple) else 1)
        return made

    def missing(self, obj: Any, name: Any) -> Any:
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()  # noqa: SLF001  # which says what is not defined: not this, but what it is asked of
        return self.undefined(obj=obj, name=name)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        kwargs.pop("_loop_vars", None)  # Jinja's own, for functions that take a context
        kind = type(obj)
        if kind is Macro or kind is Role:
            return obj(*args, **kwargs)
        if kind is Method:
            return obj.call(obj.of, *args, **kwargs)
        if kind is Function:
            return charged(obj.call(*args, **kwargs))
        if isinstance(obj, Undefined):
            obj._fail_with_undefined_error()  # noqa: SLF001
        raise SecurityError(f"a {kind.__name__} cannot be called")

    def result(self, value: Any) -> Any:
        """What an expression gives: data."""
        if isinstance(value, Undefined):
            str(value)  # strict: says what is not defined
        if isinstance(value, (Macro, Role, Function, Method, Namespace)):
            raise SecurityError(f"a {type(value).__name__.lower()} is no value; to call it, write brackets")
        return value

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        return charged(OPERATORS[operator](left, right))

    def _tokenize(self, source: str, name: str | None, filename: str | None = None, state: str | None = None) -> Any:
        tokens = super()._tokenize(source, name, filename, state)
        return TokenStream(_counted(tokens), name, filename)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(bounded(source), *args, **kwargs)


def make_environment() -> Environment:
    """A new environment."""
    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, optimized=False)
    made.eval_ctx = EvalContext(made)
    made.filters = {**FILTERS, **INTERNAL}
    made.tests = dict(TESTS)
    made.globals = {"range": Function("range", _range), "namespace": Function("namespace", Namespace)}
    return made


def _range(*limits: int) -> range:
    numbers = range(*limits)
    if len(numbers) > MOST_RANGE:
        raise Refused(f"a range of {len(numbers):,} numbers: {MOST_RANGE:,} at most")
    return numbers


def _counted(tokens: Iterable[Token]) -> Iterator[Token]:
    """Tokens up to a number: each takes some 20 µs to parse."""
    for count, token in enumerate(tokens):
        if count > MOST_TOKENS:
            raise TemplateSyntaxError(f"its tags have more than {MOST_TOKENS:,} words and signs", token.lineno)
        yield token


_seen: dict[type, _Seen] = {}
_fields: dict[type, frozenset[str]] = {}


def _look_at(kind: type) -> _Seen:
    """What templates see of values of a type; looked up once."""
    fields: Iterable[str] = ()
    derived: Iterable[str] = ()
    if issubclass(kind, BaseModel):
        fields = kind.__pydantic_fields__
        derived = [
            n
            for n, v in inspect.getmembers_static(kind)
            if isinstance(v, property) and not n.startswith(("_", "model_"))
        ]
    elif issubclass(kind, tuple):
        fields = getattr(kind, "_fields", ())
    elif issubclass(kind, LoopContext):
        fields = _LOOP
    methods = next((methods for of, methods in METHODS.items() if issubclass(kind, of)), {})
    indexed = issubclass(kind, (str, list, tuple, dict, range))
    _fields[kind] = frozenset(fields)
    seen = _seen[kind] = _Seen(_fields[kind], frozenset(derived), methods, indexed)
    return seen


_LOOP = ("index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem")
