"""One process's trials: those of whole trainings, and none the heir of those before it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runs import tiny, weights
from tuning.hyperparameter_variables import signature
from tuning.pruning import Limit, rungs
from tuning.trial_trainer import TrialTrainer
from tuning.trials import TrialResult, TrialSpec
from zoo import backend
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.load import load as load_data
from zoo.datasets.splits import Splits
from zoo.errors import DataError, Problem
from zoo.evaluate import evaluate
from zoo.plan import plan
from zoo.recipe import Recipe, words
from zoo.recipe.backbone import WEIGHTS_PATH
from zoo.rundir import Run
from zoo.training import Settings, train
from zoo.training.components import training_batches

UNWATCHED = Settings(watch=False)  # A watch changes nothing: tests/training/test_live_checks.py.
SGD = "train.optimizer={SGD: {learning_rate: 0.1, momentum: 0.9, weight_decay: 1e-3}}"
NO_NORM = "model.defaults.batch_norm=none"
# Learning rate, weight decay, momentum, dropout and a penalty, each above 0: all are knobs.
KNOBS = [
    SGD,
    "train.epochs=1",
    "model.defaults.kernel_regularizer={l2: 1e-3}",
    "train.schedule={one_cycle: {warmup_epochs: 0.5}}",
]
RATE = "train.optimizer.SGD.learning_rate"
CHANGES = [
    f"{RATE}=0.02",
    "train.optimizer.SGD.weight_decay=0.5",
    "train.optimizer.SGD.momentum=0.3",
    "model.stack[0].conv.dropout=0.6",
    "model.defaults.kernel_regularizer={l2: 0.3}",
    "seed=4",
]


def steps_of(recipe: Recipe, data: Splits) -> int:
    """Steps of a recipe's whole training."""
    return recipe.train.epochs * training_batches(recipe, data).steps_per_epoch


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return load_data(tiny(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def bench(data: Splits) -> TrialTrainer:
    """One for many tests: what ran before in it must not matter to any."""
    backend.prepare(deterministic=True, seed=3)  # As a worker does.
    return TrialTrainer(data)


def network(bench: TrialTrainer, recipe: Recipe) -> Any:
    """The compiled network that a recipe trains on."""
    return bench.network(recipe, plan(recipe, 10))


def ran(bench: TrialTrainer, recipe: Recipe, **more: Any) -> TrialResult:
    spec = TrialSpec(
        trial="t-000", stage="t", index=0, values={}, seed=recipe.seed, epochs=None, **more
    )
    return bench.run(spec, recipe)


def best_weights(bench: TrialTrainer) -> list[np.ndarray]:
    """Weights of the last trial's best epoch."""
    assert bench._last is not None
    return bench._last.weights


def numbers(result: TrialResult) -> list[dict[str, Any]]:
    return [{key: row[key] for key in ("loss", "val_loss", "val_accuracy")} for row in result.curve]


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(
            [SGD, "train.optimizer.SGD.nesterov=true", *KNOBS[2:], "train.epochs=2"],
            id="SGD one_cycle l2 dropout",
        ),
        pytest.param(
            ["train.optimizer.Adam.weight_decay=0.1", "train.ema=0.9",
             "data.augment=[random_flip, {cutout: 2}]", "train.loss={softmax: 0.1}",
             "train.schedule={reduce_on_plateau: {patience: 1, min_delta: 1, factor: 0.5}}"],
            id="Adam plateau ema cutout",
        ),
        pytest.param(
            ["train.optimizer={TorchSGD: {learning_rate: 0.2, momentum: 0.8, weight_decay: 1e-2}}",
             "train.schedule={cosine: {warmup_epochs: 0.4}}",
             "train.lookahead={every: 2}", "train.batch_norm_batches=3",
             "train.gradient_accumulation_steps=2", "model.head.bias_initializer=class_priors",
             "train.learning_rate_factors=[{pattern: bias, factor: 8, until_epoch: 1, "
             "linear_fall: true, weight_decay: 0.1}]"],
            id="TorchSGD cosine lookahead norm accumulation",
        ),
        pytest.param(
            [SGD, KNOBS[3], "train.lookahead={every: 2}", "train.batch_norm_batches=2",
             "model.weights={from: TRAINED, exclude: [logits], freeze: [conv1], "
             "unfreeze_at_epoch: 2}"],
            id="frozen until epoch 2",
        ),
    ],
)  # fmt: skip
def test_a_trial_is_a_training(
    bench: TrialTrainer, trained: Run, tmp_path: Path, overrides: list[str]
) -> None:
    """Among others that ran before it, the numbers of `zoo train`."""
    overrides = [override.replace("TRAINED", str(trained)) for override in overrides]
    recipe = tiny(tmp_path, *overrides)
    word = recipe.train.optimizer.word
    ran(bench, tiny(tmp_path, *overrides, f"train.optimizer.{word}.learning_rate=0.03", "seed=9"))
    built = bench.built
    result = ran(bench, recipe)
    assert bench.built == built + 1, "the start of another seed, and no other network"
    rows = train(recipe, tmp_path / "runs", UNWATCHED).rows()
    assert (result.status, result.epochs, result.steps) == ("done", 2, rows[-1]["step"])
    for found, row in zip(result.curve, rows, strict=True):
        for key in ("step", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
            assert found[key] == pytest.approx(row[key], abs=1e-5, rel=1e-5), key
    best = max(rows, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    assert result.score == pytest.approx(best["val_accuracy"], abs=1e-6)
    assert result.best_epoch == best["epoch"]


@pytest.mark.slow
@pytest.mark.parametrize("word", sorted(words.OPTIMIZERS))
def test_every_optimizer_has_its_knobs(bench: TrialTrainer, tmp_path: Path, word: str) -> None:
    """Rate, decay and, where it has one, momentum are those of the trial, not of one before it."""
    momentum = "momentum" in words.OPTIMIZERS[word].options
    made = {
        number: tiny(
            tmp_path, "data.augment=[]", "model.stack=[{fc: {units: 4}}]", "train.epochs=1",
            f"train.optimizer={{{word}: {{learning_rate: {0.01 * number}, "
            f"weight_decay: {0.3 * number}" + f", momentum: {0.4 * number}" * momentum + "}}",
        )
        for number in (1, 2)
    }  # fmt: skip
    ran(bench, made[2])
    built = bench.built
    (found,) = ran(bench, made[1]).curve
    assert bench.built == built
    (row,) = train(made[1], tmp_path / "runs", UNWATCHED).rows()
    for key in ("loss", "val_loss", "val_accuracy"):
        assert found[key] == pytest.approx(row[key], abs=1e-5, rel=1e-5), key


def test_a_whole_training_stops_as_early_as_its_run(bench: TrialTrainer, tmp_path: Path) -> None:
    """What is confirmed is what `zoo train` gives."""
    recipe = tiny(
        tmp_path, SGD, "train.epochs=5", "train.early_stopping={patience: 1, min_delta: 0.9}"
    )
    rows = train(recipe, tmp_path / "runs", UNWATCHED).rows()
    found = ran(bench, recipe)
    assert found.epochs == len(found.curve) == len(rows) < 5
    assert found.curve[-1]["val_loss"] == pytest.approx(rows[-1]["val_loss"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stages, rates",
    [
        pytest.param(
            "{dropout: RATE}, {spatial_dropout: RATE}, {alpha_dropout: RATE}", (0.1, 0.5), id="drop"
        ),
        pytest.param(
            "{separable_conv: {filters: 4, kernel_regularizer: {l2: RATE, l1: RATE}}}, "
            "{residual: {stack: [{conv: {filters: 4, dropout: RATE}}]}}, "
            "{residual: {stochastic_depth: {rate: RATE, growth: linear}, stack: [{conv: 4}]}}",
            (0.05, 0.5),
            id="penalty, and in a block",
        ),
    ],
)
def test_every_number_of_a_network_is_a_knob(
    bench: TrialTrainer, tmp_path: Path, stages: str, rates: tuple[float, float]
) -> None:
    made = [
        tiny(tmp_path, "data.augment=[]", "train.epochs=1",
             f"model.stack=[{{conv: 4}}, {stages.replace('RATE', str(rate))}, {{fc: 8}}]")
        for rate in rates
    ]  # fmt: skip
    ran(bench, made[1])
    built = bench.built
    (found,) = numbers(ran(bench, made[0]))
    assert bench.built == built
    (row,) = train(made[0], tmp_path / "runs", UNWATCHED).rows()
    assert found == pytest.approx({key: row[key] for key in found}, abs=1e-5, rel=1e-5)


def test_weights_that_do_not_fit_fail_the_trial(
    bench: TrialTrainer, trained: Run, tmp_path: Path
) -> None:
    """Another trial's network may have the shapes of the weights."""
    start = f"model.weights={{from: {trained}, exclude: [logits]}}"
    result = ran(bench, tiny(tmp_path, start, "model.stack[0].conv.filters=5"))
    assert result.status == "failed"
    assert "conv1: weights of 3 x 3 x 1 x 5 here, of 3 x 3 x 1 x 4 there" in str(result.reason)
    lost = tiny(tmp_path, f"model.weights={{from: {tmp_path / 'lost.keras'}}}")
    assert "model.weights.from: does not exist" in str(ran(bench, lost).reason)
    other = tiny(tmp_path, start, "data.preprocess=scale01")
    assert "data.preprocess: scale01; the weights were" in str(ran(bench, other).reason)


def test_weights_of_a_backbone_that_are_missing_fail_the_trial(
    bench: TrialTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read where a network gets its first weights; the next trial trains."""
    recipe = tiny(tmp_path, "seed=77", "train.epochs=1")

    def missing(*_: object) -> None:
        raise DataError("", [Problem(path=WEIGHTS_PATH, message="there is no such file.")])

    with monkeypatch.context() as patch:
        patch.setattr("zoo.model.backbone_weights.assign", missing)
        result = ran(bench, recipe)
    assert result.status == "failed"
    assert result.reason == f"{WEIGHTS_PATH}: there is no such file."
    assert ran(bench, recipe).status == "done"


def test_what_ran_before_makes_no_difference(data: Splits, tmp_path: Path) -> None:
    """To the last bit, after other rates, decays, momenta, dropout, penalties and seeds."""
    recipe = tiny(tmp_path, *KNOBS)
    bench = TrialTrainer(data)
    fresh = ran(bench, recipe)
    kept = [value.copy() for value in best_weights(bench)]
    first = bench.built
    for change in CHANGES:
        other = ran(bench, tiny(tmp_path, *KNOBS, change))
        assert numbers(other) != numbers(fresh), f"{change} does not reach the training"
    assert bench.built == first + 1, "only the start of another seed is built"
    again = ran(bench, recipe)
    assert numbers(again) == numbers(fresh)
    assert all(np.array_equal(one, two) for one, two in zip(best_weights(bench), kept, strict=True))
    assert bench.built == first + 1


@pytest.mark.parametrize(
    "change",
    [
        "model.stack[0].conv.filters=5",
        "train.batch_size=300",
        "model.defaults.activation=tanh",
        "model.stack[1].fc.dropout=0.2",
        "train.optimizer.SGD.momentum=0",
    ],
)
def test_another_network_is_built(bench: TrialTrainer, tmp_path: Path, change: str) -> None:
    overrides = [SGD, "train.epochs=1"]
    one, other = (
        network(bench, tiny(tmp_path, *more)) for more in (overrides, [*overrides, change])
    )
    assert one is not other
    assert network(bench, tiny(tmp_path, *overrides, f"{RATE}=0.5", "seed=8")) is one


def test_diverged_is_a_result(bench: TrialTrainer, tmp_path: Path) -> None:
    calm = tiny(tmp_path, SGD, NO_NORM)
    before = numbers(ran(bench, calm))
    lost = ran(bench, tiny(tmp_path, SGD, NO_NORM, f"{RATE}=1e6"))
    assert (lost.status, lost.score, lost.best_epoch) == ("diverged", None, None)
    assert lost.reason is not None
    said = re.fullmatch(
        r"diverged at step (\d+) \(epoch 1, learning rate 1e\+06\): the .*loss.*", lost.reason
    )
    assert said is not None, lost.reason
    assert "ower" not in lost.reason, "advice for a single run"
    # A loss is looked at a step later, when it is there without waiting.
    assert int(said[1]) in (lost.steps, lost.steps - 1)
    assert lost.steps < steps_of(calm, bench.data)
    assert numbers(ran(bench, calm)) == before
    json.dumps(lost.curve, allow_nan=False)


def test_what_memory_cannot_hold_fails_before_it_is_built(
    bench: TrialTrainer, tmp_path: Path
) -> None:
    built = bench.built
    result = ran(bench, tiny(tmp_path, "model.stack=[{fc: 1000000}, {fc: 1000000}]"))
    assert (result.status, result.score, result.epochs) == ("failed", None, 0)
    assert "fc2 alone has 1,000,000,000,000 weights" in result.reason
    assert bench.built == built


def test_a_trial_that_takes_too_long_is_stopped(bench: TrialTrainer, tmp_path: Path) -> None:
    """At the first stop after its time; steps between two stops are made."""
    recipe = tiny(tmp_path, SGD, "train.epochs=9")
    result = ran(bench, recipe, seconds=0.0)
    assert (result.status, result.score, result.epochs) == ("timeout", None, 0)
    assert result.reason == f"over 0 minutes after step {result.steps}"


@pytest.mark.parametrize("objective", ["val_accuracy", "val_loss", "val_balanced_accuracy"])
def test_left_behind_by_others(bench: TrialTrainer, tmp_path: Path, objective: str) -> None:
    recipe = tiny(tmp_path, SGD, f"train.monitor={objective}")  # As `TrialSpec.recipe` does.
    steps = rungs("median", steps_of(recipe, bench.data))
    alone = ran(bench, recipe, objective=objective, rule="median")
    assert (alone.status, list(alone.rungs)) == ("done", steps)
    better = -0.01 if objective == "val_loss" else 1.0
    limit = Limit(score=better, rivals=5)
    lost = ran(
        bench, recipe, objective=objective, rule="median", limits=dict.fromkeys(steps, limit)
    )
    assert (lost.status, lost.steps) == ("pruned", steps[0])
    assert lost.rungs == {steps[0]: alone.rungs[steps[0]]}
    assert lost.score == alone.rungs[steps[0]]
    assert lost.reason is not None
    assert lost.reason.startswith(f"at step {steps[0]} of {steps_of(recipe, bench.data)} ")
    # In the second epoch, its score is that of the first.
    late = ran(bench, recipe, objective=objective, rule="median", limits={steps[-1]: limit})
    assert (late.status, late.steps, late.epochs) == ("pruned", steps[-1], 1)
    sign = -1 if objective == "val_loss" else 1
    assert late.score == sign * alone.curve[0][objective]


def test_to_look_at_a_trial_changes_nothing(bench: TrialTrainer, tmp_path: Path) -> None:
    recipe = tiny(tmp_path, SGD)
    assert numbers(ran(bench, recipe, rule="median")) == numbers(ran(bench, recipe))


def test_best_of_the_loss_is_another_epoch(bench: TrialTrainer, tmp_path: Path) -> None:
    recipe = tiny(tmp_path, SGD, "train.epochs=4", "train.monitor=val_loss")
    result = ran(bench, recipe, objective="val_loss")
    losses = [row["val_loss"] for row in result.curve]
    assert result.score == -min(losses)
    assert result.best_epoch == losses.index(min(losses)) + 1


def test_a_kept_trial_is_a_run(bench: TrialTrainer, tmp_path: Path) -> None:
    """Its model is that of its best epoch, with plain numbers in it, and trials go on after it."""
    recipe = tiny(
        tmp_path, KNOBS[2], "train.optimizer.Adam.weight_decay=1e-3", "train.epochs=3",
        "train.abort_above=none", "data.augment=[]",
        "train.schedule={step: {at_epochs: [1], factor: 1000}}",
    )  # fmt: skip
    result = ran(bench, recipe)
    assert result.best_epoch == 1
    run = Run.at(tmp_path / "trial")
    bench.keep(run)
    trained = TrainedRun(run)
    assert evaluate(trained, "validation")["accuracy"] == pytest.approx(result.score, abs=1e-6)
    assert run.rows() == result.curve
    info = run.info()
    assert (info["status"], info["best_epoch"], info["epochs"]) == ("done", 1, 3)
    assert result.never_predicted == info["never_predicted"]
    kept = weights(trained.model)
    whole = train(recipe, tmp_path / "runs", UNWATCHED)
    expected = weights(TrainedRun(whole).model)
    assert kept.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_allclose(kept[path], value, atol=1e-5, err_msg=path)
    assert whole.info()["recipe_hash"] == info["recipe_hash"]
    own = {"images_per_second", "stopped_early", "compile_seconds", "first_step_seconds"}
    assert whole.info().keys() - info.keys() <= own
    assert numbers(ran(bench, recipe)) == numbers(result)


class Forbidden:
    """A test split that must not be looked at."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a search read {name} of the test split")

    def __len__(self) -> int:
        raise AssertionError("a search counted the test split")


def test_the_test_split_is_never_read(data: Splits, tmp_path: Path) -> None:
    forbidden: Any = Forbidden()
    bench = TrialTrainer(replace(data, test=forbidden))
    result = ran(bench, tiny(tmp_path, SGD), rule="median")
    assert result.status == "done"
    bench.keep(Run.at(tmp_path / "trial"))


def test_no_trial_no_run(data: Splits, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no trial to keep"):
        TrialTrainer(data).keep(Run.at(tmp_path / "trial"))


def test_one_network_for_all_epochs_that_unfreeze_a_backbone(tmp_path: Path) -> None:
    """One that trains from the first epoch on is traced in another state."""
    recipes = [
        tiny(
            tmp_path,
            f"model.stack=[{{backbone: {{name: MobileNetV2, weights: none, {key}}}}}]",
            "data.image_size=32",
        )
        for key in ("unfreeze_at_epoch: 2", "unfreeze_at_epoch: 3", "trainable: true")
    ]
    first, second, never_frozen = map(signature, recipes)
    assert first == second != never_frozen


def test_few_networks_are_held(bench: TrialTrainer, tmp_path: Path) -> None:
    recipes = [tiny(tmp_path, f"model.stack[0].conv.filters={filters}") for filters in (2, 3, 6, 7)]
    for recipe in recipes:
        network(bench, recipe)
    assert list(bench._networks) == [signature(recipe) for recipe in recipes[1:]]


def test_where_the_images_are_is_decided_once(
    data: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The images take memory themselves, which a later network must not miss."""
    recipe, trainer = tiny(tmp_path), TrialTrainer(data)
    assert not trainer.loop(recipe).streams
    monkeypatch.setattr("zoo.training.loop.choose.free_memory", lambda: 0)
    assert not trainer.loop(recipe).streams
    assert not trainer.images.train.streamed
    assert trainer.loop(tiny(tmp_path, "train.loop=host")).loop == "host"
    other = TrialTrainer(data)
    assert other.loop(recipe).streams
    assert other.images.train.streamed
