"""The training steps of benchmarks/torch_peer.py: eager, compiled, or captured as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch_images import TrainImages
from torch_optimizers import Optimizers
from torch_recipes import Recipe

WARM_STEPS = 4  # Compile, tune cuDNN, record inductor's CUDA graphs, and one more.
# What torch.compile takes where the whole step is captured: CUDA graphs do not nest.
WITHOUT_GRAPHS = {"reduce-overhead": "default", "max-autotune": "max-autotune-no-cudagraphs"}


def autocast(device: torch.device, dtype: torch.dtype | None) -> Any:
    """Return autocast to a dtype; None switches it off."""
    return torch.autocast(device.type, dtype, enabled=dtype is not None)


class Loss(nn.Module):
    """Augmentation, network and loss of the next batch: what torch.compile compiles.

    Args:
        net: images to logits.
        images: the training images.
        size: images of a batch.
        recipe: for its loss.
        dtype: of the layers that autocast converts; None for no autocast.
        frozen: whether the whitening layer's bias gets no gradient.
    """

    def __init__(
        self,
        net: nn.Module,
        images: TrainImages,
        size: int,
        recipe: Recipe,
        dtype: torch.dtype | None,
        frozen: bool,
    ) -> None:
        super().__init__()
        self.net, self.images, self.size, self.recipe = net, images, size, recipe
        self.dtype, self.frozen = dtype, frozen

    def forward(self) -> torch.Tensor:
        images, labels = self.images.batch(self.size)
        with autocast(images.device, self.dtype):
            logits = self.net(images, True) if self.frozen else self.net(images)
        return F.cross_entropy(
            logits.float(),
            labels,
            label_smoothing=self.recipe.smoothing,
            reduction="sum" if self.recipe.whitens else "mean",
        )


@dataclass(frozen=True)
class StepMaker:
    """Makes the function that trains on the next batch, and warms it up.

    `loss_sum` is a tensor to which each step adds its loss times its images; `dtype` is autocast's.
    """

    recipe: Recipe
    net: nn.Module
    images: TrainImages
    optimizers: Optimizers
    loss_sum: torch.Tensor
    dtype: torch.dtype | None

    def make(self, size: int, frozen: bool, mode: str, graph: bool) -> Callable[[], None]:
        """Return a step that is ready to run; making it changes weights and state.

        Args:
            size: images of a batch.
            frozen: whether the whitening layer's bias gets no gradient.
            mode: of torch.compile, or "none".
            graph: whether to capture the whole step as one CUDA graph.
        """
        step = self._eager(size, frozen, mode, graph)
        if not graph:
            self._warm(step)
            return step
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._warm(step)
        torch.cuda.current_stream().wait_stream(side)
        self.optimizers.zero_grad()  # The graph's gradients lie in its own memory.
        self._rewind()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            step()
        captured.replay()
        return captured.replay

    def _eager(self, size: int, frozen: bool, mode: str, graph: bool) -> Callable[[], None]:
        loss: Callable[[], torch.Tensor] = Loss(
            self.net, self.images, size, self.recipe, self.dtype, frozen
        )
        if mode != "none":
            without = WITHOUT_GRAPHS.get(mode, mode) if graph else mode
            loss = torch.compile(loss, mode=without, dynamic=False)
        self.optimizers.compile(mode != "none")
        counters = [self.images.cursor, self.optimizers.step_number]
        weight = 1 if self.recipe.whitens else size

        def step() -> None:
            torch.compiler.cudagraph_mark_step_begin()
            self.optimizers.zero_grad()
            value = loss()
            value.backward()
            self.loss_sum.add_(value.detach(), alpha=weight)
            self.optimizers.step()
            torch._foreach_add_(counters, [size, 1])

        return step

    def _warm(self, step: Callable[[], None]) -> None:
        self.net.train()
        for _ in range(WARM_STEPS):
            self._rewind()
            step()

    def _rewind(self) -> None:
        self.images.cursor.zero_()
        self.optimizers.step_number.zero_()
