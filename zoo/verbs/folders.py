"""Where run folders go. Light."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import UsageError

RUNS = Path("runs")


def require_no_move(out: Path | None, resumed: Path) -> None:
    """Require that `--out`, if given with `--resume`, is where the resumed folder lies.

    Raises:
        UsageError: it is elsewhere.
    """
    if out is not None and out.resolve() not in resumed.resolve().parents:
        raise UsageError(
            f"--out {out}: what is resumed stays in its folder, {resumed}. Leave --out out."
        )
