"""Arguments and flags that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_RECIPE_HELP = "A YAML file, or the name of a shipped recipe (see `zoo list`)."

RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE", help=_RECIPE_HELP)]
OptionalRecipeArgument = Annotated[
    str | None, typer.Argument(metavar="[RECIPE]", help=_RECIPE_HELP)
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run folder, or runs/NAME for its newest run.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override a value of the recipe: train.epochs=5 (repeatable).",
    ),
]
DataSourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="data.source=...",
        help="New location of the run's images, or with plugins=[...] of parts of your own, if "
        "they were moved.",
    ),
]
OutOption = Annotated[
    Path, typer.Option("--out", help="Folder in which the run folder is created.")
]
# Of verbs that resume, too: None where the command line leaves it out.
NewOutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Folder in which the run folder is created.", show_default="runs"),
]
LEAST_HEARTBEAT = 5  # Seconds: a busy machine may be silent for less.
MOST_HEARTBEAT = 86_400  # A day.
DistributedOption = Annotated[
    str | None,
    typer.Option(
        "--distributed",
        metavar="auto",
        help="This process is one of several, which Slurm (srun), Open MPI (mpirun) or an indexed "
        "Job of Kubernetes started: ask its environment variables. The next three options win "
        "over these.",
    ),
]
CoordinatorOption = Annotated[
    str | None,
    typer.Option(
        "--coordinator",
        metavar="HOST:PORT",
        help="Where process 0 waits for the others: a name or address of its host that the others "
        "reach, and a free port.",
    ),
]
NumProcessesOption = Annotated[
    int | None,
    typer.Option("--num-processes", metavar="N", help="Number of processes, over all hosts."),
]
ProcessIdOption = Annotated[
    int | None,
    typer.Option("--process-id", metavar="I", help="Index of this process, from 0."),
]
DevicesOption = Annotated[
    str | None,
    typer.Option(
        "--devices",
        metavar="N|all",
        help="Train on N devices of this machine, each with its share of every batch; `all`: on "
        "all of them. Without GPUs, N parts of the CPU stand in for them, and are no faster.",
        show_default="1; with --resume, as the run was begun",
    ),
]
OtherDevicesOption = Annotated[
    bool,
    typer.Option(
        "--allow-other-devices",
        help="Resume with another number of devices than the run was begun with: its weights will "
        "differ in their last bits.",
    ),
]
HeartbeatOption = Annotated[
    int | None,
    typer.Option(
        "--heartbeat",
        metavar="S",
        min=LEAST_HEARTBEAT,
        max=MOST_HEARTBEAT,
        help="End all processes once one of them has given no sign of life for S seconds.",
        show_default="100",
    ),
]
ReportOption = Annotated[
    bool,
    typer.Option("--report", help="At the end, write report.html in the folder (`zoo report`)."),
]
OpenOption = Annotated[
    bool, typer.Option("--open", help="Write report.html, and open it in a browser.")
]
LogOption = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="TRACKER[,...]",
        help="Send parameters, metrics, files and the model to mlflow, wandb, tensorboard or csv "
        "(repeatable); none: to none of them.",
        show_default="$ZOO_LOG; with --resume, as it was begun",
    ),
]


def _allow_plugins(yes: bool) -> bool:
    """Hand the flag on as soon as it is read: whatever a verb does with a recipe may need it."""
    from zoo.plugins import permission

    permission.allow(yes)
    return yes


AllowPluginsOption = Annotated[
    bool,
    typer.Option(
        "--allow-plugins",
        callback=_allow_plugins,
        help="Run the code of the recipe's plugins: files and packages that are not zoo's. Read "
        "them first.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of every error.")]
QuietOption = Annotated[
    bool,
    typer.Option(
        "-q", "--quiet", help="Print only results and errors: no progress, notes or warnings."
    ),
]
