"""What MkDocs does not do by itself for the site made of docs/.

Pages are read in two ways: as files of the repository, and as pages of the site. So their links are
those of files: `../CONTRIBUTING.md` is written, and the site has such files of the repository's top
as pages and downloads of its own.
"""

from __future__ import annotations

import json
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
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")  # Colours of a terminal.
FILE_NAME = re.compile(r"\[(?:docs/)?([\w-]+\.md)\]\(")  # A link whose text is a file's name.
NOTEBOOK = re.compile(r"\.ipynb$")
LINK = re.compile(r"(?<=\]\()([^)\s#]+)")


def on_config(config: Any) -> Any:
    """Write the pages of a folder out where `nav` names the folder: `- Recipes: recipes/`."""
    config["nav"] = written_out(config["nav"] or [], Path(config["docs_dir"]))
    return config


def written_out(nav: Any, docs: Path) -> Any:
    """`nav` with the pages of its folders, its index first, and notebooks as the pages of them."""
    if isinstance(nav, list):
        return [written_out(item, docs) for item in nav]
    if isinstance(nav, dict):
        return {title: written_out(item, docs) for title, item in nav.items()}
    if nav.endswith("/"):
        pages = sorted((docs / nav).glob("*.md"), key=lambda file: (file.name != "index.md", file))
        return [nav + file.name for file in pages]
    return NOTEBOOK.sub(".md", nav)


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
    for file in [file for file in files if NOTEBOOK.search(file.src_uri)]:
        text = Path(str(file.abs_src_path)).read_text(encoding="utf-8")
        page = NOTEBOOK.sub(".md", file.src_uri)
        files.append(File.generated(config, page, content=notebook_page(json.loads(text))))
    return files


def notebook_page(notebook: dict[str, Any]) -> str:
    """A notebook as a page: its text, its code, and what the code put out."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif source.strip():
            parts.append(f"```python\n{source}\n```")
            parts += [output_of(output) for output in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def output_of(output: dict[str, Any]) -> str:
    """An output of a cell as Markdown: HTML, a picture, or text."""
    data = output.get("data", {})
    if "text/html" in data:
        html = re.sub(r"\n\s*\n", "\n", "".join(data["text/html"]))  # It ends at an empty line.
        return f"<div>{html}</div>"
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        return f'<img src="data:image/png;base64,{picture}" alt="What the code above draws">'
    text = "".join(output.get("text") or data.get("text/plain") or output.get("traceback") or "")
    return f"```text\n{ESCAPES.sub('', text).rstrip()}\n```"


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Lead links out of docs/ to the site's own files, and call pages by their titles."""
    depth = page.file.src_uri.count("/")
    titles = page_titles(config["nav"])
    markdown = FILE_NAME.sub(lambda link: f"[{titles.get(link[1], link[1])}](", markdown)
    return LINK.sub(lambda link: inside(link[1], depth), markdown)


def page_titles(nav: Any) -> dict[str, str]:
    """The titles that `nav` gives to pages, by their files."""
    if isinstance(nav, list):
        return {file: title for item in nav for file, title in page_titles(item).items()}
    if not isinstance(nav, dict):
        return {}
    found = {file: title for title, file in nav.items() if isinstance(file, str)}
    for item in nav.values():
        found.update(page_titles(item))
    return found


def inside(target: str, depth: int) -> str:
    """The target of a link in a page `depth` folders below docs/, without leaving docs/."""
    up = "../" * (depth + 1)
    if not target.startswith(up):
        return target if "://" in target else NOTEBOOK.sub(".md", target)
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
