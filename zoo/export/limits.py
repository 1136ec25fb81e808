"""How far the answers of an export may be from those of its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-4  # Of probabilities.
# Of exports in float32 of networks trained in 16 bits, whose significands have 11 and 8 bits.
FLOAT32_TOLERANCE = {"mixed_float16": 2e-2, "mixed_bfloat16": 1e-1}
FLOAT16_TOLERANCE = 2e-2  # Of weights in float16: as of training in it.

# Of int8. It may move a single image's probabilities by a half, where two classes are close; so no
# limit on the largest difference tells a good export from a bad one, and all images together do.
INT8_MEAN_DIFF = 0.1
INT8_DISAGREEMENT = 0.1
INT8_WARNING = 0.02
FEW_IMAGES = 2  # As many may always disagree: of few images, each is a large fraction.


@dataclass(frozen=True)
class Limits:
    """What an export may differ by.

    Attributes:
        tolerance: of the largest difference of a probability, between export and run, and between
            two answers of the export to the same images.
        mean_diff: of the mean, over images, of an image's largest difference.
        disagreement: of the fraction of images with another most probable class; for images with
            any number of classes, of answers that differ from 0.5 on.
        warning: such a fraction above which the export passes with a warning.
    """

    tolerance: float
    mean_diff: float = 1.0
    disagreement: float = 1.0
    warning: float = 1.0

    def exceeded(self, parity: dict[str, Any]) -> list[str]:
        """Describes what exceeds a limit.

        Args:
            parity: max_abs_diff, max_repeat_diff, mean_diff, top1_agreement, images: see
                `zoo.export.parity.compare`.
        """
        clauses = []
        if not max(parity["max_abs_diff"], parity["max_repeat_diff"]) <= self.tolerance:
            clauses.append(
                f"probabilities differ by {parity['max_abs_diff']:.3g}, two calls by "
                f"{parity['max_repeat_diff']:.3g}. Expected at most {self.tolerance:g}"
            )
        if not parity["mean_diff"] <= self.mean_diff:
            clauses.append(
                f"probabilities differ by {parity['mean_diff']:.3g} on average. Expected at most "
                f"{self.mean_diff:g}"
            )
        if _disagrees(parity, self.disagreement):
            clauses.append(f"{disagreement(parity)}. Expected at most {self.disagreement:.0%}")
        return clauses

    def doubtful(self, parity: dict[str, Any]) -> bool:
        """Whether the export passes with a warning."""
        return _disagrees(parity, self.warning)


def agreement(parity: dict[str, Any]) -> str:
    """Says how often an export and its run give the same answer.

    Args:
        parity: see `zoo.export.parity.compare`.
    """
    if "label_agreement" in parity:
        return f"the same yes or no for {parity['label_agreement']:.2%}"
    return f"the same class for {parity['top1_agreement']:.2%}"


def disagreement(parity: dict[str, Any]) -> str:
    """Says how often an export and its run answer differently.

    Args:
        parity: see `zoo.export.parity.compare`.
    """
    if "label_agreement" in parity:
        share = 1 - parity["label_agreement"]
        return f"{share:.2%} of the answers of yes or no differ on {parity['images']} images"
    share = 1 - parity["top1_agreement"]
    return f"another class comes first for {share:.2%} of {parity['images']} images"


def _disagrees(parity: dict[str, Any], fraction: float) -> bool:
    images = parity["images"]
    agreement = parity.get("label_agreement", parity["top1_agreement"])
    others = round((1 - agreement) * images)
    return bool(others > max(FEW_IMAGES, fraction * images))


def limits(full_precision: bool, dtype_policy: str, quantize: str | None = None) -> Limits:
    """Returns the limits of an export.

    Args:
        full_precision: whether the format computes in float32 what was trained in 16 bits.
        dtype_policy: of the training.
        quantize: of the export.
    """
    if quantize == "int8":
        return Limits(1.0, INT8_MEAN_DIFF, INT8_DISAGREEMENT, INT8_WARNING)
    tolerance = FLOAT32_TOLERANCE.get(dtype_policy, TOLERANCE) if full_precision else TOLERANCE
    return Limits(max(tolerance, FLOAT16_TOLERANCE if quantize == "float16" else 0))
