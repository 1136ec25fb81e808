"""The training loop of benchmarks/torch_peer.py, as an expert writes it in PyTorch.

The images, the order of an epoch, the learning rates and the sum of the losses stay on the device;
the host waits for it at the end of an epoch alone. `--compile` compiles augmentation, network and
loss with their gradient; `--graph` captures these and the optimizer as one CUDA graph, which is
replayed at each step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch_images import TrainImages, translate
from torch_nets import NETS
from torch_optimizers import Optimizers
from torch_recipes import RECIPES, Recipe

WARM_STEPS = 4  # Compile, tune cuDNN, record inductor's CUDA graphs, and one more.
EVALUATION_BATCH = 1000
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# What torch.compile takes where the whole step is captured: CUDA graphs do not nest.
WITHOUT_GRAPHS = {
    "reduce-overhead": "default",
    "max-autotune": "max-autotune-no-cudagraphs",
}


@dataclass(frozen=True)
class Settings:
    """How a recipe is run; see the options of benchmarks/torch_peer.py."""

    net: str
    epochs: float
    dtype: str
    mode: str
    graph: bool
    keeps_remainder: bool
    device: torch.device


@dataclass
class Training:
    """What a training measured.

    `epochs`: seconds of each whole epoch. `loss` is the mean over the last whole epoch.
    """

    seconds: float
    epochs: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


class Loss(nn.Module):
    """Augmentation, network and loss of the next batch: what torch.compile compiles.

    Args:
        net: images to logits.
        images: the training images.
        size: images of a batch.
        recipe: for its loss.
        autocast: dtype of the layers that autocast converts; None for no autocast.
    """

    def __init__(
        self,
        net: nn.Module,
        images: TrainImages,
        size: int,
        recipe: Recipe,
        autocast: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.net, self.images, self.size, self.recipe = net, images, size, recipe
        self.autocast = autocast

    def forward(self) -> torch.Tensor:
        images, labels = self.images.batch(self.size)
        with _autocast(images.device, self.autocast):
            logits = self.net(images)
        return F.cross_entropy(
            logits.float(),
            labels,
            label_smoothing=self.recipe.smoothing,
            reduction="sum" if self.recipe.sums_loss else "mean",
        )


def _autocast(device: torch.device, dtype: torch.dtype | None) -> Any:
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


class Trainer:
    """Trains a recipe's network, as often as asked for, on one compilation.

    Args:
        settings: the options.
        data: x_train, y_train, x_val, y_val; images uint8 (n, height, width, channels).
        notes: gets a line for everything that could not be done as asked for.
    """

    def __init__(self, settings: Settings, data: dict[str, np.ndarray], notes: list[str]) -> None:
        self.settings, self.notes = settings, notes
        self.recipe, device = RECIPES[settings.net], settings.device
        dtype = DTYPES[settings.dtype]
        self.images = TrainImages(data["x_train"], data["y_train"], self.recipe, device, dtype)
        self.autocast = dtype if dtype == torch.bfloat16 else None
        self.net = self._build()
        self.x_val = torch.from_numpy(np.ascontiguousarray(data["x_val"])).to(device)
        self.y_val = torch.from_numpy(data["y_val"].astype(np.int64)).to(device)
        full, rest = divmod(self.images.count, self.recipe.batch)
        self.sizes = [self.recipe.batch] * full
        if rest and (settings.keeps_remainder or not full):
            self.sizes.append(rest)
        self.total = self.recipe.total_steps(len(self.sizes), settings.epochs)
        self.optimizers = Optimizers(self.recipe, self.net, self.total, len(self.sizes), self.notes)
        self.loss_sum = torch.zeros((), device=device)
        self.steps: dict[int, Callable[[], None]] = {}

    def _build(self) -> nn.Module:
        net = NETS[self.settings.net](self.images.channels)
        return net.to(self.settings.device, memory_format=torch.channels_last)

    def prepare(self) -> tuple[str, bool]:
        """Compile and warm up all that a training runs; fall back where that fails.

        Returns:
            The mode of torch.compile and whether whole steps are CUDA graphs, as they are used.
        """
        mode, graph = self.settings.mode, self.settings.graph
        attempts = [(mode, graph), (mode, False), ("default", graph), ("default", False)]
        attempts += [("none", False)]
        for mode, graph in dict.fromkeys(attempts):
            try:
                self.reset(0)
                self.images.draw(0)
                self.steps = {size: self._step(size, mode, graph) for size in set(self.sizes)}
                self.evaluate()
                self.synchronize()
                return mode, graph
            except Exception as error:
                if (mode, graph) == ("none", False):
                    raise
                line = " ".join(str(error).split())[:300]
                self.notes.append(f"compile {mode}, graph {graph}: {type(error).__name__}: {line}")
                torch.compiler.reset()
                self.optimizers.zero_grad()
        raise AssertionError("unreachable")

    def _step(self, size: int, mode: str, graph: bool) -> Callable[[], None]:
        """Return a function that trains on the next batch of so many images; it is warm."""
        loss: Callable[[], torch.Tensor] = Loss(
            self.net, self.images, size, self.recipe, self.autocast
        )
        if mode != "none":
            of = WITHOUT_GRAPHS.get(mode, mode) if graph else mode
            loss = torch.compile(loss, mode=of, dynamic=False)

        def step() -> None:
            torch.compiler.cudagraph_mark_step_begin()
            self.optimizers.zero_grad()
            value = loss()
            value.backward()
            self.loss_sum.add_(value.detach(), alpha=1 if self.recipe.sums_loss else size)
            self.optimizers.step()
            torch._foreach_add_([self.images.cursor, self.optimizers.step_number], [size, 1])

        if not graph:
            self._warm(step)
            return step
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self._warm(step)
        torch.cuda.current_stream().wait_stream(side)
        self.optimizers.zero_grad()
        self._rewind()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            step()
        self._rewind()
        captured.replay()
        return captured.replay

    def _warm(self, step: Callable[[], None]) -> None:
        self.net.train()
        for _ in range(WARM_STEPS):
            self._rewind()
            step()

    def _rewind(self) -> None:
        self.images.cursor.zero_()
        self.optimizers.step_number.zero_()

    def reset(self, seed: int) -> None:
        """Begin a training: draw the weights, and set all state to zero, where it is."""
        torch.manual_seed(seed)
        fresh = self._build()
        with torch.no_grad():
            for old, new in zip(_tensors(self.net), _tensors(fresh), strict=True):
                old.copy_(new)
        self.optimizers.reset()
        self.loss_sum.zero_()

    def train(self, seed: int) -> Training:
        """Train from new weights; the host waits for the device at the end of each epoch."""
        self.synchronize()
        begin = last = time.perf_counter()
        self.reset(seed)
        self.net.train()
        result = Training(0.0)
        done = 0
        for epoch in range(-(-self.total // len(self.sizes))):
            self.images.draw(epoch)
            sizes = self.sizes[: self.total - done]
            for size in sizes:
                self.steps[size]()
            done += len(sizes)
            loss = float(self.loss_sum) / sum(sizes)  # Waits for the device.
            self.loss_sum.zero_()
            now = time.perf_counter()
            if len(sizes) == len(self.sizes):
                result.epochs.append(now - last)
            result.losses.append(loss)
            last = now
        self.synchronize()
        result.seconds = time.perf_counter() - begin
        return result

    @torch.no_grad()
    def evaluate(self, views: bool = False) -> float:
        """Return the accuracy on the validation images.

        Args:
            views: average the logits over mirror images and translations, weighted as zoo's
                `mirror_translate`.
        """
        self.net.eval()
        correct = torch.zeros((), dtype=torch.int64, device=self.x_val.device)
        predict = self._views if views else self._logits
        for images, labels in self._validation():
            correct += (predict(images).argmax(1) == labels).sum()
        self.net.train()
        return int(correct) / len(self.y_val)

    def _validation(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for first in range(0, len(self.y_val), EVALUATION_BATCH):
            end = first + EVALUATION_BATCH
            yield self.images.normalise(self.x_val[first:end]), self.y_val[first:end]

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        with _autocast(images.device, self.autocast):
            return self.net(images).float()

    def _views(self, images: torch.Tensor) -> torch.Tensor:
        def both(of: torch.Tensor) -> torch.Tensor:
            return (self._logits(of) + self._logits(of.flip(3))) / 2

        moved = (both(translate(images, -1, -1)) + both(translate(images, 1, 1))) / 2
        return (both(images) + moved) / 2

    def synchronize(self) -> None:
        if self.settings.device.type == "cuda":
            torch.cuda.synchronize()


def _tensors(net: nn.Module) -> list[torch.Tensor]:
    return [*net.parameters(), *net.buffers()]
