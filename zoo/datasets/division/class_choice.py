"""Chooses and merges the classes of a source, as `data.classes` says. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zoo.datasets.folders.tree import in_words
from zoo.datasets.names import same_name
from zoo.errors import DataError, Problem, RecipeError
from zoo.recipe.subset import members, misfits, others
from zoo.recipe.yaml_reader import dotted


@dataclass(frozen=True)
class ClassChoice:
    """Which label of the network each label of a source becomes.

    Args:
        names: of the network's classes, by label.
        source_names: of the source's classes, by label.
        labels: the network's label for each label of the source; None for a class left out.
        others: the network's label for all classes that are not named; None: they are left out.
    """

    names: tuple[str, ...]
    source_names: tuple[str, ...]
    labels: tuple[int | None, ...]
    others: int | None = None

    @classmethod
    def of(cls, classes: Any, source_names: Sequence[str]) -> ClassChoice:
        """Reads `data.classes`.

        Args:
            classes: as the recipe has it; None for all classes.
            source_names: of the source's classes, by label.

        Raises:
            RecipeError: it names a class that the source does not have.
        """
        if classes is None:
            return cls(tuple(source_names), tuple(source_names), tuple(range(len(source_names))))
        # A name in the Unicode form of another system is still the same class.
        by_key = {same_name(name): label for label, name in enumerate(source_names)}
        labels: list[int | None] = [None] * len(source_names)
        chosen = members(classes, source_names)
        problems = list(misfits(classes, source_names))
        if problems:
            raise RecipeError(Problem(path=dotted(path), message=text) for path, text in problems)
        for label, names in enumerate(chosen.values()):
            for name in names:
                labels[by_key[same_name(name)]] = label
        rest = others(classes)
        label_of_rest = None if rest is None else list(chosen).index(rest)
        return cls(tuple(chosen), tuple(source_names), tuple(labels), label_of_rest)

    def extended(self, names: Sequence[str]) -> ClassChoice:
        """The same choice for a source with more classes, such as those that train lacks.

        Args:
            names: of these classes; they are left out, or are among all others.
        """
        return replace(
            self,
            source_names=(*self.source_names, *names),
            labels=(*self.labels, *[self.others] * len(names)),
        )

    @property
    def named(self) -> tuple[str, ...]:
        """Names of the source's classes that `data.classes` names, or all without it."""
        return tuple(
            name
            for name, label in zip(self.source_names, self.labels, strict=True)
            if label is not None and label != self.others
        )

    @property
    def changes(self) -> bool:
        """Whether any label of the source becomes another one, or none."""
        return self.names != self.source_names or self.labels != tuple(range(len(self.names)))

    def notes(self, left_out: Mapping[str, Mapping[int, int]]) -> list[str]:
        """Returns a sentence on the classes that are left out, with their images.

        Args:
            left_out: {split: {label of the source: number of images}}.
        """
        names = [
            name
            for name, label in zip(self.source_names, self.labels, strict=True)
            if label is None
        ]
        if not names:
            return []
        counts = [(sum(of.values()), split) for split, of in left_out.items()]
        images = ", ".join(f"{count:,} of {split}" for count, split in counts if count)
        return [
            f"data.classes leaves out {len(names)} of {len(self.source_names)} classes "
            f"({in_words(names)}){', with images: ' * bool(images)}{images}"
        ]

    def require_images(self, counts: Mapping[int, int], where: str) -> None:
        """Requires that every class of the network has training images.

        Args:
            counts: {label of the network: number of training images}.
            where: the data set.

        Raises:
            DataError: one has none.
        """
        lost = [name for label, name in enumerate(self.names) if not counts.get(label)]
        if lost:
            raise DataError(
                f"{where}: no training image of {in_words(lost)}. Expected at least one a class; "
                "add images, or leave the class out of data.classes"
            )
