"""The reader keeps to YAML 1.2, knows every line, and refuses what only looks like a recipe."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import RecipeError
from zoo.recipe.yaml_reader import MAX_BYTES, MAX_NODES, dotted, plain, read_file, read_text


def problem(text: str) -> tuple[int | None, str | None, str]:
    """The one problem of a text, whether it stops the reading or not."""
    try:
        problems = read_text(text).problems
    except RecipeError as error:
        problems = error.problems
    (only,) = problems
    return only.line, only.path, only.message


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e+1", -5.0),
        ("6.02", 6.02),
        ("+1", 1),
        ("-0", 0),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_typed(text: str, value: object) -> None:
    read = read_text(f"key: {text}").data["key"]
    assert read == value
    assert type(read) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(read_text("key: .nan").data["key"])


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "off", "y", "N", "none", "0b11", "1_000", "1:30", "0o8", "0x", "1e", "e3",
     ".", "-", "+.e3", "2026-01-31", "=", "inf", "nan", "tRUE", "9" * 500],
)  # fmt: skip
def test_words(text: str) -> None:
    """What YAML 1.1 or Python would type, and YAML 1.2 does not."""
    if text == "-":
        assert plain(text) == text  # On its own it starts a list.
    else:
        assert read_text(f"key: {text}").data["key"] == text


@pytest.mark.parametrize("text", ["'1'", '"1"', "'true'", '"~"', "|\n  1\n", ">\n  1\n"])
def test_quoted_stays_text(text: str) -> None:
    assert isinstance(read_text(f"key: {text}").data["key"], str)


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**18), 10**18), st.floats(allow_nan=False)
)


@given(PLAIN)
def test_scalars_come_back(value: object) -> None:
    """JSON's numbers, Python's floats and YAML's own words are read as what they are."""
    words: dict[Any, str] = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    text = text.replace("inf", ".inf")
    read = plain(text)
    assert read == value
    assert type(read) is type(value)


KEYS = st.text("abcdefgh_", min_size=1, max_size=6)
TREES = st.recursive(
    st.one_of(
        st.integers(-99, 99), st.booleans(), st.none(), st.text("abc'\" :#-\n\\é", max_size=8)
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, TREES, max_size=5), st.sampled_from([True, False, None]))
def test_trees_come_back(tree: dict[str, Any], flow: bool | None) -> None:
    document = read_text(yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True))
    assert document.data == tree
    assert document.problems == ()


def test_lines() -> None:
    document = read_text("a: 1\nb:\n  - x\n  - c:\n      d: 2\n")
    assert document.line(("a",)) == 1
    assert document.line(("b",)) == 2
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "c", "d")) == 5
    assert document.line(("b", 1, "c", "missing")) == 4
    assert document.line(("missing",)) == 1


def test_dotted() -> None:
    assert dotted(("model", "stack", 0, "conv", "filters")) == "model.stack[0].conv.filters"
    assert dotted(()) == ""


@pytest.mark.parametrize(
    "text, line, path, message",
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a", "duplicate key, first given in line 1; keep one of them"),
        ("a:\n  b: 1\n  b: 1\n", 3, "a.b", "duplicate key, first given in line 2"),
        ("x: {<<: {a: 1}}\n", 1, "x.<<", "merge keys (<<) are not YAML 1.2"),
        ("a: !foo 1\n", 1, "a", "tag !foo is not allowed"),
        ("a: !!str 1\n", 1, "a", "tag !!str is not allowed"),
        ("!!str a: 1\n", 1, "a", "tag !!str is not allowed"),
        ("a: !!python/object/apply:os.system [x]\n", 1, "a", "tag !!python/object/apply:os.system"),
        ("- 1\n- !!set {a}\n", 2, "[1]", "tag !!set is not allowed"),
        ("a: &a\n  b: *a\n", 2, "a.b", "an alias (*name) points into itself"),
        ("a: &a [*a]\n", 1, "a[0]", "an alias (*name) points into itself"),
        ("? [a]\n: 1\n", 1, None, "a key must be a word"),
        ("? {a: b}\n: 1\n", 1, None, "a key must be a word"),
        ('a: "\\udc00"\n', 1, "a", "holds half of a UTF-16 pair"),
        ('a: "\\0"\n', 1, "a", "holds U+0000, which no text or file name has"),
        ("a: *nobody\n", 1, None, "found undefined alias 'nobody'"),
        ("a:\n\tb: 1\n", 2, None, "indent with spaces, not tabs"),
        ("a: [1\n", 2, None, "not valid YAML: while parsing a flow sequence"),
        ("a: b: c\n", 1, None, "mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", 2, None, "expected a single document"),
        ("a: 1\nb: \x00\n", 2, None, "character U+0000 is not allowed"),
        ("a: 1\nb: \ud800\n", 2, None, "character U+D800 is not allowed"),
        ("[" * 5000, 1, None, "nested too deeply. Expected at most 50 levels."),
        ("- " * 5000, 1, None, "nested too deeply. Expected at most 50 levels."),
        ("x" * (MAX_BYTES + 1), None, None, "text over 16,777,216 characters"),
    ],
)
def test_refused(text: str, line: int | None, path: str | None, message: str) -> None:
    report = problem(text)
    assert report[:2] == (line, path)
    assert message in report[2]
    assert "\n" not in report[2]


def test_json_writes_far_characters_as_pairs() -> None:
    document = read_text('{"\\ud83d\\ude00": "\\ud83d\\ude00"}')
    assert document.data == {"\U0001f600": "\U0001f600"}
    assert document.problems == ()


def test_alias_is_spread_out() -> None:
    document = read_text("a: &a {x: 1}\nb: *a\nc: [*a, *a]\n")
    assert document.data == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}
    assert document.problems == ()


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines)


def test_alias_bomb_is_refused_at_once() -> None:
    line, path, message = problem(bomb(30))
    assert f"more than {MAX_NODES:,} values" in message
    assert line == 6  # Where 9^6 values would stand; the reader goes no further.
    assert path is None


def test_chained_aliases_do_not_exhaust_the_stack() -> None:
    """Each alias nests one level deeper than the text does."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5000))]
    assert "more than 100,000 values" in problem("\n".join(lines))[2]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"name: caf\xe9\n", "not a text file: byte 9 is not UTF-8. Save it as UTF-8."),
        ("name: a\n".encode("utf-16"), "the text is UTF-16, as PowerShell's `>`"),
        (b"\x1f\x8b\x08\0\0", "not a text file but compressed (gzip). Unpack it."),
        (b"#" * (MAX_BYTES + 1), "file too large. Expected at most 16,777,216 bytes"),
    ],
)
def test_refused_files(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_bytes(data)
    with pytest.raises(RecipeError) as caught:
        read_file(file)
    assert str(caught.value).startswith(f"{file}: {message}")


@pytest.mark.parametrize(
    "text, message",
    [
        ("name: a\n".encode("utf-16-le").decode(), "U+0000 is not allowed; the file looks like UT"),
        ("name: a\0\n", "U+0000 is not allowed."),
        (
            "data:\n  source:\xa0digits\n  size: 8\n",
            "line 2 holds U+00A0, which looks like a space",
        ),
        ("data:\n  a: 1\n\u3000 source: digits\n  b: 8\n", "line 3 holds U+3000, which looks"),
        ("data: [\n", "found '<stream end>'."),
    ],
)
def test_what_is_not_seen_in_an_editor(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_text(text)
    assert message in f"{caught.value}."


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read: No such file"):
        read_file(tmp_path / "missing.yaml")
    with pytest.raises(RecipeError, match="cannot be read: Is a directory"):
        read_file(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfname: a\n",
        b"name: a\r\n",
        b"name: a",
        b"%YAML 1.2\n---\nname: a\n...\n",
    ],
    ids=["byte order mark", "Windows", "no last line end", "document marks"],
)
def test_read_as_usual(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_bytes(data)
    document = read_file(file)
    assert document.data == {"name": "a"}
    assert document.problems == ()


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_text(text)
    except RecipeError as error:
        assert "\n" not in str(error)


@given(st.text("{}[]:,-&*!#|>'\"%@`? \n\tab1.", max_size=60))
def test_any_yaml_is_read_or_refused(text: str) -> None:
    try:
        read_text(text)
    except RecipeError as error:
        assert "not valid YAML" in str(error)
