"""Looks at data sets that are no folder: the digits, and builders of TensorFlow Datasets."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, UsageError
from zoo.new.findings import Findings, Size
from zoo.new.pixel_findings import PixelFindings
from zoo.new.recipe_name import recipe_name
from zoo.progress import Progress
from zoo.recipe.fields import MAX_TEXT

if TYPE_CHECKING:
    from zoo.new.look import PixelFacts

SAMPLE_IMAGES = 2000
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def inspect_digits() -> Findings:
    """Describes the digits that scikit-learn ships.

    Raises:
        EnvironmentFault: scikit-learn is not installed.
    """
    from zoo.datasets import digits

    per_class = {
        split: {name: int((labels == i).sum()) for i, name in enumerate(digits.CLASS_NAMES)}
        for split, (_, labels) in digits.raw().items()
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


def inspect_tfds(name: str, progress: Progress) -> Findings:
    """Describes a builder, from its first images if it is prepared. Downloads nothing.

    Args:
        name: name of the builder.
        progress: called with (images done, images in all, what is being done).

    Raises:
        DataError: there is no such builder, or its images do not have one label each.
        EnvironmentFault: tensorflow_datasets is not installed.
        UsageError: nothing can have such a name.
    """
    from zoo.datasets import tfds_builder
    from zoo.recipe.source import Tfds

    if not name or len(name) > MAX_TEXT:
        raise UsageError(f"tfds:{name}: names no builder. Expected one such as tfds:cifar10.")
    options = Tfds(name=name)
    with tfds_builder.quiet():
        builder = tfds_builder.find(options)
        class_names = tfds_builder.class_names(builder, options) or ()
        split_strings, notes = _split_strings(builder)
        images = {}
        if builder.info.splits:
            images = {
                split: tfds_builder.count(builder, text) for split, text in split_strings.items()
            }
        if builder.is_prepared():
            sample = _first_images(builder, split_strings["train"], class_names, progress)
            notes.append(f"sizes, colours and balance are of the first {sample.images:,} images")
        else:
            sample = _described_images(builder)
            notes.append("not prepared on this machine: zoo train will download it")
    source: dict[str, Any] = {"name": name, **split_strings}
    source.setdefault("test", None)
    if class_names:
        source["num_classes"] = len(class_names)
    return Findings(
        source={"tfds": source},
        place=f"TensorFlow Datasets: {builder.info.full_name}",
        name=recipe_name(name),
        class_names=class_names,
        images=images,
        per_class={"train": sample.per_class} if sample.per_class else {},
        sizes=sample.sizes,
        modes=sample.modes,
        grey=sample.grey,
        notes=tuple(notes),
        pixels=sample.pixels,
    )


def _split_strings(builder: Any) -> tuple[dict[str, str], list[str]]:
    """Chooses the splits; a missing one is cut from the end of train.

    Returns:
        {split: TFDS's split string}, and notes for the user.

    Raises:
        DataError: the builder has no split train.
    """
    names = set(builder.info.splits or {})
    if not names:
        usual = {"train": "train[:90%]", "validation": "train[90%:]", "test": "test"}
        return usual, ["its splits are not known yet: check train and test below"]
    if "train" not in names:
        raise DataError(
            f"{builder.name} has no split train. Received {', '.join(sorted(names))}; "
            "write the recipe by hand, with these in data.source.tfds"
        )
    if {"validation", "test"} <= names:
        return {"train": "train", "validation": "validation", "test": "test"}, []
    if "test" in names:
        return {"train": "train[:90%]", "validation": "train[90%:]", "test": "test"}, []
    notes = ["no split test: the last tenth of train is kept for it"]
    if "validation" in names:
        return {"train": "train[:90%]", "validation": "validation", "test": "train[90%:]"}, notes
    return {"train": "train[:80%]", "validation": "train[80%:90%]", "test": "train[90%:]"}, notes


@dataclass
class _Sample:
    """Sizes, modes and classes of some images; `grey` is whether all of them are."""

    images: int = 0
    sizes: Counter[Size] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    grey: bool = True
    per_class: Mapping[str, int] = field(default_factory=dict)
    pixels: PixelFindings = field(default_factory=PixelFindings)


def _described_images(builder: Any) -> _Sample:
    """Returns what the builder's description says about its images."""
    height, width, channels = builder.info.features["image"].shape
    sample = _Sample(grey=channels == 1)
    if height and width:
        sample.sizes[height, width] = 1
    if channels in MODES:
        sample.modes[MODES[channels]] = 1
    return sample


def _first_images(
    builder: Any, split: str, class_names: tuple[str, ...], progress: Progress
) -> _Sample:
    """Looks at the first images of a split of a prepared builder."""
    from zoo.datasets.decoding.images import BadImage, fit_measured
    from zoo.datasets.tfds import examples
    from zoo.new.look import look, summary

    sample = _Sample()
    labels: Counter[int] = Counter()
    facts: list[tuple[bool, PixelFacts]] = []
    for image, label in itertools.islice(examples(builder, split), SAMPLE_IMAGES):
        sample.images += 1
        sample.sizes[image.shape[:2]] += 1
        channels = image.shape[2]
        sample.modes[MODES.get(channels, f"{channels} channels")] += 1
        labels[label] += 1
        with suppress(BadImage):  # Training reports it.
            found = look(partial(fit_measured, image))
            sample.grey &= found.grey
            facts.append((True, found))
        progress(sample.images, SAMPLE_IMAGES, "looking at images")
    # Empty for integer labels without names: the sample may lack some of them.
    sample.pixels = summary(facts)
    sample.per_class = {name: labels[i] for i, name in enumerate(class_names)}
    return sample
