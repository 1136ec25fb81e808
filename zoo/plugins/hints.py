"""Turns type hints in a syntax tree into types that pydantic checks. Runs nothing. Light.

Numbers, text, booleans, `Literal`, `None`, lists and tuples of these, unions, and `Annotated` with
limits are checked. Of every other hint nothing is known before the code runs: any value passes.
"""

from __future__ import annotations

import ast
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import Field, PlainValidator, TypeAdapter, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from zoo.plugins.syntax import Module
from zoo.recipe.fields import AS_READ, tuple_of
from zoo.recipe.shown import received

PLAIN: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool}
_LISTS = ("list", "List", "tuple", "Tuple", "Sequence", "Iterable", "Collection")
_LIMITS = {"Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt"}
MAX_LEVELS = 8  # Of hints in hints, and of names that stand for hints.
# Hints of what no recipe can hold.
_NEVER = ("Callable", "Layer", "Model", "Tensor", "ndarray", "Module", "Generator", "Path")


class NotInYaml(Exception):
    """A hint of what a recipe cannot hold; its text names it."""


def type_of(node: ast.expr | None, default: Any, module: Module) -> Any:
    """The type of an option.

    Args:
        node: its hint; None where there is none.
        default: its default; `...` where there is none or it is unknown.
        module: that holds the hint.

    Raises:
        NotInYaml: no recipe can hold such a value.
    """
    if node is None:
        known = type(default)
        return known if known in PLAIN.values() and default is not ... else Any
    hint = _type(_parsed(node), module, 0)
    return Optional[hint] if default is None and hint is not Any else hint  # noqa: UP045


def _parsed(node: ast.expr) -> ast.expr:
    """The expression of a hint that is written in quotes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return node
    return node


def _type(node: ast.expr, module: Module, level: int) -> Any:
    if level > MAX_LEVELS:
        return Any
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right], module, level)
    if isinstance(node, ast.Subscript):
        return _subscripted(node, module, level)
    name = module.dotted(node).rpartition(".")[2]
    if isinstance(node, ast.Name) and node.id in module.assignments:
        return _type(module.assignments[node.id], module, level + 1)
    if name in _NEVER:
        raise NotInYaml(ast.unparse(node))
    if name in ("list", "tuple"):
        return tuple_of(Any)
    return PLAIN.get(name, Any)


def _subscripted(node: ast.Subscript, module: Module, level: int) -> Any:
    name = module.dotted(node.value).rpartition(".")[2]
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        values = [item.value for item in inner if isinstance(item, ast.Constant)]
        return Literal[tuple(values)] if values else Any
    if name == "Optional":
        return _union([*inner, ast.Constant(None)], module, level)
    if name == "Union":
        return _union(inner, module, level)
    if name == "Annotated":
        limits: dict[str, Any] = {}
        for item in inner[1:]:
            limits |= _limits(item, module)
        kind = _type(inner[0], module, level + 1)
        return Annotated[kind, Field(**limits)] if limits and kind in (int, float) else kind
    if name in _NEVER:
        raise NotInYaml(ast.unparse(node))
    if name in _LISTS:
        kinds = [_type(item, module, level + 1) for item in inner if not _is_ellipsis(item)]
        if not kinds:  # tuple[()]
            return tuple_of(Any)
        if name.lower() == "tuple" and not _is_ellipsis(inner[-1]):
            return _checked(tuple[tuple(kinds)], node)  # type: ignore[misc]
        return tuple_of(kinds[0])
    if name in ("dict", "Dict", "Mapping") and len(inner) == 2:
        key, value = (_type(item, module, level + 1) for item in inner)
        return _checked(dict[key, value], node)  # type: ignore[valid-type]
    return Any


def _union(nodes: list[ast.expr], module: Module, level: int) -> Any:
    """The type of a union; of one with None, pydantic's own, whose errors the recipe explains."""
    kinds, unknown = [], False
    for node in nodes:
        try:
            kinds.append(_type(node, module, level + 1))
        except NotInYaml:
            unknown = True  # The other types can still be given.
    if unknown and not [kind for kind in kinds if kind is not None]:
        raise NotInYaml(" | ".join(map(ast.unparse, nodes)))
    if Any in kinds:
        return Any
    others = [kind for kind in kinds if kind is not None]
    if len(others) == 1:
        return Optional[others[0]] if None in kinds else others[0]  # noqa: UP045
    text = ast.parse(" | ".join(map(ast.unparse, nodes)), mode="eval").body
    return _checked(Union[tuple(kinds)], text)  # noqa: UP007 (made at run time)


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _limits(node: ast.expr, module: Module) -> dict[str, float]:
    """The limits of `Field(ge=0)` or `Ge(0)`."""
    if not isinstance(node, ast.Call):
        return {}
    name = module.dotted(node.func).rpartition(".")[2]
    found = {key.arg: literal(key.value) for key in node.keywords if key.arg in _LIMITS.values()}
    if name in _LIMITS and node.args:
        found[_LIMITS[name]] = literal(node.args[0])
    return {str(key): value for key, value in found.items() if isinstance(value, int | float)}


def literal(node: ast.expr) -> Any:
    """The value of a literal; `...` for an expression that only running it would tell."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ...


def _checked(kind: Any, node: ast.expr) -> Any:
    """A type whose errors are one sentence, with the hint as it is written."""
    adapter: TypeAdapter[Any] | None = None
    text = ast.unparse(node)

    def read(value: Any) -> Any:
        nonlocal adapter
        adapter = adapter or TypeAdapter(kind)
        try:
            # JSON's rules, strict: a list is a tuple, "3" is not 3.
            return adapter.validate_python(_tuples(value), strict=True)
        except ValidationError:
            raise PydanticCustomError(
                "own_type",
                "wrong type. Expected {hint}. Received {given}",
                {"hint": text, "given": received(value)},
            ) from None

    return Annotated[
        Any, PlainValidator(read), AS_READ, WithJsonSchema({"description": f"Type: {text}."})
    ]


def _tuples(value: Any) -> Any:
    """A value with tuples for lists: what a recipe's list stands for in a hint."""
    if isinstance(value, list | tuple):
        return tuple(map(_tuples, value))
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
