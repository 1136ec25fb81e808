"""The backbone of a network, if it has one. Light."""

from __future__ import annotations

from zoo.errors import UsageError
from zoo.files.user_paths import user_path
from zoo.recipe.backbone_stage import IMAGENET, BackboneStage
from zoo.recipe.nested_stages import stages
from zoo.recipe.network import Network

WEIGHTS_PATH = "model.stack[0].backbone.weights"  # Of a recipe.
WEIGHTS_ENDINGS = (".keras", ".weights.h5", ".h5", ".hdf5")


def backbone_of(network: Network) -> BackboneStage | None:
    """The backbone of a network, if it begins with one."""
    options = network.stack[0].options
    return options if isinstance(options, BackboneStage) else None


def with_backbone(network: Network, backbone: BackboneStage) -> Network:
    """The same network with other options of its backbone."""
    stage = network.stack[0]
    stack = (stage.model_copy(update={stage.word: backbone}), *network.stack[1:])
    return network.model_copy(update={"stack": stack})


def missing_weights(stage: BackboneStage) -> str | None:
    """Why the file with a backbone's weights is not there; None if it is, or there is none."""
    if stage.file is None:
        return None
    try:
        path = user_path(stage.file)
        if path.is_file():
            return None
        fault = "it is a folder" if path.is_dir() else "there is no such file"
    except UsageError as error:
        return error.message
    *others, last = WEIGHTS_ENDINGS
    return (
        f"{fault}. Expected {IMAGENET}, none, or a file that ends in {', '.join(others)} or "
        f"{last}, such as the best.keras of a run. Received '{stage.file}'."
    )


def learns_from_batches(network: Network) -> bool:
    """Whether a resolved network has batch norm that trains."""
    found = backbone_of(network)
    inner = [stage for _, stage in stages(network.stack, ())]
    normed = any(
        stage.word == "batch_norm" or getattr(stage.options, "batch_norm", None) for stage in inner
    )
    return normed or (found is not None and found.trains_batch_norm)
