"""The schema of a recipe: a frozen model for each block, a description for each field.

The descriptions are the documentation: `zoo schema` and docs/recipe.md are made from them. After
validation, stages still lack what they leave to `model.defaults`; `resolve.resolved` fills it in.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.data_block import Data
from zoo.recipe.fields import MAX_PATH, Model, tuple_of
from zoo.recipe.network import Network, stages_schema
from zoo.recipe.presets import PRESETS
from zoo.recipe.recipe_source import RecipeSource
from zoo.recipe.train_block import Train
from zoo.recipe.tune import Tune

Reference = Annotated[str, Field(min_length=1, max_length=MAX_PATH)]


class Evaluate(Model):
    """How the trained network is measured."""

    tta: Literal["mirror", "mirror_translate"] | None = Field(
        None,
        description="Test-time augmentation, reported beside the plain figures. mirror: mean "
        "logits of the image and its mirror image; mirror_translate: of shifts by a pixel, too.",
    )


class Recipe(Model):
    """One network, its data and its training."""

    extends: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_PATH,
        exclude=True,
        description="A recipe whose values hold where this one gives none: the name of one that "
        "ships, or a file, relative to this one. Maps are merged key by key; lists and other words "
        "replace what it has; none takes a key away.",
    )
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Names the run folder."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of weights, batches and augmentation.")
    plugins: tuple_of(Reference, 100) = Field(  # type: ignore[valid-type]
        (),
        description="Parts of your own, each FILE.py:NAME, relative to this recipe, or "
        "PACKAGE.MODULE:NAME; the name is then a word. Their code runs only where "
        "--allow-plugins or your own configuration allows it.",
    )
    data: Data = Field(description="The images.")
    model: Network = Field(description="The network.")
    train: Train = Field(description="The training.")
    evaluate: Evaluate = Field(default_factory=Evaluate, description="The measurement.")
    tune: Tune | None = Field(None, description="What `zoo tune` searches, or none.")
    set: dict[str, Any] | None = Field(
        None,
        exclude=True,
        description="Needs extends: single values of that recipe by their paths, such as "
        "model.stack[2].conv.dropout: 0.3, as --set changes them.",
    )

    _source: RecipeSource | None = PrivateAttr(None)  # Of a recipe that `zoo.load` loaded.

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Tells editors of presets, and requires keys of recipes without `extends` alone."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        whole = handler.resolve_ref_schema(schema)
        block = whole["properties"]["data"]
        whole["properties"]["data"] = {
            "anyOf": [{"enum": list(PRESETS)}, {"$ref": block["$ref"]}],
            "description": block["description"],
        }
        data = [{"type": "string"}, {"required": ["preset"]}, {"required": ["source"]}]
        parts = {
            "data": {"anyOf": data},
            "model": {
                "required": ["stack"],
                **stages_schema(),
                "properties": {"blocks": {"additionalProperties": {"required": ["stack"]}}},
            },
            "train": {"required": ["epochs"]},
        }
        whole["anyOf"] = [
            {"required": ["extends"]},
            {"required": whole.pop("required"), "properties": parts},
        ]
        return schema

    @model_validator(mode="after")
    def _is_written_out(self) -> Recipe:
        for key in ("extends", "set"):
            if getattr(self, key) is not None:
                raise PydanticCustomError(
                    "not_written_out",
                    "is read from a recipe's file, before anything is changed. Write a file with "
                    "`extends`",
                    {"at": (key,)},
                )
        return self

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.data.image_size is None and self.data.source.word != "digits":
            raise PydanticCustomError(
                "image_size",
                "required key is missing. Expected [height, width] for source {source}",
                {"source": self.data.source.word, "at": ("data", "image_size")},
            )
        return self

    @model_validator(mode="after")
    def _augmentations_fit(self) -> Recipe:
        side = min(self.image_size)
        for index, step in enumerate(self.data.augment):
            if step.word == "cutout" and step.options.inside and step.options.size > side:
                raise PydanticCustomError(
                    "cutout",
                    "inside needs a square of at most the image's shorter side ({side}). "
                    "Received size {size}",
                    {
                        "side": side,
                        "size": step.options.size,
                        "at": ("data", "augment", index, "cutout", "size"),
                    },
                )
            if step.word == "gaussian_blur" and step.options.kernel_size % 2 == 0:
                raise PydanticCustomError(
                    "kernel_size",
                    "a window has a middle. Expected an odd number. Received {size}",
                    {
                        "size": step.options.kernel_size,
                        "at": ("data", "augment", index, "gaussian_blur", "kernel_size"),
                    },
                )
            if step.word == "random_crop" and step.options.padding >= side:
                raise PydanticCustomError(
                    "padding",
                    "padding must be below the image's shorter side ({side}). Received {padding}",
                    {
                        "side": side,
                        "padding": step.options.padding,
                        "at": ("data", "augment", index, "random_crop", "padding"),
                    },
                )
        return self

    def __repr__(self) -> str:
        height, width, channels = self.image_shape
        return (
            f"<Recipe {self.name}: {self.data.source.word} {height}x{width}x{channels}, "
            f"{len(self.model.stack)} stages, {self.train.epochs} epochs>"
        )

    def __str__(self) -> str:
        write = self._source and self._source.yaml
        return write(self) if write else repr(self)

    def _repr_html_(self) -> str | None:
        """How a notebook shows the recipe; None, which falls back to text, if it was not loaded."""
        shown = self._source and self._source.html
        return shown(self) if shown else None

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the network sees, in pixels."""
        return self.data.image_size or (8, 8)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images that the network sees."""
        return (*self.image_size, 1 if self.data.color_mode == "grayscale" else 3)
