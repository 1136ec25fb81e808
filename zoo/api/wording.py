"""Words messages for Python: what a message asks for by flags, a Python program asks for otherwise.

The work of a verb is the same on the command line and in Python, and so are its messages, which
name flags and commands. Whatever leaves `zoo.api`, a line or an error, goes through `for_python`:

    --set train.epochs=5             overrides={'train.epochs': 5}
    --seeds and --folds exclude ...  `seeds` and `folds` exclude ...
    zoo train --resume runs/x/1      zoo.train(resume='runs/x/1')

Flags and verbs that Python has no argument or function for stay as they are. Light.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property, wraps
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from zoo.errors import Problem, ZooError

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=type)

_NUMBER = r"\+?\d[\d.]*(?=[\s:;,.)`]|$)|\+?N\b"
_PATH = r"'[^']*'|[^\s`:]*/[^\s`:]*|[A-Z]{2,}\b|[^\s`:]+(?=:)"
_YES = ""  # A flag without a value.
_OWN = r"[^\s`:]+(?=:)"  # A value that the message is about: `--format x: unknown`.
# Flag -> the argument that does the same, and what its values look like.
ARGUMENTS: dict[str, tuple[str, str]] = {
    "set": ("overrides", r"'[^']*=[^']*'|\"[^\"]*=[^\"]*\"|[^\s`=]+=[^\s`]*|\.\.\."),
    "resume": ("resume", _PATH),
    "seeds": ("seeds", _NUMBER),
    "folds": ("folds", _NUMBER),
    "devices": ("devices", rf"all\b|{_NUMBER}"),
    "allow-other-devices": ("allow_other_devices", _YES),
    "out": ("out", _PATH),
    "log": ("log", rf"(?:mlflow|wandb|tensorboard|csv|none)\b|{_OWN}"),
    "tensorboard": ("tensorboard", _YES),
    "evaluate": ("evaluate", _YES),
    "export": ("export", _YES),
    "quiet": ("quiet", _YES),
    "trials": ("trials", _NUMBER),
    "workers": ("workers", _NUMBER),
    "on": ("on", rf"ray://[^\s`]*[^\s`.,;:]|ray\b|local\b|{_OWN}"),
    "cpus-per-trial": ("cpus_per_trial", _NUMBER),
    "gpus-per-trial": ("gpus_per_trial", _NUMBER),
    "plots": ("plots", _YES),
    "only": ("only", r"C\d\d"),
    "skip": ("skip", r"C\d\d"),
    "quick": ("quick", _YES),
    "split": ("split", rf"(?:test|validation)\b|{_OWN}"),
    "tta": ("tta", rf"mirror\w*\b|{_OWN}"),
    "top": ("top", _NUMBER),
    "threshold": ("threshold", _NUMBER),
    "follow-links": ("follow_links", _YES),
    "format": ("format", rf"(?:saved_model|keras|onnx|litert)\b|{_OWN}"),
    "quantize": ("quantize", rf"(?:float16|int8)\b|{_OWN}"),
    "opset": ("opset", _NUMBER),
    "model-version": ("version", _NUMBER),
}
# Verb -> the call that does the same.
FUNCTIONS = {
    "train": "zoo.train({})",
    "tune": "zoo.tune({})",
    "check": "zoo.check({})",
    "evaluate": "zoo.run({}).evaluate({})",
    "export": "zoo.run({}).export({})",
}
# Flags of a verb whose function has no such argument.
LACKING = {("check", "plots"), ("evaluate", "quiet"), ("export", "quiet")}
_COMMAND = re.compile(r"\bzoo ([a-z]+)(?= |`)")
_TOKEN = re.compile(r" ('[^']*'|\"[^\"]*\"|[^\s`]+)")
_FLAG = re.compile(r"(`?)(?<![\w-])--([a-z][a-z0-9-]*)\b(?!-)")
_PLAIN = re.compile(r"[A-Z][A-Z_]*|\.\.\.|\d+(?:\.\d+)?(?:e-?\d+)?|[{].*")
# In this order: a command needs no flag in a process that has called the function.
_PHRASES = (
    ("`--debug` shows where it happened", "the traceback shows where it happened"),
    ("add --allow-plugins", "call zoo.plugins.allow()"),
    (" --allow-plugins", ""),
)


def for_python(text: str) -> str:
    """Word a message for a Python program; a message without flags and commands stays the same."""
    if "--" not in text and "zoo " not in text:
        return text
    for flag, said in _PHRASES:
        text = text.replace(flag, said)
    parts, place = [], 0
    for match in _COMMAND.finditer(text):
        if match.start() < place:
            continue
        call, end = _as_call(match, text)
        parts += [_flags(text[place : match.start()]), call]
        place = end
    return "".join([*parts, _flags(text[place:])])


def _as_call(match: re.Match[str], text: str) -> tuple[str, int]:
    """A command as the call that does the same, or as it is; and where it ends in the text."""
    subject, arguments, overrides = "", [], []
    end, known = match.end(), match[1] in FUNCTIONS
    ended = False
    while not ended and (token := _TOKEN.match(text, end)):
        word, ended = _bare(token[1])
        if word.startswith("--"):
            name, pattern = ARGUMENTS.get(word[2:], ("", ""))
            known = known and bool(name) and (match[1], name) not in LACKING
            value = _TOKEN.match(text, token.end()) if pattern and not ended else None
            if value and not value[1].startswith("--"):
                given, ended = _bare(value[1])
                token = value
                if name == "overrides":
                    overrides.append(_override(given))
                else:
                    arguments.append(f"{name}={_value(given)}")
            elif name:
                arguments.append(f"{name}=..." if pattern else f"{name}=True")
        elif not subject and not arguments and _is_subject(word, text[token.end() :]):
            subject = _value(word)
        else:
            break
        end = token.end() - (len(token[1]) - len(_bare(token[1])[0]))
    if not known or not (subject or arguments or overrides):
        return text[match.start() : end], end
    changes = [f"overrides={{{', '.join(overrides)}}}"] if overrides else []
    named = FUNCTIONS[match[1]]
    if named.count("{}") == 2:
        return named.format(subject or "RUN", ", ".join([*arguments, *changes])), end
    return named.format(", ".join(filter(None, [subject, *arguments, *changes]))), end


def _is_subject(word: str, rest: str) -> bool:
    """Whether a word behind a verb is what the verb works on, and not a word of the sentence."""
    return bool(re.match(r"['\"]|[A-Z]+$|.*[/.]", word)) or not rest or rest.startswith(" --")


def _bare(token: str) -> tuple[str, bool]:
    """A word without the sentence's punctuation behind it, and whether there was some."""
    word = token.rstrip(".,;:)")
    if token[len(word) :].startswith("..."):  # Stands for a value.
        word += "..."
    return word, word != token


def _value(text: str) -> str:
    """A value of the command line as Python writes it."""
    text = text[1:-1] if text[:1] in ("'", '"') else text
    text = text.removeprefix("+")
    if text in ("true", "false"):
        return text.title()
    if text[:1] == "[" and text[-1:] == "]":
        return f"[{', '.join(_value(item.strip()) for item in text[1:-1].split(','))}]"
    return text if _PLAIN.fullmatch(text) else repr(text)


def _override(text: str) -> str:
    """PATH=VALUE as an item of a dict."""
    text = text[1:-1] if text[:1] in ("'", '"') else text
    path, equals, value = text.partition("=")
    return f"{path!r}: {_value(value) if value else '...'}" if equals else text


def _flags(text: str) -> str:
    """A text without commands, its flags worded as arguments."""
    parts, place = [], 0
    for match in _FLAG.finditer(text):
        if match.start() < place or match[2] not in ARGUMENTS:
            continue
        name, pattern = ARGUMENTS[match[2]]
        value = re.compile(f"[ =]({pattern})").match(text, match.end()) if pattern else None
        end = match.end()
        if value:
            given = _bare(value[1])[0]
            end = value.start(1) + len(given)
            worded = f"{{{_override(given)}}}" if name == "overrides" else _value(given)
            said = f"{match[1]}{name}={worded}"
        else:  # In a sentence, a name stands out as code.
            said = f"`{name}" + ("" if match[1] else "`")
        parts += [text[place : match.start()], said]
        place = end
    return _joined("".join([*parts, text[place:]]))


def _joined(text: str) -> str:
    """A text in which arguments that follow each other are parted by commas."""
    text = text.replace("} overrides={", ", ")
    yes = "|".join(name for name, pattern in ARGUMENTS.values() if pattern == _YES)
    return re.sub(rf"(\w=[^\s,`]+) `({yes})`", r"\1, \2=True", text)


def reword(error: ZooError) -> None:
    """Word an error for a Python program."""
    error.message = for_python(error.message)
    error.problems = tuple(map(_problem, error.problems))
    error.args = (str(error),)


def _problem(problem: Problem) -> Problem:
    file = problem.file and for_python(problem.file)
    return Problem(
        message=for_python(problem.message),
        file=file,
        line=problem.line,
        path=problem.path,
        use=problem.use,
    )


def worded(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function of `import zoo`: its errors are worded for Python."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except ZooError as error:
            reword(error)
            raise

    return call


def worded_class(decorated: C) -> C:
    """Decorate a class of `import zoo`: the errors of its methods and properties are worded."""
    for name, value in list(vars(decorated).items()):
        new: Any = value
        if isinstance(value, property) and value.fget:
            new = property(worded(value.fget), doc=value.__doc__)
        elif isinstance(value, cached_property):
            new = cached_property(worded(value.func))
            new.__set_name__(decorated, name)
        elif isinstance(value, FunctionType):
            new = worded(value)
        if new is not value:
            setattr(decorated, name, new)
    return decorated
