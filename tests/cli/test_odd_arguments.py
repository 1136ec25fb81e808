"""Every verb with odd values for its arguments and flags: an answer in words, never a traceback.

Verbs get a recipe, run or export that is not there, so that nothing is trained; `new` looks at the
digits. `doctor`, which measures the machine, is left out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recipe.oracle import LONGEST, called, command, limited, told

ODD = (
    "", " ", "-1", "0", "1e9", "99999999999999999999", "nan", "none", "x" * 300, "x" * 5_000, "é",
    "\udcff", "a\nb", "\x1b[2J", ".", "..", "/dev/null", "/nowhere/x/y", "~nosuchuser", "a\0b",
    "http://x", "{}", "[]", "=", "a=b", "--", "-", "*", "tfds:", "tfds:../x", "/proc/self/mem",
    "name=x", "data.source={folder: /proc}", "data.source.folder=x", "C:\\temp", "0.0.0.0:99", "%s",
)  # fmt: skip
MISSING = ("recipe.yaml", "missing", "folder")
FRAMEWORK = 20.0  # Seconds of the processor: a verb may import a framework.


def cases() -> Iterator[list[str]]:
    """(verb, arguments): each flag and each argument with each odd value."""
    rng = random.Random(0)
    for verb, entry in command().commands.items():
        if verb == "doctor":
            continue
        takes_path = any(param.param_type_name == "argument" for param in entry.params)
        for param in entry.params:
            if param.param_type_name == "argument":
                yield from ([verb, odd] for odd in ODD)
            elif param.name not in ("help", "debug"):
                flag = max(param.opts, key=len)
                for value in [[]] if param.is_flag else [[odd] for odd in ODD]:
                    yield [verb, *([rng.choice(MISSING)] if takes_path else []), flag, *value]
    yield from (["show", "digits-tiny", "--set", odd] for odd in ODD)
    yield from (["new", "digits", "-o", odd] for odd in ODD)


CASES = list(cases())


def wrong_answer(arguments: list[str]) -> str | None:
    """What is wrong with the answer to a command line; None: nothing."""
    try:
        with limited(FRAMEWORK):
            code, out, err = called(arguments)
    except Exception as error:
        return told(error)
    if code not in (0, 2, 3, 4):
        return f"exit code {code}"
    if code and not (out or err).strip():
        return "an error without words"
    return f"a message of {len(err):,} characters" if len(err) > LONGEST else None


def require_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, some: list[list[str]]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text("name: [", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    wrong = {}
    for arguments in some:
        answer = wrong_answer(arguments)
        if answer:
            wrong[" ".join(arguments)[:200]] = answer
    assert not wrong


def test_odd_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    light = [case for case in CASES if case[0] in ("list", "show", "diff", "schema", "new")]
    chosen = random.Random(1).sample([case for case in light if case[:2] != ["new", "digits"]], 150)
    require_words(tmp_path, monkeypatch, chosen)


@pytest.mark.laws
def test_all_odd_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(CASES) > 1_000
    require_words(tmp_path, monkeypatch, CASES)
