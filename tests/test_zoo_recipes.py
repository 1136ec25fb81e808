"""The networks that ship are those they are named after, and train."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import UNIT
from zoo import losses, optimize
from zoo import recipe as recipes
from zoo.model import builder
from zoo.plan import num_classes, plan
from zoo.recipe.without_regularization import without_regularization

SHIPPED = sorted(recipes.shipped())

# Trained parameters: of the paper or source named at the head of each recipe, or said there.
PARAMETERS = {
    "airbench94": 1_971_352,
    "airbench94-muon": 1_971_352,
    "airbench96": 12_717_464,
    "alexnet-small-bn": 4_818_890,
    "all-cnn-c": 1_370_986,
    "cifar10-quick": 113_962,
    "cs231n-two-layer": 154_160,
    "cuda-convnet-bn": 89_706,
    "densenet-40-12": 1_019_722,
    "digits-tiny": 6_138,
    "fashion-cnn": 288_170,
    "googlenet-small": 1_649_402,
    "keras-mnist-convnet": 34_826,
    "lenet5": 61_706,
    "maxout-cnn": 625_546,
    "mlp-bn": 670_730,
    "mobilenet-small": 543_050,
    "nin": 968_394,
    "resnet18": 11_181_642,
    "resnet20": 269_722,
    "resnet50": 23_528_522,
    "resnet56": 853_018,
    "resnet9": 6_573_120,
    "senet20": 274_490,
    "tensorflow-flowers": 3_989_285,
    "vgg11-bn": 9_228_362,
    "vgg16-bn": 14_724_042,
    "wide-resnet-28-10": 36_479_194,
}


def test_every_recipe_is_counted() -> None:
    assert sorted(PARAMETERS) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_parameters(name: str) -> None:
    recipe = recipes.load(name)
    assert plan(recipe, num_classes(recipe)).trainable == PARAMETERS[name]


# With the classes of the paper; where the numbers come from: torchvision's documentation.
OF_IMAGENET = {"resnet18": 11_689_512, "resnet50": 25_557_032}


@pytest.mark.parametrize("name", OF_IMAGENET)
def test_parameters_with_the_classes_of_imagenet(name: str) -> None:
    assert plan(recipes.load(name), 1000).trainable == OF_IMAGENET[name]


# Layers with kernels, the head included: the depth that papers give; FLOPs for an image.
DEPTHS = {
    "airbench94": (8, 236_641_786),
    "airbench94-muon": (8, 236_641_786),
    "airbench96": (11, 1_231_277_946),
    "alexnet-small-bn": (8, 446_180_362),
    "all-cnn-c": (9, 563_193_610),
    "cifar10-quick": (4, 20_920_330),
    "cs231n-two-layer": (2, 314_454),
    "cuda-convnet-bn": (4, 24_839_178),
    "densenet-40-12": (40, 536_671_498),
    "digits-tiny": (3, 174_730),
    "fashion-cnn": (7, 58_565_290),
    "googlenet-small": (20, 535_190_090),
    "keras-mnist-convnet": (3, 4_970_282),
    "lenet5": (5, 853_938),
    "maxout-cnn": (4, 140_040_202),
    "mlp-bn": (3, 1_341_994),
    "mobilenet-small": (16, 46_870_538),
    "nin": (9, 446_973_706),
    "resnet18": (21, 3_637_293_578),
    "resnet20": (20, 81_763_594),
    "resnet50": (54, 8_213_877_258),
    "resnet56": (56, 252_837_130),
    "resnet9": (9, 759_939_082),
    "senet20": (40, 82_488_879),
    "vgg11-bn": (9, 306_124_810),
    "vgg16-bn": (14, 627_363_850),
    "wide-resnet-28-10": (29, 10_494_781_962),
}


@pytest.mark.parametrize("name", sorted(DEPTHS))
def test_depth(name: str) -> None:
    """A recipe that is written in another way stays the same network."""
    planned = plan(recipes.load(name), 10)
    assert (sum(layer.has_kernel for layer in planned.layers), planned.flops) == DEPTHS[name]


@pytest.mark.parametrize("name", SHIPPED)
def test_lines_are_short(name: str) -> None:
    """A recipe is read beside its paper, in a narrow window."""
    lines = recipes.shipped()[name].read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 100


def drawn(recipe: recipes.Recipe, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images with a brighter band at a place that tells the class."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 120, (count, *recipe.image_shape)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int32) % 10
    band = recipe.image_shape[0] / 10
    for image, label in zip(images, labels, strict=True):
        image[int(label * band) : max(int((label + 1) * band), int(label * band) + 1)] += 120
    return images, labels


def marked(*others: str) -> list[Any]:
    """All recipes; those that take long and have little of their own are left to `make laws`."""
    return [
        pytest.param(name, marks=[pytest.mark.laws] if name in others else []) for name in SHIPPED
    ]


# Large networks, whose layers are also in smaller ones.
LARGE = ("airbench96", "densenet-40-12", "resnet18", "resnet50", "wide-resnet-28-10")


def smaller(name: str) -> list[str]:
    """Overrides with which networks of large images take small ones: they see any size."""
    return ["data.image_size=64"] if name in (*OF_IMAGENET, "tensorflow-flowers") else []


@pytest.mark.slow
@pytest.mark.parametrize("name", marked(*LARGE, "googlenet-small"))
def test_two_steps(name: str) -> None:
    """With its own loss and optimizer: every loss is finite, and every kernel moves."""
    recipe = recipes.load(name, smaller(name))
    net = builder.build(recipe, 10, UNIT)
    net.compile(
        optimize.optimizer(recipe, net, 100),
        losses.make_loss(recipe.train.loss),
        run_eagerly=True,  # Tracing takes longer than two steps.
    )
    images, labels = drawn(recipe, 4)
    before = [np.array(v) for v in builder.decayed(net)[0]]
    for _ in range(2):
        assert np.isfinite(net.train_on_batch(images, labels))
    after = [np.array(v) for v in builder.decayed(net)[0]]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))


def narrow(name: str, folder: Path) -> recipes.Recipe:
    """A recipe that ships, with a quarter of the filters and units of its wide layers."""

    def quarter(match: re.Match[str]) -> str:
        width = int(match[2])
        return f"{match[1]}: {width // 4 if width > 64 else width}"

    text = recipes.dump(
        recipes.load(name, smaller(name))
    )  # With its blocks, and what it extends, written out.
    file = folder / "narrow.yaml"
    file.write_text(re.sub(r"\b(filters|units): (\d+)", quarter, text), encoding="utf-8")
    return recipes.load(str(file))


# Of others: resnet56 and senet20 have the blocks of resnet20, airbench94-muon the network of
# airbench94.
@pytest.mark.slow
@pytest.mark.parametrize("name", marked(*LARGE[1:], "senet20", "resnet56", "airbench94-muon"))
def test_overfits_20_images(name: str, tmp_path: Path) -> None:
    """CS231n, lecture 6: a network that works learns a few images by heart. Regularization off.

    With narrow layers a network has every layer of its recipe at a tenth of the work.
    """
    recipe = without_regularization(narrow(name, tmp_path))
    net = builder.build(recipe, 10, UNIT)
    net.compile(
        keras.optimizers.Adam(2e-3),
        losses.make_loss(recipe.train.loss),
        metrics=[losses.Accuracy()],
        run_eagerly=True,  # Tracing takes longer than the few steps that it needs.
    )
    images, labels = drawn(recipe, 20)
    for _ in range(100):
        net.reset_metrics()
        # Batch norm in training mode: its running statistics lag behind so few steps.
        if net.train_on_batch(images, labels, return_dict=True)["accuracy"] == 1.0:
            return
    raise AssertionError("not all of 20 images are known by heart after 100 steps")
