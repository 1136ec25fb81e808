"""docs/coming-from.md: each word of ours loads, each name and default of Keras is as in Keras."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import reduce

import pytest

from tests.docs.commands import ROOT
from zoo.recipe import load
from zoo.recipe.network import Stage

PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
BASE = "cifar10-quick"
# What `tune.space` and the like need beside them.
MORE = {"tune.space": ["tune.stages=[{name: a, trials: 2, epochs: 1}]"]}


def rows(section: str) -> Iterator[list[str]]:
    """The cells of the tables of a section, without their heads."""
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert text is not None
    for line in text[1].splitlines():
        if line.startswith("| ") and "| zoo |" not in line:
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert len(cells) == 3, line
            yield cells


def ours(section: str) -> list[str]:
    spans = [code for row in rows(section) for code in re.findall(r"`([^`]+)`", row[1])]
    return [code for code in spans if not code.startswith("zoo ")]


@pytest.mark.parametrize("section", ["Keras", "PyTorch", "timm", "Ludwig"])
def test_our_words_are_words(section: str) -> None:
    wrong = []
    for code in dict.fromkeys(ours(section)):
        key, colon, value = code.partition(": ")
        assert colon, f"{code}: write a key and a value, which can be tried"
        if key in Stage.model_fields:
            before = "" if key == "backbone" else "{conv: {filters: 8}}, "
            overrides = [f"model.stack=[{before}{{{code}}}]"]
            overrides += ["data.preprocess=none"] if key == "backbone" else []
        else:
            overrides = [f"{key}={value}", *MORE.get(key, [])]
        try:
            load(BASE, ["train.epochs=100", *overrides])
        except Exception as error:
            wrong.append(f"{code}: {error}")
    assert wrong == []


def test_no_section_is_left_out() -> None:
    sections = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert sections == ["What differs most", "Keras", "PyTorch", "timm", "Ludwig"]
    assert all(len(list(rows(section))) > 15 for section in sections[1:])


@pytest.mark.backend
def test_keras_has_these_names_and_defaults() -> None:
    import keras

    checked = 0
    for row in rows("Keras"):
        for code in re.findall(r"`([^`]+)`", row[0]):
            call = ast.parse(code, mode="eval").body
            named = call.func if isinstance(call, ast.Call) else call
            thing = reduce(getattr, ast.unparse(named).split("."), keras)
            parameters = inspect.signature(thing).parameters
            for keyword in call.keywords if isinstance(call, ast.Call) else []:
                assert keyword.arg in parameters, code
                default = parameters[keyword.arg].default
                assert default == ast.literal_eval(keyword.value), f"{code}: {default}"
                checked += 1
    assert checked > 30
