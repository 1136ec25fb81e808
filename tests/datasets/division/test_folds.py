"""Folds of cross-validation: each image validates once, and never in the fold that trains it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.conftest import Maker, make_recipe, whole
from tests.datasets.division.test_class_choice import paths
from zoo.datasets import digits, verify
from zoo.datasets.division import subsets
from zoo.datasets.division.folds import folds_of
from zoo.datasets.load import load
from zoo.datasets.normalise import normalisation
from zoo.datasets.splits import ArraySplit, Joined, pixel_statistics
from zoo.errors import DataError

SHAPE: dict[str, Any] = {"image_size": [8, 8], "color_mode": "grayscale"}


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=80), st.integers(2, 7))
def test_folds_are_stratified(labels: list[str], count: int) -> None:
    folds = folds_of([*map(tuple, labels)], None, count, seed=0)
    for chosen in (set("abc"), *map(set, "abc")):
        sizes = Counter({fold: 0 for fold in range(count)})
        sizes.update(fold for fold, label in zip(folds, labels, strict=True) if label in chosen)
        assert max(sizes.values()) - min(sizes.values()) <= 1


def test_digits_in_folds() -> None:
    """Train and validation are pooled; the test stays."""
    pool = [*digits.raw()["train"][0], *digits.raw()["validation"][0]]
    seen: list[bytes] = []
    for index in range(1, 6):
        splits = load(make_recipe("digits", fold={"index": index, "of": 5}, **SHAPE))
        train, validation = whole(splits.train), whole(splits.validation)
        assert len(validation) in (287, 288)
        every = [image.tobytes() for image in (*train, *validation)]
        assert sorted(every) == sorted(image.tobytes() for image in pool)
        seen += [image.tobytes() for image in validation]
        assert (whole(splits.test) == digits.raw()["test"][0]).all()
        counts = np.bincount(splits.validation.labels)
        assert counts.max() - counts.min() <= 3
    assert sorted(seen) == sorted(image.tobytes() for image in pool)
    assert f"fold 5 of 5: validation is {len(validation)} of the 1,437 images" in splits.notes[0]


def test_folds_of_chosen_digits() -> None:
    splits = load(make_recipe("digits", fold={"index": 2, "of": 3}, classes=[7, 1], **SHAPE))
    every = load(make_recipe("digits", fold={"index": 2, "of": 3}, **SHAPE))
    assert splits.class_names == ("7", "1")
    ones = whole(every.validation)[every.validation.labels == 1]
    assert (whole(splits.validation)[splits.validation.labels == 1] == ones).all()


def folds(source: Any, of: int, **data: Any) -> list[Any]:
    return [
        load(make_recipe(source, fold={"index": index, "of": of}, **data))
        for index in range(1, of + 1)
    ]


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_folds_of_a_folder(
    pets: Path, images: Maker, loading: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images are decoded once for all folds; each has the statistics of its own training images."""
    images("val/cat", 3)
    images("val/dog", 3)
    decoded = []
    plain = verify.verify

    def counted(*arguments: Any) -> Any:
        decoded.append(1)
        return plain(*arguments)

    monkeypatch.setattr("zoo.datasets.file_entry.verify", counted)
    splits = folds({"folder": str(pets)}, 3, loading=loading)
    assert decoded == [1]
    pool = sorted(str(file.relative_to(pets)) for split in ("train", "val")
                  for file in (pets / split).glob("*/*.png"))  # fmt: skip
    validated = [paths(each.validation) for each in splits]
    assert sorted(sum(validated, [])) == pool
    for each, own in zip(splits, validated, strict=True):
        assert sorted(paths(each.train) + own) == pool
        assert [path.split("/")[1] == "dog" for path in own] == each.validation.labels.tolist()
        alone = pixel_statistics(ArraySplit(whole(each.train), each.train.labels))
        assert (alone.sums == pixel_statistics(each.train).sums).all()
        assert len(each.test) == 4
        pixels = whole(each.train)[0]
        of_file = load(make_recipe({"folder": str(pets)}, loading="resident")).train
        assert any((pixels == image).all() for image in whole(of_file))
    assert len({each.fingerprint for each in splits}) == 3
    # The second time, statistics are read.
    monkeypatch.setattr(subsets, "pixel_statistics", None)
    again = load(make_recipe({"folder": str(pets)}, loading=loading, fold={"index": 1, "of": 3}))
    assert again.fingerprint == splits[0].fingerprint
    scale = normalisation("channel_meanstd", again.train).scale
    assert np.array_equal(scale, normalisation("channel_meanstd", splits[0].train).scale)


def test_folds_keep_groups_whole(tmp_path: Path, images: Maker) -> None:
    for patient in range(6):
        images(f"ill/p{patient}", 2)
        images(f"well/p{patient}", 1 + patient % 2)
    source = {"folder": {"path": str(tmp_path / "pets"), "group": "parent", "test": "none"}}
    held = [{path.split("/")[1] for path in paths(each.validation)} for each in folds(source, 3)]
    assert [len(patients) for patients in held] == [2, 2, 2]
    assert set().union(*held) == {f"p{patient}" for patient in range(6)}


def test_bad_images_are_left_out_of_folds(pets: Path) -> None:
    (pets / "train" / "cat" / "bad.jpg").write_bytes(b"rubbish")
    splits = folds({"folder": str(pets)}, 2, on_bad_image="skip")
    assert sorted(sum((paths(each.validation) for each in splits), [])) == sorted(
        paths(splits[0].train) + paths(splits[0].validation)
    )
    assert all("train/cat/bad.jpg" in " ".join(each.notes) for each in splits)
    with pytest.raises(DataError, match="1 of 25 images cannot be used"):
        folds({"folder": str(pets)}, 2)


@pytest.mark.parametrize(
    "counts, of, message",
    [
        ({"cat": 9, "dog": 1}, 3, "all images of dog lie in one fold"),
        ({"cat": 2, "dog": 2}, 5, "5 folds need as many images at least, and 1 would be empty"),
    ],
)
def test_folds_that_cannot_be(
    tmp_path: Path, images: Maker, counts: dict[str, int], of: int, message: str
) -> None:
    for name, count in counts.items():
        images(name, count)
    source = {"folder": {"path": str(tmp_path / "pets"), "test": "none"}}
    with pytest.raises(DataError, match=message):
        folds(source, of)


def test_joined_splits() -> None:
    first = ArraySplit(np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1), np.zeros(3, np.int32))
    second = ArraySplit(np.arange(3, 5, dtype=np.uint8).reshape(2, 1, 1, 1), np.ones(2, np.int32))
    joined = Joined(first, second)
    assert len(joined) == 5
    assert joined.labels.tolist() == [0, 0, 0, 1, 1]
    for rows in ([4, 0, 3, 2], [1], [4], []):
        assert joined.images(np.array(rows, int)).ravel().tolist() == rows
