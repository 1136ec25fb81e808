"""Plans layers of the user's own: their code says what they make of a shape. Light.

A function that serves as activation keeps the shape and has no weights, so that its code is not
needed here. A class is asked: `zoo.plugins.measuring` builds one such layer. Before the code was
run, with Keras and the devices set up, a plan that needs it ends where it begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.plan.options import Options
from zoo.plugins import permission, running
from zoo.plugins.part import Part
from zoo.recipe.fields import Choice
from zoo.recipe.nested_stages import stages
from zoo.recipe.schema import Recipe

if TYPE_CHECKING:
    from zoo.plugins.measuring import Measured


@dataclass(frozen=True, kw_only=True)
class OwnLayerOptions(Options):
    """A layer of the user's own.

    Attributes:
        choice: its word and options.
        variables: paths of its trained variables, below its name.
    """

    choice: Choice
    variables: tuple[str, ...]

    @property
    def trained(self) -> tuple[str, ...]:
        """Paths of the trained variables, below the layer's name."""
        return self.variables


def needed(recipe: Recipe) -> list[Part]:
    """The parts whose code a plan of the recipe needs."""
    if not recipe.plugins:
        return []
    found = [choice.part for choice in _choices(recipe) if choice.part and choice.part.is_class]
    return list(dict.fromkeys(found))


def _choices(recipe: Recipe) -> Iterator[Choice]:
    """The stages of a recipe, and the activations in them and in the defaults."""
    yield recipe.model.defaults.activation
    for _, stage in stages(recipe.model.stack, ()):
        yield stage
        options: Any = stage.options
        if isinstance(options, Choice):
            yield options
        activation = getattr(options, "activation", None)
        if isinstance(activation, Choice):
            yield activation


def can_plan(recipe: Recipe) -> bool:
    """Whether the whole network can be planned now: nothing of it needs code that may not run."""
    parts = needed(recipe)
    return not parts or (all(map(running.has_run, parts)) and permission.are_allowed(parts))


def measured(choice: Choice, shape: tuple[int, ...], policy: str) -> Measured:
    """What a layer of the user's own makes of a shape; runs its code.

    Args:
        choice: its word and options.
        shape: of its input, without the batch.
        policy: Keras's dtype policy.

    Raises:
        PluginRefused: the user has not allowed its code.
        PluginError: its code failed, or a model file could not hold the layer.
    """
    from zoo.plugins import measuring

    return measuring.measure(choice.part, choice.options, shape, policy)


def shape_fault(word: str, before: tuple[int, ...], after: Any, is_activation: bool) -> str:
    """Why a network cannot go on behind a layer of the user's own; empty: it can."""
    if is_activation and tuple(after) != before:
        return (
            f"{word} makes {list(after)} of {list(before)}: an activation keeps the shape. Make it "
            "a stage of its own"
        )
    if len(after) not in (1, 3) or any(not isinstance(side, int) or side < 1 for side in after):
        return (
            f"{word} makes {list(after)} of {list(before)}. Expected [height, width, channels] or "
            "[units], all known"
        )
    return ""
