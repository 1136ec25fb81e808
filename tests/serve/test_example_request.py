"""The command to try."""

from __future__ import annotations

import pytest

from zoo.serve.example_request import example_command
from zoo.serve.signature import PREDICT, Signature, TensorInfo


@pytest.mark.parametrize(
    "inputs, expected",
    [
        ({"image_bytes": TensorInfo("string", (-1,))},
         "(printf '{\"instances\": [{\"b64\": \"'; base64 -w0 IMAGE.png; printf '\"}]}') "
         "| curl -d @- U:predict; echo"),
        ({"FILE%": TensorInfo("string", (-1,)), "b": TensorInfo("string", (-1, 1))},
         "(printf '{\"instances\": [{\"FILE%%\": {\"b64\": \"'; base64 -w0 IMAGE.png; "
         "printf '\"}, \"b\": [{\"b64\": \"'; base64 -w0 IMAGE.png; printf '\"}]}]}') "
         "| curl -d @- U:predict; echo"),
        ({"x": TensorInfo("float", (-1, 2))},
         "curl -d '{\"instances\": [[0, 0]]}' U:predict; echo"),
        ({"a": TensorInfo("bool", (-1,)), "b": TensorInfo("int32", (-1, -1))},
         "curl -d '{\"instances\": [{\"a\": false, \"b\": [0]}]}' U:predict; echo"),
        ({"images": TensorInfo("uint8", (-1, 32, 32, 3))}, "curl U/metadata; echo"),
        ({"x": TensorInfo("float", None)}, "curl U/metadata; echo"),
    ],
)  # fmt: skip
def test_the_command_to_try(inputs: dict[str, TensorInfo], expected: str) -> None:
    signature = Signature("serving_default", PREDICT, inputs, {"y": TensorInfo("float", (-1,))})
    assert example_command("U", signature) == expected
