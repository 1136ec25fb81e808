"""Where the bytes of images are: in files below a folder, or in shards. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zoo.datasets.files import read_image, read_regular


class ImageStore(Protocol):
    """Encoded images by path. Reading does not change a store, so threads may share it."""

    def read(self, path: str, max_megapixels: float | None = None) -> bytes:
        """Returns the encoded image of a path, relative to the root of its data set.

        Args:
            path: as `zoo.datasets.image_files.ImageFile` has it.
            max_megapixels: limit on the image's size, which limits its bytes; None for none.

        Raises:
            BadImage: it cannot be read, is too large, or in a format that is not read.
        """


@dataclass(frozen=True)
class FileStore:
    """Images that are files of their own.

    Args:
        root: folder that paths are relative to.
    """

    root: Path

    def read(self, path: str, max_megapixels: float | None = None) -> bytes:
        """Reads the file of an image; see `ImageStore.read`."""
        file = self.root / path
        if max_megapixels is None:
            return read_regular(file, None)
        return read_image(file, max_megapixels)
