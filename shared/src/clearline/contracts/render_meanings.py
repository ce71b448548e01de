"""What each field means, from the docstrings beside the fields: msgspec's schemas know only those of classes."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from textwrap import dedent
from typing import Any

import msgspec


def with_meanings(definitions: dict[str, Any], bodies: Iterable[type[msgspec.Struct]]) -> dict[str, Any]:
    """The definitions of `bodies`' schemas with a description for each field that has a docstring."""
    structs = {struct.__name__: struct for body in bodies for struct in _structs(msgspec.inspect.type_info(body))}
    return {name: _described(schema, structs.get(name)) for name, schema in definitions.items()}


def _described(schema: dict[str, Any], struct: type[Any] | None) -> dict[str, Any]:
    if struct is None or "properties" not in schema:
        return schema
    meanings = {name: meaning for ancestor in reversed(struct.__mro__) for name, meaning in _meanings(ancestor)}
    fields = {
        name: field | ({"description": meanings[name]} if name in meanings else {})
        for name, field in schema["properties"].items()
    }
    return schema | {"properties": fields}


def _meanings(struct: type[Any]) -> Iterator[tuple[str, str]]:
    if not struct.__module__.startswith("clearline."):
        return
    (definition,) = ast.parse(dedent(inspect.getsource(struct))).body
    assert isinstance(definition, ast.ClassDef)
    for field, beside in zip(definition.body, definition.body[1:], strict=False):
        match field, beside:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)


def _structs(info: Any) -> Iterator[type[Any]]:
    """Every struct that a type is made of."""
    match info:
        case msgspec.inspect.StructType(cls=struct, fields=fields):
            yield struct
            for field in fields:
                yield from _structs(field.type)
        case msgspec.inspect.UnionType(types=types):
            for option in types:
                yield from _structs(option)
        case msgspec.inspect.DictType(value_type=inner):
            yield from _structs(inner)
        case msgspec.inspect.VarTupleType(item_type=inner) | msgspec.inspect.ListType(item_type=inner):
            yield from _structs(inner)
        case msgspec.inspect.Metadata(type=inner):
            yield from _structs(inner)
        case _:
            return
