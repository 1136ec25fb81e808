"""What a backbone is warned of, and what not."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import RecipeError
from zoo.plan import cautions
from zoo.recipe import load

FILE = "weights: trained.h5"  # Need not exist for a plan.
FACTOR = ", learning_rate_factors: [{pattern: ^backbone, factor: 0.01}]"
CASES = [
    ("weights: none, trainable: false", "Adam: {learning_rate: 0.1}", "", "random and stay so"),
    (f"{FILE}, trainable: true", "Adam: {learning_rate: 1e-3}", "", "factor: 0.1}]"),
    (f"{FILE}, trainable: true", "SGD: {learning_rate: 0.1}", "", "0.1 is high"),
    (f"{FILE}, unfreeze_at_epoch: 4", "SGD: {learning_rate: 0.01}", "", "ends after epoch 3"),
    (f"{FILE}, trainable: true", "SGD: {learning_rate: 0.1}", FACTOR, None),
    (f"{FILE}, trainable: {{from: Conv_1}}", "Adam: {learning_rate: 1e-4}", "", None),
    (FILE, "Adam: {learning_rate: 0.1}", "", None),
    ("weights: none", "Adam: {learning_rate: 0.1}", "", None),
    ("weights: none", "Adam: {learning_rate: 0.1}", ", batch_norm_batches: 2", None),
    (FILE, "Adam: {learning_rate: 0.1}", ", batch_norm_batches: 2", "there is no batch norm"),
]


@pytest.mark.parametrize("options, optimizer, more, words", CASES)
def test_cautions(
    tmp_path: Path, options: str, optimizer: str, more: str, words: str | None
) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(
        "name: net\ndata: {source: digits, image_size: 32}\nmodel:\n"
        f"  stack: [{{backbone: {{name: MobileNetV2, {options}}}}}]\n"
        f"train: {{epochs: 3, optimizer: {{{optimizer}}}{more}}}\n",
        encoding="utf-8",
    )
    told = [sentence for _, sentence in cautions(load(str(file)))]
    assert told == [] if words is None else any(words in each for each in told), told


def test_no_network_is_advised_for_images_that_are_too_small_for_all(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    for size, name, end in (
        (16, "MobileNetV2", "images are enlarged"),
        (40, "Xception", "a network for smaller ones, such as MobileNetV2 (32x32)"),
    ):
        file.write_text(
            f"name: net\ndata: {{source: digits, image_size: {size}}}\n"
            f"model: {{stack: [backbone: {{name: {name}, weights: none}}]}}\n"
            "train: {epochs: 1}\n",
            encoding="utf-8",
        )
        with pytest.raises(RecipeError) as caught:
            load(str(file))
        (problem,) = caught.value.problems
        assert problem.message.endswith(end)
