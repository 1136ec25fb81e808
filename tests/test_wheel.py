"""What `pip install` puts on a machine works without the checkout: code, recipes and command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.calls import TRAIN_KEYS

pytestmark = pytest.mark.slow

SOURCES = ("zoo", "tuning", "recipes", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def run(command: Sequence[str | Path], cwd: Path, silent: bool = False) -> str:
    """What a command prints on stdout; a silent one prints nothing on stderr."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not silent or done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of the sources: an old build/ in the checkout must not get into it."""
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        here = root / name
        if here.is_dir():
            shutil.copytree(here, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif here.is_file():
            shutil.copy(here, source / name)
    out = tmp_path_factory.mktemp("wheel")
    # Without isolation nothing is downloaded: setuptools is in the environment of the tests.
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, source]
    run([sys.executable, "-m", "pip", *build], source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it, and this one's packages behind it."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", venv], venv.parent)
    python = venv / "bin" / "python"
    install = ["install", "--no-deps", "--no-index", wheel]
    run([sys.executable, "-m", "pip", "--python", python, *install], venv.parent)
    # After the installation, so that pip sees an empty environment.
    (site,) = (venv / "lib").glob("python*/site-packages")
    behind = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "behind.pth").write_text("\n".join(sorted(behind)) + "\n", encoding="utf-8")
    return venv


def test_wheel_holds_what_it_should(wheel: Path, root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"zoo/cli/__init__.py", "zoo/py.typed", "tuning/space.py"} <= names
    assert "zoo/serve/page.html" in names
    recipes = {f"zoo/recipes/{file.name}" for file in (root / "recipes").glob("*.yaml")}
    recipes.add("zoo/recipes/recipe.schema.json")
    assert recipes
    assert recipes <= names
    results = {f"zoo/recipes/results/{f.name}" for f in (root / "recipes/results").glob("*.json")}
    assert results
    assert results <= names
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"zoo", "tuning"}
    assert any(name.endswith("LICENSE") for name in names)


def test_command_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    zoo = installed / "bin" / "zoo"
    place = run([installed / "bin" / "python", "-c", "import zoo; print(zoo.__file__)"], tmp_path)
    assert Path(place.strip()).is_relative_to(installed)
    assert "digits-tiny" in run([zoo, "list"], tmp_path)
    assert "conv1" in run([zoo, "show", "digits-tiny"], tmp_path)
    assert run([zoo, "--version"], tmp_path).startswith("zoo ")


def test_the_main_job_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    """The first command of the README: trained, measured, exported; one JSON document.

    Not a word of a library's gets on stderr.
    """
    command = [installed / "bin" / "zoo", "train", "digits-tiny", "--json", "-q"]
    output = json.loads(run(command, tmp_path, silent=True))
    assert output.keys() == TRAIN_KEYS | {"accuracy", "balanced_accuracy", "test_loss", "export"}
    assert output["status"] == "done"
    assert output["accuracy"] > 0.95
    assert output["export"].keys() == {"path", "format", "bytes", "parity"}
    assert output["export"]["parity"]["passed"]
    assert (tmp_path / output["export"]["path"] / "saved_model.pb").is_file()
