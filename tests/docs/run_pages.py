"""usage: run_pages.py FOLDER: run the commands of the pages; prints what each did, as JSON.

Blocks of a page run in one folder, in their order; tests/docs/commands.py says which. In the folder
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


def run(block: Block) -> list[dict[str, Any]]:
    """Run the commands of a block, in this process and in the folder where it stands."""
    from typer.testing import CliRunner

    from zoo.cli import app

    outcomes = []
    for command in block.run:
        begin = time.process_time()
        result = CliRunner().invoke(app, shlex.split(command)[1:])
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


def main(base: Path) -> None:
    from zoo import backend

    backend.prepare()
    outcomes = []
    for page in PAGES:
        chosen = [block for block in blocks(page) if block.run]
        if chosen:
            folder = base / page.relative_to(ROOT).with_suffix("")
            folder.mkdir(parents=True)
            prepare(folder)
            with contextlib.chdir(folder):
                for block in chosen:
                    outcomes += run(block)
    print(json.dumps(outcomes))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(Path(sys.argv[1]))
