"""Tables of a finished search: a CSV file and TensorBoard's HParams. Light, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tuning.trials import TrialRecord
from zoo.trackers import csv_tracker, tensorboard_tracker

COLUMNS = csv_tracker.TRIAL_COLUMNS


def write_csv(records: Sequence[TrialRecord], path: Path) -> None:
    """Writes a line per trial: `COLUMNS`, then the searched paths in alphabetical order.

    A value that a trial does not have is empty; null is the word `null`.
    """
    csv_tracker.write_trials([record.to_json() for record in records], path)


def write_hparams(records: Iterable[TrialRecord], folder: Path) -> list[Path]:
    """Writes TensorBoard's HParams: a subfolder per trial with its values, score, curve and end.

    Each file has a fixed name, so that writing again replaces it.

    Returns:
        The files. `tensorboard --logdir FOLDER` shows them.
    """
    return [tensorboard_tracker.write_trial(record.to_json(), folder) for record in records]
