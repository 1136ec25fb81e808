"""C11: gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zoo.checks.judge.gradients import Gradients, KernelGradient, judge_gradients


def kernel(**changes: object) -> KernelGradient:
    return replace(KernelGradient(path="fc1/kernel", gradient=1e-3, weight=0.1), **changes)


OTHER = KernelGradient(path="logits/kernel", gradient=1e-3, weight=0.1)


GRADIENTS = [
    ([kernel()], {}, "PASS", "all 2 kernels"),
    ([kernel(finite=False)], {}, "FAIL", "nan or infinite"),
    ([kernel(gradient=0.0, zero=True)], {}, "FAIL", "fc1/kernel gets no gradient"),
    ([kernel()], {"frozen": ["fc1/kernel"]}, "FAIL", "fc1/kernel gets no gradient"),
    ([kernel(gradient=0.9)], {}, "PASS", "kernels get"),
    ([kernel(gradient=1.1)], {}, "WARN", "larger in fc1/kernel than in logits/kernel"),
    ([kernel(gradient=1.1, given=True)], {}, "PASS", "kernels get"),
    ([kernel(gradient=0.0, zero=True, given=True)], {}, "FAIL", "gets no gradient"),
    ([kernel(weight=0.0)], {}, "PASS", "kernels get"),
    ([kernel()], {"bias_redundant": ["fc1/bias"]}, "INFO", "use_bias: false"),
    ([kernel()], {"leak": 9e-6}, "PASS", "kernels get"),
    ([kernel()], {"leak": 1e-4}, "WARN", "mixes images"),
    ([kernel()], {"leak": 0.1}, "FAIL", "mixes images"),
]  # fmt: skip


@pytest.mark.parametrize("layers, more, verdict, words", GRADIENTS)
def test_gradients(
    layers: list[KernelGradient], more: dict[str, object], verdict: str, words: str
) -> None:
    for order in ([*layers, OTHER], [OTHER, *layers]):
        finding = judge_gradients(Gradients(layers=order, **more))
        assert (finding.verdict, words in finding.advice) == (verdict, True), finding
