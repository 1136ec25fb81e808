"""Runs the blocks of docs/python.md in order, in a folder, and compares values. Prints JSON.

An expression that a comment follows in its line must have that value. What was wrong is printed,
with the line of the page.

usage: python_page.py FOLDER
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str) -> list[tuple[int, str]]:
    """The blocks of a page, each with the number of the line before it."""
    found = BLOCK.finditer(text)
    return [(text.count("\n", 0, match.start(1)), match[1]) for match in found]


def run(text: str) -> tuple[int, list[str]]:
    """Runs all blocks; returns the number of values that were compared, and what was wrong."""
    names: dict[str, Any] = {"__name__": "__main__"}
    compared, wrong = 0, []
    for before, block in blocks(text):
        lines = block.splitlines()
        for node in ast.parse(block).body:
            end = node.end_lineno or node.lineno
            comment = lines[end - 1].encode()[node.end_col_offset :].decode().strip()
            if not isinstance(node, ast.Expr):
                exec(compile(ast.Module([node], []), f"line {before + node.lineno}", "exec"), names)
                continue
            value = eval(compile(ast.Expression(node.value), f"line {before + end}", "eval"), names)
            value = value.item() if hasattr(value, "item") else value  # np.True_ is True.
            if comment:
                compared += 1
                if repr(value) != comment.removeprefix("# "):
                    wrong.append(f"line {before + end}: {value!r}, not {comment}")
    return compared, wrong


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    compared, wrong = run(PAGE.read_text(encoding="utf-8"))
    print(json.dumps({"compared": compared, "wrong": wrong}))


if __name__ == "__main__":
    main()
