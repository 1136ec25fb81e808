"""The splits of a builder that a recipe names: no two of them share images. Light."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from zoo.errors import DataError
from zoo.recipe.source import Tfds


def split_strings_of(options: Tfds) -> dict[str, str]:
    """Returns {split: TFDS's split string}.

    Args:
        options: of the source.

    Raises:
        DataError: two splits have the same string.
    """
    split_strings = {"train": options.train, "validation": options.validation}
    if options.test is not None:
        split_strings["test"] = options.test
    plain = {name: "".join(text.split()) for name, text in split_strings.items()}
    if plain.get("test") == plain["validation"]:
        raise DataError(
            "the validation split is never the test split. Expected two different splits. "
            f"Received {options.validation!r} for both; split validation off train, for example "
            'train: "train[:90%]", validation: "train[90%:]"'
        )
    if plain["train"] in (plain["validation"], plain.get("test")):
        raise DataError(
            f"the training split {options.train!r} is also the validation or the test split; "
            "give every split images of its own"
        )
    return split_strings


def require_disjoint(ranges: Mapping[str, list[tuple[str, int, int]]]) -> None:
    """Checks that no two splits share images, however they are written.

    Args:
        ranges: {split: [(TFDS split, first, last + 1)]}.

    Raises:
        DataError: two splits share images.
    """
    for split, other in itertools.combinations(ranges, 2):
        for (name, start, stop), (other_name, other_start, other_stop) in itertools.product(
            ranges[split], ranges[other]
        ):
            shared = min(stop, other_stop) - max(start, other_start)
            if name == other_name and shared > 0:
                raise DataError(
                    f"{split} and {other} share {shared:,} images of TFDS's split {name!r}; "
                    f"give every split images of its own (data.source.tfds.{other})"
                )
