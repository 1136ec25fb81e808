"""Every word, stage and norm of a recipe is built as planned, trained, saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance import (
    LABELS,
    PIXELS,
    POLICIES,
    entries,
    flow,
    logits,
    require_agreement,
    require_conformance,
)
from tests.runs import network
from zoo.augment import AugmentRng, apply_augmentations
from zoo.errors import RecipeError
from zoo.recipe import words
from zoo.recipe.data_block import Augmentation
from zoo.recipe.network import Stage, complete
from zoo.recipe.norms import NORMS

# Each kind of stage once, as small as possible; a new kind needs a line here.
STAGES: dict[str, Any] = {
    "conv": {"filters": 4, "pool": "max", "dropout": 0.1},
    "depthwise_conv": {"depth_multiplier": 2, "repeat": 2},
    "separable_conv": {"filters": 4, "depth_multiplier": 2, "strides": 2, "repeat": 2},
    "whiten": {"kernel_size": 2},
    "residual": {
        "pre_activation": True,
        "stochastic_depth": 0.5,
        "stack": [{"conv": {"filters": 4, "strides": 2, "order": ["bn", "act", "conv"]}}],
    },
    "branches": {
        "stacks": [
            [],
            [{"conv": {"filters": 4}}],
            [{"branches": {"merge": "add", "stacks": [[{"conv": 3}], [{"conv": 3}]]}}],
        ]
    },
    "squeeze_excite": {"ratio": 2, "min_units": 2},
    "batch_norm": {},
    "group_norm": {"groups": 3},
    "layer_norm": {},
    "activation": "tanh",
    "group": {"stack": [{"conv": {"filters": 4}}, {"dropout": 0.1}], "repeat": 2},
    "fc": {"units": 4, "repeat": 2},
    "pool": "max",
    "global_pool": "average",
    "flatten": {},
    "dropout": 0.5,
    "spatial_dropout": 0.5,
    "alpha_dropout": 0.5,
}


# Where the optimizer does not matter: a step of Adam takes half as long again to trace.
SGD = ", optimizer: SGD"


def test_every_stage_is_here() -> None:
    complete()
    # A backbone needs larger images: tests/model/test_backbone.py.
    assert sorted([*STAGES, "backbone"]) == sorted(Stage.model_fields)


# In 16 bits, `make laws` alone trains what stands in other stages as well.
@pytest.mark.parametrize(
    "policy, word",
    [
        pytest.param(
            policy,
            word,
            marks=[pytest.mark.laws]
            * (policy != "float32" and word in (*NORMS, "activation", "pool", "dropout")),
        )
        for policy in ("float32", "mixed_bfloat16")
        for word in STAGES
    ],
)
def test_stages(tmp_path: Path, word: str, policy: str) -> None:
    stack = flow([{word: STAGES[word]}])
    recipe = network(tmp_path, stack, train=f", dtype_policy: {policy}{SGD}")
    require_conformance(tmp_path, recipe)


@pytest.mark.parametrize("word", STAGES)
@pytest.mark.parametrize("policy", POLICIES)
def test_logits_of_every_policy(tmp_path: Path, word: str, policy: str) -> None:
    stack = flow([{word: STAGES[word]}])
    recipe = network(tmp_path, stack, train=f", dtype_policy: {policy}")
    scores = logits(require_agreement(recipe, 4))
    assert scores.dtype == ("float64" if policy == "float64" else "float32")
    assert np.isfinite(scores).all()


# One network has all kinds of stages with kernels: tracing its step takes most of a test's time.
KERNEL_STAGES: list[tuple[str, dict[str, Any]]] = [
    ("conv", {"filters": 4}),
    ("depthwise_conv", {}),
    ("separable_conv", {"filters": 4}),
    ("fc", {"units": 4}),
]


@pytest.mark.parametrize("word", NORMS)
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}])
def test_norms(tmp_path: Path, word: str, options: dict[str, Any]) -> None:
    norm = {"groups": 2, **options} if word == "group_norm" else options
    stack = [{stage: {**required, word: norm}} for stage, required in KERNEL_STAGES]
    require_conformance(tmp_path, network(tmp_path, flow(stack), train=SGD))


@pytest.mark.parametrize("word", entries(words.ACTIVATIONS))
def test_activations(tmp_path: Path, word: Any) -> None:
    stack = [{stage: {**required, "activation": word}} for stage, required in KERNEL_STAGES]
    require_conformance(tmp_path, network(tmp_path, flow(stack), train=SGD))


@pytest.mark.parametrize("word", entries(words.INITIALIZERS))
def test_initializers(tmp_path: Path, word: Any) -> None:
    """Of a kernel, or of the head's bias where it is only for that."""
    try:
        recipe = network(tmp_path, f"[{{conv: {{filters: 4, kernel_initializer: {flow(word)}}}}}]")
    except RecipeError as error:
        assert "for the bias of model.head" in str(error)
        head = f"  head: {{bias_initializer: {flow(word)}}}\n"
        recipe = network(tmp_path, "[{conv: {filters: 4}}]", more=head)
    require_conformance(tmp_path, recipe, eager=True)


@pytest.mark.parametrize("word", entries(words.POOLS))
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pools(tmp_path: Path, word: str, padding: str) -> None:
    pool = f"{{{word}: {{pool_size: 3, strides: 2, padding: {padding}}}}}"
    stack = f"[{{conv: {{filters: 4, pool: {pool}}}}}]"
    require_conformance(tmp_path, network(tmp_path, stack, train=SGD))


@pytest.mark.parametrize("word", entries(words.GLOBAL_POOLS))
def test_global_pools(tmp_path: Path, word: str) -> None:
    stack = f"[{{conv: {{filters: 4}}}}, {{global_pool: {word}}}]"
    recipe = network(tmp_path, stack, train=SGD)
    require_conformance(tmp_path, recipe)


@pytest.mark.parametrize("word", entries(words.OPTIMIZERS))
def test_optimizers(tmp_path: Path, word: Any) -> None:
    recipe = network(tmp_path, "[{conv: {filters: 4}}]", train=f", optimizer: {flow(word)}")
    require_conformance(tmp_path, recipe)


@pytest.mark.parametrize("word", entries(words.SCHEDULES))
def test_schedules(tmp_path: Path, word: Any) -> None:
    recipe = network(tmp_path, "[{conv: {filters: 4}}]", train=f", schedule: {flow(word)}")
    require_conformance(tmp_path, recipe)


LOSSES = {word: entry for word, entry in words.LOSSES.items() if word != "auto"}


@pytest.mark.parametrize("word", entries(LOSSES))
@pytest.mark.parametrize("policy", POLICIES)
def test_losses(tmp_path: Path, word: Any, policy: str) -> None:
    train = f", loss: {flow(word)}, dtype_policy: {policy}{SGD}"
    recipe = network(tmp_path, "[{conv: {filters: 4}}]", train=train)
    require_conformance(tmp_path, recipe)


@pytest.mark.parametrize("word", entries(words.AUGMENTATIONS))
def test_augmentations(word: Any) -> None:
    step = Augmentation.model_validate(word)
    rows = np.eye(4, dtype=np.float32)[LABELS]

    def apply() -> np.ndarray:
        rng = AugmentRng(np.random.default_rng(1), 1, 0, np.arange(len(PIXELS)))
        return apply_augmentations(PIXELS, rows, [step], rng)[0]

    once, again = apply(), apply()
    assert (once.shape, once.dtype) == (PIXELS.shape, np.uint8)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, PIXELS)


# Arbitrary stacks.

PAIR = st.integers(1, 3) | st.tuples(st.integers(1, 3), st.integers(1, 3)).map(list)
WINDOW = st.fixed_dictionaries(
    {"pool_size": PAIR, "padding": st.sampled_from(["valid", "same"])},
    optional={"strides": PAIR},
)
POOL = st.sampled_from(["max", "average"]).flatmap(lambda word: WINDOW.map(lambda w: {word: w}))
NORM = st.sampled_from(
    [
        {"batch_norm": "none"},
        {"batch_norm": {"center": False}},
        {"batch_norm": {"momentum": 0.5}},
        {"group_norm": {"groups": 2}},
        {"layer_norm": {"scale": False}},
    ]
)
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "repeat": st.integers(1, 2),
    "dropout": st.sampled_from([0.0, 0.5]),
    "activation": st.sampled_from(list(words.ACTIVATIONS)),
    "use_bias": st.booleans(),
}
ORDERS = st.permutations(words.ORDER).map(list)
WINDOWED: dict[str, st.SearchStrategy[Any]] = {
    **COMMON,
    "order": ORDERS,
    "kernel_size": PAIR,
    "strides": PAIR,
    "dilation_rate": PAIR,
    "padding": st.sampled_from(["same", "valid"]),
    "pool": POOL,
}
MULTIPLIER = {"depth_multiplier": st.integers(1, 2)}
FILTERS = {"filters": st.sampled_from([2, 4])}


def normed(
    needed: dict[str, st.SearchStrategy[Any]], more: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Any]:
    stage = st.fixed_dictionaries(needed, optional=more)
    return st.tuples(stage, NORM | st.just({})).map(lambda parts: {**parts[0], **parts[1]})


CONV = normed(FILTERS, {**WINDOWED, "groups": st.sampled_from([1, 2])}).map(lambda o: {"conv": o})
DEPTHWISE = normed({}, {**WINDOWED, **MULTIPLIER}).map(lambda o: {"depthwise_conv": o})
SEPARABLE = normed(FILTERS, {**WINDOWED, **MULTIPLIER}).map(lambda o: {"separable_conv": o})
FC = normed({"units": st.sampled_from([2, 4])}, {**COMMON, "order": ORDERS}).map(
    lambda o: {"fc": o}
)
PLAIN = st.one_of(
    CONV,
    CONV,
    DEPTHWISE,
    SEPARABLE,
    POOL.map(lambda pool: {"pool": pool}),
    FC,
    st.sampled_from([{"global_pool": "average"}, {"global_pool": "max"}, "flatten"]),
    st.sampled_from([{"dropout": 0.5}, {"spatial_dropout": 0.5}, {"alpha_dropout": 0.5}]),
    st.fixed_dictionaries({"kernel_size": PAIR}).map(lambda o: {"whiten": o}),
    NORM.filter(lambda norm: "none" not in norm.values()),
    st.sampled_from(list(words.ACTIVATIONS)).map(lambda word: {"activation": word}),
    st.fixed_dictionaries(
        {"ratio": st.sampled_from([1, 1.5, 4])},
        optional={"min_units": st.integers(1, 3), "use_bias": st.booleans()},
    ).map(lambda o: {"squeeze_excite": o}),
)
BLOCK = st.lists(PLAIN, min_size=1, max_size=2)
# Stages that keep height and width, so that branches fit together.
KEEPING = st.one_of(
    normed(FILTERS, {**COMMON, "order": ORDERS, "kernel_size": PAIR}).map(lambda o: {"conv": o}),
    st.sampled_from(
        [
            {"depthwise_conv": {}},
            {"batch_norm": {}},
            {"layer_norm": {}},
            {"activation": "relu"},
            {"activation": "prelu"},
            {"squeeze_excite": {"ratio": 1.5, "min_units": 2}},
            {"squeeze_excite": {"use_bias": False, "gate": "hard_sigmoid"}},
            {"spatial_dropout": 0.5},
            {"pool": {"max": {"pool_size": 3, "strides": 1, "padding": "same"}}},
        ]
    ),
)
KEPT = st.lists(KEEPING, min_size=1, max_size=2)
JOINED = st.fixed_dictionaries(
    {"stacks": st.lists(st.just([]) | KEPT, min_size=2, max_size=3)},
    optional={"activation": st.sampled_from(list(words.ACTIVATIONS))},
).map(lambda o: {"branches": o})
ADDED = st.lists(
    KEPT.map(lambda stack: [*stack, {"conv": {"filters": 4}}]) | JOINED.map(lambda stage: [stage]),
    min_size=2,
    max_size=2,
).map(lambda stacks: {"branches": {"merge": "add", "stacks": stacks}})
DEPTH = st.sampled_from([0.0, {"rate": 0.5, "growth": "linear"}])
PRE_ACTIVATED = st.fixed_dictionaries(
    {
        "pre_activation": st.just(True),
        "stack": st.tuples(
            st.fixed_dictionaries(
                {
                    "filters": st.just(4),
                    "order": st.just(["bn", "act", "conv"]),
                    "strides": PAIR,
                }
            ).map(lambda o: {"conv": o}),
            KEEPING,
        ).map(list),
    },
    optional={"stochastic_depth": DEPTH, "shortcut": st.sampled_from(["projection", "pad"])},
)
STAGE = st.one_of(
    PLAIN,
    JOINED,
    ADDED,
    PRE_ACTIVATED.map(lambda o: {"residual": o}),
    normed(
        {"stack": BLOCK | JOINED.map(lambda stage: [stage])},
        {
            "shortcut": st.sampled_from(["auto", "identity", "projection", "pad"]),
            "use_bias": st.booleans(),
            "stochastic_depth": DEPTH,
        },
    ).map(lambda o: {"residual": o}),
    st.fixed_dictionaries({"stack": BLOCK, "repeat": st.integers(1, 2)}).map(
        lambda o: {"group": o}
    ),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(
    stack=st.lists(STAGE, min_size=1, max_size=4),
    size=st.tuples(st.integers(3, 13), st.integers(3, 13)),
    classes=st.integers(2, 5),
)
def test_any_stack_is_built_as_planned_or_refused(
    tmp_path: Path, stack: list[Any], size: tuple[int, int], classes: int
) -> None:
    """Keras can build every stack that a recipe may have, with the planned shapes."""
    try:
        recipe = network(tmp_path, yaml.safe_dump(stack, default_flow_style=True, width=9999), size)
    except RecipeError:
        return
    require_agreement(recipe, classes)
