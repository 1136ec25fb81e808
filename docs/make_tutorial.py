"""Write the output of the commands of docs/tutorial.md anew: `python docs/make_tutorial.py`.

It runs them all, which takes a few minutes. A comment before a block, which does not show on the
page, says which lines of the output stand there; `...` stands for the others:

    <!-- shown: REGULAR EXPRESSION -->
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(
    r"(?P<notes>(?:^<!-- [^\n]+ -->\n+)*)^```\n"
    r"(?P<command>\$ (?:[^\n]*\\\n)*[^\n]*\n)(?P<output>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
UNSHOWN = re.compile(r"^(written|verdict|report) |^warning: \S+\.yaml:\d+|^$")


def outputs() -> list[str]:
    """Run the commands of the page, and return what each prints."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.docs.run_pages", folder, "docs/tutorial.md"]
        process = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    return [outcome["output"] for outcome in json.loads(process.stdout.splitlines()[-1])]


def shown(output: str, pattern: str | None) -> str:
    """The lines of an output that stand on the page."""
    lines: list[str] = []
    for line in output.splitlines():
        keep = re.search(pattern, line) if pattern else not UNSHOWN.search(line)
        if keep:
            lines.append(line)
        elif pattern and line and lines[-1:] != ["..."]:
            lines.append("...")
    while lines[-1:] == ["..."]:
        del lines[-1]
    return "".join(f"{line}\n" for line in lines[lines[:1] == ["..."] :])


def page(text: str, outputs: list[str]) -> str:
    """Return the page with these outputs, one for each of its blocks."""
    remaining = iter(outputs)

    def write(match: re.Match[str]) -> str:
        notes = dict(re.findall(r"<!-- ([\w ]+): (.+?) -->", match["notes"]))
        output = shown(next(remaining), notes.get("shown"))
        return f"{match['notes']}```\n{match['command']}{output}```"

    written = BLOCK.sub(write, text)
    if next(remaining, None) is not None:
        raise SystemExit("docs/tutorial.md: more commands than blocks; write one into each")
    return written


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), outputs()), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
