"""Both forms of labels, in one form's words."""

from __future__ import annotations

import numpy as np

from zoo import labels

SINGLE = np.array([2, 0, 2], np.int32)
MULTI = np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1], [0, 0, 1]], np.uint8)


def test_counts_of_classes() -> None:
    assert labels.class_counts(SINGLE, 4).tolist() == [1, 0, 2, 0]
    assert labels.class_counts(MULTI, 3).tolist() == [2, 0, 3]
    assert labels.is_multi_label(MULTI)
    assert not labels.is_multi_label(SINGLE)


def test_many_images_are_counted_in_wide_numbers() -> None:
    assert labels.class_counts(np.ones((300, 2), np.uint8), 2).tolist() == [300, 300]


def test_sets_say_which_images_have_the_same_labels() -> None:
    numbers, sets = labels.label_sets(MULTI, 3)
    np.testing.assert_array_equal(sets[numbers], MULTI)
    assert len(sets) == 3
    assert numbers[0] == numbers[2] != numbers[1]
    numbers, sets = labels.label_sets(SINGLE, 3)
    np.testing.assert_array_equal(numbers, SINGLE)
    np.testing.assert_array_equal(sets[numbers], labels.as_matrix(SINGLE, 3))


def test_a_matrix_of_either_form() -> None:
    assert labels.as_matrix(SINGLE, 3).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_array_equal(labels.as_matrix(MULTI, 3), MULTI)
