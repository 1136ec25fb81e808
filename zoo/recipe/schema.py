"""The schema of a recipe: a frozen model for each block, a description for each field.

The descriptions are the documentation: `zoo schema` and docs/recipe.md are made from them. After
validation, stages still lack what they leave to `model.defaults`; `resolve.resolved` fills it in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe import schedules, words
from zoo.recipe.fields import (
    MAX_WIDTH,
    Choice,
    Count,
    Epochs,
    Minutes,
    Model,
    NotNegative,
    Pair,
    Width,
    choice,
    tuple_of,
)
from zoo.recipe.monitors import AutoMonitor, Monitor
from zoo.recipe.network import Network
from zoo.recipe.pixels import Transparency, ValueRange
from zoo.recipe.source import Source
from zoo.recipe.tune import Tune
from zoo.recipe.weights import Ema, Factor, Lookahead
from zoo.recipe.words.word import LARGEST, MAX_GROWTH, POSITIVE

Steps = Annotated[int, Field(ge=2, le=MAX_WIDTH)]

if TYPE_CHECKING:
    Optimizer = Choice
    Schedule = Choice
    Loss = Choice
    Augmentation = Choice
    ClassWeight = Choice
else:
    Optimizer = choice("Optimizer", "How weights are updated.", words.OPTIMIZERS)
    Schedule = choice("Schedule", "How the learning rate changes.", words.SCHEDULES)
    Loss = choice("Loss", "What is minimised.", words.LOSSES)
    Augmentation = choice(
        "Augmentation", "A random change of training images.", words.AUGMENTATIONS
    )
    ClassWeight = choice(
        "ClassWeight", "How much each training image counts in the loss.", words.CLASS_WEIGHTS
    )


class Data(Model):
    """The images: where they are, and how they are read, normalised and augmented."""

    source: Source = Field(description="digits, {folder: PATH} or {tfds: NAME}.")
    image_size: Pair | None = Field(
        None, description="[height, width] in pixels; needed unless the source is digits."
    )
    color_mode: Literal["rgb", "grayscale"] = Field("rgb", description="Channels: 3 or 1.")
    interpolation: Literal["bilinear", "bicubic", "nearest", "area", "lanczos3"] = Field(
        "bilinear", description="How images of another size are resized, with antialiasing."
    )
    crop_to_aspect_ratio: bool = Field(
        False, description="Keep the aspect ratio: cut the longer side off."
    )
    pad_to_aspect_ratio: bool = Field(
        False, description="Keep the aspect ratio: pad the shorter side with black."
    )
    transparency: Transparency | None = Field(
        None,
        description="What becomes of alpha; none: it is dropped, and training stops where that "
        "empties most images of a class.",
    )
    value_range: ValueRange | None = Field(
        None,
        description="Values that become 0 and 255 in images of more than 8 bits a channel; auto: "
        "the smallest and largest of the training images; none: 0 and 65,535 (the high byte).",
    )
    preprocess: Literal[
        "none",
        "scale01",
        "scale11",
        "mean_image",
        "channel_mean",
        "channel_meanstd",
        "global_mean",
        "global_meanstd",
        "samplewise_mean",
        "samplewise_meanstd",
    ] = Field(
        "channel_meanstd",
        description="Normalisation; its statistics come from the training split alone, or from the "
        "image itself.",
    )
    augment: tuple_of(Augmentation) = Field(  # type: ignore[valid-type]
        (),
        description="Random changes of the training images, drawn for each image, in this order.",
    )
    on_bad_image: Literal["error", "skip"] = Field(
        "error",
        description="error: an unreadable file stops the run; skip: it is left out and listed.",
    )
    max_megapixels: float = Field(
        50.0,
        ge=POSITIVE["ge"],
        le=LARGEST,
        description="Larger images count as unreadable: a small file can unpack to gigabytes.",
    )
    loading: Literal["auto", "resident", "streamed"] = Field(
        "auto",
        description="resident: decoded once into a cache; streamed: decoded as needed; "
        "auto: resident if it fits into half the free memory.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Data:
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise PydanticCustomError(
                "aspect",
                "crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other; keep one of them",
                {"at": ("pad_to_aspect_ratio",)},
            )
        return self


class EarlyStopping(Model):
    """Ends a training when a metric of validation has stopped improving."""

    patience: Count = Field(description="Epochs without improvement.")
    min_delta: NotNegative = Field(
        0.0, description="Smallest change that counts as an improvement."
    )
    monitor: Monitor | None = Field(
        None, description="Metric that must improve; none: that of train.monitor."
    )


def _text(value: object) -> object:
    return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value


class Train(Model):
    """How the network is trained."""

    epochs: Epochs = Field(
        description="Passes over the training images, unless steps_per_epoch is given."
    )
    steps_per_epoch: Count | None = Field(
        None,
        description="Steps until the next validation, which count as an epoch, also in schedules; "
        "none: those of a pass over the training images.",
    )
    batch_size: Width = Field(32, description="Images in a step.")
    drop_remainder: bool = Field(
        False, description="Leave out the last batch of an epoch if it is not full."
    )
    loss: Loss = Field(
        default_factory=lambda: Loss.model_validate("softmax"), description="What is minimised."
    )
    class_weight: ClassWeight | None = Field(
        None, description="How much each class counts in the training loss; none: all alike."
    )
    optimizer: Optimizer = Field(
        default_factory=lambda: Optimizer.model_validate("Adam"), description="The update rule."
    )
    schedule: Schedule = Field(
        default_factory=lambda: Schedule.model_validate("constant"),
        description="How the learning rate changes.",
    )
    learning_rate_factors: tuple_of(Factor) = Field(  # type: ignore[valid-type]
        (), description="Other learning rates for some variables, by their paths."
    )
    gradient_accumulation_steps: Steps | None = Field(
        None, description="Steps whose gradients are averaged for one update, or none."
    )
    ema: Ema | None = Field(None, description="Moving average of the weights, or none.")
    lookahead: Lookahead | None = Field(
        None, description="Slow weights (Zhang et al. 2019), or none."
    )
    dtype_policy: Literal["float32", "mixed_bfloat16", "mixed_float16", "float64"] = Field(
        "float32", description="Keras's dtype policy; mixed ones keep the logits in float32."
    )
    monitor: AutoMonitor = Field(
        "auto",
        description="Metric that selects the best epoch; val_loss breaks ties, and val_accuracy "
        "those of val_loss. val_balanced_accuracy, val_f1, val_recall and val_auc weigh classes "
        "alike. auto: val_balanced_accuracy with class weights, or if the largest class has more "
        "than 9 times the training images of the smallest; else val_accuracy.",
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="Stop when the monitored metric has stopped improving, or none."
    )
    batch_norm_batches: Width | None = Field(
        None,
        description="Training batches from which batch norm's statistics are recomputed before "
        "each validation; none: the running averages of training.",
    )
    abort_above: float | None = Field(
        3.0,
        gt=1,
        le=MAX_GROWTH,
        description="A run has diverged after five losses in a row above this many times the first "
        "loss, or two above ten times that; none: never.",
    )
    checkpoint_minutes: Minutes = Field(
        5.0,
        description="Minutes between checkpoints, which hold all that an exact resume needs.",
    )
    checkpoint_steps: Count | None = Field(
        None, description="Steps between further checkpoints, or none."
    )
    deterministic: bool = Field(
        True, description="Same seed and machine, same weights. Slower on a GPU."
    )
    jit_compile: Annotated[Literal["auto", "true", "false"], BeforeValidator(_text)] = Field(
        "auto", description="Compile with XLA; auto: on a GPU unless deterministic, and with JAX."
    )
    loop: Literal["auto", "device", "host"] = Field(
        "auto",
        description="Where batches are made. device: on the device, where the images stay or, if "
        "they do not fit, are streamed to; host: in Python, step by step; auto: device, with few "
        "exceptions.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Train:
        options = self.optimizer.options
        if getattr(options, "nesterov", False) and not options.momentum:
            raise PydanticCustomError(
                "nesterov",
                "nesterov needs momentum above 0, for example 0.9",
                {"at": ("optimizer", self.optimizer.word, "nesterov")},
            )
        if options.clipnorm is not None and options.global_clipnorm is not None:
            raise PydanticCustomError(
                "clip",
                "clipnorm and global_clipnorm exclude each other; keep one of them",
                {"at": ("optimizer", self.optimizer.word, "clipnorm")},
            )
        if self.ema and self.lookahead:
            raise PydanticCustomError(
                "averages",
                "ema and lookahead are both averages of the weights; drop ema, or set lookahead: "
                "none",
                {"at": ("lookahead",)},
            )
        schedules.require_fit(self.schedule, self.epochs)
        return self


class Evaluate(Model):
    """How the trained network is measured."""

    tta: Literal["mirror", "mirror_translate"] | None = Field(
        None,
        description="Test-time augmentation, reported beside the plain figures. mirror: mean "
        "logits of the image and its mirror image; mirror_translate: of shifts by a pixel, too.",
    )


class Recipe(Model):
    """One network, its data and its training."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Names the run folder."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of weights, batches and augmentation.")
    data: Data = Field(description="The images.")
    model: Network = Field(description="The network.")
    train: Train = Field(description="The training.")
    evaluate: Evaluate = Field(default_factory=Evaluate, description="The measurement.")
    tune: Tune | None = Field(None, description="What `zoo tune` searches, or none.")

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

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the network sees, in pixels."""
        return self.data.image_size or (8, 8)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images that the network sees."""
        return (*self.image_size, 1 if self.data.color_mode == "grayscale" else 3)
