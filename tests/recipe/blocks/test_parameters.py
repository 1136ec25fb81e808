"""What is said of texts with a `$` that are no parameter."""

from __future__ import annotations

import pytest

from zoo.recipe.blocks.parameters import fault


@pytest.mark.parametrize(
    "names, example",
    [(["width"], "$width"), (["my-width", "width"], "$width"), (["my-width"], "$filters")],
)
def test_the_example_is_one_that_can_be_read(names: list[str], example: str) -> None:
    told = fault("$my-width", False, "wide", names)
    assert told is not None
    assert f"in a product: {example} or {example} * 4. Received '$my-width'" in told
    assert fault(example, False, "wide", [*names, "filters"]) is None
