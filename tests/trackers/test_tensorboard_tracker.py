from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trackers import folders
from tests.tuning.test_tables import read
from zoo.trackers.sender import Sender
from zoo.trackers.tensorboard_tracker import TensorBoardTracker

LOSSES = [1.0, 0.5, 1 / 3]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Scalars of all files of a folder by tag, as (step, value)."""
    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.iterdir()):
        for event in read(file):
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def losses(*values: float) -> list[tuple[int, Any]]:
    return [(step, pytest.approx(value)) for step, value in enumerate(values, 1)]


def test_scalars_by_epoch(tmp_path: Path) -> None:
    run = folders.run(tmp_path / "one", epochs=1)
    sender = Sender(TensorBoardTracker(), print)
    sender.send(run)
    sender.send(run, [folders.row(epoch) for epoch in (1, 2)])
    assert scalars(run.tensorboard_folder / "train")["loss"] == losses(*LOSSES[:2])
    assert sender.send(folders.finished(run), final=True)
    train = scalars(run.tensorboard_folder / "train")
    assert train["loss"] == losses(*LOSSES)
    assert set(train) == {"loss", "seconds"}
    validation = scalars(run.tensorboard_folder / "validation")
    assert validation["loss"] == losses(2.0, 1.0, 2 / 3)
    assert set(validation) == {"loss", "accuracy"}


def test_a_resumed_run_has_no_epoch_twice(tmp_path: Path) -> None:
    """Its first process was killed after an epoch that the second one makes again."""
    run = folders.run(tmp_path / "one", epochs=3)
    killed = TensorBoardTracker()
    Sender(killed, print).send(run)
    killed.close()  # As its end does.
    run.write_rows([folders.row(1)])
    again = Sender(TensorBoardTracker(), print)
    again.send(run)
    again.send(folders.finished(run), final=True)
    assert len(list((run.tensorboard_folder / "train").iterdir())) == 1
    assert scalars(run.tensorboard_folder / "train")["loss"] == losses(*LOSSES)


def test_the_recipe_is_a_text(tmp_path: Path) -> None:
    run = folders.run(tmp_path / "one")
    Sender(TensorBoardTracker(), print).send(folders.finished(run), final=True)
    (file,) = (run.tensorboard_folder / "train").iterdir()
    values = [value for event in read(file) for value in event.summary.value]
    (text,) = [value for value in values if value.metadata.plugin_data.plugin_name == "text"]
    assert text.tag == "recipe"
    assert "    name: small" in text.tensor.string_val[0].decode()


def test_trials_have_curves_beside_their_values(tmp_path: Path) -> None:
    search = folders.search(tmp_path / "tune")
    assert Sender(TensorBoardTracker(), print).send(search)
    trial = scalars(search.tensorboard_folder / "fine-000")
    assert [step for step, _ in trial["val_accuracy"]] == [1, 2]
    assert trial["score"] == [(20, pytest.approx(0.4777778))]
