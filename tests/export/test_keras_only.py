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
# All of them in one network, for the formats that are slow to write.
ALL = [
    {"whiten": {"kernel_size": 2, "activation": {"gelu": {}}}},
    {"conv": {"filters": 4, "activation": "maxout", "pool": "average", "dropout": 0.1}},
    *STACKS["padded shortcut"],
    *STACKS["norms"],
    {"depthwise_conv": {"depth_multiplier": 2}},
    {"separable_conv": {"filters": 4, "activation": "prelu"}},
    {"spatial_dropout": 0.5},
    {"fc": {"units": 4, "activation": "selu"}},
    {"alpha_dropout": 0.5},
]


ACTIVATIONS = [
    {"conv": {"filters": 4, "activation": written(word, entry)}}
    for word, entry in words.ACTIVATIONS.items()
]


def made(recipe: Recipe) -> keras.Model:
    """Untrained; what training moves is moved off its start, so that no layer is an identity."""
    model = build(recipe, 4, UNIT)
    generator = np.random.default_rng(1)

    def moved(value: np.ndarray) -> np.ndarray:
        if value.ndim > 1 and value.any():
            return value  # A kernel, drawn already.
        return value + 0.3 * np.abs(generator.normal(size=value.shape)).astype(value.dtype)

    model.set_weights([moved(value) for value in model.get_weights()])
    return model


def stub(recipe: Recipe, model: keras.Model) -> Any:
    """What a writer uses of a run."""
    return SimpleNamespace(recipe=recipe, model=model, class_names=[*"abcd"])


def ours(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if type(layer).__module__.startswith("zoo")]


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Recipe, keras.Model]]:
    folder = tmp_path_factory.mktemp("nets")
    found = {}
    for name, stack in {**STACKS, "all": ALL, "activations": ACTIVATIONS}.items():
        recipe = network(folder, flow(stack))
        found[name] = (recipe, made(recipe))
    return found


def test_every_layer_of_ours_is_here(nets: Any) -> None:
    import zoo.model.layers

    written = {
        name
        for name, each in vars(zoo.model.layers).items()
        if isinstance(each, type) and issubclass(each, keras.layers.Layer)
    }
    used = {type(layer).__name__ for _, model in nets.values() for layer in model.layers}
    assert written <= used


@pytest.mark.parametrize("name", [*STACKS, "all", "activations"])
def test_same_function(nets: Any, name: str) -> None:
    _, model = nets[name]
    copy = keras_only(model)
    assert ours(copy) == []
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in copy.layers)
    assert copy.trainable_variables == []
    wanted = model(PIXELS, training=False)
    np.testing.assert_array_equal(copy(PIXELS, training=False), wanted)
    assert np.ptp(wanted) > 0
    assert copy.count_params() == model.count_params()


@pytest.mark.parametrize("policy", [word for word in POLICIES if word != "float32"])
def test_policies(tmp_path: Path, policy: str) -> None:
    """Kept, or brought to float32."""
    model = made(network(tmp_path, flow(ALL), train=f", dtype_policy: {policy}"))
    wanted = np.asarray(model(PIXELS, training=False))
    np.testing.assert_array_equal(keras_only(model)(PIXELS, training=False), wanted)
    full = keras_only(model, full_precision=True)
    assert {layer.compute_dtype for layer in full.layers} == {"float32"}
    found = np.asarray(full(PIXELS, training=False))
    assert found.dtype == np.float32
    np.testing.assert_allclose(softmax(found), softmax(wanted), atol=0.1)


@pytest.mark.slow
def test_keras_files_open_without_zoo(nets: Any, tmp_path: Path) -> None:
    """All of them, in one process that cannot import this package."""
    wanted = {}
    for name, (recipe, model) in nets.items():
        (tmp_path / name).mkdir()
        formats.keras_file(stub(recipe, model), tmp_path / name)
        wanted[name] = softmax(model(PIXELS, training=False))
    np.save(tmp_path / "pixels.npy", PIXELS)
    script = (
        "import sys; sys.modules['zoo'] = None\n"
        "import keras, numpy as np, pathlib\n"
        "pixels = np.load('pixels.npy')\n"
        "found = {}\n"
        "for file in pathlib.Path('.').glob('*/model.keras'):\n"
        "    model = keras.saving.load_model(file, safe_mode=True)\n"
        "    found[file.parent.name] = np.asarray(model(pixels))\n"
        "np.savez('found.npz', **found)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(PYTHONPATH=""),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "found.npz") as found:
        assert set(found.files) == set(nets)
        for name in nets:
            np.testing.assert_allclose(found[name], wanted[name], atol=1e-6, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["all", "activations"])
@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_every_layer_in(format: str, name: str, nets: Any, tmp_path: Path) -> None:
    recipe, model = nets[name]
    formats.FORMATS[format].write(stub(recipe, model), tmp_path)
    labels, calls = readers.READERS[format](
        tmp_path / formats.Artifact(tmp_path, format).model_file
    )
    assert labels == [*"abcd"]
    ((_, ask),) = calls.values()
    found = ask(PIXELS.astype(np.float32))["probabilities"]
    np.testing.assert_allclose(found, softmax(model(PIXELS, training=False)), atol=1e-5)
