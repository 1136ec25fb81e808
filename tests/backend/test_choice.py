"""Which backend is taken, and when the user is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from zoo.backend.choice import Choice, choose, keras_json
from zoo.backend.installation import Installation

OBSTACLE = "lacks its CUDA 12 libraries"


def chosen(
    installation: Installation,
    home: Path,
    preferred: str | None = None,
    backend_in_file: object = None,
    **environ: str,
) -> Choice:
    """The choice on a machine, with such a keras.json in the home folder."""
    if backend_in_file is not None:
        (home / ".keras").mkdir(exist_ok=True)
        text = json.dumps({"backend": backend_in_file})
        (home / ".keras/keras.json").write_text(text, encoding="utf-8")
    return choose(preferred, {"HOME": str(home), **environ}, lambda: installation, {})


BOTH = Installation(tensorflow=True, jax=True)
JAX_ALONE_SEES_GPU = Installation(
    tensorflow=True, jax=True, accelerator="NVIDIA GPU", tensorflow_obstacle=OBSTACLE
)


@pytest.mark.parametrize(
    "installation, backend",
    [
        (Installation(tensorflow=False, jax=False), "tensorflow"),
        (Installation(tensorflow=True, jax=False), "tensorflow"),
        (Installation(tensorflow=False, jax=True), "jax"),
        (BOTH, "tensorflow"),
        (Installation(tensorflow=True, jax=True, accelerator="NVIDIA GPU"), "tensorflow"),
        (JAX_ALONE_SEES_GPU, "jax"),
        (
            Installation(
                tensorflow=True, jax=True, accelerator="NVIDIA GPU", tensorflow_obstacle=OBSTACLE,
                jax_obstacle="lacks its CUDA plugin",
            ),
            "tensorflow",
        ),
    ],
)  # fmt: skip
def test_what_is_installed_decides(
    installation: Installation, backend: str, tmp_path: Path
) -> None:
    choice = chosen(installation, tmp_path)
    assert (choice.backend, choice.chosen_by) == (backend, "zoo")
    assert choice.is_news == (backend == "jax")


def test_the_line_says_why_and_how_to_change_it(tmp_path: Path) -> None:
    line = chosen(JAX_ALONE_SEES_GPU, tmp_path).line()
    assert line == (
        "backend   jax: JAX can use the NVIDIA GPU, and TensorFlow lacks its CUDA 12 libraries "
        "(to choose another, set KERAS_BACKEND)"
    )


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_variable_always_wins(backend: str, tmp_path: Path) -> None:
    choice = chosen(JAX_ALONE_SEES_GPU, tmp_path, "jax", "jax", KERAS_BACKEND=backend)
    assert choice == Choice(backend, "KERAS_BACKEND", f"KERAS_BACKEND={backend}")


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert chosen(JAX_ALONE_SEES_GPU, tmp_path, KERAS_BACKEND="").backend == "jax"


def test_what_is_resumed_keeps_its_backend(tmp_path: Path) -> None:
    choice = chosen(JAX_ALONE_SEES_GPU, tmp_path, preferred="tensorflow", backend_in_file="jax")
    assert (choice.backend, choice.is_news) == ("tensorflow", False)


def test_keras_json(tmp_path: Path) -> None:
    """`tensorflow` is what Keras itself writes, and so is nobody's choice."""
    choice = chosen(BOTH, tmp_path, backend_in_file="jax")
    assert (choice.backend, choice.chosen_by, choice.is_news) == ("jax", "keras.json", True)
    assert str(tmp_path / ".keras/keras.json") in choice.line()
    for word in ("tensorflow", "torch", 3):
        assert chosen(JAX_ALONE_SEES_GPU, tmp_path, backend_in_file=word).chosen_by == "zoo"
    (tmp_path / ".keras/keras.json").write_text("{", encoding="utf-8")
    assert chosen(BOTH, tmp_path).backend == "tensorflow"


def test_keras_home(tmp_path: Path) -> None:
    assert keras_json({"KERAS_HOME": str(tmp_path)}) == tmp_path / "keras.json"


def test_imported_keras_has_decided(tmp_path: Path) -> None:
    class Keras:
        class backend:  # noqa: N801  As in Keras.
            backend = staticmethod(lambda: "jax")

    choice = choose(None, {"HOME": str(tmp_path)}, lambda: BOTH, {"keras": Keras})
    assert (choice.backend, choice.chosen_by) == ("jax", "keras")


@pytest.mark.parametrize("variable, lines", [("", 1), ("jax", 0)])
def test_settle_tells_once(variable: str, lines: int, tmp_path: Path) -> None:
    """Children inherit what was settled, and a second question is no news."""
    (tmp_path / "keras.json").write_text('{"backend": "jax"}', encoding="utf-8")
    code = (
        "import os; from zoo.backend.choice import settle; said = []\n"
        "settle(say=said.append); settle(say=said.append)\n"
        "print(os.environ['KERAS_BACKEND'], len(said))\n"
    )
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": variable}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout == f"jax {lines}\n", done.stderr
