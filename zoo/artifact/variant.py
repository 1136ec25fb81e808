"""Which export to write: a format with its options. Light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.artifact.layout import MODEL_FILES
from zoo.errors import UsageError

QUANTIZED_FORMAT, OPSET_FORMAT = "litert", "onnx"
QUANTIZATIONS = {
    "float16": "weights in 16 bits",
    "int8": "weights, activations, input and output in 8 bits",
}


@dataclass(frozen=True)
class Variant:
    """A format with its options.

    Attributes:
        format: a key of `MODEL_FILES`.
        quantize: None, or a key of `QUANTIZATIONS`; of `litert` alone.
        opset: version of ONNX's operators, None for zoo's default; of `onnx` alone.

    Raises:
        UsageError: an unknown format or option, or an option of another format.
    """

    format: str
    quantize: str | None = None
    opset: int | None = None

    def __post_init__(self) -> None:
        if self.format not in MODEL_FILES:
            raise _unknown("format", [self.format], MODEL_FILES)
        if self.quantize is not None:
            if self.quantize not in QUANTIZATIONS:
                raise _unknown("quantize", [self.quantize], QUANTIZATIONS)
            if self.format != QUANTIZED_FORMAT:
                raise _of_another_format("quantize", self.quantize, QUANTIZED_FORMAT, self.format)
        if self.opset is not None and self.format != OPSET_FORMAT:
            raise _of_another_format("opset", self.opset, OPSET_FORMAT, self.format)

    @property
    def name(self) -> str:
        """Name for people and of its folder, such as `litert-int8`."""
        return f"{self.format}-{self.quantize}" if self.quantize else self.format


def variants(
    formats: Sequence[str], quantize: Sequence[str] = (), opset: int | None = None
) -> list[Variant]:
    """Returns what flags ask for: a variant for each format, of `litert` for each quantization.

    Args:
        formats: values of `--format`, each a format or several with commas between them.
        quantize: likewise of `--quantize`.
        opset: value of `--opset`.

    Raises:
        UsageError: an unknown word, or an option of a format that is not asked for.
    """
    chosen = _words("format", formats, MODEL_FILES) or ["saved_model"]
    quantizations = _words("quantize", quantize, QUANTIZATIONS)
    if quantizations and QUANTIZED_FORMAT not in chosen:
        raise _of_another_format(
            "quantize", ",".join(quantizations), QUANTIZED_FORMAT, ",".join(chosen)
        )
    if opset is not None and OPSET_FORMAT not in chosen:
        raise _of_another_format("opset", opset, OPSET_FORMAT, ",".join(chosen))
    result = []
    for format in chosen:
        kinds = quantizations if format == QUANTIZED_FORMAT and quantizations else [None]
        result += [
            Variant(format, kind, opset if format == OPSET_FORMAT else None) for kind in kinds
        ]
    return result


def _words(flag: str, values: Sequence[str], known: Sequence[str] | dict[str, str]) -> list[str]:
    """The words of `--FLAG a --FLAG b,c`, each once."""
    words = [word.strip() for value in values for word in value.split(",")]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise _unknown(flag, unknown, known)
    return list(dict.fromkeys(words))


def _unknown(flag: str, words: Sequence[str], known: Sequence[str] | dict[str, str]) -> UsageError:
    return UsageError(f"--{flag} {', '.join(words)}: unknown. Expected one of: {', '.join(known)}.")


def _of_another_format(flag: str, value: object, format: str, received: str) -> UsageError:
    return UsageError(
        f"--{flag} {value}: an option of --format {format}. Received --format {received}: add "
        f"--format {format}."
    )
