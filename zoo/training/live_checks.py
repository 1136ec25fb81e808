"""The checks that run while training does: the judges of `zoo.checks.judge`, each warning once.

They look seldom, to cost little: at the size of updates in one step an epoch; at dead units after
the epochs 1, 2, 4, 8 and so on; at the gap between training and validation once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from statistics import median
from typing import Any

import keras
import numpy as np

from zoo import optimize
from zoo.batches import Batches
from zoo.checks.judge import Finding, Verdict, curves, signals, updates, worst_verdict
from zoo.checks.judge.chance import balanced_guessing_bound, guessing_bound
from zoo.checks.judge.finding import finding
from zoo.checks.judge.overfit import smoothing_floor
from zoo.checks.judge.reconcile import reconcile
from zoo.class_weights import weighted_shares
from zoo.datasets.splits import Splits
from zoo.entropy import constant_loss
from zoo.errors import StorageFault
from zoo.labels import class_counts
from zoo.plan import Layer, graph
from zoo.recipe import Recipe
from zoo.recipe.words import MIXING
from zoo.rundir import Run
from zoo.training import components, gap
from zoo.training.dead_units import DeadUnitCounter
from zoo.training.observers import Observer, StepCounter
from zoo.training.update_ratio import UpdateRatios

JUDGED_AT_END = ("C18", "C19")
DEAD_UNIT_IMAGES = 256
LOSSES_KEPT = 4096  # Losses of single steps; then every second one goes.
PLATEAU_SHARE, PLATEAU_STEPS = 0.1, 100  # Of the training: before that there is no plateau.
LEARNED_LOSS = 0.05  # Times the loss of uniform predictions: little is left to learn.
# Updates are judged from so many steps on, and at this share of the peak learning rate or more.
UPDATES_FROM, UPDATES_PEAK_SHARE = 50, 0.3
BAD = (Verdict.WARN, Verdict.FAIL)


class LiveChecks(Observer):
    """Warns of what goes wrong while it does, and writes checks.json at the end.

    They never change the training: variables that a measurement changes are restored. A fault of
    the checks themselves ends the checks, not the training.

    Args:
        run: its checks.json is written.
        recipe: resolved.
        layers: of the network's plan.
        data: training images are looked at.
        batches: training batches.
        on_finding: takes a line for the user.
        loaded: names of the layers that started with trained weights.

    Attributes:
        validation: what validates the model during the training, once it is made.
    """

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        layers: Sequence[Layer],
        data: Splits,
        batches: Batches,
        on_finding: Callable[[str], None],
        loaded: Collection[str] = (),
    ) -> None:
        self.run = run
        self.recipe = recipe
        self.layers = layers
        self.data = data
        self.batches = batches
        self.uniform_loss = components.weighted_uniform_loss(recipe, data, batches)
        self.on_finding = on_finding
        self.loaded = loaded
        self.validation: Any = None
        self.findings: dict[str, Finding] = {}
        self.warned: list[str] = []
        self.losses: list[float] = []
        self.stride = 1
        self.val_losses: list[float] = []
        self.broken = False
        self.updates = UpdateRatios(self._next_measured)
        self._dead_units: DeadUnitCounter | None = None
        rng = np.random.default_rng(recipe.seed)
        self._images = np.sort(rng.permutation(len(data.train))[:DEAD_UNIT_IMAGES])

    @property
    def update_ratio(self) -> float | None:
        """The median over kernels of |change| / |kernel|, in the epoch's step that was measured."""
        ratios = self._ratios()
        return median(ratios.values()) if ratios else None

    def _ratios(self) -> dict[str, float]:
        return {path: values[-1] for path, values in self.updates.ratios.items()}

    def attach(self, model: keras.Model, counter: StepCounter) -> None:
        """Hands over the model and the counter."""
        super().attach(model, counter)
        self.updates.attach(model, counter)

    def _next_measured(self, step: int) -> int:
        """The first step at or after `step` whose update is measured.

        In each epoch that is the first step of its second half that updates the weights; with
        accumulated gradients not every step does.
        """
        steps = self.counter.steps_per_epoch
        every = self.recipe.train.gradient_accumulation_steps or 1
        epoch = step // steps
        while True:
            half = epoch * steps + steps // 2
            measured = half + (every - 1 - half) % every
            if step <= measured < (epoch + 1) * steps:
                return measured
            epoch += 1

    def next_stop(self, step: int) -> int:
        """Before and after the measured step."""
        return self.updates.next_stop(step)

    def after_stop(self) -> None:
        """Copies the kernels before the measured step."""
        self.updates.after_stop()

    def on_epoch_begin(self, epoch: int) -> None:
        """Clears the last epoch's ratios; a resumed epoch keeps its own."""
        if self.counter.at_epoch_end:
            self.updates.ratios = {}

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        """Keeps the losses, of long trainings every second, fourth, ... one."""
        for step, loss in enumerate(losses, first):
            if step % self.stride == 0:
                self.losses.append(loss / self.batches.relative_weight(step))
                if len(self.losses) > LOSSES_KEPT:
                    self.losses, self.stride = self.losses[::2], 2 * self.stride
        self.updates.on_steps(first, last, losses)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Judges the plateau, the updates and, after the epochs 1, 2, 4, 8, ..., dead units."""
        self._run_guarded(lambda: self._after_epoch(epoch, logs))

    def _run_guarded(self, judge: Callable[[], None]) -> None:
        """Runs a check; its failure must not end a training that may have run for days."""
        if self.broken:
            return
        try:
            judge()
        except StorageFault as error:
            self.broken = True
            self.on_finding(f"warning: {error} Training goes on, without the live checks.")
        except Exception as error:
            self.broken = True
            self.on_finding(
                f"warning: the watch stopped ({type(error).__name__}: {error}); training goes on. "
                "This is a fault of zoo: please report it."
            )

    def _after_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        self.val_losses.append(logs.get("val_loss", float("nan")))
        self._plateau(logs)
        # Where the rate is low on purpose, updates are small and right so.
        peak = float(self.recipe.train.optimizer.options.learning_rate)
        learned = logs["loss"] < LEARNED_LOSS * self.uniform_loss
        near_peak = self.updates.learning_rate >= UPDATES_PEAK_SHARE * peak
        if self.updates.ratios and self.counter.step >= UPDATES_FROM and near_peak and not learned:
            self._note(updates.judge_update_ratio(self._update_ratios()))
        epochs = epoch + 1
        if epochs & (epochs - 1) == 0:
            self._note(signals.judge_dead_units(self._count_dead_units()))

    def _note(self, new: Finding) -> None:
        """Keeps the worst finding of a check; tells of a bad one once."""
        new = self._reconciled(new)
        known = self.findings.get(new.id)
        if known is None or new.verdict >= known.verdict or known.verdict not in BAD:
            self.findings[new.id] = new
        if new.verdict in BAD and new.id not in self.warned:
            self.warned.append(new.id)
            self.on_finding(
                f"warning: {new.id} {new.name}, epoch {self.counter.epoch}: {new.advice}"
            )

    def _reconciled(self, new: Finding) -> Finding:
        """The finding without advice that is contrary to what the user was told before."""
        told = [each for each in self.findings.values() if each.id in self.warned]
        others = [each for each in told if each.id != new.id and each.verdict >= new.verdict]
        return reconcile([*others, new])[-1]

    def _plateau(self, logs: dict[str, float]) -> None:
        """C17: the loss stays at that of uniform predictions, and answers are guesses."""
        if self.counter.step < max(PLATEAU_SHARE * self.counter.steps, PLATEAU_STEPS):
            return
        labels, classes = np.asarray(self.data.train.labels), len(self.data.class_names)
        share = float(weighted_shares(None, labels, classes).max())
        chance = guessing_bound(share, len(labels))
        accuracy = logs["accuracy"]
        if self.batches.class_weights is not None and not self.data.multi_label:
            # What a weighted loss teaches may be wrong more often, but not about some class alone.
            validation_labels = np.asarray(self.data.validation.labels)
            counts_of_validation = class_counts(validation_labels, classes).tolist()
            chance = balanced_guessing_bound(counts_of_validation)
            accuracy = logs.get("val_balanced_accuracy", accuracy)
        self._note(
            curves.judge_plateau(
                curves.LossPlateau(
                    loss=logs["loss"],
                    accuracy=accuracy,
                    guessing_loss=self._guessing_loss(labels),
                    chance=chance,
                )
            )
        )

    def _guessing_loss(self, labels: np.ndarray) -> float:
        """The least loss of one answer for every image."""
        loss, weights = self.recipe.train.loss, self.batches.class_weights
        constant = constant_loss(loss, labels, weights, len(self.data.class_names))
        return min(self.uniform_loss, constant)

    def _update_ratios(self) -> updates.UpdateRatio:
        normed, tuned = (
            graph.scale_invariant(self.layers),
            graph.fine_tuned(self.layers, self.loaded),
        )
        rate = self.updates.learning_rate
        equilibrium = optimize.equilibrium(self.recipe.train.optimizer, rate)
        return updates.UpdateRatio(
            layers=[
                updates.KernelUpdate(
                    path=path,
                    ratio=ratio,
                    equilibrium=equilibrium,
                    scale_invariant=path.partition("/")[0] in normed,
                    trained=path.partition("/")[0] in self.loaded or path.startswith(tuned),
                )
                for path, ratio in self._ratios().items()
            ],
            learning_rate=rate,
        )

    def _count_dead_units(self) -> signals.DeadUnits:
        if self._dead_units is None:
            self._dead_units = DeadUnitCounter(self.model, self.layers)
        return self._dead_units(self.data.train.images(self._images))

    def on_train_end(self) -> None:
        """Judges the whole curve, and the gap between training and validation."""
        self._run_guarded(self._judge_shape)
        self._run_guarded(self._judge_gap)

    def diverged(self, reason: str) -> None:
        """Notes that the run ended because its loss diverged."""
        required = "the loss stays finite, and below a multiple of the first"
        self.findings["C17"] = finding("C17", Verdict.FAIL, None, required, reason)

    def close(self) -> None:
        """Writes the findings into checks.json, however the training ended."""
        self._run_guarded(self._write)

    def _write(self) -> None:
        findings = reconcile(sorted(self.findings.values(), key=lambda each: each.id))
        self.run.write_checks(
            {
                "verdict": worst_verdict(findings).value,
                "findings": [each.as_json() for each in findings],
            }
        )

    def _judge_shape(self) -> None:
        """C18: the shape of the loss curve."""
        if any(step.word in MIXING for step in self.recipe.data.augment) or not self.losses:
            return  # Mixed labels keep the loss up, by how much nobody knows.
        loss = self.recipe.train.loss
        smoothing = getattr(loss.options, "label_smoothing", 0.0)
        if getattr(loss.options, "gamma", 0.0):
            smoothing = 0.0  # The focal loss has another floor.
        answers = 2 if loss.word == "sigmoid" else len(self.data.class_names)
        floor = smoothing_floor(answers, smoothing)
        self._note(
            curves.judge_curve_shape(
                curves.CurveShape(
                    losses=[loss - floor for loss in self.losses],
                    steps_per_epoch=max(self.counter.steps_per_epoch // self.stride, 1),
                    initial=max(self.losses[0] or self.uniform_loss, self.uniform_loss) - floor,
                )
            )
        )

    def _judge_gap(self) -> None:
        """C19: clean accuracies of training and validation images."""
        losses = [loss for loss in self.val_losses if np.isfinite(loss)]
        measured = gap.measure(self.model, self.data, self.recipe.seed, losses, self.validation)
        self._note(curves.judge_gap(measured))

    def get_state(self) -> dict[str, Any]:
        """All but what is judged at the end: a resumed run judges it there again."""
        return {
            "warned": [name for name in self.warned if name not in JUDGED_AT_END],
            "losses": self.losses,
            "stride": self.stride,
            "ratios": self._ratios(),
            "rate": self.updates.learning_rate,
            "findings": [
                each.as_json() for each in self.findings.values() if each.id not in JUDGED_AT_END
            ],
            "val_losses": [loss if np.isfinite(loss) else None for loss in self.val_losses],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state returned by `get_state`."""
        self.warned, self.losses = state["warned"], state["losses"]
        self.stride = state["stride"]
        self.updates.ratios = {path: [ratio] for path, ratio in state["ratios"].items()}
        self.updates.learning_rate = state["rate"]
        for entry in state["findings"]:
            self.findings[entry["id"]] = Finding.from_json(entry)
        self.val_losses = [float("nan") if v is None else v for v in state["val_losses"]]
