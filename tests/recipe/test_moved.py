"""Overrides of what was moved."""

from __future__ import annotations

from zoo.recipe.moved import moved


def test_only_images_and_own_parts_may_move() -> None:
    overrides = [
        "data.source={folder: /new}", "data.source.folder.path=/new", "plugins = [new.py:Mish2]",
        "train.epochs=5", "data.sources=1", "data=cifar10", "name=data.source=",
    ]  # fmt: skip
    assert moved(overrides) == overrides[:3]
