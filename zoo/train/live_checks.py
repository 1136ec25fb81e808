"""The watch while training runs: the checks' judgements, live, a line each and once.

What it costs is held down by looking seldom: the size of updates in one step an epoch, dead units
after the epochs 1, 2, 4, 8 and so on, the gap between training and validation once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import keras
import numpy as np

from zoo import optimize
from zoo.batches import EvaluationBatches
from zoo.check.judge import Finding, Verdict, curves, signals, updates, worst_verdict
from zoo.check.judge.chance import guessing_bound
from zoo.check.judge.finding import finding
from zoo.check.judge.overfit import smoothing_floor
from zoo.data.splits import Splits, Subset
from zoo.model import introspect
from zoo.plan import plan
from zoo.recipe import Recipe
from zoo.recipe.words import MIXING
from zoo.rundir import Run
from zoo.train.dead_units import DeadUnitCounter
from zoo.train.observers import DivergenceGuard, StepCounter

AT_THE_END = ("C18", "C19")
PROBES = 256
MEASURED = 5120  # Images of each split that the gap at the end is measured on: whole batches.
KEPT = 4096  # Losses of single steps kept; then every second one goes.
PLATEAU_FROM, PLATEAU_STEPS = 0.1, 100  # Share of the training, and steps, before it is one.
LEARNED = 0.05  # Of the loss of equal scores.
SETTLED, NEAR_PEAK = 50, 0.3  # Steps, and share of the peak rate, for updates to be judged.
BAD = (Verdict.WARN, Verdict.FAIL)


class LiveChecks(keras.callbacks.Callback):
    """Warns of what goes wrong while it does, and writes checks.json at the end.

    Nothing here changes the training: what a look moves is put back.

    Args:
        run: its checks.json is written.
        recipe: resolved.
        data: training images to look at.
        clock: comes before this one.
        watch: comes before this one; tells each step's loss.
        at_start: the loss of equal scores.
        say: takes a line for the user.
    """

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        data: Splits,
        clock: StepCounter,
        watch: DivergenceGuard,
        at_start: float,
        say: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.run = run
        self.recipe = recipe
        self.data = data
        self.clock = clock
        self.watch = watch
        self.at_start = at_start
        self.say = say
        self.layers = plan(recipe, len(data.class_names)).layers
        self.findings: dict[str, Finding] = {}
        self.warned: list[str] = []
        self.losses: list[float] = []
        self.stride = 1
        self.val_losses: list[float] = []
        self.ratios: dict[str, float] = {}
        self.broken = False
        self.rate = 0.0  # At the step that was looked at.
        self.before: dict[str, np.ndarray] = {}
        self.counter: DeadUnitCounter | None = None
        rng = np.random.default_rng(recipe.seed)
        self.chosen = np.sort(rng.permutation(len(data.train))[:PROBES])

    @property
    def update_ratio(self) -> float | None:
        """The median over kernels of |change| / |kernel| in the epoch's step that was looked at."""
        return median(self.ratios.values()) if self.ratios else None

    def _kernels(self) -> dict[str, np.ndarray]:
        sync = getattr(self.model, "jax_state_sync", None)
        if sync is not None:
            sync()  # JAX keeps the weights outside of the variables during an epoch.
        return {
            variable.path: keras.ops.convert_to_numpy(variable).copy()
            for variable in self.model.trainable_variables
            if variable.path.endswith("kernel")
        }

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # A resumed epoch goes on with what its state holds.
        if self.clock.step % self.clock.steps_per_epoch == 0:
            self.ratios = {}

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.clock.step == self._looked_at():
            self.before = self._kernels()

    def _looked_at(self) -> int:
        """The step of this epoch whose update is measured: the first with one from half on."""
        steps = self.clock.steps_per_epoch
        every = self.recipe.train.gradient_accumulation_steps or 1
        half = self.clock.step // steps * steps + steps // 2
        return half + (every - 1 - half) % every

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.watch.recent and (self.clock.step - 1) % self.stride == 0:
            self.losses.append(self.watch.recent[-1])
            if len(self.losses) > KEPT:
                self.losses, self.stride = self.losses[::2], 2 * self.stride
        if self.before:
            after, before = self._kernels(), self.before
            self.before = {}
            self.rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            self.ratios = {
                path: _length(after[path] - old) / length
                for path, old in before.items()
                if (length := updates.kernel_length(path, _length(old), old.shape[-1]))
            }

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._safely(lambda: self._after_epoch(epoch, logs))

    def _safely(self, look: Callable[[], None]) -> None:
        """Looks; what goes wrong here must not end a training that may have run for days."""
        if self.broken:
            return
        try:
            look()
        except Exception as error:
            self.broken = True
            self.say(
                f"warning: the watch stopped ({type(error).__name__}: {error}); training goes on. "
                "This is a fault of zoo: please report it."
            )

    def _after_epoch(self, epoch: int, logs: Any) -> None:
        logs = {key: float(value) for key, value in (logs or {}).items()}
        self.val_losses.append(logs.get("val_loss", float("nan")))
        self._plateau(logs)
        # Where the rate is low on purpose, updates are small and right so.
        peak = float(self.recipe.train.optimizer.options.learning_rate)
        learned = logs["loss"] < LEARNED * self.at_start  # There is nothing left to update for.
        judged = self.clock.step >= SETTLED and self.rate >= NEAR_PEAK * peak and not learned
        if self.ratios and judged:
            self._note(updates.judge_update_ratio(self._updates()))
        done = epoch + 1
        if done & (done - 1) == 0:
            self._note(signals.judge_dead_units(self._dead()))

    def _note(self, found: Finding) -> None:
        """Keeps the worst of a check; says what is bad, once."""
        known = self.findings.get(found.id)
        if known is None or found.verdict >= known.verdict or known.verdict not in BAD:
            self.findings[found.id] = found
        if found.verdict in BAD and found.id not in self.warned:
            self.warned.append(found.id)
            epoch = (self.clock.step - 1) // self.clock.steps_per_epoch + 1
            self.say(f"warning: {found.id} {found.name}, epoch {epoch}: {found.advice}")

    def _plateau(self, logs: dict[str, float]) -> None:
        """C17. The loss stays at that of equal scores, and answers are guesses."""
        step = self.clock.step
        planned = self.recipe.train.epochs * self.clock.steps_per_epoch
        if step < max(PLATEAU_FROM * planned, PLATEAU_STEPS):
            return
        counts = np.bincount(np.asarray(self.data.train.labels))
        bar = guessing_bound(float(counts.max() / counts.sum()), len(self.data.train))
        self._note(
            curves.judge_plateau(
                curves.LossPlateau(
                    loss=logs["loss"],
                    accuracy=logs["accuracy"],
                    at_start=self._blind(counts),
                    chance=bar,
                )
            )
        )

    def _blind(self, counts: np.ndarray) -> float:
        """The loss of an answer that knows the classes' shares and no image."""
        train = self.recipe.train
        if train.loss.word != "softmax" or train.class_weight is not None:
            return self.at_start
        shares = counts[counts > 0] / counts.sum()
        return min(self.at_start, float(-(shares * np.log(shares)).sum()))

    def _updates(self) -> updates.UpdateRatio:
        normed = {layer.name for layer in self.layers if layer.norm_follows}
        settled = optimize.equilibrium(self.recipe.train.optimizer, self.rate)
        return updates.UpdateRatio(
            layers=[
                updates.KernelUpdate(
                    path=path,
                    ratio=ratio,
                    equilibrium=settled,
                    scale_invariant=path.partition("/")[0] in normed,
                )
                for path, ratio in self.ratios.items()
            ],
            learning_rate=self.rate,
        )

    def _dead(self) -> signals.DeadUnits:
        if self.counter is None:
            self.counter = DeadUnitCounter(self.model, self.layers)
        return self.counter(self.data.train.images(self.chosen))

    def on_train_end(self, logs: Any = None) -> None:
        self._safely(self._shape)
        self._safely(self._gap)

    def diverged(self, reason: str) -> None:
        """Notes that the run ended for its loss."""
        wanted = "the loss stays finite, and below a multiple of the first"
        self.findings["C17"] = finding("C17", Verdict.FAIL, None, wanted, reason)

    def close(self) -> None:
        """Keeps what was found, however the training ended."""
        self._safely(self.write)

    def write(self) -> None:
        """Writes what was found so far into checks.json."""
        found = sorted(self.findings.values(), key=lambda one: one.id)
        self.run.write_checks(
            {"verdict": worst_verdict(found).value, "findings": [one.as_json() for one in found]}
        )

    def _shape(self) -> None:
        if any(step.word in MIXING for step in self.recipe.data.augment) or not self.losses:
            return  # Mixed labels keep the loss up, by how much nobody knows.
        smoothing = getattr(self.recipe.train.loss.options, "label_smoothing", 0.0)
        floor = smoothing_floor(len(self.data.class_names), smoothing)
        self._note(
            curves.judge_curve_shape(
                curves.CurveShape(
                    losses=[loss - floor for loss in self.losses],
                    steps_per_epoch=max(self.clock.steps_per_epoch // self.stride, 1),
                    initial=max(self.watch.first_loss or self.at_start, self.at_start) - floor,
                )
            )
        )

    def _gap(self) -> None:
        """Clean accuracies of training and validation images, of some thousands at most."""
        accuracies, counts = [], []
        for split in (self.data.train, self.data.validation):
            count = min(len(split), len(self.data.validation), MEASURED)
            rng = np.random.default_rng(self.recipe.seed)
            part = Subset(split, np.sort(rng.permutation(len(split))[:count]))
            # By the function of validation, in batches of its sizes: nothing new to compile.
            with introspect.untouched(self.model, self.model.metrics_variables):
                told = self.model.evaluate(EvaluationBatches(part), verbose=0, return_dict=True)
            accuracies.append(float(told["accuracy"]))
            counts.append(count)
        self._note(
            curves.judge_gap(
                curves.TrainValidationGap(
                    train_accuracy=accuracies[0],
                    val_accuracy=accuracies[1],
                    n_train=counts[0],
                    n_val=counts[1],
                    val_losses=[loss for loss in self.val_losses if np.isfinite(loss)],
                )
            )
        )

    def get_state(self) -> dict[str, Any]:
        return {
            # What is judged at the end is judged there again, by a resumed run too.
            "warned": [name for name in self.warned if name not in AT_THE_END],
            "losses": self.losses,
            "stride": self.stride,
            "ratios": self.ratios,
            "rate": self.rate,
            "findings": [
                found.as_json() for found in self.findings.values() if found.id not in AT_THE_END
            ],
            "val_losses": [loss if np.isfinite(loss) else None for loss in self.val_losses],
        }

    def set_state(self, values: dict[str, Any]) -> None:
        self.warned, self.losses = values["warned"], values["losses"]
        self.stride = values["stride"]
        self.ratios, self.rate = values["ratios"], values["rate"]
        for kept in values["findings"]:
            self.findings[kept["id"]] = Finding(**{**kept, "verdict": Verdict(kept["verdict"])})
        self.val_losses = [float("nan") if v is None else v for v in values["val_losses"]]


def _length(values: np.ndarray) -> float:
    """The root of the sum of squares, in 64 bits: what diverges is large."""
    wide = values.astype(np.float64).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sqrt(wide @ wide))
