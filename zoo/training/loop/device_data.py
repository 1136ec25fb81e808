"""What a device loop trains and validates on: splits that stay on the device, or stream to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from zoo.datasets.splits import Split, Splits
from zoo.training.loop.resident import ResidentSplit
from zoo.training.loop.streamed import StreamedSplit


class DeviceSplit(Protocol):
    """A split as a program reads it: `ResidentSplit` or `StreamedSplit`."""

    @property
    def streamed(self) -> bool:
        """Whether each step is handed its images, rather than their indices."""

    @property
    def constants(self) -> tuple[Any, ...]:
        """Arrays on the device that every step reads."""

    @property
    def ahead(self) -> int:
        """Blocks of steps whose inputs are made before they are asked for."""

    @property
    def threads(self) -> int:
        """Threads that make them."""

    def __len__(self) -> int: ...

    def inputs(self, draws: Mapping[str, Any]) -> dict[str, Any]:
        """What the program needs of the host for a step, given the draws of the step."""

    def take(self, constants: Any, inputs: Mapping[str, Any]) -> tuple[Any, Any]:
        """The images and labels of a step, in the program."""

    def together(self, draws: Any) -> int:
        """How many steps form a block, which is handed to the program at once."""


@dataclass(frozen=True, eq=False)
class DeviceData:
    """What a training reads on the device.

    Attributes:
        train: the training split.
        validation: the validation split.
    """

    train: DeviceSplit
    validation: DeviceSplit

    @classmethod
    def of(cls, data: Splits, streams: bool) -> DeviceData:
        """Prepares the training and the validation split for the device.

        Args:
            data: the splits.
            streams: whether their images go to the device step by step; else all are copied now.

        Raises:
            DataError: an image can no longer be decoded.
        """
        return cls(on_device(data.train, streams), on_device(data.validation, streams))


def on_device(split: Split, streams: bool) -> DeviceSplit:
    """Prepares a split for the device.

    Args:
        split: the images.
        streams: whether they go to the device step by step; else all are copied now.

    Raises:
        DataError: an image can no longer be decoded.
    """
    return StreamedSplit(split) if streams else ResidentSplit.of(split)
