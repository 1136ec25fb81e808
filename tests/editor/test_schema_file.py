"""`zoo schema --write`: where the schema is written, and the recipes that name it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.calls import call, document, require_error
from zoo.editor.modeline import ADDRESS, modeline
from zoo.recipe import json_schema, load
from zoo.recipe.shipped import shipped

PART = """\
def Mish2(x, beta: float = 1.0):
    '''Twice.

    Args:
        beta: a factor.
    '''
    return x
"""


def test_beside_a_recipe(minimal: Path) -> None:
    before = minimal.read_bytes()
    recipe = load(str(minimal))
    result = call("schema", "--write", minimal)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"schema    {minimal.parent / ADDRESS}\nrecipe    {minimal}\n"
    assert (minimal.parent / ADDRESS).read_text("utf-8") == json_schema.text()
    assert minimal.read_bytes() == modeline().encode() + b"\n" + before
    assert load(str(minimal)) == recipe
    assert call("schema", "--write", minimal).exit_code == 0
    assert minimal.read_bytes() == modeline().encode() + b"\n" + before


def test_the_folder_that_you_are_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = call("schema", "--write").stdout.splitlines()
    assert lines[0] == f"schema    {ADDRESS}"
    assert lines[-1] == modeline()
    assert json.loads((tmp_path / ADDRESS).read_text("utf-8"))


def test_a_file_of_a_name_and_json(tmp_path: Path) -> None:
    result = call("schema", "--write", tmp_path / "own.json", "--json")
    assert document(result) == {"written": [{"schema": str(tmp_path / "own.json"), "recipe": None}]}
    assert (tmp_path / "own.json").is_file()


def test_an_older_schema_is_replaced(tmp_path: Path) -> None:
    call("schema", "--write", tmp_path)
    (tmp_path / ADDRESS).write_text("{}", encoding="utf-8")
    call("schema", "--write", tmp_path)
    assert (tmp_path / ADDRESS).read_text("utf-8") == json_schema.text()


def test_a_copy_of_what_ships_keeps_the_schema_beside_it(tmp_path: Path) -> None:
    for file in (shipped()["digits-tiny"], shipped()["digits-tiny"].parent / "recipe.schema.json"):
        shutil.copy(file, tmp_path)
    assert call("schema", "--write", tmp_path / "digits-tiny.yaml").exit_code == 0
    assert {file.name for file in tmp_path.iterdir()} == {"digits-tiny.yaml", "recipe.schema.json"}


def test_a_schema_of_the_users_own_stays(minimal: Path) -> None:
    text = f"{modeline('own.json')}\n{minimal.read_text('utf-8')}"
    minimal.write_text(text, encoding="utf-8")
    result = call("schema", "--write", minimal)
    assert result.stdout.endswith("names another schema, own.json, and keeps it\n")
    assert minimal.read_text("utf-8") == text


def test_nothing_there(tmp_path: Path) -> None:
    require_error(call("schema", "--write", "digits-tiny"), 2, "no such file or folder. Expected")
    require_error(call("schema", tmp_path), 2, "is a folder. Expected a recipe")


@pytest.mark.parametrize(
    "name, content",
    [
        ("package.json", b'{"name": "mine"}'),
        ("settings.json", b'{\n// VS Code allows comments\n"x": 1}'),
        ("notes.txt", b"data\n"),
        ("image.png", b"\x89PNG\0"),
        ("binary.yaml", b"a: [\0"),
        ("docker-compose.yaml", b"services: {}\n"),
        ("list.yml", b"- 1\n"),
    ],
)
def test_files_of_others_stay(minimal: Path, name: str, content: bytes) -> None:
    """Also if they are named beside a recipe, as with *: nothing is written then."""
    before = minimal.read_bytes()
    file = minimal.parent / name
    file.write_bytes(content)
    require_error(call("schema", "--write", minimal, file), 2, "is left as it is. Expected ")
    assert (file.read_bytes(), minimal.read_bytes()) == (content, before)
    assert not (minimal.parent / ADDRESS).exists()


def test_what_ships_stays() -> None:
    file = shipped()["digits-tiny"]
    before = file.read_bytes()
    require_error(call("schema", "--write", file), 2, "ships with zoo, has its schema beside it")
    assert file.read_bytes() == before


def test_parts_of_a_users_own_are_in_the_schema_of_their_recipe(minimal: Path) -> None:
    """Other recipes beside it do not know these words."""
    (minimal.parent / "parts.py").write_text(PART, encoding="utf-8")
    text = f"{minimal.read_text('utf-8')}plugins: [parts.py:Mish2]\n"
    minimal.write_text(text, encoding="utf-8")
    assert call("schema", "--write", minimal).exit_code == 0
    address = f".zoo/{minimal.stem}.recipe.schema.json"
    assert minimal.read_text("utf-8") == f"{modeline(address)}\n{text}"
    assert "Mish2" in (minimal.parent / address).read_text("utf-8")
    assert not (minimal.parent / ADDRESS).exists()
    (minimal.parent / "parts.py").unlink()
    assert "are not in the schema" in call("schema", "--write", minimal).stdout
    minimal.write_text("a: [", encoding="utf-8")
    assert call("schema", "--write", minimal).exit_code == 0
