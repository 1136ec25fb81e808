"""Parts whose file lies elsewhere now: the same text is followed, another one is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import zoo
import zoo.training
from tests.cli.calls import call, require_error
from tests.runs import LINEAR, TINY
from tests.tuning import searches
from tests.tuning.instant import InstantExecutor
from tests.tuning.searches import TOTAL, Recorder
from tuning.cli import TuneJob, tune
from tuning.search import SearchSettings, begin, resume
from zoo.cli.output import Output
from zoo.errors import Interrupted, RunError, UsageError
from zoo.plugins import permission, recipe_parts, source
from zoo.recipe import Template, load
from zoo.rundir import Folds, Run, Search
from zoo.rundir.recipe_text import read_recipe_text, rewritten, text_digest
from zoo.training import extension

PART = (
    "import keras\ndef Plain(y_true, y_pred, scale: float = 1.0):\n"
    "    loss = keras.losses.sparse_categorical_crossentropy\n"
    "    return scale * loss(y_true, y_pred, from_logits=True)\n"
    "def Double(y_true, y_pred, scale: float = 1.0):\n"
    "    return 2 * Plain(y_true, y_pred, scale)\n"
)
LOSS = "train.loss={Plain: {scale: 0.5}}"


@pytest.fixture(autouse=True)
def _permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    permission.allow()
    yield
    permission.allow(False)
    source.hand_over({})


@pytest.fixture
def part(tmp_path: Path) -> Path:
    file = tmp_path / "old" / "parts.py"
    file.parent.mkdir()
    file.write_text(PART, encoding="utf-8")
    return file


def named(file: Path, name: str = "Plain") -> str:
    return f"plugins=[{file}:{name}]"


def moved(part: Path, tmp_path: Path) -> Path:
    """Moves the file."""
    file = tmp_path / "new parts.py"
    part.rename(file)
    return file


def require_same_text_only(resumed: Callable[[list[str]], Any], part: Path, tmp_path: Path) -> None:
    """Moves the file; `resumed` refuses all but its text and name at another place."""
    file = moved(part, tmp_path)
    with pytest.raises(RunError, match=r"there is no file.* --set \"plugins=\[FILE.py:Plain\]\""):
        resumed([])
    other = tmp_path / "other.py"
    other.write_text(PART.replace("1.0", "2.0"), encoding="utf-8")
    with pytest.raises(RunError, match="other.py was changed since then"):
        resumed([named(other)])
    with pytest.raises(RunError, match="Plain is now Double of"):
        resumed([f"plugins=['Plain = {file}:Double']"])
    resumed([named(file)])


def test_folds(part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = zoo.training.train
    trained: list[str] = []

    def stopped_in_the_second(recipe: Any, **options: Any) -> Run:
        trained.append(recipe.plugins[0])
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(recipe, **options)

    monkeypatch.setattr("zoo.training.train", stopped_in_the_second)
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(TINY, encoding="utf-8")
    quick = [named(part), LOSS, LINEAR, "train.epochs=1", "train.batch_size=512"]
    changes = [word for change in quick for word in ("--set", change)]
    arguments = ("--folds", "2", "--out", tmp_path / "runs", "--allow-plugins", *changes)
    assert call("train", recipe, *arguments).exit_code == 130
    folds = Folds.open(next((tmp_path / "runs" / "tiny").iterdir()))

    def resumed(overrides: list[str]) -> None:
        again = [word for change in overrides for word in ("--set", change)]
        result = call("train", "--resume", folds, "--allow-plugins", *again)
        if result.exit_code:
            require_error(result, 2, "")
            raise RunError(result.stderr.replace("\n", " "))

    # A comment in the recipe changes nothing, wherever the part is.
    folds.recipe_file.write_text(f"# mine\n{folds.recipe_file.read_text()}")
    require_same_text_only(resumed, part, tmp_path)
    assert folds.info()["status"] == "done"
    new = f"{tmp_path}/new parts.py:Plain"
    assert trained == [f"{part}:Plain"] * 2 + [new]
    recorded = [Run(folds.folder / f"fold-{fold}").info()["plugins"][0] for fold in (1, 2)]
    assert [entry["reference"] for entry in recorded] == [f"{part}:Plain", new]
    assert recorded[0]["sha256"] == recorded[1]["sha256"]


@pytest.mark.usefixtures("instant_pool")
def test_a_search(part: Path, tmp_path: Path) -> None:
    recipe = searches.recipe_file(tmp_path, named(part), LOSS)
    with pytest.raises(Interrupted):
        begin(Template(str(recipe)), tmp_path, SearchSettings(listener=Recorder(3)))
    folder = Search.open(tmp_path / "tiny")
    before = folder.info()["plugins"]

    def resumed(overrides: list[str]) -> None:
        resume(folder.folder, overrides=overrides)

    require_same_text_only(resumed, part, tmp_path)
    info = folder.info()
    assert (info["status"], info["trials"]) == ("done", TOTAL)
    assert info["plugins"] == before  # As it was begun, like recipe.yaml.
    assert "new parts.py:Plain" in folder.best_file.read_text(encoding="utf-8")
    # The workers, which are handed the text, find it at the new place.
    assert Pool.overrides == [f'plugins=["{tmp_path}/new parts.py:Plain"]']
    source.hand_over({f"{tmp_path}/new parts.py": PART})
    (tmp_path / "new parts.py").unlink()
    permission.allow(False)
    recipe_parts.require(Template(str(folder.recipe_file), Pool.overrides).recipe)


class Pool(InstantExecutor):
    """Remembers the overrides that its workers would be given."""

    overrides: list[str]

    def __init__(self, folder: Search, capacity: int, overrides: list[str], *rest: Any) -> None:
        super().__init__(folder, capacity, overrides, *rest)
        Pool.overrides = overrides


@pytest.fixture
def instant_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.search.LocalExecutor", Pool)
    monkeypatch.setattr("tuning.search.gpus", list)


@pytest.mark.usefixtures("instant_pool")
def test_a_search_with_the_recipe_given_at_its_new_place(part: Path, tmp_path: Path) -> None:
    recipe = searches.recipe_file(tmp_path / "old", named(part), LOSS)
    text = recipe.read_text(encoding="utf-8").replace(str(part), part.name)
    recipe.write_text(text, encoding="utf-8")
    with pytest.raises(Interrupted):
        begin(Template(str(recipe)), tmp_path, SearchSettings(listener=Recorder(3)))
    (tmp_path / "old").rename(tmp_path / "new")
    folder = tmp_path / "tiny"
    job = TuneJob(recipe=str(tmp_path / "new" / recipe.name), resume=str(folder))
    tune(Output(as_json=True), job)
    assert Search.open(folder).info()["status"] == "done"


def test_more_epochs_for_a_run_whose_part_has_moved(part: Path, tmp_path: Path) -> None:
    """recipe.yaml names the old place, as before; a crash between the two files is mended."""
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(TINY, encoding="utf-8")
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    old = load(str(recipe), [named(part), LOSS, "train.epochs=2"])
    text = zoo.recipe.dump(old)
    run.recipe_file.write_text(text, encoding="utf-8")
    run.update(status="interrupted", recipe_hash=text_digest(text), name="tiny")
    overrides = [named(moved(part, tmp_path))]
    planned = load(str(run.recipe_file), overrides)
    longer = extension.longer(run, planned, run.info(), ["train.epochs=3"], overrides)
    assert longer.train.epochs == 3
    extension.write(run, planned, longer, ({"step": 4}, []), overrides)  # type: ignore[arg-type]
    longer_text = text.replace("epochs: 2", "epochs: 3", 1)
    assert read_recipe_text(run) == longer_text
    run.recipe_file.write_text(text, encoding="utf-8")
    extension.require_recipe(run, run.info(), overrides)
    assert read_recipe_text(run) == longer_text
    assert rewritten(run, overrides=overrides) == longer_text


def test_nothing_else_may_change(tmp_path: Path) -> None:
    from zoo.loading import require_source_alone

    require_source_alone(tmp_path, ["plugins=[a.py:B]", "plugins[0]=a.py:B", "data.source.csv=x"])
    with pytest.raises(UsageError, match="only data.source and plugins may be changed"):
        require_source_alone(tmp_path, ["pluginss=[a.py:B]"])


def test_a_run_opened_in_python(part: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(TINY, encoding="utf-8")
    folder = Run(tmp_path / "run")
    folder.folder.mkdir()
    folder.recipe_file.write_text(zoo.recipe.dump(load(str(recipe), [named(part), LOSS])))
    folder.update(status="interrupted", name="tiny")
    file = moved(part, tmp_path)
    run = zoo.run(folder.folder, {"plugins": [f"{file}:Plain"]})
    assert run.recipe.train.loss.Plain.scale == 0.5
    with pytest.raises(UsageError, match="only data.source and plugins may be changed"):
        zoo.run(folder.folder, {"train.epochs": 3})
