"""The networks of airbench in PyTorch, for benchmarks/torch_peer.py.

Written from the published descriptions. Sources: Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a
Single GPU" (arXiv 2404.00498), and the author's repository cifar10-airbench for airbench96 (its
version of June 2024) and the variant with Muon.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
import torch.nn.functional as F
from torch import nn

WHITEN_IMAGES = 5000
WHITEN_EPSILON = 5e-4
EPSILON = 1e-12


class ShiftNorm(nn.BatchNorm2d):
    """Batch norm whose scale stays 1; it counts no batches, which would be a kernel of its own."""

    def __init__(self, channels: int, momentum: float) -> None:
        super().__init__(channels, eps=EPSILON, momentum=momentum)
        self.weight.requires_grad = False
        self.num_batches_tracked = None


def dirac_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution whose first filters copy the input channels; PyTorch draws the others."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(layer.weight[:inputs])
    return layer


class Group(nn.Module):
    """Two or three convolutions, the first with pooling; with three, a shortcut over the last two.

    Args:
        inputs: channels of the input.
        outputs: filters of each convolution.
        depth: number of convolutions.
        momentum: of batch norm, as PyTorch counts it.
    """

    def __init__(self, inputs: int, outputs: int, depth: int, momentum: float) -> None:
        super().__init__()
        sizes = (inputs, *[outputs] * depth)
        self.convs = nn.ModuleList(dirac_conv(a, b) for a, b in zip(sizes, sizes[1:], strict=False))
        self.norms = nn.ModuleList(ShiftNorm(outputs, momentum) for _ in range(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = F.gelu(self.norms[0](F.max_pool2d(self.convs[0](x), 2)))
        x = F.gelu(self.norms[1](self.convs[1](first)))
        if len(self.convs) == 2:
            return x
        return F.gelu(self.norms[2](self.convs[2](x)) + first)


class Airbench(nn.Module):
    """A fixed whitening layer with a bias, three groups, pooling by 3, and a head without bias.

    Args:
        channels: of the images.
        widths: filters of the groups.
        depth: convolutions of a group.
        momentum: of batch norm, as PyTorch counts it.
        scale: factor of the logits.
        unit_head: the head's initial weights get a standard deviation of 1.
        zero_bias: the whitening layer's bias begins at 0, not at PyTorch's draws.
    """

    def __init__(
        self,
        channels: int,
        widths: tuple[int, int, int],
        depth: int = 2,
        momentum: float = 0.4,
        scale: float = 1 / 9,
        unit_head: bool = False,
        zero_bias: bool = True,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.whiten = nn.Conv2d(channels, 8 * channels, 2)
        self.whiten.weight.requires_grad = False
        sizes = (8 * channels, *widths)
        pairs = zip(sizes, widths, strict=False)
        self.groups = nn.Sequential(*(Group(a, b, depth, momentum) for a, b in pairs))
        self.head = nn.Linear(widths[-1], 10, bias=False)
        with torch.no_grad():
            if zero_bias:
                self.whiten.bias.zero_()
            if unit_head:
                self.head.weight.div_(self.head.weight.std())

    def forward(self, x: torch.Tensor, frozen: bool = False) -> torch.Tensor:
        """Return the logits; if frozen, no gradient goes to the whitening layer's bias."""
        bias = self.whiten.bias.detach() if frozen else self.whiten.bias
        x = self.groups(F.gelu(F.conv2d(x, self.whiten.weight, bias)))
        return self.head(F.max_pool2d(x, 3).flatten(1)) * self.scale

    @torch.no_grad()
    def prepare(self, images: torch.Tensor) -> None:
        """Set the whitening kernel from images (n, channels, height, width), normalised.

        For patches p, not centred, E[p p^T] = V diag(l) V^T: the filters are the columns of
        V / sqrt(l + epsilon), l falling, then their negatives. The sums are in float64.
        """
        size = prod(self.whiten.weight.shape[1:])
        patches = F.unfold(images.float(), 2).transpose(1, 2).reshape(-1, size).double()
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (vectors / (values.clamp_min(0) + WHITEN_EPSILON).sqrt()).flip(1).T
        both = torch.cat([filters, -filters]).reshape(self.whiten.weight.shape)
        self.whiten.weight.copy_(both)

    def to_half(self) -> Airbench:
        """Convert all but batch norm to float16, as published."""
        self.half()
        for layer in self.modules():
            if isinstance(layer, ShiftNorm):
                layer.float()
        return self


# Name -> network for images of so many channels.
AIRBENCH: dict[str, Callable[[int], nn.Module]] = {
    "airbench94": lambda channels: Airbench(channels, (64, 256, 256)),
    "airbench94-muon": lambda channels: Airbench(
        channels, (64, 256, 256), scale=1 / 256, unit_head=True, zero_bias=False
    ),
    "airbench96": lambda channels: Airbench(channels, (128, 512, 512), depth=3, momentum=0.1),
}
