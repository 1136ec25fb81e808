"""`zoo show`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import call, document, require_error, require_error_document
from zoo.cli.show import _amount


def test_show(minimal: Path) -> None:
    result = call("show", minimal)
    assert result.exit_code == 0
    assert "conv1" in result.stdout
    assert result.stderr == ""


def test_show_json(minimal: Path) -> None:
    output = document(call("show", minimal, "--json"))
    assert output.keys() == {
        "name", "parameters", "trainable_parameters", "flops", "activation_bytes", "layers",
    }  # fmt: skip
    assert output["parameters"] == sum(layer["parameters"] for layer in output["layers"])


def test_show_says_what_follows_what(minimal: Path) -> None:
    """Only where that is not the layer above, and in JSON always."""
    assert "follows" not in call("show", minimal).stdout
    block = "[{conv: 4}, {residual: [{conv: 4}]}]"
    changed = ("show", minimal, "--set", f"model.stack={block}")
    table = call(*changed).stdout
    assert "conv2_act, conv1_act" in next(x for x in table.splitlines() if x.startswith("add1 "))
    layers = {
        layer["name"]: layer["inputs"] for layer in document(call(*changed, "--json"))["layers"]
    }
    assert (layers["image"], layers["conv2"]) == ([], ["conv1_act"])
    assert layers["add1"] == ["conv2_act", "conv1_act"]


def test_show_yaml_is_a_recipe(minimal: Path, tmp_path: Path) -> None:
    text = call("show", minimal, "--yaml").stdout
    other = tmp_path / "other.yaml"
    other.write_text(text, encoding="utf-8")
    assert call("show", other, "--yaml").stdout == text


def test_set(minimal: Path) -> None:
    change = "model.stack[0].conv.filters=6"
    layers = document(call("show", minimal, "--json", "--set", change))["layers"]
    assert layers[2]["output_shape"] == [8, 8, 6]


def test_missing_data_is_3(minimal: Path, tmp_path: Path) -> None:
    changes = [f"data.source={{folder: {tmp_path}/nothere}}", "data.image_size=8"]
    arguments = ["show", minimal, *(word for change in changes for word in ("--set", change))]
    require_error(call(*arguments), 3, "nothere")
    require_error_document(call(*arguments, "--json"), 3, "data", "nothere")


@pytest.mark.parametrize(
    "number, text",
    [(0, "0"), (999, "999"), (1234567, "1.23 M"), (999_499, "999 k"), (999_900, "1 M")],
)
def test_amounts(number: int, text: str) -> None:
    """Rounding does not reach a thousand of a prefix."""
    assert _amount(number) == text
