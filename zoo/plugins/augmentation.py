"""Base class of augmentations of a user's own. Light."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class Augmentation(ABC):
    """A random change of training images. Derive from it, and write `augment`.

    The class may be a dataclass: its fields are the options of the word in a recipe.

    ```python
    @dataclass
    class Noise(Augmentation):
        sd: float = 0.1

        def augment(self, images, rng):
            changed = images + 255 * rng.normal(0, self.sd, images.shape)
            return changed.clip(0, 255).astype("uint8")
    ```

    Batches are a pure function of seed and step, so that a run that was killed goes on to the same
    bits. So `augment` draws from `rng` alone, keeps nothing between two calls, and reads no clock
    and no file that changes. Threads may call it for several steps at once.
    """

    @abstractmethod
    def augment(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Changes a batch.

        Args:
            images: uint8 (batch, height, width, channels), which cannot be written to.
            rng: NumPy's generator, keyed by seed, step and the place in `data.augment`.

        Returns:
            New images, of the same shape and dtype.
        """
