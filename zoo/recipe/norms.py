"""The norms of a recipe: batch, group and layer norm; a stage has one at most."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import Fraction, Model, Positive, Width

NORMS = ("batch_norm", "group_norm", "layer_norm")


class BatchNorm(Model):
    """Batch normalisation (Ioffe & Szegedy 2015), with Keras's names."""

    momentum: Fraction = Field(
        0.9, description="Share of the running statistics that a step keeps."
    )
    epsilon: Positive = Field(1e-3, description="Added to the variance.")
    center: bool = Field(True, description="Learn a shift (beta).")
    scale: bool = Field(True, description="Learn a factor (gamma).")
    gamma_initializer: Literal["ones", "zeros"] = Field(
        "ones",
        description="Start of the factor; with zeros in its last norm, a residual block starts as "
        "the identity.",
    )


class GroupNorm(Model):
    """Group normalisation (Wu & He 2018) of each image by itself: for small batches."""

    groups: Width = Field(32, description="Groups into which channels are split.")
    epsilon: Positive = Field(1e-3, description="Added to the variance.")
    center: bool = Field(True, description="Learn a shift (beta).")
    scale: bool = Field(True, description="Learn a factor (gamma).")
    gamma_initializer: Literal["ones", "zeros"] = Field("ones", description="Start of the factor.")


class LayerNorm(Model):
    """Layer normalisation (Ba et al. 2016) over the channels of each position, as Keras does it."""

    epsilon: Positive = Field(1e-3, description="Added to the variance.")
    center: bool = Field(True, description="Learn a shift (beta).")
    scale: bool = Field(True, description="Learn a factor (gamma).")
    gamma_initializer: Literal["ones", "zeros"] = Field("ones", description="Start of the factor.")


def require_one_norm(block: Model) -> None:
    """Refuses a block with two norms.

    Raises:
        PydanticCustomError: it has two.
    """
    given = [key for key in NORMS if key in block.model_fields_set and getattr(block, key)]
    if len(given) > 1:
        raise PydanticCustomError(
            "norms",
            "{one} and {other} exclude each other; keep one of them",
            {"one": given[0], "other": given[1], "at": (given[1],)},
        )


def norm_follows_kernel(order: tuple[str, ...]) -> bool:
    """Whether the norm comes after the kernel with no activation between: it undoes a bias."""
    after = order[order.index("conv") + 1 :]
    return "bn" in after and "act" not in after[: after.index("bn")]
