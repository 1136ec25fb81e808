"""The live checks warn once, of the right fault, and change nothing."""

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
from zoo.datasets.load import load as load_data
from zoo.datasets.splits import Subset
from zoo.model import builder, introspect
from zoo.plan import plan
from zoo.rundir import Run
from zoo.training import Settings, checkpoint, gap, live_checks, train
from zoo.training.dead_units import DeadUnitCounter


def watched(folder: Path, *overrides: str) -> tuple[Run, str]:
    """A run of 24 epochs, and what it printed."""
    output = io.StringIO()
    settings = Settings(console=Console(file=output, width=200))
    run = train(tiny(folder, "train.epochs=24", *overrides), folder / "runs", settings)
    assert "the watch stopped" not in output.getvalue()
    return run, output.getvalue()


@pytest.fixture(scope="module")
def plateau(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A run that learns nothing, at a rate of 1e-7."""
    folder = tmp_path_factory.mktemp("plateau")
    return watched(folder, "train.optimizer.Adam.learning_rate=1e-7")


def checks(run: Run) -> dict[str, dict[str, Any]]:
    report = json.loads(run.checks_file.read_text(encoding="utf-8"))
    return {finding["id"]: finding for finding in report["findings"]}


@pytest.mark.backend
def test_watching_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The saved state and the metrics are the same with and without the live checks."""
    recipe = tiny(tmp_path)
    with_watch = final(train(recipe, tmp_path / "with"))
    monkeypatch.setattr(gap, "IMAGES", 100)  # Not the validation's program, but one of Keras.
    by_keras = final(train(recipe, tmp_path / "keras"))
    without = final(train(recipe, tmp_path / "without", Settings(watch=False)))
    # The state has an entry of the live checks themselves.
    for end in (with_watch, by_keras, without):
        end["notes"].pop("callbacks")
        for row in end["rows"]:
            row.pop("update_ratio", None)
    assert with_watch == by_keras == without


def test_healthy(tmp_path: Path) -> None:
    run, output = watched(tmp_path, "train.optimizer.Adam.learning_rate=3e-3")
    assert "warning: C" not in output
    findings = checks(run)
    assert {"C09", "C15", "C17", "C18", "C19"} <= set(findings)
    assert not [f for f in findings.values() if f["verdict"] == "FAIL"]
    assert all(0 < row["update_ratio"] < 0.1 for row in run.rows())


@pytest.mark.parametrize("images", [100, 180], ids=["some of the validation", "all of it"])
def test_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: int) -> None:
    """C19 compares the accuracies of the trained network; nothing is compiled for it if it can."""
    monkeypatch.setattr(gap, "IMAGES", images)
    recipe = tiny(tmp_path, "train.epochs=4")
    data = load_data(recipe)
    accuracies, traced = [], []
    test_step = keras.Model.test_step

    def counted(model: keras.Model, batch: Any) -> Any:
        traced.append(batch)
        return test_step(model, batch)

    monkeypatch.setattr(keras.Model, "test_step", counted)

    class Predicts(keras.callbacks.Callback):
        def on_train_end(self, logs: Any = None) -> None:
            for split in (data.train, data.validation):
                chosen = np.random.default_rng(recipe.seed).permutation(len(split))[:images]
                part = Subset(split, np.sort(chosen))
                right = (
                    self.model.predict(EvaluationBatches(part), verbose=0).argmax(axis=1)
                    == part.labels
                )
                accuracies.append(float(np.mean(right)))

    run = train(recipe, tmp_path / "runs", Settings(callbacks=[Predicts()]))
    finding = checks(run)["C19"]
    assert finding["details"]["train_accuracy"] == pytest.approx(accuracies[0])
    assert finding["value"] == pytest.approx(accuracies[0] - accuracies[1])
    assert len(traced) == (1 if images == len(data.validation) else 2)


@pytest.mark.backend
def test_dead_units_are_the_probes(tmp_path: Path) -> None:
    """They are counted without dropout and with the batch's statistics, twice, with new weights."""
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
        counted = counter(images).layers
        assert same(weights(network), before)
        outputs = introspect.outputs(network, [relu.name for relu in relus], images)
        expected = [relu.activity(value) for relu, value in zip(relus, outputs, strict=True)]
        assert counted[0].dead == dead
        for layer, other in zip(counted, expected, strict=True):
            assert (layer.name, layer.dead) == (other.name, other.dead)
            assert layer.zeros == pytest.approx(other.zeros, abs=1e-3)
    assert DeadUnitCounter(network, ())(images).layers == []


def test_plateau(plateau: tuple[Run, str]) -> None:
    """It is reported once, with what to do."""
    run, output = plateau
    assert output.count("warning: C17") == 1
    assert "stays at" in output
    assert "zoo check" in output
    assert checks(run)["C17"]["verdict"] == "WARN"


@pytest.mark.parametrize("word", ["warned", "losses"])
def test_state_goes_along(plateau: tuple[Run, str], word: str) -> None:
    """A resumed run does not warn again, and its curve is whole."""
    state = checkpoint.newest(plateau[0])
    assert state is not None
    assert dict(state[0]["callbacks"])["LiveChecks"][word]


def test_dead_units(tmp_path: Path) -> None:
    bias = "model.defaults={batch_norm: none, bias_initializer: {Constant: -1000}}"
    _, output = watched(tmp_path, bias, "train.abort_above=none")
    assert output.count("warning: C09") == 1
    assert "dead" in output


def test_large_steps(tmp_path: Path) -> None:
    none = "model.defaults.batch_norm=none"
    _, output = watched(
        tmp_path, none, "train.optimizer={SGD: {learning_rate: 30, global_clipnorm: 1.0}}",
        "train.abort_above=none",
    )  # fmt: skip
    assert "warning: C15" in output


@pytest.mark.backend
@pytest.mark.parametrize("place", ["dead units", "gap"])
def test_a_fault_of_the_watch_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A fault at the end of an epoch, and images that cannot be read at the end of the training."""

    def broken(*_: Any) -> Any:
        raise ValueError("oh")

    if place == "gap":
        monkeypatch.setattr(gap, "Subset", type("Subset", (Subset,), {"images": broken}))
    else:
        monkeypatch.setattr(live_checks.LiveChecks, "_count_dead_units", broken)
    output = io.StringIO()
    settings = Settings(console=Console(file=output, width=200))
    run = train(tiny(tmp_path), tmp_path / "runs", settings)
    assert run.info()["status"] == "done"
    assert output.getvalue().count("the watch stopped (ValueError: oh)") == 1
