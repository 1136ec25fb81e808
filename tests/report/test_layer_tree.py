"""The layers of a plan as a tree: nothing is lost, branches join where they do, repeats fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.networks import network
from zoo.loading import load
from zoo.plan import plan
from zoo.report.layer_tree import Box, Item, Join, Repeat, boxes, folded, output_shape, tree
from zoo.report.layer_words import sentence

CONV = "{conv: {filters: 4, batch_norm: none}}"
POOL = "{pool: {max: {pool_size: 3, strides: 1, padding: same}}}"
WIDE = "{conv: {filters: 8, kernel_size: 1, order: [bn, act, conv]}}"
SAID = [
    (f"[{CONV}]", "conv 3×3, 4 (ReLU)"),
    ("[{conv: {filters: 4, pool: max, dropout: 0.25}}]",
     "conv 3×3, 4 (BN · ReLU · max pool 2×2 · dropout 0.25)"),
    (f"[{WIDE}]", "conv 1×1, 8 (BN · ReLU first)"),
    ("[{conv: {filters: 4, repeat: 4}}]", "4 times (conv 3×3, 4 (BN · ReLU))"),
    # Two alike are two boxes: a frame would spare nothing.
    ("[{conv: {filters: 4, repeat: 2}}]", "conv 3×3, 4 (BN · ReLU); conv 3×3, 4 (BN · ReLU)"),
    (f"[{CONV}, {{residual: [{CONV}]}}]",
     "conv 3×3, 4 (ReLU); sum of [conv 3×3, 4 (ReLU)] and [the input itself], then ReLU"),
    (f"[{CONV}, {{group: {{repeat: 3, stack: [{{residual: [{CONV}]}}]}}}}]",
     "conv 3×3, 4 (ReLU); 3 times (sum of [conv 3×3, 4 (ReLU)] and [the input itself], then ReLU)"),
    (f"[{{residual: {{shortcut: pad, stack: [{CONV}]}}}}]",
     "sum of [conv 3×3, 4 (ReLU)] and [zeros to 4], then ReLU"),
    (f"[{{branches: [[], [{WIDE}], [{POOL}]]}}]",
     "concatenation of [the input itself] and [conv 1×1, 8 (BN · ReLU first)] "
     "and [max pool 3×3, stride 1]"),
    # Channels grow from one to the next, and it is one that repeats.
    (f"[{{group: {{repeat: 3, stack: [{{branches: [[], [{CONV}]]}}]}}}}]",
     "3 times (concatenation of [the input itself] and [conv 3×3, 4 (ReLU)])"),
    (f"[{CONV}, {{squeeze_excite: {{ratio: 2, min_units: 1}}}}]",
     "conv 3×3, 4 (ReLU); product of [the input itself] and "
     "[channel gates 4 → 2 → 4 (ReLU · sigmoid)]"),
    ("[{depthwise_conv: {strides: 2}}, {global_pool: average}]",
     "depthwise 3×3, stride 2 (BN · ReLU); global average pool"),
    ("[{fc: {units: 6, dropout: 0.5}}]", "fc, 6 (BN · ReLU · dropout 0.5)"),
]  # fmt: skip


@pytest.mark.parametrize("stack, said", SAID)
def test_stages_in_words(tmp_path: Path, stack: str, said: str) -> None:
    row = folded(tree(plan(network(tmp_path, stack), 10).layers))
    words = sentence(row).replace("\N{NO-BREAK SPACE}", " ")
    assert words.startswith("image 8×8×3 (normalise); ")
    assert words.endswith("; logits, 10")
    assert words.removeprefix("image 8×8×3 (normalise); ").removesuffix("; logits, 10") == said


@pytest.mark.parametrize("name", ["resnet50", "senet20", "densenet-40-12", "airbench96"])
def test_no_layer_is_lost(name: str) -> None:
    layers = plan(load(name), 10).layers
    row = tree(layers)
    assert sorted(names(row)) == sorted(layer.name for layer in layers)
    once = folded(row)
    assert sum(map(times, once)) == sum(map(boxes, row)) >= sum(map(boxes, once))
    assert output_shape(once[-1]) == (10,)


def names(row: Sequence[Item]) -> Iterator[str]:
    for item in row:
        assert not isinstance(item, Repeat)
        yield from (layer.name for layer in item.layers)
        for branch in item.branches if isinstance(item, Join) else ():
            yield from names(branch)


def times(item: Item) -> int:
    """The number of boxes, those of repeats as often as they come."""
    if isinstance(item, Box):
        return 1
    if isinstance(item, Repeat):
        return item.times * sum(map(times, item.items))
    return sum(times(inner) for branch in item.branches for inner in branch)
