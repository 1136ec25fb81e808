"""All verbs, and `import zoo`, take the same folder for the same RUN, and say which they took."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

import zoo
from tests.cli.calls import call
from zoo.cli import app
from zoo.errors import RunError
from zoo.files.json_files import dumps
from zoo.rundir.kinds import MARKS, NOUNS, Kind
from zoo.rundir.resolving import ALL

RUN: tuple[Kind, ...] = ("run",)
# Verb -> what stands around the folder, and the kinds that the verb takes.
VERBS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[Kind, ...]]] = {
    "evaluate": ((), (), RUN),
    "export": ((), (), RUN),
    "predict": ((), ("tests/pictures.py",), RUN),
    "serve": ((), (), RUN),
    "diff": ((), ("digits-tiny",), RUN),
    "train": (("--resume",), (), ("run", "folds")),
    "log": ((), ("--to", "csv"), ("run", "folds", "search")),
    "tune": (("--resume",), (), ("search",)),
    "report": ((), (), ALL),
    "show": ((), (), ALL),
}
# In the order of their times, which is not that of their names.
NAMES: dict[str, Kind] = {
    "zz-best": "run",  # Renamed.
    "20260102-000000-ffff": "run",
    "tune-20260103-000000-ffff": "search",
    "folds-20260104-000000-ffff": "folds",
    "check-20260105-000000-ffff": "check",
}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a recipe. What is in it is damaged, so verbs stop at once."""
    parent = tmp_path_factory.mktemp("runs") / "net"
    for name, kind in NAMES.items():
        (parent / name).mkdir(parents=True)
        text = dumps({"started": "2026-01-01T12:00:00+00:00"})
        (parent / name / MARKS[kind]).write_text(text, encoding="utf-8")
    return parent


def invoked(verb: str, folder: Path) -> Any:
    before, after, _ = VERBS[verb]
    return call(verb, *before, folder, *after)


@pytest.mark.parametrize("verb", VERBS)
def test_the_newest_of_the_kinds_that_a_verb_takes(verb: str, net: Path) -> None:
    kinds = VERBS[verb][2]
    name, kind = [(name, kind) for name, kind in NAMES.items() if kind in kinds][-1]
    result = invoked(verb, net)
    assert result.exit_code == 2 or verb == "show", result.output  # The files are damaged.
    told = " ".join(result.stderr.split())
    noun = f" {NOUNS[kind].partition(' ')[2]}" * (len(kinds) == 1)
    sentence = f"{kind} {net / name}, the newest{noun} in {net}"
    if verb == "diff":  # It tells notes of both sides at its end, which this run does not reach.
        assert f"{net / name}/run.json" in told
    else:
        assert sentence in told
    again = invoked(verb, net / name)
    assert "the newest" not in again.stderr
    assert str(net / name) in again.output


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_of_another_kind_is_said_to_be_one(verb: str, net: Path) -> None:
    for name, kind in NAMES.items():
        if kind not in VERBS[verb][2]:
            result = invoked(verb, net / name)
            assert result.exit_code == 2, result.output
            assert f"{NOUNS[kind]}. Expected a" in result.stderr.replace(" the folder of", "")


def test_all_verbs_that_take_a_folder_are_tested() -> None:
    group: Any = typer.main.get_command(app)
    words = ("RUN", "SEARCH", "EXPORT", "FOLDER", "folder of a run")
    taking = {
        name
        for name, verb in group.commands.items()
        for each in verb.params
        if each.param_type_name == "argument" or each.name == "resume"
        if any(word in f"{each.metavar} {each.help}" for word in words)
    }
    assert taking - {"runs"} == VERBS.keys()  # `zoo runs` takes folders in which it looks.


@pytest.mark.parametrize(
    "take, kinds",
    [
        (zoo.run, RUN),
        (lambda path: zoo.train(resume=path), ("run", "folds")),
        (zoo.search, ("search",)),
        (lambda path: zoo.tune(resume=path), ("search",)),
    ],
    ids=["run", "train", "search", "tune"],
)
def test_python_takes_the_same(
    take: Callable[[str], object], kinds: tuple[Kind, ...], net: Path
) -> None:
    name = [name for name, kind in NAMES.items() if kind in kinds][-1]
    with pytest.raises(RunError, match=f"{name}.*lacks"):
        take(str(net))
    for other, kind in NAMES.items():
        if kind not in kinds:
            with pytest.raises(RunError, match=f"{other}: is {NOUNS[kind]}. Expected"):
                take(str(net / other))
