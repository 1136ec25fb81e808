"""Plans the stage `backbone`, a network of `keras.applications` in front of all others. Light."""

from __future__ import annotations

from math import prod
from typing import Any

from zoo.plan.backbones import PREFIX, Backbone, backbone
from zoo.plan.block_planner import BlockPlanner
from zoo.plan.options import BackboneOptions, RescaleOptions
from zoo.plan.sliding import times
from zoo.recipe.near import near
from zoo.recipe.shown import cut
from zoo.recipe.words.backbones import BACKBONES

CHANNELS = 3
SMALL = "MobileNetV2"  # The small network that takes the smallest images.


class BackbonePlanner(BlockPlanner):
    """Plans backbones; the method for a kind of stage is named after its word."""

    def _backbone(self, stage: Any) -> None:
        if self.last.kind != "image":
            self.fail("a backbone scales the images by itself; make it the first stage")
            return
        known = backbone(stage.name)
        size = self.shape[:2]
        first_trained = self._first_trained(stage, known)
        if min(size) < known.smallest:
            side, other = known.smallest, backbone(SMALL).smallest
            advice = f", or a network for smaller ones, such as {SMALL} ({other}x{other})"
            self.fail(
                f"{stage.name} takes images of {side}x{side} pixels and more, and gets "
                f"{times(size)}. Expected data.image_size: [{side}, {side}] or more, to which "
                f"images are enlarged{advice if min(size) >= other else ''}",
                "name",
            )
        if self.stopped:
            return
        if self.shape[-1] != CHANNELS:
            repeated = (self.last.name,) * CHANNELS
            self.add("repeat", "grey_to_rgb", (*size, CHANNELS), inputs=repeated)
        scaling = BACKBONES[stage.name]
        self.add(
            "normalise",
            "normalise",
            self.shape,
            flops=2 * prod(self.shape),
            options=RescaleOptions(scale=scaling.scale, offset=scaling.offset),
        )
        options = BackboneOptions(
            name=stage.name,
            image_size=(size[0], size[1]),
            first_trained=first_trained,
            freeze_batch_norm=stage.freeze_batch_norm,
            pretrained=stage.weights is not None,
        )
        network = known.size(options.image_size)
        late = stage.unfreeze_at_epoch is not None
        trainable = 0 if late else options.trainable
        self.add(
            "backbone",
            PREFIX,
            network.shape,
            trainable=trainable,
            fixed=options.trainable + options.fixed - trainable,
            frozen=late,
            unfreeze_at_epoch=stage.unfreeze_at_epoch,
            flops=network.flops,
            inner_values=network.values - prod(network.shape),
            options=options,
        )

    def _first_trained(self, stage: Any, known: Backbone) -> int:
        """Index of the first layer that trains; notes a problem where there is no such layer."""
        if stage.first_layer is None:
            return 0 if stage.trainable else len(known.layers)
        if stage.first_layer not in known.names:
            weighty = [layer.name for layer in known.layers if layer.trainable]
            shown = ", ".join([*weighty[:2], "...", *weighty[-2:]])
            given = cut(stage.first_layer)
            self.fail(
                f"no layer of {stage.name} has this name. Expected one of Keras's names, such as "
                f"{shown}. Received '{given}'{near(given, known.names)}",
                "trainable",
                "from",
            )
            return 0
        index = known.names.index(stage.first_layer)
        if not any(layer.trainable for layer in known.layers[index:]):
            self.fail(
                f"no layer from '{stage.first_layer}' on has weights. Expected an earlier layer, "
                "or trainable: false",
                "trainable",
                "from",
            )
        return index
