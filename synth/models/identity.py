"""What a function is, as one hash that changes when the function does.

Counted are the bytecode and constants of the function and of everything of yours that it uses by name: helpers, classes,
global and closed-over values, defaults, the arguments of a `functools.partial`, the attributes of the object that a method
belongs to. Code that is installed (the standard library, site-packages) counts by its name. Not counted are line numbers,
file paths and comments, secrets (an API key does not change what is asked), and what the function itself changes while it
runs (a counter, a log). What cannot be seen, such as the weights behind an object, is listed.
"""

from __future__ import annotations

import dis
import functools
import inspect
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path, PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from synth.records import content_id
from synth.records.identity import canonical_json

__all__ = ["Identity", "identity_of"]


class Identity(NamedTuple):
    """What a function is."""

    hash: str
    """16 hexadecimal digits."""
    readable: bool
    """Whether there is Python code to read; if not, the hash is that of a name."""
    unseen: tuple[str, ...]
    """What the function uses, by name and type, whose changes the hash does not show."""


def identity_of(function: Callable[..., Any]) -> Identity:
    """The identity of a function, method, partial or callable object; equal in every process of one Python version."""
    reader = _Reader()
    content = reader.value("", function)
    called = _called(function)
    readable = isinstance(called, FunctionType) or _is_own(called)
    if isinstance(called, FunctionType) and _is_installed(called.__code__.co_filename):
        reader.unseen[f"{called.__module__}.{called.__qualname__} (which is installed)"] = None
    return Identity(content_id(content)[-16:], readable, tuple(filter(None, reader.unseen)))


def _called(function: Any) -> Any:
    """What is called in the end: without partials, methods and decorators written in C."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, _CACHE):
            function = function.__wrapped__
        else:
            return function


_CACHE = type(functools.cache(lambda: None))
"""Of functions that `functools.cache` and `lru_cache` wrap."""
_INSTALLED = tuple(
    str(path) + os.sep
    for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), Path(__file__).parents[1])
)


def _is_installed(file: str) -> bool:
    """Whether a file of code belongs to Python, to a package that was installed, or to synth."""
    return file.startswith((*_INSTALLED, "<frozen ")) or "site-packages" in file or "dist-packages" in file


def _is_own_module(name: str) -> bool:
    """Whether a module, which need not be imported yet, is the user's own."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return False
    module = sys.modules.get(name) or sys.modules.get(top)
    with suppress(ImportError, ValueError):
        file = getattr(module, "__file__", None) if module is not None else getattr(find_spec(top), "origin", None)
        return file is None or not _is_installed(file)
    return True


def _is_own(value: Any) -> bool:
    """Whether a class, or the class of an object, is the user's own."""
    kind = value if isinstance(value, type) else type(value)
    return kind.__module__ == "__main__" or _is_own_module(kind.__module__)


_BY_REPR = (float, complex, Decimal, Fraction, date, time, timedelta, tzinfo, PurePath, range, slice, type(...))
"""Types whose `repr` says all."""
_ASIDE = frozenset({"logging", "threading", "_thread", "asyncio", "concurrent", "typing", "types"})
"""Modules whose objects (loggers, locks, types) decide nothing about a reply."""
_SECRET = re.compile(r"(api|access|auth|secret|hf)_?(key|token)$|password|secret|^token$", re.IGNORECASE)
"""Names of what says who asks and pays, not what is asked: as in the replay key, it does not count."""


class _Reader:
    """Turns values into JSON for the hash, each object once."""

    def __init__(self) -> None:
        self.unseen: dict[str, None] = {}
        self._open: dict[int, int] = {}
        """Objects that are being read, by id, with how deep they lie: one that refers to itself is known by that."""
        self._read: dict[int, tuple[str, Any]] = {}
        """Hashes of objects that were read, by id; the objects are kept, so that no id is used twice."""

    def value(self, name: str, value: Any, *, fills_dicts: bool = False) -> Any:
        """A value as JSON; `name` is what the function calls it, `fills_dicts` whether it may change dictionaries."""
        if name and _SECRET.search(name):
            return "secret"
        if value is None or isinstance(value, (bool, str)):
            return [type(value).__name__, repr(value)]
        if isinstance(value, int) and not isinstance(value, Enum):
            return ["int", hex(value)]
        if isinstance(value, (bytes, bytearray)):
            return ["bytes", value.hex()]
        if isinstance(value, _BY_REPR):
            return [type(value).__name__, repr(value)]
        if isinstance(value, Enum):
            return ["enum", type(value).__qualname__, value.name, self.value(name, value.value)]
        if isinstance(value, re.Pattern):
            return ["pattern", repr(value.pattern), value.flags]
        if isinstance(value, ModuleType):
            if _is_own_module(value.__name__):
                self.unseen[f"the module {value.__name__}"] = None
            return ["module", value.__name__]
        if isinstance(value, CodeType):
            return self._code(value)
        if (depth := self._open.get(id(value))) is not None:
            return ["within", depth]
        if id(value) not in self._read:
            self._open[id(value)] = len(self._open)
            self._read[id(value)] = content_id(self._object(name, value, fills_dicts=fills_dicts)), value
            del self._open[id(value)]
        return self._read[id(value)][0]

    def _object(self, name: str, value: Any, *, fills_dicts: bool) -> Any:
        """An object that may refer to others, hashed by the caller: JSON may be nested only so deep."""
        if isinstance(value, dict) and not fills_dicts:
            return [
                "dict",
                [[self.value("", k), self.value(k if isinstance(k, str) else name, v)] for k, v in value.items()],
            ]
        if isinstance(value, (list, tuple)):
            return [type(value).__name__, [self.value(name, item) for item in value]]
        if isinstance(value, (set, frozenset)):
            return ["set", sorted((self.value(name, item) for item in value), key=canonical_json)]
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, functools.partial):
            keywords = [[key, self.value(key, given)] for key, given in sorted(value.keywords.items())]
            return ["partial", self.value(name, value.func), self.value(name, value.args), keywords]
        if isinstance(value, MethodType):
            return ["method", self.value(name, value.__func__), self.value("self", value.__self__)]
        if isinstance(value, _CACHE):
            return ["cache", self.value(name, value.__wrapped__)]
        if isinstance(value, (staticmethod, classmethod)):
            return [type(value).__name__, self.value(name, value.__func__)]
        if isinstance(value, property):
            return ["property", [self.value(name, part) for part in (value.fget, value.fset, value.fdel)]]
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, BuiltinFunctionType):
            of = value.__self__
            known = of is None or isinstance(of, ModuleType)
            return ["installed", value.__module__ if known else self.value("self", of), value.__qualname__]
        if _is_own(value) and hasattr(value, "__dict__"):
            return self._instance(value)
        if type(value).__module__.partition(".")[0] in _ASIDE:
            return ["aside", _name_of(type(value))]
        self.unseen[f"{name} ({_name_of(type(value))})" if name else ""] = None
        return ["unseen", _name_of(type(value)), getattr(value, "__qualname__", "")]

    def _function(self, function: FunctionType) -> Any:
        code = function.__code__
        if _is_installed(code.co_filename):
            return ["installed", function.__module__, function.__qualname__]
        uses = _Uses(code)
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        known: dict[str, Any] = {n: function.__globals__[n] for n in uses.globals if n in function.__globals__}
        known |= {n: cell.cell_contents for n, cell in cells.items() if not _is_empty(cell)}
        for name, module in list(known.items()):
            if isinstance(module, ModuleType) and uses.attributes.get(name) and _is_own_module(module.__name__):
                del known[name]
                known |= {f"{name}.{a}": getattr(module, a) for a in uses.attributes[name] if hasattr(module, a)}
        self.unseen |= {f"the module {name}": None for name in sorted(uses.imports) if _is_own_module(name)}
        return [
            "function",
            self._code(code),
            self.value("a default", function.__defaults__),
            self._named(function.__kwdefaults__ or {}, uses),
            self._named(known, uses),
        ]

    def _named(self, values: Mapping[str, Any], uses: _Uses) -> Any:
        """Values by name, but for those that the code changes."""
        left = sorted((n, v) for n, v in values.items() if n not in uses.changed)
        return [[name, self.value(name, value, fills_dicts=uses.fills_dicts)] for name, value in left]

    def _class(self, kind: type) -> Any:
        if not _is_own(kind):
            return ["installed", _name_of(kind)]
        own = {n: v for n, v in vars(kind).items() if not n.startswith("__") or callable(getattr(v, "__func__", v))}
        members = [[n, self.value(n, v)] for n, v in sorted(own.items()) if _says_something(v)]
        return ["class", kind.__qualname__, [self.value("", base) for base in kind.__bases__], members]

    def _instance(self, value: Any) -> Any:
        methods = [m for kind in type(value).__mro__ if _is_own(kind) for m in vars(kind).items()]
        codes = [f.__code__ for n, m in methods if isinstance(f := _called(m), FunctionType) and n not in _MAKES]
        return ["instance", self.value("", type(value)), self._named(vars(value), _Uses(*codes))]

    def _code(self, code: CodeType) -> Any:
        """Code without its place: file, lines, and the name it goes by."""
        return [
            "code",
            code.co_code.hex(),
            code.co_exceptiontable.hex(),
            code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS),
            [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount],
            [*code.co_names, "", *code.co_varnames, "", *code.co_freevars],
            [self._constant(constant) for constant in code.co_consts],
        ]

    def _constant(self, constant: Any) -> Any:
        """A constant; these are values, and equal ones may or may not be one object."""
        if isinstance(constant, tuple):
            return ["tuple", [self._constant(item) for item in constant]]
        if isinstance(constant, frozenset):
            return ["set", sorted((self._constant(item) for item in constant), key=canonical_json)]
        return self.value("", constant)


def _is_empty(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # looking is what raises
    except ValueError:
        return True
    return False


def _says_something(value: Any) -> bool:
    """Whether a member of a class is code or data, and none of the machinery of classes."""
    code = (FunctionType, staticmethod, classmethod, property, type, functools.partial)
    data = (str, bytes, int, float, list, tuple, dict, set, frozenset, re.Pattern)
    return value is None or isinstance(value, (*code, *data))


def _name_of(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


_MAKES = frozenset({"__init__", "__new__", "__post_init__"})
_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_ATTR", "LOAD_METHOD"})
_CHANGING = frozenset(
    {"add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft"}
    | {"remove", "reverse", "setdefault", "sort", "update"}
)
"""Methods that change a list, a set, a dictionary or a deque."""


class _Uses:
    """What code uses by name, read off its bytecode and that of the functions within it."""

    def __init__(self, *codes: CodeType) -> None:
        self.globals: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        """What is taken of each global or closed-over name."""
        self.imports: set[str] = set()
        """Modules that are imported within."""
        self.changed: set[str] = set()
        """Globals, variables of outer functions and attributes of `self` that the code assigns, or calls a changing method of."""
        self.fills_dicts = False
        """Whether it assigns items of something: which dictionary that is cannot be seen."""
        for code in codes:
            self._read(code)

    def _read(self, code: CodeType) -> None:
        before: dis.Instruction | None = None
        for instruction in dis.get_instructions(code):
            op, name = instruction.opname, instruction.argval
            if op in {"LOAD_GLOBAL", "LOAD_NAME"}:
                self.globals.add(name)
            elif op == "IMPORT_NAME":
                self.imports.add(name)
            elif op in {"STORE_SUBSCR", "DELETE_SUBSCR"}:
                self.fills_dicts = True
            elif _assigns(op, name, before, code):
                self.changed.add(name)
            elif op in {"LOAD_ATTR", "LOAD_METHOD"} and before is not None and before.opname in _LOADS:
                self.attributes.setdefault(before.argval, set()).add(name)
                if name in _CHANGING:
                    self.changed.add(before.argval)
            before = instruction
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._read(constant)


def _assigns(op: str, name: Any, before: dis.Instruction | None, code: CodeType) -> bool:
    """Whether an instruction assigns a global, a variable of an outer function, or an attribute of `self`."""
    if op == "STORE_ATTR":
        return before is not None and _is_self(before, code)
    return op in {"STORE_GLOBAL", "DELETE_GLOBAL"} or (op == "STORE_DEREF" and name in code.co_freevars)


def _is_self(instruction: dis.Instruction, code: CodeType) -> bool:
    """Whether what is assigned an attribute is the first argument; `self.n += 1` swaps before it assigns."""
    loaded = instruction.argval[-1] if isinstance(instruction.argval, tuple) else instruction.argval
    return instruction.opname == "SWAP" or (
        instruction.opname.startswith("LOAD_FAST") and (loaded,) == code.co_varnames[:1]
    )
