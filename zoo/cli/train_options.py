"""Flags of `zoo train` alone. Light."""

from __future__ import annotations

from typing import Annotated

import typer

ResumeOption = Annotated[
    str | None,
    typer.Option(
        "--resume",
        metavar="RUN",
        help="Resume this run, or the folder of --folds, instead of training a recipe. With "
        "--set train.epochs=N, also give a run more epochs.",
    ),
]
SeedsOption = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        min=2,
        help="Train N times, with the recipe's seed and those after it; print mean and "
        "standard deviation.",
    ),
]
FoldsOption = Annotated[
    int | None,
    typer.Option(
        "--folds",
        metavar="K",
        min=2,
        max=1_000,
        help="Cross-validate: train K times, each time with another part of train and "
        "validation to validate on; print mean and standard deviation.",
    ),
]
TensorboardOption = Annotated[
    bool | None,
    typer.Option(
        "--tensorboard/--no-tensorboard",
        help="The same as --log tensorboard.",
        show_default="no; with --resume, as the run was begun",
    ),
]
ReportOption = Annotated[
    bool | None,
    typer.Option(
        "--report/--no-report",
        help="Write report.html into the run folder at the end, as zoo report does.",
        show_default="no; with --resume, as the run was begun",
    ),
]
OpenOption = Annotated[
    bool, typer.Option("--open", help="With --report, which it implies: open it in a browser.")
]
EvaluateOption = Annotated[
    bool | None,
    typer.Option(
        "--evaluate/--no-evaluate",
        help="Measure the best model on the test split at the end.",
        show_default="yes; with --folds no; with --resume, as the run was begun",
    ),
]
ExportOption = Annotated[
    bool | None,
    typer.Option(
        "--export/--no-export",
        help="Export the best model as a SavedModel at the end.",
        show_default="yes; with --folds no; with --resume, as the run was begun",
    ),
]
