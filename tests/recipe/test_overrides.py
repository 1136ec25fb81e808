"""`--set` changes any key, and its errors name the flag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.recipe.files import messages
from zoo.errors import UsageError
from zoo.recipe import load


@pytest.mark.parametrize(
    "overrides, get, value",
    [
        (["train.epochs=5"], lambda r: r.train.epochs, 5),
        (["train.epochs = 5"], lambda r: r.train.epochs, 5),
        (["train.epochs=0", "train.epochs=5"], lambda r: r.train.epochs, 5),
        (["train.optimizer=SGD"], lambda r: r.train.optimizer.word, "SGD"),
        (
            ["train.optimizer.SGD.learning_rate=3e-4"],
            lambda r: r.train.optimizer.options.learning_rate,
            3e-4,
        ),
        (
            ["train.optimizer=SGD", "train.optimizer.SGD.momentum=0.9"],
            lambda r: r.train.optimizer.options.momentum,
            0.9,
        ),
        (
            ["train.optimizer={SGD: 0.5}", "train.optimizer.SGD.momentum=0.9"],
            lambda r: r.train.optimizer.options.learning_rate,
            0.5,
        ),
        (["model.stack[0].conv.filters=8"], lambda r: r.model.stack[0].options.filters, 8),
        (["model.stack[0]=flatten"], lambda r: r.model.stack[0].word, "flatten"),
        (["model.stack=[{fc: 3}, {fc: 4}]"], lambda r: r.model.stack[1].options.units, 4),
        (
            [
                "model.stack=[{residual: [{conv: 4}]}]",
                "model.stack[0].residual.stack[0].conv.filters=3",
                "model.stack[0].residual.shortcut=projection",
            ],
            lambda r: (
                r.model.stack[0].options.stack[0].options.filters,
                r.model.stack[0].options.shortcut,
            ),
            (3, "projection"),
        ),
        (
            [
                "model.stack=[{branches: [[], [{conv: 4}]]}]",
                "model.stack[0].branches.stacks[1][0].conv.filters=3",
            ],
            lambda r: r.model.stack[0].options.stacks[1][0].options.filters,
            3,
        ),
        (
            ["model.defaults.batch_norm.momentum=0.5"],
            lambda r: r.model.stack[0].options.batch_norm.momentum,
            0.5,
        ),
        (
            ["data.source={folder: X}", "data.image_size=[16, 8]"],
            lambda r: (r.data.source.word, r.data.image_size),
            ("folder", (16, 8)),
        ),
        (
            ["data.source={folder: X}", "data.source.folder.test_split=0.5", "data.image_size=8"],
            lambda r: (r.data.source.options.path[-2:], r.data.source.options.test_split),
            ("/X", 0.5),
        ),
    ],
)
def test_set(minimal: Path, overrides: list[str], get: Any, value: Any) -> None:
    assert get(load(str(minimal), overrides)) == value


@pytest.mark.parametrize(
    "change, path, message",
    [
        ("train.epochs=x", "train.epochs", "wrong type. Expected a whole number. Received 'x'"),
        ("train.epochs=", "train.epochs", "wrong type. Expected a whole number. Received nothing."),
        ("train.epochs=0", "train.epochs", "out of range. Expected at least 1. Received 0."),
        ("train.epochs=[1", "train.epochs", "not valid YAML: while parsing a flow sequence"),
        ("train.epochs=!a 1", "train.epochs", "tag !a is not allowed"),
        ("train={epochs: 1, epochs: 2}", "train.epochs", "duplicate key"),
        ("train.epochs.now=3", "train.epochs.now", "train.epochs holds a value, not a map."),
        ("train.epoch=3", "train.epoch", "unknown key; did you mean 'epochs'?"),
        ("train.lr=3", "train.lr", "unknown key; 'learning_rate' belongs in train.optimizer."),
        ("model.stak[0].conv.filters=8", "model.stak", "unknown key; did you mean 'stack'?"),
        ("model.stack[1]={fc: 3}", "model.stack[1]", "no item 1; model.stack has 1 item, [0]."),
        ("model.stack.0.conv.filters=8", "model.stack.0", "write its items as model.stack[0]."),
        ("name[0]=x", "name[0]", "name is not a list, so it has no item 0."),
        (
            "data.source.tfds.name=mnist",
            "data.source.tfds",
            "the recipe has digits there. To take another word, set all of it: "
            "data.source={tfds: ...}",
        ),
        ("train.optimizer.Adan=3", "train.optimizer.Adan", "unknown key; did you mean 'Adam'?"),
    ],
)
def test_set_errors_tell_their_flag(minimal: Path, change: str, path: str, message: str) -> None:
    (line,) = messages(str(minimal), change)
    assert line.startswith(f"--set {change}: {path}: ")
    assert message in line


@pytest.mark.parametrize(
    "change",
    ["train.epochs", "=3", "train..epochs=3", "stack[-1]=3", "", "a[" + "9" * 5_000 + "]=3"],
)
def test_not_a_change(minimal: Path, change: str) -> None:
    with pytest.raises(
        UsageError, match="not a change. Expected PATH=VALUE, for example"
    ) as caught:
        load(str(minimal), [change])
    assert caught.value.exit_code == 2


def test_a_list_for_a_word_is_short_for_its_first_option(minimal: Path) -> None:
    changes = ["model.stack=[{residual: [{conv: 4}]}]", "model.stack[0].residual[0].conv=3"]
    with pytest.raises(UsageError, match=r"is short for model.stack\[0\].residual.stack. Expected"):
        load(str(minimal), changes)
