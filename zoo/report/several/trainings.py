"""The runs of a comparison, read from their folders. Light: NumPy only where predictions are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, ZooError
from zoo.recipe import Recipe, load
from zoo.rundir import Folds, Run
from zoo.rundir.liveness import present_status
from zoo.significance import accuracy_interval

if TYPE_CHECKING:
    from zoo.rundir.predictions import Predictions

SPLITS = ("test", "validation")


@dataclass(frozen=True)
class Training:
    """One run.

    Attributes:
        letter: stands for it in the report: A to Z, then A2 and so on.
        run: its folder.
        info: run.json.
        rows: metrics.jsonl.
        evaluation: evaluation.json; None where there is none of the present model.
        recipe: as trained; None where it cannot be read.
        notes: sentences on what could not be read.
        status: that of run.json, but `killed` where its process died.
    """

    letter: str
    run: Run
    info: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]] = ()
    evaluation: Mapping[str, Any] | None = None
    recipe: Recipe | None = None
    notes: Sequence[str] = field(default=())
    status: str = "done"

    @property
    def name(self) -> str:
        """What people call the run: the recipe's name and the seed."""
        name = self.info.get("name") or self.run.folder.parent.name
        fold = self.recipe and self.recipe.data.fold
        part = f", fold {fold.index} of {fold.of}" if fold else ""
        seed = self.info.get("seed")
        return f"{name}{part}" + ("" if seed is None else f", seed {seed}")

    @property
    def is_done(self) -> bool:
        """Whether the training came to its end."""
        return self.status == "done"

    def accuracy(self, split: str) -> float | None:
        """The accuracy of a split: of the test, or of the validation in the epoch that was kept."""
        if split == "test":
            return None if self.evaluation is None else self.evaluation.get("accuracy")
        return self.info.get("val_accuracy")

    def images(self, split: str) -> int | None:
        """Number of images behind the accuracy of a split."""
        if split == "test":
            return None if self.evaluation is None else self.evaluation.get("images")
        return (self.info.get("data") or {}).get("validation")

    def interval(self, split: str) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the accuracy of a split; None without either."""
        return accuracy_interval(self.accuracy(split), self.images(split))

    def loss(self, split: str) -> float | None:
        """The loss of a split, likewise."""
        if split == "test":
            return None if self.evaluation is None else self.evaluation.get("loss")
        return self.info.get("val_loss")

    @cached_property
    def predictions(self) -> dict[str, Predictions]:
        """The predictions that the run keeps, by split."""
        found = {split: self.run.predictions(split) for split in SPLITS}
        return {split: kept for split, kept in found.items() if kept is not None}


def read(runs: Sequence[Run | Folds]) -> list[Training]:
    """Read runs, and of a cross-validation those of its folds.

    Raises:
        UsageError: there are fewer than two runs, or one is given twice.
        DamagedFile: a file holds something else than zoo wrote.
    """
    opened: list[Run] = []
    for each in runs:
        if isinstance(each, Folds):
            opened += [
                run for row in each.info().get("folds", ()) if (run := each.run(row["fold"]))
            ]
        else:
            opened.append(each)
    known = [run for run in opened if Run.is_run(run.folder)]
    places = [run.folder.resolve() for run in known]
    twice = next((run for i, run in enumerate(known) if places[i] in places[:i]), None)
    if twice is not None:
        raise UsageError(f"{twice}: is given twice. Expected runs that differ.")
    if len(known) < 2:
        given = runs[0] if runs else "nothing"
        raise UsageError(f"{given}: a comparison needs two runs. Received {len(known)}.")
    return [_training(letter_of(number), run) for number, run in enumerate(known)]


def letter_of(number: int) -> str:
    """Return the letter of a run, by number from 0."""
    rounds, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(rounds + 1) if rounds else "")


def _training(letter: str, run: Run) -> Training:
    notes: list[str] = []
    recipe = None
    try:
        recipe = load(str(run.recipe_file))
    except ZooError as error:
        notes.append(f"{run.recipe_file}: its recipe is left out of the comparison: {error}")
    rows = run.rows(notes.append)
    info = run.info()
    status = present_status(run.folder, info)
    return Training(letter, run, info, rows, run.evaluation(), recipe, tuple(notes), status)
