"""What the folder of a cross-validation holds. Heavier than the rest: imports pydantic."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.rundir.schema import Count, Flags, Name, PluginInfo, Stored


class FoldRow(Stored):
    """An entry of `folds` in folds.json: how the training of one fold ended."""

    fold: Annotated[int, Field(ge=1)]
    run: str
    status: str
    validation: Count | None = None
    best_epoch: Count | None = None


class FoldsInfo(Stored):
    """folds.json."""

    status: Literal["running", "done", "diverged", "interrupted", "failed"]
    name: Name
    of: Annotated[int, Field(ge=2)]
    recipe_hash: str
    backend: Literal["tensorflow", "jax", "torch"]
    started: str | None = None
    zoo: str | None = None
    pid: int | None = None
    host: str | None = None  # Folders of older versions lack it.
    devices: Annotated[int, Field(ge=1)] = 1  # Folders of older versions had one.
    flags: Flags | None = None
    log: list[str] = []  # Words of `--log`.
    plugins: list[PluginInfo] | None = None
    monitor: str | None = None
    folds: list[FoldRow] = []
    mean: dict[str, float] = {}
    sd: dict[str, Any] = {}
