"""Whatever is in a recipe, it is used as it is or refused in words: mutations of what ships.

A case is made from its number: `mutations.case(number)`. `make laws` has 20,000 of them.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.recipe import mutations, oracle
from zoo import plan
from zoo.errors import ZooError
from zoo.recipe import Recipe, load
from zoo.recipe.draft import Draft
from zoo.recipe.yaml_reader import Document

SMALL = 200_000  # Weights and values of a network that is built for a test.


def require_answers(numbers: range, file: Path) -> None:
    found, counts = oracle.faults(numbers, mutations.case, file)
    assert not found, f"{len(found)} of {len(numbers)} cases: {counts.most_common(20)}"


def refused(data: Any) -> str | None:
    """The answer to a recipe's data; None if they are accepted."""
    try:
        draft = Draft(Document(data=deepcopy(data), lines={}, problems=(), file=None))
        draft.checked(plan.problems)
    except ZooError as error:
        return str(error)
    return None


def require_words_answered(step: int) -> None:
    bugs: Counter[str] = Counter()
    answers = accepted = 0
    for path, word, value in islice(mutations.every_word(), 0, None, step):
        try:
            answer = refused(mutations.with_word(path, word, value))
        except Exception as error:
            bugs[f"{oracle.told(error)} for {word}: {str(value)[:40]} at {path}"] += 1
            continue
        answers += 1
        accepted += answer is None
        assert answer is None or len(answer) <= oracle.LONGEST_LINE
    assert not bugs
    assert answers > 10 * accepted > 0


def test_mutated_recipes(tmp_path: Path) -> None:
    require_answers(range(100), tmp_path / "recipe.yaml")


@pytest.mark.laws
@pytest.mark.parametrize("start", range(0, 20_000, 2_000))
def test_many_mutated_recipes(tmp_path: Path, start: int) -> None:
    require_answers(range(start, start + 2_000), tmp_path / "recipe.yaml")


def test_every_word_with_odd_values() -> None:
    require_words_answered(61)


@pytest.mark.laws
def test_every_word_with_every_odd_value() -> None:
    require_words_answered(1)


@pytest.mark.parametrize("value", [None, "none"])
def test_every_word_without_an_option(value: Any) -> None:
    """`{WORD: none}` was taken for no word at all, and ended in StopIteration."""
    for path in mutations.places():
        for word, _ in islice(_words(path), 100):
            answer = refused(mutations.with_word(path, word, value))
            assert answer is None or f"{word}" in answer or "takes exactly one word" in answer


def _words(path: mutations.KeyPath) -> Any:
    model = mutations.model_at(path)
    return ((word, None) for word in (model.model_fields if model else ()))


@pytest.mark.laws
def test_accepted_recipes_are_built(tmp_path: Path) -> None:
    """Small ones make compiled Keras models of just the planned weights."""
    import keras
    import numpy as np

    from zoo.datasets.normalise import Normalisation
    from zoo.training.components import compiled

    scaling = Normalisation("none", np.float32(1), np.float32(0))
    built = 0
    for number in range(1_500):
        recipe = _accepted(mutations.case(number), tmp_path / "recipe.yaml")
        planned = plan.plan(recipe, 10) if recipe else None
        if recipe is None or planned is None or len(planned.layers) > 40:
            continue
        if planned.parameters + sum(layer.values for layer in planned.layers) > SMALL:
            continue
        keras.backend.clear_session()
        model = compiled(recipe, planned, scaling, steps_per_epoch=100)
        assert model.count_params() == planned.parameters, number
        built += 1
    assert built > 50


def _accepted(case: mutations.Case, file: Path) -> Recipe | None:
    file.write_text(case.text, encoding="utf-8", errors="surrogatepass")
    try:
        return load(str(file), case.overrides)
    except ZooError:
        return None
