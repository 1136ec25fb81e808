"""What a worker runs of the user's own parts: the text that the head allowed, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runs import TINY
from tuning.executors import session
from tuning.executors.base import Failed
from tuning.executors.messages import Command, Reply, Setup, decode, encode
from zoo.errors import DataError, PluginRefused
from zoo.plugins import permission, source
from zoo.recipe import Recipe, load

PART = (
    "import keras\nclass Half(keras.layers.Layer):\n"
    "    def call(self, x):\n        return x[:, :, :4]\n"
)


class Channel(session.Channel):
    """Gives one command, after a trip over the wire, and keeps the replies."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.replies: list[Reply] = []

    def send(self, reply: Reply) -> None:
        self.replies.append(decode(encode(reply)))

    def receive(self) -> Command:
        command: Command = decode(encode(self.setup))
        return command


@pytest.fixture(autouse=True)
def _no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("zoo.files.streams.guard", lambda: None)  # Those of the tests stay.
    permission.allow(False)
    yield
    permission.allow(False)
    source.hand_over({})


def failure(setup: Setup) -> Any:
    """The error that ends a worker's work; that of its data, if its parts ran."""

    def no_data(recipe: Recipe, alive: Callable[[], None]) -> Any:
        raise DataError(f"the parts of {recipe.plugins} ran")

    channel = Channel(setup)
    session.work(channel, no_data)
    (reply,) = channel.replies
    assert isinstance(reply, Failed)
    return reply.error


def test_the_text_that_was_allowed_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(PART, encoding="utf-8")
    recipe = tmp_path / "own.yaml"
    stack = "  stack:\n    - Half\n"
    recipe.write_text(f"plugins: [{file}:Half]\n" + TINY.replace("  stack:\n", stack), "utf-8")
    permission.allow()
    permission.require(part for part in [load(str(recipe)).model.stack[0].part])
    texts = {str(file): permission.texts()[str(file)]}
    permission.allow(False)
    file.write_text("raise SystemExit\n", encoding="utf-8")
    error = failure(Setup(recipe=str(recipe), overrides=[], plugins=texts))
    assert isinstance(error, DataError), error
    file.write_text(PART, encoding="utf-8")
    error = failure(Setup(recipe=str(recipe), overrides=[]))  # A recipe gives no permission.
    assert isinstance(error, PluginRefused), error
