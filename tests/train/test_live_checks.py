"""The live watch: it warns once, of the right thing, and changes nothing."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from rich.console import Console

from tests.runs import UNIT, final, same, tiny, weights
from zoo.batches import EvaluationBatches
from zoo.data.load import load as load_data
from zoo.data.splits import Subset
from zoo.model import builder, introspect
from zoo.plan import plan
from zoo.rundir import Run
from zoo.train import Settings, live_checks, train
from zoo.train.dead_units import DeadUnitCounter


def watched(folder: Path, *overrides: str) -> tuple[Run, str]:
    """A run of some epochs, and what the user was told."""
    told = io.StringIO()
    settings = Settings(console=Console(file=told, width=200))
    run = train(tiny(folder, "train.epochs=24", *overrides), folder / "runs", settings)
    assert "the watch stopped" not in told.getvalue()
    return run, told.getvalue()


def checks(run: Run) -> dict[str, dict[str, Any]]:
    report = json.loads(run.checks_file.read_text(encoding="utf-8"))
    return {finding["id"]: finding for finding in report["findings"]}


def test_watching_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for a resume, metrics included; the gap is measured on a part of validation."""
    monkeypatch.setattr(live_checks, "GAP_IMAGES", 100)
    recipe = tiny(tmp_path)
    with_watch = final(train(recipe, tmp_path / "with"))
    without = final(train(recipe, tmp_path / "without", Settings(watch=False)))
    # What is kept for a resume tells of the watch itself.
    for kept in (with_watch, without):
        kept["notes"].pop("callbacks")
        for row in kept["rows"]:
            row.pop("update_ratio", None)
    assert with_watch == without


def test_healthy(tmp_path: Path) -> None:
    run, told = watched(tmp_path, "train.optimizer.Adam.learning_rate=3e-3")
    assert "warning" not in told
    found = checks(run)
    assert {"C09", "C15", "C17", "C18", "C19"} <= set(found)
    assert not [f for f in found.values() if f["verdict"] == "FAIL"]
    assert all(0 < row["update_ratio"] < 0.1 for row in run.rows())


def test_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """C19's accuracies are those of what the trained network predicts."""
    monkeypatch.setattr(live_checks, "GAP_IMAGES", 100)
    recipe = tiny(tmp_path, "train.epochs=4")
    data = load_data(recipe)
    accuracies = []

    class Predicts(keras.callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            for split in (data.train, data.validation):
                chosen = np.random.default_rng(recipe.seed).permutation(len(split))[:100]
                part = Subset(split, np.sort(chosen))
                right = (
                    self.model.predict(EvaluationBatches(part), verbose=0).argmax(axis=1)
                    == part.labels
                )
                accuracies.append(float(np.mean(right)))

    run = train(recipe, tmp_path / "runs", Settings(callbacks=[Predicts()]))
    found = checks(run)["C19"]
    assert found["details"]["train_accuracy"] == pytest.approx(accuracies[0])
    assert found["value"] == pytest.approx(accuracies[0] - accuracies[1])


def test_dead_units_are_the_probes(tmp_path: Path) -> None:
    """Counted twice, with other weights in between; dropout off, statistics of the batch."""
    recipe = tiny(tmp_path)
    network = builder.build(recipe, 10, UNIT)
    layers = plan(recipe, 10).layers
    relus = introspect.relus(layers)
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1)).astype(np.uint8)
    counter = DeadUnitCounter(network, layers)
    norm = network.get_layer("conv1_bn")
    norm.moving_mean.assign(np.full(4, 1000, np.float32))  # With it all units would be dead.
    for beta, dead in (([0, 0, 0, 0], 0), ([-1000, 0, 0, -1000], 0.5)):
        norm.beta.assign(np.array(beta, np.float32))
        before = weights(network)
        found = counter(images).layers
        assert same(weights(network), before)
        outputs = introspect.outputs(network, [relu.name for relu in relus], images)
        wanted = [relu.activity(value) for relu, value in zip(relus, outputs, strict=True)]
        assert found[0].dead == dead
        for one, other in zip(found, wanted, strict=True):
            assert (one.name, one.dead) == (other.name, other.dead)
            assert one.zeros == pytest.approx(other.zeros, abs=1e-3)
    assert DeadUnitCounter(network, ())(images).layers == []


def test_plateau(tmp_path: Path) -> None:
    """Nothing is learned at a rate of 1e-7: said once, with what to do."""
    run, told = watched(tmp_path, "train.optimizer.Adam.learning_rate=1e-7")
    assert told.count("warning: C17") == 1
    assert "stays at" in told
    assert "zoo check" in told
    assert checks(run)["C17"]["verdict"] == "WARN"


def test_dead_units(tmp_path: Path) -> None:
    bias = "model.defaults={batch_norm: none, bias_initializer: {Constant: -1000}}"
    _, told = watched(tmp_path, bias, "train.abort_above=none")
    assert told.count("warning: C09") == 1
    assert "dead" in told


def test_large_steps(tmp_path: Path) -> None:
    none = "model.defaults.batch_norm=none"
    _, told = watched(
        tmp_path, none, "train.optimizer={SGD: {learning_rate: 30, global_clipnorm: 1.0}}",
        "train.abort_above=none",
    )  # fmt: skip
    assert "warning: C15" in told


@pytest.mark.parametrize("word", ["warned", "losses"])
def test_state_goes_along(tmp_path: Path, word: str) -> None:
    """A resumed run warns no second time, and its curve is whole."""
    from zoo.train import checkpoint

    run, _ = watched(tmp_path, "train.optimizer.Adam.learning_rate=1e-7")
    found = checkpoint.newest(run)
    assert found is not None
    kept = {kind: values for kind, values in found[0]["callbacks"]}
    assert kept["LiveChecks"][word]


@pytest.mark.parametrize("place", ["dead units", "gap"])
def test_a_fault_of_the_watch_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """At the end of an epoch, and where images can no longer be read at the end of all."""

    def broken(*_: Any) -> Any:
        raise ValueError("oh")

    if place == "gap":
        monkeypatch.setattr(live_checks, "Subset", type("Subset", (Subset,), {"images": broken}))
    else:
        monkeypatch.setattr(live_checks.LiveChecks, "_count_dead_units", broken)
    told = io.StringIO()
    settings = Settings(console=Console(file=told, width=200))
    run = train(tiny(tmp_path), tmp_path / "runs", settings)
    assert run.info()["status"] == "done"
    assert told.getvalue().count("the watch stopped (ValueError: oh)") == 1
