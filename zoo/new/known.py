"""Looks at data that are no folder: the digits, and builders of TensorFlow Datasets."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any

from zoo.data.cache import Progress
from zoo.errors import DataError
from zoo.new.findings import Findings, Size
from zoo.new.name import recipe_name

SAMPLE = 2000
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def look_at_digits() -> Findings:
    """The digits that scikit-learn ships."""
    from zoo.data import digits

    raw = digits.raw()
    per_class = {
        split: {
            name: int((raw[split][1] == label).sum()) for label, name in enumerate("0123456789")
        }
        for split in ("train", "validation", "test")
    }
    per_class = {split: per_class[split] for split in ("train", "validation", "test")}
    images = {split: sum(counts.values()) for split, counts in per_class.items()}
    total = sum(images.values())
    return Findings(
        source="digits",
        place="the digits of scikit-learn",
        name="digits",
        class_names=digits.CLASS_NAMES,
        images=images,
        per_class=per_class,
        sizes=Counter({(8, 8): total}),
        modes=Counter({"L": total}),
        grey=True,
    )


def look_at_tfds(name: str, progress: Progress) -> Findings:
    """A builder, by its description and, where it is prepared, its first images. No download.

    Raises:
        DataError: no such builder, or not one of images with a label each.
        EnvironmentFault: tensorflow_datasets is not installed.
    """
    from zoo.data import tfds_builder
    from zoo.recipe.source import Tfds

    options = Tfds(name=name)
    with tfds_builder.quiet():
        builder = tfds_builder.find(options)
        names = tfds_builder.class_names(builder, options) or ()
        wanted, notes = _splits(builder)
        images = {}
        if builder.info.splits:
            images = {ours: tfds_builder.count(builder, text) for ours, text in wanted.items()}
        sample = _Sample.described(builder)
        if builder.is_prepared():
            sample = _Sample.taken(builder, wanted["train"], names, progress)
            notes.append(f"sizes, colours and balance are of the first {sample.images:,} images")
        else:
            notes.append("not prepared on this machine: zoo train will download it")
    source: dict[str, Any] = {"name": name, **wanted}
    source.setdefault("test", None)
    if names:
        source["num_classes"] = len(names)
    return Findings(
        source={"tfds": source},
        place=f"TensorFlow Datasets: {builder.info.full_name}",
        name=recipe_name(name),
        class_names=names,
        images=images,
        per_class={"train": sample.classes} if sample.classes else {},
        sizes=sample.sizes,
        modes=sample.modes,
        grey=sample.grey,
        notes=tuple(notes),
    )


def _splits(builder: Any) -> tuple[dict[str, str], list[str]]:
    """{our split: TFDS's split string}; what is not there is cut from the end of train."""
    there = set(builder.info.splits or {})
    if not there:
        wanted = {"train": "train[:90%]", "validation": "train[90%:]", "test": "test"}
        return wanted, ["its splits are not known yet: check train and test below"]
    if "train" not in there:
        raise DataError(
            f"{builder.name} has no split train. Received {', '.join(sorted(there))}; "
            "write the recipe by hand, with these in data.source.tfds"
        )
    if {"validation", "test"} <= there:
        return {"train": "train", "validation": "validation", "test": "test"}, []
    if "test" in there:
        return {"train": "train[:90%]", "validation": "train[90%:]", "test": "test"}, []
    notes = ["no split test: the last tenth of train is kept for it"]
    if "validation" in there:
        return {"train": "train[:90%]", "validation": "validation", "test": "train[90%:]"}, notes
    return {"train": "train[:80%]", "validation": "train[80%:90%]", "test": "train[90%:]"}, notes


class _Sample:
    """Sizes, modes and classes of some images of a builder."""

    def __init__(self) -> None:
        self.images = 0
        self.sizes: Counter[Size] = Counter()
        self.modes: Counter[str] = Counter()
        self.grey = True
        self.classes: Mapping[str, int] = {}

    @classmethod
    def described(cls, builder: Any) -> _Sample:
        """What the builder's description alone tells."""
        sample = cls()
        height, width, channels = builder.info.features["image"].shape
        sample.grey = channels == 1
        if height and width:
            sample.sizes[height, width] = 1
        if channels in MODES:
            sample.modes[MODES[channels]] = 1
        return sample

    @classmethod
    def taken(cls, builder: Any, split: str, names: tuple[str, ...], progress: Progress) -> _Sample:
        """What the first images of a split tell."""
        from zoo.data.tfds import examples

        sample = cls()
        labels: Counter[int] = Counter()
        for image, label in itertools.islice(examples(builder, split), SAMPLE):
            sample.images += 1
            sample.sizes[image.shape[:2]] += 1
            channels = image.shape[2]
            sample.modes[MODES.get(channels, f"{channels} channels")] += 1
            sample.grey &= channels == 1 or bool((image.max(axis=2) == image.min(axis=2)).all())
            labels[label] += 1
            progress(sample.images, SAMPLE, "looking at images")
        # Unnamed labels: a class that the sample lacks would be missed, so nothing is said.
        sample.classes = {name: labels[i] for i, name in enumerate(names)}
        return sample
