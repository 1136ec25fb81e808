"""JSON to arrays and back, without a server or TensorFlow."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zoo.serve.examples import answer_classify, answer_regress, parse_examples
from zoo.serve.json_reader import parse
from zoo.serve.protocol import answer, parse_predict
from zoo.serve.signature import DTYPES, PREDICT, Signature, TensorInfo
from zoo.serve.status import HTTP, StatusError, clean_message, refusal_reason
from zoo.serve.tensors import MAX_DIMENSIONS, decode_base64, excerpt, tensor, to_array

NUMBERS = sorted(DTYPES.keys() - {"string"})


def signature(**inputs: TensorInfo) -> Signature:
    return Signature("serving_default", PREDICT, inputs, {})


def predict(document: Any, of: Signature) -> dict[str, np.ndarray]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_predict(parse(body), lambda name: of).inputs


@st.composite
def tensors(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    dtype = draw(st.sampled_from(NUMBERS))
    shape = arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4)
    return dtype, draw(arrays.arrays(DTYPES[dtype], shape))


@given(tensors(), st.booleans())
def test_numbers_come_back(given_: tuple[str, np.ndarray], by_row: bool) -> None:
    """An array written in an answer and parsed in a request stays the same, also NaN."""
    dtype, array = given_
    reported = answer({"x": array}, by_row)
    value = json.loads(reported)["predictions" if by_row else "outputs"]
    key = "instances" if by_row else "inputs"
    result = predict({key: value}, signature(x=TensorInfo(dtype, None)))["x"]
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


@given(st.lists(st.lists(st.binary(max_size=40), min_size=2, max_size=2), min_size=1, max_size=4))
def test_bytes_come_back(rows: list[list[bytes]]) -> None:
    array = np.array(rows + [[b"", b""]], np.object_)[:-1]
    value = json.loads(answer({"x_bytes": array}, True))["predictions"]
    result = predict({"instances": value}, signature(x=TensorInfo("string", (-1, 2))))["x"]
    assert result.tolist() == rows


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_texts_come_back(texts: list[str]) -> None:
    of = signature(x=TensorInfo("string", (-1,)))
    result = predict({"instances": texts}, of)["x"]
    assert json.loads(answer({"x": result}, False))["outputs"] == texts


@given(st.binary(max_size=60))
def test_base64_comes_back_without_its_padding_and_over_lines(data: bytes) -> None:
    text = base64.b64encode(data).decode()
    assert (
        decode_base64(text)
        == decode_base64(text.rstrip("="))
        == decode_base64(text[:5] + "\n" + text[5:])
        == data
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(JSON, st.sampled_from(sorted(DTYPES)))
@example([[1], [2, 3]], "int32")
@example([[[]], []], "float")
@example([1, 10**30], "float")
@example({"b64": "Zm9v"}, "string")
def test_a_refused_value_has_a_reason(value: Any, dtype: str) -> None:
    """A value gives an array, or an error with a reason."""
    info = TensorInfo(dtype, None)
    result = to_array(value, info)
    if result is not None:
        assert result.dtype == np.dtype(DTYPES[dtype])
        return
    with pytest.raises(StatusError) as caught:
        tensor(value, info)
    assert (
        "is no tensor" not in caught.value.message
    )  # The reason in general is for what we forgot.


@given(st.one_of(JSON, st.dictionaries(st.sampled_from(["instances", "inputs"]), JSON)))
def test_a_request_is_read_or_refused(document: Any) -> None:
    body = json.dumps(document).encode()
    for of in (
        signature(x=TensorInfo("float", (-1, 2))),
        signature(a=TensorInfo("string", (-1,)), b=TensorInfo("int64", None)),
    ):
        try:
            request = parse_predict(parse(body), lambda name, of=of: of)
        except StatusError as error:
            assert (error.code, error.http) == ("INVALID_ARGUMENT", 400)
            assert error.message
            continue
        assert request.by_row is ("instances" in document)
        assert request.inputs.keys() == of.inputs.keys()
        for name, array in request.inputs.items():
            assert array.dtype == DTYPES[of.inputs[name].dtype]
            of.inputs[name].require(name, array.shape)


@pytest.mark.parametrize(
    "dtype", [name for name in NUMBERS if np.issubdtype(DTYPES[name], np.integer)]
)
def test_limits_of_whole_numbers(dtype: str) -> None:
    of, limits = signature(x=TensorInfo(dtype, (-1,))), np.iinfo(DTYPES[dtype])
    assert predict({"instances": [int(limits.min), int(limits.max)]}, of)["x"].max() == limits.max
    for outside in (limits.min - 1, limits.max + 1):
        with pytest.raises(StatusError, match=f"is not of expected type: {dtype}"):
            predict({"instances": [int(outside)]}, of)


@pytest.mark.parametrize(
    "value, dtype",
    [
        ([1.0], "int32"), ([True], "int32"), ([True], "float"), ([1], "bool"), (["1"], "float"),
        ([None], "double"), ([1], "string"), ([{"b64": "YQ=="}], "float"), ([{}], "float"),
    ],
)  # fmt: skip
def test_types_are_not_converted(value: list[Any], dtype: str) -> None:
    with pytest.raises(StatusError, match="(?s)is not of expected type"):
        predict({"inputs": value}, signature(x=TensorInfo(dtype, None)))


def test_a_whole_number_too_long_for_a_float_is_rounded() -> None:
    result = predict({"instances": [1435774380]}, signature(x=TensorInfo("float", (-1,))))["x"]
    assert result.tolist() == [1435774336.0]


@pytest.mark.parametrize(
    "body, part",
    [
        (b"", "The document is empty"),
        (b"{", "JSON Parse error"),
        (b'{"a": 1} x', "must not be followed by other values"),
        (b'{"a": [1 2]}', "Missing a comma or ]"),
        (b"\xff\xfe{}", "JSON Parse error"),
        (b'{"a": 1e999}', "Number too big"),
        (b'{"a": "\\ud800"}', "JSON Parse error"),
        (b'{"a": NaN, "b": "\\ud800"}', "JSON Parse error"),
        (b'{"a": NaN, "b": ' + b"9" * 5000 + b"}", "JSON Parse error"),
        (b'{"a": NaN, "b": 1', "JSON Parse error"),
        (b'{"a": NaN, "\xff": 1}', "not UTF-8 at offset"),
        (b"[" * 100_000, "depth"),
        (b'{"instances": ' + b"[" * 500 + b"NaN" + b"]" * 500 + b"}", "JSON Parse error"),
        (b"[NaN," * 100_000, "JSON Parse error"),
        (b"null", "Is not object"),
        (b"NaN", "Is not object"),
    ],
)
def test_what_is_no_json_object(body: bytes, part: str) -> None:
    with pytest.raises(StatusError) as caught:
        parse(body)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert part in caught.value.message


def test_depth_is_bounded() -> None:
    value: Any = 1.0
    for _ in range(MAX_DIMENSIONS + 1):
        value = [value]
    with pytest.raises(StatusError, match="nested deeper than"):
        predict({"inputs": value}, signature(x=TensorInfo("float", None)))
    with pytest.raises(StatusError, match="nested deeper than"):
        predict({"instances": value}, signature(x=TensorInfo("float", None)))


def test_long_values_are_cut_in_errors() -> None:
    assert len(excerpt(list(range(100_000)))) < 300
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    assert len(excerpt(deep)) < 300


def test_numbers_that_are_none_are_written_beside_others() -> None:
    outputs = {"a": np.array([0.1, np.nan], np.float32), "b": np.array([[0.1], [7]], np.float32)}
    (first, second) = json.loads(answer(outputs, True))["predictions"]
    assert first == {"a": 0.1, "b": [0.1]}
    assert math.isnan(second["a"])


@pytest.mark.parametrize(
    "outputs, error",
    [
        ({}, "Cannot convert empty tensor map to JSON"),
        ({"y": np.float32(1)[()] * np.ones(())}, "Tensor name: y has no shape information"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, "has inconsistent batch size: 3 expecting: 2"),
        ({"a": np.zeros(2, np.complex64)}, "Failed to write JSON value for tensor type: complex64"),
    ],
)
def test_outputs_that_no_rows_can_tell(outputs: dict[str, Any], error: str) -> None:
    with pytest.raises(StatusError, match=error):
        answer({name: np.asarray(of) for name, of in outputs.items()}, True)


def test_features() -> None:
    body = {
        "context": {"a": [1.5, 2.0], "e": []},
        "examples": [{"b": 3, "c": "x", "d": [{"b64": "eQ=="}, "z"], "f": True}, {"a": 4.0}],
    }
    request = parse_examples(body)
    first, second = request.examples
    assert first["a"] == ("float", [1.5, 2.0])
    assert first["b"] == ("int64", [3])
    assert first["c"] == ("bytes", [b"x"])
    assert first["d"] == ("bytes", [b"y", b"z"])
    assert first["e"] == ("", [])
    assert first["f"] == ("int64", [1])
    assert second["a"] == ("float", [4.0])


@pytest.mark.parametrize(
    "value, part",
    [
        (2**63, "has uint64 element"), (1e39, "without loss of precision"),
        ([[1]], "unexpected JSON type: Array"), ({"a": 1}, "unexpected JSON type: Object"),
    ],
)  # fmt: skip
def test_values_that_no_feature_holds(value: Any, part: str) -> None:
    with pytest.raises(StatusError, match=part):
        parse_examples({"examples": [{"x": value}]})


@pytest.mark.parametrize(
    "outputs, error",
    [
        ({"scores": np.zeros(2)}, r"Expected Tensor shape: \[batch_size num_classes\] but got"),
        ({"scores": np.zeros((3, 2))}, "Expected scores output batch size of 2. Got: 3"),
        ({"scores": np.zeros((2, 2)), "classes": np.full((2, 3), b"x", object)}, "should match"),
    ],
)
def test_outputs_that_are_no_classification(outputs: dict[str, Any], error: str) -> None:
    with pytest.raises(StatusError, match=error):
        answer_classify(outputs, 2)


def test_labels_without_scores() -> None:
    reported = answer_classify({"classes": np.array([[b"a", b"b"]], np.object_)}, 1)
    assert json.loads(reported) == {"results": [[["a", 0.0], ["b", 0.0]]]}


def test_outputs_that_are_no_regression() -> None:
    with pytest.raises(StatusError, match="to be either"):
        answer_regress({"outputs": np.zeros((2, 2))}, 2)
    with pytest.raises(StatusError, match="2 vs. 3"):
        answer_regress({"outputs": np.zeros(3)}, 2)


def test_codes() -> None:
    assert HTTP["UNAVAILABLE"] == 503
    assert StatusError("NOT_FOUND", "x").http == 404
    assert str(StatusError("INVALID_ARGUMENT", "x")) == "INVALID_ARGUMENT: x"


@pytest.mark.parametrize(
    "message, expected",
    [
        (
            "{{function_node __inference_signature_wrapper_9}} {{function_node f}} Unknown image "
            "file format. One of JPEG, PNG required.\n\t [[{{node map/while/DecodeImage}}]] "
            "[Op:__inference_signature_wrapper_9]",
            "Unknown image file format. One of JPEG, PNG required.",
        ),
        (
            "Graph execution error:\n\nDetected at node Mean defined at (most recent call last):\n"
            '  File "/home/me/train.py", line 3, in f\n<stack traces unavailable>\n'
            "Invalid reduction dimension\n\t [[{{node Mean}}]] [Op:__inference_f_3]",
            "Invalid reduction dimension",
        ),
        (
            "2 root error(s) found.\n  (0) INVALID_ARGUMENT:  bad\n\t [[{{node a}}]]\n"
            "  (1) INVALID_ARGUMENT:  bad\n\t [[{{node b}}]]\n0 successful operations.\n"
            "0 derived errors ignored.",
            "bad",
        ),
        ("cannot open /home/me/secret/file.txt here", "cannot open ... here"),
        ("[[{{node a}}]]", "the model refused the request"),
    ],
)
def test_messages_name_no_nodes_or_places(message: str, expected: str) -> None:
    assert clean_message(message) == expected


BROKEN = "the image cannot be decoded: it is broken or cut short"


@pytest.mark.parametrize(
    "message, expected",
    [
        ("jpeg::Uncompress failed. Invalid JPEG data or crop window.", BROKEN),
        ("Invalid PNG data, size 26032", BROKEN),
        ("Invalid PNG. Failed to initialize decoder.", BROKEN),
        ("Invalid GIF data (size 20), failed to open gif file: No screen descriptor", BROKEN),
        ("Incomplete bmp content, requires at least 32 bytes, got 3 bytes", BROKEN),
        ("Input size should match (header_size + row_size * abs_height) but they differ", BROKEN),
        ("Failed to decode WebP header.", BROKEN),
        ("Input is empty.", "the image is empty: it has no bytes"),
        (
            "Unknown image file format. One of JPEG, PNG required.",
            "the bytes are not an image of a known format",
        ),
        (
            "Trying to decode BMP format using a wrong op. Use `decode_bmp` instead.",
            "the image is not of the model's format",
        ),
    ],
)
def test_what_is_said_of_broken_images(message: str, expected: str) -> None:
    text = message.removesuffix(".")
    graph = f"{{{{function_node f}}}} {message}\n\t [[{{{{node map/DecodeImage}}}}]] [Op:f_9]"
    assert refusal_reason(graph) == refusal_reason(message) == f"{expected} (TensorFlow: {text})."


@pytest.mark.parametrize(
    "message, expected",
    [
        (
            "Graph execution error:\n\nassertion failed: [the image is too large. Received (width, "
            "height)] [8000] [6000]\n\t [[{{node Assert/Assert}}]] [Op:__inference_f_74]",
            "the image is too large. Received (width, height): 8000, 6000.",
        ),
        ("assertion failed: [not an image (JPEG, PNG)]", "not an image (JPEG, PNG)"),
        ("assertion failed: [a < b:] [a = ] [1] [b = ] [0]", "a < b: a = 1 b = 0"),
        ("assertion failed: no brackets", "assertion failed: no brackets"),
        ("shapes differ: Invalid PNG", "shapes differ: Invalid PNG"),
    ],
)
def test_what_a_graph_asserts_is_told_in_its_words(message: str, expected: str) -> None:
    assert refusal_reason(message) == expected
