"""The table of backbones: complete, and as Keras's own networks are."""

from __future__ import annotations

import pytest

from zoo.plan.backbones import backbone
from zoo.recipe.words.backbones import BACKBONES

# Parameters of the networks without their heads as keras.io and their papers have them; Keras
# counts seven more in EfficientNet, whose normalisation of images is a layer of its own here.
PUBLISHED = {
    "VGG16": 14_714_688,
    "ResNet50": 23_587_712,
    "ResNet50V2": 23_564_800,
    "MobileNet": 3_228_864,
    "MobileNetV2": 2_257_984,
    "DenseNet121": 7_037_504,
    "InceptionV3": 21_802_784,
    "Xception": 20_861_480,
    "EfficientNetB0": 4_049_571 - 7,
    "ConvNeXtTiny": 27_820_128,
    "NASNetMobile": 4_269_716,
}


@pytest.mark.parametrize("name", BACKBONES)
def test_table_holds_every_network(name: str) -> None:
    known = backbone(name)
    assert len(known.flops) == len(known.values) == len(known.levels) + 2
    assert len(set(known.names)) == len(known.names)
    side = known.smallest
    for size in ((side, side), (side + 1, side + 6), (224, 224)):
        found = known.size(size)
        assert min(found.shape) >= 1
        assert found.flops > 0
        assert found.values > 0
    assert known.size((224, 224)).shape[-1] == known.channels


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name: str) -> None:
    layers = backbone(name).layers
    assert sum(layer.trainable + layer.fixed for layer in layers) == PUBLISHED[name]


def test_operations_are_the_published_ones() -> None:
    """Multiply-adds of the papers at 224x224, which count as 2 operations here."""
    for name, multiply_adds in (("MobileNetV2", 300e6), ("ResNet50", 3.86e9), ("VGG16", 15.3e9)):
        assert backbone(name).size((224, 224)).flops / 2 == pytest.approx(multiply_adds, rel=0.04)


def test_sizes_round_up_or_down_as_the_network_pads() -> None:
    assert backbone("MobileNetV2").size((33, 65)).shape == (2, 3, 1280)
    assert backbone("VGG16").size((33, 65)).shape == (1, 2, 512)
    assert backbone("InceptionV3").size((75, 299)).shape == (1, 8, 2048)
