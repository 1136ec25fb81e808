"""The command line in this process, and what every answer must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from zoo.cli import app

TRAIN_KEYS = {
    "run", "status", "epochs", "best_epoch", "seconds", "images_per_second", "val_accuracy",
    "monitor", "never_predicted",
}  # fmt: skip


def call(*arguments: str | Path) -> Any:
    """Run the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(result: Any) -> Any:
    """Parse the one JSON document on stdout, which may hold no NaN."""
    return json.loads(result.stdout, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def require_error(result: Any, code: int, part: str) -> None:
    """Require an error in words on stderr, without a traceback."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert part in result.stderr
    assert "Traceback" not in result.stderr


def require_error_document(result: Any, code: int, kind: str, part: str) -> dict[str, Any]:
    """Require an error in the JSON document on stdout."""
    assert result.exit_code == code, result.output
    error = document(result)["error"]
    assert error.keys() == {"kind", "message", "problems"}
    assert error["kind"] == kind
    assert part in error["message"]
    return dict(error)
