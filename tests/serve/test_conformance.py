"""The REST API, written from TensorFlow Serving's documentation of it (api_rest.md).

What the documentation prints is replayed as it stands; what it leaves to the server (texts of
errors, their codes) is what its sources say.
"""

from __future__ import annotations

import base64
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import Client, served

HALF = "/v1/models/half_plus_three"
SEVERAL = "/v1/models/several"
PREDICT = f"{HALF}:predict"


# The documentation's own examples.


def test_status(half: Client) -> None:
    answer = half.get(HALF)
    assert answer.code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "model_version_status": [
            {
                "version": "123",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert half.get(f"{HALF}/versions/123").json == answer.json


def test_predict(half: Client) -> None:
    answer = half.post(PREDICT, '{"instances": [1.0,2.0,5.0]}')
    assert (answer.code, answer.json) == (200, {"predictions": [3.5, 4.0, 5.5]})
    assert answer.headers["content-type"] == "application/json"


def test_regress(half: Client) -> None:
    body = '{"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}'
    answer = half.post(f"{HALF}:regress", body)
    assert (answer.code, answer.json) == (200, {"results": [3.5, 4.0]})


def test_unknown_model(half: Client) -> None:
    answer = half.post("/v1/models/half:predict", '{"instances": [1.0,5.0]}')
    assert answer.code == 404
    assert answer.error == "Servable not found for request: Latest(half)"


def test_named_inputs_by_row_and_by_column(several: Client) -> None:
    row = {
        "signature_name": "three",
        "instances": [
            {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
            {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
        ],
    }
    column = {
        "signature_name": "three",
        "inputs": {
            "tag": ["foo", "bar"],
            "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
            "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]],
        },
    }
    expected = {
        "tag": ["FOO", "BAR"],
        "tag_bytes": [{"b64": "Zm9v"}, {"b64": "YmFy"}],  # By its name's suffix.
        "sum": [15, 15],
        "trace": [5.0, 12.0],
    }
    assert several.post(f"{SEVERAL}:predict", column).json == {"outputs": expected}
    rows = [{name: of[i] for name, of in expected.items()} for i in range(2)]
    assert several.post(f"{SEVERAL}:predict", row).json == {"predictions": rows}


def test_encoded_bytes_are_bytes(several: Client) -> None:
    data = bytes(range(256))
    body = {
        "signature_name": "three",
        "instances": [
            {
                "tag": {"b64": base64.b64encode(data).decode()},
                "signal": [0] * 5,
                "sensor": [[0, 0], [0, 0]],
            }
        ],
    }
    (row,) = several.post(f"{SEVERAL}:predict", body).json["predictions"]
    assert base64.b64decode(row["tag_bytes"]["b64"]) == data


def test_numbers_that_are_none(half: Client) -> None:
    answer = half.post(PREDICT, '{"instances": [1.0, NaN, Infinity, -Infinity]}')
    first, none, *infinite = answer.json["predictions"]
    assert (first, infinite) == (3.5, [math.inf, -math.inf])
    assert math.isnan(none)
    assert b"NaN, Infinity, -Infinity" in answer.body


# What it says of each part.


@pytest.mark.parametrize(
    "path, body, expected",
    [
        (PREDICT, {"inputs": [1.0, 2.0]}, {"outputs": [3.5, 4.0]}),
        (PREDICT, {"inputs": {"x": [1.0]}}, {"outputs": [3.5]}),
        (PREDICT, {"instances": [{"x": 1.0}, {"x": 3}]}, {"predictions": [3.5, 4.5]}),
        (PREDICT, {"instances": [[1.0], [2.0]]}, {"predictions": [[3.5], [4.0]]}),
        (PREDICT, {"signature_name": "", "instances": [1]}, {"predictions": [3.5]}),
        (PREDICT, {"signature_name": "serving_default", "inputs": [3.0, 4.0]},
         {"outputs": [4.5, 5.0]}),
        (PREDICT, {"instances": [1e0], "unknown": 1}, {"predictions": [3.5]}),
        (PREDICT, {"inputs": 2.0}, {"outputs": 4.0}),
        (PREDICT, {"inputs": []}, {"outputs": []}),
        (f"{HALF}/versions/123:predict", {"instances": [1.0]}, {"predictions": [3.5]}),
        ("/V1/Models/half_plus_three:Predict", {"instances": [1.0]}, {"predictions": [3.5]}),
        ("/v1/models/half%5Fplus_three:predict", {"instances": [1.0]}, {"predictions": [3.5]}),
        (f"{HALF}:classify", {"signature_name": "classify_x_to_y", "examples": [{"x": 20.0}]},
         {"results": [[["", 13.0], ["", 14.0]]]}),
        (f"{HALF}:classify", {"signature_name": "classify_named", "examples": [{"x": [2.0]}]},
         {"results": [[["low", 4.0], ["high", 5.0]]]}),
        (f"{HALF}:regress", {"signature_name": "tensorflow/serving/regress",
                             "context": {"x": 4.0}, "examples": [{}, {"x": 2.0}]},
         {"results": [5.0, 4.0]}),
    ],
)  # fmt: skip
def test_accepted(half: Client, path: str, body: Any, expected: Any) -> None:
    answer = half.post(path, body)
    assert (answer.code, answer.json) == (200, expected)


@pytest.mark.parametrize(
    "body, expected",
    [
        ({"signature_name": "scalar", "inputs": 3}, {"outputs": 6.0}),
        ({"signature_name": "negated", "instances": [True, False]},
         {"predictions": [False, True]}),
        ({"signature_name": "total", "inputs": [1, 2, 3]}, {"outputs": 6.0}),
        ({"signature_name": "inverse", "instances": [4, 0]}, {"predictions": [0.25, math.inf]}),
        ({"signature_name": "free", "inputs": [[0.1]]}, {"outputs": [[1.1]]}),
    ],
)  # fmt: skip
def test_other_signatures(several: Client, body: Any, expected: Any) -> None:
    answer = several.post(f"{SEVERAL}:predict", body)
    assert (answer.code, answer.json) == (200, expected)


@pytest.mark.parametrize(
    "method, path, body, code, error",
    [
        ("POST", PREDICT, "", 400, "JSON Parse error: The document is empty"),
        ("POST", PREDICT, "instances = [1, 2]", 400,
         "JSON Parse error: Invalid value. at offset: 0"),
        ("POST", PREDICT, "[1]", 400, "JSON Value: [\n    1\n] Is not object"),
        ("POST", PREDICT, "{}", 400, "Missing 'inputs' or 'instances' key"),
        ("POST", PREDICT, '{"instances": ["x", "y"]}', 400,
         "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
         'JSON Value: "x" Type: String is not of expected type: float'),
        ("POST", PREDICT, '{"instances": [true]}', 400,
         "JSON Value: true Type: True is not of expected type: float"),
        ("POST", PREDICT, '{"instances": [null]}', 400,
         "JSON Value: null Type: Null is not of expected type: float"),
        ("POST", PREDICT, '{"instances": 1}', 400, "Excepting 'instances' to be an list/array"),
        ("POST", PREDICT, '{"instances": []}', 400, "No values in 'instances' array"),
        ("POST", PREDICT, '{"instances": [1], "inputs": [1]}', 400,
         "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist"),
        ("POST", PREDICT, '{"instances": [1.0, [1.0]]}', 400, "Expecting shape [] but got: [1]"),
        ("POST", PREDICT, '{"instances": [[1.0], [1.0, 2.0]]}', 400,
         "Expecting tensor size: 1 but got: 2"),
        ("POST", PREDICT, '{"inputs": [[1.0], [1.0, 2.0]]}', 400,
         "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
        ("POST", PREDICT, '{"inputs": [1.0, [1.0]]}', 400,
         "Encountered list at unexpected level: 1 expected < 1"),
        ("POST", PREDICT, '{"inputs": [[1.0], 1.0]}', 400, "found at incorrect level: 2"),
        ("POST", PREDICT, '{"instances": [{"x": 1.0}, 2.0]}', 400,
         "Expecting object but got list at item 1 of input list"),
        ("POST", PREDICT, '{"instances": [2.0, {"x": 1.0}]}', 400,
         "Expecting value/list but got object at item 1 of input list"),
        ("POST", PREDICT, '{"instances": [{"z": 1.0}]}', 400,
         "JSON object: does not have named input: z"),
        ("POST", PREDICT, '{"inputs": {"z": 1.0}}', 400,
         "Missing named input: x in 'inputs' object."),
        ("POST", PREDICT, '{"instances": [1e39]}', 400, "without loss of precision."),
        ("POST", PREDICT, '{"signature_name": 100}', 400,
         "'signature_name' key must be a string value."),
        ("POST", PREDICT, '{"signature_name": "no", "instances": [1]}', 400,
         'Serving signature name: "no" not found in signature def'),
        ("POST", "/v1/models/foo:predict", '{"instances": [1]}', 404,
         "Servable not found for request: Latest(foo)"),
        ("POST", "/v1/models/foo/versions/50:predict", '{"instances": [1]}', 404,
         "Servable not found for request: Specific(foo, 50)"),
        ("POST", f"{HALF}/versions/99:predict", '{"instances": [1]}', 404,
         "Servable not found for request: Specific(half_plus_three, 99)"),
        ("POST", f"{HALF}/versions/99:predict", "", 400, "The document is empty"),
        ("POST", f"{HALF}/labels/canary:predict", '{"instances": [1]}', 400,
         "Unrecognized servable version label: canary"),
        ("GET", f"{HALF}/labels/canary/metadata", None, 400,
         "Unrecognized servable version label: canary"),
        ("GET", "/v1/models/foo", None, 404, "Could not find any versions of model foo"),
        ("GET", f"{HALF}/versions/99", None, 404,
         "Could not find version 99 of model half_plus_three"),
        ("GET", "/v1/models/foo/metadata", None, 404,
         "Servable not found for request: Latest(foo)"),
        ("GET", "/v1/foo", None, 400, "Malformed request: GET /v1/foo"),
        ("POST", "/v1/foo", "", 400, "Malformed request: POST /v1/foo"),
        ("POST", "/v1/models", "", 400, "Malformed request: POST /v1/models"),
        ("GET", "/v1/models/versions/3", None, 400, "Missing model name in request."),
        ("GET", PREDICT, None, 400, f"Malformed request: GET {PREDICT}"),
        ("PUT", PREDICT, "{}", 400, f"Malformed request: PUT {PREDICT}"),
        ("DELETE", HALF, None, 400, f"Malformed request: DELETE {HALF}"),
        ("GET", f"{HALF}/version/50:predict", None, 400, "Malformed request"),
        ("POST", f"{HALF}/versions/HELLO:regress", "", 400, "Malformed request"),
        ("POST", f"{HALF}/versions/18446744073709551615:regress", "", 400,
         "Failed to convert version: 18446744073709551615 to numeric."),
        ("POST", f"{HALF}:regress", '{"signature_name": "no", "examples": [{"x": 1.0}]}', 400,
         "No signature was found with the name: no"),
        ("POST", f"{HALF}:regress", '{"examples": [{"x": 1.0}]}', 400,
         "Expected regression signature method_name to be tensorflow/serving/regress. "
         "Was: tensorflow/serving/predict"),
        ("POST", f"{HALF}:classify", '{"examples": [{"x": 1.0}]}', 400,
         "Expected classification signature method_name to be tensorflow/serving/classify. "
         "Was: tensorflow/serving/predict"),
        ("POST", f"{HALF}:classify", "{}", 400,
         "When method is classify, key 'examples' is expected and was not found"),
        ("POST", f"{HALF}:classify", '{"examples": 1}', 400,
         "Expecting 'examples' value to be an list/array"),
        ("POST", f"{HALF}:classify", '{"examples": []}', 400, "'examples' value is an empty array"),
        ("POST", f"{HALF}:classify", '{"examples": [1]}', 400,
         "Example must be JSON object but got JSON Number"),
        ("POST", f"{HALF}:classify", '{"examples": [{"x": [1, 2.5]}]}', 400,
         "Unexpected element type in feature: x expecting type: int64"),
        ("POST", f"{HALF}:classify", '{"examples": [{"x": null}]}', 400,
         "Feature: x has element with unexpected JSON type: Null"),
        ("POST", f"{HALF}:classify", '{"examples": [{"x": {"b64": "*"}}]}', 400,
         "Unable to base64 decode"),
        ("POST", f"{HALF}:regress",
         '{"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1}]}', 400,
         "Data types don't match."),
    ],
)  # fmt: skip
def test_refused(half: Client, method: str, path: str, body: Any, code: int, error: str) -> None:
    answer = half.ask(method, path, body)
    assert answer.code == code, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert error in answer.error


@pytest.mark.parametrize(
    "body, code, error",
    [
        ({"signature_name": "three", "instances": [1]}, 400, "instances is a plain list"),
        ({"signature_name": "three", "inputs": [1]}, 400, "inputs is a plain value/list"),
        ({"signature_name": "three", "instances": [{"tag": "a"}]}, 400,
         "keys must be equal to: sensor,signal,tag"),
        ({"signature_name": "three", "inputs": {"tag": ["a"], "signal": [[1.0, 2, 3, 4, 5]],
          "sensor": [[[1, 2], [3, 4]]]}}, 400,
         "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        ({"signature_name": "three", "inputs": {"tag": [{"b64": 1}], "signal": [], "sensor": []}},
         400, "not formatted correctly for base64 data"),
        ({"signature_name": "three", "inputs": {"tag": [{"b64": "a"}], "signal": [], "sensor": []}},
         400, "Unable to base64 decode"),
        ({"signature_name": "three", "inputs": {"tag": ["a"], "signal": [[1, 2]],
          "sensor": [[[1, 2], [3, 4]]]}}, 400,
         "input signal: wrong shape. Expected [-1,5], where -1 is any size. Received [1,2]."),
        ({"signature_name": "complexes", "instances": [1]}, 501,
         "Conversion of JSON Value: 1 to type: complex64"),
        ({"signature_name": "total", "instances": [1, 2]}, 400,
         "Tensor name: y has no shape information"),
        ({"instances": [1]}, 400, 'Serving signature name: "serving_default" not found'),
    ],
)  # fmt: skip
def test_refused_by_other_signatures(several: Client, body: Any, code: int, error: str) -> None:
    answer = several.post(f"{SEVERAL}:predict", body)
    assert answer.code == code, answer.body
    assert error in answer.error


def test_metadata(half: Client) -> None:
    answer = half.get(f"{HALF}/metadata")
    assert answer.code == 200
    assert answer.json["model_spec"] == {
        "name": "half_plus_three",
        "signature_name": "",
        "version": "123",
    }
    signatures = answer.json["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {
        "serving_default", "tensorflow/serving/regress", "classify_x_to_y", "classify_named",
    }  # fmt: skip
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
            "unknown_rank": False,
        },
        "name": "x:0",
    }
    assert default["outputs"].keys() == {"y"}
    assert half.get(f"{HALF}/versions/123/metadata").json == answer.json


def test_labels_change_no_status(half: Client) -> None:
    assert half.get(f"{HALF}/labels/canary").json == half.get(HALF).json


def test_all_versions(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "half_plus_three"
    for version in ("3", "20"):
        shutil.copytree(model_folder("half_plus_three") / "00000123", folder / version)
    with served(folder, all_versions=True) as client:
        result = client.get(HALF).json["model_version_status"]
        assert [entry["version"] for entry in result] == ["20", "3"]  # The newest first.
        for version in ("3", "20"):
            answer = client.post(f"{HALF}/versions/{version}:predict", {"instances": [1.0]})
            assert answer.json == {"predictions": [3.5]}
        assert client.get(f"{HALF}/metadata").json["model_spec"]["version"] == "20"
    with served(folder) as client:
        assert client.post(f"{HALF}/versions/3:predict", {"instances": [1.0]}).code == 404
        assert client.post(f"{HALF}/versions/20:predict", {"instances": [1.0]}).code == 200


def test_numbers_are_written_as_the_type_holds_them(several: Client) -> None:
    answer = several.post(
        f"{SEVERAL}:predict", {"signature_name": "inverse", "instances": [3, 1, 10]}
    )
    assert json.loads(answer.body)["predictions"] == [0.33333334, 1.0, 0.1]
    assert b"1.0" in answer.body  # A float stays one.
