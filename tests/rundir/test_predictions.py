"""Predictions as a run folder keeps them: what is written is read; damage ends in a sentence."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.run_folders import made
from tests.rundir import damage
from zoo.errors import DamagedFile
from zoo.rundir import Run, predictions
from zoo.rundir.predictions import of_probabilities, read, save


def random_case(images: int, classes: int, multi_label: bool, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    values = generator.random((images, classes))
    if multi_label:
        return generator.integers(0, 2, (images, classes)).astype(np.uint8), values
    return generator.integers(0, classes, images).astype(np.int32), values / values.sum(
        axis=1, keepdims=True
    )


@settings(max_examples=25, deadline=None)
@given(
    images=st.integers(0, 40), classes=st.integers(1, 12), multi_label=st.booleans(),
    named=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_read_as_written(
    images: int, classes: int, multi_label: bool, named: bool, seed: int, tmp_path_factory: Any
) -> None:
    labels, values = random_case(images, classes, multi_label, seed)
    names = [f"a b/ü{i}\n.png" for i in range(images)] if named else []
    kept = of_probabilities("test", labels, values, names, "a" * 64, "f", 1.5)
    file = tmp_path_factory.mktemp("one") / "test.zip"
    save(file, kept)
    again = read(file, "Advice.")
    for key in ("indices", "labels", "classes", "probabilities", "true_probabilities"):
        np.testing.assert_array_equal(getattr(again, key), getattr(kept, key))
    assert list(again.names) == names
    assert (again.split, again.images, again.multi_label) == ("test", images, multi_label)
    if images and not multi_label:
        np.testing.assert_array_equal(again.predicted, values.argmax(axis=1))
        np.testing.assert_allclose(again.confidence, values.max(axis=1), rtol=1e-6)


def test_same_bytes_for_same_predictions(tmp_path: Path) -> None:
    labels, values = random_case(20, 4, False)
    for name in ("one", "other"):
        save(tmp_path / name, of_probabilities("test", labels, values, [], "a", "f"))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_large_splits_are_sampled_evenly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(predictions, "MAX_IMAGES", 7)
    monkeypatch.setattr(predictions, "MAX_VALUES", 15)
    for multi_label, count in ((False, 7), (True, 3)):
        labels, values = random_case(70, 5, multi_label)
        kept = of_probabilities("test", labels, values, [str(i) for i in range(70)], "a", "f")
        step = 70 / count
        assert kept.indices.tolist() == [int(i * step) for i in range(count)]
        np.testing.assert_array_equal(kept.labels, labels[kept.indices])
        save(tmp_path / "test.zip", kept)
        again = read(tmp_path / "test.zip", "")
        assert again.images == 70
        assert again.names == [str(i) for i in kept.indices]


@pytest.mark.parametrize("name", ["test.zip", "test-images.zip", "training.zip"])
def test_damage_ends_in_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damage, "BOMB_MEGABYTES", 20)
    whole = made(tmp_path / "whole")
    readers: dict[str, Any] = {
        "test.zip": Run.predictions,
        "test-images.zip": Run.thumbnails,
        "training.zip": Run.samples,
    }
    refused = 0
    for number in range(30):
        folder = shutil.copytree(whole.folder, tmp_path / str(number))
        file = folder / "report" / name
        damage.damage(random.Random(f"{name} {number}"), file, tmp_path / "none")
        try:
            readers[name](Run(folder))
        except DamagedFile as error:
            refused += 1
            assert name in str(error)
            assert "zoo evaluate" in str(error)
            assert len(str(error)) < 900
    assert refused > 5


# Member of the archive -> what is wrong with it, and the part of the sentence that says so.
WRONG = {
    "labels": (lambda content: b"\xff" * len(content), "labels: Expected numbers from 0 to 4"),
    "classes": (lambda content: content[:-4], "classes: Expected 4,000 bytes. Received 3,996"),
    "probabilities": (lambda content: b"\0\0\xc0\x7f" * (len(content) // 4), "probabilities: Exp"),
    "names": (lambda content: b"[1]", "names: Expected a list of texts"),
    "index.json": (
        lambda content: json.dumps({**json.loads(content), "kept": 10**12}).encode(),
        "kept: Expected",
    ),
}


@pytest.mark.parametrize("member", WRONG)
def test_wrong_members(member: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    change, part = WRONG[member]
    file = run.predictions_file("test")
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[member] = change(content[member])
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(DamagedFile, match=part):
        run.predictions("test")
