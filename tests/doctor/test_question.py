"""The question on its way to the process that imports the backend."""

from __future__ import annotations

import pytest

from zoo.backend.launch import Launch
from zoo.doctor.question import Question


@pytest.mark.parametrize(
    "question",
    [
        Question(),
        Question(quick=True, devices=2),
        Question(devices="all"),
        Question(launch=Launch("[::1]:80", 3, 2, 0, 1, "open mpi")),
    ],
)
def test_it_arrives_as_it_was(question: Question) -> None:
    assert Question.from_text(question.as_text()) == question
