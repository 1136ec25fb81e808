"""What every verb shares: where results and errors go, and how tables look. Light."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from zoo.errors import Interrupted, Problem, ZooError

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.plan import Plan
    from zoo.recipe import Recipe


class Output:
    """Prints one verb's results to stdout, progress to stderr, and turns errors into exit codes.

    Args:
        as_json: one JSON document on stdout instead of text.
        debug: let expected errors show their traceback.
        quiet: no progress.
    """

    def __init__(self, as_json: bool = False, debug: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.debug = debug
        self.quiet = quiet
        self.document: dict[str, Any] | None = None
        self.warnings: list[Problem] = []

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ZooError) and not self.debug:
            self._fail(error)
        if isinstance(error, KeyboardInterrupt) and not self.debug:
            self._fail(Interrupted("interrupted"))
        if isinstance(error, BrokenPipeError):
            # Whoever read our output has gone; Python must not complain again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0)
        if (
            self.as_json
            and self.document is not None
            and (error is None or isinstance(error, typer.Exit))
        ):
            told = [problem.as_json() for problem in self.warnings]
            print(json.dumps({**self.document, **({"warnings": told} if told else {})}))

    def _fail(self, error: ZooError) -> None:
        if self.as_json:
            document = {**(self.document or {}), **error.facts, "error": error.as_json()}
            print(json.dumps(document))
        else:
            print(f"zoo: {error}" if error.message else str(error), file=sys.stderr)
        raise typer.Exit(error.exit_code) from None

    def result(self, document: dict[str, Any]) -> None:
        """What `--json` prints; further calls add to it."""
        self.document = {**(self.document or {}), **document}

    def text(self, text: str) -> None:
        """What people read; nothing under `--json`."""
        if not self.as_json:
            print(text)

    def note(self, text: str) -> None:
        """Progress in words, on stderr."""
        if not self.quiet:
            print(text, file=sys.stderr)

    def warn(self, problem: Problem) -> None:
        """What is allowed and likely to hurt: a line on stderr, an entry of `--json`."""
        self.warnings.append(problem)
        if not self.quiet and not self.as_json:
            print(f"warning: {problem}", file=sys.stderr)

    def console(self) -> Console:
        """Rich's console on stderr, silent under `-q`."""
        from rich.console import Console

        return Console(stderr=True, quiet=self.quiet)


def columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows as lines of aligned columns; `right` are flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def amount(number: float, unit: str = "") -> str:
    """1234567 as `1.23 M`."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {prefix}{unit}"
    return f"{number:g} {unit}".rstrip()


def layer_table(recipe: Recipe, planned: Plan) -> str:
    """What `zoo show` prints."""
    rows = [["layer", "kind", "output", "parameters", "FLOPs", "activations"]]
    for layer in planned.layers:
        rows.append(
            [
                layer.name,
                layer.kind,
                " x ".join(map(str, layer.output_shape)),
                f"{layer.parameters:,}",
                f"{layer.flops:,}",
                f"{layer.values:,}",
            ]
        )
    batch = recipe.train.batch_size
    memory = planned.activation_bytes
    return "\n".join(
        [
            f"{recipe.name}: {planned.layers[-1].output_shape[0]} classes, "
            f"images {' x '.join(map(str, recipe.image_shape))}",
            "",
            columns(rows, right=(3, 4, 5)),
            "",
            f"parameters  {planned.parameters:,} ({planned.trainable:,} trained, "
            f"{planned.fixed:,} not)",
            f"FLOPs       {amount(planned.flops)} an image forward (a multiply-add counts 2); "
            "about three times that in training",
            f"memory      {amount(memory, 'B')} of activations an image, "
            f"{amount(memory * batch, 'B')} a batch of {batch}",
        ]
    )


def plan_json(recipe: Recipe, planned: Plan) -> dict[str, Any]:
    """What `zoo show --json` prints."""
    return {
        "name": recipe.name,
        "parameters": planned.parameters,
        "trainable_parameters": planned.trainable,
        "flops": planned.flops,
        "activation_bytes": planned.activation_bytes,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "output_shape": list(layer.output_shape),
                "parameters": layer.parameters,
                "trainable": layer.trainable,
                "flops": layer.flops,
            }
            for layer in planned.layers
        ],
    }
