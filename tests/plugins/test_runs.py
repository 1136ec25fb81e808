"""A run with a part of every kind: trained, resumed, measured, exported, and refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.plugins.example import write
from tests.runs import tiny
from zoo.artifact.trained_run import TrainedRun
from zoo.cli import app
from zoo.errors import PluginError, PluginRefused, RecipeError, RunError
from zoo.plan import own_layers
from zoo.plugins import permission, running
from zoo.rundir import Run


@pytest.fixture(autouse=True)
def _no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield
    permission.allow(False)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of the page's example."""
    from zoo.recipe import load
    from zoo.training import train

    folder = tmp_path_factory.mktemp("own")
    recipe = write(folder, ("BestLoss: best.txt", f"BestLoss: {folder}/best.txt"))
    permission.allow()
    try:
        return train(load(str(recipe)), folder / "runs")
    finally:
        permission.allow(False)


def call(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout or result.stderr


def test_every_kind_of_part_does_its_work(own: Run) -> None:
    rows = own.rows()
    assert {"Confidence", "val_Confidence"} <= set(rows[-1])
    assert 0.1 < rows[-1]["val_Confidence"] < 1
    best = (own.folder.parents[2] / "best.txt").read_text().split()
    assert float(best[1]) == pytest.approx(rows[0]["loss"], abs=1e-3)
    assert rows[1]["loss"] < rows[0]["loss"]
    permission.allow()
    trained = TrainedRun(own)
    scale = trained.model.get_layer("ChannelScale1")
    assert [tuple(weight.shape) for weight in scale.weights] == [(4,), (4,)]
    assert np.abs(np.asarray(scale.factor) - 0.9).max() > 0  # It was trained.


def test_the_run_names_its_parts_and_keeps_their_text(own: Run) -> None:
    entries = own.info()["plugins"]
    assert [entry["kind"] for entry in entries] == [
        "activation", "layer", "augmentation", "loss", "metric", "callback", "initializer",
    ]  # fmt: skip
    file = Path(entries[0]["file"])
    assert own.plugin_copy("my_parts.py").read_text() == file.read_text()
    assert len({entry["sha256"] for entry in entries}) == 1


def test_a_run_asks_for_permission_again(own: Run) -> None:
    code, printed = call("evaluate", own.folder)
    assert code == 2
    assert "add --allow-plugins" in printed
    assert "my_parts.py:14: Mish2: an activation" in printed
    code, printed = call("evaluate", own.folder, "--allow-plugins", "--json")
    assert code == 0, printed
    assert 0.1 < json.loads(printed)["metrics"]["Confidence"] < 1


@pytest.fixture
def copied(own: Run, tmp_path: Path) -> Run:
    """The run with a file of parts of its own, which may be changed."""
    file = Path(own.info()["plugins"][0]["file"])
    shutil.copy(file, tmp_path / "my_parts.py")
    shutil.copytree(own.folder, tmp_path / "run")
    run = Run.at(tmp_path / "run")
    for name in ("recipe.yaml", "run.json"):
        text = (run.folder / name).read_text().replace(str(file.parent), str(tmp_path))
        (run.folder / name).write_text(text)
    from zoo.rundir.recipe_text import read_recipe_text, text_digest

    run.update(recipe_hash=text_digest(read_recipe_text(run)))
    permission.allow()
    return run


def test_a_changed_or_missing_file_is_refused(copied: Run, tmp_path: Path) -> None:
    file = tmp_path / "my_parts.py"
    assert TrainedRun(copied).recipe.plugins
    text = file.read_text()
    file.write_text(text.replace("start: float = 1.0", "start: float = 2.0"))
    with pytest.raises(RunError, match="was changed since then .*the run has a copy to read"):
        _ = TrainedRun(copied).recipe
    file.rename(tmp_path / "moved.py")
    with pytest.raises(RunError, match="there is no file"):
        _ = TrainedRun(copied).recipe
    (tmp_path / "moved.py").write_text(text)
    names = ("Mish2", "ChannelScale", "Noise", "Poly1", "Confidence", "BestLoss", "Small")
    moved = ", ".join(f"{tmp_path}/moved.py:{name}" for name in names)
    assert TrainedRun(copied, [f"plugins=[{moved}]"]).recipe.plugins[0].endswith("moved.py:Mish2")


def test_a_run_from_elsewhere_cannot_bring_its_code(copied: Run, tmp_path: Path) -> None:
    """Its recipe names a file in the run folder, and its run.json agrees."""
    inside = copied.folder / "my_parts.py"
    shutil.copy(tmp_path / "my_parts.py", inside)
    for name in ("recipe.yaml", "run.json"):
        file = copied.folder / name
        file.write_text(file.read_text().replace(f"{tmp_path}/my_parts", str(inside)[:-3]))
    from zoo.rundir.recipe_text import read_recipe_text, text_digest

    copied.update(recipe_hash=text_digest(read_recipe_text(copied)))
    with pytest.raises(PluginRefused, match="no code in a run folder is run"):
        _ = TrainedRun(copied).recipe


@pytest.mark.backend
@pytest.mark.parametrize(
    "part, change, message",
    [
        ("class Bad(keras.layers.Layer):\n    def __init__(self, rate=0.5, **kwargs):\n"
         "        super().__init__(**kwargs)\n        self.rate = rate\n"
         "    def call(self, x):\n        return x * self.rate\n"
         "    def get_config(self):\n        return super().get_config() | {'rate': 0.5}\n",
         "{Bad: 0.25}", "does something else once it is saved and loaded: by up to"),
        ("class Bad(keras.layers.Layer):\n    def __init__(self, rate=0.5):\n"
         "        super().__init__()\n", "Bad", "takes no **kwargs"),
        ("class Bad(keras.layers.Layer):\n    def call(self, x):\n        return 1 / 0\n",
         "Bad", "ZeroDivisionError: division by zero"),
        ("class Bad(keras.layers.Layer):\n    def call(self, x):\n        return x[:, 0]\n",
         "Bad", "Expected [height, width, channels] or [units]"),
        ("raise RuntimeError('at the top')\nclass Bad(keras.layers.Layer): ...\n", "Bad",
         "RuntimeError: at the top"),
    ],
)  # fmt: skip
def test_bad_layers_are_refused_before_the_first_step(
    tmp_path: Path, part: str, change: str, message: str
) -> None:
    from zoo.plugins import recipe_parts

    (tmp_path / "bad.py").write_text(f"import keras\n{part}")
    recipe = tiny(tmp_path, f"plugins=[{tmp_path}/bad.py:Bad]", f"model.stack=[{change}]")
    permission.allow()
    with pytest.raises((PluginError, RecipeError)) as caught:
        recipe_parts.start(recipe)
    assert message in str(caught.value)
    assert "site-packages" not in str(caught.value)


def test_errors_in_an_augmentation_are_the_users(tmp_path: Path) -> None:
    from zoo.batches import Batches
    from zoo.datasets.load import load as load_data

    text = (
        "from zoo.plugins import Augmentation\nclass Bad(Augmentation):\n"
        "    def augment(self, images, rng):\n        images[0] = 0\n        return images\n"
    )
    (tmp_path / "bad.py").write_text(text)
    changes = (f"plugins=[{tmp_path}/bad.py:Bad]", "data.augment=[Bad]", "model.stack=[flatten]")
    recipe = tiny(tmp_path, *changes)
    permission.allow()
    batches = Batches(load_data(recipe).train, 8, 0, recipe.data.augment)
    with pytest.raises(PluginError) as caught:
        batches(0)
    assert "assignment destination is read-only" in str(caught.value)
    assert [each.line for each in caught.value.problems] == [4]


def test_two_files_of_one_name_may_not_hold_one_name(tmp_path: Path) -> None:
    from zoo.plugins import recipe_parts

    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "parts.py").write_text(
            f"def Act(x):\n    return x + len('{folder}')\n"
        )
    names = f"[{tmp_path}/a/parts.py:Act, Other = {tmp_path}/b/parts.py:Act]"
    recipe = tiny(tmp_path, f"plugins={names}", "model.stack=[flatten]")
    permission.allow()
    with pytest.raises(PluginError, match="would have one name in a model file, parts>Act"):
        recipe_parts.start(recipe)


def test_a_name_in_model_files_is_that_of_the_part_in_use(tmp_path: Path) -> None:
    """Two runs in one process, whose parts have one name."""
    import keras

    from zoo.plugins import reading

    permission.allow()
    parts = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one_name.py").write_text(f"def Act(x):\n    return '{folder}'\n")
        parts.append(reading.read("one_name.py:Act", tmp_path / folder))
    for part in (*parts, *parts):
        found = running.load(part)
        assert keras.saving.get_registered_object("one_name>Act") is found


def test_the_text_that_was_read_is_what_runs(tmp_path: Path) -> None:
    from zoo.plugins import reading

    file = tmp_path / "parts.py"
    file.write_text("def Part(x): return 1\n")
    part = reading.read("parts.py:Part", tmp_path)
    file.write_text("def Part(x): return 2\n")
    permission.allow()
    with pytest.raises(PluginError, match="was changed since the recipe was read"):
        running.load(part)


@pytest.mark.backend
def test_losses_of_ones_own_are_measured_as_those_of_zoo(tmp_path: Path) -> None:
    from zoo import losses
    from zoo.checks.measure.loss import loss_name, loss_per_label
    from zoo.recipe import load

    text = (
        "import keras\ndef Plain(y_true, y_pred):\n"
        "    loss = keras.losses.sparse_categorical_crossentropy\n"
        "    return loss(y_true, y_pred, from_logits=True)\n"
        "class Whole(keras.losses.Loss):\n    def call(self, y_true, y_pred):\n"
        "        return Plain(y_true, y_pred)\n"
    )
    (tmp_path / "own.py").write_text(text)
    permission.allow()
    scores = np.random.default_rng(0).normal(size=(6, 10))
    expected = loss_per_label(tiny(tmp_path).train.loss, scores)
    for word in ("Plain", "Whole"):
        changes = [f"plugins=[{tmp_path}/own.py:{word}]", f"train.loss={word}"]
        choice = load(str(tmp_path / "tiny.yaml"), changes).train.loss
        assert loss_name(choice) == "own"
        np.testing.assert_allclose(loss_per_label(choice, scores), expected, rtol=1e-5)
        assert losses.uniform_loss(choice, 10) == pytest.approx(np.log(10), rel=1e-5)


def test_a_callback_that_looks_at_steps_is_told(tmp_path: Path) -> None:
    from zoo.plugins import recipe_parts

    text = (
        "import keras\nclass Each(keras.callbacks.Callback):\n"
        "    def on_train_batch_end(self, batch, logs=None): ...\n"
    )
    (tmp_path / "own.py").write_text(text)
    changes = (f"plugins=[{tmp_path}/own.py:Each]", "train.callbacks=[Each]")
    permission.allow()
    lines: list[str] = []
    recipe_parts.start(tiny(tmp_path, *changes), lines.append)
    assert lines[0].startswith("runs Each of ")
    assert lines[1].startswith("Each looks at single steps")


def test_loading_a_recipe_runs_no_layer(tmp_path: Path) -> None:
    """Keras is imported and the code allowed: yet JAX must not start before the devices are set."""
    from zoo.plugins import recipe_parts

    (tmp_path / "own.py").write_text(
        "import keras\nclass Half(keras.layers.Layer):\n    def call(self, x):\n"
        "        return x[:, :, :4]\n"
    )
    permission.allow()
    changes = (f"plugins=[{tmp_path}/own.py:Half]", "model.stack=[Half, flatten]")
    recipe = tiny(tmp_path, *changes)
    assert not own_layers.can_plan(recipe)
    recipe_parts.start(recipe)
    assert own_layers.can_plan(recipe)
