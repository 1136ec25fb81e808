"""`zoo diff`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import call, document, require_error, require_error_document
from tests.comparison.test_facts import ROWS, made

VARIANT = """\
extends: vgg16-bn
name: variant
model:
  defaults: {activation: {leaky_relu: 0.1}}
  stack:
    - conv: {filters: 64, repeat: 2, pool: max}
    - conv: {filters: 128, repeat: 2, pool: max}
    - residual: {stack: [{conv: {filters: 128}}, {conv: {filters: 128, activation: linear}}]}
    - conv: {filters: 256, repeat: 3, pool: max}
    - conv: {filters: 512, repeat: 2, pool: max}
    - dropout: 0.5
    - dropout: 0.5
train: {optimizer: {Adam: {}}}
"""
TEXT = """\
A  vgg16-bn
B  FILE

recipe
  name: vgg16-bn -> variant
  model.defaults.activation: relu -> {leaky_relu: {negative_slope: 0.1}}
+ model.stack[2]: {residual: {stack: [{conv: {filters: 128}},
    {conv: {filters: 128, activation: linear}}]}}
  model.stack[3].conv.repeat (B: [4]): 3 -> 2
- model.stack[4]: {conv: {filters: 512, repeat: 3, pool: max}}
+ model.stack[5 to 6]: 2 times {dropout: {rate: 0.5}}
  train.optimizer:
  - {TorchSGD: {learning_rate: 0.1, momentum: 0.9, nesterov: true,
      weight_decay: 0.0005}}
  + Adam
"""


@pytest.fixture
def variant(tmp_path: Path) -> str:
    file = tmp_path / "variant.yaml"
    file.write_text(VARIANT, encoding="utf-8")
    return str(file)


def test_diff(variant: str) -> None:
    result = call("diff", "vgg16-bn", variant)
    assert (result.exit_code, result.stderr) == (0, "")
    recipe, network = result.stdout.split("\n\nnetwork\n")
    assert f"{recipe}\n" == TEXT.replace("FILE", variant)
    lines = dict(line.split(":") for line in network.splitlines())
    assert lines["  trainable_parameters"] == " 14,724,042 -> 5,593,546 (x 0.38)"
    assert lines["  layers"].strip() == "48 -> 44 (-8.3 %)"
    assert max(map(len, (recipe + network).replace(variant, "").splitlines())) <= 80


def test_diff_json(variant: str) -> None:
    output = document(call("diff", "vgg16-bn", variant, "--json"))
    assert output.keys() == {"a", "b", "equal", "recipe", "network", "run", "curves"}
    assert output["a"] == {"given": "vgg16-bn", "name": "vgg16-bn", "run": None}
    assert output["equal"] is False
    assert output["recipe"][-1] == {
        "a_path": "train.optimizer", "b_path": "train.optimizer", "b": "Adam",
        "a": {"TorchSGD": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True,
                           "weight_decay": 5e-4}},
    }  # fmt: skip
    assert {
        "a_path": None,
        "b_path": "model.stack[5]",
        "a": None,
        "b": {"dropout": {"rate": 0.5}},
    } in (output["recipe"])
    assert [fact["key"] for fact in output["network"]][:2] == ["layers", "parameters"]


def test_nothing_differs(minimal: Path, tmp_path: Path) -> None:
    result = call("diff", minimal, minimal, "--exit-code")
    assert result.exit_code == 0
    assert (
        "recipe    the same, with every default written out\nnetwork   the same: " in result.stdout
    )
    runs = [made(tmp_path / name, minimal) for name in "ab"]
    result = call("diff", *runs, "--exit-code")
    assert result.exit_code == 0
    assert result.stdout.endswith("\n\nepochs    all 2 have equal metrics, to the bit\n")


def test_exit_code(minimal: Path, variant: str) -> None:
    for flags in ([], ["--json"]):
        result = call("diff", minimal, variant, "--exit-code", *flags)
        assert result.exit_code == 1
        assert result.stdout
    assert document(result)["equal"] is False


def test_runs(minimal: Path, tmp_path: Path) -> None:
    names = [f"class {index}" for index in range(20)]
    first = made(tmp_path / "a", minimal, test=0.75, device="cpu: one, 2 cores")
    second = made(
        tmp_path / "b", minimal, rows=[ROWS[0]], val_accuracy=0.625, seconds=8.0, test=0.75,
        class_names=names, device="gpu",
    )  # fmt: skip
    text = call("diff", first, second).stdout
    for line in (
        "recipe    the same, with every default written out",
        "results",
        "  val_accuracy: 0.5 -> 0.625 (+0.125)",
        "  seconds:      2 -> 8 (x 4)",
        "made with",
        "  device: cpu: one, 2 cores -> gpu",
        "epochs    metrics are equal, to the bit, in the first 1 of 2 and 1",
    ):
        assert line in text.splitlines()
    assert "class 10, class 11 and 8 more" in " ".join(text.split())
    made(tmp_path / "b", minimal, rows=[{"epoch": 1, "loss": 9.0}] * 1)
    assert "metrics differ from the first on, of 2 and 1" in call("diff", first, second).stdout


def test_a_note(minimal: Path, tmp_path: Path) -> None:
    run = Path(made(tmp_path / "a", minimal, status="interrupted"))
    text = (run / "recipe.yaml").read_text("utf-8").replace("epochs: 2", "epochs: 3")
    (run / "recipe.yaml").write_text(text, encoding="utf-8")
    result = call("diff", run, minimal)
    assert "was edited since the run began" in " ".join(result.stderr.split())


def test_what_is_not_there(minimal: Path, tmp_path: Path) -> None:
    require_error(call("diff", "resnet20", "resnet57"), 2, "Did you mean 'resnet56'?")
    require_error_document(call("diff", minimal, "no.yaml", "--json"), 2, "usage", "no recipe")
    require_error(call("diff", minimal, tmp_path), 2, "is not a run")
    minimal.write_text("name: 3\n", encoding="utf-8")
    error = require_error_document(call("diff", "lenet5", minimal, "--json"), 2, "recipe", "name")
    assert error["problems"][0]["file"] == str(minimal)
