"""What must hold of every recipe, whatever is in it: it is used as it is, or refused in words."""

from __future__ import annotations

import io
import json
import resource
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import Any

import typer

from tests.hang import SECONDS, Hang, limited
from tests.recipe.mutations import Case
from tuning.trial_source import dimensions
from zoo.cli import app
from zoo.errors import ZooError
from zoo.recipe import Recipe, Template, dump, load
from zoo.recipe.space import with_parents

BYTES = 1 << 30
LONGEST_LINE = 1_200  # Of a message: it lists words, and says what to do.
LONGEST = 40 * LONGEST_LINE


def most_memory() -> int:
    """The most bytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fault(case: Case, file: Path) -> str | None:
    """What is wrong with the answer to a case; None: nothing.

    `zoo show` answers first, by its table or, for every other case, in JSON; an accepted recipe is
    then written, read again and compared.
    """
    file.write_text(case.text, encoding="utf-8", errors="surrogatepass")
    arguments = ["show", str(file), *(arg for text in case.overrides for arg in ("--set", text))]
    as_json = len(case.text) % 2 == 1
    before = most_memory()
    try:
        with limited():
            found = _answer([*arguments, "--json"] if as_json else arguments, as_json)
        found = found or _round_trip(file, case.overrides)
    except Hang:
        return f"hang over {SECONDS:g} s"
    if found is None and most_memory() - before > BYTES:
        return f"took {most_memory() - before:,} bytes"
    return found


@cache
def command() -> Any:
    """The command line; making it takes longer than most cases."""
    return typer.main.get_command(app)


def called(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command line; exceptions but SystemExit are raised."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            command().main(arguments, prog_name="zoo")
    except SystemExit as exit:
        return int(exit.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def _answer(arguments: list[str], as_json: bool) -> str | None:
    try:
        code, out, err = called(arguments)
    except Exception as error:
        return _bug(error)
    if code not in (0, 2, 3):
        return f"exit code {code}"
    if code and not as_json and (out or not err.strip()):
        return "an error without words"
    if as_json and out:
        # A wrong flag is answered by the command line itself, in text.
        json.loads(out, parse_constant=_no_json)
    lines = err.split("\n")
    if max(map(len, lines), default=0) > LONGEST_LINE or len(err) > LONGEST:
        return f"a message of {len(err):,} characters"
    return "control characters in a message" if any(map(_raw, lines)) else None


def _raw(line: str) -> bool:
    return any(letter < " " or "\x7f" <= letter <= "\x9f" for letter in line)


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _round_trip(file: Path, overrides: Iterable[str]) -> str | None:
    try:
        with limited():
            recipe = load(str(file), tuple(overrides))
    except ZooError:
        return None
    except Exception as error:
        return _bug(error)
    with limited():
        text = dump(recipe)
    file.write_text(text, encoding="utf-8")
    try:
        with limited():
            again = load(str(file))
    except ZooError as error:
        return f"its own recipe.yaml is refused: {str(error)[:200]}"
    except Exception as error:
        return f"its own recipe.yaml: {_bug(error)}"
    if again != recipe or dump(again) != text:
        return "its own recipe.yaml is another recipe"
    if recipe.tune is None:
        return None
    try:
        with limited():
            return _search(file, recipe)
    except Exception as error:
        return f"its search: {_bug(error)}"


def _search(file: Path, recipe: Recipe) -> str | None:
    """What is wrong with the search of a recipe: its ranges, a trial's values, its own recipe."""
    assert recipe.tune is not None
    template = Template(str(file))
    space = dimensions(template, recipe.tune)
    for path, dimension in space.items():
        values = {**with_parents(recipe.tune, path), path: dimension.at(0.5)}
        with suppress(ZooError):  # Values that do not fit together are drawn again.
            template.filled(values)
    file.write_text(template.dump(), encoding="utf-8")
    return None if load(str(file)) == recipe else "a search's own recipe.yaml is another recipe"


def _bug(error: Exception) -> str:
    if isinstance(error, Hang):
        raise error
    return told(error)


def told(error: BaseException) -> str:
    """An exception by its type and the line of ours that it came from."""
    ours = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "/zoo/" in frame.filename
    ]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "?"
    return f"{type(error).__name__} in {place}: {str(error)[:80]}"


def faults(
    numbers: Iterable[int], make: Callable[[int], Case], file: Path
) -> tuple[dict[int, str], Counter[str]]:
    """The cases that are answered wrongly, by their numbers; and how often each fault occurs."""
    found: dict[int, str] = {}
    for number in numbers:
        wrong = fault(make(number), file)
        if wrong is not None:
            found[number] = wrong
    return found, Counter(wrong[:110] for wrong in found.values())
