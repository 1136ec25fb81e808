"""The networks of zoo's recipes in PyTorch, for benchmarks/torch_peer.py.

Same layers, epsilons, momenta and initial distributions as zoo's. One difference: a 3x3 convolution
of stride 2 pads one pixel on every side, as PyTorch users write it; TensorFlow's "same" pads only
below and to the right, so it reads pixels one further down and right.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import torch
import torch.nn.functional as F
from torch import nn

TRUNCATED_STD = 0.87962566103423978  # Of a standard normal that is cut at 2.
HEAD_STD = 0.01


class BatchNorm(nn.BatchNorm2d):
    """Keras's epsilon and momentum; counts no batches, which would be a kernel of its own."""

    def __init__(self, channels: int, eps: float = 1e-3, momentum: float = 0.1) -> None:
        super().__init__(channels, eps=eps, momentum=momentum)
        self.num_batches_tracked = None


def conv(inputs: int, outputs: int, stride: int = 1, gain: float = 2.0) -> nn.Conv2d:
    """A 3x3 convolution without bias; its kernel is he_normal, or lecun_normal with a gain of 1."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    std = sqrt(gain / (9 * inputs)) / TRUNCATED_STD
    nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
    return layer


def stage(inputs: int, outputs: int, pool: bool = False) -> nn.Sequential:
    """Convolution, batch norm, ReLU, and maximum pooling by 2."""
    layers = [conv(inputs, outputs), BatchNorm(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


def head(inputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, 10)
    nn.init.normal_(layer.weight, std=HEAD_STD)
    nn.init.zeros_(layer.bias)
    return layer


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class Residual(nn.Module):
    """The input plus some stages of it."""

    def __init__(self, *stages: nn.Module) -> None:
        super().__init__()
        self.stages = nn.Sequential(*stages)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.stages(x)


class Block(nn.Module):
    """Two convolutions and a shortcut without parameters: He et al. 2016, option A."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride = outputs // inputs
        self.missing = outputs - inputs
        self.conv1, self.norm1 = conv(inputs, outputs, self.stride), BatchNorm(outputs)
        self.conv2, self.norm2 = conv(outputs, outputs, gain=1.0), BatchNorm(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.missing:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))
        return F.relu(x + y)


class GlobalPool(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) if self.kind == "average" else x.amax((2, 3))


def resnet20(channels: int) -> nn.Module:
    blocks = [Block(a, b) for a, b in [(16, 16)] * 3 + [(16, 32)] + [(32, 32)] * 2]
    blocks += [Block(a, b) for a, b in [(32, 64)] + [(64, 64)] * 2]
    return nn.Sequential(stage(channels, 16), *blocks, GlobalPool("average"), head(64))


def resnet9(channels: int) -> nn.Module:
    last = nn.Linear(512, 10, bias=False)  # PyTorch's own initial weights, as in the recipe.
    return nn.Sequential(
        stage(channels, 64),
        stage(64, 128, pool=True),
        Residual(stage(128, 128), stage(128, 128)),
        stage(128, 256, pool=True),
        stage(256, 512, pool=True),
        Residual(stage(512, 512), stage(512, 512)),
        GlobalPool("max"),
        last,
        Scale(0.125),
    )


def vgg16_bn(channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for number in range(count):
            layers.append(stage(channels, width, pool=number == count - 1))
            channels = width
    return nn.Sequential(*layers, nn.Flatten(), head(512))


def plain(*widths: int, size: int) -> Callable[[int], nn.Module]:
    """Stages with pooling, then the logits, on images `size` pixels wide."""

    def build(channels: int) -> nn.Module:
        inputs = (channels, *widths[:-1])
        stages = [stage(a, b, pool=True) for a, b in zip(inputs, widths, strict=True)]
        side = size // 2 ** len(widths)
        return nn.Sequential(*stages, nn.Flatten(), head(widths[-1] * side * side))

    return build


# Name -> network for images of so many channels.
NETS: dict[str, Callable[[int], nn.Module]] = {
    "digits-tiny": plain(16, 32, size=8),
    "cifar10-quick": plain(32, 64, 128, size=32),
    "resnet20": resnet20,
    "resnet9": resnet9,
    "vgg16-bn": vgg16_bn,
}


def multiply_adds(net: nn.Module, image: torch.Tensor) -> int:
    """Multiply-adds of all convolutions and dense layers on one image (1, channels, h, w)."""
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        weight = layer.weight
        counts.append(output.numel() * weight.numel() // weight.shape[0])

    layers = [of for of in net.modules() if isinstance(of, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        net.float().eval()(image.float())
    for hook in hooks:
        hook.remove()
    return sum(counts)
