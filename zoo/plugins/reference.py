"""Reads how a recipe names a part, and finds its file. Runs and imports nothing. Light.

`my_parts.py:Mish2` is a name in a file, whose path is relative to the recipe.
`package.module:Mish2` is a name in an installed package. `Mish3 = my_parts.py:Mish2` gives it
another word.
"""

from __future__ import annotations

import re
import site
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from zoo.plugins.unknown import Unknown
from zoo.recipe.shown import cut

FORM = "Expected FILE.py:NAME or PACKAGE.MODULE:NAME, such as my_parts.py:Mish2"
_WORD = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*)", re.DOTALL)
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Reference:
    """How a recipe names a part.

    Attributes:
        word: by which the recipe uses it.
        place: a path, or the dotted name of a module.
        name: in the file or module.
        is_file: whether `place` is a path.
    """

    word: str
    place: str
    name: str
    is_file: bool

    def __str__(self) -> str:
        text = f"{self.place}:{self.name}"
        return text if self.word == self.name else f"{self.word} = {text}"

    def at(self, place: str) -> Reference:
        """The same name at another place."""
        return Reference(self.word, place, self.name, self.is_file)


def parse(text: str) -> Reference:
    """The parts of a reference.

    Raises:
        Unknown: it is not of this form.
    """
    match = _WORD.fullmatch(text)
    word, rest = (match[1], match[2]) if match else ("", text)
    place, _, name = rest.strip().rpartition(":")
    if not place or "/" in name or name.endswith(".py"):
        hint = f". Write {cut(text.strip())}:NAME" if text.strip().endswith(".py") else ""
        raise Unknown(f"names no part. {FORM}. Received '{cut(text)}'{hint}.")
    if not name.isidentifier():
        raise Unknown(f"'{cut(name)}' is not a name of Python. {FORM}. Received '{cut(text)}'.")
    is_file = place.endswith(".py") or "/" in place
    if is_file and not place.endswith(".py"):
        raise Unknown(f"{cut(place)} is not a file of Python. {FORM}. Received '{cut(text)}'.")
    if not is_file and not _MODULE.fullmatch(place):
        raise Unknown(f"{cut(place)} is neither a file nor a module. {FORM}.")
    return Reference(word or name, place, name, is_file)


def module_file(module: str) -> Path:
    """The file of an installed module. Nothing is imported, not even the package around it.

    The working directory is not searched, though `python -m zoo` could import from there.

    Raises:
        Unknown: there is none.
    """
    relative = Path(*module.split("."))
    for folder in _installed_folders():
        for file in (folder / relative / "__init__.py", folder / relative.with_suffix(".py")):
            if file.is_file():
                return file
    for folder in _editable_folders():
        for file in (folder / relative / "__init__.py", folder / relative.with_suffix(".py")):
            if file.is_file():
                return file
    raise Unknown(
        f"there is no module {module} among the installed packages. Install the package, or name a "
        "file: FILE.py:NAME."
    )


def _installed_folders() -> list[Path]:
    """The folders of installed packages."""
    paths = sysconfig.get_paths()
    folders = [paths["purelib"], paths["platlib"], *site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    on_path = {str(Path(entry)) for entry in sys.path if entry}
    return [Path(folder) for folder in dict.fromkeys(folders) if str(Path(folder)) in on_path]


def _editable_folders() -> list[Path]:
    """Folders that .pth files of installed packages add: those of `pip install -e`."""
    found = []
    for folder in _installed_folders():
        for file in sorted(folder.glob("*.pth")):
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, ValueError):
                continue
            found += [Path(line) for line in lines if line.startswith("/")]
    return found


def package_root(module: str, file: Path) -> Path:
    """The folder that holds a module's top package."""
    levels = len(module.split(".")) - (0 if file.name == "__init__.py" else 1)
    return file.parents[levels]
