"""The first answer is quick: no array library, framework or data library until a verb needs one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

HEAVY = (
    "numpy", "keras", "tensorflow", "tensorflow_datasets", "keras_tuner", "jax", "sklearn", "PIL",
    "matplotlib", "scipy", "pandas", "h5py", "uvicorn", "orjson", "prometheus_client",
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
# Runs one command after the other, each in a fork of its own, so that what all of them import is
# imported once.
PROBE = """\
import json, os, sys, traceback
from pathlib import Path
import zoo.loading
from zoo.cli import main

for line in sys.stdin:
    folder, *arguments = json.loads(line)
    pid = os.fork()
    if not pid:
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT), number)
        code = 0
        try:
            sys.argv = arguments
            main()
        except SystemExit as exit:
            code = exit.code or 0
        except BaseException:
            traceback.print_exc()
            code = -1
        sys.stdout.flush()
        sys.stderr.flush()
        Path(folder, "result.json").write_text(json.dumps([code, sorted(sys.modules)]))
        os._exit(0)
    os.waitpid(pid, 0)
    print(flush=True)
"""


def fresh(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, from the checkout."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def probe() -> Iterator[subprocess.Popen[str]]:
    """A fresh interpreter in the checkout that runs commands."""
    with subprocess.Popen(
        [sys.executable, "-c", PROBE],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def run(probe: subprocess.Popen[str], folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a command that may load no heavy module; return its exit code and what it printed."""
    assert probe.stdin is not None
    assert probe.stdout is not None
    probe.stdin.write(json.dumps([str(folder), *arguments]) + "\n")
    probe.stdin.flush()
    probe.stdout.readline()
    printed = (folder / "stdout").read_text() + (folder / "stderr").read_text()
    code, modules = json.loads((folder / "result.json").read_text())
    heavy = {module.partition(".")[0] for module in modules} & set(HEAVY)
    assert not heavy, f"{arguments} loads {sorted(heavy)}"
    return code, printed


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Recipes with mistakes, by the word that stands for them in VERBS."""
    paths = {}
    for name, text in (("MISTAKES", MISTAKES), ("SPACE", SPACE)):
        file = tmp_path / f"{name}.yaml"
        file.write_text(text, encoding="utf-8")
        paths[name] = str(file)
    return paths


VERBS = [
    pytest.param(["--help"], 0, "Usage", id="help"),
    pytest.param(["--version"], 0, "zoo ", id="version"),
    pytest.param(["train", "--help"], 0, "Usage", id="help of train"),
    pytest.param(["list"], 0, "digits-tiny", id="list"),
    pytest.param(["list", "--json"], 0, '"recipes"', id="list as JSON"),
    pytest.param(["show", "digits-tiny"], 0, "conv1", id="show"),
    pytest.param(["show", "tests/old_files/done"], 0, "95 %", id="show a run"),
    pytest.param(["show", "tests/old_files/searched"], 0, "fine-000", id="show a search"),
    pytest.param(["runs", "tests"], 0, "old_files/done", id="runs"),
    pytest.param(["runs", "docs", "--clean", "--dry-run", "--caches"], 0, "cache", id="clean"),
    pytest.param(["diff", "resnet20", "resnet56"], 0, "trainable_parameters", id="diff"),
    pytest.param(["diff", "digits-tiny", "MISTAKES"], 2, "did you mean", id="diff of mistakes"),
    pytest.param(["schema"], 0, '"$defs"', id="schema"),
    pytest.param(["show", "MISTAKES"], 2, "did you mean 'filters'?", id="mistakes"),
    pytest.param(["train", "MISTAKES"], 2, "did you mean 'filters'?", id="mistakes in train"),
    pytest.param(["show", "digits-tinny"], 2, "Did you mean 'digits-tiny'?", id="near name"),
    pytest.param(["train", "digits-tiny", "--set", "x"], 2, "PATH=VALUE", id="no change"),
    pytest.param(["report", "--help"], 0, "Usage", id="help of report"),
    pytest.param(["report", "nothing"], 2, "does not exist", id="report of nothing"),
    pytest.param(["serve", "--help"], 0, "Usage", id="help of serve"),
    pytest.param(["doctor", "--help"], 0, "Usage", id="help of doctor"),
    pytest.param(["serve", "nothing"], 2, "does not exist", id="serve nothing"),
    pytest.param(
        ["export", "--help"], 0, "saved_model, keras, onnx or litert", id="help of export"
    ),
    pytest.param(["export", "nothing"], 2, "does not exist", id="export of nothing"),
    pytest.param(["predict", "nothing", "README.md"], 2, "does not exist", id="no model"),
    pytest.param(["predict", "tests", "README.md"], 2, "Or an export, made by", id="no export"),
    pytest.param(["tune", "--help"], 0, "Usage", id="help of tune"),
    pytest.param(["tune"], 2, "Expected a RECIPE, or --resume FOLDER", id="tune nothing"),
    pytest.param(["tune", "MISTAKES"], 2, "did you mean 'filters'?", id="mistakes in tune"),
    pytest.param(["tune", "--resume", "nothing"], 2, "does not exist", id="no search"),
    pytest.param(
        ["tune", "--resume", "x", "--workers", "2"], 2, "cannot be changed", id="other workers"
    ),
    pytest.param(["report", "--help"], 0, "Usage", id="help of report"),
    pytest.param(["report", "nothing"], 2, "does not exist", id="report of nothing"),
    pytest.param(["tune", "SPACE"], 2, "no logarithm", id="mistake in a space"),
]


@pytest.mark.parametrize("args, code, part", VERBS)
def test_verb_is_light(
    args: list[str],
    code: int,
    part: str,
    probe: subprocess.Popen[str],
    files: dict[str, str],
    tmp_path: Path,
) -> None:
    exit_code, printed = run(probe, tmp_path, "zoo", *[files.get(arg, arg) for arg in args])
    assert exit_code == code, printed
    assert part in printed


LIGHT = [
    "zoo", "zoo.cli", "zoo.loading", "zoo.recipe", "zoo.plan",
    "zoo.rundir", "zoo.artifact.layout", "zoo.checks.judge", "zoo.datasets.folders.layout",
    "zoo.comparison", "zoo.significance", "zoo.serve", "zoo.serve.model_path", "zoo.backend",
    "zoo.doctor",
    *(".".join(file.relative_to(ROOT).with_suffix("").parts)
      for package in ("verbs", "api", "completion", "editor")
      for file in sorted((ROOT / "zoo" / package).rglob("[a-z]*.py"))),
    # Of the search all but what trains trials.
    *(".".join(file.relative_to(ROOT).with_suffix("").parts)
      for file in sorted((ROOT / "tuning").rglob("[a-z]*.py"))
      if file.stem not in (
          "trial_trainer", "trial_observer", "shared_network", "hyperparameter_variables"
      )),
]  # fmt: skip


def test_modules_are_light() -> None:
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[2:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {name.partition('.')[0] for name in sys.modules} & set(sys.argv[1].split())\n"
        "    if heavy: sys.exit(f'{name} loads {sorted(heavy)}')\n"
    )
    done = fresh(code, " ".join(HEAVY), *LIGHT)
    assert done.returncode == 0, done.stderr


def test_help_loads_neither_pydantic_nor_rich() -> None:
    """Both are light, and yet would double the time of importing the command line."""
    done = fresh(
        "import sys, zoo.cli; sys.exit('pydantic' in sys.modules or 'rich' in sys.modules)"
    )
    assert done.returncode == 0, done.stderr


def test_tensorflow_is_at_no_top_but_the_exports() -> None:
    """Ruff allows it in all heavy modules; only those of zoo/export may."""
    wrong = [
        f"{file.relative_to(ROOT)}: {line}"
        for file in sorted((ROOT / "zoo").rglob("*.py"))
        if "export" not in file.relative_to(ROOT).parts
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.match(r"(import|from) tensorflow\b", line)
    ]
    assert wrong == []
