"""Reads classes and functions from Python's syntax tree. Runs and imports nothing. Light."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from zoo.plugins import source
from zoo.plugins.source import Source
from zoo.plugins.unknown import Unknown
from zoo.text.printable import quoted

MAX_HOPS = 10  # Imports that a name is followed through.
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A file, parsed.

    Attributes:
        source: its text.
        tree: its syntax tree.
        name: dotted name of an installed module; empty for a file of the user's.
        root: folder of the package that holds it; None for a file of the user's, beside which no
            other is found.
    """

    source: Source
    tree: ast.Module = field(repr=False, compare=False)
    name: str = ""
    root: Path | None = None

    @cached_property
    def definitions(self) -> dict[str, Definition]:
        """The classes and functions at the top of the module."""
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        return {node.name: node for node in _top(self.tree.body) if isinstance(node, kinds)}

    @cached_property
    def assignments(self) -> dict[str, ast.expr]:
        """The values that names at the top of the module are given."""
        found: dict[str, ast.expr] = {}
        for node in _top(self.tree.body):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = node.value
            elif (
                isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
            ):
                found[node.target.id] = node.value
        return found

    @cached_property
    def imports(self) -> dict[str, str]:
        """Imported names -> what they stand for, dotted: `layers` -> `keras.layers`."""
        found: dict[str, str] = {}
        for node in _top(self.tree.body):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    found[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                found |= {
                    alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names
                }
        return found

    def _base(self, node: ast.ImportFrom) -> str:
        """The module that `from ... import` names, dots in front resolved."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        if self.source.file.name != "__init__.py":
            parts = parts[:-1]
        kept = parts[: len(parts) - (node.level - 1)]
        return ".".join([*kept, *([node.module] if node.module else [])])

    def dotted(self, node: ast.expr) -> str:
        """What an expression such as `layers.Layer` stands for; empty: no dotted name."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            inner = self.dotted(node.value)
            return f"{inner}.{node.attr}" if inner else ""
        if isinstance(node, ast.Subscript):  # Generic[T]
            return self.dotted(node.value)
        return ""


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those below `if` and `try` included."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _top([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handlers = [each for handler in node.handlers for each in handler.body]
            yield from _top([*node.body, *handlers, *node.orelse])


def parsed(file: Path, name: str = "", root: Path | None = None) -> Module:
    """Parses a file.

    Raises:
        Unknown: it cannot be read, or is no Python.
    """
    return _parsed(source.read(file, installed=root is not None), name, root)


@lru_cache(64)
def _parsed(text: Source, name: str, root: Path | None) -> Module:
    try:
        tree = ast.parse(text.text, filename=str(text.file))
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise Unknown(f"{quoted(text.file)}{line}: {error.msg}. Expected valid Python.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "it is nested too deeply"
        raise Unknown(f"{quoted(text.file)} cannot be parsed: {reason}.") from None
    return Module(text, tree, name, root)


def find(module: Module, name: str) -> tuple[Module, Definition] | None:
    """The definition of a name, followed through imports within an installed package.

    Returns:
        The module that holds it and the definition; None where there is none.

    Raises:
        Unknown: a module on the way cannot be read.
    """
    for _ in range(MAX_HOPS):
        if name in module.definitions:
            return module, module.definitions[name]
        target = module.imports.get(name, "")
        if module.root is None or not target.startswith(f"{module.name.partition('.')[0]}."):
            return None
        further, name = _module_of(module.root, target)
        if further is None:
            return None
        module = further
    return None


def _module_of(root: Path, target: str) -> tuple[Module | None, str]:
    """The module of a dotted name, and the name in it."""
    place, _, name = target.rpartition(".")
    folder = root.joinpath(*place.split("."))
    for file in (folder / "__init__.py", folder.with_suffix(".py")):
        if file.is_file():
            return parsed(file, place, root), name
    return None, name
