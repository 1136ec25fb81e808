"""The recipe language: one frozen model a block, one description a field.

The descriptions are the documentation: `zoo schema` and docs/recipe.md are made from them. A
recipe as loaded still lacks what it leaves to `model.defaults`; `resolve.resolved` writes it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from zoo import names
from zoo.recipe.words import Choice, Count, Model, Pair, choice, listing

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Part = Annotated[float, Field(gt=0.0, lt=1.0)]

if TYPE_CHECKING:
    Activation = Choice
    Initializer = Choice
    Optimizer = Choice
    Schedule = Choice
    Loss = Choice
    Pool = Choice
    GlobalPool = Choice
    Augmentation = Choice
    Order = tuple[str, ...]
else:
    Activation = choice("Activation", "What follows the kernel.", names.ACTIVATIONS)
    Initializer = choice("Initializer", "How a kernel is drawn.", names.INITIALIZERS)
    Optimizer = choice("Optimizer", "How weights are updated.", names.OPTIMIZERS)
    Schedule = choice("Schedule", "How the learning rate moves.", names.SCHEDULES)
    Loss = choice("Loss", "What is minimised.", names.LOSSES)
    Pool = choice("Pool", "Pooling over windows.", names.POOLS)
    GlobalPool = choice("GlobalPool", "Pooling over all positions.", names.GLOBAL_POOLS)
    Augmentation = choice(
        "Augmentation", "A random change of training images.", names.AUGMENTATIONS
    )
    Order = Annotated[
        listing(Literal["conv", "bn", "act", "pool", "dropout"]),
        Field(description="Order of the parts of a stage; pool and dropout, left out, come last."),
    ]


class BatchNorm(Model):
    """Batch normalisation (Ioffe & Szegedy 2015), in Keras's words."""

    momentum: Fraction = Field(0.9, description="Share of the running statistics kept a step.")
    epsilon: float = Field(1e-3, gt=0, description="Added to the variance.")
    center: bool = Field(True, description="Learn a shift (beta).")
    scale: bool = Field(True, description="Learn a factor (gamma).")


class Regularizer(Model):
    """A penalty added to the loss."""

    l2: float = Field(ge=0, description="Adds l2 * sum(w^2) to the loss, as Keras does.")


class Layered(Model):
    """What conv and fc stages share; left out, it is taken from `model.defaults`."""

    use_bias: bool | None = Field(
        None, description="A bias; left out: only where no batch norm follows the kernel."
    )
    repeat: int = Field(
        1, ge=1, le=1000, description="How often; pool and dropout come in the last repeat."
    )
    dropout: Fraction = Field(0.0, description="Share of units dropped in training.")
    order: Order | None = Field(None, description="Order of the parts; default: model.defaults.")
    activation: Activation | None = Field(
        None, description="What follows the kernel; default: model.defaults."
    )
    kernel_initializer: Initializer | None = Field(
        None, description="How the kernel is drawn; default: model.defaults."
    )
    bias_initializer: Initializer | None = Field(
        None, description="How the bias is drawn; default: model.defaults."
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on the kernel, or none; default: model.defaults."
    )
    batch_norm: BatchNorm | None = Field(
        None, description="Batch norm, or none to leave it out; default: model.defaults."
    )

    @model_validator(mode="after")
    def _none_where_it_means_something(self) -> Layered:
        for key in ("order", "activation", "kernel_initializer", "bias_initializer", "padding"):
            if key in self.model_fields_set and getattr(self, key) is None:
                raise PydanticCustomError(
                    "no_none",
                    "cannot be none. Leave it out to take it from model.defaults{hint}",
                    {"at": (key,), "hint": "; linear is no activation" * (key == "activation")},
                )
        return self


class Conv(Layered):
    """A stage of convolutions: [CONV-BN-ReLU] x repeat, with pooling and dropout at its end."""

    filters: Count = Field(description="Output channels.")
    kernel_size: Pair = Field((3, 3), description="Height and width of the kernel.")
    strides: Pair = Field((1, 1), description="Step between positions; first repeat only.")
    padding: Literal["same", "valid"] | None = Field(
        None, description="same keeps the size (divided by strides); default: model.defaults."
    )
    dilation_rate: Pair = Field((1, 1), description="Spacing of the kernel's points.")
    groups: Count = Field(1, description="Groups into which channels are split.")
    pool: Pool | None = Field(None, description="Pooling at the end of the stage, or none.")

    @model_validator(mode="after")
    def _fits(self) -> Conv:
        if self.filters % self.groups:
            raise PydanticCustomError(
                "groups",
                "filters must be a multiple of groups. Received filters={filters}, groups={groups}",
                {"filters": self.filters, "groups": self.groups, "at": ("groups",)},
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise PydanticCustomError(
                "strides",
                "strides and dilation_rate cannot both be above 1; drop one of them",
                {"at": ("dilation_rate",)},
            )
        return self


class Fc(Layered):
    """A stage of fully connected layers: [FC-BN-ReLU] x repeat."""

    units: Count = Field(description="Output units.")


class Dropout(Model):
    """Dropout on its own."""

    rate: Fraction = Field(description="Share of units dropped in training.")


class Flatten(Model):
    """Height, width and channels into one vector."""


class Stage(Choice):
    """One stage of the stack."""

    conv: Conv | None = Field(None, description="[CONV-BN-ReLU-pool].")
    fc: Fc | None = Field(None, description="[FC-BN-ReLU].")
    pool: Pool | None = Field(None, description="Pooling over windows.")
    global_pool: GlobalPool | None = Field(None, description="Pooling over all positions.")
    flatten: Flatten | None = Field(None, description="Into one vector.")
    dropout: Dropout | None = Field(None, description="Dropout.")


class Defaults(Model):
    """What every conv and fc stage takes unless it says otherwise."""

    order: Order = names.ORDER
    padding: Literal["same", "valid"] = Field("same", description="Padding of convolutions.")
    activation: Activation = Field(
        default_factory=lambda: Activation.model_validate("relu"), description="After each kernel."
    )
    kernel_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("auto"),
        description="How kernels are drawn.",
    )
    bias_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("zeros"),
        description="How biases are drawn.",
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on kernels; never on biases or batch norm."
    )
    batch_norm: BatchNorm | None = Field(
        default_factory=BatchNorm, description="Batch norm, or none to leave it out."
    )


class Head(Model):
    """The last layer: one logit a class, float32, no activation."""

    kernel_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate({"RandomNormal": {"stddev": 0.01}}),
        description="Small, so that the loss starts at ln(classes).",
    )
    bias_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("zeros"),
        description="How the biases are drawn.",
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on the kernel, or none; default: model.defaults."
    )
    use_bias: bool = Field(True, description="A bias a class.")


class Network(Model):
    """The network: a stack of stages between the image and the logits."""

    defaults: Defaults = Field(default_factory=Defaults, description="For all stages.")
    stack: listing(Stage) = Field(  # type: ignore[valid-type]
        min_length=1, description="The stages, from the image to the head."
    )
    head: Head = Field(default_factory=Head, description="The layer of the logits.")


class Digits(Model):
    """The 1,797 8x8 grey digits that scikit-learn ships: 1,257 train, 180 validation, 360 test."""


class Folder(Model):
    """Image files in a folder a class."""

    path: str = Field(
        min_length=1,
        description="Holds train/CLASS, validation/CLASS, test/CLASS, or CLASS folders alone.",
    )
    validation_split: Part | None = Field(
        None,
        description="Share of training images kept for validation where it has no folder: 0.1.",
    )
    test_split: Part | None = Field(
        None, description="Share of images kept for the test where class folders stand alone: 0.1."
    )
    split_seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of these splits; not the run's seed."
    )


class Tfds(Model):
    """A TensorFlow Datasets builder."""

    name: str = Field(min_length=1, description="Builder, with config and version if wanted.")
    train: str = Field("train[:90%]", description="Split to train on.")
    validation: str = Field("train[90%:]", description="Split to choose by.")
    test: str | None = Field("test", description="Split for evaluate alone, or none.")
    data_dir: str | None = Field(None, description="Where it is prepared; none: TFDS's own place.")
    num_classes: Count | None = Field(
        None, description="Number of classes, so that zoo show need not load the data."
    )


class Source(Choice):
    """Where the images come from. A source carries its own splits."""

    digits: Digits | None = Field(None, description="scikit-learn's digits, offline.")
    folder: Folder | None = Field(None, description="A folder of image files.")
    tfds: Tfds | None = Field(None, description="A TensorFlow Datasets builder.")


class Data(Model):
    """The images: where they are, how they are read, normalised and augmented."""

    source: Source = Field(description="digits, {folder: PATH} or {tfds: NAME}.")
    image_size: Pair | None = Field(
        None, description="[height, width] in pixels; needed unless the source is digits."
    )
    color_mode: Literal["rgb", "grayscale"] = Field("rgb", description="Channels: 3 or 1.")
    interpolation: Literal["bilinear", "bicubic", "nearest", "area", "lanczos3"] = Field(
        "bilinear", description="How images of another size are resized, antialiased."
    )
    crop_to_aspect_ratio: bool = Field(
        False, description="Resize by cutting the longer side instead of squeezing."
    )
    pad_to_aspect_ratio: bool = Field(
        False, description="Resize by padding the shorter side with black instead of squeezing."
    )
    preprocess: Literal[
        "none", "scale01", "scale11", "mean_image", "channel_mean", "channel_meanstd"
    ] = Field(
        "channel_meanstd",
        description="Normalisation; its statistics come from the training split only.",
    )
    augment: listing(Augmentation) = Field(  # type: ignore[valid-type]
        (), description="Random changes of training images, each image on its own, in this order."
    )
    on_bad_image: Literal["error", "skip"] = Field(
        "error", description="A file that cannot be read stops the run, or is left out and listed."
    )
    max_megapixels: float = Field(
        50.0,
        gt=0,
        description="Larger images are bad images: a small file can unpack to gigabytes.",
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
    """End training when the monitored value no longer gets better."""

    patience: Count = Field(description="Epochs without getting better.")
    min_delta: float = Field(0.0, ge=0, description="Smallest change that counts.")


def _text(value: object) -> object:
    return {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value


class Train(Model):
    """How the network is trained."""

    epochs: Count = Field(description="Passes over the training images.")
    batch_size: Count = Field(32, description="Images a step.")
    drop_remainder: bool = Field(False, description="Leave out a last batch that is not full.")
    loss: Loss = Field(
        default_factory=lambda: Loss.model_validate("softmax"), description="What is minimised."
    )
    optimizer: Optimizer = Field(
        default_factory=lambda: Optimizer.model_validate("Adam"), description="The update rule."
    )
    schedule: Schedule = Field(
        default_factory=lambda: Schedule.model_validate("constant"),
        description="How the learning rate moves.",
    )
    dtype_policy: Literal["float32", "mixed_bfloat16", "mixed_float16", "float64"] = Field(
        "float32", description="Keras's dtype policy; the logits stay float32."
    )
    monitor: Literal["val_accuracy", "val_loss"] = Field(
        "val_accuracy", description="What the best epoch is best at; ties go to the other one."
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="Stop when the monitor no longer gets better, or none."
    )
    abort_above: float | None = Field(
        3.0,
        gt=1,
        description="Diverged after five losses in a row above this times the first; none: never.",
    )
    checkpoint_minutes: float = Field(
        5.0, gt=0, description="Minutes between saves of all that an exact resume needs."
    )
    checkpoint_steps: Count | None = Field(
        None, description="Steps between these saves, in addition, or none."
    )
    deterministic: bool = Field(
        True, description="Same seed, same machine: same weights. Costs some speed on a GPU."
    )
    jit_compile: Annotated[Literal["auto", "true", "false"], BeforeValidator(_text)] = Field(
        "auto", description="XLA; auto: on a GPU where deterministic is off, and always with JAX."
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
        here = ("schedule", self.schedule.word)
        warmup = getattr(self.schedule.options, "warmup_epochs", 0)
        if warmup > self.epochs:
            raise PydanticCustomError(
                "warmup",
                "longer than the training. Expected at most epochs={epochs}. Received {warmup}",
                {
                    "warmup": f"{warmup:g}",
                    "epochs": self.epochs,
                    "at": (*here, "warmup_epochs"),
                },
            )
        epochs = getattr(self.schedule.options, "at_epochs", None)
        if epochs is not None and (
            not epochs or min(epochs) <= 0 or list(epochs) != sorted(set(epochs))
        ):
            raise PydanticCustomError(
                "at_epochs",
                "not a rising list. Expected one or more epochs above 0, each above the one before "
                "it. Received {given}",
                {
                    "given": f"[{', '.join(f'{epoch:g}' for epoch in epochs)}]",
                    "at": (*here, "at_epochs"),
                },
            )
        return self


class Recipe(Model):
    """One network, its data and its training."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Names the run folder."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of weights, batches and augmentation.")
    data: Data = Field(description="The images.")
    model: Network = Field(description="The network.")
    train: Train = Field(description="The training.")

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.data.image_size is None and self.data.source.word != "digits":
            raise PydanticCustomError(
                "image_size",
                "required key is missing. Expected [height, width] for source {source}",
                {"source": self.data.source.word, "at": ("data", "image_size")},
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
