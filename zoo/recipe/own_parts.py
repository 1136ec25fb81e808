"""Reads `plugins` of a recipe: the words that parts of a user's own add. Runs nothing. Light."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.plugins import installed, reading
from zoo.plugins.part import Part
from zoo.plugins.unknown import Unknown
from zoo.recipe import own_words
from zoo.recipe.data_block import Augmentation
from zoo.recipe.fields import Choice
from zoo.recipe.kernel_stages import Activation, Initializer
from zoo.recipe.network import Stage
from zoo.recipe.own_words import Vocabulary
from zoo.recipe.train_block import Loss
from zoo.recipe.yaml_reader import Document, KeyPath

KEY = "plugins"
# Kind of a part -> the words of zoo that it stands beside.
BESIDE: dict[str, tuple[type[Choice], str]] = {
    "activation": (Activation, "an activation"),
    "layer": (Stage, "a stage"),
    "augmentation": (Augmentation, "an augmentation"),
    "loss": (Loss, "a loss"),
    "initializer": (Initializer, "an initializer"),
}
# Columns of metrics.jsonl.
COLUMNS = (
    "loss", "accuracy", "balanced_accuracy", "f1", "recall", "auc", "mean_average_precision",
    "micro_f1", "learning_rate", "epoch", "step", "seconds", "update_ratio",
)  # fmt: skip
Found = list[tuple[KeyPath, str]]


def vocabulary(data: Any, folder_of: Callable[[KeyPath], Path | None]) -> tuple[Vocabulary, Found]:
    """The words that a recipe's `plugins` add, and what is wrong with them.

    Args:
        data: of the recipe, as given.
        folder_of: the folder that a relative path at a place of the recipe is found from.
    """
    given = data.get(KEY) if isinstance(data, dict) else None
    parts: dict[str, Part] = {}
    broken: set[str] = set()
    problems: Found = []
    blocks = data.get("model", {}) if isinstance(data, dict) else {}
    blocks = blocks.get("blocks") if isinstance(blocks, dict) else None
    for index, text in enumerate(given if isinstance(given, list | tuple) else ()):
        if not isinstance(text, str):
            continue  # The schema says what is wrong with it.
        at = (KEY, index)
        try:
            part = reading.read(text, folder_of(at))
        except Unknown as error:
            problems.append((at, str(error)))
            broken.add(_word_of(text))
            continue
        fault = _collision(part, parts, blocks if isinstance(blocks, dict) else {})
        if fault:
            problems.append((at, fault))
        parts.setdefault(part.word, part)
    return Vocabulary(parts, installed.part, broken=broken), problems


def folder_of(document: Document, at: KeyPath) -> Path | None:
    """The folder that a relative file at a place of a document is found from; None: it has none."""
    file = document.file_of(at)
    return None if file is None else Path(file).absolute().parent


@contextmanager
def known_in(
    data: Any, folder_of: Callable[[KeyPath], Path | None] | None = None
) -> Iterator[None]:
    """Paths into a recipe's data may meanwhile lead through words of its own parts.

    Args:
        data: of the recipe; where it names no parts, or they are known already, nothing is read.
        folder_of: see `vocabulary`; None: its files have absolute paths.
    """
    if own_words.are_known() or not isinstance(data, dict) or not data.get(KEY):
        yield
        return
    words, _ = vocabulary(data, folder_of or (lambda at: None))
    with own_words.known(words):
        yield


def _collision(part: Part, parts: dict[str, Part], blocks: dict[str, Any]) -> str | None:
    """Why a part cannot have its word; None if it can."""
    rename = f"Give it another word: OTHER = {part.origin.reference.rpartition('= ')[2]}."
    other = parts.get(part.word)
    if other is part:
        return f"{part.word} is named twice. Leave one of them out."
    if other is not None:
        return (
            f"two parts have the word {part.word}: {other.origin.place} and {part.origin.place}. "
            f"{rename}"
        )
    for kind in part.kinds:
        choice, name = BESIDE.get(kind, (None, ""))
        if choice is not None and part.word in choice.model_fields:
            return f"{part.word} of {part.origin.place} has the word of {name} of zoo. {rename}"
    if "metric" in part.kinds and part.word.removeprefix("val_") in COLUMNS:
        return f"{part.word} of {part.origin.place} has the name of a metric of zoo. {rename}"
    if part.word in blocks and "layer" in part.kinds:
        return (
            f"{part.word} of {part.origin.place} has the name of the block model.blocks."
            f"{part.word}. {rename}"
        )
    return None


def _word_of(text: str) -> str:
    """The word of a reference, whatever is wrong with the rest of it."""
    return text.partition("=")[0].strip() if "=" in text else text.rpartition(":")[2]


def references(words: Vocabulary) -> tuple[str, ...]:
    """The parts of a recipe as its run's recipe names them: with absolute paths, all of them."""
    return tuple(dict.fromkeys(part.origin.reference for part in _all(words)))


def _all(words: Vocabulary) -> Iterator[Part]:
    yield from words.parts.values()
    yield from words.found.values()


def cautions(words: Vocabulary, given: Any) -> Found:
    """Parts that nothing in the recipe uses, as (path, sentence)."""
    found: Found = []
    for index, text in enumerate(given if isinstance(given, list | tuple) else ()):
        word = _word_of(str(text))
        if word in words.parts and word not in words.used:
            found.append(((KEY, index), f"nothing in the recipe uses the word {word}"))
    return found


def in_schema(schema: dict[str, Any], parts: Sequence[Part]) -> None:
    """The JSON Schema of recipes with the words of parts.

    Args:
        schema: of recipes, changed in place.
        parts: whose words it gets.
    """
    places = {kind: choice.__name__ for kind, (choice, _) in BESIDE.items()}
    places |= {"metric": "OwnMetric", "callback": "OwnCallback"}
    for part in parts:
        options = part.options.model_json_schema()
        options.setdefault("description", part.description)
        for kind in part.kinds:
            entry = schema["$defs"][places[kind]]
            first = next(iter(part.options.model_fields.values()), None)
            alone = {"type": ["string", "number", "boolean", "array", "null"]}
            properties = {"description": part.description, "anyOf": [options, alone]}
            *bare, with_options = entry["anyOf"]
            with_options.setdefault("properties", {})[part.word] = properties
            needs = first is not None and any(
                each.is_required() for each in part.options.model_fields.values()
            )
            if not needs:
                bare.append({"const": part.word, "description": part.description})
            entry["anyOf"] = [*bare, with_options]
