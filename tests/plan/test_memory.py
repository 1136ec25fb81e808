"""The least memory of a training: known cases, and that it is a lower bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipe.files import write
from zoo.plan import plan
from zoo.plan.memory import LeastMemory, least_memory
from zoo.recipe import load


def least(tmp_path: Path, stack: str, train: str = "") -> LeastMemory:
    text = "name: small\ndata: {source: digits, color_mode: grayscale}\n"
    text += f"model: {{stack: {stack}}}\ntrain: {{epochs: 1, batch_size: 10{train}}}\n"
    recipe = load(write(tmp_path, text))
    return least_memory(recipe, plan(recipe, 10))


def test_one_layer(tmp_path: Path) -> None:
    """64 inputs, 100 units with batch norm (4 x 100), 10 logits; Adam keeps two copies."""
    needs = least(tmp_path, "[{fc: 100}]")
    trained, fixed, largest = 64 * 100 + 200 + 100 * 10 + 10, 200, 64 * 100
    assert needs.weights == 4 * (3 * trained + fixed + largest)
    assert needs.image == 4 * (64 + 100)
    assert needs.total == needs.weights + 10 * needs.image
    assert (needs.heaviest.name, needs.widest.name) == ("fc1", "fc1")


@pytest.mark.parametrize(
    "train, copies",
    [
        (", optimizer: {SGD: 0.1}", 1),
        (", optimizer: {SGD: {momentum: 0.9}}", 2),
        (", optimizer: {SGD: {momentum: 0.9}}, ema: 0.99", 3),
        (", optimizer: Adam, gradient_accumulation_steps: 2", 4),
        (", optimizer: Adafactor", 1),
    ],
)
def test_optimizers(tmp_path: Path, train: str, copies: int) -> None:
    needs = least(tmp_path, "[{fc: {units: 100, batch_norm: none}}]", train)
    assert needs.weights == 4 * (copies * (6500 + 1010) + 6500)


def test_an_input_that_two_kernels_share_counts_once(tmp_path: Path) -> None:
    block = "{residual: [{conv: {filters: 2, strides: 2}}]}"
    needs = least(tmp_path, f"[{{conv: 4}}, {block}, {{global_pool: average}}]")
    # The image, the first stage's output, the block's output by the pool.
    assert needs.image == 4 * (64 + 4 * 64 + 2)


def test_largest_batch(tmp_path: Path) -> None:
    needs = least(tmp_path, "[{fc: 100}]")
    assert needs.largest_batch(needs.total) == 10
    assert needs.largest_batch(needs.total - 1) == 9
    assert needs.largest_batch(needs.weights - 1) == 0
