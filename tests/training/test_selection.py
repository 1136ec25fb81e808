"""What selects the best epoch where the recipe leaves that to its data."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.runs import LINEAR, tiny
from zoo.checks.judge.labels import IMBALANCE_RATIO_WARN
from zoo.errors import RecipeError
from zoo.recipe import load
from zoo.training import Settings, train
from zoo.training.components import keras_callbacks
from zoo.training.selection import (
    STRONG_IMBALANCE,
    choose_monitor,
    require_defined,
    unnamed_classes,
    with_monitor,
)

BALANCED = "train.class_weight=balanced"


def split(*counts: int) -> Any:
    """A training split with these numbers of images."""
    return SimpleNamespace(labels=np.repeat(np.arange(len(counts)), counts))


@pytest.mark.parametrize(
    "counts, overrides, monitor, reason",
    [
        ((600, 600), (), "val_accuracy", None),
        ((450, 50), (), "val_accuracy", None),
        ((600, 40), (), "val_balanced_accuracy", "15 times"),
        ((600, 15), (), "val_balanced_accuracy", "40 times"),
        ((500, 500, 500, 20), (), "val_balanced_accuracy", "25 times"),
        ((600, 0), (), "val_accuracy", None),
        ((600, 600), (BALANCED,), "val_balanced_accuracy", "class_weight"),
        ((600, 40), (BALANCED, "train.monitor=val_loss"), "val_loss", None),
        ((600, 40), ("train.monitor=val_accuracy",), "val_accuracy", None),
    ],
)
def test_monitor(
    tmp_path: Path, counts: Any, overrides: Any, monitor: str, reason: str | None
) -> None:
    recipe = tiny(tmp_path, *overrides)
    found, why = choose_monitor(recipe, split(*counts))
    assert found == monitor
    assert (why is None) if reason is None else (reason in str(why))
    chosen, line = with_monitor(recipe, split(*counts))
    assert chosen.train.monitor == monitor
    assert (line is None) is (reason is None)
    # What was chosen is written, and so is obeyed.
    assert with_monitor(chosen, split(1, 1)) == (chosen, None)


def test_the_check_of_labels_warns_from_the_same_ratio() -> None:
    assert IMBALANCE_RATIO_WARN == STRONG_IMBALANCE


@pytest.mark.parametrize(
    "monitor, own, expected, mode",
    [
        ("val_loss", "none", "val_loss", "min"),
        ("val_f1", "none", "val_f1", "max"),
        ("val_auc", "val_loss", "val_loss", "min"),
        ("val_loss", "val_recall", "val_recall", "max"),
        ("val_accuracy", "val_balanced_accuracy", "val_balanced_accuracy", "max"),
    ],
)
def test_callbacks_watch_their_own_metric(
    tmp_path: Path, monitor: str, own: str, expected: str, mode: str
) -> None:
    stopping = f"train.early_stopping={{patience: 3, monitor: {own}}}"
    recipe = tiny(tmp_path, f"train.monitor={monitor}", stopping)
    plateau = f"train.schedule={{reduce_on_plateau: {{patience: 3, monitor: {own}}}}}"
    for callback in keras_callbacks(tiny(tmp_path, f"train.monitor={monitor}", stopping, plateau)):
        assert (callback.monitor, callback.mode, callback.patience) == (expected, mode, 3)
    assert len(keras_callbacks(recipe)) == 1


@pytest.mark.parametrize(
    "override, path",
    [
        ("train.monitor=val_auc", "train.monitor"),
        ("train.early_stopping={patience: 2, monitor: val_auc}", "train.early_stopping.monitor"),
        (
            "train.schedule={reduce_on_plateau: {monitor: val_auc}}",
            "train.schedule.reduce_on_plateau.monitor",
        ),
    ],
)
def test_an_auc_of_one_class_is_refused(tmp_path: Path, override: str, path: str) -> None:
    recipe = tiny(tmp_path, override)
    require_defined(recipe, split(1, 1))
    with pytest.raises(RecipeError, match=f"{path}: val_auc: undefined"):
        require_defined(recipe, split(0, 5))
    require_defined(tiny(tmp_path, "train.monitor=val_f1"), split(5))


def test_a_run_with_class_weights(tmp_path: Path) -> None:
    """Says what selects its epochs, writes it into recipe.yaml, and selects by it."""
    recipe = tiny(tmp_path, LINEAR, BALANCED, "train.epochs=3")
    console = Console(file=StringIO(), width=200)
    run = train(recipe, tmp_path / "runs", Settings(console=console, watch=False))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert printed.count("monitor: val_balanced_accuracy (train.class_weight is set;") == 1
    assert " val_balanced_accuracy 0." in printed
    assert load(str(run.recipe_file)).train.monitor == "val_balanced_accuracy"
    info, rows = run.info(), run.rows()
    best = rows[info["best_epoch"] - 1]
    assert info["monitor"] == "val_balanced_accuracy"
    assert best["val_balanced_accuracy"] == max(row["val_balanced_accuracy"] for row in rows)
    keys = ("val_balanced_accuracy", "val_f1", "val_recall", "val_auc", "val_accuracy")
    assert {key: info[key] for key in keys} == {key: best[key] for key in keys}


def test_advice_for_classes_that_are_never_named(tmp_path: Path) -> None:
    accuracy = tiny(tmp_path, "train.monitor=val_accuracy")
    text = unnamed_classes(accuracy, split(600, 40), ["dog"], 3)
    assert text.startswith("warning: in the epoch that was kept (3), no validation image was taken")
    assert "class_weight: balanced, set train.monitor: val_balanced_accuracy, or train" in text
    weighted = tiny(tmp_path, BALANCED, "train.monitor=val_f1")
    assert unnamed_classes(weighted, split(600, 40), ["dog"], 3).endswith(
        "(recall 0): train for more epochs."
    )
    assert "class_weight" not in unnamed_classes(accuracy, split(50, 50), ["dog"], 3)
