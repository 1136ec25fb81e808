"""Recipes that somebody got wrong: mutations of what ships, of its values, its text and `--set`.

A case is a pure function of its number, so that one that fails can be made again by its number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from zoo.recipe.fields import Choice
from zoo.recipe.presets import PRESETS
from zoo.recipe.schema_types import model_at, type_at
from zoo.recipe.yaml_reader import dotted, read_file

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
KeyPath = tuple[str | int, ...]

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2, 7, 255, 1000, 65_536, 10**6, 2**31 - 1, 2**31, 10**9, 2**63, 10**18, 10**30,
    10**399, 0.0, -0.0, 0.5, 1.0, 1.5, -1e-3, 1e-45, 5e-324, 1e-300, 1e6, 1e38, 1e39, 1e200, 1e308,
    -1e308, 0.9999999999999999, float("nan"), float("inf"), float("-inf"), True, False,
)  # fmt: skip
TEXTS: tuple[str, ...] = (
    "", " ", "none", "null", "None", "true", "no", "1e-3", "3", ".nan", "auto", "default", "values",
    "x" * 200, "y" * 100_000, "a " * 5_000, "é", "日本語", "😀", "\x1b[31mred\x1b[0m", "a\nb: c",
    "\u2028", "\x85", "\ufeff", "C:\\temp\\new", "../..", "/dev/null", "~nobody/x",
    "/proc/self/mem", "a\x7fb", "%s %d {x}", "(", "(a+)+$", "conv1", "*", "&a", "<<", "model",
    "train.epochs",
)  # fmt: skip
SHAPES: tuple[Any, ...] = (
    [], {}, [None], [[]], [{}], {"": None}, {"none": None}, {"a": {"b": {"c": {}}}}, [1, 2, 3],
    [1000000000, 1000000000], [0.5, 0.1], [1e308, 1e308], ["none"], [float("nan"), float("nan")],
    {"min_value": 0, "max_value": 1}, {"values": []}, [10**18],
)  # fmt: skip
ODD: tuple[Any, ...] = (None, *NUMBERS, *TEXTS, *SHAPES)

SIGNS = (
    "{", "}", "[", "]", ":", ": ", ",", "&a ", "*a", "!x ", "!!python/name:os.system ", "|", ">",
    "'", '"', "%", "@", "`", "\t", "\n", "\n  ", "  ", "\r", "\x00", "\x85", "\u2028", "\ufeff",
    "#", "- ", "---\n", "...\n", "<<: ", "? ", "~", '"\\U00110000"', '"\\ud83d"',
    '"\\ud83d\\ude00"',
    '"\\x00"', '"C:\\Users\\me"', '"C:\\temp\\new"', "1e999999", "0x" + "f" * 50, "9" * 500,
    "\ud83d", "\U0001f600", "[" * 60, "{a: " * 60, "\x07", "😀",
)  # fmt: skip


SIGNED = ("$", "$x", "$n * 3", "2 * $n * $filters", "$n$n", "a $n", "$n * 999999999 * 999999999")


@dataclass(frozen=True)
class Case:
    """A recipe's text, changes of it by `--set`, and what was done to it."""

    text: str
    overrides: tuple[str, ...]
    what: str


@cache
def shipped() -> tuple[tuple[str, str, Any], ...]:
    """(name, text, data) of all recipes that ship."""
    files = sorted(RECIPES.glob("*.yaml"))
    return tuple((file.stem, file.read_text("utf-8"), read_file(file).data) for file in files)


def case(number: int) -> Case:
    """The case of a number."""
    rng = random.Random(number)
    name, text, data = rng.choice(shipped())
    data = deepcopy(data)
    kind = rng.random()
    if kind < 0.15:
        return Case(_garbled(rng, text), (), f"{name}: text")
    if kind < 0.35:
        return Case(text, tuple(_override(rng, data) for _ in range(rng.randint(1, 3))), name)
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        change = rng.choice(CHANGES)
        done.append(f"{change.__name__.strip('_')} {change(rng, data)}")
    return Case(dump(data), (), f"{name}: {'; '.join(done)}")


def every_word() -> Iterator[tuple[KeyPath, str, Any]]:
    """(path, word, value): every choice word, in every kind of place, with every odd value."""
    for path in places():
        model = model_at(path)
        for word in model.model_fields if model else ():
            for value in ODD:
                yield path, word, value


@cache
def places() -> tuple[KeyPath, ...]:
    """A path to each place in which a recipe takes a word of a choice."""
    found: list[KeyPath] = []
    pending: list[KeyPath] = [()]
    while pending:
        path = pending.pop()
        model = model_at(path)
        if model is None:
            # The stack of a stage has the places that the model's stack has.
            inside = path[-1] == "stack" and path != ("model", "stack")
            if type_at((*path, 0)) is not None and not inside and path[-1] != 0:
                pending.append((*path, 0))
            continue
        if issubclass(model, Choice):
            found.append(path)
        pending += [(*path, name) for name in reversed(model.model_fields)]
    return tuple(found)


REQUIRED = {
    "conv": {"filters": 4},
    "separable_conv": {"filters": 4},
    "fc": {"units": 4},
    "residual": {"stack": [{"conv": {"filters": 4}}]},
    "branches": {"stacks": [[], [{"conv": {"filters": 4}}]]},
    "group": {"stack": [{"conv": {"filters": 4}}]},
}


def with_word(path: KeyPath, word: str, value: Any) -> Any:
    """A small recipe with a word and its value at a place."""
    data: Any = {
        "name": "small",
        "data": {"source": "digits"},
        "model": {"stack": [{"conv": {"filters": 4}}]},
        "train": {"epochs": 2},
    }
    node = data
    for part, following in zip(path[:-1], path[1:], strict=True):
        if isinstance(part, int):
            node[:] = [{}]
        elif not isinstance(node.get(part), dict | list):
            node[part] = [] if isinstance(following, int) else deepcopy(REQUIRED.get(part, {}))
        node = node[part]
    if isinstance(path[-1], int):
        node[:] = [{word: value}]
    else:
        node[path[-1]] = {word: value}
    return data


class _Dumper(yaml.SafeDumper):
    """Writes what it is given, the same thing twice without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump(data: Any) -> str:
    """Data as YAML text."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=10_000)
    return text


def _paths(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _paths(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _paths(value, (*path, index))


def _get(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def _put(data: Any, path: KeyPath, value: Any) -> None:
    _get(data, path[:-1])[path[-1]] = value


def _some(rng: random.Random, data: Any) -> KeyPath:
    """A path that data has; places that a recipe seldom has are as likely as common ones."""
    paths = list(_paths(data))
    if not paths:
        data["name"] = "empty"
        return ("name",)
    top = rng.choice(sorted({path[0] for path in paths}, key=str))
    return rng.choice([path for path in paths if path[0] == top])


def _odd(rng: random.Random) -> Any:
    value = deepcopy(rng.choice(ODD if rng.random() < 0.8 else (None, "none", {}, [], "")))
    if rng.random() < 0.1:
        for _ in range(rng.choice((1, 3, 30, 60))):
            value = [value] if rng.random() < 0.5 else {rng.choice(("stack", "group", "a")): value}
    return value


def _set_odd(rng: random.Random, data: Any) -> str:
    path, value = _some(rng, data), _odd(rng)
    _put(data, path, value)
    return f"{dotted(path)} = {str(value)[:60]!r}"


def _delete(rng: random.Random, data: Any) -> str:
    path = _some(rng, data)
    del _get(data, path[:-1])[path[-1]]
    return dotted(path)


def _duplicate(rng: random.Random, data: Any) -> str:
    lists = [path for path in _paths(data) if isinstance(path[-1], int)]
    if not lists:
        return "nothing"
    path, count = rng.choice(lists), rng.choice((1, 1, 2, 50, 150))
    items = _get(data, path[:-1])
    items[path[-1] : path[-1]] = [deepcopy(items[path[-1]]) for _ in range(count)]
    return f"{dotted(path)} {count} times"


def _rename(rng: random.Random, data: Any) -> str:
    path = _some(rng, data)
    block = _get(data, path[:-1])
    if not isinstance(block, dict):
        return "nothing"
    key = str(path[-1])
    at = rng.randrange(len(key) + 1)
    names = (key[:at] + key[at + 1 :], key[:at] + "x" + key[at:], key.upper(), *TEXTS)
    block[rng.choice(names)] = block.pop(path[-1])
    return dotted(path)


def _swap(rng: random.Random, data: Any) -> str:
    one, two = _some(rng, data), _some(rng, data)
    if one[: len(two)] == two or two[: len(one)] == one:
        return "nothing"
    first, second = _get(data, one), _get(data, two)
    _put(data, one, second)
    _put(data, two, first)
    return f"{dotted(one)}, {dotted(two)}"


def _copy(rng: random.Random, data: Any) -> str:
    other = rng.choice(shipped())[2]
    source, path = _some(rng, deepcopy(other)), _some(rng, data)
    _put(data, path, deepcopy(_get(other, source)))
    return f"{dotted(source)} to {dotted(path)}"


def _retype(rng: random.Random, data: Any) -> str:
    path = _some(rng, data)
    value = _get(data, path)
    forms: list[Any] = [[value], {"values": value}, str(value), [value, value]]
    if isinstance(value, dict):
        forms += [list(value.items()), list(value), list(value.values())]
    if isinstance(value, int | float):
        forms += [float(value), -value, value * 10 ** rng.randint(1, 30), value / 1e30]
    value = rng.choice(forms)
    _put(data, path, value)
    return f"{dotted(path)} = {str(value)[:60]!r}"


def _choose(rng: random.Random, data: Any) -> str:
    """Another word of a choice, with an odd value."""
    choices = [
        path for path in _paths(data) if (model := model_at(path)) and issubclass(model, Choice)
    ]
    if not choices:
        return "nothing"
    path = rng.choice(choices)
    model: Any = model_at(path)
    word = rng.choice(list(model.model_fields))
    value = rng.choice((word, {word: _odd(rng)}, {word: {}}, {word: {word: _odd(rng)}}))
    _put(data, path, value)
    return f"{dotted(path)} = {str(value)[:60]!r}"


def _add(rng: random.Random, data: Any) -> str:
    """A key that a block can have, or an option that a word has, with an odd value."""
    blocks = [
        path for path in _paths(data) if model_at(path) and isinstance(_get(data, path), dict)
    ]
    if not blocks:
        return "nothing"
    path = rng.choice(blocks)
    model: Any = model_at(path)
    given = list(_get(data, path))
    if issubclass(model, Choice) and given:
        path = (*path, given[0])
        model = model_at(path)
        if not isinstance(_get(data, path), dict):
            _put(data, path, {})
    if model is None or not model.model_fields:
        return "nothing"
    key = rng.choice(list(model.model_fields))
    value = _odd(rng) if rng.random() < 0.6 else rng.choice(NUMBERS)
    _get(data, path)[key] = value
    return f"{dotted((*path, key))} = {str(value)[:60]!r}"


def _nest(rng: random.Random, data: Any) -> str:
    """The stack in groups that repeat, or in blocks, in one another."""
    try:
        stack = data["model"]["stack"]
    except (KeyError, TypeError, IndexError):
        return "nothing"
    if not isinstance(stack, list):
        return "nothing"
    depth, repeat = rng.choice((1, 2, 3, 5, 12, 30)), rng.choice((1, 2, 10, 1000))
    for _ in range(depth):
        stack = rng.choice(
            ([{"group": {"repeat": repeat, "stack": stack}}], [{"residual": {"stack": stack}}])
        )
    data["model"]["stack"] = stack
    return f"{depth} deep, {repeat} times"


def _block(rng: random.Random, data: Any) -> str:
    """Part of the stack as a block that it uses, with parameters in the place of some values."""
    try:
        stack = data["model"]["stack"]
        if not isinstance(stack, list) or not stack:
            return "nothing"
        blocks = data["model"].setdefault("blocks", {})
        start = rng.randrange(len(stack))
        end = rng.randint(start + 1, len(stack))
        body = deepcopy(stack[start:end])
        defaults, given = {}, {}
        for name in ("n", "filters")[: rng.randint(0, 2)]:
            path = rng.choice([path for path in _paths(body) if len(path) > 1] or [(0,)])
            value = _get(body, path)
            _put(body, path, rng.choice((f"${name}", f"${name}", f"${name} * 1", *SIGNED)))
            (given if rng.random() < 0.5 else defaults)[name] = value
            defaults.setdefault(name, rng.choice((None, value, _odd(rng))))
        if rng.random() < 0.5:
            given["repeat"] = rng.choice((1, 2, 1000, *NUMBERS))
        word = rng.choice((f"b{len(blocks)}", "b0", "b1", "conv", *TEXTS))
        blocks[word] = {"parameters": defaults, "stack": body}
        stack[start:end] = [rng.choice(({word: given}, {word: given}, word, {word: _odd(rng)}))]
    except (KeyError, TypeError, AttributeError, IndexError):
        return "nothing"
    return f"stages {start} to {end} as block {word[:20]}"


def _search(rng: random.Random, data: Any) -> str:
    """A search over a key that the recipe has or could have, with odd values or an odd range."""
    path = dotted(_some(rng, data))
    entry: Any = rng.choice(
        (
            {"min_value": rng.choice(NUMBERS), "max_value": rng.choice(NUMBERS)},
            {"min_value": 1e-3, "max_value": 1, "sampling": "log", "step": rng.choice(NUMBERS)},
            {"values": [_odd(rng) for _ in range(rng.randint(0, 3))]},
            {"values": [1, 2], "when": {path: _odd(rng)}},
            {"values": [{rng.choice(TEXTS): _odd(rng)}, "none", None]},
            _odd(rng),
        )
    )
    stages = [{"name": "coarse", "trials": 4, "epochs": 1}]
    data["tune"] = {"space": {path: entry}, "stages": stages}
    return f"{path}: {str(entry)[:60]}"


def _preset(rng: random.Random, data: Any) -> str:
    """A preset of data, or an odd one, alone or beside the recipe's own keys."""
    name = rng.choice(list(PRESETS)) if rng.random() < 0.7 else _odd(rng)
    block = data.get("data")
    own = dict(block) if isinstance(block, dict) and rng.random() < 0.7 else {}
    for key in list(own):
        if rng.random() < 0.5:
            del own[key]
    data["data"] = {"preset": name, **own} if own or rng.random() < 0.3 else name
    return str(data["data"])[:60]


def _vary(rng: random.Random, data: Any) -> str:
    """A variant: parts of the recipe over another one, with values set by path."""
    name, _, base = rng.choice(shipped())
    for path in list(_paths(data)):
        if not isinstance(path[-1], int) and path != ("name",) and rng.random() < 0.3:
            with suppress(KeyError, TypeError, IndexError):
                del _get(data, path[:-1])[path[-1]]
    files = (name, str(RECIPES / f"{name}.yaml"))
    data["extends"] = rng.choice(files) if rng.random() < 0.9 else _odd(rng)
    for _ in range(rng.choice((0, 0, 1, 3))):
        path = _some(rng, deepcopy(base))
        value = _odd(rng) if rng.random() < 0.5 else deepcopy(_get(base, path))
        given = data.get("set")
        data["set"] = {**(given if isinstance(given, dict) else {}), dotted(path): value}
    if rng.random() < 0.1:
        data["set"] = _odd(rng)
    return f"of {data['extends']!r}"[:60]


CHANGES = (
    _set_odd, _set_odd, _delete, _duplicate, _rename, _swap, _copy, _retype, _choose, _choose,
    _add, _add, _add, _nest, _block, _search, _preset, _vary,
)  # fmt: skip


def _override(rng: random.Random, data: Any) -> str:
    """A `PATH=VALUE`, most of them with a path that the recipe or the schema has."""
    path = _some(rng, data)
    if rng.random() < 0.4:
        model = model_at(path[: rng.randint(0, len(path))])
        if model is not None and model.model_fields:
            path = (*path[:-1], rng.choice(list(model.model_fields)))
    target = dotted(path)
    if rng.random() < 0.15:
        at = rng.randrange(len(target) + 1)
        target = target[:at] + rng.choice(
            (*SIGNS, "[0]", "[9]", "[" + "9" * 5_000 + "]", ".", "..", "[-1]")
        )
    value = _odd(rng)
    text = rng.choice((str(value), dump(value).strip(), rng.choice(SIGNS), rng.choice(TEXTS)))
    return f"{target}={text}" if rng.random() < 0.97 else target


def _garbled(rng: random.Random, text: str) -> str:
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        end = min(end, at + rng.choice((1, 3, 20, 200)))
        text = rng.choice(
            (
                text[:at] + text[end:],
                text[:at] + rng.choice(SIGNS) + text[at:],
                text[:at] + rng.choice(SIGNS) + text[end:],
                text[:end] + text[at:],
                text[:at],
                text.replace(text[at : at + 1] or "\n", rng.choice(SIGNS), 3),
            )
        )
    return text
