"""The `train` block of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
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
    Width,
    choice,
    tuple_of,
    without_required,
)
from zoo.recipe.monitors import AutoMonitor, Monitor
from zoo.recipe.weights import Ema, Factor, Lookahead
from zoo.recipe.words.word import MAX_GROWTH

Steps = Annotated[int, Field(ge=2, le=MAX_WIDTH)]

if TYPE_CHECKING:
    Optimizer = Choice
    Schedule = Choice
    Loss = Choice
    ClassWeight = Choice
    OwnMetric = Choice
    OwnCallback = Choice
else:
    Optimizer = choice("Optimizer", "How weights are updated.", words.OPTIMIZERS)
    Schedule = choice("Schedule", "How the learning rate changes.", words.SCHEDULES)
    Loss = choice("Loss", "What is minimised.", words.LOSSES, "loss")
    ClassWeight = choice(
        "ClassWeight", "How much each training image counts in the loss.", words.CLASS_WEIGHTS
    )
    OwnMetric = choice("OwnMetric", "A metric of your own: a word of plugins.", {}, "metric")
    OwnCallback = choice(
        "OwnCallback", "A Keras callback of your own: a word of plugins.", {}, "callback"
    )


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

    model_config = ConfigDict(json_schema_extra=without_required)

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
        default_factory=lambda: Loss.model_validate("auto"), description="What is minimised."
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
        "alike. val_mean_average_precision and val_micro_f1 are for images with any number of "
        "classes, val_balanced_accuracy for one class an image. auto: val_mean_average_precision "
        "for images with any number of classes; val_balanced_accuracy with class weights, or if "
        "the largest class has more than 9 times the training images of the smallest; else "
        "val_accuracy.",
    )
    metrics: tuple_of(OwnMetric) = Field(  # type: ignore[valid-type]
        (),
        description="Metrics of your own, measured beside loss and accuracy, in training and "
        "validation; each is a column by its word, and val_ with its word.",
    )
    callbacks: tuple_of(OwnCallback) = Field(  # type: ignore[valid-type]
        (), description="Keras callbacks of your own, told in this order."
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
