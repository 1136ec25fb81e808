"""Several runs of one recipe: with different seeds, or the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.api import html
from zoo.api.run import Run
from zoo.api.wording import worded_class
from zoo.verbs.fold_table import NAMES

if TYPE_CHECKING:
    import pandas as pd


@worded_class
class Runs(Sequence[Run]):
    """Runs that belong together, in the order in which they were trained.

    Attributes:
        rows: what each run reached, as `zoo train --json` prints it.
        path: the folder of a cross-validation; None for seeds.
    """

    def __init__(
        self, runs: Sequence[Run], rows: Sequence[dict[str, Any]], path: Path | None = None
    ) -> None:
        self.rows = list(rows)
        self.path = path
        self._runs = list(runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, index: Any) -> Any:
        """The run of an index; a list for a slice."""
        return self._runs[index]

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each run: seed or fold, status, epochs, and the metrics that were measured.

        `table.describe()` gives their means and standard deviations.
        """
        import pandas as pd

        table = pd.DataFrame(self.rows)
        key = "fold" if "fold" in table else "seed"
        wanted = [key, "status", "epochs", "best_epoch", "seconds", *NAMES]
        return table[[name for name in wanted if name in table]].set_index(key)

    def __repr__(self) -> str:
        kind = "folds" if self.path else "seeds"
        return f"<Runs: {len(self)} {kind}>"

    def _repr_html_(self) -> str:
        """How a notebook shows the runs."""
        table = self.table.reset_index()
        rows = [[each.item() if hasattr(each, "item") else each for each in row]
                for row in table.itertuples(index=False)]  # fmt: skip
        measured = [key for key in NAMES if key in table and len(table) > 1]
        spread = ", ".join(
            f"{key} {table[key].mean():.4f} ± {table[key].std():.4f}" for key in measured
        )
        return html.title("Runs", spread) + html.table(list(table.columns), rows)
