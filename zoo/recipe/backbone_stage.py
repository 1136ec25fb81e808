"""The stage `backbone`: a network of `keras.applications`, trained on ImageNet or not. Light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, create_model, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import MAX_TEXT, Model
from zoo.recipe.places import place_path
from zoo.recipe.shown import received
from zoo.recipe.source_fields import PathText
from zoo.recipe.words.backbones import BACKBONES
from zoo.recipe.words.word import MAX_EPOCHS

IMAGENET = "imagenet"
LayerName = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]

if TYPE_CHECKING:
    BackboneName = str
    Trainable = Any

    class TrainableFrom(Model):
        """Layers of a backbone from one on."""
else:
    BackboneName = Literal[tuple(BACKBONES)]
    # `from` is a word of Python: no class body can have a field of that name.
    TrainableFrom = create_model(
        "TrainableFrom",
        __base__=Model,
        __doc__="Layers of a backbone from one on.",
        **{"from": (LayerName, Field(description="The first layer that trains."))},
    )

    def _trainable(value: Any) -> Any:
        if value is None or isinstance(value, bool | TrainableFrom):
            return value
        if value == "none":
            return None
        if isinstance(value, dict) and set(value) == {"from"}:
            return TrainableFrom.model_validate(value)
        raise PydanticCustomError(
            "trainable",
            "Expected true, false or {from: LAYER}, which trains this layer of the backbone and "
            "all behind it. Received {given}",
            {"given": received(value)},
        )

    Trainable = Annotated[
        Any,
        PlainValidator(_trainable),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "boolean"},
                    {"enum": ["none", None]},
                    {
                        "type": "object",
                        "properties": {
                            "from": {
                                "type": "string",
                                "minLength": 1,
                                "maxLength": MAX_TEXT,
                                "description": "The first layer that trains.",
                            }
                        },
                        "required": ["from"],
                        "additionalProperties": False,
                    },
                ]
            }
        ),
    ]


class BackboneStage(Model):
    """A network of `keras.applications` without its head, as the first stage.

    It takes images of 0 to 255 and scales them as its weights want them: `data.preprocess` is left
    out. Grey images are repeated in three channels.
    """

    name: BackboneName = Field(description="Name of the network in keras.applications.")
    weights: PathText | None = Field(
        IMAGENET,
        description="imagenet: Keras's own, which it downloads before the first training and keeps "
        "in its cache; none: drawn at random; else a file: .keras, .weights.h5 or .h5.",
    )
    trainable: Trainable = Field(
        None,
        description="true: all layers train; false: none does; {from: LAYER}: this one, by Keras's "
        "name, and all behind it. none: false with weights, true without.",
    )
    freeze_batch_norm: bool | None = Field(
        None,
        description="Batch norm keeps its weights and moving statistics, and computes with them as "
        "in inference, in layers that train, too. none: true with weights, false without.",
    )
    unfreeze_at_epoch: int | None = Field(
        None,
        ge=2,
        le=MAX_EPOCHS,
        description="First epoch, counted from 1, in which the layers of trainable are trained; "
        "until then none is. none: from the first on.",
    )

    @property
    def file(self) -> str | None:
        """Path of the file with its weights; None for other weights."""
        return None if self.weights in (None, IMAGENET) else self.weights

    @property
    def trains_batch_norm(self) -> bool:
        """Whether, resolved, it has batch norm that learns from batches."""
        has_norm = not self.name.startswith(("ConvNeXt", "VGG"))
        return bool(has_norm and self.trainable and not self.freeze_batch_norm)

    @property
    def first_layer(self) -> str | None:
        """The layer of `trainable: {from: LAYER}`."""
        name: str | None = getattr(self.trainable, "from", None)
        return name

    def resolved(self) -> BackboneStage:
        """The same with what it leaves out filled in."""
        trained = self.weights is not None
        update: dict[str, Any] = {}
        if self.trainable is None:
            update["trainable"] = not trained or self.unfreeze_at_epoch is not None
        if self.freeze_batch_norm is None:
            update["freeze_batch_norm"] = trained
        if self.file is not None:
            update["weights"] = place_path(self.file, None, typed=False).path
        return self.model_copy(update=update)

    @model_validator(mode="after")
    def _fits(self) -> BackboneStage:
        if self.unfreeze_at_epoch is not None and self.trainable is False:
            raise PydanticCustomError(
                "unfreeze",
                "no layer is trained with trainable: false. Drop that, or this key",
                {"at": ("unfreeze_at_epoch",)},
            )
        return self
