"""The device loop makes the same steps as the host loop, however it is cut into calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.callbacks import Callback

from tests.runs import RAGGED, tiny
from zoo import backend
from zoo.batches import EvaluationBatches
from zoo.datasets.load import load
from zoo.datasets.normalise import normalisation
from zoo.errors import Diverged
from zoo.plan import plan
from zoo.rundir import Run
from zoo.training import Settings, checkpoint, components, train
from zoo.training.fit_callbacks import FitCallbacks, StepLosses
from zoo.training.loop import device_loop as module
from zoo.training.loop import device_validation, draws, programs
from zoo.training.loop.device_data import DeviceData
from zoo.training.observers import Observer, StepCounter

# Words of `train` and `data` that touch what a step does, several to a training.
TRAININGS = [
    RAGGED,
    ("train.gradient_accumulation_steps=2", "train.ema={}",
     "data.augment=[{random_flip: horizontal}, {random_rotation: 0.1}, {random_zoom: 0.1},"
     " {cutout: {size: 3, value: mean, inside: true}}]",
     "train.optimizer={MuonSGD: {learning_rate: 0.1, weight_decay: 1e-2}}",
     "train.learning_rate_factors=[{pattern: ^conv1, factor: 2, until_epoch: 1, "
     "linear_fall: true, weight_decay: 0.1}]"),
    ("train.dtype_policy=mixed_float16", "train.lookahead={every: 2}",
     "train.class_weight=balanced", "train.batch_norm_batches=2",
     "train.learning_rate_factors=[{pattern: ^conv1, factor: 2, until_epoch: 1}]"),
    ("data.augment=[{random_color_jitter: {brightness_factor: 0.1, contrast_factor: 0.1}},"
     " random_erasing, alternating_flip, cutmix, mixup]",
     "train.loss={softmax: {label_smoothing: 0.1}}",
     "train.optimizer={AdamW: {learning_rate: 1e-2, global_clipnorm: 1.0}}"),
]  # fmt: skip


@pytest.mark.parametrize("overrides", TRAININGS, ids=lambda overrides: "+".join(overrides)[:40])
def test_both_loops_train_the_same(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    """Up to the last bits, since compilers know more about a batch in a loop of their own."""
    runs, states = [], []
    for loop in ("host", "device"):
        run = train(tiny(tmp_path / loop, *overrides, f"train.loop={loop}"), tmp_path / loop)
        assert run.info()["loop"] == loop
        state = checkpoint.newest(run)
        assert state is not None
        runs.append(run)
        states.append(state[1])
    tolerance = 2e-2 if "float16" in str(overrides) else 1e-4
    for host, device in zip(*states, strict=True):
        np.testing.assert_allclose(
            device.astype(np.float64), host.astype(np.float64), rtol=tolerance, atol=tolerance
        )
    for host, device in zip(*(run.rows() for run in runs), strict=True):
        assert device["accuracy"] == pytest.approx(host["accuracy"], abs=2 / 1257)
        for key in ("loss", "val_loss", "learning_rate", "update_ratio"):
            assert device[key] == pytest.approx(host[key], rel=10 * tolerance), key


class Calls(Observer):
    """Stops after every so many steps; notes the losses and how many steps came at once."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.losses: list[float] = []
        self.counts: list[int] = []

    def next_stop(self, step: int) -> int:
        return (step // self.every + 1) * self.every

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        assert first == len(self.losses)
        assert last - first + 1 == len(losses)
        self.losses += losses
        self.counts.append(len(losses))


# On JAX: step by step, as on a CPU, and many steps in a program, as on a GPU.
DEVICES = ["cpu", "gpu"] if keras.backend.backend() == "jax" else ["cpu"]


@pytest.fixture(scope="module", params=DEVICES)
def fit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`fitting` with images that stay on the device."""
    return fitting(tmp_path_factory.mktemp("cuts"), request.param, streams=False)


@pytest.fixture(scope="module")
def streamed_fit(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`fitting` with images that are streamed."""
    return fitting(tmp_path_factory.mktemp("streams"), "gpu", streams=True)


def fitting(folder: Path, device: str, streams: bool) -> Any:
    """Trains one network for epochs of 51 steps on the device, from the same start each time."""
    recipe = tiny(folder, *RAGGED, "train.batch_size=25", "train.loop=device")
    data = load(recipe)
    scaling, planned = normalisation(recipe.data.preprocess, data.train), plan(recipe, 10)
    batches = components.training_batches(recipe, data)
    steps = batches.steps_per_epoch
    assert steps == 51  # The last batch has 7 images.
    model = components.compiled(recipe, planned, scaling, steps)
    components.create_metrics(model, batches(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs.backend, "on_gpu", lambda: device == "gpu")
        loop, validation = components.device_loop(model, data, DeviceData.of(data, streams))
    variables = [*model.variables, *model.optimizer.variables]
    start = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]

    def fit(
        *observers: Observer, epochs: int = 1, callbacks: Sequence[Callback] = ()
    ) -> list[bytes]:
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        counter = StepCounter(steps, epochs)
        told = FitCallbacks(observers, callbacks, model, counter, StepLosses(batches.size))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(programs.backend, "on_gpu", lambda: device == "gpu")
            components.fit(model, batches, validation, told, loop)
        assert counter.step == epochs * steps or model.stop_training
        return [keras.ops.convert_to_numpy(variable).tobytes() for variable in variables]

    fit.loop = loop  # type: ignore[attr-defined]
    return fit


@pytest.mark.backend
def test_any_cutting_gives_the_same_bits(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    require_same_bits(fit, monkeypatch)


@pytest.mark.backend
def test_any_cutting_of_a_stream_gives_the_same_bits(
    streamed_fit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_same_bits(streamed_fit, monkeypatch)


def require_same_bits(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By calls of 1, 7 and 50 steps, and an epoch that none of them divides."""
    monkeypatch.setattr(module, "SECONDS_PER_CALL", 1e6)
    monkeypatch.setattr(module, "FIRST_CALLS", (1000, 1000))
    ends, losses = [], []
    for every in (1, 7, 50):
        calls = Calls(every)
        ends.append(fit(calls, epochs=2))
        losses.append(calls.losses)
        of_epoch = len(calls.losses) // 2
        assert max(calls.counts) == every
        assert sum(calls.counts) == 2 * of_epoch
    assert ends[1] == ends[0]
    assert ends[2] == ends[0]
    assert losses[1] == losses[2] == losses[0]


@pytest.mark.backend
def test_draws_that_take_much_memory_are_made_by_the_step(
    fit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And give the same bits."""
    ends = fit()
    handed: list[int] = []

    def counted(program: Any, *arguments: Any) -> Any:
        handed.append(len(arguments[-1]))
        return run(program, *arguments)

    program_class = type(fit.loop._program)
    run = program_class.run
    monkeypatch.setattr(program_class, "run", counted)
    for most, expected in ((1, 1), (2000, 6)):  # A step draws 25 x (4 + 4 + 4) bytes.
        monkeypatch.setattr(draws, "MOST_BYTES", most)
        handed.clear()
        assert fit() == ends
        in_training = handed[:-1]  # The last one is the validation.
        assert max(in_training) == expected
        assert sum(in_training) == 51


@pytest.mark.backend
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="TensorFlow has no such state")
def test_keras_does_not_search_the_state(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look at each array after each step, in steps that the device is past already."""
    from keras.src.utils.tracking import Tracker

    looked_at: list[Any] = []
    track = Tracker.track

    def counted(tracker: Any, attribute: Any) -> Any:
        looked_at.append(attribute)
        return track(tracker, attribute)

    monkeypatch.setattr(Tracker, "track", counted)
    fit()
    assert not [each for each in looked_at if type(each).__name__ == "ArrayImpl"]
    assert len(looked_at) > 51  # Keras sets the state after each step.


def test_the_time_of_a_step_bounds_a_call(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second at most between two looks; here less than the time of one step."""
    monkeypatch.setattr(module, "SECONDS_PER_CALL", 1e-9)
    calls = Calls(1000)
    fit(calls)
    assert calls.counts[-1] == 1
    monkeypatch.setattr(module, "SECONDS_PER_CALL", 1e6)
    calls = Calls(1000)
    fit(calls)
    assert calls.counts[-1] > 1


class Change(Observer):
    """Halves the last kernel's gradient history after every fifth step, without a stop."""

    def __init__(self) -> None:
        self.at: list[int] = []
        self.stops: list[int] = []

    def next_change(self, step: int) -> int:
        return (step // 5 + 1) * 5

    def change(self) -> None:
        self.at.append(self.counter.step)
        kernel = self.model.trainable_variables[-2]
        kernel.assign(keras.ops.convert_to_tensor(kernel) * 0.5)

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        self.stops.append(last + 1)


@pytest.mark.backend
def test_a_change_needs_no_stop(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It happens after its step, and before the next, whether or not somebody looks there."""
    monkeypatch.setattr(module, "SECONDS_PER_CALL", 1e6)
    monkeypatch.setattr(module, "FIRST_CALLS", (1000, 1000))
    seldom = Change()
    ends = fit(seldom)
    assert seldom.at == list(range(5, 51, 5))
    assert seldom.stops == [51]
    monkeypatch.setattr(module, "FIRST_CALLS", (1, 1))
    monkeypatch.setattr(module, "SECONDS_PER_CALL", 1e-9)
    often = Change()
    assert fit(often) == ends
    assert often.at == seldom.at


@pytest.mark.backend
def test_divergence_names_its_step(tmp_path: Path) -> None:
    """The step whose loss it was, though the call went on for long."""
    recipe = tiny(tmp_path, "train.optimizer={SGD: {learning_rate: 1e9}}", "train.loop=device")
    with pytest.raises(Diverged) as device:
        train(recipe, tmp_path / "device")
    recipe = tiny(tmp_path, "train.optimizer={SGD: {learning_rate: 1e9}}", "train.loop=host")
    with pytest.raises(Diverged) as host:
        train(recipe, tmp_path / "host")
    named = [str(error.value).partition(": ")[2] for error in (device, host)]
    assert "at step" in named[0]
    assert named[0] == named[1]


class Stop(Observer):
    """Has another thread stop training, as it were, when the device is past the step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        self.patch = monkeypatch
        self.step = step

    def on_train_begin(self) -> None:
        seldom = FitCallbacks.on_train_batch_end

        def counted(callbacks: FitCallbacks, batch: int, logs: Any = None) -> None:
            if callbacks.counter.step + 1 == self.step:
                self.model.stop_training = True
            seldom(callbacks, batch, logs)

        self.patch.setattr(FitCallbacks, "on_train_batch_end", counted)


@pytest.mark.backend
def test_who_stops_training_stops_it_where_the_device_is(
    fit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps that the device has made by then are counted and their losses told."""
    monkeypatch.setattr(module, "SECONDS_PER_CALL", 1e6)
    monkeypatch.setattr(module, "FIRST_CALLS", (1000, 1000))
    change, calls = Change(), Calls(20)
    fit(Stop(monkeypatch, 23), change, calls, epochs=2)
    assert int(calls.model.optimizer.iterations) == calls.counter.step == 25
    assert calls.counts == [20, 5]
    assert change.at == [5, 10, 15, 20, 25]


class StopAtBegin(Callback):
    """Stops training before the first step of the second epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = epoch == 1


def test_a_callback_stops_before_an_epoch(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras makes one step after that, and so does the device."""
    monkeypatch.setattr(module, "SECONDS_PER_CALL", 1e6)
    calls = Calls(1000)
    fit(calls, epochs=2, callbacks=[StopAtBegin()])
    assert int(calls.model.optimizer.iterations) == calls.counter.step == 52
    assert len(calls.losses) == 52


class Iterations(Callback):
    """A user's callback that looks at the model before every step."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        backend.sync(self.model)
        self.seen.append(int(self.model.optimizer.iterations))


@pytest.mark.backend
def test_a_callback_comes_before_every_step(fit: Any) -> None:
    callback = Iterations()
    fit(callbacks=[callback])
    assert callback.seen == list(range(51))


class ValidationLosses(Callback):
    """A user's callback that looks at every batch of a validation."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(float(logs["loss"]))


@pytest.mark.backend
def test_a_callback_sees_every_batch_of_a_validation(
    fit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running means over the batches so far, as Keras's own."""
    monkeypatch.setattr(device_validation, "EVALUATION_BATCH_SIZE", 64)
    device, host = ValidationLosses(), ValidationLosses()
    fit(callbacks=[device])
    batches = EvaluationBatches(load(tiny(tmp_path)).validation, 64)
    device.model.evaluate(batches, callbacks=[host], verbose=0)
    assert len(set(host.losses)) == 3
    assert device.losses == pytest.approx(host.losses, rel=1e-5)


class Failing(Callback):
    """Fails inside of a validation."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        raise ValueError("as planned")


def test_after_an_error_the_model_is_kerass_own(fit: Any, tmp_path: Path) -> None:
    """It can be evaluated on other images."""
    callback = Failing()
    with pytest.raises(ValueError, match="as planned"):
        fit(callbacks=[callback])
    model, data = callback.model, load(tiny(tmp_path))
    values = {
        name: model.evaluate(EvaluationBatches(split), return_dict=True, verbose=0)
        for name, split in (("train", data.train), ("validation", data.validation))
    }
    assert values["train"]["loss"] != values["validation"]["loss"]
    logits = model.predict_on_batch(data.train.images(np.arange(len(data.train))))
    expected = np.mean(np.asarray(logits).argmax(axis=1) == data.train.labels)
    assert values["train"]["accuracy"] == pytest.approx(expected, abs=2 / 1257)


class Batches(Callback):
    """A user's callback that looks at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(float(logs["loss"]))


def test_a_callback_sees_every_step(tmp_path: Path) -> None:
    """Keras callbacks of the user's own get the logs of each step."""
    seen = {}
    for loop in ("host", "device"):
        callback = Batches()
        run = train(
            tiny(tmp_path, f"train.loop={loop}"), tmp_path / loop, Settings(callbacks=[callback])
        )
        assert isinstance(run, Run)
        seen[loop] = callback.losses
    assert len(seen["device"]) == 10
    assert np.array_equal(seen["device"], seen["host"])
