"""`model.weights`: trained weights to start from, and layers that are frozen. Light."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, WithJsonSchema, create_model, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import MAX_TEXT, Model, as_tuple, tuple_of
from zoo.recipe.shown import received
from zoo.recipe.source_fields import PathText
from zoo.recipe.words.word import MAX_EPOCHS

ALL = "all"
LayerName = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]


NAMES_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _listed(value: Any) -> Any:
    """Lets `freeze: conv1` stand for `freeze: [conv1]`."""
    return (value,) if isinstance(value, str) else as_tuple(value)


def _frozen(value: Any) -> Any:
    """As `_listed`; true and false, which Keras's `trainable` takes, are told what to write."""
    if isinstance(value, bool):
        raise PydanticCustomError(
            "freeze",
            "Expected names of layers, or all, which freezes every layer but the head. "
            "Received {given}",
            {"given": received(value)},
        )
    return _listed(value)


if TYPE_CHECKING:
    Names = tuple[str, ...]
    FrozenNames = tuple[str, ...]
    _From = Model
else:
    Names = Annotated[tuple_of(LayerName, read=_listed), WithJsonSchema(NAMES_SCHEMA)]
    FrozenNames = Annotated[tuple_of(LayerName, read=_frozen), WithJsonSchema(NAMES_SCHEMA)]
    # `from` is a word of Python: no class body can have a field of that name.
    _From = create_model(
        "_From",
        __base__=Model,
        **{
            "from": (
                PathText | None,
                Field(
                    None,
                    description="A run folder (its best model) or a .keras file; none: no weights "
                    "are loaded.",
                ),
            )
        },
    )


class TrainedWeights(_From):
    """Weights of a trained network, taken over by the names and shapes of layers.

    A name of a layer also stands for the layers whose names begin with it: conv1 for conv1_bn and,
    in a stage with repeat, for conv1_1 and conv1_2.
    """

    exclude: Names = Field(
        (),
        description="Layers that keep their new weights, such as logits; normalise: the images are "
        "normalised by their own statistics, not by those that the weights were trained with.",
    )
    freeze: FrozenNames = Field(
        (),
        description="Layers whose weights and statistics stay as they are; all: all but the head "
        "and those in exclude.",
    )
    freeze_up_to: LayerName | None = Field(
        None, description="Freezes this layer and all before it, instead of freeze."
    )
    unfreeze_at_epoch: int | None = Field(
        None,
        ge=2,
        le=MAX_EPOCHS,
        description="First epoch, counted from 1, in which frozen layers are trained; none: never.",
    )

    @property
    def source(self) -> str | None:
        """Path of the weights: the key `from`."""
        path: str | None = getattr(self, "from")
        return path

    def with_source(self, path: str) -> TrainedWeights:
        """The same with another path."""
        return self.model_copy(update={"from": path})

    @model_validator(mode="after")
    def _fits(self) -> TrainedWeights:
        if ALL in self.freeze and len(self.freeze) > 1:
            raise _error(("freeze",), "all stands alone: it freezes every layer but the head")
        if self.freeze and self.freeze_up_to is not None:
            raise _error(
                ("freeze_up_to",), "freeze and freeze_up_to exclude each other; keep one of them"
            )
        for key in ("exclude", "freeze", "freeze_up_to"):
            if getattr(self, key) and self.source is None:
                raise _error((key,), "needs from: without trained weights, all layers are new")
        return self


def _error(at: tuple[str, ...], message: str) -> PydanticCustomError:
    return PydanticCustomError("weights", message, {"at": at})


def belongs(layer: str, name: str) -> bool:
    """Whether a name of a recipe stands for a layer.

    Args:
        layer: name of the layer.
        name: in `exclude` or `freeze`.
    """
    return layer == name or layer.startswith(f"{name}_")


def named(layer: str, names: Iterable[str]) -> bool:
    """Whether one of these names stands for a layer."""
    return any(belongs(layer, name) for name in names)
