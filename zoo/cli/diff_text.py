"""The text of `zoo diff`: lines of at most 80 characters, but for single words longer than that."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zoo.text.counted import amount, counted
from zoo.text.printable import one_line

if TYPE_CHECKING:
    from zoo.comparison import Comparison
    from zoo.comparison.differences import Difference
    from zoo.comparison.facts import Curves, Fact

WIDTH = 80
MARKS = {True: "- ", False: "+ "}  # Only the first has it; only the second.
UNITS = {"flops": "", "activation_bytes": "B"}
KEPT = "\0:"  # Stands for ": ", after which no line ends; no value holds it.
MOST_LISTED = 12  # Items of a list, such as of class names.


def lines(comparison: Comparison) -> Iterator[str]:
    """The comparison in lines for people."""
    yield f"A  {one_line(comparison.a.given)}"
    yield f"B  {one_line(comparison.b.given)}"
    yield ""
    if comparison.recipe:
        yield "recipe"
        yield from _recipe(comparison.recipe)
    else:
        yield "recipe    the same, with every default written out"
    network = [fact for fact in comparison.network if fact.a != fact.b]
    if network or comparison.recipe:
        yield ""
    if network:
        yield from _section(network)
    elif comparison.network:
        counts = {fact.key: fact.a for fact in comparison.network}
        layers, weights = (counted(counts[key], key[:-1]) for key in ("layers", "parameters"))
        yield f"network   the same: {layers}, {weights}"
    for section in dict.fromkeys(fact.section for fact in comparison.run or ()):
        yield ""
        yield from _section([fact for fact in comparison.run or () if fact.section == section])
    if comparison.curves is not None:
        yield from ("", f"epochs    {_agreement(comparison.curves)}")


def _recipe(differences: Sequence[Difference]) -> Iterator[str]:
    index = 0
    while index < len(differences):
        each = differences[index]
        count = _repeats(differences[index:])
        index += count
        if each.a_path is not None and each.b_path is not None:
            yield from _change(_label(each), _value(each.a), _value(each.b))
            continue
        is_first = each.a_path is not None
        path, value = (each.a_path or each.b_path or ()), each.a if is_first else each.b
        text = f"{_dotted(path)}: {_value(value)}"
        if count > 1:
            last = int(path[-1]) + count - 1
            text = f"{_dotted(path)[:-1]} to {last}]: {count} times {_value(value)}"
        yield from _wrapped(MARKS[is_first], text)


def _repeats(differences: Sequence[Difference]) -> int:
    """How many items of a list in a row, from the first on, are equal and only on one side."""
    first = differences[0]
    if (first.a_path is None) == (first.b_path is None):
        return 1
    path = first.a_path or first.b_path or ()
    if not isinstance(path[-1], int):
        return 1
    for count, each in enumerate(differences):
        following = (*path[:-1], path[-1] + count)
        is_alike = (each.a, each.b) == (first.a, first.b)
        paths = (each.a_path, each.b_path)
        if not is_alike or paths not in ((following, None), (None, following)):
            return count
    return len(differences)


def _label(difference: Difference) -> str:
    """The path in the first recipe, with the places in the second where they are others."""
    own, other = difference.a_path or (), difference.b_path or ()
    if own == other:
        return _dotted(own)
    places = "".join(f"[{part}]" for part in other if isinstance(part, int))
    return f"{_dotted(own)} (B: {places})"


def _section(facts: Sequence[Fact]) -> Iterator[str]:
    yield facts[0].section
    width = max(len(fact.key) for fact in facts) + 1
    for fact in facts:
        a, b = _number(fact.key, fact.a), _number(fact.key, fact.b)
        yield from _change(fact.key, a, b, _growth(fact), width)


def _change(label: str, a: str, b: str, growth: str = "", width: int = 0) -> Iterator[str]:
    """A value of both sides in a line, or in a line each if they are long."""
    line = f"  {f'{label}:':{width}} {a} -> {b}{growth}"
    if len(line) <= WIDTH and "\n" not in line:
        yield line
        return
    yield f"  {label}:"
    for is_first, text in ((True, a), (False, b)):
        yield from (f"  {part}" for part in _wrapped(MARKS[is_first], text, WIDTH - 2))


def _wrapped(mark: str, text: str, width: int = WIDTH) -> list[str]:
    wrapped = textwrap.wrap(
        text.replace(": ", KEPT),
        width,
        initial_indent=mark,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(KEPT, ": ") for line in wrapped]


def _value(value: Any) -> str:
    from zoo.recipe.writing import flow

    return flow(value)


def _dotted(path: Any) -> str:
    from zoo.recipe.yaml_reader import dotted

    return dotted(path)


def _number(key: str, value: Any) -> str:
    """A fact as people read it."""
    if value is None:
        return "none"
    if isinstance(value, list):
        more = len(value) - MOST_LISTED
        shown = ", ".join(map(str, value[:MOST_LISTED])) or "none"
        return f"{shown} and {more} more" if more > 0 else shown
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if key in UNITS:
        return amount(value, UNITS[key])
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _growth(fact: Fact) -> str:
    """How much more the second side has: ` (+0.0111)`, ` (x 3.14)` of counts."""
    a, b = fact.a, fact.b
    if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in (a, b)):
        return ""
    if fact.section == "network" or fact.is_time:
        if not a:
            return ""
        if 0.5 < b / a < 2:
            share = f"{b / a - 1:+.1%}".replace("%", " %")
            # Of sizes that differ by less than what is shown.
            return f" ({b - a:+,})" if share.strip("+-") == "0.0 %" else f" ({share})"
        return f" (x {b / a:.3g})"
    return f" ({b - a:+.4g})"


def _agreement(curves: Curves) -> str:
    """How far the rows of metrics.jsonl agree."""
    first, second = curves.epochs
    if curves.are_equal:
        return f"all {first} have equal metrics, to the bit" if first else "none"
    of = f"{first}" if first == second else f"{first} and {second}"
    if not curves.equal_until:
        return f"metrics differ from the first on, of {of}"
    return f"metrics are equal, to the bit, in the first {curves.equal_until} of {of}"
