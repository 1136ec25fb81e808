"""A trained run: its history, model, metrics, predictions and exports."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zoo import loading
from zoo import rundir as folders
from zoo.api import html
from zoo.api.arguments import at_least, checked, wrong
from zoo.api.backend import require_choice
from zoo.api.images import as_images
from zoo.api.recipes import Overrides, as_overrides, remember
from zoo.api.results import Evaluation, Export, Predictions
from zoo.api.telling import PythonTeller
from zoo.api.wording import worded, worded_class
from zoo.artifact.variant import Variant
from zoo.checks.judge import Finding
from zoo.errors import UsageError
from zoo.files.json_files import parse
from zoo.recipe.moved import is_moved_part
from zoo.recipe.schema import Recipe
from zoo.verbs.opening import open_trained_run

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from zoo.api.images import ImagesLike
    from zoo.artifact.trained_run import TrainedRun

Split = Literal["test", "validation"]
Tta = Literal["mirror", "mirror_translate"]
Format = Literal["saved_model", "keras", "onnx", "litert"]
Quantize = Literal["float16", "int8"]


@worded
@checked
def run(path: str | os.PathLike[str], overrides: Overrides | None = None) -> Run:
    """Opens a run that was trained before, by `zoo train` or `zoo.train`.

    Args:
        path: its folder; of `runs/NAME` the newest run in it.
        overrides: of `data.source` and `plugins`: where images and parts of your own are now, if
            they were moved, such as `{"data.source.folder.path": "/new/pets"}`.

    Raises:
        UsageError: overrides of anything else.
        RunError: there is no run.
        DamagedFile: its run.json was cut or edited.
    """
    folder = folders.Run.open(os.fspath(path))
    changes = as_overrides(overrides)
    loading.require_source_alone(folder.recipe_file, changes)
    return Run(folder, overrides=changes)


@worded_class
class Run:
    """A run folder.

    Files are read when they are asked for; the model is loaded once.

    Args:
        folder: the run's folder.

    Two runs are equal if their folder is the same.

    Attributes:
        folder: the names in it (`zoo.rundir.Run`).
        quiet: whether methods print nothing; False.
    """

    def __init__(self, folder: folders.Run, *, overrides: Sequence[str] = ()) -> None:
        self.folder = folder
        self.quiet = False
        self._overrides = tuple(overrides)
        folder.info()  # A damaged file is refused here.

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.folder

    @property
    def info(self) -> dict[str, Any]:
        """What run.json holds: status, seconds, device, versions, data, best epoch and more.

        Raises:
            DamagedFile: it was cut or edited.
        """
        return self.folder.info()

    @property
    def name(self) -> str:
        """The recipe's name."""
        return str(self.info.get("name") or self.path.parent.name)

    @property
    def status(self) -> str:
        """`done`, `interrupted`, `diverged`, `failed` or `running`."""
        return str(self.info["status"])

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of the model's outputs."""
        return list(self.info.get("class_names") or ())

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe as it was trained, every default written out.

        Raises:
            RecipeError: the file was edited and is no recipe any more.
        """
        file = str(self.folder.recipe_file)
        places = tuple(filter(is_moved_part, self._overrides))
        return remember(loading.reload(self.folder.recipe_file, places), file, places)

    @property
    def history(self) -> pd.DataFrame:
        """A row for each epoch, from 1: loss, accuracy, val_loss, val_accuracy, learning rate, ...

        Raises:
            DamagedFile: metrics.jsonl was cut or edited.
        """
        import pandas as pd

        rows = self.folder.rows()
        if not rows:
            return pd.DataFrame(index=pd.Index([], name="epoch", dtype="int64"))
        return pd.DataFrame(rows).set_index("epoch")

    @property
    def checks(self) -> list[Finding]:
        """The findings of the checks that looked at the training while it ran.

        Raises:
            DamagedFile: checks.json was cut or edited.
        """
        file = self.folder.checks_file
        if not file.is_file():
            return []
        report = parse(file.read_bytes(), str(file), "Train again.")
        return [Finding.from_json(entry) for entry in report.get("findings", ())]

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose model is kept, from 1; None before the end."""
        epoch = self.info.get("best_epoch")
        return None if epoch is None else int(epoch)

    @property
    def val_accuracy(self) -> float | None:
        """Validation accuracy of the best epoch; None before the end."""
        accuracy = self.info.get("val_accuracy")
        return None if accuracy is None else float(accuracy)

    @property
    def evaluation(self) -> Evaluation | None:
        """The newest evaluation on the test split, such as that at the training's end; or None.

        Raises:
            DamagedFile: evaluation.json was cut or edited.
        """
        result = self.folder.evaluation()
        return None if result is None else Evaluation(result)

    @cached_property
    def _trained(self) -> TrainedRun:
        require_choice()
        with PythonTeller(self.quiet) as out:
            return open_trained_run(str(self.path), self._overrides, out.note)

    @property
    def model(self) -> keras.Model:
        """The best epoch's model: images (n, height, width, channels), 0 to 255, to logits.

        Raises:
            RunError: the run holds no trained model.
            WrongModel: its file is damaged, or another run's.
            EnvironmentFault: the backend cannot be used.
        """
        trained = self._trained
        with PythonTeller(self.quiet):
            return trained.model

    @checked
    def evaluate(self, split: Split = "test", *, tta: Tta | None = None) -> Evaluation:
        """Measures the best model. A measurement on the test split is counted and kept in the run.

        Args:
            split: `test` or `validation`.
            tta: test-time augmentation that is reported beside the plain metrics: `mirror` or
                `mirror_translate`; None: the recipe's.

        Raises:
            RunError: the run holds no trained model.
            DataError: there is no such split, or the data changed since the training.
            UsageError: an argument is unknown.
            WrongModel: the model's file is damaged, or another run's.
        """
        if split not in ("test", "validation"):
            raise UsageError(f"split={split!r}: unknown. Expected 'test' or 'validation'.")
        if tta not in (None, "mirror", "mirror_translate"):
            raise UsageError(
                f"tta={tta!r}: unknown. Expected 'mirror', 'mirror_translate' or None."
            )
        trained = self._trained
        from zoo.evaluate import evaluate
        from zoo.progress import progress_bar

        with PythonTeller(self.quiet) as out, progress_bar(out.console()) as progress:
            return Evaluation(evaluate(trained, split, progress, tta))

    @checked
    def predict(
        self,
        images: ImagesLike,
        *,
        top: int | None = None,
        threshold: float | None = None,
        follow_links: bool = False,
    ) -> Predictions:
        """Predicts images. Whatever their size, they are brought to the network's.

        Args:
            images: an array of one image (height, width, channels), or (height, width) for grey, or
                of several (n, height, width, channels), with values 0 to 255, integers or floats;
                an image of Pillow; the path of an image file or of a folder of them; a pattern such
                as `photos/*.jpg`; or a list of these. Floats are rounded to whole levels.
            top: number of classes of an image that are shown; None: 3, or with a threshold all.
            threshold: probability from which a class is shown; None: 0.5 for images with any number
                of classes, else none.
            follow_links: whether links in a folder may lead out of it.

        Returns:
            A prediction for each image. One that cannot be read has its `error`.

        Raises:
            UsageError: `images` is nothing of this kind.
            DataError: there is no image.
            RunError: the run holds no trained model.
        """
        at_least("top", top, 1)
        if threshold is not None and not 0 <= threshold <= 1:
            raise UsageError(f"threshold: Expected 0 to 1. Received {threshold:g}.")
        given = as_images(images, follow_links=follow_links)
        trained = self._trained
        from zoo.datasets.content.odd_files import OddFiles
        from zoo.predict import Prediction, predict
        from zoo.progress import progress_bar
        from zoo.verbs.shown_classes import Shown

        odd = OddFiles(trained.image_ranges)
        shown = Shown.of(top, threshold, multi_label=trained.multi_label)
        unread = [Prediction(str(each.file), error=each.message) for each in given.problems]
        with PythonTeller(self.quiet) as out, progress_bar(out.console()) as progress:
            found = [*unread, *predict(trained, given.images, None, progress, odd)]
            notes = [*given.notes, *odd.notes(len(found))]
            for note in notes:
                out.remark(f"note: {note}")
        return Predictions(found, trained.class_names, notes, shown.top, shown.threshold)

    @checked
    def export(
        self,
        format: Format = "saved_model",
        *,
        out: str | os.PathLike[str] | None = None,
        version: int | None = None,
        quantize: Quantize | None = None,
        opset: int | None = None,
    ) -> Export:
        """Exports the best model, reads it again, and compares its predictions with the model's.

        Args:
            format: `saved_model`, `keras`, `onnx` or `litert`.
            out: the folder that receives NAME/VERSION; None: the run's `export/FORMAT`.
            version: number of the version; None: 1, and with `out` the next free one.
            quantize: makes `litert` smaller: `float16` or `int8`.
            opset: version of ONNX's operators; None: 17.

        Raises:
            ParityError: the export predicts something else than the model; none is left.
            UsageError: an unknown format, or an option of another one.
            EnvironmentFault: a package is missing; the message says which.
            RunError: the run holds no trained model, or `out` has that version already.
        """
        if not isinstance(format, str):
            raise wrong("format", "text", format)
        if not isinstance(quantize, str | None):
            raise wrong("quantize", "text or None", quantize)
        at_least("version", version, 1)
        Variant(format, quantize, opset)
        from zoo.verbs.exporting import print_export, require_tensorflow

        require_tensorflow()
        trained = self._trained
        from zoo.export import export

        with PythonTeller(self.quiet) as teller:
            teller.note(f"exporting {format}")
            folder = None if out is None else Path(out).expanduser()
            result = export(trained, format, folder, version, quantize=quantize, opset=opset)
            print_export(teller, result)
        return Export(Path(result["path"]), format, int(result["bytes"]), result["parity"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Run):
            return NotImplemented
        return self.path.resolve() == other.path.resolve()

    def __hash__(self) -> int:
        return hash(self.path.resolve())

    def __getstate__(self) -> dict[str, Any]:
        """A copy, and a run in another process, loads its model itself."""
        kept = ("folder", "quiet", "_overrides")
        return {key: value for key, value in self.__dict__.items() if key in kept}

    def __repr__(self) -> str:
        accuracy = self.val_accuracy
        reached = "" if accuracy is None else f", validation accuracy {accuracy:.4f}"
        return f"<Run {self.name}: {self.status}{reached}, {self.path}>"

    def _repr_html_(self) -> str:
        """How a notebook shows the run."""
        info = self.info
        rows: list[tuple[str, object]] = [("folder", self.path)]
        if info.get("epochs") is not None:
            rows.append(("epochs", f"{info['epochs']}, the best {info.get('best_epoch')}"))
        for key in ("val_accuracy", "val_loss"):
            if info.get(key) is not None:
                rows.append((key, float(info[key])))
        evaluation = self.evaluation if self.folder.evaluation_file.is_file() else None
        if evaluation is not None:
            rows.append(("test accuracy", evaluation.accuracy))
        if info.get("seconds") is not None:
            rows.append(("seconds", float(info["seconds"])))
        if info.get("device"):
            rows.append(("device", info["device"]))
        if info.get("reason"):
            rows.append(("reason", info["reason"]))
        concerns = [
            (each.status, f"{each.id} {each.name}", each.advice)
            for each in self.checks
            if each.status != "PASS"
        ]
        found = html.findings(concerns)
        return html.title(f"Run {self.name}", self.status) + html.table((), rows) + found
