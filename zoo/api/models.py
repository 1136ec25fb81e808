"""`zoo.build`: the model of a recipe, as its training starts from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import loading
from zoo.api.backend import Device, prepare
from zoo.api.data import Data
from zoo.api.recipes import Overrides, RecipeLike, as_given
from zoo.api.telling import PythonTeller
from zoo.api.wording import worded

if TYPE_CHECKING:
    import keras


@worded
def build(
    recipe: RecipeLike,
    overrides: Overrides | None = None,
    *,
    data: Data | None = None,
    device: Device = None,
    quiet: bool = False,
) -> keras.Model:
    """Builds the network of a recipe, with the weights that a training of it starts from.

    The images are loaded for it: they say how many classes there are, and how pixels are
    normalised, which is the model's first layer.

    Args:
        recipe: whatever `zoo.load` takes.
        overrides: likewise.
        data: what `zoo.data` returned for the recipe, so that it is not loaded again.
        device: `cpu`: leave GPUs alone; `gpu`: require one; None: what the backend takes.
        quiet: whether nothing is printed.

    Returns:
        A compiled model, with the recipe's optimizer, loss and accuracy: images (batch, height,
        width, channels) with values 0 to 255, of any dtype, to logits (batch, classes), float32.

    Raises:
        RecipeError: the recipe is wrong, or does not fit the data.
        DataError: the images, or the trained weights that it starts from, cannot be used.
        EnvironmentFault: the backend or the device cannot be used.
    """
    given = as_given(recipe, overrides)
    with PythonTeller(quiet) as out:
        tell = () if given.warned else (out.warn, out.note)
        loaded = loading.load(given.source, given.overrides, *tell)
        out.locate = loading.locator(given.source, given.overrides)
        prepare(device)
        from zoo.datasets.load import load
        from zoo.progress import progress_bar
        from zoo.training.preparing import prepare_keras
        from zoo.training.start import starting_model

        prepare_keras(loaded)
        if data is None:
            with progress_bar(out.console()) as progress:
                splits = load(loaded, progress=progress)
        else:
            splits = data._splits
        model, notes = starting_model(loaded, splits)
        for note in notes:
            out.note(f"note: {note}")
        return model
