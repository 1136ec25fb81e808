"""Makes the model of a part's options from its signature, as its source says it. Light."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, create_model
from pydantic.errors import PydanticUserError

from zoo.plugins.hints import NotInYaml, literal, type_of
from zoo.plugins.syntax import Definition, Module, find
from zoo.plugins.unknown import Unknown
from zoo.recipe.fields import Model

# Arguments of Keras's base classes, which zoo gives or leaves to Keras.
KERAS_ARGUMENTS = ("name", "dtype", "trainable", "activity_regularizer")
_ARGUMENT = re.compile(r"^\s*(\w+)(?:\s*\([^)]*\))?:\s*(\S.*)")


@dataclass(frozen=True)
class Signature:
    """The options of a part.

    Attributes:
        fields: name -> (type, pydantic's field).
        unwritten: names of those whose default only running the code would tell.
        is_open: whether further options may be given, which nobody knows before it runs.
    """

    fields: dict[str, tuple[Any, Any]]
    unwritten: frozenset[str] = frozenset()
    is_open: bool = False


class OwnOptions(Model):
    """Options of a part of the user's own."""

    model_config = ConfigDict(validate_default=True)


class OpenOptions(OwnOptions):
    """Options of a part of which some are known only when it runs."""

    model_config = ConfigDict(extra="allow")


def options_model(word: str, signature: Signature, description: str) -> type[Model]:
    """The model of a part's options.

    Args:
        word: of the part.
        signature: its options.
        description: of the part.
    """
    base = OpenOptions if signature.is_open else OwnOptions
    fields: dict[str, Any] = signature.fields
    with warnings.catch_warnings():
        # Of options that hide an old method of pydantic's, such as `copy`: nothing calls those.
        warnings.filterwarnings("ignore", "Field name .* shadows an attribute in parent")
        return create_model(f"{word}Options", __base__=base, __doc__=description, **fields)


def of_function(module: Module, node: Any, given: int) -> Signature:
    """The options of a function: its arguments but for the first `given`."""
    return _signature(module, node, given, is_open=False)


def of_class(module: Module, node: ast.ClassDef, base_is_plain: bool) -> Signature:
    """The options of a class: the arguments of its constructor, or the fields of a dataclass.

    Args:
        module: that holds it.
        node: the class.
        base_is_plain: whether its outermost base is one without options of its own, such as
            `keras.layers.Layer`.
    """
    for holder, each in lineage(module, node):
        init = next((item for item in each.body if _is_init(item)), None)
        if init is not None:
            is_open = init.args.kwarg is not None and not base_is_plain  # type: ignore[attr-defined]
            return _signature(holder, init, 1, is_open, described_arguments(each))
        if any(_called(holder, item).endswith("dataclass") for item in each.decorator_list):
            return _dataclass(module, node)
    return Signature({}, is_open=not base_is_plain)


def lineage(module: Module, node: ast.ClassDef) -> list[tuple[Module, ast.ClassDef]]:
    """A class and its bases, as far as their source is there: those first that Python asks first.

    Raises:
        Unknown: a class is its own base.
    """
    found: list[tuple[Module, ast.ClassDef]] = []

    def visit(module: Module, node: ast.ClassDef) -> None:
        if any(known is node for _, known in found):
            return
        found.append((module, node))
        for base in node.bases:
            place = find(module, base.id) if isinstance(base, ast.Name) else None
            if place is not None and isinstance(place[1], ast.ClassDef):
                visit(place[0], place[1])

    visit(module, node)
    return found


def _is_init(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__init__"


def _called(module: Module, node: ast.expr) -> str:
    return module.dotted(node.func if isinstance(node, ast.Call) else node)


def _dataclass(module: Module, node: ast.ClassDef) -> Signature:
    fields: dict[str, tuple[Any, Any]] = {}
    unwritten: set[str] = set()
    for holder, each in reversed(lineage(module, node)):
        described = described_arguments(each)
        for item in each.body:
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            if "ClassVar" in ast.unparse(item.annotation):
                continue
            name = item.target.id
            entry = _field(holder, name, item.annotation, item.value, described.get(name, ""))
            if entry is not None:
                fields[name] = entry
                unwritten |= {name} if item.value and literal(item.value) is ... else set()
    return Signature(fields, frozenset(unwritten))


def _signature(
    module: Module,
    node: Any,
    given: int,
    is_open: bool,
    described: dict[str, str] | None = None,
) -> Signature:
    """The options of a function or constructor.

    Args:
        module: that holds it.
        node: the function.
        given: number of arguments in front that are no options.
        is_open: whether `**kwargs` may be options.
        described: what its arguments mean; None: as its own docstring says.
    """
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    defaults = [None] * first_default + list(arguments.defaults)
    pairs = [*zip(positional, defaults, strict=True)][given:]
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    described = described_arguments(node) if described is None else described
    fields: dict[str, tuple[Any, Any]] = {}
    unwritten: set[str] = set()
    for argument, default in pairs:
        name = argument.arg
        if name in KERAS_ARGUMENTS:
            continue
        entry = _field(module, name, argument.annotation, default, described.get(name, ""))
        if entry is not None:
            fields[name] = entry
            unwritten |= {name} if default is not None and literal(default) is ... else set()
    return Signature(fields, frozenset(unwritten), is_open)


def _field(
    module: Module, name: str, hint: ast.expr | None, default: ast.expr | None, description: str
) -> tuple[Any, Any] | None:
    """The type and pydantic's field of an option; None for one that no recipe can give.

    Raises:
        Unknown: such an option is required.
    """
    if name.startswith("_"):
        return None
    if name.startswith("model_") and hasattr(Model, name):
        raise Unknown(
            f"takes {name}, by which pydantic, which checks options, calls something of its own. "
            "Give the argument another name."
        )
    value = literal(default) if default is not None else ...
    try:
        kind = type_of(hint, value if default is not None else ..., module)
    except NotInYaml as error:
        if default is not None:
            return None
        raise Unknown(
            f"{name} takes {error}, which no recipe can hold. Give it a default, or take a number, "
            "a word or a list."
        ) from None
    text = description or f"Of type {ast.unparse(hint)}." if hint is not None else description
    if default is None:
        return kind, Field(..., description=text or None)
    if value is ...:  # Known when it runs: left out, the code's own default holds.
        return Any if kind is Any else kind | None, Field(None, description=text or None)
    return _fitting(kind, value), Field(value, description=text or None)


def _fitting(kind: Any, default: Any) -> Any:
    """The type, if its default is of it; else any: the hint does not say what is meant."""
    if kind is Any:
        return kind
    try:
        TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(default)
    except PydanticUserError:
        return kind
    except ValueError:
        return Any
    return kind


def description_of(node: Definition) -> str:
    """The first paragraph of a docstring, in one line."""
    text = ast.get_docstring(node) or ""
    return " ".join(text.split("\n\n")[0].split())


def described_arguments(node: Any) -> dict[str, str]:
    """The entries of `Args:` or `Attributes:` in a docstring of Google's style, by name.

    A constructor is described in its own docstring or in that of its class.
    """
    found: dict[str, str] = {}
    for each in (node, *getattr(node, "body", ())):
        is_init = each is not node and isinstance(each, ast.FunctionDef) and each.name == "__init__"
        if each is node or is_init:
            found |= _entries(ast.get_docstring(each) or "")
    return found


def _entries(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name, inside, indent = "", False, 0
    for line in text.splitlines():
        if line.strip() in ("Args:", "Attributes:", "Arguments:"):
            inside, name = True, ""
        elif inside and line.strip() and not line.startswith(" "):
            inside = False
        elif inside and (match := _ARGUMENT.match(line)):
            deeper = len(line) - len(line.lstrip()) > indent > 0
            if name and deeper:
                found[name] += f" {line.strip()}"
                continue
            indent = len(line) - len(line.lstrip())
            name = match[1]
            found[name] = match[2].strip()
        elif inside and name and line.strip():
            found[name] += f" {line.strip()}"
    return found
