"""`zoo train --seeds`: one recipe with one seed after the other."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zoo.backend.device_request import Request, require_batch
from zoo.errors import Diverged, StorageFault
from zoo.verbs.teller import Teller

if TYPE_CHECKING:
    from zoo.loading import Source


def train(
    out: Teller,
    recipe: Source,
    overrides: Sequence[str],
    count: int,
    one: Callable[[Teller, Sequence[str]], None],
    request: Request,
) -> None:
    """Trains with one seed after the other; a training that diverges does not stop the others."""
    from zoo import recipe as recipes
    from zoo.plugins import recipe_parts

    loaded = recipes.load(recipe, overrides, out.warn, out.note)
    recipe_parts.require(loaded)
    if isinstance(request, int):
        require_batch(loaded.train.batch_size, request)
    numbers = range(loaded.seed, loaded.seed + count)
    # All seeds are checked before the first training.
    changes = {seed: [*overrides, f"seed={seed}"] for seed in numbers}
    for each in changes.values():
        recipes.load(recipe, each)
    rows: list[dict[str, Any]] = []
    for seed in numbers:
        out.text(f"seed      {seed}")
        part = out.part()
        out.locate = recipes.locator(recipe, changes[seed])
        try:
            one(part, changes[seed])
        except Diverged as error:
            out.note(f"seed {seed}: {error}")
            part.result(error.facts)
        except StorageFault as error:
            out.result({"seeds": [*rows, {"seed": seed, **(part.document or {}), **error.facts}]})
            raise _with_seeds_left(error, recipe, seed, numbers) from error
        rows.append({"seed": seed, **(part.document or {})})
        out.result({"seeds": rows})  # What is done is told, whatever comes.
    diverged = [row["seed"] for row in rows if row["status"] != "done"]
    for key, name in _summarized(rows):
        values = [row[key] for row in rows if row["status"] == "done" and row.get(key) is not None]
        if len(values) > 1:
            mean, deviation = statistics.mean(values), statistics.stdev(values)
            out.result({key: mean, f"{key}_sd": deviation})
            out.text(f"{name} {mean:.4f} ± {deviation:.4f} (standard deviation, n={len(values)})")
    if diverged:
        raise Diverged(
            f"{len(diverged)} of {count} trainings diverged: seed "
            f"{', '.join(map(str, diverged))}. "
            + (
                "The others are done and kept."
                if len(diverged) < count
                else "Lower train.optimizer's learning_rate."
            )
        )


def _with_seeds_left(
    error: StorageFault, recipe: Source, seed: int, numbers: range
) -> StorageFault:
    """Add to a disk's failure which seeds are done, and how to train those that are left."""
    name = recipe if isinstance(recipe, str) else recipe.file or "RECIPE"
    done, left = seed - numbers.start, numbers.stop - seed - 1
    sentence = f"Of {len(numbers)} seeds, {done} are done and kept."
    if left:
        seeds = f" --seeds {left}" if left > 1 else ""
        sentence += f" Those that are left: zoo train {name} --set seed={seed + 1}{seeds}"
    return error.adding(sentence)


def _summarized(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Metrics whose mean over the seeds is told: accuracies, and what selected the epochs."""
    metrics = [("accuracy", "test accuracy"), ("val_accuracy", "validation accuracy")]
    monitors = {str(row["monitor"]) for row in rows if row.get("monitor")}
    if monitors - {"val_accuracy", "val_loss"}:
        metrics.append(("balanced_accuracy", "test balanced accuracy"))
        metrics.append(("mean_average_precision", "test mean average precision"))
        metrics += [(key, key) for key in sorted(monitors - {"val_accuracy"})]
    return metrics
