"""usage: run_pages.py FOLDER [PAGE...]: run the commands of pages; print what each did, as JSON.

Blocks of a page run in one folder, in their order; tests/docs/commands.py says which, but of pages
that are named here all are run. In the folder
are `pets/`, a few images of two classes, `new.jpg`, and `recipe.yaml` for them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from tests.docs.commands import PAGES, ROOT, Block, blocks

RECIPE = ROOT / "recipes" / "digits-tiny.yaml"


def prepare(folder: Path) -> None:
    """Make what the pages take for granted."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for place, name in enumerate(("cat", "dog")):
        (folder / "pets" / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(90 * place, 90 * place + 160, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "pets" / name / f"{number}.jpg")
    Image.fromarray(pixels).save(folder / "new.jpg")
    recipe = RECIPE.read_text(encoding="utf-8")
    (folder / "recipe.yaml").write_text(
        recipe.replace("data: digits", "data: {source: {folder: pets}, image_size: [32, 32]}")
    )


def run(block: Block, calls: list[str]) -> list[dict[str, Any]]:
    """Run calls of a block, in this process and in the folder where it stands."""
    from typer.testing import CliRunner

    from zoo.cli import app

    outcomes = []
    for command in calls:
        begin = time.process_time()
        result = CliRunner().invoke(app, arguments(command))
        outcomes.append(
            {
                "page": block.page,
                "line": block.line,
                "command": command,
                "code": result.exit_code,
                "output": result.output,
                "seconds": round(time.process_time() - begin, 1),
                "error": repr(result.exception) if result.exit_code else "",
            }
        )
    return outcomes


def arguments(command: str) -> list[str]:
    """The arguments of a call, with paths that hold a star written out, as a shell does."""
    found = []
    for word in shlex.split(command)[1:]:
        paths = sorted(map(str, Path().glob(word))) if "*" in word and "=" not in word else []
        found += paths or [word]
    return found


def main(base: Path, *names: str) -> None:
    from zoo import backend

    backend.prepare()
    outcomes = []
    for page in [ROOT / name for name in names] or PAGES:
        chosen = [(block, block.calls if names else block.run) for block in blocks(page)]
        if any(calls for _, calls in chosen):
            folder = base / page.relative_to(ROOT).with_suffix("")
            folder.mkdir(parents=True)
            prepare(folder)
            with contextlib.chdir(folder):
                for block, calls in chosen:
                    if block.file:
                        Path(block.file).write_text(block.text, encoding="utf-8")
                    outcomes += run(block, calls)
    print(json.dumps(outcomes))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(Path(sys.argv[1]), *sys.argv[2:])
