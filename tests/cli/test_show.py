"""`zoo show`."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from PIL import Image

from tests.cli.calls import call, document, require_error, require_error_document
from tests.runs import tiny_file
from zoo.rundir import Run


def test_show(minimal: Path) -> None:
    result = call("show", minimal)
    assert result.exit_code == 0
    assert "conv1" in result.stdout
    assert result.stderr == ""


def test_show_json(minimal: Path) -> None:
    output = document(call("show", minimal, "--json"))
    assert output.keys() == {
        "name", "parameters", "trainable_parameters", "flops", "activation_bytes", "layers",
        "uncounted_layers",
        "warm_start",
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


def test_show_trained_weights(trained: Run, tmp_path: Path) -> None:
    """What would be loaded and what is frozen; weights that are gone are a warning."""
    file = tiny_file(tmp_path)
    start = f"model.weights={{from: {trained}, exclude: [logits], freeze: [conv1]}}"
    lines = call("show", file, "--set", start).stdout.splitlines()
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert rows["conv1"][2:4] == ["loaded,", "frozen"]
    assert rows["fc1"][2] == "loaded"
    assert "loaded" not in rows["logits"]
    assert (
        f"weights     4 of 5 layers with weights (596 weights) come from {trained}; new: logits"
        in lines
    )
    assert "frozen      to the end: conv1, conv1_bn (52 of 686 weights)" in lines
    assert "parameters  686 (618 trained, 68 not)" in lines
    output = document(call("show", file, "--set", start, "--json"))
    assert output["warm_start"]["loaded"] == ["conv1", "conv1_bn", "fc1", "fc1_bn"]
    frozen = {layer["name"] for layer in output["layers"] if layer["frozen"]}
    assert frozen == {"conv1", "conv1_bn"}
    assert "note: " not in call("show", file, "--set", start).stderr
    renamed = ", ".join(f"{name}: {number}" for number, name in enumerate("abcdefghij"))
    other = f"data.classes={{{renamed}}}"
    named = call("show", file, "--set", f"model.weights.from={trained}", "--set", other)
    note = "note: the weights of logits were trained for the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert f"{note}; here its outputs are a, b, c, d, e, f, g, h, i, j. To start" in named.stderr
    gone = call("show", file, "--set", f"model.weights={{from: {tmp_path / 'gone.keras'}}}")
    assert gone.exit_code == 0
    assert "model.weights.from: does not exist" in gone.stderr
    assert "parameters  686 (662 trained, 24 not)" in gone.stdout


def test_a_file_of_weights_that_is_not_there_is_warned_of(minimal: Path) -> None:
    stack = "model.stack=[{backbone: {name: MobileNetV2, weights: gone.h5}}]"
    result = call("show", minimal, "--set", stack, "--set", "data.image_size=32")
    assert result.exit_code == 0
    place = f"warning: --set {stack}: model.stack[0].backbone.weights"
    assert f"{place}: there is no such file. Expected imagenet, none, or" in result.stderr
    none = stack.replace("gone.h5", "none")
    told = call("show", minimal, "--set", none, "--set", "data.image_size=32")
    assert "no such file" not in told.stderr


def test_a_manifest_is_written_and_used(minimal: Path, tmp_path: Path) -> None:
    """Without the first line, a relative path and all: the recipe's folder is not listed then."""
    for name in ("cat", "dog"):
        (tmp_path / f"pets/{name}").mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"pets/{name}/{number}.png")
    changes = ["data.source={folder: pets}", "data.image_size=8", "data.color_mode=rgb"]
    flags = [word for change in changes for word in ("--set", change)]
    file = tmp_path / "pets.manifest"
    with contextlib.chdir(tmp_path):
        told = document(call("show", minimal, *flags, "--write-manifest", file, "--json"))
        assert (told["files"], told["unusable"], told["manifest"]) == (8, 0, str(file))
        write = ("show", minimal, *flags, "--write-manifest")
        assert "8 files" in call(*write, file).stdout
        for folder in (tmp_path, ""):
            require_error(call(*write, folder), 2, "is a folder. Expected the name of a file")
        require_error(call(*write, file / "m"), 4, "cannot be written: Not a directory")
        pipe = tmp_path / "pipe"  # What is no file, /dev/null among others, stays what it is.
        os.mkfifo(pipe)
        with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
            assert call(*write, pipe).exit_code == 0
            assert reader.communicate()[0].count(b".png\n") == 8
        assert pipe.is_fifo()
        use = ["--set", "data.source.folder.manifest=pets.manifest"]
        recipe = call("show", minimal, *flags, *use, "--yaml").stdout
        assert f"manifest: {file}" in recipe
        (tmp_path / "pets/emu").mkdir()
        assert "2 classes" in call("show", minimal, *flags, *use).stdout
        require_error(call("show", minimal, "--write-manifest", file), 3, "folder or csv")
        file.write_text("rubbish")
        require_error(call("show", minimal, *flags, *use), 3, "not a line of a manifest")
