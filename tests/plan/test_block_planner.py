"""Residual blocks, branches and squeeze-and-excitation: shapes, parameters, FLOPs by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.networks import network
from zoo.plan import Layer, plan
from zoo.recipe import Recipe, dump, load


def layers(recipe: Recipe) -> dict[str, Layer]:
    return {layer.name: layer for layer in plan(recipe, 10).layers}


def test_branches_by_hand(tmp_path: Path) -> None:
    """Channels add up; a branch without stages is the input; names go on from branch to branch."""
    stack = (
        "[{conv: {filters: 4}}, {branches: {stacks: [[], [{conv: {filters: 3, kernel_size: 1}}, "
        "{conv: {filters: 6}}], [{pool: {max: {pool_size: 3, strides: 1, padding: same}}}]]}}, "
        "{conv: {filters: 2}}]"
    )
    found = layers(network(tmp_path, stack))
    concat = found["concat1"]
    assert concat.inputs == ("conv1_act", "conv3_act", "pool1")
    assert (concat.output_shape, concat.parameters, concat.flops) == ((8, 8, 14), 0, 0)
    assert found["conv2"].inputs == found["pool1"].inputs == ("conv1_act",)
    assert found["conv4"].trainable == 9 * 14 * 2
    assert list(found)[-4:] == ["conv4_bn", "conv4_act", "flatten1", "logits"]
    assert "concat1_act" not in found


def test_a_sum_of_branches_is_followed_by_the_default_activation(tmp_path: Path) -> None:
    inner = "{branches: [[{conv: 2}], [{conv: 1}]]}"
    stack = f"[{{branches: {{merge: add, stacks: [[], [{{conv: 3}}], [{inner}]]}}}}]"
    found = layers(network(tmp_path, stack, more="  defaults: {activation: tanh}\n"))
    assert found["add1"].inputs == ("normalise", "conv1_act", "concat1")
    assert (found["add1"].output_shape, found["add1"].flops) == ((8, 8, 3), 2 * 192)
    assert found["add1_act"].options.activation.word == "tanh"  # type: ignore[attr-defined]


def test_vectors_may_be_joined(tmp_path: Path) -> None:
    stack = "[{branches: [[{global_pool: average}], [{global_pool: max}], [{fc: 4}]]}]"
    assert layers(network(tmp_path, stack))["concat1"].output_shape == (3 + 3 + 4,)


def test_squeeze_and_excitation_by_hand(tmp_path: Path) -> None:
    """2 C^2 / r weights, as in the paper, and C / r + C biases."""
    stack = "[{conv: {filters: 64}}, {squeeze_excite: {ratio: 4}}]"
    found = layers(network(tmp_path, stack))
    assert found["se1_pool"].output_shape == (1, 1, 64)
    assert found["se1_reduce"].trainable == 64 * 16 + 16
    assert found["se1_expand"].trainable == 16 * 64 + 64
    assert found["se1_expand"].flops == 2 * 16 * 64 + 64
    assert found["se1"].inputs == ("conv1_act", "se1_gate")
    assert found["se1"].flops == 8 * 8 * 64
    assert not any(found[f"se1_{part}"].is_hidden for part in ("reduce", "expand"))


@pytest.mark.parametrize(
    "options, units",
    [
        ("{}", 8), ("{ratio: 2}", 10), ("{ratio: 16, min_units: 1}", 1), ("{ratio: 1.5}", 13),
        ("{ratio: 100, min_units: 30}", 20), ("{ratio: 100, min_units: 1}", 1),
    ],
)  # fmt: skip
def test_units_between_the_kernels(tmp_path: Path, options: str, units: int) -> None:
    stack = f"[{{conv: {{filters: 20}}}}, {{squeeze_excite: {options}}}]"
    assert layers(network(tmp_path, stack))["se1_reduce"].output_shape == (1, 1, units)


def test_gates_are_drawn_by_what_follows_them(tmp_path: Path) -> None:
    recipe = network(tmp_path, "[{conv: 4}, {squeeze_excite: {use_bias: false}}]")
    options = recipe.model.stack[1].options
    assert options.activation.word == "relu"
    assert options.kernel_initializer.word == "he_normal"
    assert options.gate_initializer.word == "lecun_normal"
    assert layers(recipe)["se1_reduce"].trainable == 16


# Norms and activations on their own.


def test_a_kernel_knows_the_norm_and_activation_on_their_own(tmp_path: Path) -> None:
    bare = "{conv: {filters: 4, batch_norm: none, activation: linear}}"
    stack = (
        f"[{bare}, batch_norm, {{activation: {{leaky_relu: 0.5}}}}, {bare}, {{activation: elu}}]"
    )
    recipe = network(tmp_path, stack)
    found = layers(recipe)
    assert list(found)[2:7] == ["conv1", "bn1", "act1", "conv2", "act2"]
    assert recipe.model.stack[0].options.kernel_initializer.options.scale == 2 / (1 + 0.5**2)
    assert recipe.model.stack[3].options.kernel_initializer.word == "he_normal"
    first, second = found["conv1"].options, found["conv2"].options
    assert (first.norm_follows, first.use_bias) == (True, False)  # type: ignore[attr-defined]
    assert (second.norm_follows, second.use_bias) == (False, True)  # type: ignore[attr-defined]
    assert first.activation.options.negative_slope == 0.5  # type: ignore[attr-defined]
    assert second.activation.word == "elu"  # type: ignore[attr-defined]


def test_a_norm_on_its_own_takes_the_rest_from_the_defaults(tmp_path: Path) -> None:
    defaults = "  defaults: {batch_norm: {momentum: 0.5, epsilon: 1e-4}}\n"
    recipe = network(tmp_path, "[{batch_norm: {epsilon: 1e-5}}]", more=defaults)
    norm = recipe.model.stack[0].options
    assert (norm.momentum, norm.epsilon) == (0.5, 1e-5)


# Projections.

NORMS = [
    ("", "bn", 0),
    ("batch_norm: none, ", None, 6),
    ("batch_norm: none, use_bias: false, ", None, 0),
    ("group_norm: {groups: 2}, ", "gn", 0),
    ("layer_norm: {}, use_bias: true, ", "ln", 6),
]


@pytest.mark.parametrize("options, norm, bias", NORMS)
def test_norm_of_a_projection(tmp_path: Path, options: str, norm: str | None, bias: int) -> None:
    block = f"{{residual: {{{options}stack: [{{conv: {{filters: 6, strides: 2}}}}]}}}}"
    recipe = network(tmp_path, f"[{{conv: {{filters: 4}}}}, {block}]")
    found = layers(recipe)
    assert found["shortcut1"].trainable == 4 * 6 + bias
    added = [name for name in found if name.startswith("shortcut1_")]
    assert added == ([] if norm is None else [f"shortcut1_{norm}"])
    # Written out, it says the same.
    file = tmp_path / "again.yaml"
    file.write_text(dump(recipe), encoding="utf-8")
    assert load(str(file)) == recipe


PRE = "order: [bn, act, conv], use_bias: false"


def test_pre_activated_projection_takes_what_the_kernel_takes(tmp_path: Path) -> None:
    """As in Zagoruyko & Komodakis 2016: the first norm and ReLU are shared, where shapes change."""
    block = (
        "{{residual: {{pre_activation: true, use_bias: false, activation: linear, stack: "
        "[{{conv: {{filters: {}, {}}}}}, {{conv: {{filters: {}, {}}}}}]}}}}"
    )
    stack = f"[{{conv: 4}}, {block.format(6, PRE, 6, PRE)}, {block.format(6, PRE, 6, PRE)}]"
    found = layers(network(tmp_path, stack))
    assert found["shortcut1"].inputs == found["conv2"].inputs == ("conv2_act",)
    assert (found["shortcut1"].trainable, "shortcut1_bn" in found) == (24, False)
    assert found["add1"].inputs == ("conv3", "shortcut1")
    assert found["add2"].inputs == ("conv5", "add1")


# Stochastic depth.


def rates(recipe: Recipe) -> list[float]:
    options: list[Any] = [layer.options for layer in plan(recipe, 10).layers]
    kinds = [layer.kind for layer in plan(recipe, 10).layers]
    return [o.rate for o, kind in zip(options, kinds, strict=True) if kind == "stochastic_depth"]


def test_rates_grow_with_the_blocks(tmp_path: Path) -> None:
    """Huang et al. 2016: 1 - l / L (1 - p_L) survive in block l; every residual block counts."""
    block = "{residual: [{conv: 3}]}"
    kept = "{residual: {stochastic_depth: none, stack: [{conv: 3}]}}"
    stack = f"[{{group: {{repeat: 3, stack: [{block}]}}}}, {kept}, {block}]"
    defaults = "  defaults: {stochastic_depth: {rate: 0.5, growth: linear}}\n"
    assert rates(network(tmp_path, stack, more=defaults)) == pytest.approx([0.1, 0.2, 0.3, 0.5])
    defaults = "  defaults: {stochastic_depth: 0.25}\n"
    assert rates(network(tmp_path, stack, more=defaults)) == [0.25] * 4


def test_it_is_the_stack_that_is_left_out(tmp_path: Path) -> None:
    stack = (
        "[{residual: {stochastic_depth: 0.2, stack: [{conv: {filters: 3, activation: linear}}]}}]"
    )
    found = layers(network(tmp_path, stack))
    assert found["stochastic_depth1"].inputs == ("conv1_bn",)
    assert found["add1"].inputs == ("stochastic_depth1", "normalise")
