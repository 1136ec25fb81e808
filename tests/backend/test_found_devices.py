"""The devices that a backend finds, and errors that say what is there."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from zoo.backend import found_devices
from zoo.backend.found_devices import Found, find, require
from zoo.backend.installation import Installation
from zoo.errors import EnvironmentFault

CARDS = Found(2, "NVIDIA H100", on_cpu=False)
CPU = Found(1, "AMD EPYC", on_cpu=True)


def without_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Installation(tensorflow=True, jax=True)
    monkeypatch.setattr(found_devices, "look", lambda: plain)


def test_accelerators_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_devices, "gpus", lambda: ["NVIDIA H100"] * 2)
    assert find("tensorflow") == find("jax") == CARDS


def test_more_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    without_accelerator(monkeypatch)
    require("jax", 2, CARDS)
    require("jax", 1, CPU)
    with pytest.raises(
        EnvironmentFault, match=r"jax finds 2 devices here \(NVIDIA H100\)"
    ) as error:
        require("jax", 4, CARDS)
    assert "Expected at most 2, or `all`" in str(error.value)
    with pytest.raises(EnvironmentFault, match="finds 1 device here.*ask for them in a new proc"):
        require("jax", 4, CPU)
    with pytest.raises(EnvironmentFault, match="Expected at most 16, the parts"):
        require("jax", 17, CPU)


def test_parts_of_a_cpu_do_not_stand_in_for_a_card_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four cards without CUDA libraries trained on four parts of the CPU, with a note alone."""
    lame = Installation(
        tensorflow=True, jax=True, accelerator="NVIDIA GPU",
        tensorflow_obstacle="lacks its CUDA 12 libraries", jax_obstacle="lacks its CUDA plugin",
    )  # fmt: skip
    monkeypatch.setattr(found_devices, "look", lambda: lame)
    parts = Found(4, "AMD EPYC", on_cpu=True)
    with pytest.raises(
        EnvironmentFault, match="has a NVIDIA GPU, and tensorflow lacks its CUDA 12"
    ):
        require("tensorflow", 4, parts)
    with pytest.raises(EnvironmentFault, match="and jax lacks its CUDA plugin. Mend that"):
        require("jax", 4, parts)
    require("jax", 1, CPU)


def test_a_divided_cpu_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own number of logical devices, and one device, change nothing."""
    jax = SimpleNamespace(config=SimpleNamespace(update=lambda *_: pytest.fail("changed")))
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    for request in (None, 1, "all", 17, 2):
        found_devices.divide_cpu("jax", request)
