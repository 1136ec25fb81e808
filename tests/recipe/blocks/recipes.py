"""A recipe with blocks, and the answers to changes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import Problem, RecipeError
from zoo.loading import load_text

# Of ResNet (He et al. 2016): its basic and its bottleneck block.
TEXT = """\
name: blocks
data: {source: digits, image_size: 16}
model:
  blocks:
    basic:
      parameters: {filters: , strides: 1}
      stack:
        - residual:
            shortcut: pad
            stack:
              - conv: {filters: $filters, strides: $strides}
              - conv: {filters: $filters, activation: linear}
    bottleneck:
      parameters: {width: , wide: $width * 4, activation: relu, times: 1}
      stack:
        - residual:
            - conv: {filters: $width, kernel_size: 1, activation: $activation}
            - conv: $width
            - conv: {filters: $wide, kernel_size: 1, activation: linear}
        - basic: {filters: $wide, repeat: $times}
  stack:
    - conv: {filters: 4}
    - basic: {filters: 4, repeat: 2}
    - basic: {filters: 8, strides: 2}
    - basic: 8
    - bottleneck: {width: 3, activation: {leaky_relu: 0.1}, times: 2}
    - global_pool: average
train: {epochs: 1}
"""


def changed(*changes: tuple[str, str]) -> str:
    """The recipe with the first of each text replaced."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def problems(text: str) -> list[Problem]:
    """What is said about a recipe's text."""
    with pytest.raises(RecipeError) as caught:
        load_text(text, Path("r.yaml"))
    return list(caught.value.problems)
