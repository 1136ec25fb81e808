"""What of trained weights a network takes over, and what keeps it from doing so."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runs import TINY, tiny
from zoo.artifact import stored_weights
from zoo.artifact.warm_start import WarmStart, frozen_lines, warm_start
from zoo.errors import DataError, RecipeError, WrongModel
from zoo.plan import plan
from zoo.plan.weight_shapes import weight_shapes
from zoo.rundir import Run


def started(folder: Path, source: object, *overrides: str, text: str = TINY) -> WarmStart:
    recipe = tiny(folder, *overrides, f"model.weights.from={source}", text=text)
    start = warm_start(recipe, plan(recipe, 10))
    assert start is not None
    return start


def faults(folder: Path, source: object, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        started(folder, source, "model.weights={}", *overrides)
    return [str(problem) for problem in caught.value.problems]


def test_all_layers(trained: Run, tmp_path: Path) -> None:
    start = started(tmp_path, trained.folder, "model.weights={}")
    assert start.loaded == ("conv1", "conv1_bn", "fc1", "fc1_bn", "logits")
    assert (start.new, start.unused) == ((), ())
    assert start.lines() == [
        f"weights: 5 of 5 layers with weights (686 weights) come from {trained.folder}"
    ]
    assert start.notes([str(n) for n in range(10)], (8, 8, 1)) == []
    names = [f"digit {n}" for n in range(10)]
    head, size = start.notes(names, (16, 16, 1))
    assert "trained for the classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; here its outputs are" in head
    assert "put logits in model.weights.exclude" in head
    assert "images of 8 x 8 pixels, and these have 16 x 16" in size


def test_a_file_of_a_run_is_its_run(trained: Run, tmp_path: Path) -> None:
    """The folder of a recipe's runs stands for the newest; a copied file has no class names."""
    runs = tmp_path / "runs/tiny"
    copy = shutil.copytree(trained.folder, runs / trained.folder.name)
    for source in (copy, runs, copy / "best.keras"):
        stored = stored_weights.read(str(source))
        assert stored.origin == copy
        assert stored.class_names == tuple(map(str, range(10)))
        assert stored.preprocess == "channel_meanstd"
    alone = shutil.copy(copy / "best.keras", tmp_path / "alone.keras")
    stored = stored_weights.read(str(alone))
    assert (stored.origin, stored.class_names, stored.preprocess) == (Path(alone), (), None)
    assert stored.image_shape == (8, 8, 1)
    assert stored.layers["conv1"].shapes == ((3, 3, 1, 4),)


def test_everything_that_differs_is_named_at_once(trained: Run, tmp_path: Path) -> None:
    stack = "model.stack=[{conv: {filters: 5}}, {conv: {filters: 6}}, {fc: {units: 8}}]"
    assert faults(tmp_path, trained.folder, stack) == [
        "model.weights.from: conv1: weights of 3 x 3 x 1 x 5 here, of 3 x 3 x 1 x 4 there. To "
        "start it anew, put conv1 in model.weights.exclude.",
        "model.weights.from: conv1_bn: weights of 5, 5, 5, 5 here, of 4, 4, 4, 4 there. To start "
        "it anew, put conv1_bn in model.weights.exclude.",
        "model.weights.from: fc1: weights of 384 x 8 here, of 64 x 8 there. To start it anew, put "
        "fc1 in model.weights.exclude.",
    ]
    exclude = "model.weights.exclude=[conv1, fc1]"
    start = started(tmp_path, trained.folder, stack, "model.weights={}", exclude)
    assert start.new == ("conv1", "conv1_bn", "conv2", "conv2_bn", "fc1", "fc1_bn")
    (line,) = start.lines()
    assert line.endswith("; new: conv1, conv1_bn, conv2, conv2_bn, fc1, fc1_bn")


def test_unused_layers_are_told(trained: Run, tmp_path: Path) -> None:
    start = started(tmp_path, trained.folder, "model.stack=[{fc: {units: 8}}]", "model.weights={}")
    assert start.unused == ("conv1", "conv1_bn")
    assert start.lines()[0].endswith("; not used of it: conv1, conv1_bn")


def test_another_number_of_classes(trained: Run, tmp_path: Path) -> None:
    recipe = tiny(tmp_path, f"model.weights={{from: {trained.folder}}}")
    with pytest.raises(RecipeError, match="logits: 5 classes here, 10 there. Write exclude: .logi"):
        warm_start(recipe, plan(recipe, 5))


def test_nothing_matches(trained: Run, tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, trained.folder, "model.weights.exclude=[logits, conv1, fc1]")
    assert "model.weights.exclude names every layer that " in fault
    assert "best.keras has (conv1, conv1_bn, fc1, fc1_bn, logits), so that nothing" in fault
    stack = "model.stack=[{depthwise_conv: {}}]"
    (fault,) = faults(tmp_path, trained.folder, stack, "model.weights.exclude=[logits]")


def test_frozen_and_new(trained: Run, tmp_path: Path) -> None:
    stack = "model.stack=[{conv: {filters: 4}}, {conv: {filters: 4}}, {global_pool: average}]"
    more = ("model.weights.exclude=[logits]", "model.weights.freeze=[conv2]")
    (fault,) = faults(tmp_path, trained.folder, stack, *more)
    assert "conv2, conv2_bn would be frozen and new, with random weights" in fault


def test_no_such_source(trained: Run, tmp_path: Path) -> None:
    message = "model.weights.from: does not exist. Expected a folder made by `zoo train`"
    with pytest.raises(DataError, match=message):
        started(tmp_path, tmp_path / "nowhere", "model.weights={}")
    with pytest.raises(DataError, match="model.weights.from: .* is not a run"):
        started(tmp_path, tmp_path, "model.weights={}")
    with pytest.raises(DataError, match="model.weights.from: .*: cannot be looked at"):
        stored_weights.read("x" * 300)
    text = tmp_path / "text.keras"
    text.write_text("no model")
    with pytest.raises(WrongModel, match="model.weights.from: .* cannot be read as a .keras"):
        started(tmp_path, text, "model.weights={}")


def test_an_edited_run_is_refused(trained: Run, tmp_path: Path) -> None:
    copy = Run(Path(shutil.copytree(trained.folder, tmp_path / "copy")))
    with zipfile.ZipFile(copy.model_file, "a") as archive:
        archive.writestr("more", "")
    with pytest.raises(WrongModel, match="its SHA-256 differs from model_sha256"):
        started(tmp_path, copy, "model.weights={}")


def test_a_bomb_is_refused(trained: Run, tmp_path: Path) -> None:
    file = tmp_path / "bomb.keras"
    with (
        zipfile.ZipFile(trained.model_file) as model,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr("config.json", model.read("config.json"))
        archive.writestr("model.weights.h5", bytes(2**25))
    with pytest.raises(WrongModel, match="unpacks to 33,554,432 bytes"):
        stored_weights.read(str(file))


def test_values(trained: Run) -> None:
    stored = stored_weights.read(str(trained.folder))
    kernel, bias = stored.arrays(stored.layers["logits"])
    assert (kernel.shape, bias.shape) == ((8, 10), (10,))
    assert np.abs(kernel).max() > 0


def test_shapes_of_a_plan(trained: Run, tmp_path: Path) -> None:
    planned = plan(tiny(tmp_path), 10)
    stored = stored_weights.read(str(trained.folder)).layers
    assert weight_shapes(planned.layers) == {name: each.shapes for name, each in stored.items()}


def test_layers_that_are_unfrozen_at_different_epochs_are_told_apart(tmp_path: Path) -> None:
    """A backbone has an epoch of its own, beside that of model.weights."""
    planned = plan(tiny(tmp_path), 10)
    epochs = {"conv1": 3, "conv1_bn": 3, "fc1": 5, "fc1_bn": None}
    layers = tuple(
        replace(layer, frozen=True, unfreeze_at_epoch=epochs[layer.name])
        if layer.name in epochs
        else layer
        for layer in planned.layers
    )
    planned = replace(planned, layers=layers)

    def lines(epoch: int) -> list[str]:
        return [line.partition(" (")[0] for line in frozen_lines(planned, epoch)]

    to_the_end = "frozen to the end: fc1_bn"
    later = "frozen until epoch 5 begins: fc1"
    assert lines(2) == ["frozen until epoch 3 begins: conv1, conv1_bn", later, to_the_end]
    assert lines(3) == ["trained since epoch 3 began: conv1, conv1_bn", later, to_the_end]
