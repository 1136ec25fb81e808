"""Which loop a training takes, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs import copied, tiny
from zoo import backend
from zoo.datasets.load import load
from zoo.datasets.splits import Splits
from zoo.errors import RecipeError
from zoo.rundir import Run
from zoo.training import resume
from zoo.training.loop import choose as module
from zoo.training.loop.choose import LoopChoice, begun, choose

MIXED = ("data.augment=[mixup]", "train.class_weight=balanced")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Splits:
    return load(tiny(tmp_path_factory.mktemp("digits")))


def test_the_device_where_the_images_fit(tmp_path: Path, digits: Splits) -> None:
    """That is the default."""
    choice = choose(tiny(tmp_path), digits)
    assert choice.loop == "device"
    assert str(choice) == "loop: device (97.7 kB of images stay on the device)"


def test_the_host_where_it_is_asked_for(tmp_path: Path, digits: Splits) -> None:
    """By the recipe, or by the run that is resumed."""
    assert choose(tiny(tmp_path, "train.loop=host"), digits).loop == "host"
    resumed = choose(tiny(tmp_path), digits, begun({"loop": "host"}))
    assert resumed.loop == "host"
    assert "the run began with it" in resumed.reason


@pytest.mark.parametrize(
    "overrides, reason",
    [(MIXED, "class weights"), (("data.augment=[rand_augment]",), "rand_augment")],
)
def test_the_host_where_it_must(
    tmp_path: Path, digits: Splits, overrides: tuple[str, ...], reason: str
) -> None:
    """`auto` says why; `device` is refused with the reason and what to do."""
    choice = choose(tiny(tmp_path, *overrides), digits)
    assert choice.loop == "host"
    assert reason in choice.reason
    with pytest.raises(RecipeError, match="train.loop") as refused:
        choose(tiny(tmp_path, *overrides, "train.loop=device"), digits)
    assert reason in str(refused.value)
    assert "Set train.loop to host or auto" in str(refused.value)


def test_images_that_do_not_fit(
    tmp_path: Path, digits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are streamed; sizes of what is needed and of what is free are said."""
    monkeypatch.setattr(module, "free_memory", lambda: 500_000)
    for overrides in ((), ("train.loop=device",)):
        choice = choose(tiny(tmp_path, *overrides), digits)
        assert (choice.loop, choice.streams) == ("device", True)
        assert str(choice) == (
            "loop: device (streams 1,437 images of 64 bytes: they take 97.7 kB, more than 10% of "
            "the 500.0 kB that are free on the device)"
        )
    assert choose(tiny(tmp_path, "train.loop=host"), digits).loop == "host"
    monkeypatch.setattr(backend, "on_gpu", lambda: True)
    assert not choose(tiny(tmp_path), digits).streams
    monkeypatch.setattr(module, "free_memory", lambda: None)
    assert not choose(tiny(tmp_path), digits).streams


def test_images_in_files_are_streamed(tmp_path: Path, digits: Splits) -> None:
    """However much memory is free: the user wanted it so, or they do not fit into the host's."""
    data = replace(digits, train=replace(digits.train, streamed=True))  # type: ignore[type-var]
    choice = choose(tiny(tmp_path), data)
    assert (choice.loop, choice.streams) == ("device", True)
    assert "images of 64 bytes: their files are decoded as needed" in choice.reason


def test_a_resumed_run_needs_no_estimate(
    tmp_path: Path, digits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that others use for the moment keeps nobody from going on; a lack of the word does."""
    resident, streamed = begun({"loop": "device"}), begun({"loop": "device", "streams": True})
    assert choose(tiny(tmp_path), digits, streamed).streams
    monkeypatch.setattr(module, "free_memory", lambda: 0)
    assert choose(tiny(tmp_path), digits).streams
    assert not choose(tiny(tmp_path), digits, resident).streams
    with pytest.raises(RecipeError, match="rand_augment.* Resume the run where it began"):
        choose(tiny(tmp_path, "data.augment=[rand_augment]"), digits, resident)


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

    def spy(recipe: object, data: object, before: LoopChoice) -> object:
        asked.append((before.loop, before.streams))
        return choose(recipe, data, before)  # type: ignore[arg-type]

    monkeypatch.setattr("zoo.training.resuming.choose", spy)
    run.update(status="interrupted", loop=None, streams=None)
    resume(run.folder)
    run.update(status="interrupted", loop="device")
    resume(run.folder)
    assert asked == [("host", False), ("device", False)]
