"""How verbs prepare the backend: they tell what was chosen, and resume with the run's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import call, require_error_document
from tuning import search
from zoo import backend
from zoo.errors import EnvironmentFault
from zoo.rundir import Run, Search, write_json

Say = Callable[[str], None]
TOLD = "backend   jax: for a test"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Which backends were preferred; whatever asks is told a line and goes no further."""
    preferences: list[str | None] = []

    def ask(preferred: str | None = None, say: Say | None = None, **_: Any) -> None:
        preferences.append(preferred)
        if say is not None:
            say(TOLD)
        raise EnvironmentFault("as far as the test goes")

    monkeypatch.setattr(backend, "prepare", ask)
    monkeypatch.setattr(search, "settle", lambda preferred, say: ask(preferred, say))
    return preferences


def run_folder(folder: Path) -> Run:
    """A run that was interrupted on JAX, as far as a verb looks before it loads the backend."""
    run = Run.create(folder / "runs", "small")
    run.update(
        status="interrupted", name="small", backend="jax", recipe_hash="0" * 64,
        versions={"keras": "3"}, class_names=["a", "b"],
        data={"fingerprint": "0" * 64, "train": 2, "validation": 2, "test": None},
    )  # fmt: skip
    run.recipe_file.write_text((folder / "small.yaml").read_text())
    run.model_file.touch()
    return run


@pytest.mark.parametrize(
    "arguments, preferred",
    [
        (("train", "RECIPE"), None),
        (("train", "--resume", "RUN"), "jax"),
        (("check", "RECIPE"), None),
        (("evaluate", "RUN"), None),
        (("predict", "RUN", "IMAGE"), None),
        (("tune", "RECIPE"), None),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_the_choice_is_told_on_stderr(
    arguments: tuple[str, ...],
    preferred: str | None,
    asked: list[str | None],
    minimal: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.png").touch()
    files = {"RECIPE": minimal, "IMAGE": tmp_path / "x.png", "RUN": run_folder(tmp_path).folder}
    result = call(*[files.get(word, word) for word in arguments], "--json")
    require_error_document(result, 4, "environment", "as far as the test goes")
    assert result.stderr.splitlines()[-1] == TOLD
    assert asked == [preferred]


def test_a_search_is_resumed_with_its_backend(
    asked: list[str | None], minimal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file tune.json, written by hand here, says which."""
    monkeypatch.chdir(tmp_path)
    folder = Search.create(tmp_path, "small")
    template, _ = search.with_proposal(str(minimal), ())
    folder.recipe_file.write_text(template.dump(), encoding="utf-8")
    info = {"status": "interrupted", "seed": 0, "workers": 1, "lag": 1, "seconds": 0.0}
    info |= {"stages": [], "recipe": json.loads(json.dumps(template.data)), "backend": "jax"}
    write_json(folder.info_file, info)
    assert call("tune", "--resume", folder.folder).exit_code == 4
    assert asked == ["jax"]


def test_a_saved_model_needs_tensorflow(
    asked: list[str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.artifact import layout

    class Export:
        format = "saved_model"

        def manifest(self) -> None:
            pass

    (tmp_path / "x.png").touch()
    monkeypatch.setattr(layout, "find_export", lambda path: Export())
    assert call("predict", tmp_path, tmp_path / "x.png").exit_code == 4
    assert asked == ["tensorflow"]
