"""Reads what a run folder holds for its report. Light.

A file that is missing or damaged does not stop a report: the page says so in its place.
"""

from __future__ import annotations

import base64
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from zoo.errors import DamagedFile, ZooError
from zoo.report.blocks import Missing, Thumbnail, Tone
from zoo.rundir import Run
from zoo.rundir.liveness import present_status
from zoo.text.printable import one_line

if TYPE_CHECKING:
    from zoo.plan import Plan
    from zoo.recipe import Recipe
    from zoo.rundir.archive import Archive
    from zoo.rundir.predictions import Predictions

T = TypeVar("T")
LONGEST = 60  # Characters of a path or a class that are shown; of a path its title has all.
SMALL = 64  # Side of an image below which its pixels are shown as squares.


def shown_name(text: str) -> str:
    """Return a name of a user in one line, as a page shows it."""
    return one_line(text)


def shown_class(text: str) -> str:
    """Return the name of a class in one line; of a long one its two ends."""
    line = one_line(text)
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[: half - 1]}…{line[-half:]}"


class RunSource:
    """The files of a run.

    Args:
        run: the run.

    Attributes:
        info: run.json.
        faults: what is wrong with files that cannot be read, by their name.

    Raises:
        DamagedFile: run.json cannot be read.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.info: dict[str, Any] = run.info()
        self.faults: dict[str, str] = {}

    def _read(self, name: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except ZooError as error:
            self.faults[name] = str(error)
            return otherwise

    @cached_property
    def status(self) -> str:
        """`done`, `running`, `killed`, `diverged`, `interrupted` or `failed`."""
        return present_status(self.run.folder, self.info)

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self.info.get("name") or self.run.folder.name)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Metrics by epoch."""
        return self._read("metrics", self.run.rows, [])

    @cached_property
    def checks(self) -> dict[str, Any] | None:
        """What checks.json holds; None without it."""
        return self._read("checks", self.run.checks, None)

    @cached_property
    def evaluation(self) -> dict[str, Any] | None:
        """What evaluation.json holds; None without one of the present model."""
        return self._read("evaluation", self.run.evaluation, None)

    @cached_property
    def predictions(self) -> Predictions | None:
        """The predictions of the test split, else of validation; None without any."""
        for split in ("test", "validation"):

            def read(split: str = split) -> Predictions | None:
                return self.run.predictions(split)

            predictions = self._read(f"{split} predictions", read, None)
            if predictions is not None and len(predictions):
                names = self.class_names
                if predictions.number_of_classes == len(names):
                    return predictions
                self.faults[f"{split} predictions"] = (
                    f"{self.run.predictions_file(split)}: has {predictions.number_of_classes} "
                    f"classes, and run.json names {len(names)}"
                )
        return None

    @cached_property
    def thumbnails(self) -> dict[int, bytes]:
        """Small images of the split of `predictions`, by index."""
        if self.predictions is None:
            return {}
        split = self.predictions.split
        return self._read("thumbnails", lambda: self.run.thumbnails(split), {})

    @cached_property
    def samples(self) -> Archive | None:
        """Training images and first kernels; None without them."""
        return self._read("samples", self.run.samples, None)

    @cached_property
    def recipe(self) -> Recipe | None:
        """The recipe; None where it cannot be read."""
        from zoo import recipe as recipes
        from zoo.rundir.recipe_text import read_recipe_text

        def read() -> Recipe:
            read_recipe_text(self.run)
            return recipes.load(str(self.run.recipe_file))

        return self._read("recipe", read, None)

    @cached_property
    def plan(self) -> Plan | None:
        """The network; None where the recipe or classes are unknown, or code would have to run."""
        from zoo.plan import own_layers, plan

        recipe, names = self.recipe, self.class_names
        if recipe is None or not names:
            return None
        if not own_layers.can_plan(recipe):
            words = ", ".join(part.word for part in own_layers.needed(recipe))
            self.faults["network"] = f"it has layers of your own ({words}), and a report runs none"
            return None
        try:
            return plan(recipe, len(names))
        except (ZooError, ValueError) as error:
            self.faults["network"] = str(error)
            return None

    @property
    def class_names(self) -> list[str]:
        """Names of the classes; empty where run.json lacks them."""
        return list(self.info.get("class_names") or ())

    @property
    def multi_label(self) -> bool:
        """Whether an image has any number of classes."""
        return bool(self.info.get("multi_label"))

    @property
    def has_test(self) -> bool:
        """Whether the data have a test split."""
        return (self.info.get("data") or {}).get("test") is not None

    def missing(self, what: str, *names: str) -> Missing:
        """Return a block that says why something is missing, and which command adds it.

        Args:
            what: is missing, as the beginning of a sentence: "The predictions are missing".
            names: keys of `faults` that explain it.
        """
        fault = next((self.faults[name] for name in names if name in self.faults), None)
        if fault is not None:
            return Missing(f"{what}, since a file is damaged: {fault}")
        status = self.status
        folder = shlex.quote(str(self.run.folder))
        if status == "done":
            split = "" if self.has_test else " --split validation"
            return Missing(
                f"{what}: the run was not asked for them, or is of an older version. "
                "What adds them, then run zoo report again:",
                f"zoo evaluate {folder}{split}",
            )
        reasons = {
            "running": "the training has not ended yet. If it was killed, what continues it:",
            "killed": "the training was killed. What continues it:",
            "interrupted": "the training was interrupted. What continues it:",
        }
        if status in reasons:
            return Missing(f"{what}: {reasons[status]}", f"zoo train --resume {folder}")
        reason = one_line(str(self.info.get("reason") or "its run.json names no reason"))
        word = "diverged" if status == "diverged" else "failed"
        return Missing(f"{what}: the training {word} ({reason}).")

    def thumbnail(self, row: int, lines: Sequence[str], *, tone: Tone | None = None) -> Thumbnail:
        """Return an image of the predictions with lines of text.

        Args:
            row: in `predictions`.
            lines: of text; the name of the file follows.
            tone: colour of its frame.
        """
        predictions = self.predictions
        if predictions is None:
            raise ValueError("there are no predictions")
        index = int(predictions.indices[row])
        path = shown_name(predictions.names[row]) if predictions.names else f"image {index}"
        # The end of a path tells files apart.
        lines = [*lines, path if len(path) <= LONGEST else "…" + path[1 - LONGEST :]]
        description = f"{path}: {'; '.join(lines[:-1])}"
        content = uri(self.thumbnails.get(index))
        return Thumbnail(content, description, lines, path, tone, pixelated=self.pixelated)

    @property
    def pixelated(self) -> bool:
        """Whether images of this size are enlarged without smoothing."""
        return self.recipe is None or max(self.recipe.image_shape[:2]) <= SMALL


def uri(content: bytes | None) -> str:
    """Return a WebP file as a data URI; an empty text without one."""
    if content is None:
        return ""
    return "data:image/webp;base64," + base64.b64encode(content).decode()


def checks_of(run: Run) -> dict[str, Any]:
    """Read checks.json of a folder of `zoo check`.

    Raises:
        DamagedFile: it is missing, or holds something else than zoo wrote.
    """
    checks = run.checks()
    if checks is None:
        raise DamagedFile(f"{run.checks_file}: is missing. Check again: zoo check RECIPE")
    return checks


def number_of(mapping: Mapping[str, Any] | None, key: str) -> float | None:
    """Return a finite number of a mapping; None where there is none."""
    value = (mapping or {}).get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
