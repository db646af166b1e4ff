"""What is said under a model's fields, read when somebody wants to know it.

Pydantic's `use_attribute_docstrings` reads the source of every model as it is defined, which is a fifth of a second at
each start.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["field_docs", "json_schema"]


@cache
def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The text under each field of a model, or given as its description; a field without is left out."""
    docs: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if "__pydantic_fields__" not in kind.__dict__:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
        except (OSError, TypeError, SyntaxError, IndexError):  # made at run time
            continue
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, text in pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                docs[field.target.id] = inspect.cleandoc(text.value.value)
    given = {name: field.description for name, field in model.__pydantic_fields__.items() if field.description}
    return {name: text for name, text in {**docs, **given}.items() if name in model.__pydantic_fields__}


def json_schema(model: type[BaseModel], mode: Literal["validation", "serialization"] = "validation") -> dict[str, Any]:
    """The JSON Schema of a model, with what is said under its fields."""
    from pydantic.json_schema import GenerateJsonSchema

    class Documented(GenerateJsonSchema):
        def model_schema(self, schema: Any) -> dict[str, Any]:
            made = super().model_schema(schema)
            for name, text in field_docs(schema["cls"]).items():
                if name in made.get("properties", {}):
                    made["properties"][name].setdefault("description", text)
            return made

    return model.model_json_schema(mode=mode, schema_generator=Documented)
