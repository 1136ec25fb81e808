"""What runs give: an evaluation, predictions, an export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.api import html
from zoo.api.wording import worded_class
from zoo.errors import UsageError
from zoo.text.sizes import size_text

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from zoo.predict import Prediction

OVERALL = (
    "accuracy",
    "top5_accuracy",
    "balanced_accuracy",
    "mean_average_precision",
    "loss",
    "ece",
)


@worded_class
class Evaluation(Mapping[str, Any]):
    """Metrics of a run on a split: a map, as `zoo evaluate --json` prints it.

    Attributes:
        split: `test` or `validation`.
        images: number of images.
        accuracy: share of images whose likeliest class is right; of images with any number of
            classes, of those with all classes right.
        loss: mean loss of the data, without penalties.
        ece: expected calibration error (Guo et al. 2017), over 15 bins.
    """

    def __init__(self, result: Mapping[str, Any]) -> None:
        self._result = dict(result)
        self.split = str(result["split"])
        self.images = int(result["images"])
        self.accuracy = float(result["accuracy"])
        self.loss = float(result["loss"])
        self.ece = float(result["ece"])

    def __getitem__(self, key: str) -> Any:
        return self._result[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._result)

    def __len__(self) -> int:
        return len(self._result)

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """A row for each class: precision, recall, F1 and number of images."""
        import pandas as pd

        return pd.DataFrame(self._result["per_class"]).set_index("class")

    @cached_property
    def confusion_matrix(self) -> pd.DataFrame:
        """Numbers of images: rows are true classes, columns predicted ones.

        Raises:
            UsageError: an image has any number of classes.
        """
        import pandas as pd

        counts = self._result.get("confusion_matrix")
        if counts is None:
            raise UsageError(
                "images with any number of classes have no confusion matrix. Expected one class an "
                "image; per_class has precision and recall of each class."
            )
        names = [entry["class"] for entry in self._result["per_class"]]
        rows, columns = pd.Index(names, name="true"), pd.Index(names, name="predicted")
        return pd.DataFrame(counts, index=rows, columns=columns)

    def __repr__(self) -> str:
        return (
            f"<Evaluation {self.split}: accuracy {self.accuracy:.4f}, loss {self.loss:.4f} on "
            f"{self.images:,} images>"
        )

    def _repr_html_(self) -> str:
        """How a notebook shows the metrics."""
        overall = [
            (key.replace("_", " "), self._result[key])
            for key in OVERALL
            if self._result.get(key) is not None
        ]
        keys = ("precision", "recall", "f1", "images")
        rows = [
            (entry["class"], *(entry[key] for key in keys)) for entry in self._result["per_class"]
        ]
        head = html.title(f"Evaluation on {self.split}", f"{self.images:,} images")
        return head + html.table((), overall) + html.table(("class", *keys), rows)


@worded_class
class Predictions(Sequence["Prediction"]):
    """Predictions of images: one for each, with its classes by falling probability.

    Attributes:
        class_names: names of the classes, in the order of `probabilities`.
        notes: sentences on files that were left out, and on images unlike those of the training.
    """

    def __init__(
        self,
        predictions: Sequence[Prediction],
        class_names: Sequence[str],
        notes: Sequence[str] = (),
        top: int | None = None,
        threshold: float | None = None,
    ) -> None:
        self.class_names = list(class_names)
        self.notes = list(notes)
        self._predictions = list(predictions)
        self._top = top
        self._threshold = threshold or 0.0

    def __len__(self) -> int:
        return len(self._predictions)

    def __getitem__(self, index: Any) -> Any:
        """The prediction of an index; of a slice, `Predictions`."""
        if not isinstance(index, slice):
            return self._predictions[index]
        part = self._predictions[index]
        return Predictions(part, self.class_names, self.notes, self._top, self._threshold)

    @property
    def classes(self) -> list[str | None]:
        """The likeliest class of each image; None where it could not be read."""
        return [each.classes[0] if each.classes else None for each in self._predictions]

    @property
    def errors(self) -> dict[str, str]:
        """Why images could not be read, by their path."""
        return {each.path: each.error for each in self._predictions if each.error}

    @cached_property
    def probabilities(self) -> np.ndarray:
        """float64 (images, classes), the classes as in `class_names`; NaN where unreadable."""
        import numpy as np

        table = np.full((len(self), len(self.class_names)), np.nan)
        place = {name: i for i, name in enumerate(self.class_names)}
        for row, each in zip(table, self._predictions, strict=True):
            for name, value in zip(each.classes, each.probabilities, strict=True):
                row[place[name]] = value
        return table

    def named(self, index: int) -> list[tuple[str, float]]:
        """The classes of an image that were asked for, with their probabilities, likeliest first.

        That is the number `top`, of those with a probability of `threshold` or more.
        """
        each = self._predictions[index]
        pairs = list(zip(each.classes, each.probabilities, strict=True))[: self._top]
        return [(name, value) for name, value in pairs if value >= self._threshold]

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each image, by its path or `image N`: the likeliest class, its probability.

        Where images could not be read there is a column `error`.
        """
        import pandas as pd

        index = pd.Index([each.path for each in self._predictions], name="image")
        best = [each.probabilities[0] if each.probabilities else None for each in self._predictions]
        columns: dict[str, list[Any]] = {"class": list(self.classes), "probability": best}
        if self.errors:
            columns["error"] = [each.error for each in self._predictions]
        return pd.DataFrame(columns, index=index)

    def __repr__(self) -> str:
        unread = f", {len(self.errors)} of them unreadable" if self.errors else ""
        return f"<Predictions: {len(self):,} images{unread}, {len(self.class_names)} classes>"

    def _repr_html_(self) -> str:
        """How a notebook shows the first predictions."""
        rows = []
        for number, each in enumerate(self._predictions[: html.MAX_ROWS]):
            named = ", ".join(f"{name} {value:.3f}" for name, value in self.named(number))
            rows.append((each.path, each.error or named))
        more = len(self) - len(rows)
        rest = f"<p>and {more:,} more</p>" if more else ""
        notes = "".join(f"<p>note: {html.text(note)}</p>" for note in self.notes)
        return html.title("Predictions") + html.table(("image", "classes"), rows) + rest + notes


@worded_class
@dataclass(frozen=True)
class Export:
    """An export of a run, which passed the comparison with its model.

    Attributes:
        path: its folder, `.../NAME/VERSION`.
        format: `saved_model`, `keras`, `onnx` or `litert`.
        bytes: size of the model.
        parity: how far its predictions differ from the model's.
    """

    path: Path
    format: str
    bytes: int
    parity: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<Export {self.format}: {self.path}, {size_text(self.bytes)}>"

    def _repr_html_(self) -> str:
        """How a notebook shows the export."""
        rows = [
            ("format", self.format),
            ("path", self.path),
            ("size", size_text(self.bytes)),
            ("differs by at most", float(self.parity["max_abs_diff"])),
        ]
        return html.title("Export") + html.table((), rows)
