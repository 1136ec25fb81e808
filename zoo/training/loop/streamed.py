"""Images and labels of a split that stay where they are, and go to the device batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from zoo import backend
from zoo.backend import devices
from zoo.datasets.splits import Split
from zoo.training.loop.resident import label_array

MOST_UNDERWAY = 2  # Calls that the device has not ended yet when the next one is started.
MOST_STEPS, MOST_BYTES = 4, 2**23  # Of a call on TensorFlow.


class StreamedSplit:
    """A split whose images are sent to the device for each step.

    Args:
        split: the images, in files or in memory.

    Attributes:
        ahead: blocks of batches that are on the device, or on the way there, before their steps are
            due.
        threads: threads that make them. Each decodes a whole batch with the help of the split's own
            threads; with two, these never wait for the end of a batch.
    """

    streamed: ClassVar[bool] = True
    constants: ClassVar[tuple[Any, ...]] = ()
    ahead: ClassVar[int] = 2
    threads: ClassVar[int] = 2

    def __init__(self, split: Split) -> None:
        self.split = split
        self._labels = label_array(split)

    def __len__(self) -> int:
        return len(self.split)

    def inputs(self, draws: Mapping[str, Any]) -> dict[str, Any]:
        """What the program needs of the host for a step: the images themselves.

        Args:
            draws: of the step; `indices`, int32 (batch,), are those of its images.

        Returns:
            The draws, with `images`, uint8 (batch, height, width, channels), and `labels`, int32
            (batch,) or multi-label uint8 (batch, classes), both on the device, instead of the
            indices.

        Raises:
            DataError: an image can no longer be decoded.
        """
        inputs = dict(draws)
        indices = inputs.pop("indices")
        count = len(indices)
        images = self.split.images(indices[devices.current().rows(count)])
        labels = devices.place(self._labels[indices], count)
        with devices.in_host_memory():
            inputs["images"] = ops.convert_to_tensor(devices.place_rows(images, count), "uint8")
            inputs["labels"] = ops.convert_to_tensor(labels, self._labels.dtype.name)
        return inputs

    def take(self, constants: Any, inputs: Mapping[str, Any]) -> tuple[Any, Any]:
        """The images and labels of a step, in the program."""
        return inputs["images"], inputs["labels"]

    def together(self, draws: Mapping[str, Any]) -> int:
        """How many steps are handed to the program together.

        On JAX it is one. On TensorFlow a call of a program costs 3 ms or more, and so small steps
        are made together, up to `MOST_STEPS` of `MOST_BYTES` in all.

        Args:
            draws: of one step of a full batch.
        """
        if keras.backend.backend() == "jax":
            return 1
        size = self.split.images(draws["indices"][:1]).nbytes * len(draws["indices"])
        return min(MOST_STEPS, max(1, MOST_BYTES // size))


class Backlog:
    """Waits for the device if it is too many calls behind: each of them holds its images there.

    Args:
        most: calls that may be underway; None: any number.
    """

    def __init__(self, most: int | None) -> None:
        self.most = most
        self._underway: deque[Any] = deque()

    def add(self, losses: Sequence[tuple[Any, int]]) -> None:
        """Notes a call that was started, by the arrays that hold their losses.

        Args:
            losses: as a program returns them.
        """
        if self.most is None:
            return
        self._underway.append(losses[-1][0])
        while len(self._underway) > self.most:
            backend.to_numpy(self._underway.popleft())
