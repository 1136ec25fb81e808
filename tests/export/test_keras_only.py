"""Networks of every stage and layer of ours, in Keras's own layers alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tests.conformance import PIXELS, POLICIES, flow, written
from tests.runs import UNIT, environment, network
from tests.test_conformance import STAGES
from zoo.artifact import readers
from zoo.artifact.trained_run import softmax
from zoo.datasets.normalise import Normalisation
from zoo.export import formats
from zoo.export.keras_only import keras_only
from zoo.model.builder import build
from zoo.recipe import Recipe, words

CONV: dict[str, Any] = {"conv": {"filters": 4}}
STACKS: dict[str, list[Any]] = {
    **{word: [{word: options}] for word, options in STAGES.items()},
    "maxout": [
        {"conv": {"filters": 4, "activation": {"maxout": {"pieces": 3}}}},
        {"fc": {"units": 6, "activation": "maxout"}},
    ],
    "prelu": [{"conv": {"filters": 4, "activation": "prelu"}}, {"fc": {"units": 4}}],
    "padded shortcut": [
        CONV,
        {
            "residual": {
                "stack": [{"conv": {"filters": 10, "strides": 2, "activation": "linear"}}],
                "shortcut": "pad",
            }
        },
    ],
    "projection": [
        {"residual": {"stack": [{"conv": {"filters": 6}}], "shortcut": "projection"}},
        {"residual": {"stack": [{"conv": {"filters": 6}}], "shortcut": "identity"}},
    ],
    "norms": [
        {"conv": {"filters": 4, "group_norm": {"groups": 2}}},
        {"conv": {"filters": 4, "layer_norm": {}}},
    ],
    "groups": [CONV, {"conv": {"filters": 4, "groups": 2, "dilation_rate": 2}}],
}  # fmt: skip
SAMPLEWISE = Normalisation("samplewise_meanstd", 1.0, 0.0)
ACTIVATIONS = [
    {"conv": {"filters": 4, "activation": written(word, entry)}}
    for word, entry in words.ACTIVATIONS.items()
]
# All of them in one network, for the formats that are slow to write.
ALL = [
    {"whiten": {"kernel_size": 2, "activation": {"gelu": {}}}},
    {"conv": {"filters": 4, "activation": "maxout", "pool": "average", "dropout": 0.1}},
    *STACKS["padded shortcut"],
    *STACKS["norms"],
    *ACTIVATIONS,
    {"branches": STAGES["branches"]},
    {"batch_norm": {}},
    {"activation": "relu"},
    {"squeeze_excite": {"gate": "hard_sigmoid", "min_units": 3}},
    {
        "residual": {
            "stochastic_depth": 0.5,
            "stack": [{"conv": {"filters": 4}}, {"squeeze_excite": 2}],
        }
    },
    {"depthwise_conv": {"depth_multiplier": 2}},
    {"separable_conv": {"filters": 4, "activation": "prelu"}},
    {"spatial_dropout": 0.5},
    {"fc": {"units": 4, "activation": "selu"}},
    {"alpha_dropout": 0.5},
]


def untrained(recipe: Recipe, scaling: Normalisation = UNIT) -> keras.Model:
    """A network with random weights, so that no layer is an identity."""
    model = build(recipe, 4, scaling)
    generator = np.random.default_rng(1)

    def moved(value: np.ndarray) -> np.ndarray:
        if value.ndim > 1 and value.any():
            return value  # A kernel, drawn already.
        return value + 0.3 * np.abs(generator.normal(size=value.shape)).astype(value.dtype)

    model.set_weights([moved(value) for value in model.get_weights()])
    return model


def stub(recipe: Recipe, model: keras.Model) -> Any:
    """The parts of a run that writers use."""
    return SimpleNamespace(
        recipe=recipe, model=model, class_names=[*"abcd"], multi_label=False, activation="softmax"
    )


def ours(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if type(layer).__module__.startswith("zoo")]


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Recipe, keras.Model]]:
    folder = tmp_path_factory.mktemp("nets")
    nets = {}
    for name, stack in {**STACKS, "all": ALL}.items():
        recipe = network(folder, flow(stack))
        nets[name] = (recipe, untrained(recipe, SAMPLEWISE if name == "all" else UNIT))
    return nets


def test_every_layer_of_ours_is_here(nets: Any) -> None:
    import zoo.model.layers

    written = {
        name
        for name, each in vars(zoo.model.layers).items()
        if isinstance(each, type) and issubclass(each, keras.layers.Layer)
    }
    used = {type(layer).__name__ for _, model in nets.values() for layer in model.layers}
    assert written <= used


@pytest.mark.parametrize("name", [*STACKS, "all"])
def test_same_function(nets: Any, name: str) -> None:
    _, model = nets[name]
    copy = keras_only(model)
    assert ours(copy) == []
    assert "zoo" not in copy.to_json()
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in copy.layers)
    assert copy.trainable_variables == []
    expected = model(PIXELS, training=False)
    np.testing.assert_array_equal(copy(PIXELS, training=False), expected)
    assert np.ptp(expected) > 0
    assert copy.count_params() == model.count_params()


@pytest.mark.parametrize("policy", [word for word in POLICIES if word != "float32"])
def test_policies(tmp_path: Path, policy: str) -> None:
    """The copy keeps the policy, or computes in float32."""
    model = untrained(network(tmp_path, flow(ALL), train=f", dtype_policy: {policy}"))
    expected = np.asarray(model(PIXELS, training=False))
    np.testing.assert_array_equal(keras_only(model)(PIXELS, training=False), expected)
    full = keras_only(model, full_precision=True)
    assert {layer.compute_dtype for layer in full.layers} == {"float32"}
    result = np.asarray(full(PIXELS, training=False))
    assert result.dtype == np.float32
    np.testing.assert_allclose(softmax(result), softmax(expected), atol=0.1)


def test_for_phones(nets: Any) -> None:
    """In full precision, other layers of the same value replace what int8 computes wrongly."""
    _, model = nets["all"]
    copy = keras_only(model, full_precision=True)
    for layer in copy.layers:
        assert not isinstance(layer, keras.layers.Flatten)
        assert getattr(layer, "activation", None) not in (
            keras.activations.celu,
            keras.activations.selu,
        )
    expected = model(PIXELS, training=False)
    np.testing.assert_allclose(copy(PIXELS, training=False), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_keras_file_opens_without_zoo(nets: Any, tmp_path: Path) -> None:
    """In a process that cannot import this package."""
    recipe, model = nets["all"]
    formats.keras_file(stub(recipe, model), tmp_path)
    np.save(tmp_path / "pixels.npy", PIXELS)
    script = (
        "import sys; sys.modules['zoo'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.saving.load_model('model.keras', safe_mode=True)\n"
        "np.save('answers.npy', model(np.load('pixels.npy')))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(PYTHONPATH=""),
        capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    expected = softmax(model(PIXELS, training=False))
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_every_layer_in(format: str, nets: Any, tmp_path: Path) -> None:
    recipe, model = nets["all"]
    formats.FORMATS[format].write(stub(recipe, model), tmp_path)
    labels, calls = readers.READERS[format](formats.Artifact(tmp_path, format).model_file)
    assert labels == [*"abcd"]
    ((_, ask),) = calls.values()
    result = ask(PIXELS.astype(np.float32))["probabilities"]
    np.testing.assert_allclose(result, softmax(model(PIXELS, training=False)), atol=1e-5)
