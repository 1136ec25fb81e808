"""What is read of a part's source, without running it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.plugins.example import write
from zoo.errors import RecipeError
from zoo.plugins import reading
from zoo.plugins.part import values_of
from zoo.plugins.unknown import Unknown
from zoo.recipe import load


def part(folder: Path, text: str, name: str = "Part"):
    (folder / "parts.py").write_text(text, encoding="utf-8")
    return reading.read(f"parts.py:{name}", folder)


@pytest.mark.parametrize(
    "source, kinds",
    [
        ("def Part(x, a=1): ...", ("activation",)),
        ("def Part(y_true, y_pred): ...", ("loss", "metric")),
        ("import keras\nclass Part(keras.layers.Layer): ...", ("layer", "activation")),
        ("import keras as k\nclass Part(k.Layer): ...", ("layer", "activation")),
        ("from keras import layers\nclass Part(layers.Dense): ...", ("layer", "activation")),
        ("from tensorflow import keras\nclass Part(keras.losses.Loss): ...", ("loss",)),
        ("import tensorflow as tf\nclass Part(tf.keras.metrics.Mean): ...", ("metric",)),
        ("from keras.callbacks import Callback as C\nclass Part(C): ...", ("callback",)),
        ("import keras\nclass Part(keras.initializers.Initializer): ...", ("initializer",)),
        ("from zoo.plugins import Augmentation\nclass Part(Augmentation): ...", ("augmentation",)),
        ("import keras\nclass A(keras.Layer): ...\nclass Part(A): ...", ("layer", "activation")),
        ("try:\n    import keras\nexcept ImportError:\n    pass\nclass Part(keras.Metric): ...",
         ("metric",)),
    ],
)  # fmt: skip
def test_kind_follows_from_the_source(tmp_path: Path, source: str, kinds: tuple[str, ...]) -> None:
    assert part(tmp_path, source).kinds == kinds


@pytest.mark.parametrize(
    "source, message",
    [
        ("class Part: ...", "derives from nothing. Expected a class derived from keras.layers."),
        ("import keras\nclass Part(keras.optimizers.SGD): ...", "train.optimizer has words"),
        ("import keras\nclass Part(keras.Model): ...", "is a model; derive from keras.layers."),
        ("async def Part(x): ...", "is an async function"),
        ("def Part(): ...", "is a function of nothing"),
        ("Part = 3", "is neither a class nor a function that is defined there"),
        ("def Pard(x): ...", "defines no Part; did you mean 'Pard'? It defines: Pard."),
        ("def Part(x:\n", "parts.py:1: '(' was never closed. Expected valid Python."),
        ("from typing import Callable\ndef Part(x, f: Callable): ...", "no recipe can hold"),
        ("def Part(x, model_config=1): ...", "takes model_config, by which pydantic"),
        (f"x = {'-' * 100_000}1\ndef Part(x): ...", "cannot be parsed: it is nested too deeply"),
    ],
)
def test_what_is_no_part_is_refused(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(Unknown) as caught:
        part(tmp_path, source)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "reference, message",
    [
        ("parts.py", "names no part. Expected FILE.py:NAME or PACKAGE.MODULE:NAME"),
        ("gone.py:Part", "there is no file"),
        ("no_such_package:Part", "there is no module no_such_package among the installed"),
        ("parts.py:a-b", "is not a name of Python"),
        ("notes/text:Part", "is not a file of Python"),
        ("/proc/self/cwd/parts.py:Part", "is no file of the user's"),
    ],
)
def test_references_that_lead_nowhere(tmp_path: Path, reference: str, message: str) -> None:
    with pytest.raises(Unknown, match=message.replace(".", r"\.").replace("(", r"\(")):
        reading.read(reference, tmp_path)


def test_a_module_beside_the_working_directory_is_not_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local_module.py").write_text("def Part(x): ...")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(Unknown, match="there is no module local_module"):
        reading.read("local_module:Part")


def test_options_and_their_help(tmp_path: Path) -> None:
    source = '''
from typing import Annotated, Literal
from pydantic import Field
Side = Annotated[int, Field(ge=1, le=9)]
def Part(x, side: Side, mode: Literal["a", "b"] = "a", rate: float | None = None,
         sizes: tuple[int, int] = (1, 2), names: list[str] = (), far=2.0, other: "Any" = 3,
         computed: float = 1 / 3, f: object = print, name: str = "x"):
    """What it does,
    in a sentence.

    More.

    Args:
        side: length of a side
            in pixels.
        mode (str): which way.
    """
'''
    options = part(tmp_path, source).options
    assert part(tmp_path, source).description == "What it does, in a sentence."
    assert options.model_fields["side"].description == "length of a side in pixels."
    assert options.model_fields["mode"].description == "which way."
    assert "name" not in options.model_fields
    read = options.model_validate({"side": 3, "sizes": [4, 5], "names": ["a"], "far": 1})
    assert (read.side, read.sizes, read.names, read.far) == (3, (4, 5), ("a",), 1.0)
    assert part(tmp_path, source).unwritten == {"computed", "f"}
    for wrong in (
        {}, {"side": 0}, {"side": "3"}, {"side": 3, "mode": "c"}, {"side": 3, "sizes": [1]},
        {"side": 3, "sizes": [1, "2"]}, {"side": 3, "names": [1]}, {"side": 3, "sid": 3},
        {"side": 3, "rate": True},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="validation error"):
            options.model_validate(wrong)


def test_odd_names_and_hints_of_options(tmp_path: Path) -> None:
    """Names of pydantic's own methods, which `-W error` would tell of; an empty tuple."""
    source = "def Part(x, copy=True, json=1, own_part=2, none: tuple[()] = ()): ...\n"
    found = part(tmp_path, source)
    assert values_of(found, found.options()) == {"copy": True, "json": 1, "own_part": 2, "none": []}


def test_the_same_source_gives_the_same_part(tmp_path: Path) -> None:
    first, second = (part(tmp_path, "def Part(x): ...") for _ in range(2))
    assert first is second
    assert part(tmp_path, "def Part(x): 1") is not first


def test_a_recipe_is_read_without_running_its_parts(tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    recipe = write(tmp_path, parts=(("import keras\n", f"import keras\n{trap}"),))
    loaded = load(str(recipe))
    assert not (tmp_path / "ran").exists()
    assert loaded.plugins[0] == f"{tmp_path}/my_parts.py:Mish2"
    assert loaded.model.defaults.activation.word == "Mish2"
    assert loaded.data.augment[0].options.sd == 0.05
    assert not any(name.startswith("zoo_plugin_my_parts") for name in sys.modules)


MISTAKES = (
    (("beta: 1.5", "bet: 1.5"), 15, "Mish2.bet: unknown key; did you mean 'beta'?"),
    (("sd: 0.05", "sd: high"), 13, "Noise.sd: wrong type. Expected a number."),
    (("start: 0.9", "shift: yse"), 18, "shift: unknown word; did you mean 'yes'? Expected one of"),
    (("{BestLoss: best.txt}", "BestLoss"), 26, "file: required key is missing (its path)."),
    (("metrics: [Confidence]", "metrics: [accuracy, Confidense]"), 25,
     "unknown word 'accuracy'; accuracy and loss are always measured"),
    (("seed", "seed"), 25, "unknown word 'Confidense'; did you mean 'Confidence'?"),
    (("Poly1: {epsilon: 0.5}", "Noise: 1"), 24, "'Noise' is an augmentation (my_parts.py:51);"),
    (("- fc: {units: 8}", "- Mish2"), 19, "its place is activation."),
)  # fmt: skip
NAMES = (
    ("my_parts.py:Smal", "defines no Smal; did you mean 'Small'?"),
    ("my_parts.py:Noise", "Noise is named twice."),
    ("relu = my_parts.py:Mish2",
     "relu of my_parts.py:14 has the word of an activation of zoo. Give it another word"),
    ("auc = my_parts.py:Poly1", "auc of my_parts.py:65 has the name of a metric of zoo."),
    ("Mish2 = my_parts.py:Small", "two parts have the word Mish2: my_parts.py:14 and my_parts"),
    ("3", "wrong type. Expected text."),
)  # fmt: skip


def told(recipe: Path) -> list[str]:
    """The problems of a recipe."""
    with pytest.raises(RecipeError) as caught:
        load(str(recipe))
    return [str(each) for each in caught.value.problems]


def test_mistakes_have_their_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    changes = [change for change, _, _ in MISTAKES if change != ("seed", "seed")]
    problems = told(write(tmp_path, *changes))
    for _, line, message in MISTAKES:
        places = [each.split(": ")[0] for each in problems if message in each]
        assert places == [f"{tmp_path}/own.yaml:{line}"], (message, problems)
    assert len(problems) == len(MISTAKES)


def test_names_that_cannot_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    more = "".join(f"  - {name}\n" for name, _ in NAMES)
    problems = told(write(tmp_path, ("data:\n", f"{more}data:\n")))
    for index, (_, message) in enumerate(NAMES):
        assert any(message in each and f"plugins[{7 + index}]" in each for each in problems), (
            message
        )
    assert len(problems) == len(NAMES)


def test_a_broken_part_is_told_once(tmp_path: Path) -> None:
    recipe = write(tmp_path, parts=(("def Mish2(", "def Mish3("),))
    assert [each.partition(": ")[0] for each in told(recipe)] == [f"{recipe}:3"]


def test_a_part_that_nothing_uses_is_a_caution(tmp_path: Path) -> None:
    warnings: list[str] = []
    recipe = write(tmp_path, ("metrics: [Confidence]", "metrics: []"))
    load(str(recipe), warn=lambda problem: warnings.append(str(problem)))
    assert any("plugins[4]: nothing in the recipe uses the word Confidence" in w for w in warnings)


def test_run_recipes_read_back(tmp_path: Path) -> None:
    from zoo.recipe import dump

    text = dump(load(str(write(tmp_path / "one"))))
    (tmp_path / "elsewhere.yaml").write_text(text)
    assert dump(load(str(tmp_path / "elsewhere.yaml"))) == text


def test_extends_finds_the_parts_from_the_base(tmp_path: Path) -> None:
    write(tmp_path / "base")
    variant = tmp_path / "variant.yaml"
    variant.write_text("extends: base/own.yaml\nname: variant\n")
    assert load(str(variant)).plugins[0] == f"{tmp_path}/base/my_parts.py:Mish2"


def test_schema_of_a_recipe_knows_its_words(tmp_path: Path) -> None:
    from zoo.loading import own_parts_of
    from zoo.recipe import json_schema

    recipe = write(tmp_path)
    definitions = json_schema.document(own_parts_of(str(recipe)))["$defs"]
    words = definitions["Activation"]["anyOf"][-1]["properties"]
    assert words["Mish2"]["description"] == "x * tanh(softplus(beta * x))."
    beta = words["Mish2"]["anyOf"][0]["properties"]["beta"]
    assert beta["description"] == "factor on the input of the softplus."
    assert "BestLoss" in definitions["OwnCallback"]["anyOf"][-1]["properties"]


def test_installed_packages_offer_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo.plugins import installed, reference

    package = tmp_path / "site" / "offers"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from offers.inner import Swirl\nraise SystemExit\n")
    (package / "inner.py").write_text("def Swirl(x, turns: int = 2):\n    '''Turns.'''\n")
    monkeypatch.setattr(reference, "_installed_folders", lambda: [tmp_path / "site"])
    entries = {"Swirl": (("offers", "offers:Swirl"),)}
    monkeypatch.setattr(installed, "entry_points", lambda: entries)
    recipe = write(tmp_path / "r", ("{Mish2: {beta: 1.5}}", "{Swirl: {turns: 3}}"))
    loaded = load(str(recipe))
    assert loaded.plugins[-1] == "offers:Swirl"
    assert loaded.model.defaults.activation.options.turns == 3
    entries["Swirl"] = (("one", "offers:Swirl"), ("two", "offers.inner:Swirl"))
    with pytest.raises(RecipeError, match="both offer the word Swirl"):
        load(str(recipe))


def test_paths_lead_through_own_words(tmp_path: Path) -> None:
    """Of `--set`, of `set` in a variant, and of a search's space and its trials."""
    from zoo.loading import Template

    space = "tune:\n  space:\n    data.augment[0].Noise.sd: {min_value: 0.01, max_value: 0.2}\n"
    space += "    model.defaults.activation: {values: [relu, Mish2]}\n"
    space += "  stages: [{name: one, trials: 2, epochs: 1}]\n"
    recipe = write(tmp_path, ("data:\n", f"{space}data:\n"))
    changed = load(str(recipe), ["model.defaults.activation.Mish2.beta=3"])
    assert changed.model.defaults.activation.options.beta == 3
    template = Template(str(recipe))
    values = {"data.augment[0].Noise.sd": 0.1, "model.defaults.activation": "relu"}
    filled = template.filled(values)
    assert filled.data.augment[0].options.sd == 0.1
    assert filled.plugins == template.recipe.plugins
    variant = tmp_path / "variant.yaml"
    variant.write_text("extends: own.yaml\nname: v\nset: {'data.augment[0].Noise.sd': 0.3}\n")
    assert load(str(variant)).data.augment[0].options.sd == 0.3
    recipe.write_text(recipe.read_text().replace("Noise.sd:", "Noise.sdd:"))
    assert "did you mean 'sd'?" in told(recipe)[0]
