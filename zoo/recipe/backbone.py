"""The backbone of a network, if it has one. Light."""

from __future__ import annotations

from zoo.recipe.backbone_stage import BackboneStage
from zoo.recipe.nested_stages import stages
from zoo.recipe.network import Network


def backbone_of(network: Network) -> BackboneStage | None:
    """The backbone of a network, if it begins with one."""
    options = network.stack[0].options
    return options if isinstance(options, BackboneStage) else None


def with_backbone_file(network: Network, path: str) -> Network:
    """The same network whose backbone has its weights from another file."""
    stage = network.stack[0]
    options = stage.options.model_copy(update={"weights": path})
    stack = (stage.model_copy(update={stage.word: options}), *network.stack[1:])
    return network.model_copy(update={"stack": stack})


def learns_from_batches(network: Network) -> bool:
    """Whether a resolved network has batch norm that trains."""
    found = backbone_of(network)
    inner = [stage for _, stage in stages(network.stack, ())]
    normed = any(
        stage.word == "batch_norm" or getattr(stage.options, "batch_norm", None) for stage in inner
    )
    return normed or (found is not None and found.trains_batch_norm)
