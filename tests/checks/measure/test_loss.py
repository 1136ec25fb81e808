"""The loss at the start, measured."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest

from tests import collages
from tests.checks.planted_faults import healthy_subject
from zoo.checks.judge.loss import judge_loss_wiring
from zoo.checks.measure import loss
from zoo.entropy import constant_loss


@pytest.mark.parametrize("word", ["softmax", "focal", "svm", "sigmoid", "{sigmoid: {gamma: 2}}"])
def test_every_loss_is_the_loss(tmp_path: Path, word: str) -> None:
    """The column of the true label holds what the compiled loss gives."""
    subject = healthy_subject(tmp_path, f"train.loss={word}")
    numbers = loss.loss_wiring(subject)
    assert numbers.compiled == pytest.approx(numbers.own, rel=1e-5)
    assert abs(numbers.own - numbers.expected) < 4 * numbers.sd + 1e-6


@pytest.mark.parametrize("stddev", [0.1, 0.3])
def test_loss_of_random_logits(tmp_path: Path, stddev: float) -> None:
    """ln C + s^2 / 2 (1 - 1 / C), for logits that are normal with standard deviation s."""
    subject = healthy_subject(tmp_path, f"model.head.kernel_initializer={{gaussian: {stddev / 4}}}")
    numbers = loss.head_confidence(subject)
    s = numbers.logit_std
    assert 0.1 < s < 2
    assert numbers.loss == pytest.approx(log(10) + s * s / 2 * 0.9, rel=0.12)


def test_the_gain_of_a_head(tmp_path: Path) -> None:
    subject = healthy_subject(
        tmp_path, "model.head.kernel_initializer={gaussian: 0.1}", "model.head.scale=3"
    )
    gain = loss.head_confidence(subject).head_gain
    kernel = np.asarray(subject.start.get_layer("logits").kernel)
    assert gain == pytest.approx(3 * 0.1 * kernel.shape[0] ** 0.5, rel=0.3)


def test_decay_by_path_is_no_fault(tmp_path: Path) -> None:
    """Shifts that the recipe decays, and kernels with a rate of their own, are left out."""
    subject = healthy_subject(
        tmp_path,
        "train.optimizer={TorchSGD: {learning_rate: 0.1, weight_decay: 0.01}}",
        "train.learning_rate_factors=[{pattern: gamma, weight_decay: 0.5}, "
        "{pattern: ^logits/kernel, factor: 8}]",
    )
    numbers = loss.regularisation(subject)
    assert numbers.wrongly_decayed == []
    assert numbers.shrink_measured == pytest.approx(1 - 0.1 * 0.01, rel=1e-5)
    assert numbers.shrink_measured == pytest.approx(numbers.shrink_expected, rel=1e-5)


@pytest.mark.parametrize("word", ["sigmoid", "{sigmoid: {gamma: 2}}"])
def test_images_with_any_number_of_classes(tmp_path: Path, word: str) -> None:
    """The loss is that of the labels of each class; equal scores give ln 2, or its focal part."""
    with collages.as_digits():
        subject = healthy_subject(tmp_path, "data.image_size=[8, 16]", f"train.loss={word}")
    numbers = loss.loss_wiring(subject)
    assert numbers.compiled == pytest.approx(numbers.own, rel=1e-5)
    assert abs(numbers.own - numbers.expected) < 4 * numbers.sd + 1e-6
    assert judge_loss_wiring(numbers).verdict.value == "PASS"
    confidence = loss.head_confidence(subject)
    assert confidence.at_zero == pytest.approx(log(2) * (1 if word == "sigmoid" else 0.25))
    assert confidence.loss == pytest.approx(confidence.at_zero, rel=0.1)


def test_priors_of_classes_start_at_the_entropy_of_yes_and_no(tmp_path: Path) -> None:
    head = "model.head={bias_initializer: class_priors, kernel_initializer: zeros}"
    with collages.as_digits():
        subject = healthy_subject(tmp_path, "data.image_size=[8, 16]", "train.loss=sigmoid", head)
    shares = subject.data.train.labels.mean(axis=0)
    bias = np.asarray(subject.start.get_layer("logits").bias)
    np.testing.assert_allclose(1 / (1 + np.exp(-bias)), shares, rtol=1e-4)
    confidence = loss.head_confidence(subject)
    assert confidence.loss == pytest.approx(confidence.at_zero, rel=1e-5)
    expected = constant_loss(subject.recipe.train.loss, subject.data.train.labels, None, 10)
    assert confidence.loss == pytest.approx(expected, rel=0.05)  # Of other images.
