"""`zoo.build`: the model of a recipe, as its training starts from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import loading
from zoo.api.arguments import checked, wrong
from zoo.api.backend import Device, prepare
from zoo.api.data import Data
from zoo.api.recipes import Overrides, RecipeLike, as_given
from zoo.api.telling import PythonTeller
from zoo.api.wording import worded
from zoo.errors import UsageError
from zoo.recipe.schema import Recipe

if TYPE_CHECKING:
    import keras

    from zoo.datasets.splits import Splits

# Keys of `data` that change batches, not the images that are loaded.
OF_TRAINING = ("augment", "preprocess", "loading")


@worded
@checked
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
    if data is not None and not isinstance(data, Data):
        raise wrong("data", "what zoo.data returns", data)
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
            splits = _require_data(loaded, data)
        model, notes = starting_model(loaded, splits)
        for note in notes:
            out.note(f"note: {note}")
        return model


def _require_data(recipe: Recipe, data: Data) -> Splits:
    """The images that were loaded, if they are those of a recipe.

    Raises:
        UsageError: they were loaded for a recipe of other images.
    """
    for key in type(recipe.data).model_fields:
        before, now = (getattr(each.data, key) for each in (data._recipe, recipe))
        if key not in OF_TRAINING and before != now:
            raise UsageError(
                f"data: Expected the images of the recipe, zoo.data(recipe). Received those of a "
                f"recipe with another data.{key}."
            )
    return data._splits
