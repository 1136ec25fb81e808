"""What may stand at the end of a line. Light."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from zoo.completion import files
from zoo.completion.candidate import Candidate
from zoo.completion.files import TRAINED
from zoo.completion.scripts import SHELLS
from zoo.completion.settings import Settings

RUN_KINDS = {  # (verb, word of the usage) -> kinds of folders; a run for others.
    ("evaluate", "RUN"): (TRAINED,),
    ("predict", "RUN"): (TRAINED,),
    ("export", "RUN"): (TRAINED,),
    ("show", "RUN"): ("run", "folds", "search", "check"),
    ("report", "RUN"): ("run", "folds"),
    ("train", "RUN"): ("run", "folds"),
    ("tune", "FOLDER"): ("search",),
}


def answer(group: Any, words: Sequence[str]) -> list[Candidate]:
    """What may stand in the place of the last word.

    Args:
        group: the command line, as Typer makes it: with `params` and `commands`.
        words: behind the program's name; the last one is being typed and may be empty.
    """
    *before, typed = words or ("",)
    verb = next((word for word in before if word in group.commands), None)
    if verb is None:
        return _unique([*_verbs(group, typed), *_options(group.params, before, typed)], typed)
    command = group.commands[verb]
    after = before[before.index(verb) + 1 :]
    return _unique(_of_verb(verb, command, after, typed), typed)


def _unique(candidates: Iterable[Candidate], typed: str) -> list[Candidate]:
    """Candidates that begin as the word does, each once."""
    found = {each.word: each for each in candidates if each.word.startswith(typed)}
    # A folder that is itself what is asked for leads to nothing else.
    return [each for word, each in found.items() if word[-1:] != "/" or word[:-1] not in found]


def _verbs(group: Any, typed: str) -> Iterator[Candidate]:
    for name, command in group.commands.items():
        if name.startswith(typed) and not command.hidden:
            yield Candidate(name, _sentence(command.help))


def _options(params: Sequence[Any], before: Sequence[str], typed: str) -> Iterator[Candidate]:
    """Flags, if the word begins as one: those that may still be given."""
    if not typed.startswith("-"):
        return
    helps = [each for each in params if each.param_type_name == "option" and not each.hidden]
    for param in helps:
        names = [*param.opts, *param.secondary_opts]
        if param.multiple or not set(names) & set(before):
            for name in sorted(names, key=len, reverse=True):
                if name.startswith("--") or len(typed) < 2:
                    yield Candidate(name, _sentence(param.help))
    yield Candidate("--help", "Show the options.")


def _of_verb(verb: str, command: Any, before: Sequence[str], typed: str) -> Iterator[Candidate]:
    """What may stand behind a verb."""
    options = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts)}
    places: list[str] = []
    waiting: Any = None
    for word in before:
        if waiting is not None:
            waiting = None
        elif word.startswith("-") and word != "-":
            option = options.get(word)
            waiting = option if option is not None and not _is_flag(option) else None
        else:
            places.append(word)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    recipe = places[0] if places and arguments and "RECIPE" in _usage(arguments[0]) else None
    name, equals, value = typed.partition("=")
    if waiting is not None:
        yield from _values(verb, waiting, typed, recipe)
    elif typed.startswith("--") and equals and name in options:
        for each in _values(verb, options[name], value, recipe):
            yield Candidate(f"{name}={each.word}", each.help, each.is_file)
    elif typed.startswith("-"):
        yield from _options(command.params, before, typed)
    elif arguments:
        index = min(len(places), len(arguments) - 1)
        if len(places) < len(arguments) or arguments[index].nargs == -1:
            yield from _values(verb, arguments[index], typed, recipe)


def _is_flag(param: Any) -> bool:
    return bool(getattr(param, "is_flag", False) or getattr(param, "count", False))


def _usage(param: Any) -> tuple[str, ...]:
    """The words of a parameter's usage: `RUN|EXPORT` and `[PATH]...` as words."""
    return tuple(re.findall(r"[A-Z]{1,}[A-Z_]*", param.metavar or ""))


def _values(verb: str, param: Any, typed: str, recipe: str | None) -> Iterator[Candidate]:
    """Values of an option or argument."""
    usage = _usage(param)
    if "--set" in param.opts:
        yield from _settings(verb, param, typed, recipe)
        return
    if usage == ("ID",):
        yield from _checks(typed)
        return
    yield from (Candidate(word) for word in _known(verb, param))
    if {"RECIPE", "A", "B"} & set(usage):
        yield from files.recipes(typed)
    kinds = [
        kind
        for word in usage
        for kind in RUN_KINDS.get((verb, word), {"RUN": ("run",), "A": ("run",), "B": ("run",),
                                                 "SEARCH": ("search",), "CHECK": ("check",)}
                                  .get(word, ()))
    ]  # fmt: skip
    if kinds:
        yield from files.folders_of(kinds, typed)
    if {"EXPORT", "IMAGE", "FILE", "PATH", "DATA"} & set(usage):
        yield from files.paths(typed)
    elif "FOLDER" in usage and not kinds or "--out" in param.opts:
        yield from files.paths(typed, lambda entry: False)


def _settings(verb: str, param: Any, typed: str, recipe: str | None) -> Iterator[Candidate]:
    """Paths of --set; of verbs that change where images are, only those."""
    only = "data.source." if (param.metavar or "").startswith("data.source") else ""
    if only and not typed.startswith(only):
        yield Candidate(only, "where the images are")
        return
    yield from Settings(recipe).complete(typed)


def _checks(typed: str) -> Iterator[Candidate]:
    """Ids of checks, also behind a comma."""
    from zoo.checks.judge.finding import NAMES

    start, comma, _ = typed.rpartition(",")
    given = start.split(",")
    for name, title in NAMES.items():
        if name not in given:
            yield Candidate(f"{start}{comma}{name}", title)


def _known(verb: str, param: Any) -> list[str]:
    """Words that are all that a parameter takes, or the usual ones."""
    option = param.opts[0].lstrip("-")
    if option == "format":
        from zoo.artifact.layout import MODEL_FILES

        return list(MODEL_FILES)
    if option == "status":
        from zoo.inventory.entry import STATUSES

        return list(STATUSES)
    if option == "sort":
        from zoo.inventory.selection import SORT_KEYS

        return list(SORT_KEYS)
    kind = getattr(param, "bare_type", None)
    if get_origin(kind) is Literal:
        return [str(word) for word in get_args(kind)]
    words = {
        "split": ["test", "validation"],
        "tta": ["mirror", "mirror_translate"],
        "devices": ["all"],
        "distributed": ["auto"],
        "on": ["local", "ray", "ray://"],
        "quantize": ["float16", "int8"],
        "shell": list(SHELLS),
    }
    if verb == "new" and option == "data":
        return ["digits", "tfds:"]
    return words.get(option, [])


def _sentence(text: str | None) -> str:
    """The first sentence of a help text, in one line."""
    return " ".join((text or "").split()).partition(". ")[0]
