"""What comes before a training's data: Keras on its backend, and the devices that train."""

from __future__ import annotations

from collections.abc import Callable

import keras

from zoo import backend
from zoo.backend import devices
from zoo.backend.device_request import Request, require_batch
from zoo.backend.hardware import gpus
from zoo.errors import EnvironmentFault, Problem, RecipeError
from zoo.plugins import recipe_parts
from zoo.recipe import Recipe


def prepare_keras(
    recipe: Recipe, request: Request = None, note: Callable[[str], None] | None = None
) -> devices.Devices:
    """Sets the backend up for a recipe: its seed, determinism where it asks for it, its devices.

    Args:
        recipe: resolved.
        request: the devices, as `zoo.backend.devices.set_up` takes them.
        note: told in a line what the user should know of the devices.

    Returns:
        The devices, until `zoo.backend.devices.tear_down`.

    Raises:
        EnvironmentFault: the recipe computes in 64 bits, and JAX is not set up for it; or there
            are fewer devices than asked for.
        UsageError: the devices do not divide a batch.
        RecipeError: the recipe asks for a way to compile that several devices do not have, or its
            own parts make no network.
        PluginRefused: the user has not allowed the code of its own parts.
        PluginError: their code failed.
    """
    if isinstance(request, int):
        require_batch(recipe.train.batch_size, request)
    backend.prepare(deterministic=recipe.train.deterministic, seed=recipe.seed, devices=request)
    if recipe.train.dtype_policy == "float64" and not backend.has_float64():
        raise EnvironmentFault(
            "train.dtype_policy: float64: JAX computes in 32 bits unless JAX_ENABLE_X64=1 is set."
        )
    found = devices.set_up(request)
    require_batch(recipe.train.batch_size, found.count)
    if note and request is None and (here := len(gpus())) > 1:
        note(f"1 of {here} GPUs trains; --devices all shares each batch out over all of them")
    if found.several:
        _require_compilation(recipe)
        if note and found.logical:
            note(
                f"{found.count} logical devices of one CPU compute what as many cards would, and "
                "are no faster than one"
            )
    recipe_parts.start(recipe, note)
    return found


def _require_compilation(recipe: Recipe) -> None:
    """Requires that `train.jit_compile` does not ask for what several devices do not have.

    Raises:
        RecipeError: it does.
    """
    asked = recipe.train.jit_compile
    on_jax = keras.backend.backend() == "jax"
    if asked != ("false" if on_jax else "true"):
        return
    reason = (
        "JAX compiles the steps of several devices"
        if on_jax
        else "XLA cannot compile a step of several devices of TensorFlow"
    )
    message = f"{asked}: {reason}. Expected auto, or one device."
    raise RecipeError([Problem(path="train.jit_compile", message=message)])
