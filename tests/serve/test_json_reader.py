"""Hostile JSON: keys that stand twice, very many values, deep nesting, huge numbers."""

from __future__ import annotations

import json

import pytest

from tests.serve.conftest import PREDICT, Client
from zoo.serve.json_reader import parse
from zoo.serve.status import StatusError


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [1], "instances": [2]}',
        b'{"instances": [1], "\\u0069nstances": [2]}',
        b'{"instances": [{"b64": "AAAA", "b64": "BBBB"}]}',
        b'{"instances": [[{"b64": "AAAA", "b64": "BBBB"}]]}',
        b'{"inputs": {"x": [{"a": {"b": 1, "b": 2}}]}}',
        b'{"instances": [NaN], "instances": [2]}',
        b'{"instances": [1, {"a": 1, "a": 1}]}',
    ],
)
def test_keys_that_stand_twice(body: bytes) -> None:
    with pytest.raises(StatusError, match="stands twice in an object") as error:
        parse(body)
    assert error.value.http == 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": ["a:b", "c::d"], "x:y": {"z": ":"}}',
        b'{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}, [{"a": 3}]]}',
        b'{"a": [NaN, {"b": ":"}]}',
    ],
)
def test_colons_in_strings_are_no_keys(body: bytes) -> None:
    assert str(parse(body)) == str(json.loads(body))


@pytest.mark.parametrize("item", [b"[],", b"{},", b'{"":0},', b"0.1,", b"[[]],"])
def test_values_in_memory_are_bounded(item: bytes) -> None:
    """The estimate is an upper bound, so that no body takes more than the limit."""
    import tracemalloc

    body = b'{"instances": [' + item * 20_000 + b"0]}"
    with pytest.raises(StatusError, match="too many values") as error:
        parse(body, 32 * 20_000)
    assert error.value.http == 413
    size = int(float(str(error.value).partition("take ")[2].partition(" MB")[0]) * 1e6)
    tracemalloc.start()
    document = parse(body)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(document["instances"]) == 20_001
    assert taken <= size + 1_000_000
    assert parse(body, 25 * 32_000_000)["instances"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000, b'{"a": ' + b'{"a":' * 900 + b"1" + b"}" * 901, b'{"a":' * 100_000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b'{"a": ":", "b": ' + b"[" * 1000 + b"]" * 1000 + b"}", b'{"a": 1e999}',
        b'{"a": ' + b"9" * 100_000 + b"}", b'{"a": NaN, "b": ' + b"[" * 990 + b"]" * 990 + b"}",
        b'{"a": "\\ud800"}', b'{"a": "\xff"}', b'{"a": \x00}', b'{"a": 1}\x00', b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_what_no_parser_should_die_of(pictures: Client, body: bytes) -> None:
    answer = pictures.ask("POST", PREDICT, body)
    assert answer.code == 400
    assert answer.error
