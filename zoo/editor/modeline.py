"""The line of a recipe that tells editors where its schema lies. Light.

`# yaml-language-server: $schema=ADDRESS` is read by yaml-language-server, which VS Code, Neovim and
others run, and by the editors of JetBrains. The address is relative to the recipe, so that it holds
offline and wherever both files are taken: `.zoo/recipe.schema.json` beside the recipe, and
`recipe.schema.json` of the recipes that ship.
"""

from __future__ import annotations

import re

SCHEMA = "recipe.schema.json"
ADDRESS = f".zoo/{SCHEMA}"

_START = "# yaml-language-server: $schema="
_LINE = re.compile(
    rb"^(?:\xef\xbb\xbf)?[ \t]*"
    rb"(#[ \t]*yaml-language-server[ \t]*:[^\r\n]*?\$schema=([^\s]*)[^\r\n]*)",
    re.MULTILINE,
)
_BOM = b"\xef\xbb\xbf"


def modeline(address: str = ADDRESS) -> str:
    """Return the line for a recipe whose schema lies at an address, relative to it."""
    return f"{_START}{address}"


def address_of(content: bytes) -> str | None:
    """Return the address of the schema that a recipe's file names; None if it names none."""
    found = _LINE.search(content)
    return found[2].decode("utf-8", "replace") if found else None


def address_for(recipe: str) -> str:
    """Return the address of a schema that holds the words of one recipe's own parts, too.

    Args:
        recipe: the file's name, without its ending.
    """
    return f".zoo/{recipe}.{SCHEMA}"


def is_ours(address: str) -> bool:
    """Whether an address is that of a schema which zoo wrote."""
    name = address.rpartition("/")[2]
    return name == SCHEMA or name.endswith(f".{SCHEMA}")


def with_modeline(content: bytes, address: str = ADDRESS) -> bytes:
    """Return the content of a recipe's file with the line at its top; every other byte stays.

    A line that is there and names another schema that zoo wrote is changed; one that names
    something else, such as a schema of the user's own, stays.

    Args:
        content: of the file.
        address: of the schema.
    """
    line = modeline(address).encode()
    found = _LINE.search(content)
    if found is not None:
        if not is_ours(found[2].decode("utf-8", "replace")):
            return content
        return content[: found.start(1)] + line + content[found.end(1) :]
    mark = _BOM if content.startswith(_BOM) else b""
    rest = content[len(mark) :]
    end = b"\r\n" if rest.split(b"\n", 1)[0].endswith(b"\r") else b"\n"
    return mark + line + end + rest
