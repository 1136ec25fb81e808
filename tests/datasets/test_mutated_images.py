"""Damaged image files are decoded, or counted bad with a reason; nothing else happens.

`make laws` runs 3,000 of them through the readers of training, `zoo new`, `zoo predict`.
"""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL
import pytest

from tests.datasets.conftest import make_recipe
from tests.hang import limited
from tests.mutations import mutated, seeds
from zoo.datasets.decoding.images import decode
from zoo.datasets.load import load
from zoo.datasets.spec import BadImage, ImageSpec
from zoo.new.inspect_folder import inspect_folder
from zoo.predict import predict
from zoo.progress import no_progress

CASES, MANY = 150, 3000
MEGABYTES = 1000  # A file that takes more is a bomb.
SPEC = ImageSpec(16, 12, 3)
# Training's, and those of recipes with words on transparency and range.
SPECS = (
    SPEC,
    replace(SPEC, channels=1, transparency="alpha", value_range=(0.0, 1000.0)),
    replace(SPEC, transparency=(255, 255, 255), value_range=(-10.0, 300.5)),
)


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def test_seeds_decode() -> None:
    """The files that are damaged below are good: only floats want a range."""
    for name, content in seeds().items():
        if name == "TIFF YCbCr" and int(PIL.__version__.partition(".")[0]) < 13:
            continue  # Older ones cannot read what they write.
        spec = SPECS[2] if name in ("TIFF F", "PFM") else SPEC
        assert decode(content, spec, measure=True).content is not None, name


def decoded_or_refused(cases: int) -> int:
    """Decodes damaged files under each spec; returns how many decode under the first."""
    good = 0
    start = megabytes()
    for name, content in mutated(cases):
        for spec in SPECS:
            with limited(what=name):
                try:
                    decode(content, spec, measure=spec is not SPECS[1])
                    good += spec is SPEC
                except BadImage as error:
                    assert str(error), name
                    assert "\n" not in str(error), name
        assert megabytes() - start < MEGABYTES, name
    return good


def folder_accounted_for(cases: int, tmp_path: Path) -> None:
    """Every damaged file is used or listed, by training, `zoo new` and `zoo predict` alike."""
    names = {}
    for number, (name, content) in enumerate(mutated(cases, seed=1)):
        file = tmp_path / "set" / f"class{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        names[str(file.relative_to(tmp_path / "set"))] = name
    recipe = make_recipe({"folder": str(tmp_path / "set")}, on_bad_image="skip")
    splits = load(recipe)
    parts: list[Any] = [splits.train, splits.validation, splits.test]
    used = [file for part in parts for file in part.files]
    bad = [note.split(": ")[0] for note in splits.notes if note.startswith("left out ")]
    findings = inspect_folder(str(tmp_path / "set"), no_progress)
    assert len(used) == len(set(used))
    listed = {path for path, _ in findings.bad}
    unranged = {path for path in names if path not in used and path not in listed}
    # `zoo new` proposes a range where training without one would refuse.
    assert findings.pixels.unranged == len(unranged)
    assert bad
    assert all(path not in listed for path in used)
    predictions = list(predict(_Flat(), [tmp_path / "set" / path for path in names], top=1))
    assert len(predictions) == len(names)
    answered = {p.path.removeprefix(f"{tmp_path / 'set'}/") for p in predictions if not p.error}
    assert answered == set(used)


class _Flat:
    """A classifier that finds all classes alike."""

    class_names = ["a", "b"]
    spec = SPEC

    def probabilities(self, images: Any) -> Any:
        return images[:, 0, 0, :2] * 0 + 0.5


def test_damaged_files(capfd: pytest.CaptureFixture[str]) -> None:
    assert CASES // 20 < decoded_or_refused(CASES) < CASES
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""


def test_folder_of_damaged_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder_accounted_for(CASES, tmp_path)
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""


@pytest.mark.laws
def test_many_damaged_files(capfd: pytest.CaptureFixture[str]) -> None:
    good = decoded_or_refused(MANY)
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""
    with capfd.disabled():
        print(f"\n{MANY} damaged files: {good} decoded, {MANY - good} refused")


@pytest.mark.laws
def test_folder_of_many_damaged_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder_accounted_for(MANY, tmp_path)
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""
