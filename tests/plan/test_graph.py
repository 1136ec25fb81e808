"""What follows a kernel, through pools, dropout, sums and branches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import network
from zoo.plan import plan
from zoo.plan.graph import cancelling_norms, rows_without_norm

PRE = "order: [bn, act, conv]"
NO_NORM = "  defaults: {batch_norm: none}\n"
FOLLOWED = [
    ("[{conv: {filters: 4}}, {conv: {filters: 4, batch_norm: none}}]", ["conv1"]),
    ("[{conv: {filters: 4, order: [conv, act, bn]}}]", []),
    ("[{conv: {filters: 4, order: [conv, pool, bn, act], pool: max, dropout: 0.5}}]", ["conv1"]),
    (f"[{{conv: {{filters: 4, {PRE}}}}}, {{conv: {{filters: 4, {PRE}}}}}]", ["conv1"]),
    ("[{conv: {filters: 4, order: [conv, dropout, bn, act], dropout: 0.1}}]", ["conv1"]),
    (f"[{{conv: {{filters: 4, {PRE}, dropout: 0.1}}}}, {{conv: {{filters: 4, {PRE}}}}}]",
     ["conv1"]),
    # The sum sees what the norm does not.
    (f"[{{conv: {{filters: 4, batch_norm: none, activation: linear}}}}, "
     f"{{residual: [{{conv: {{filters: 4, {PRE}}}}}]}}]", []),
    # Batch norm takes each channel's scale, whatever it is concatenated with; group norm does not.
    ("[{branches: [[], [{conv: {filters: 3, batch_norm: none, activation: linear}}]]}, "
     "batch_norm]", ["conv1"]),
    ("[{branches: [[], [{conv: {filters: 3, batch_norm: none, activation: linear}}]]}, "
     "{group_norm: {groups: 2}}]", []),
    # DenseNet: each layer sees all before it, and norms alone see a layer.
    (f"[{{group: {{repeat: 3, stack: [{{branches: [[], [{{conv: {{filters: 2, {PRE}}}}}]]}}]}}}}, "
     "batch_norm, {activation: relu}]", ["conv1", "conv2", "conv3"]),
    ("[{conv: {filters: 4, batch_norm: none, activation: linear}}, {pool: max}, batch_norm]",
     ["conv1"]),
    ("[{conv: {filters: 4, batch_norm: none}}, batch_norm]", []),
    ("[{conv: {filters: 4, batch_norm: none, activation: linear}}, {squeeze_excite: {}}, "
     "batch_norm]", []),
]  # fmt: skip


@pytest.mark.parametrize("stack, followed", FOLLOWED)
def test_norm_follows(tmp_path: Path, stack: str, followed: list[str]) -> None:
    layers = plan(network(tmp_path, stack), 10).layers
    assert [layer.name for layer in layers if layer.norm_follows] == followed
    assert list(cancelling_norms(layers)) == followed


def test_rows_end_at_norms_and_sums(tmp_path: Path) -> None:
    stack = (
        "[{conv: {filters: 4, repeat: 2}}, {residual: [{conv: {filters: 4, repeat: 3}}]}, "
        "{conv: {filters: 4, batch_norm: {}}}, {fc: {units: 3, repeat: 2}}]"
    )
    rows = rows_without_norm(plan(network(tmp_path, stack, more=NO_NORM), 10).layers)
    assert [[layer.name for layer in row] for row in rows] == [
        ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv2_3"],
        ["conv1_1", "conv1_2"],
        ["fc1_1", "fc1_2"],
    ]


def test_the_longest_branch_goes_on(tmp_path: Path) -> None:
    stack = (
        "[{conv: 4}, {branches: [[{conv: 2}], [{conv: {filters: 2, repeat: 2}}], []]}, {conv: 4}]"
    )
    rows = rows_without_norm(plan(network(tmp_path, stack, more=NO_NORM), 10).layers)
    assert [[layer.name for layer in row] for row in rows] == [
        ["conv1", "conv2"],
        ["conv1"],
        ["conv1", "conv3_1", "conv3_2", "conv4"],
    ]


def test_each_layer_says_what_it_follows(tmp_path: Path) -> None:
    stack = "[{conv: {filters: 4}}, {residual: [{conv: {filters: 6, strides: 2}}]}]"
    layers = {layer.name: layer for layer in plan(network(tmp_path, stack), 10).layers}
    assert layers["image"].inputs == ()
    assert layers["conv2"].inputs == layers["shortcut1"].inputs == ("conv1_act",)
    assert layers["add1"].inputs == ("conv2_act", "shortcut1_bn")
