"""Optimizers for benchmarks/torch_peer.py, whose learning rates stay on the device.

A table holds the learning rate of each group of parameters at each step; a step reads its column
there, so that neither the host nor a CUDA graph has to know the step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch_recipes import Recipe


@dataclass(frozen=True)
class Group:
    """Parameters with one learning rate and one weight decay.

    `rates` is the learning rate of each step, float (steps,).
    """

    parameters: list[nn.Parameter]
    rates: np.ndarray
    decay: float


def groups(recipe: Recipe, net: nn.Module, total: int, per_epoch: int) -> list[Group]:
    """Divide the trained parameters of a network into kernels and all others."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    rates = recipe.rate * recipe.schedule(total, per_epoch)
    kernels = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim == 1]
    return [Group(kernels, rates, recipe.decay), Group(others, rates, 0.0)]


class Optimizers:
    """The optimizer of a recipe, and the table of its learning rates.

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
        options = [
            {"params": group.parameters, "lr": self.rates[index, 0], "weight_decay": group.decay}
            for index, group in enumerate(self.groups)
        ]
        try:
            self.optimizer = _make(recipe, options, device, fused=True)
        except (RuntimeError, TypeError, ValueError) as error:
            notes.append(f"no fused optimizer: {str(error)[:200]}")
            self.optimizer = _make(recipe, options, device, fused=False)

    def zero_grad(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Update the parameters at the learning rates of the present step."""
        torch.index_select(self.table, 1, self.step_number, out=self.rates)
        self.optimizer.step()

    def reset(self) -> None:
        """Set all state to zero, where it is: CUDA graphs keep its addresses."""
        self.step_number.zero_()
        for state in self.optimizer.state.values():
            for value in state.values():
                if isinstance(value, torch.Tensor):
                    value.zero_()


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
