"""The first answer is quick: no array library, framework or data library until a verb needs one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

HEAVY = (
    "numpy", "keras", "tensorflow", "tensorflow_datasets", "keras_tuner", "jax", "sklearn", "PIL",
    "matplotlib", "scipy", "pandas", "h5py", "uvicorn", "starlette", "orjson", "prometheus_client",
)  # fmt: skip
MISTAKES = """\
nam: x
data: {source: {tfds: cifar10}, color_mode: RGB, preproces: none}
model: {stack: [{conv: {filter: 3}}, {conv: {filters: 0}}]}
train: {epochs: 0, optimizer: sgd, lr: 0.1}
"""
SPACE = """\
name: x
data: {source: digits}
model: {stack: [{conv: {filters: 3}}]}
train: {epochs: 1}
tune:
  space: {train.optimizer.Adam.learning_rate: {min_value: 0, max_value: 1, sampling: log}}
  stages: [{name: one, trials: 1, epochs: 1}]
"""
PROBE = """\
import json, sys
from zoo.cli import main
sys.argv = ["zoo", *sys.argv[1:]]
code = 0
try:
    main()
except SystemExit as exit:
    code = exit.code or 0
print(json.dumps({"code": code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def fresh(*args: str) -> subprocess.CompletedProcess[str]:
    """A command in a fresh interpreter, from the checkout."""
    return subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Recipes with mistakes, by the word that stands for them in VERBS."""
    found = {}
    for name, text in (("MISTAKES", MISTAKES), ("SPACE", SPACE)):
        file = tmp_path / f"{name}.yaml"
        file.write_text(text, encoding="utf-8")
        found[name] = str(file)
    return found


VERBS = [
    pytest.param(["--help"], 0, "Usage", id="help"),
    pytest.param(["--version"], 0, "zoo ", id="version"),
    pytest.param(["train", "--help"], 0, "Usage", id="help of train"),
    pytest.param(["list"], 0, "digits-tiny", id="list"),
    pytest.param(["list", "--json"], 0, '"recipes"', id="list as JSON"),
    pytest.param(["show", "digits-tiny"], 0, "conv1", id="show"),
    pytest.param(["schema"], 0, '"$defs"', id="schema"),
    pytest.param(["show", "MISTAKES"], 2, "did you mean 'filters'?", id="mistakes"),
    pytest.param(["train", "MISTAKES"], 2, "did you mean 'filters'?", id="mistakes in train"),
    pytest.param(["show", "digits-tinny"], 2, "Did you mean 'digits-tiny'?", id="near name"),
    pytest.param(["train", "digits-tiny", "--set", "x"], 2, "PATH=VALUE", id="no change"),
    pytest.param(["serve", "--help"], 0, "Usage", id="help of serve"),
    pytest.param(["serve", "nothing"], 2, "does not exist", id="serve nothing"),
    pytest.param(
        ["export", "--help"], 0, "saved_model, keras, onnx or litert", id="help of export"
    ),
    pytest.param(["export", "nothing"], 2, "does not exist", id="export of nothing"),
    pytest.param(["predict", "nothing", "README.md"], 2, "does not exist", id="no model"),
    pytest.param(["predict", "tests", "README.md"], 2, "neither a run nor", id="no export"),
    pytest.param(["tune", "--help"], 0, "Usage", id="help of tune"),
    pytest.param(["tune"], 2, "Expected a RECIPE, or --resume FOLDER", id="tune nothing"),
    pytest.param(["tune", "MISTAKES"], 2, "did you mean 'filters'?", id="mistakes in tune"),
    pytest.param(["tune", "--resume", "nothing"], 2, "does not exist", id="no search"),
    pytest.param(
        ["tune", "--resume", "x", "--workers", "2"], 2, "was begun with", id="other workers"
    ),
    pytest.param(["tune", "SPACE"], 2, "no logarithm", id="mistake in a space"),
]


@pytest.mark.parametrize("args, code, part", VERBS)
def test_verb_is_light(args: list[str], code: int, part: str, files: dict[str, str]) -> None:
    done = fresh("-c", PROBE, *[files.get(arg, arg) for arg in args])
    *said, report = done.stderr.splitlines()
    found = json.loads(report)
    assert found["code"] == code, done.stdout + done.stderr
    assert part in done.stdout + "\n".join(said)
    loaded = {module.partition(".")[0] for module in found["modules"]}
    assert loaded.isdisjoint(HEAVY), sorted(loaded & set(HEAVY))


LIGHT = [
    "zoo", "zoo.cli", "zoo.load", "zoo.recipe", "zoo.plan",
    "zoo.rundir", "zoo.artifact.layout", "zoo.check.judge", "zoo.data.layout",
    "zoo.serve", "zoo.serve.model_path",
    # Of the search all but what trains trials.
    *(".".join(file.relative_to(ROOT).with_suffix("").parts)
      for file in sorted((ROOT / "tuning").rglob("[a-z]*.py"))
      if file.stem not in ("trial_trainer", "trial_observer", "hyperparameter_variables")),
]  # fmt: skip


@pytest.mark.parametrize("module", LIGHT)
def test_module_is_light(module: str) -> None:
    done = fresh("-c", f"import sys, {module}; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint(HEAVY), sorted(loaded & set(HEAVY))


def test_tensorflow_is_at_no_top_but_the_exports() -> None:
    """Ruff lets heavy modules import it; only zoo/export may."""
    wrong = [
        f"{file.relative_to(ROOT)}: {line}"
        for file in sorted((ROOT / "zoo").rglob("*.py"))
        if "export" not in file.relative_to(ROOT).parts
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.match(r"(import|from) tensorflow\b", line)
    ]
    assert wrong == []
