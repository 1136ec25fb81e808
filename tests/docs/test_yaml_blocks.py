"""Each piece of a recipe that a page shows is valid, whole or in its place of another recipe."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.docs.commands import PAGES, ROOT
from zoo.errors import RecipeError
from zoo.recipe import load

BLOCK = re.compile(r"^( *)```yaml\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# What is no recipe: Kubernetes, the user's config; and own parts, which tests/plugins tries.
OTHERS = {"apiVersion", "allow_plugins", "plugins"}
WHOLE = {"name", "data", "model", "train"}
PARENTS = {"source": "data", "augment": "data", "stack": "model", "blocks": "model"}
# What pieces are pieces of.
BASE = """\
name: base
data: cifar10
model:
  stack:
    - conv: {filters: 8}
    - conv: {filters: 8}
    - conv: {filters: 8}
    - fc: {units: 8}
train: {epochs: 100, optimizer: SGD}
"""


def alternatives(text: str) -> Iterator[str]:
    """A block, or where lines give a key several times, the block with each of them alone."""
    lines = text.splitlines()
    keys = [re.match(r"( *[\w.]+):", line) for line in lines]
    names = [key[1] if key else None for key in keys]
    repeated = {name for name in names if name is not None and names.count(name) > 1}
    if not repeated or not all(names):  # Lines below a key of several lines may repeat.
        yield text
        return
    kept = [line for line, name in zip(lines, names, strict=True) if name not in repeated]
    for line, name in zip(lines, names, strict=True):
        if name in repeated:
            yield "\n".join([*kept, line])


def document(text: str) -> str | None:
    """A recipe file that holds a piece; None for what is none."""
    text = textwrap.dedent(text)
    if text.startswith("- "):
        text = "stack:\n" + textwrap.indent(text, "  ")
    found = yaml.safe_load(text)
    if found is None or OTHERS & found.keys():
        return None
    first = next(iter(found))
    if first.startswith("train."):
        text = "tune:\n  stages: [{name: a, trials: 2, epochs: 1}]\n  space:\n" + (
            textwrap.indent(text, "    ")
        )
    elif first in PARENTS:
        text = f"{PARENTS[first]}:\n" + textwrap.indent(text, "  ")
    if found.keys() >= WHOLE or "extends" in found:
        return text
    name = "" if "name" in found else "name: piece\n"
    return f"extends: base.yaml\n{name}{text}"


CASES = [
    pytest.param(piece, id=f"{page.relative_to(ROOT)}:{text[: match.start()].count(chr(10)) + 1}")
    for page in PAGES
    for text in [page.read_text(encoding="utf-8")]
    for match in BLOCK.finditer(text)
    for piece in alternatives(match[2])
    if document(piece) is not None
]


@pytest.mark.parametrize("piece", CASES)
def test_pieces_of_recipes_are_valid(piece: str, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    file = tmp_path / "piece.yaml"
    file.write_text(document(piece) or "", encoding="utf-8")
    load(str(file))


def test_there_are_pieces_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    assert len(CASES) > 40
    with pytest.raises(RecipeError, match="augmnt"):
        test_pieces_of_recipes_are_valid("data: {augmnt: [random_flip]}", tmp_path)
    assert len(list(alternatives("data:\n  source: a\n  source: b\n  image_size: 3"))) == 2
