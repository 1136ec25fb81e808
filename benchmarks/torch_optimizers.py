"""Optimizers for benchmarks/torch_peer.py, whose learning rates stay on the device.

A table holds the learning rate of each group of parameters at each step; a step reads its column
there, so that neither the host nor a CUDA graph has to know the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import nn
from torch_recipes import MuonRates, Recipe

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 3
LOOKAHEAD_EVERY, LOOKAHEAD_DECAY, LOOKAHEAD_POWER = 5, 0.95, 3


@dataclass(frozen=True)
class Group:
    """Parameters with one learning rate and one weight decay.

    `rates` is the learning rate of each step, float (steps,).
    """

    parameters: list[nn.Parameter]
    rates: np.ndarray
    decay: float = 0.0
    is_muon: bool = False


def groups(recipe: Recipe, net: nn.Module, total: int, per_epoch: int) -> list[Group]:
    """Divide the trained parameters of a network into groups."""
    shifts = [
        layer.bias
        for layer in net.modules()
        if isinstance(layer, nn.BatchNorm2d) and recipe.whitens
    ]
    known = {id(shift) for shift in shifts}
    trained = [of for of in net.parameters() if of.requires_grad and id(of) not in known]
    kernels = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim == 1]
    factors = recipe.schedule(total, per_epoch)
    if recipe.muon:
        return _muon_groups(recipe.muon, kernels, others, shifts, factors, per_epoch)
    rates = recipe.rate * factors
    if not recipe.whitens:
        return [Group(kernels, rates, recipe.decay), Group(others, rates)]
    # As published: the decay is that of the recipe for all, whatever the learning rate.
    return [
        Group([*kernels, *others], rates, recipe.decay),
        Group(shifts, rates * recipe.bias_factor, recipe.decay / recipe.bias_factor),
    ]


def _muon_groups(
    muon: MuonRates,
    kernels: list[nn.Parameter],
    others: list[nn.Parameter],
    shifts: list[nn.Parameter],
    factors: np.ndarray,
    per_epoch: int,
) -> list[Group]:
    """Filters by Muon; the whitening layer's bias at a rate that falls to 0 when it is frozen."""
    filters = [kernel for kernel in kernels if kernel.ndim == 4]
    head = [kernel for kernel in kernels if kernel.ndim == 2]
    steps = muon.whiten_epochs * per_epoch
    fall = np.maximum(1 - np.arange(len(factors)) / steps, 0)
    return [
        Group(others, muon.biases * fall, muon.decay / muon.biases),
        Group(shifts, muon.biases * factors, muon.decay / muon.biases),
        Group(head, muon.head * factors, muon.decay / muon.head),
        Group(filters, muon.filters * factors, is_muon=True),
    ]


class Optimizers:
    """The optimizers of a recipe, and the table of their learning rates.

    Args:
        recipe: what is trained.
        net: on its device.
        total: steps of the training.
        per_epoch: steps of an epoch.
        notes: gets a line where PyTorch has no fused form.
    """

    def __init__(
        self, recipe: Recipe, net: nn.Module, total: int, per_epoch: int, notes: list[str]
    ) -> None:
        self.groups = groups(recipe, net, total, per_epoch)
        device = next(net.parameters()).device
        table = np.stack([group.rates for group in self.groups]).astype(np.float32)
        self.table = torch.from_numpy(table).to(device)
        self.rates = self.table[:, :1].clone()
        self.step_number = torch.zeros(1, dtype=torch.int64, device=device)
        options, self.muon = [], None
        for group, rate in zip(self.groups, self.rates[:, 0].unbind(), strict=True):
            if group.is_muon:
                self.muon = Muon(group.parameters, rate, recipe.muon.momentum)
            else:
                options.append(
                    {"params": group.parameters, "lr": rate, "weight_decay": group.decay}
                )
        try:
            self.optimizer = _make(recipe, options, device, fused=True)
        except (RuntimeError, TypeError, ValueError) as error:
            notes.append(f"no fused optimizer: {str(error)[:200]}")
            self.optimizer = _make(recipe, options, device, fused=False)

    def zero_grad(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if self.muon:
            for parameter in self.muon.filters:
                parameter.grad = None

    def step(self) -> None:
        """Update the parameters at the learning rates of the present step."""
        torch.index_select(self.table, 1, self.step_number, out=self.rates)
        self.optimizer.step()
        if self.muon:
            self.muon.step()

    def compile(self, compiles: bool) -> None:
        """Compile what PyTorch has no fused form of, or go back to it as written."""
        if self.muon:
            self.muon.update = (
                torch.compile(muon_update, dynamic=False) if compiles else muon_update
            )

    def reset(self) -> None:
        """Set all state to zero, where it is: CUDA graphs keep its addresses."""
        self.step_number.zero_()
        for state in self.optimizer.state.values():
            for value in state.values():
                if isinstance(value, torch.Tensor):
                    value.zero_()
        if self.muon:
            torch._foreach_zero_(self.muon.buffers)


def _make(
    recipe: Recipe, options: list[dict[str, Any]], device: torch.device, fused: bool
) -> torch.optim.Optimizer:
    if recipe.optimizer == "adam":
        # Keras's epsilon. A step count on the device is what CUDA graphs need.
        adam: dict[str, Any] = {"eps": 1e-7, "fused": fused}
        return torch.optim.Adam(options, capturable=device.type == "cuda", **adam)
    return torch.optim.SGD(
        options, lr=0.1, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=fused
    )


class Muon:
    """Muon with Nesterov's momentum; each filter bank keeps the norm sqrt(filters).

    Args:
        filters: kernels (filters, channels, height, width).
        rate: learning rate, a tensor.
        momentum: of the gradients.
    """

    def __init__(self, filters: list[nn.Parameter], rate: torch.Tensor, momentum: float) -> None:
        # Sorted, so that kernels of one shape are orthogonalised together.
        self.filters = sorted(filters, key=lambda of: tuple(of.shape))
        self.rate, self.momentum = rate, momentum
        self.buffers = [torch.zeros_like(of.detach()) for of in self.filters]
        self.update: Callable[..., None] = muon_update

    @torch.no_grad()
    def step(self) -> None:
        gradients = [of.grad for of in self.filters]
        self.update(self.filters, gradients, self.buffers, self.rate, self.momentum)


def muon_update(
    filters: list[torch.Tensor],
    gradients: list[torch.Tensor],
    buffers: list[torch.Tensor],
    rate: torch.Tensor,
    momentum: float,
) -> None:
    """Take one step of all filters, in place; kernels of equal shape stand side by side.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", and
    the airbench that uses it, which also sets the norm of the filters before each step.
    """
    for buffer, gradient in zip(buffers, gradients, strict=True):
        buffer.mul_(momentum).add_(gradient)
    directions = [g + momentum * b for g, b in zip(gradients, buffers, strict=True)]
    updates = list(_orthogonalised(directions))
    for kernel, update in zip(filters, updates, strict=True):
        norm = len(kernel) ** 0.5 / kernel.float().norm()
        kernel.copy_(kernel * norm - rate * update)


def _orthogonalised(matrices: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Yield (filters, channels, h, w) with singular values near 1: Newton-Schulz in bfloat16."""
    a, b, c = NEWTON_SCHULZ
    for shape, equal in groupby(matrices, key=lambda of: tuple(of.shape)):
        x = torch.stack([of.flatten(1) for of in equal]).bfloat16()
        is_tall = x.shape[1] > x.shape[2]
        x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
        x = x.mT if is_tall else x
        for _ in range(NEWTON_SCHULZ_STEPS):
            gram = x @ x.mT
            x = a * x + (b * gram + c * gram @ gram) @ x
        x = x.mT if is_tall else x
        yield from x.reshape(-1, *shape).unbind()


class Lookahead:
    """Blends the weights with slow ones every five steps, and sets them back to the slow ones.

    slow = d * slow + (1 - d) * weights; weights = slow; d = 0.95^5 * (step / steps)^3, and 1 after
    the last step. Batch norm's running statistics take part. Source: Jordan 2024.

    Args:
        net: its tensors as they are at `reset` are the first slow ones.
        total: steps of the training.
    """

    def __init__(self, net: nn.Module, total: int) -> None:
        tensors = [of.detach() for of in (*net.parameters(), *net.buffers()) if of.numel()]
        by_dtype: dict[torch.dtype, list[torch.Tensor]] = {}
        for tensor in tensors:
            by_dtype.setdefault(tensor.dtype, []).append(tensor)
        self.pairs = [(fast, [of.clone() for of in fast]) for fast in by_dtype.values()]
        self.total = total

    def reset(self) -> None:
        for fast, slow in self.pairs:
            torch._foreach_copy_(slow, fast)

    def after_step(self, done: int) -> None:
        """Blend, if it is time after so many steps."""
        if done % LOOKAHEAD_EVERY == 0:
            rise = (done / self.total) ** LOOKAHEAD_POWER
            self._blend(LOOKAHEAD_DECAY**LOOKAHEAD_EVERY * rise)
        if done == self.total:
            self._blend(1.0)

    def _blend(self, kept: float) -> None:
        for fast, slow in self.pairs:
            torch._foreach_lerp_(slow, fast, 1 - kept)
            torch._foreach_copy_(fast, slow)
