from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import EnvironmentFault, UsageError
from zoo.trackers import names
from zoo.trackers.names import KINDS, VARIABLE, ChosenTrackers, choose, make, missing, parse


def test_words_are_separated_by_commas_or_repeated() -> None:
    assert parse(["mlflow,csv", "csv", " wandb "]) == ("mlflow", "csv", "wandb")
    assert parse(["none"]) == parse([]) == parse([""], VARIABLE) == ()
    for empty in ("", " , "):  # A script's variable that is not set.
        with pytest.raises(UsageError, match="--log: names no tracker. Expected one or more of"):
            parse([empty])


@pytest.mark.parametrize(
    "words, message",
    [
        (["mlflow,mflow"], r"--log mflow: Expected one or more of mlflow.*did you mean 'mlflow'\?"),
        (["none,csv"], "none excludes all others"),
    ],
)
def test_other_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(words)


@pytest.mark.parametrize(
    "given, tensorboard, begun_with, variable, expected",
    [
        (None, None, None, "", ChosenTrackers(())),
        (None, None, None, "csv", ChosenTrackers(("csv",))),
        (["none"], None, None, "csv", ChosenTrackers(())),
        (["mlflow"], True, None, "csv", ChosenTrackers(("mlflow", "tensorboard"))),
        (["mlflow,tensorboard"], False, None, "", ChosenTrackers(("mlflow",))),
        # A resumed run has its own, whatever the environment says, and is not stopped by them.
        (None, None, ["mlflow"], "csv", ChosenTrackers(("mlflow",), required=False)),
        (
            None, True, ["mlflow", "gone"], "",
            ChosenTrackers(("mlflow", "tensorboard"), required=False),
        ),
        (["none"], None, ["mlflow"], "", ChosenTrackers(())),
    ],
)  # fmt: skip
def test_choice(
    given: list[str] | None,
    tensorboard: bool | None,
    begun_with: list[str] | None,
    variable: str,
    expected: ChosenTrackers,
) -> None:
    assert choose(given, tensorboard, begun_with, {"ZOO_LOG": variable}) == expected


def test_variable_with_a_wrong_word() -> None:
    with pytest.raises(UsageError, match="ZOO_LOG wandbb: .*did you mean 'wandb'"):
        choose(None, environment={"ZOO_LOG": "wandbb"})


@pytest.mark.parametrize("name", KINDS)
def test_each_tracker_is_made(name: str) -> None:
    if missing(name):
        pytest.skip(f"needs {KINDS[name].package}")
    tracker = make(name)  # Imports none of their packages.
    assert (tracker.name, tracker.local) == (name, KINDS[name].local)


def test_a_missing_package_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "find_spec", lambda package: None)
    message = (
        r'--log mlflow: the package mlflow is not installed: pip install "zoo-keras\[mlflow\]"'
    )
    with pytest.raises(EnvironmentFault, match=message):
        make("mlflow")
    assert missing("csv") is None


def test_a_folder_of_a_packages_name_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B makes a folder `wandb` where it works."""
    (tmp_path / "mytracker").mkdir()
    (tmp_path / "mytracker2").mkdir()
    (tmp_path / "mytracker2" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    kinds = {name: names.Kind(name, "", name) for name in ("mytracker", "mytracker2")}
    monkeypatch.setattr(names, "KINDS", kinds)
    assert "is not installed" in str(missing("mytracker"))
    assert missing("mytracker2") is None
