"""Reads the JSON of a request's body, within limits, with the API's error messages."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson

from zoo.serve.status import StatusError, invalid
from zoo.serve.tensors import excerpt

# Messages of the API's parser, by parts of orjson's messages.
_PARSE_ERRORS = {
    "expected a JSON value": "Invalid value.",
    "unexpected content after document": (
        "The document root must not be followed by other values."
    ),
    "expected ',' or ']'": "Missing a comma or ] after an array element.",
    "expected ',' or '}'": "Missing a comma or } after an object member.",
    "expected ':'": "Missing a colon after a name of object member.",
    "number is infinity": "Number too big to be stored in double.",
    "surrogate": "The surrogate pair in string is invalid.",
}

# Memory of parsed values: a list of three, an object of one key, a float in a list.
_LIST_BYTES, _OBJECT_BYTES, _VALUE_BYTES = 88, 240, 32


def parse(body: bytes, max_parsed: int | None = None) -> dict[str, Any]:
    """Parses a request's JSON object, in which NaN, Infinity and -Infinity are numbers.

    Args:
        body: of the request.
        max_parsed: most bytes that the parsed values may take; None for no limit.

    Raises:
        StatusError: the body is not JSON, or not an object, or has a key twice, or takes too much
            memory.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    if max_parsed is not None:
        _require_small(body, max_parsed)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in body and b"Infinity" not in body:
            _require_utf8(body)
            message = _parse_error(error.msg)
            raise invalid(f"JSON Parse error: {message} at offset: {error.pos}") from None
        document = _parse_lenient(body)
    if type(document) is not dict:
        raise invalid(f"JSON Value: {excerpt(document)} Is not object")
    if body.count(b":") > _count_keys(document):
        _require_unique_keys(body)
    return document


def _require_small(body: bytes, max_parsed: int) -> None:
    """Refuses a body of very many lists and objects: they take up to 35 times its size."""
    if len(body) * _OBJECT_BYTES < max_parsed:
        return
    values = body.count(b",") * _VALUE_BYTES
    size = values + body.count(b"[") * _LIST_BYTES + body.count(b"{") * _OBJECT_BYTES
    if size > max_parsed:
        raise StatusError(
            "RESOURCE_EXHAUSTED",
            f"the body's JSON has too many values: they would take {size / 1e6:.0f} MB of memory. "
            f"Expected at most {max_parsed / 1e6:.0f} MB. Send fewer rows in a request, or images "
            "as files in base64.",
            413,
        )


def _count_keys(value: Any, levels: int = 8) -> int:
    """Counts the keys of objects, except of those in lists of lists or deeper: a lower bound."""
    if not levels:
        return 0
    if type(value) is dict:
        return len(value) + sum(_count_keys(one, levels - 1) for one in value.values())
    if type(value) is list and value and type(value[0]) is dict:
        return sum(_count_keys(one, levels - 1) for one in value)
    return 0


def _require_unique_keys(body: bytes) -> None:
    """Refuses an object that has a key twice: parsers differ in the value that they take."""

    def check(pairs: list[tuple[str, Any]]) -> None:
        counts = Counter(name for name, _ in pairs)
        if len(counts) < len(pairs):
            ((twice, _),) = counts.most_common(1)
            raise invalid(f"JSON Parse error: the key {excerpt(twice)} stands twice in an object")

    try:
        json.loads(body, object_pairs_hook=check)
    except (ValueError, RecursionError) as error:  # Deeper than Python's parser goes.
        raise invalid(f"JSON Parse error: {error}") from None


def _require_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: not UTF-8 at offset: {error.start}") from None


def _parse_error(message: str) -> str:
    return next((ours for theirs, ours in _PARSE_ERRORS.items() if theirs in message), message)


def _parse_lenient(body: bytes) -> Any:
    _require_utf8(body)
    try:
        document = json.loads(body)
        orjson.dumps(document)  # Refuses lone surrogates, huge integers and deep nesting.
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except (RecursionError, TypeError, ValueError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise invalid(f"JSON Parse error: {reason}") from None
    return document
