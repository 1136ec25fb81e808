"""The line of an epoch: whole into a file, and in the width of a terminal."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from zoo.training.epoch_lines import EpochLines

LOGS = {"loss": 2.3026, "accuracy": 0.1, "val_loss": 2.3026, "val_accuracy": 0.1, "val_f1": 0.1}
WHOLE = (
    "epoch  3/20  loss 2.3026  accuracy 0.1000  val_loss 2.3026  val_accuracy 0.1000  "
    "12,345 images/s"
)


def printed(width: int, monitor: str = "val_accuracy", **options: Any) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None, **options)
    lines = EpochLines(console, images_per_step=1.0, monitor=monitor)
    counter: Any = SimpleNamespace(steps=100, step=15, epochs=20, steps_per_second=[12345.0])
    lines.counter = counter
    lines.on_train_begin()
    if lines._bar is not None:
        lines._bar.stop()
        stream.seek(0)
        stream.truncate()
    lines.on_epoch_end(2, LOGS)
    return stream.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_into_a_file(width: int) -> None:
    assert printed(width, force_terminal=False) == [WHOLE]


def test_on_terminals() -> None:
    assert printed(120, force_terminal=True) == [WHOLE]
    # The bar shows the speed.
    assert printed(80, force_terminal=True) == [WHOLE.removesuffix("  12,345 images/s")]
    narrow = printed(60, "val_f1", force_terminal=True)
    assert max(map(len, narrow)) <= 60
    assert " ".join(narrow).split()[-2:] == ["val_f1", "0.1000"]
