"""What `--format`, `--quantize` and `--opset` ask for."""

from __future__ import annotations

import pytest

from zoo.artifact.variant import Variant, variants
from zoo.errors import UsageError


@pytest.mark.parametrize(
    "formats, quantize, opset, expected",
    [
        ([], [], None, [Variant("saved_model")]),
        (["onnx", "litert,onnx"], [], None, [Variant("onnx"), Variant("litert")]),
        (["litert"], ["int8"], None, [Variant("litert", "int8")]),
        (
            ["litert, keras"],
            ["int8,float16", "int8"],
            None,
            [Variant("litert", "int8"), Variant("litert", "float16"), Variant("keras")],
        ),
        (
            ["onnx,litert"],
            ["int8"],
            13,
            [Variant("onnx", opset=13), Variant("litert", "int8")],
        ),
    ],
)
def test_variants(
    formats: list[str], quantize: list[str], opset: int | None, expected: list[Variant]
) -> None:
    assert variants(formats, quantize, opset) == expected


@pytest.mark.parametrize(
    "formats, quantize, opset, message",
    [
        (["savedmodel"], [], None, "--format savedmodel: unknown. Expected one of: saved_model,"),
        (["litert"], ["int4"], None, "--quantize int4: unknown. Expected one of: float16, int8."),
        (
            [],
            ["int8"],
            None,
            "--quantize int8: an option of --format litert. Received --format s",
        ),
        (
            ["keras"],
            ["int8,float16"],
            None,
            "--quantize int8,float16: an option of --format lit",
        ),
        (
            ["litert"],
            [],
            13,
            "Received --format litert: add --format onnx.",
        ),
    ],
)
def test_refused(formats: list[str], quantize: list[str], opset: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        variants(formats, quantize, opset)


@pytest.mark.parametrize(
    "options, message",
    [
        (("saved",), "--format saved: unknown"),
        (("onnx", "float16"), "--quantize float16: an option of --format litert"),
        (("litert", "float8"), "--quantize float8: unknown"),
        (("keras", None, 17), "--opset 17: an option of --format onnx"),
    ],
)
def test_a_variant_is_checked(options: tuple[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Variant(*options)


def test_name() -> None:
    names = [Variant("litert", "int8").name, Variant("litert").name, Variant("onnx", opset=9).name]
    assert names == ["litert-int8", "litert", "onnx"]
