"""What bash, zsh and fish are told, and where that is written. Light.

Each script calls `zoo` with `_ZOO_COMPLETE=SHELL` at a press of Tab. Where there is no `zoo` to
call, since it runs as `python -m zoo` behind an alias, the Python that made the script is called.
"""

from __future__ import annotations

import os
import shlex
import sys
from importlib import import_module
from pathlib import Path

from zoo.editor import user_file
from zoo.errors import UsageError
from zoo.files.storage import writing
from zoo.rundir.files import write_text

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_ZOO_COMPLETE"

# The first line of the answer says whether candidates are files (then bash quotes them) and whether
# a space follows.
BASH = """\
# Completion of zoo in bash; `zoo --install-completion` writes it.
_zoo_complete() {
    local command="${1/#\\~/$HOME}" mode line
    local -a call=("$command") candidates=()
    type -P -- "$command" >/dev/null 2>&1 || call=(@PYTHON@)
    {
        IFS= read -r mode
        while IFS= read -r line; do candidates+=("$line"); done
    } < <(_ZOO_COMPLETE=bash _ZOO_LINE="${COMP_LINE:0:COMP_POINT}" _ZOO_NAME="$1" \\
          _ZOO_BREAKS="$COMP_WORDBREAKS" "${call[@]}" 2>/dev/null)
    COMPREPLY=("${candidates[@]}")
    [[ $mode == *files* ]] && compopt -o filenames 2>/dev/null
    [[ $mode == *nospace* ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -F _zoo_complete zoo
"""
ZSH = """\
# Completion of zoo in zsh; `zoo --install-completion` writes it.
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_zoo_complete() {
    local -a call answer shown going ending
    local line word
    call=(${(Q)words[1]})
    call[1]=${call[1]/#\\~/$HOME}
    (( $+commands[$call[1]] )) || [[ -x $call[1] ]] || call=(@PYTHON@)
    answer=("${(@f)$(_ZOO_COMPLETE=zsh "${call[@]}" \\
        "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    local -a shown_going
    for line in $answer; do
        word=${line%%$'\\t'*}
        if [[ $word == *[/=.:\\[,] ]]; then
            going+=("$word"); shown_going+=("${line/$'\\t'/  -- }")
        else
            ending+=("$word"); shown+=("${line/$'\\t'/  -- }")
        fi
    done
    (( $#ending )) && compadd -l -d shown -a ending
    (( $#going )) && compadd -l -S '' -d shown_going -a going
    return 0
}
compdef _zoo_complete zoo
"""
FISH = """\
# Completion of zoo in fish; `zoo --install-completion` writes it.
function __zoo_complete
    set -l words (commandline -opc)
    set -l command $words[1]
    type -q -f -- $command; or set command @PYTHON@
    _ZOO_COMPLETE=fish $command $words[2..] (commandline -ct | string unescape) 2>/dev/null
end
complete -c zoo -f -a '(__zoo_complete)'
"""


def script(shell: str) -> str:
    """The script of a shell."""
    text = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]
    # `python -m` would import modules of the folder that the user is in: at a press of Tab.
    root = str(Path(__file__).resolve().parents[2])
    main = f"import sys; sys.path.append({root!r}); from zoo.__main__ import main; main()"
    return text.replace("@PYTHON@", shlex.join((sys.executable, "-P", "-c", main)))


def current_shell() -> str:
    """The shell that zoo was called from.

    Raises:
        UsageError: it is none of `SHELLS`, or not known.
    """
    name = ""
    try:
        shellingham = import_module("shellingham")  # Typer needs it; it has no types.

        name = shellingham.detect_shell()[0]
    except Exception:  # It raises several errors, by system.
        name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise UsageError(
            f"the shell {name or 'is not known'}: expected one of {', '.join(SHELLS)}; name it "
            "with --shell."
        )
    return name


def install(shell: str, home: Path | None = None) -> list[tuple[Path, str]]:
    """Write the script of a shell where the shell finds it.

    Args:
        shell: of `SHELLS`.
        home: of the user; None: the real one.

    Returns:
        The files that were written or changed, each with what was done.

    Raises:
        UsageError: there is no home, or the shell's start file is read-only.
        StorageFault: a file cannot be written.
    """
    try:
        root = Path.home() if home is None else home
    except RuntimeError:
        raise UsageError(
            "this user has no home, where shells look for completions. Set HOME, or source what "
            f"zoo --show-completion --shell {shell} prints."
        ) from None
    config = _folder("XDG_CONFIG_HOME", root / ".config")
    data = _folder("XDG_DATA_HOME", root / ".local" / "share")
    if shell == "fish":
        file = config / "fish" / "completions" / "zoo.fish"
        write_text(file, script(shell))
        return [(file, "written; new shells of fish read it")]
    file = data / "zoo" / f"completion.{shell}"
    write_text(file, script(shell))
    start = root / f".{shell}rc" if shell == "bash" else _zshrc(root)
    line = os.fsencode(f"source {shlex.quote(str(file))}")
    with writing(start):
        if not start.exists():
            write_text(start.resolve(), f"{os.fsdecode(line)}\n")
        else:
            text = user_file.read(start)
            if line in text.splitlines():
                return [(file, "written"), (start, "reads it already")]
            user_file.require_writable(start, f"Add the line yourself: {os.fsdecode(line)}")
            before = text if not text or text.endswith(b"\n") else text + b"\n"
            user_file.replace(start, text, before + line + b"\n")
    return [(file, "written"), (start, "a line was added that reads it, in new shells")]


def _zshrc(root: Path) -> Path:
    return _folder("ZDOTDIR", root) / ".zshrc"


def _folder(variable: str, default: Path) -> Path:
    """The folder that a variable names; one that is not absolute does not count (XDG)."""
    given = Path(os.environ.get(variable, ""))
    return given if given.is_absolute() else default
