"""Checks of a recipe before it is trained.

    zoo.checks.measure (numbers; runs models)  -->  zoo.checks.judge (verdicts; plain Python)

`zoo.checks.run` joins the two. Importing this package loads neither: `judge` is used without Keras.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`from zoo.checks import check`: loads what runs models only when it is asked for."""
    if name in ("check", "CheckReport"):
        from zoo.checks import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
