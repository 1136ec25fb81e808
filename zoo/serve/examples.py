"""Parses requests of `classify` and `regress` from JSON and writes their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.serve.protocol import dump, numbers, signature_name
from zoo.serve.signature import CLASSIFY, REGRESS, Array, Signature, format_shape
from zoo.serve.status import StatusError, invalid
from zoo.serve.tensors import decode_base64, excerpt, is_base64, json_type

Values = tuple[str, list[Any]]  # A feature's type ("bytes", "float", "int64") and values.
Features = dict[str, Values]
MAX_FLOAT = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ExamplesRequest:
    """A request of `classify` or `regress`.

    Attributes:
        signature_name: the signature to run.
        examples: the features of each example, as in tf.Example.
    """

    signature_name: str
    examples: list[Features]


def parse_examples(document: dict[str, Any]) -> ExamplesRequest:
    """Converts a request of `classify` or `regress`; `context` adds its features to each example.

    Raises:
        StatusError: the request does not fit the API.
    """
    name = signature_name(document)
    context = _features(document["context"]) if "context" in document else {}
    if "examples" not in document:
        raise invalid(
            f"JSON Value: {excerpt(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    examples = document["examples"]
    if type(examples) is not list:
        raise invalid(
            f"JSON Value: {excerpt(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise invalid(f"JSON Value: {excerpt(document)} 'examples' value is an empty array")
    return ExamplesRequest(name, [{**context, **_features(example)} for example in examples])


def _features(value: Any) -> Features:
    if type(value) is not dict:
        raise invalid(f"Example must be JSON object but got JSON {json_type(value)}")
    return {name: _feature(name, content) for name, content in value.items()}


def _feature(name: str, content: Any) -> Values:
    feature_type, values = "", []
    for item in content if type(content) is list else [content]:
        item_type, value = _value(name, item)
        if feature_type and item_type != feature_type:
            raise invalid(
                f"Unexpected element type in feature: {name} expecting type: {feature_type}"
            )
        feature_type = item_type
        values.append(value)
    return feature_type, values


def _value(name: str, item: Any) -> tuple[str, Any]:
    if type(item) in (bool, int):
        if item > np.iinfo(np.int64).max:
            raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        return "int64", int(item)
    if type(item) is float:
        if np.isfinite(item) and abs(item) > MAX_FLOAT:
            raise invalid(
                f"Cannot convert JSON value: {excerpt(item)} to float without loss of precision."
            )
        return "float", item
    if type(item) is str:
        return "bytes", item.encode()
    if is_base64(item):
        data = decode_base64(item["b64"])
        if data is None:
            raise invalid("Unable to base64 decode")
        return "bytes", data
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {json_type(item)}")


def require_method(signature: Signature | None, name: str, method: str) -> Signature:
    """Returns the signature if it is made for `classify` or `regress`.

    Args:
        signature: None if there is none of that name.
        name: the requested name.
        method: `CLASSIFY` or `REGRESS`.

    Raises:
        StatusError: there is no such signature, or it is made for something else.
    """
    word = "classification" if method == CLASSIFY else "regression"
    if signature is None:
        raise invalid(f"No signature was found with the name: {name}")
    if signature.method != method:
        raise invalid(
            f"Expected {word} signature method_name to be {method}. Was: {signature.method}"
        )
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if "inputs" not in signature.inputs:
        raise StatusError("FAILED_PRECONDITION", f"No {word} inputs found in SignatureDef: {name}")
    expected = {"outputs"} if method == REGRESS else {"classes", "scores"}
    if not expected & signature.outputs.keys() or signature.outputs.keys() - expected:
        raise StatusError(
            "FAILED_PRECONDITION",
            f"Expected {word} signature outputs to contain {' or '.join(sorted(expected))} and "
            f"nothing else. Was: {', '.join(sorted(signature.outputs))}",
        )
    return signature


def answer_classify(outputs: Mapping[str, Array], count: int) -> bytes:
    """Writes the labels and scores of each example.

    Args:
        outputs: of the signature: `classes`, `scores` or both.
        count: the number of examples.

    Raises:
        StatusError: the outputs do not have the shapes of a classification.
    """
    classes, scores = outputs.get("classes"), outputs.get("scores")
    for name, array in outputs.items():
        if array.ndim != 2:
            raise invalid(
                "Expected Tensor shape: [batch_size num_classes] but got "
                + format_shape(array.shape)
            )
        if len(array) != count:
            raise invalid(f"Expected {name} output batch size of {count}. Got: {len(array)}")
    if classes is not None and scores is not None and classes.shape != scores.shape:
        raise invalid(
            "Tensors class and score should match in dim_size(1). Got "
            f"{classes.shape[1]} vs. {scores.shape[1]}"
        )
    shape = next(iter(outputs.values())).shape
    labels = np.full(shape, b"", np.object_) if classes is None else classes
    values = numbers(np.zeros(shape, np.float32) if scores is None else scores)
    results = [
        [[label.decode("utf-8", "replace"), score] for label, score in zip(*row, strict=True)]
        for row in zip(labels, values, strict=True)
    ]
    return dump({"results": results}, _has_nonfinite(scores))


def answer_regress(outputs: Mapping[str, Array], count: int) -> bytes:
    """Writes one number for each example.

    Args:
        outputs: of the signature: `outputs`.
        count: the number of examples.

    Raises:
        StatusError: the output does not have the shape of a regression.
    """
    values = outputs["outputs"]
    if values.ndim != 1 and not (values.ndim == 2 and values.shape[1] == 1):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            + format_shape(values.shape)
        )
    if len(values) != count:
        raise invalid(
            f"Input batch size did not match output batch size: {count} vs. {len(values)}"
        )
    return dump({"results": numbers(values.ravel())}, _has_nonfinite(values))


def _has_nonfinite(array: Array | None) -> bool:
    return array is not None and not np.isfinite(array).all()
