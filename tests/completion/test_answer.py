"""What is offered at the end of a line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import typer.main

from zoo.checks.judge.finding import NAMES
from zoo.cli import app
from zoo.completion.answer import answer
from zoo.completion.serve import printable
from zoo.completion.settings import Settings
from zoo.loading import written_out
from zoo.recipe.overrides import fault, parse_path
from zoo.recipe.shipped import shipped

GROUP = typer.main.get_command(app)
RECIPE = """\
extends: resnet20
name: mine
model:
  blocks: {basic: {parameters: {filters: }, stack: [{conv: $filters}]}}
  stack: [{conv: {filters: 4}}, basic: 8, flatten]
train: {optimizer: {SGD: {momentum: 0.9}}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the user is in, with recipes, runs, a search and a check."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "my recipe.yml", "photo.jpg", "sub/deep.yaml", ".hidden.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(RECIPE, encoding="utf-8")
    for name in ("digits/1/run.json", "digits/1/best.keras", "digits/2/run.json",
                 "digits/tune-3/tune.json", "digits/folds-4/folds.json",
                 "digits/check-5/checks.json", "digits/1/checks.json"):  # fmt: skip
        (tmp_path / "runs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / name).write_text("{}", encoding="utf-8")
    return tmp_path


def offered(line: str) -> list[str]:
    """The words that are offered for the last word of a line."""
    words = shlex.split(line)
    return [each.word for each in answer(GROUP, [*words, ""] if line[-1:] in ("", " ") else words)]


def test_verbs() -> None:
    assert offered("tr") == ["train"]
    assert {"list", "check", "tune", "doctor"} <= set(offered(""))
    assert not any(word.startswith("-") for word in offered(""))
    assert {"--version", "--install-completion"} <= set(offered("--"))
    help_of = {each.word: each.help for each in answer(GROUP, [""])}
    assert help_of["check"].startswith("Check a recipe before")


@pytest.mark.parametrize(
    "line, words",
    [
        ("train my", ["my recipe.yml"]),
        ("show resnet2", ["resnet20"]),
        ("train s", ["senet20", "sub/"]),
        ("train sub/", ["sub/deep.yaml"]),
        ("train mine.yaml ", []),
        ("schema --write mi", ["mine.yaml"]),
        ("predict runs/digits/1 ph", ["photo.jpg"]),
        ("predict runs/digits/1 photo.jpg ph", ["photo.jpg"]),
    ],
)
def test_recipes_and_files(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_every_recipe_that_ships_with_its_data() -> None:
    found = {each.word: each.help for each in answer(GROUP, ["train", ""])}
    assert set(shipped()) <= found.keys()
    assert found["resnet20"] == "cifar10"
    assert {"mine.yaml", "sub/", "runs/"} <= found.keys()
    assert not {"photo.jpg", ".hidden.yaml"} & found.keys()


@pytest.mark.parametrize(
    "line, words",
    [
        ("evaluate ru", ["runs/digits/1"]),
        ("export runs/", ["runs/digits/1"]),
        ("train --resume runs/", ["runs/digits/folds-4", "runs/digits/2", "runs/digits/1"]),
        ("tune --resume ", ["runs/digits/tune-3", "sub/"]),
        ("report runs/digits/c", ["runs/digits/check-5"]),
        ("diff mine.yaml runs/digits/2", ["runs/digits/2"]),
        ("train mine.yaml --out ", ["runs/", "sub/"]),
    ],
)
def test_folders_by_what_the_verb_takes(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_flags() -> None:
    assert offered("check mine.yaml --pl") == ["--plots"]
    assert "--json" not in offered("check mine.yaml --json --")
    assert "--set" in offered("check mine.yaml --set train.epochs=1 --")  # It may be repeated.
    assert offered("check mine.yaml --out --") == []  # Its value is awaited.


@pytest.mark.parametrize(
    "line, words",
    [
        ("export runs/digits/1 --format ke", ["keras"]),
        ("export runs/digits/1 --format=ke", ["--format=keras"]),
        ("evaluate runs/digits/1 --split v", ["validation"]),
        ("train mine.yaml --devices ", ["all"]),
        ("runs --status k", ["killed"]),
        ("check mine.yaml --only C0", [name for name in NAMES if name.startswith("C0")]),
        ("check mine.yaml --only C01,C2", ["C01,C20", "C01,C21", "C01,C25", "C01,C26", "C01,C27"]),
        ("evaluate runs/digits/1 --set ", ["data.source."]),
        (
            "evaluate runs/digits/1 --set data.source.fo",
            ["data.source.folder.", "data.source.folder="],
        ),
    ],
)
def test_values(line: str, words: list[str]) -> None:
    assert offered(line) == words


@pytest.mark.parametrize(
    "typed, words",
    [
        ("train.epo", ["train.epochs="]),
        ("tra", ["train."]),
        ("model.st", ["model.stack["]),
        ("model.stack[", ["model.stack[0].", "model.stack[1].", "model.stack[2]."]),
        ("model.stack[0].", ["model.stack[0].conv.", "model.stack[0].conv="]),
        ("model.stack[0].conv.pool", ["model.stack[0].conv.pool.", "model.stack[0].conv.pool="]),
        ("model.stack[0].conv.pool=", ["model.stack[0].conv.pool=max",
                                       "model.stack[0].conv.pool=average",
                                       "model.stack[0].conv.pool=none"]),
        ("model.blocks.", ["model.blocks.basic."]),
        # Another word is set as a whole.
        ("train.optimizer.", ["train.optimizer.SGD.", "train.optimizer.SGD="]),
        ("train.optimizer.SGD.nest", ["train.optimizer.SGD.nesterov="]),
        ("train.optimizer.SGD.nesterov=", ["train.optimizer.SGD.nesterov=true",
                                           "train.optimizer.SGD.nesterov=false"]),
        ("train.loss=soft", ["train.loss=softmax"]),
        ("data.augment[1].", ["data.augment[1].random_crop."]),  # Of the recipe that it extends.
        ("train.epochs=", []),
        ("train.nothing.", []),
        ("]][", []),
        ("model.stack[99].", []),
    ],
)  # fmt: skip
def test_paths_of_set(typed: str, words: list[str]) -> None:
    assert offered(f"train mine.yaml --set '{typed}'")[: len(words) or None] == words


def test_words_have_their_meaning() -> None:
    found = {each.word: each.help for each in Settings(None).complete("model.defaults.activation=")}
    assert found["model.defaults.activation=relu"] == "max(0, x)"
    keys = {each.word: each.help for each in Settings("digits-tiny").complete("train.ba")}
    assert keys["train.batch_size="].startswith("Images in a step")


def test_what_is_offered_can_be_set() -> None:
    """Paths from the root on, which `--set` takes."""
    data = written_out(shipped()["digits-tiny"])
    settings, pending, ends = Settings("digits-tiny"), ["train.", "model.", "evaluate."], 0
    while pending:
        for each in settings.complete(pending.pop()):
            if each.word.endswith((".", "[")) and each.word.count(".") < 5:
                pending.append(each.word)
            elif each.word.endswith("="):
                path = parse_path(each.word[:-1])
                assert path is not None, each.word
                assert fault(data, path) is None, each.word
                ends += 1
    assert ends > 200


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "extends: 3", "extends: nothing", "\x00"])
def test_a_recipe_that_cannot_be_read(text: str) -> None:
    """The schema alone is left."""
    Path("broken.yaml").write_text(text, encoding="utf-8")
    assert offered("train broken.yaml --set train.epo") == ["train.epochs="]
    assert offered("train nothing.yaml --set train.epo") == ["train.epochs="]


def test_names_that_no_line_can_hold() -> None:
    Path("a\nb.yaml").write_text("", encoding="utf-8")
    assert "a\nb.yaml" not in {each.word for each in printable(answer(GROUP, ["train", "a"]))}


def test_the_catalogue_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda text: [])
    assert offered("train resnet2") == ["resnet20"]
