"""Who imports whom, read from the sources: one way only, and no circles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(file for package in ("zoo", "tuning") for file in (ROOT / package).rglob("*.py"))


def name_of(file: Path) -> str:
    """The dotted name of a module's file."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(file): file for file in FILES}


def imports(node: ast.AST) -> Iterator[str]:
    """Our modules that a source imports: at its top, in its functions, and for its types."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name in MODULES)
        elif isinstance(child, ast.ImportFrom) and child.module:
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                if inner in MODULES:
                    yield inner
                elif child.module in MODULES:
                    yield child.module
        else:
            yield from imports(child)


@cache
def graph() -> dict[str, set[str]]:
    """{module: what it imports}; read by the process that tests it, not by all that collect it."""
    return {
        name: set(imports(ast.parse(file.read_text(encoding="utf-8")))) - {name}
        for name, file in MODULES.items()
    }


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of more than one node that all reach each other (Tarjan 1972), each sorted."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = [stack.pop()]
            while group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(graph) == [["b", "c"]]


def test_no_circle_of_imports() -> None:
    assert circles(graph()) == []


def test_zoo_does_not_import_tuning() -> None:
    """Save the verb `tune`, and `zoo.tune` and `zoo.search` of Python."""
    wrong = {
        name: sorted(other for other in others if other.partition(".")[0] == "tuning")
        for name, others in graph().items()
        if name.partition(".")[0] == "zoo"
    }
    assert {name for name, others in wrong.items() if others} <= {
        "zoo.cli.tune",
        "zoo.api.searching",
    }


# Package -> the packages of zoo that its modules may not import.
FORBIDDEN = {
    "zoo.recipe": ("zoo.plan", "zoo.model", "zoo.datasets", "zoo.training", "zoo.checks"),
    "zoo.plan": ("zoo.model", "zoo.training", "zoo.checks"),
    "zoo.checks.judge": (
        "zoo.recipe",
        "zoo.plan",
        "zoo.model",
        "zoo.training",
        "zoo.checks.measure",
    ),
    # The command line and Python are two faces of the verbs, which know neither.
    "zoo.verbs": ("zoo.cli", "zoo.api"),
    "zoo.cli": ("zoo.api",),
    "zoo.api": ("zoo.cli",),
    "zoo.report": ("zoo.model", "zoo.training", "zoo.checks", "zoo.datasets", "zoo.batches"),
}


@pytest.mark.parametrize("package, others", FORBIDDEN.items())
def test_flow_is_one_way(package: str, others: tuple[str, ...]) -> None:
    wrong = [
        f"{name} imports {target}"
        for name, targets in graph().items()
        if name == package or name.startswith(f"{package}.")
        for target in sorted(targets)
        if any(target == other or target.startswith(f"{other}.") for other in others)
    ]
    assert wrong == []
