"""`zoo runs`: the runs there are, without loading TensorFlow; and their removal."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.asking import ask, can_ask
from zoo.cli.options import DebugOption, JsonOption
from zoo.cli.output import Output
from zoo.errors import UsageError


@app.command()
def runs(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER]...", help="Where to look (default: runs).", show_default=False
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Only these: done, running, interrupted, killed, failed, diverged, damaged "
            "(repeatable, or with commas).",
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe", metavar="NAME", help="Only those of this recipe; * and ? stand for letters."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Only those begun since: 2026-11-28, 12h, 7d."
        ),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="TIME", help="Only those begun before: 2026-11-28, 30d."),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort", metavar="KEY", help="By when, name, status, epochs, accuracy or size."
        ),
    ] = "when",
    reverse: Annotated[bool, typer.Option("-r", "--reverse", help="The other way round.")] = False,
    expand: Annotated[
        bool,
        typer.Option(
            "--expand", help="Also a line for each seed, fold and kept trial of a search."
        ),
    ] = False,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean",
            help="Remove the failed, interrupted, killed and diverged ones of those listed; asks "
            "first.",
        ),
    ] = False,
    caches: Annotated[
        bool,
        typer.Option(
            "--caches",
            help="Show what zoo keeps in its cache; with --clean, remove it.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --clean: show what would go; remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="With --clean: do not ask.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List runs and searches: when, status, epochs, accuracy, size; or clean up."""
    with Output(as_json, debug) as out:
        from zoo.inventory.selection import read_filter
        from zoo.verbs.listing_runs import Query, list_runs

        chosen = read_filter(status or (), recipe or (), since, before)
        query = Query(tuple(folders or ()), chosen, sort, reverse, caches)
        if not clean:
            if dry_run or yes:
                raise UsageError(
                    "--dry-run and --yes belong to --clean. Add it, or leave them out."
                )
            list_runs(out, query, expand=expand, children=expand or as_json)
            return
        if not (yes or dry_run) and (as_json or not can_ask()):
            raise UsageError(
                "--clean: nobody can be asked here. Expected a terminal; or --yes; or --dry-run, "
                "to see what would go."
            )
        from zoo.verbs.cleaning_runs import clean_runs

        clean_runs(
            out, query, dry_run=dry_run,
            confirm=None if yes else ask,
        )  # fmt: skip
