"""`zoo list`."""

from __future__ import annotations

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption
from zoo.cli.output import Output, columns


@app.command("list")
def list_(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the recipes that ship, with their measured accuracy."""
    with Output(as_json, debug) as out:
        from zoo.catalogue import shipped_recipes

        entries = shipped_recipes()
        out.result({"recipes": entries})
        rows = [["recipe", "data", "parameters", "test accuracy", "measured on"]]
        for entry in entries:
            accuracy = "not measured"
            if entry["accuracy"] is not None:
                accuracy = f"{entry['accuracy']:.4f} ± {entry['accuracy_sd']:.4f}"
                together = f", {entry['jobs']} at a time" if (entry["jobs"] or 1) > 1 else ""
                accuracy += f" (n={entry['seeds']}, {entry['seconds']:.0f} s{together})"
            rows.append(
                [
                    entry["name"],
                    entry["data"],
                    "" if entry["parameters"] is None else f"{entry['parameters']:,}",
                    accuracy,
                    entry["device"] or "",
                ]
            )
        out.text(columns(rows, right=(2,)))
