"""`zoo list`."""

from __future__ import annotations

from tests.cli.calls import call, document


def test_list() -> None:
    result = call("list", "--json")
    assert result.exit_code == 0
    output = document(result)["recipes"]
    assert "digits-tiny" in {entry["name"] for entry in output}
    keys = {"name", "data", "parameters", "accuracy", "accuracy_sd", "seeds", "seconds", "device"}
    assert all(entry.keys() >= keys for entry in output)
    assert "digits-tiny" in call("list").stdout
