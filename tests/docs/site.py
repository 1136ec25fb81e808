"""The site made of docs/, built once for all tests; and what its pages hold."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "mkdocs.yml"


def build(target: Path, config: Path = CONFIG) -> subprocess.CompletedProcess[str]:
    """`mkdocs build`, as `make docs-site` and .ci/run call it; with -q it counts no warning."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", str(config), "-d", str(target)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


def built(share: Any) -> Path:
    """The folder of the site: that of ZOO_SITE, which .ci/run has built, or one made here."""
    if "ZOO_SITE" in os.environ:
        return Path(os.environ["ZOO_SITE"])

    def make(folder: Path) -> None:
        process = build(folder)
        assert process.returncode == 0, process.stdout + process.stderr

    folder: Path = share("site", make)
    return folder


class Tags(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
