"""Checks of a recipe before it is trained.

    zoo.check.measure (numbers; runs models)  -->  zoo.check.judge (verdicts; plain Python)

`zoo.check.run` joins the two. Importing this package loads neither: `judge` is used without Keras.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`from zoo.check import check`: loads what runs models only when it is asked for."""
    if name in ("check", "CheckReport"):
        from zoo.check import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
