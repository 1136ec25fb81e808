"""Images on the device and their augmentation, for benchmarks/torch_peer.py.

The images stay on the device as padded uint8 (n, height, width, channels). The draws of an epoch
are made at its beginning, for all images at once. A batch is one gather of the cropped and mirrored
pixels, normalised and cut out, which torch.compile makes one kernel of.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch_recipes import Recipe

GREY = 128


class TrainImages(nn.Module):
    """The training images; all tensors are buffers, so that CUDA graphs find them in one place.

    Args:
        images: uint8 (n, height, width, channels).
        labels: int (n,).
        recipe: for its augmentation.
        device: where they stay.
        dtype: of the batches.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        recipe: Recipe,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.recipe, self.dtype = recipe, dtype
        self.count, self.height, self.width, self.channels = images.shape
        edge = ((0, 0), *[(recipe.crop, recipe.crop)] * 2, (0, 0))
        mean = images.mean((0, 1, 2), dtype=np.float64)
        std = images.std((0, 1, 2), dtype=np.float64)
        values = {
            "images": np.pad(images, edge, mode=recipe.fill),  # type: ignore[call-overload]
            "labels": labels.astype(np.int64),
            "scale": (1 / np.maximum(std, 1e-6)).astype(np.float32),
            "offset": (-mean / np.maximum(std, 1e-6)).astype(np.float32),
            "order": np.arange(self.count),
            "rows": np.arange(self.height),
            "columns": np.arange(self.width),
            "sides": np.zeros(self.count, np.bool_),
            "flips": np.zeros(self.count, np.bool_),
            "crops": np.zeros((2, self.count), np.int64),
            "cuts": np.zeros((2, self.count), np.int64),
            "cursor": np.zeros((), np.int64),
            "places": np.arange(min(recipe.batch, self.count)),
        }
        for name, array in values.items():
            self.register_buffer(name, torch.from_numpy(array).to(device), persistent=False)

    def draw(self, epoch: int) -> None:
        """Draw order and augmentation of an epoch, and begin with its first batch."""
        n, recipe, where = self.count, self.recipe, self.images.device
        self.cursor.zero_()
        torch.randperm(n, device=where, out=self.order)
        if recipe.flip == "alternating":
            if epoch == 0:
                self.sides.random_(0, 2)
            self.flips.copy_(self.sides ^ bool(epoch % 2))
        elif recipe.flip:
            self.flips.random_(0, 2)
        if recipe.crop:
            self.crops.random_(0, 2 * recipe.crop + 1)
        if recipe.cutout:
            margin = recipe.cutout - 1 if recipe.cutout_is_inside else 0
            self.cuts[0].random_(0, self.height - margin)
            self.cuts[1].random_(0, self.width - margin)
            if not recipe.cutout_is_inside:
                self.cuts.sub_(recipe.cutout // 2)

    def batch(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the next images (size, channels, height, width), channels last, and labels."""
        chosen = self.order[self.cursor + self.places[:size]]
        rows, columns = self.rows.expand(size, -1), self.columns.expand(size, -1)
        cuts = self.cuts[:, chosen, None]
        kept = self._outside(cuts[0], rows), self._outside(cuts[1], columns)
        if self.recipe.flip:
            mirrored = self.flips[chosen, None]
            columns = torch.where(mirrored, self.width - 1 - columns, columns)
        if self.recipe.crop:
            rows = rows + self.crops[0, chosen, None]
            columns = columns + self.crops[1, chosen, None]
        pixels = self.images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
        x = pixels.float() * self.scale + self.offset
        if self.recipe.cutout:
            fill = GREY * self.scale + self.offset
            if self.recipe.cutout_is_inside:
                fill = torch.zeros_like(fill)
            x = torch.where((kept[0][:, :, None] | kept[1][:, None, :])[..., None], x, fill)
        return x.permute(0, 3, 1, 2).to(self.dtype), self.labels[chosen]

    def _outside(self, first: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        return (index < first) | (index >= first + self.recipe.cutout)

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (n, height, width, channels) as a network takes them."""
        return (images.float() * self.scale + self.offset).permute(0, 3, 1, 2).to(self.dtype)

    def unpadded(self, count: int) -> torch.Tensor:
        """The first images without their padding, uint8."""
        pad = self.recipe.crop
        return self.images[:count, pad : pad + self.height, pad : pad + self.width]


def translate(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Move images (n, channels, height, width) by up to a pixel; the border is reflected."""
    height, width = images.shape[2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    return padded[:, :, 1 - down : 1 - down + height, 1 - right : 1 - right + width]
