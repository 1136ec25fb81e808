"""What MkDocs does not do by itself for the site made of docs/.

Pages are read in two ways: as files of the repository, and as pages of the site. So their links are
those of files: `../CONTRIBUTING.md` is written, and the site has such files of the repository's top
as pages and downloads of its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
# Files of the repository's top that are pages of the site. The README has its own page there.
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
UNSEARCHED = {"CHANGELOG.md": "---\nsearch: {exclude: true}\n---\n"}
HOME = {"README.md": "index.md"}
FOLDERS = ("deploy", "recipes")  # Their files can be linked to, and are downloads of the site.
LINK = re.compile(r"(?<=\]\()([^)\s#]+)")


def on_config(config: Any) -> Any:
    """Write the pages of a folder out where `nav` names the folder: `- Recipes: recipes/`."""
    config["nav"] = [
        {
            title: [folder + "index.md", *pages_of(Path(config["docs_dir"]) / folder, folder)]
            if isinstance(folder, str) and folder.endswith("/")
            else folder
            for title, folder in group.items()
        }
        if isinstance(group, dict)
        else group
        for group in config["nav"] or []
    ]
    return config


def pages_of(folder: Path, name: str) -> list[str]:
    """The pages of a folder but its index, as `nav` names them."""
    return [name + file.name for file in sorted(folder.glob("*.md")) if file.name != "index.md"]


def on_files(files: Any, config: Any) -> Any:
    """Add pages and downloads that lie outside of docs/."""
    for name, page in PAGES.items():
        content = top_page(ROOT / name)
        files.append(File.generated(config, page, content=UNSEARCHED.get(name, "") + content))
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and file.suffix not in (".md", ".py", ".json", ".pyc"):
                target = file.relative_to(ROOT).as_posix()
                files.append(File.generated(config, target, abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of docs/ to the site's own files."""
    depth = page.file.src_uri.count("/")
    return LINK.sub(lambda link: inside(link[1], depth), markdown)


def inside(target: str, depth: int) -> str:
    """The target of a link in a page `depth` folders below docs/, without leaving docs/."""
    up = "../" * (depth + 1)
    if not target.startswith(up):
        return target
    name = target.removeprefix(up)
    return "../" * depth + {**PAGES, **HOME}.get(name, name)


def top_page(file: Path) -> str:
    """The text of a page at the repository's top, with links as from docs/."""
    text = file.read_text(encoding="utf-8")
    return LINK.sub(lambda link: from_docs(link[1]), text)


def from_docs(target: str) -> str:
    """A link of a page at the repository's top, as a page in docs/ would write it."""
    if "://" in target or target.startswith("mailto:"):
        return target
    name = target.removeprefix("docs/")
    return name if name != target else f"../{target}"


def on_post_build(config: Any) -> None:
    """Write the index of the search as a script, too: from files, a browser reads no JSON."""
    folder = Path(config["site_dir"]) / "search"
    index = (folder / "search_index.json").read_text(encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {index}", encoding="utf-8")
