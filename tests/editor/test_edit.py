"""Single values of a YAML text are changed in their place, and nothing else is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zoo.editor.edit import CannotEdit, insert_key, replace_value, same
from zoo.recipe.yaml_reader import KeyPath, read_text


@pytest.mark.parametrize(
    "text, path, value, after",
    [
        ("a: 1  # one\nb: 2\n", ("a",), 5, "a: 5  # one\nb: 2\n"),
        ("a: {b: 0.1, c: x}\n", ("a", "b"), 1e-5, "a: {b: 1e-05, c: x}\n"),
        ("a: 'x'\n", ("a",), "it's", "a: 'it''s'\n"),
        ('a: "x"\r\nb: 1\r\n', ("a",), "y", 'a: "y"\r\nb: 1\r\n'),
        ("a: 'x'\n", ("a",), 3, "a: 3\n"),
        ("a: x", ("a",), {"b": [1, "y z"]}, "a: {b: [1, y z]}"),
        ("a:\n  b: 1  # kept\n  c: 2\nd: 3\n", ("a",), "x", "a:\n  x\nd: 3\n"),
        ("a:\n- 1\n- 2\nd: 3\n", ("a",), "x", "a:\n x\nd: 3\n"),
        ("a:\nb: 1\n", ("a",), 2, "a: 2\nb: 1\n"),
        ("a:  # why\nb: 1\n", ("a",), 2, "a: 2  # why\nb: 1\n"),
        ("{a, b: 1}", ("a",), 2, "{a: 2, b: 1}"),
        ("a: [1, {b: 2}]\n", ("a", 1, "b"), 3, "a: [1, {b: 3}]\n"),
        ("a: |\n  one\n  two\nb: 1\n", ("a",), "x", "a: x\nb: 1\n"),
        ("a: &n 1\nb: 2\n", ("a",), 3, "a: &n 3\nb: 2\n"),
        ("a: &n 1\nb: *n\n", ("b",), 3, "a: &n 1\nb: 3\n"),
        ("\ufeffa: 1\n", ("a",), 2, "\ufeffa: 2\n"),
        ("---\na: 1\n...\n", ("a",), 2, "---\na: 2\n...\n"),
        ("a: 1\n", ("a",), None, "a: null\n"),
        ("a: {b: 1}\t# why\nc: 1\n", ("a", "b"), 2, "a: {b: 2}\t# why\nc: 1\n"),
        ("ä: 'ö'  # ü😀\nb: 1  # 😀\n", ("b",), 2, "ä: 'ö'  # ü😀\nb: 2  # 😀\n"),
    ],
)
def test_replace(text: str, path: KeyPath, value: Any, after: str) -> None:
    edit = replace_value(text, path, value)
    assert edit.text == after


@pytest.mark.parametrize(
    "text, path, value, after",
    [
        ("a: 1\n", ("b",), 2, "a: 1\nb: 2\n"),
        ("a: 1", ("b",), 2, "a: 1\nb: 2"),
        ("a: 1\r\n", ("b",), 2, "a: 1\r\nb: 2\r\n"),
        ("a: {}\n", ("a", "b"), 2, "a: {b: 2}\n"),
        ("a: { }  # x\n", ("a", "b"), 2, "a: {b: 2 }  # x\n"),
        ("a: {c: 1}\n", ("a", "b"), "x, y", "a: {c: 1, b: 'x, y'}\n"),
        ("a: {c: 1,}\n", ("a", "b"), 2, "a: {c: 1, b: 2,}\n"),
        ("a: {c}\n", ("a", "b"), 2, "a: {c, b: 2}\n"),
        ("a: {c: 1,  # why\n  d: 2}\n", ("a", "b"), 3, "a: {c: 1,  # why\n  d: 2, b: 3}\n"),
        (
            "a:\n    c: 1  # why\n    # more\nd: 2\n",
            ("a", "b"),
            3,
            "a:\n    c: 1  # why\n    b: 3\n    # more\nd: 2\n",
        ),
        ("a:\n  - c: 1\n  - 2\n", ("a", 0, "b"), 3, "a:\n  - c: 1\n    b: 3\n  - 2\n"),
        ("a:\n  c: |\n    x\n\nd: 2\n", ("a", "b"), 3, "a:\n  c: |\n    x\n\n  b: 3\nd: 2\n"),
        (
            "a:\n  c:\n    d: [1,\n      2]\n",
            ("a", "b"),
            3,
            "a:\n  c:\n    d: [1,\n      2]\n  b: 3\n",
        ),
        ("a:\n  c:\nd: 2\n", ("a", "b"), 3, "a:\n  c:\n  b: 3\nd: 2\n"),
    ],
)
def test_insert(text: str, path: KeyPath, value: Any, after: str) -> None:
    assert insert_key(text, path, value).text == after


@pytest.mark.parametrize(
    "text, after",
    [
        ("# top\na: 1\nd: 2\n", "# top\na: 1\nb: 9\nd: 2\n"),
        ("# top\nd: 2  # x\n", "# top\nb: 9\nd: 2  # x\n"),
        ("\ufeffd: 2\n", "\ufeffb: 9\nd: 2\n"),
        ("- d: 2\n", "- d: 2\n  b: 9\n"),
    ],
)
def test_a_new_key_has_its_place_in_the_order(text: str, after: str) -> None:
    path: KeyPath = (0, "b") if text.startswith("-") else ("b",)
    assert insert_key(text, path, 9, order=("a", "b", "c", "d")).text == after


@pytest.mark.parametrize(
    "text, path",
    [
        ("a: &n {x: 1}\nb: *n\n", ("a", "x")),
        ("a: &n {x: 1}\nb: *n\n", ("b", "x")),
        ("a: &n 1\nb: *n\n", ("a",)),
        ("a: 1\n", ("b",)),
        ("a: 1\n", ("a", "b")),
    ],
)
def test_what_stands_elsewhere_too_is_left(text: str, path: KeyPath) -> None:
    with pytest.raises(CannotEdit):
        replace_value(text, path, 2)


def test_a_key_of_an_anchored_map_is_not_added() -> None:
    with pytest.raises(CannotEdit, match="anchor"):
        insert_key("a: &n {x: 1}\nb: *n\n", ("a", "y"), 2)
    with pytest.raises(CannotEdit, match=r"b in line 2 is \*n"):
        insert_key("a: &n {x: 1}\nb: *n\nc: {}\n", ("b", "y", "z"), 2)


SCALARS = st.one_of(
    st.integers(-1000, 1000),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.text(st.sampled_from("ab 'é:#,{}[]&*-?|>!%@\"\\😀\n"), max_size=8),
    st.sampled_from(["none", "null", "1", "true", "", "~", "1e-3", "yes", "0x1f"]),
)
KEYS = st.text(st.sampled_from("abcde_ :#'"), min_size=1, max_size=5)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)


def paths(data: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Paths of all values in data."""
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    found: list[KeyPath] = []
    for part, value in entries:
        found.append((*path, part))
        if isinstance(value, dict | list):
            found += paths(value, (*path, part))
    return found


@given(
    st.data(),
    TREES,
    st.sampled_from([None, True, False]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(2, 4),
)
def test_one_value_changes_and_no_other_byte(
    data: st.DataObject, tree: dict[str, Any], style: bool | None, line_end: str, indent: int
) -> None:
    """Whatever the text looks like: read again, it says the same but for the one value.

    All that stands in front of the value and behind it is there, byte for byte.
    """
    text = yaml.safe_dump(tree, default_flow_style=style, allow_unicode=True, indent=indent)
    text = "".join(
        f"{line}  # c\n" if i % 3 == 0 and line and not set(line) & set("\"'|>\\") else f"{line}\n"
        for i, line in enumerate(text.removesuffix("\n").split("\n"))
    )
    text = text.replace("\n", line_end)
    before = read_text(text).data
    value = data.draw(SCALARS | st.dictionaries(KEYS, SCALARS, max_size=2))
    path = data.draw(st.sampled_from(paths(before)))
    parent = before
    for part in path[:-1]:
        parent = parent[part]
    new_key = isinstance(parent, dict) and data.draw(st.booleans())
    if new_key:
        path = (*path[:-1], "new")
    edit = (insert_key if new_key else replace_value)(text, path, value)
    expected = deepcopy(before)
    target = expected
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    assert same(read_text(edit.text).data, expected)
    if new_key:
        start = next(
            (i for i, (a, b) in enumerate(zip(text, edit.text, strict=False)) if a != b), len(text)
        )
        added = len(edit.text) - len(text)
        assert any(edit.text[:at] + edit.text[at + added :] == text for at in range(start + 1))
    else:
        assert edit.before is not None
        assert any(
            text.startswith(edit.before, at)
            and edit.text.startswith(text[:at])
            and edit.text.endswith(text[at + len(edit.before) :])
            for at in range(len(text) + 1)
        )
