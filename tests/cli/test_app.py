"""The options of `zoo` itself, and its verbs."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.calls import call
from zoo import __version__
from zoo.cli import app


def test_version() -> None:
    assert call("--version").stdout == f"zoo {__version__}\n"


def test_each_verb_is_a_module_and_stands_in_the_readme(root: Path) -> None:
    verbs = [
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback
    ]
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert set(verbs) == set(re.findall(r"^\| `zoo (\w+)", readme, re.MULTILINE))
    assert all((root / "zoo" / "cli" / f"{verb}.py").is_file() for verb in verbs)
