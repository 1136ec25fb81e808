"""Messages stay readable, whatever they quote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import MAX_PROBLEMS, Problem, RecipeError, ZooError
from zoo.text.shortened import (
    MAX_LINE,
    MAX_LINES,
    MAX_WORD,
    in_one_line,
    process_ending,
    shortened,
    start_of,
)


def test_a_long_word_keeps_its_ends() -> None:
    text = shortened("no such file: /a" + "b" * 10_000 + ".jpg, in line 3")
    assert text.startswith("no such file: /abbb")
    assert "[... 9,807 characters ...]" in text
    assert text.endswith("b.jpg, in line 3")


@given(st.text(), st.integers(1, 3000), st.sampled_from(["", " ", "\n", "é"]))
def test_bounds(text: str, times: int, between: str) -> None:
    long = "x" * MAX_WORD + (text + between) * times
    for line in (cut := shortened(long)).split("\n"):
        assert len(line) <= MAX_LINE + 40
    assert cut.count("\n") <= MAX_LINES


@given(st.text(max_size=MAX_WORD))
def test_what_is_short_stays(text: str) -> None:
    assert shortened(text) == text


def test_errors_are_cut() -> None:
    long = "x" * 100_000
    problem = Problem(message=f"unknown word {long}", file="a.yaml", line=1, path=f"model.{long}")
    for error in (RecipeError([problem] * 3), ZooError(long), ZooError("so:", [problem])):
        assert len(str(error)) < 2_000
        assert len(str(error.as_json())) < 4_000


def test_many_problems_are_counted() -> None:
    problems = [Problem(message=f"problem {n}") for n in range(MAX_PROBLEMS + 30)]
    assert str(RecipeError(problems)).splitlines()[-2:] == ["problem 49", "and 30 more problems"]
    assert len(RecipeError(problems[: MAX_PROBLEMS + 1]).problems) == MAX_PROBLEMS + 1


def test_how_a_process_ended() -> None:
    trace = 'Traceback (most recent call last):\n  File "x", line 1\nValueError: no shape\n\n'
    assert process_ending(1, trace) == "ValueError: no shape"
    assert process_ending(3, " \n") == "its process ended with exit code 3"
    assert process_ending(-9, trace) == "its process was ended by SIGKILL"


def test_errors_of_other_libraries() -> None:
    assert in_one_line(ValueError("no\n\n  shape")) == "no shape"
    assert len(in_one_line("x " * 10_000)) < MAX_WORD + 40


def test_start_of_a_text_of_many_lines() -> None:
    text = "a: 1\n" * 1_000
    assert start_of(text, 200) == f"{text[:200]} [... 4,800 more characters]"
    assert start_of(text, 5_000) == text
