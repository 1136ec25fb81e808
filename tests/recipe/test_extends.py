"""A variant says what differs from the recipe that it extends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalogue import describe, seedless_digest
from zoo.errors import RecipeError
from zoo.loading import Template, load, load_text
from zoo.plan import plan
from zoo.recipe import Recipe, dump
from zoo.recipe import shipped as shipped_files
from zoo.recipe.yaml_reader import read_file

BASE = """\
name: base
data: {source: {folder: pets}, image_size: 16, augment: [{cutout: 4}]}
model:
  stack:
    - conv: {filters: 4}
    - conv: {filters: 8, pool: max}
train:
  epochs: 4
  optimizer: {SGD: {learning_rate: 0.1, momentum: 0.9}}
"""

BLOCKS = """\
  blocks:
    basic:
      parameters: {filters: 4, size: 3}
      stack: [{conv: {filters: $filters, kernel_size: $size}}]
  stack:
    - basic
"""

Vary = Callable[..., str]


@pytest.fixture
def vary(tmp_path: Path) -> Vary:
    """Writes base.yaml and, in a folder beside it, a variant; returns the variant's path."""
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "own").mkdir()

    def write(text: str, extends: str = "../base.yaml", name: str = "variant") -> str:
        file = tmp_path / "own/variant.yaml"
        file.write_text(f"extends: {extends}\nname: {name}\n{text}", encoding="utf-8")
        return str(file)

    return write


def problems(file: str, *overrides: str) -> list[tuple[str, int | None, str | None, str]]:
    with pytest.raises(RecipeError) as caught:
        load(file, overrides)
    return [(Path(p.file or "").name, p.line, p.path, p.message) for p in caught.value.problems]


def test_a_variant_of_nothing_is_its_base(vary: Vary, tmp_path: Path) -> None:
    base, variant = load(str(tmp_path / "base.yaml")), load(vary(""))
    assert variant == base.model_copy(update={"name": "variant"})
    assert dump(variant) == dump(base).replace("name: base\n", "name: variant\n")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, file in sorted(shipped_files().items())
        if "extends" not in read_file(file).data
    ],
)
def test_a_recipe_that_ships_is_extended_by_its_name(name: str, vary: Vary) -> None:
    variant = load(vary("train: {batch_size: 7}", name))
    base = load(name, ["train.batch_size=7", "name=variant"])
    assert variant == base


def test_maps_are_merged_and_the_rest_replaced(vary: Vary) -> None:
    recipe = load(
        vary(
            "data: {augment: [random_flip], preprocess: none}\n"
            "model: {stack: [{conv: {filters: 2}}]}\n"
            "train: {optimizer: {SGD: {momentum: 0.5}}}\n"
            "evaluate: {tta: mirror}\n"
        )
    )
    assert [step.word for step in recipe.data.augment] == ["random_flip"]
    assert recipe.data.preprocess == "none"
    assert recipe.data.image_size == (16, 16)
    assert len(recipe.model.stack) == 1
    options = recipe.train.optimizer.options
    assert (options.learning_rate, options.momentum) == (0.1, 0.5)
    assert (recipe.train.epochs, recipe.evaluate.tta) == (4, "mirror")


def test_single_values_by_their_paths(vary: Vary) -> None:
    text = "set:\n  model.stack[1].conv.filters: 6\n  model.stack[1].conv.pool: {max: 3}\n"
    stack = load(vary(text)).model.stack
    assert [stage.options.filters for stage in stack] == [4, 6]
    assert stack[1].options.pool.options.pool_size == (3, 3)


def test_blocks_are_merged(vary: Vary, tmp_path: Path) -> None:
    """A variant changes a default of a parameter, its own stack uses the base's blocks."""
    text = BASE.replace("  stack:\n", BLOCKS)
    (tmp_path / "base.yaml").write_text(text, encoding="utf-8")

    def shapes(given: str) -> list[tuple[int, int]]:
        stack = load(vary(given)).model.stack
        return [(stage.options.filters, stage.options.kernel_size[0]) for stage in stack]

    assert shapes("") == [(4, 3), (4, 3), (8, 3)]
    changed = "model: {blocks: {basic: {parameters: {filters: 6}}}}"
    assert shapes(changed) == [(6, 3), (4, 3), (8, 3)]
    assert shapes("model: {stack: [basic, basic: {filters: 5}]}") == [(4, 3), (5, 3)]
    assert shapes("set: {'model.stack[0].basic.size': 1}")[0] == (4, 1)
    (file, line, *_), *_ = problems(vary("model: {blocks: {basic: {parameters: {size: 0}}}}"))
    assert (file, line) == ("variant.yaml", 3)
    (tmp_path / "base.yaml").write_text(
        text.replace("kernel_size:", "kernel_siz:"), encoding="utf-8"
    )
    assert problems(vary("model: {stack: [basic]}"))[0][:2] == ("base.yaml", 7)


def test_set_comes_after_presets_and_outer_paths_first(vary: Vary) -> None:
    text = "data: mnist\nset: {'data.image_size[0]': 14, data.source.tfds.data_dir: /x}\n"
    data = load(vary(text)).data
    assert (data.image_size, data.source.options.data_dir) == ((14, 28), "/x")
    assert data.source.options.num_classes == 10
    text = "set: {train.optimizer.Adam.beta_1: 0.5, train.optimizer: Adam}\n"
    assert load(vary(text)).train.optimizer.options.beta_1 == 0.5


def test_a_preset_replaces_what_the_base_reads(vary: Vary) -> None:
    """The images, their size and their colours; the base's augmentation stays."""
    data = load(vary("data: {preset: mnist}")).data
    assert (data.source.options.name, data.image_size, data.color_mode) == (
        "mnist", (28, 28), "grayscale",
    )  # fmt: skip
    assert [step.word for step in data.augment] == ["cutout"]
    assert load(vary("data: mnist", "resnet20")).data.image_size == (28, 28)


def test_overrides_change_what_was_merged(vary: Vary) -> None:
    changes = ["train.optimizer.SGD.momentum=0.3", "model.stack[1].conv.filters=3"]
    recipe = load(vary("train: {optimizer: {SGD: {learning_rate: 0.2}}}"), changes)
    options = recipe.train.optimizer.options
    assert (options.learning_rate, options.momentum) == (0.2, 0.3)
    assert recipe.model.stack[1].options.filters == 3


def test_problems_name_the_file_with_the_line(vary: Vary, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        BASE.replace("filters: 4", "filters: 0").replace("epochs: 4", "epochs: 4\n  loop: hots"),
        encoding="utf-8",
    )
    file = vary("train:\n  batch_size: 0\nset:\n  model.stack[1].conv: {filters: 1, pol: max}\n")
    assert [problem[:3] for problem in problems(file, "seed=-1")] == [
        ("variant.yaml", 4, "train.batch_size"),
        ("variant.yaml", 6, "model.stack[1].conv.pol"),
        ("base.yaml", 5, "model.stack[0].conv.filters"),
        ("base.yaml", 9, "train.loop"),
        ("--set seed=-1", None, "seed"),
    ]
    document = json.loads(json.dumps([p.as_json() for p in _errors(file)]))
    assert {Path(entry["file"]).name for entry in document} == {"variant.yaml", "base.yaml"}


def _errors(file: str) -> tuple:  # type: ignore[type-arg]
    with pytest.raises(RecipeError) as caught:
        load(file)
    return caught.value.problems


def test_a_base_that_cannot_be_parsed(vary: Vary, tmp_path: Path) -> None:
    for text, line, part in (
        ("a: [", 1, "not valid YAML"),
        ("", None, "not a recipe. Expected a map"),
        ("services: {web: {image: x}}", None, "a file of Docker Compose"),
        (f"{BASE}name: again\n", 10, "duplicate key"),
    ):
        (tmp_path / "base.yaml").write_text(text, encoding="utf-8")
        ((file, at, _, message),) = problems(vary(""))
        assert (file, at) == ("base.yaml", line)
        assert part in message


def test_relative_paths_are_meant_from_their_own_file(vary: Vary, tmp_path: Path) -> None:
    def path_of(file: str, *changes: str) -> str:
        return str(load(file, changes).data.source.options.path)

    assert path_of(vary("")) == str(tmp_path / "pets")
    assert path_of(vary("data: {source: {folder: {test_split: 0.2}}}")) == str(tmp_path / "pets")
    assert path_of(vary("data: {source: {folder: cats}}")) == str(tmp_path / "own/cats")
    assert path_of(vary("set: {data.source.folder.path: cats}")) == str(tmp_path / "own/cats")
    again = load(vary(""), ["data.source.folder.test_split=0.3"])
    assert again.data.source.options.path == str(tmp_path / "pets")


def test_what_is_kept_stands_alone(vary: Vary, tmp_path: Path) -> None:
    """A run's recipe, and a search's, need no base."""
    file = vary("data: digits\nset: {'model.stack[0].conv.filters': 3}\n")
    recipe, template = load(file), Template(file)
    for text in (dump(recipe), template.dump()):
        assert "extends" not in text
        assert "preset" not in text
        again = load_text(text, tmp_path / "elsewhere/recipe.yaml")
        assert again == recipe
        assert isinstance(again, Recipe)


def test_a_digest_is_of_what_was_written_out(vary: Vary, tmp_path: Path) -> None:
    alone = tmp_path / "alone.yaml"
    text = BASE.replace("name: base", "name: variant").replace("epochs: 4", "epochs: 9")
    alone.write_text(text, encoding="utf-8")
    for given in ("train: {epochs: 9}", "set: {train.epochs: 9}", "train: {epochs: 9}\nseed: 3"):
        assert seedless_digest(Path(vary(given))) == seedless_digest(alone)
    assert seedless_digest(Path(vary("train: {epochs: 8}"))) != seedless_digest(alone)


def test_a_description_knows_that_the_base_changed(vary: Vary, tmp_path: Path) -> None:
    variant = Path(vary("data: mnist"))
    before = describe(variant)
    (tmp_path / "base.yaml").write_text(f"{BASE}# Changed.\n", encoding="utf-8")
    after = describe(variant)
    assert after["sha256"] != before["sha256"]
    assert (after["data"], after["recipe_hash"]) == ("mnist", before["recipe_hash"])


def test_a_use_in_another_file_than_its_block_names_its_file(vary: Vary, tmp_path: Path) -> None:
    stage = "{residual: {shortcut: pad, stack: [{conv: {filters: $filters}}]}}"
    block = f"  blocks: {{short: {{parameters: {{filters: }}, stack: [{stage}]}}}}\n"
    use = "  stack:\n    - conv: 8\n    - short: {filters: 4}\n"
    base = tmp_path / "base.yaml"
    base.write_text(BASE.split("  stack")[0] + block + use, encoding="utf-8")
    variant = vary("model:\n" + use)
    for file, place in ((base, "line 7"), (variant, f"{variant}:6")):
        with pytest.raises(RecipeError) as caught:
            plan(load(str(file)), 10)
        problem = caught.value.problems[-1]
        assert (Path(problem.file or "").name, problem.line) == ("base.yaml", 4), caught.value
        assert problem.use == f"used at model.stack[1].short, {place}"


def test_no_such_base(vary: Vary) -> None:
    for extends, part in {
        "resnet21": "no recipe 'resnet21'; did you mean 'resnet20'? Expected a file, relative",
        "../bas.yaml": "no recipe '../bas.yaml'; did you mean 'base.yaml'?",
        "..": "is a folder. Expected a recipe",
        "[resnet20]": "wrong type. Expected the name of a recipe, or a file. Received ['resnet20']",
        "''": "is a folder",
        "x" * 5000: "cannot be looked at: File name too long",
    }.items():
        (*_, (file, line, path, message)) = problems(vary("", extends))
        assert (file, line, path) == ("variant.yaml", 1, "extends")
        assert part in message


def test_one_level(vary: Vary, tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text("extends: resnet20\nname: chain\n", encoding="utf-8")
    ((*_, path, message),) = problems(vary("", "../chain.yaml"))
    assert path == "extends"
    assert "../chain.yaml extends resnet20, and a recipe can extend only" in message
    assert "Extend resnet20 here, and repeat what ../chain.yaml changes; or save" in message
    ((*_, message),) = problems(vary("", "variant.yaml"))
    assert message == "a recipe cannot extend itself; name another."
    (tmp_path / "chain.yaml").write_text("extends: own/variant.yaml\n", encoding="utf-8")
    ((*_, message),) = problems(vary("", "../chain.yaml"))
    assert message.startswith("../chain.yaml extends this recipe, and neither can be read first")


@pytest.mark.parametrize(
    "text, path, part",
    [
        ("set: [1]", "set", "wrong type. Expected a map of paths"),
        ("set: {train..epochs: 1}", "set.train..epochs", "not a path"),
        ("set: {train.epoch: 1}", "set.train.epoch", "did you mean 'epochs'?"),
        ("set: {'model.stack[2].conv.filters': 1}", "set.model.stack[2].conv.filters",
         "model.stack[2]: there is no item 2; model.stack has 2 items"),
        ("set: {train.optimizer.Adam.beta_1: 1}", "set.train.optimizer.Adam.beta_1",
         "the recipe has SGD there"),
        ("set: {train.epochs: 0}", "train.epochs", "Expected at least 1. Received 0"),
        ("set: {extends: digits-tiny}", "extends", "is read from a recipe's file"),
        ("set: {data.preset: mnist}", "data.preset", "is read from a recipe"),
    ],
)  # fmt: skip
def test_what_set_cannot_change(text: str, path: str, part: str, vary: Vary) -> None:
    ((file, line, at, message),) = problems(vary(text))
    assert (file, line, at) == ("variant.yaml", 3, path)
    assert part in message


def test_a_name_of_its_own(vary: Vary) -> None:
    file = vary("")
    Path(file).write_text("extends: ../base.yaml\n", encoding="utf-8")
    assert problems(file)[0][2:] == ("name", "required key is missing (names the run folder).")


def test_none_is_extended(minimal: Path) -> None:
    alone = load(str(minimal))
    for word in ("none", ""):
        minimal.write_text(f"extends: {word}\n{dump(alone)}", encoding="utf-8")
        assert load(str(minimal)) == alone


def test_a_path_between_braces_needs_quotes(vary: Vary) -> None:
    ((*_, message),) = problems(vary("set: {model.stack[0].conv.filters: 3}"))
    assert message.endswith("; between braces, put a path with [0] in quotes")


def test_set_without_extends(minimal: Path) -> None:
    minimal.write_text(minimal.read_text("utf-8") + "set: {train.epochs: 3}\n", encoding="utf-8")
    ((_, line, path, message),) = problems(str(minimal))
    assert (line, path) == (9, "set")
    assert "changes values of the recipe that `extends` names, and there is none" in message
