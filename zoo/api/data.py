"""`zoo.data`: the images of a recipe, as arrays or in batches."""

from __future__ import annotations

import base64
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import loading
from zoo.api import html
from zoo.api.arguments import at_least, checked
from zoo.api.backend import prepare
from zoo.api.recipes import Overrides, RecipeLike, as_given
from zoo.api.telling import PythonTeller
from zoo.api.wording import worded, worded_class
from zoo.errors import DataError, UsageError
from zoo.recipe.schema import Recipe
from zoo.text.sizes import size_text

if TYPE_CHECKING:
    import numpy as np
    from keras.utils import PyDataset

    from zoo.datasets.splits import Split, Splits

BATCH_SIZE = 32
PICTURES = 10
PICTURE_WIDTH = 40  # Pixels of the screen.
MOST_OF_MEMORY = 0.5  # Share of the free memory that decoded images may take.


@worded
@checked
def data(recipe: RecipeLike, overrides: Overrides | None = None, *, quiet: bool = False) -> Data:
    """Loads the images of a recipe, split into train, validation and test.

    They are verified, and kept decoded in the cache, as in a training.

    Args:
        recipe: whatever `zoo.load` takes.
        overrides: likewise.
        quiet: whether nothing is printed.

    Raises:
        RecipeError: the recipe is wrong.
        DataError: the images are missing or unusable.
        EnvironmentFault: a package is missing, or the cache cannot be written.
    """
    given = as_given(recipe, overrides)
    with PythonTeller(quiet) as out:
        tell = () if given.warned else (out.warn, out.note)
        loaded = loading.load(given.source, given.overrides, *tell)
        out.locate = loading.locator(given.source, given.overrides)
        prepare()  # Some readers of images import Keras, which would choose a backend itself.
        from zoo.datasets.load import load
        from zoo.progress import progress_bar

        with progress_bar(out.console()) as progress:
            return Data(loaded, load(loaded, progress=progress))


@worded_class
class Data:
    """The images of a recipe.

    Attributes:
        class_names: names of the classes; a label is an index of them.
        image_shape: (height, width, channels), in pixels.
        multi_label: whether an image has any number of classes; labels then are uint8 (n, classes).
        train: the images to train on.
        validation: the images to choose epochs and hyperparameters by.
        fingerprint: SHA-256 over content, labels and membership of the splits.
        notes: sentences that the user should see.
    """

    def __init__(self, recipe: Recipe, splits: Splits) -> None:
        self.class_names = list(splits.class_names)
        self.image_shape = splits.image_shape
        self.multi_label = splits.multi_label
        self.fingerprint = splits.fingerprint
        self.notes = list(splits.notes)
        self.train = Images("train", splits.train, recipe, splits)
        self.validation = Images("validation", splits.validation, recipe, splits)
        self._test = None if splits.test is None else Images("test", splits.test, recipe, splits)
        self._recipe = recipe
        self._splits = splits

    @property
    def test(self) -> Images:
        """The images for the last measurement.

        Raises:
            DataError: the source has none; `"test" in data.splits` asks.
        """
        if self._test is None:
            raise DataError(
                "the data have no test split. Expected one, by data.source of the recipe; or take "
                "validation. data.splits has the splits that there are."
            )
        return self._test

    @property
    def splits(self) -> dict[str, Images]:
        """The splits by name, those that there are."""
        named = {"train": self.train, "validation": self.validation, "test": self._test}
        return {name: split for name, split in named.items() if split is not None}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        height, width, channels = self.image_shape
        classes = len(self.class_names)
        return f"<Data: {sizes}; {height}x{width}x{channels}, {classes} classes>"

    def _repr_html_(self) -> str:
        """How a notebook shows the data: images of each class in each split, and a few of them."""
        counts = {name: split.class_counts for name, split in self.splits.items()}
        rows = [
            (name, *(int(each[i]) for each in counts.values()))
            for i, name in enumerate(self.class_names)
        ]
        height, width, channels = self.image_shape
        total = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        head = html.title("Data", f"{total}; {height} x {width} x {channels}")
        return head + self.train.pictures() + html.table(("class", *counts), rows)


@worded_class
class Images:
    """The images of one split, with their labels.

    Attributes:
        name: `train`, `validation` or `test`.
        streamed: whether images are decoded each time they are read, which is slow.
    """

    def __init__(self, name: str, split: Split, recipe: Recipe, splits: Splits) -> None:
        self.name = name
        self.streamed = split.streamed
        self._split = split
        self._recipe = recipe
        self._splits = splits

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: Any) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of an index, a slice, or an array of indices."""
        import numpy as np

        numbers = np.arange(len(self))[index]
        one = np.ndim(numbers) == 0
        images = self._split.images(np.atleast_1d(numbers))
        labels = self.labels[numbers]
        return (images[0] if one else images), labels

    @property
    def labels(self) -> np.ndarray:
        """int32 (n,), indices of the class names; multi-label: uint8 (n, classes), 0 or 1.

        They cannot be written to; `labels.copy()` can.
        """
        import numpy as np

        labels = np.asarray(self._split.labels).view()
        labels.flags.writeable = False  # Batches are made of them.
        return labels

    @cached_property
    def images(self) -> np.ndarray:
        """All images, uint8 (n, height, width, channels), 0 to 255.

        Raises:
            UsageError: they would take more than half of the free memory; take `batches`.
        """
        import numpy as np

        from zoo.datasets.memory import free_host_memory

        shape = (len(self), *self._splits.image_shape)
        needed, free = int(np.prod(shape, dtype=np.int64)), free_host_memory()
        if needed > MOST_OF_MEMORY * free:
            raise UsageError(
                f"the {len(self):,} images of {self.name} take {size_text(needed)} decoded, and "
                f"{size_text(free)} are free. Expected at most half of that: take "
                f".{self.name}.batches(), or some of them, .{self.name}[:1000]."
            )
        return self._split.images(np.arange(len(self)))

    @property
    def class_counts(self) -> np.ndarray:
        """Number of images of each class, int64 (classes,)."""
        from zoo.labels import class_counts

        return class_counts(self.labels, len(self._splits.class_names))

    @checked
    def batches(
        self, batch_size: int | None = None, *, augment: bool = False, epoch: int = 0
    ) -> PyDataset:
        """The images in batches of (images, labels): to loop over, or for `fit` and `evaluate`.

        Args:
            batch_size: images of a batch; None: 32, and with `augment` the recipe's.
            augment: of `train`: the batches of a training, in its order, augmented, with the
                recipe's class weights as a third array; else all images once, in order, as they
                are.
            epoch: of which epoch, from 0, with `augment`.

        Raises:
            UsageError: another split than `train` is to be augmented.
            RecipeError: `train.class_weight` does not fit the classes.
        """
        at_least("batch_size", batch_size, 1)
        at_least("epoch", epoch, 0)
        prepare()
        from zoo.batches import EpochBatches, EvaluationBatches

        if not augment:
            return EvaluationBatches(self._split, batch_size or BATCH_SIZE)
        if self.name != "train":
            raise UsageError(f"{self.name} is never augmented. Expected augment=False.")
        from zoo.training.components import training_batches

        recipe = self._recipe
        if batch_size is not None:
            train = recipe.train.model_copy(update={"batch_size": batch_size})
            recipe = recipe.model_copy(update={"train": train})
        return EpochBatches(training_batches(recipe, self._splits), epoch)

    def pictures(self, count: int = PICTURES) -> str:
        """The first images as HTML, small; with the names of their classes for screen readers."""
        from zoo.datasets.decoding.images import as_png

        shown = []
        for index in range(min(count, len(self))):
            pixels, label = self[index]
            data = base64.b64encode(as_png(pixels)).decode()
            shown.append(html.picture(data, self._named(label), PICTURE_WIDTH))
        return f"<div>{''.join(shown)}</div>"

    def _named(self, label: Any) -> str:
        names = self._splits.class_names
        if self._splits.multi_label:
            return ", ".join(name for name, has in zip(names, label, strict=True) if has)
        return names[int(label)]

    def __repr__(self) -> str:
        shape = "x".join(map(str, self._splits.image_shape))
        return f"<Images {self.name}: {len(self):,} of {shape}>"

    def _repr_html_(self) -> str:
        """How a notebook shows the split."""
        return html.title(self.name, f"{len(self):,} images") + self.pictures()
