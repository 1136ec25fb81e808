"""Slurm's lists of nodes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.backend.node_list import first_node, nodes

PREFIXES = st.from_regex(r"[a-z]([a-z.-]?[a-z])?", fullmatch=True)


@pytest.mark.parametrize(
    "text, names",
    [
        ("tux1", ["tux1"]),
        ("tux1,host2", ["tux1", "host2"]),
        ("tux[01-03,07]", ["tux01", "tux02", "tux03", "tux07"]),
        ("tux[001,007-008],gpu-5", ["tux001", "tux007", "tux008", "gpu-5"]),
        ("a,tux[9-11]", ["a", "tux9", "tux10", "tux11"]),
        ("tux[1-2]-ib,x", ["tux1-ib", "tux2-ib", "x"]),
        ("rack[1-2]node[01-02]", ["rack1node01", "rack1node02", "rack2node01", "rack2node02"]),
        ("10.0.0.[1-2]", ["10.0.0.1", "10.0.0.2"]),
    ],
)
def test_lists_of_slurm_documentation(text: str, names: list[str]) -> None:
    assert list(nodes(text)) == names
    assert first_node(text) == names[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "a,,b",
        "tux[",
        "tux]",
        "tux[]",
        "tux[1-]",
        "tux[3-1]",
        "tux[a]",
        "tux[[1]]",
        "a b",
        "-a",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not |ends before"):
        list(nodes(text))


def test_first_of_very_many() -> None:
    assert first_node("tux[1-999999999999]") == "tux1"
    assert first_node("tux[x-y]") is None


@st.composite
def written(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A list as Slurm writes it, and its nodes."""
    texts: list[str] = []
    names: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        prefix = draw(PREFIXES)
        ranges = draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), max_size=3))
        width = draw(st.integers(1, 4))
        if not ranges:
            texts.append(prefix)
            names.append(prefix)
            continue
        numbers = [range(start, start + more + 1) for start, more in ranges]
        group = ",".join(
            f"{r[0]:0{width}d}-{r[-1]:0{width}d}" if len(r) > 1 else f"{r[0]:0{width}d}"
            for r in numbers
        )
        texts.append(f"{prefix}[{group}]")
        names += [f"{prefix}{n:0{width}d}" for n in itertools.chain.from_iterable(numbers)]
    return ",".join(texts), names


@given(written())
def test_reads_what_slurm_writes(case: tuple[str, list[str]]) -> None:
    text, names = case
    assert list(nodes(text)) == names


@given(st.text("tux[]01-9,. ", max_size=20))
def test_any_text_is_a_list_of_names_or_refused(text: str) -> None:
    first = first_node(text)
    assert first is None or (first in text or "[" in text)
