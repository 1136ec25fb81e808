"""`zoo new`: no framework is loaded for a folder."""

from __future__ import annotations

import shlex
from pathlib import Path

from zoo import new as maker
from zoo.cli.output import Output
from zoo.progress import counting

NAMED = 10


def new(out: Output, data: str, file: Path | None, force: bool) -> None:
    """Looks, writes, and says what was found and what comes next."""
    with counting(out.console()) as report:
        made = maker.new(data, file, force=force, progress=report)
    out.result(made.as_json())
    out.text("\n".join(_summary(made)))


def _summary(made: maker.Made) -> list[str]:
    found, chosen = made.found, made.chosen
    height, width = chosen.image_size
    lines = [
        f"images    {found.images_line()}",
        f"sizes     {found.sizes_line()} (height x width)",
        f"colours   {found.colours_line()}",
        f"balance   {found.balance_line()}",
        *(f"note      {note}" for note in found.all_notes()),
        *(f"bad       {path}: {reason}" for path, reason in found.bad[:NAMED]),
    ]
    if len(found.bad) > NAMED:
        lines.append(f"bad       and {len(found.bad) - NAMED} more (all of them: --json)")
    time = f", about {maker.duration(chosen.seconds)} on two CPU cores" if found.images else ""
    lines.append(
        f"recipe    {made.file}: {height} x {width} {'grey' if chosen.grey else 'rgb'}, "
        f"{made.parameters:,} parameters, {chosen.epochs} epochs{time}"
    )
    if found.bad:
        lines.append(
            "first     repair or remove the bad files; or, to leave them out, take the mark off "
            "`# on_bad_image: skip` in the recipe"
        )
    lines.append(f"next      zoo train {shlex.quote(str(made.file))}")
    return lines
