"""`zoo schema`."""

from __future__ import annotations

from tests.cli.calls import call, document


def test_schema_is_json() -> None:
    assert document(call("schema"))["$schema"].startswith("https://json-schema.org/")
