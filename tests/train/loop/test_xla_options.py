"""Options of XLA, where it knows them and the user has not set them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("jax")

from zoo.train.loop import xla_options
from zoo.train.loop.xla_options import OPTIONS, compiler_options


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    compiler_options.cache_clear()
    yield
    compiler_options.cache_clear()


def test_this_jax_knows_them() -> None:
    assert compiler_options() == OPTIONS


def test_an_option_that_jax_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xla_options, "OPTIONS", {**OPTIONS, "xla_gpu_of_tomorrow": True})
    assert compiler_options() == {}


def test_the_users_flags_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_graph_min_graph_size=5")
    assert set(OPTIONS) - set(compiler_options()) == {"xla_gpu_graph_min_graph_size"}
