"""Which loop a training takes, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs import copied, tiny
from zoo import backend
from zoo.data.load import load
from zoo.data.splits import Splits
from zoo.errors import RecipeError
from zoo.rundir import Run
from zoo.train import resume
from zoo.train.loop import choose as module
from zoo.train.loop.choose import choose

MIXED = ("data.augment=[mixup]", "train.class_weight=balanced")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return load(tiny(tmp_path_factory.mktemp("digits")))


def test_the_device_where_the_images_fit(tmp_path: Path, digits: Splits) -> None:
    """That is the default."""
    choice = choose(tiny(tmp_path), digits)
    assert choice.loop == "device"
    assert str(choice) == "loop: device (0.093 MB of images stay on the device)"


def test_the_host_where_it_is_asked_for(tmp_path: Path, digits: Splits) -> None:
    """By the recipe, or by the run that is resumed."""
    assert choose(tiny(tmp_path, "train.loop=host"), digits).loop == "host"
    resumed = choose(tiny(tmp_path), digits, before="host")
    assert resumed.loop == "host"
    assert "the run began with it" in resumed.reason


def streamed(data: Splits) -> Splits:
    return replace(data, train=replace(data.train, streamed=True))  # type: ignore[type-var]


@pytest.mark.parametrize(
    "overrides, change, reason",
    [
        ((), streamed, "streamed"),
        (MIXED, lambda data: data, "class weights"),
        (("data.augment=[rand_augment]",), lambda data: data, "rand_augment"),
    ],
)
def test_the_host_where_it_must(
    tmp_path: Path, overrides: tuple[str, ...], change: object, reason: str
) -> None:
    """`auto` says why; `device` is refused with the reason and what to do."""
    data = change(load(tiny(tmp_path)))  # type: ignore[operator]
    choice = choose(tiny(tmp_path, *overrides), data)
    assert choice.loop == "host"
    assert reason in choice.reason
    with pytest.raises(RecipeError, match="train.loop") as refused:
        choose(tiny(tmp_path, *overrides, "train.loop=device"), data)
    assert reason in str(refused.value)
    assert "Set train.loop to host or auto" in str(refused.value)


def test_images_that_do_not_fit(
    tmp_path: Path, digits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes of what is needed and of what is free are said."""
    monkeypatch.setattr(module, "free_memory", lambda: 2**19)
    choice = choose(tiny(tmp_path), digits)
    assert choice.loop == "host"
    assert "10% of the 0.5 MB that are free" in choice.reason
    monkeypatch.setattr(backend, "on_gpu", lambda: True)
    assert choose(tiny(tmp_path), digits).loop == "device"
    monkeypatch.setattr(module, "free_memory", lambda: None)
    assert choose(tiny(tmp_path), digits).loop == "device"


def test_a_resumed_run_needs_no_estimate(
    tmp_path: Path, digits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that others use for the moment keeps nobody from going on; a lack of the word does."""
    monkeypatch.setattr(module, "free_memory", lambda: 0)
    assert choose(tiny(tmp_path), digits).loop == "host"
    assert choose(tiny(tmp_path), digits, before="device").loop == "device"
    with pytest.raises(RecipeError, match="rand_augment.* Resume the run where it began"):
        choose(tiny(tmp_path, "data.augment=[rand_augment]"), digits, before="device")


def test_memory_that_holds_files_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux fills free memory with files that were read, and gives it back."""
    lines = tmp_path / "meminfo"
    lines.write_text("MemTotal: 900 kB\nMemFree: 100 kB\nMemAvailable: 800 kB\n")
    assert module._free_memory_of_host(str(lines)) == 800 * 1024
    monkeypatch.setattr(module.os, "sysconf", lambda name: 30)
    assert module._free_memory_of_host(str(tmp_path / "none")) == 30 * 30
    lines.write_text("MemTotal: 900 kB\n")
    assert module._free_memory_of_host(str(lines)) == 30 * 30


def test_a_run_from_before_goes_on_with_the_host_loop(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older runs do not name their loop: there was one."""
    run = copied(trained, tmp_path)
    info = run.info()
    assert info["loop"] == "device"
    asked = []

    def spy(recipe: object, data: object, before: str | None = None) -> object:
        asked.append(before)
        return choose(recipe, data, before)  # type: ignore[arg-type]

    monkeypatch.setattr("zoo.train.resuming.choose", spy)
    run.update(status="interrupted", loop=None)
    resume(run.folder)
    run.update(status="interrupted", loop="device")
    resume(run.folder)
    assert asked == ["host", "device"]
