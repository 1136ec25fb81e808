"""Batch norm on JAX that reads the activations twice in each direction, not four times.

Keras computes the mean, then the variance around it, and leaves the gradient to JAX, which
differentiates both. Here one pass gives mean and variance, and the gradient is written out: one
pass for the two sums that it needs, and one for the gradient of the inputs. Between the directions
only the inputs are kept, in their own dtype.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

AXES = (0, 1, 2)  # All but the channels.


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def batch_norm(images: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Normalises each channel with the statistics of the batch (Ioffe and Szegedy 2015).

    Args:
        images: float (batch, height, width, channels).
        gamma: float32 (channels,).
        beta: float32 (channels,).
        epsilon: added to the variance.

    Returns:
        (normalised images, in their dtype; mean; variance). The statistics are float32 (channels,)
        and have no gradient. All is computed in float32.
    """
    return _forward(images, gamma, beta, epsilon)[0]


def _forward(images: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    values = images.astype(jnp.float32)
    # Around a value of the channel itself, the difference of squares loses no digits.
    shift = lax.stop_gradient(values[0, 0, 0])
    shifted = values - shift
    offset = jnp.mean(shifted, AXES)
    variance = jnp.maximum(jnp.mean(jnp.square(shifted), AXES) - jnp.square(offset), 0)
    mean = shift + offset
    inverse = lax.rsqrt(variance + epsilon)
    outputs = (values - mean) * (inverse * gamma) + beta
    return (outputs.astype(images.dtype), mean, variance), (images, mean, inverse, gamma)


def _backward(epsilon: float, kept: Any, upstream: Any) -> tuple[Any, Any, Any]:
    images, mean, inverse, gamma = kept
    gradient = upstream[0].astype(jnp.float32)
    normalised = (images.astype(jnp.float32) - mean) * inverse
    of_beta = jnp.sum(gradient, AXES)
    of_gamma = jnp.sum(gradient * normalised, AXES)
    size = images.size // images.shape[-1]
    of_images = (gradient - of_beta / size - normalised * (of_gamma / size)) * (inverse * gamma)
    return of_images.astype(images.dtype), of_gamma, of_beta


batch_norm.defvjp(_forward, _backward)
