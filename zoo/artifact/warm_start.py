"""What of trained weights a network takes over: `model.weights` of a recipe, held against a file.

Light, but for the reading of the file (`stored_weights`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.artifact.stored_weights import NORMALISE, Shape, StoredLayer, StoredWeights, read
from zoo.errors import Problem, RecipeError
from zoo.plan import Plan
from zoo.plan.weight_shapes import weight_shapes
from zoo.recipe import Recipe
from zoo.recipe.trained_weights import TrainedWeights, named
from zoo.text.counted import counted

AT = "model.weights"
HEAD = "logits"
MAX_NAMES = 12  # That a line lists.


@dataclass(frozen=True)
class WarmStart:
    """Trained weights, and which layers of a network take theirs over.

    Attributes:
        stored: the weights.
        config: `model.weights` of the recipe.
        planned: plan of the network.
        loaded: names of the layers whose weights are taken over, in order.
        new: names of the layers with weights of their own, because they are excluded or not there.
        unused: names of the layers with weights that the network has not.
    """

    stored: StoredWeights
    config: TrainedWeights
    planned: Plan
    loaded: tuple[str, ...]
    new: tuple[str, ...]
    unused: tuple[str, ...]

    def lines(self) -> list[str]:
        """Says in sentences what is taken over, what is new and what is frozen."""
        sizes = {layer.name: layer.parameters for layer in self.planned.layers}
        count = sum(sizes[name] for name in self.loaded)
        total = counted(len(self.loaded) + len(self.new), "layer")
        parts = [
            f"weights: {len(self.loaded)} of {total} with weights ({count:,} weights) come from "
            f"{self.stored.origin}",
            f"new: {_shown(self.new)}" if self.new else "",
            f"not used of it: {_shown(self.unused)}" if self.unused else "",
        ]
        return ["; ".join(filter(None, parts)), *frozen_lines(self.planned)]

    def notes(self, class_names: Sequence[str] | None, image_shape: Shape) -> list[str]:
        """Says where the network's task differs from that of the weights.

        Args:
            class_names: of the data; None: not known.
            image_shape: (height, width, channels) of the images.
        """
        notes = []
        there, size = list(self.stored.class_names), self.stored.image_shape
        here = there if class_names is None else list(class_names)
        if HEAD in self.loaded and there and there != here:
            notes.append(
                f"the weights of {HEAD} were trained for the classes {_shown(there)}; here its "
                f"outputs are {_shown(here)}. To start the head anew, put {HEAD} in "
                f"{AT}.exclude"
            )
        if size and size[:2] != tuple(image_shape[:2]):
            notes.append(
                f"the weights were trained on images of {_times(size[:2])} pixels, and these have "
                f"{_times(image_shape[:2])}"
            )
        return notes

    def require_finite(self) -> None:
        """Refuses weights of NaN or infinity.

        Raises:
            WrongModel: names the first layer with some.
        """
        pending = [self.stored.layers[name] for name in self.loaded]
        while pending:
            layer = pending.pop(0)
            self.stored.arrays(layer)
            pending += layer.inner.values()

    def as_json(self) -> dict[str, Any]:
        """Plain data, as run.json keeps it."""
        return {
            "from": str(self.stored.origin),
            "sha256": self.stored.sha256,
            "class_names": list(self.stored.class_names),
            "loaded": list(self.loaded),
            "new": list(self.new),
        }


def frozen_lines(planned: Plan, epoch: int = 1) -> list[str]:
    """Says which layers are frozen, in a line for each epoch that unfreezes some.

    Args:
        planned: plan of the network.
        epoch: from 1, in which the training begins or goes on: layers that were unfrozen by then
            are trained.
    """
    frozen = [layer for layer in planned.layers if layer.frozen]
    lines = []
    for first in dict.fromkeys(layer.unfreeze_at_epoch for layer in frozen):
        layers = [layer for layer in frozen if layer.unfreeze_at_epoch == first]
        if first is None:
            state = "frozen to the end"
        elif first > epoch:
            state = f"frozen until epoch {first} begins"
        else:
            state = f"trained since epoch {first} began"
        count = sum(layer.parameters for layer in layers)
        names = _shown([layer.name for layer in layers])
        lines.append(f"{state}: {names} ({count:,} of {planned.parameters:,} weights)")
    return lines


def warm_start(
    recipe: Recipe, planned: Plan, stored: StoredWeights | None = None
) -> WarmStart | None:
    """Reads what `model.weights.from` names, and matches it with a network.

    Args:
        recipe: resolved.
        planned: its plan, for the classes of the data.
        stored: what `from` names, where the caller has read it.

    Returns:
        What is taken over; None if the recipe names no weights.

    Raises:
        DataError: there is no such run or file, or the run has no model.
        RecipeError: layers of the same name have other shapes; no layer matches; or a frozen layer
            would be new. All that does not match is named.
        WrongModel: the file is no model file, was cut or edited.
    """
    config = recipe.model.weights
    if config is None or config.source is None:
        return None
    stored = stored or read(config.source)
    shapes = weight_shapes(planned.layers)
    problems, loaded, new = [], [], []
    for layer in planned.layers:
        if not layer.parameters:
            continue
        there = stored.layers.get(layer.name)
        if there is None or named(layer.name, config.exclude):
            new.append(layer.name)
        elif _fits(there, shapes[layer.name], layer.parameters):
            loaded.append(layer.name)
        else:
            problems.append(_misfit(layer.name, shapes[layer.name], layer.parameters, there))
    if not loaded and not problems:
        problems.append(_nothing(planned, stored))
    frozen = {layer.name for layer in planned.layers if layer.frozen}
    random = [name for name in new if name in frozen and not _has_own(planned, name)]
    if random and loaded:
        problems.append(
            f"{_shown(random)} would be frozen and new, with random weights: {stored.file} has no "
            f"such layer. Leave it out of {AT}.freeze, or put it in {AT}.exclude."
        )
    if problems:
        raise RecipeError([Problem(path=f"{AT}.from", message=text) for text in problems])
    ours = {layer.name for layer in planned.layers}
    unused = tuple(name for name in stored.layers if name not in ours)
    return WarmStart(stored, config, planned, tuple(loaded), tuple(new), unused)


def _has_own(planned: Plan, name: str) -> bool:
    """Whether a layer may have trained weights from elsewhere: a network inside of the network."""
    return weight_shapes(planned.layers)[name] is None


def _fits(there: StoredLayer, shapes: tuple[Shape, ...] | None, size: int) -> bool:
    return there.size == size if shapes is None else there.shapes == shapes


def _misfit(name: str, shapes: tuple[Shape, ...] | None, size: int, there: StoredLayer) -> str:
    here = _listed(shapes) if shapes is not None else counted(size, "weight")
    other = _listed(there.shapes) if shapes is not None else counted(there.size, "weight")
    advice = f"To start it anew, put {name} in {AT}.exclude"
    if name == HEAD and shapes and there.shapes and shapes[0][:1] == there.shapes[0][:1]:
        classes = f"{shapes[0][-1]:,} classes here, {there.shapes[0][-1]:,} there"
        return f"{name}: {classes}. Write exclude: [{name}], so that the head starts anew."
    return f"{name}: weights of {here} here, of {other} there. {advice}."


def _nothing(planned: Plan, stored: StoredWeights) -> str:
    ours = [layer.name for layer in planned.layers if layer.parameters]
    common = [name for name in ours if name in stored.layers]
    if common:
        return (
            f"{AT}.exclude names every layer that {stored.file} has ({_shown(common)}), so that "
            f"nothing is taken over. Leave one out of it, or drop {AT}."
        )
    return (
        f"no layer of {stored.file} matches. Expected some of {_shown(ours)}, less those in "
        f"{AT}.exclude. Received {_shown(list(stored.layers))}."
    )


def absolute(recipe: Recipe, start: WarmStart) -> Recipe:
    """The recipe with the run folder or the file that was read, for the run's own recipe."""
    weights = start.config.with_source(str(start.stored.origin))
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"weights": weights})})


def own_normalisation_wanted(config: TrainedWeights) -> bool:
    """Whether images are normalised by their own statistics."""
    return named(NORMALISE, config.exclude)


def _listed(shapes: Iterable[Shape]) -> str:
    return ", ".join(map(_times, shapes)) or "none"


def _times(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))


def _shown(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    if len(names) <= MAX_NAMES:
        return ", ".join(names)
    most = MAX_NAMES - 1
    return f"{', '.join(names[:most])} and {len(names) - most:,} more"
