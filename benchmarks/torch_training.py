"""The training loop of benchmarks/torch_peer.py, as an expert writes it in PyTorch.

The images, the order of an epoch, the learning rates and the sum of the losses stay on the device;
the host waits for it at the end of an epoch alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch_airbench import AIRBENCH, WHITEN_IMAGES
from torch_images import TrainImages, translate
from torch_nets import NETS
from torch_optimizers import Lookahead, Optimizers
from torch_recipes import RECIPES
from torch_steps import StepMaker, autocast

EVALUATION_BATCH = 1000
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
    """What a training measured: seconds in all and of each whole epoch, mean loss of each epoch."""

    seconds: float = 0.0
    epochs: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)


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
        # float16 is the weights' own dtype, as airbench publishes it; bfloat16 is autocast's.
        self.autocast = dtype if settings.dtype == "bfloat16" else None
        self.images = TrainImages(data["x_train"], data["y_train"], self.recipe, device, dtype)
        self.net = self.build()
        self.x_val = torch.from_numpy(np.ascontiguousarray(data["x_val"])).to(device)
        self.y_val = torch.from_numpy(data["y_val"].astype(np.int64)).to(device)
        full, rest = divmod(self.images.count, self.recipe.batch)
        self.sizes = [self.recipe.batch] * full
        if rest and (settings.keeps_remainder or not full):
            self.sizes.append(rest)
        per_epoch = len(self.sizes)
        self.total = self.recipe.total_steps(per_epoch, settings.epochs)
        self.optimizers = Optimizers(self.recipe, self.net, self.total, per_epoch, self.notes)
        self.lookahead = Lookahead(self.net, self.total) if self.recipe.looks_ahead else None
        self.loss_sum = torch.zeros((), device=device)
        # Of a batch's size, and whether the whitening layer's bias is frozen.
        self.steps: dict[tuple[int, bool], Callable[[], None]] = {}

    def build(self) -> Any:
        """Return a network with new weights, on the device."""
        nets = {**NETS, **AIRBENCH}
        net = nets[self.settings.net](self.images.channels)
        if self.settings.dtype == "float16":
            net = net.to_half()
        return net.to(self.settings.device, memory_format=torch.channels_last)

    def prepare(self) -> tuple[str, bool]:
        """Compile and warm up all that a training runs; fall back where that fails.

        Returns:
            The mode of torch.compile and whether whole steps are CUDA graphs, as they are used.
        """
        mode, graph = self.settings.mode, self.settings.graph
        attempts = [(mode, graph), (mode, False), ("default", graph), ("default", False)]
        attempts = [*dict.fromkeys(attempts), ("none", False)] if mode != "none" else attempts[:2]
        for number, (mode, graph) in enumerate(attempts, 1):
            try:
                self._warm(mode, graph)
                return mode, graph
            except Exception as error:
                if number == len(attempts):
                    raise
                line = " ".join(str(error).split())[:300]
                self.notes.append(f"compile {mode}, graph {graph}: {type(error).__name__}: {line}")
                torch.compiler.reset()
                self.optimizers.zero_grad()
        raise AssertionError("unreachable")

    def _warm(self, mode: str, graph: bool) -> None:
        maker = StepMaker(
            self.recipe, self.net, self.images, self.optimizers, self.loss_sum, self.autocast
        )
        self.reset(0)
        self.begin()
        self.images.draw(0)
        self.steps = {}
        for epoch in range(self._epochs()):
            for size in dict.fromkeys(self.sizes):
                key = (size, self._is_frozen(epoch))
                if key not in self.steps:
                    self.steps[key] = maker.make(*key, mode, graph)
        if self.lookahead:
            self.lookahead.after_step(self.total)
        self.evaluate(self.recipe.whitens)
        self.synchronize()

    def _epochs(self) -> int:
        return -(-self.total // len(self.sizes))

    def _is_frozen(self, epoch: int) -> bool:
        return self.recipe.whitens and epoch >= self.recipe.whiten_epochs

    def reset(self, seed: int) -> None:
        """Draw the weights, and set all state to zero, where it is."""
        torch.manual_seed(seed)
        fresh = self.build()
        with torch.no_grad():
            for old, new in zip(_tensors(self.net), _tensors(fresh), strict=True):
                old.copy_(new)
        self.optimizers.reset()
        self.loss_sum.zero_()

    def begin(self) -> None:
        """Whiten, and begin with the averages of the weights."""
        if self.recipe.whitens:
            self.net.prepare(self.images.normalise(self.images.unpadded(WHITEN_IMAGES)))
        if self.lookahead:
            self.lookahead.reset()

    def train(self, seed: int) -> Training:
        """Train from new weights; the host waits for the device at the end of each epoch.

        The seconds of the training include whitening, but not the drawing of the weights.
        """
        self.reset(seed)
        self.net.train()
        self.synchronize()
        begin = time.perf_counter()
        self.begin()
        self.synchronize()
        last = time.perf_counter()
        result = Training()
        done = 0
        for epoch in range(self._epochs()):
            self.images.draw(epoch)
            sizes = self.sizes[: self.total - done]
            for size in sizes:
                self.steps[size, self._is_frozen(epoch)]()
                done += 1
                if self.lookahead:
                    self.lookahead.after_step(done)
            result.losses.append(float(self.loss_sum) / sum(sizes))  # Waits for the device.
            self.loss_sum.zero_()
            now = time.perf_counter()
            if len(sizes) == len(self.sizes):
                result.epochs.append(now - last)
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
        with autocast(images.device, self.autocast):
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
