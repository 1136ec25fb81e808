"""The changes of a recipe's text that `zoo check --fix` plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.checks.judge import Finding
from zoo.checks.judge.finding import WARN, finding
from zoo.checks.judge.remedies import Remedy, lower_rate, use_batch_norm, use_initializer
from zoo.editor.modeline import ADDRESS, modeline
from zoo.errors import UsageError
from zoo.loading import load
from zoo.recipe.shipped import shipped
from zoo.verbs.fixing import plan

TEXT = """\
# mine\r
name: mine\r
data: {preset: digits, preprocess: none}  # eight by eight\r
model:\r
  stack:\r
    - conv: {filters: 4, kernel_initializer: he_normal}\r
train:\r
  epochs: 2\r
  optimizer: {SGD: 0.5}  # fast\r
"""
PREPROCESS = Remedy("use it", sets={"data.preprocess": "channel_meanstd"})


def faulty(check: str, *remedies: Remedy) -> Finding:
    return finding(check, WARN, 1.0, "", "wrong", remedies)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_bytes(TEXT.encode())
    return file


def test_in_place(recipe: Path) -> None:
    planned = plan(str(recipe), (), [faulty("C14", lower_rate("lower it", 0.01))], None)
    assert planned.text == TEXT.replace("SGD: 0.5", "SGD: 0.01")
    (change,) = planned.changes
    assert (change.before, change.line) == ("0.5", 9)
    assert planned.diff().splitlines()[-2:] == [
        "-  optimizer: {SGD: 0.5}  # fast",
        "+  optimizer: {SGD: 0.01}  # fast",
    ]
    assert recipe.read_bytes() == TEXT.encode()


def test_several_changes(recipe: Path) -> None:
    findings = [faulty("C08", use_batch_norm()), faulty("C10", use_initializer("", "he_uniform"))]
    text = TEXT.replace("stack:", "defaults: {kernel_initializer: x}\r\n  stack:", 1)
    recipe.write_bytes(text.replace("x}", "glorot_uniform, batch_norm: none}").encode())
    planned = plan(str(recipe), (), findings, None)
    assert "  defaults: {kernel_initializer: glorot_uniform, batch_norm: {}}\r\n" in planned.text
    # The only stage has an initializer of its own.
    assert planned.left == [
        (
            "C10",
            "model.defaults.kernel_initializer would change nothing: it has that value, or every "
            "stage has one of its own",
        )
    ]


def test_what_the_command_line_sets_is_set_there(recipe: Path) -> None:
    """The file's value would be changed in vain."""
    findings = [faulty("C14", lower_rate("lower it", 0.01))]
    overrides = ["train.optimizer.SGD.learning_rate=3"]
    planned = plan(str(recipe), overrides, findings, None)
    assert planned.changes == []
    assert planned.left == [
        (
            "C14",
            "--set train.optimizer.SGD.learning_rate=3 decides; give --set "
            "train.optimizer.SGD.learning_rate=0.01 instead",
        )
    ]
    elsewhere = plan(str(recipe), ["train.epochs=7"], findings, None)
    assert elsewhere.text == TEXT.replace("SGD: 0.5", "SGD: 0.01")


def test_another_file_has_what_the_command_line_sets(recipe: Path) -> None:
    findings = [faulty("C01", PREPROCESS)]
    target = recipe.parent / "new.yaml"
    planned = plan(str(recipe), ["train.epochs=7"], findings, target)
    assert planned.text == TEXT.replace("epochs: 2", "epochs: 7").replace("none", "channel_meanstd")
    assert not target.exists()


def test_what_ships_is_left(tmp_path: Path) -> None:
    findings = [faulty("C14", lower_rate("lower it", 0.01))]
    with pytest.raises(UsageError, match="digits-tiny ships with zoo.*--write my-digits-tiny.yaml"):
        plan("digits-tiny", (), findings, None)
    with pytest.raises(UsageError, match="ships with zoo"):
        plan(str(shipped()["digits-tiny"]), (), findings, None)
    target = tmp_path / "mine.yaml"
    planned = plan("digits-tiny", (), findings, target)
    lines = planned.text.splitlines()
    assert lines[0] == modeline(ADDRESS)
    assert not any(" ± " in line for line in lines)  # What was measured is no longer true.
    target.write_text(planned.text, encoding="utf-8")
    assert load(str(target)) == load("digits-tiny", ["train.optimizer.Adam.learning_rate=0.01"])


def test_read_only(recipe: Path) -> None:
    recipe.chmod(0o444)
    with pytest.raises(UsageError, match=r"is read-only. To write .* --fix --write my-mine.yaml"):
        plan(str(recipe), (), [faulty("C01", PREPROCESS)], None)


def test_a_relative_path_that_leads_elsewhere(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "other").mkdir()
    text = TEXT.replace("{preset: digits, preprocess: none}",
                        "{source: {folder: images}, image_size: 8, preprocess: none}")  # fmt: skip
    recipe.write_bytes(text.encode())
    with pytest.raises(UsageError, match="would mean something else there"):
        plan(str(recipe), (), [faulty("C01", PREPROCESS)], tmp_path / "other" / "new.yaml")
    assert plan(str(recipe), (), [faulty("C01", PREPROCESS)], tmp_path / "new.yaml").changes


def test_a_change_that_makes_the_recipe_wrong(recipe: Path) -> None:
    recipe.write_bytes(TEXT.replace("SGD: 0.5", "SGD: {learning_rate: 0.5, nesterov: true, "
                                    "momentum: 0.9}").encode())  # fmt: skip
    zero = Remedy("", sets={"train.optimizer.*.momentum": 0.0})
    planned = plan(str(recipe), (), [faulty("C26", zero)], None)
    assert planned.changes == []
    assert "nesterov needs momentum above 0" in planned.left[0][1]


def test_a_value_of_an_alias(recipe: Path) -> None:
    text = TEXT.replace("filters: 4", "filters: &n 4").replace("epochs: 2", "epochs: *n")
    recipe.write_bytes(text.encode())
    epochs = faulty("C18", Remedy("", sets={"train.epochs": 9}))
    assert plan(str(recipe), (), [epochs], None).text == text.replace("*n", "9")
    filters = faulty("C18", Remedy("", sets={"model.stack[0].conv.filters": 9}))
    planned = plan(str(recipe), (), [filters], None)
    assert planned.changes == []
    assert "anchor (&name)" in planned.left[0][1]
