"""Requests and answers of `classify` and `regress`: JSON on one side, tf.Example on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.serve.protocol import dump, numbers, parse, signature_name
from zoo.serve.signature import CLASSIFY, REGRESS, Array, Signature, shown
from zoo.serve.status import StatusError, invalid
from zoo.serve.tensors import decoded, is_base64, kind, quoted

Values = tuple[str, list[Any]]  # What a feature holds ("bytes", "float", "int64"), and its values.
Features = dict[str, Values]
MOST_FLOAT = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ExamplesRequest:
    """A request of `classify` or `regress`."""

    signature_name: str
    examples: list[Features]


def parse_examples(body: bytes) -> ExamplesRequest:
    """A request of `classify` or `regress`; features of `context` are put into every example.

    Raises:
        StatusError: what is wrong with it.
    """
    document = parse(body)
    name = signature_name(document)
    context = _features(document["context"]) if "context" in document else {}
    if "examples" not in document:
        raise invalid(
            f"JSON Value: {quoted(document)} When method is classify, key 'examples' is expected "
            "and was not found"
        )
    examples = document["examples"]
    if type(examples) is not list:
        raise invalid(
            f"JSON Value: {quoted(document)} Expecting 'examples' value to be an list/array"
        )
    if not examples:
        raise invalid(f"JSON Value: {quoted(document)} 'examples' value is an empty array")
    return ExamplesRequest(name, [{**context, **_features(example)} for example in examples])


def _features(value: Any) -> Features:
    if type(value) is not dict:
        raise invalid(f"Example must be JSON object but got JSON {kind(value)}")
    return {name: _feature(name, content) for name, content in value.items()}


def _feature(name: str, content: Any) -> Values:
    found, values = "", []
    for item in content if type(content) is list else [content]:
        of, value = _value(name, item)
        if found and of != found:
            raise invalid(f"Unexpected element type in feature: {name} expecting type: {found}")
        found = of
        values.append(value)
    return found, values


def _value(name: str, item: Any) -> tuple[str, Any]:
    if type(item) in (bool, int):
        if item > np.iinfo(np.int64).max:
            raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        return "int64", int(item)
    if type(item) is float:
        if np.isfinite(item) and abs(item) > MOST_FLOAT:
            raise invalid(
                f"Cannot convert JSON value: {quoted(item)} to float without loss of precision."
            )
        return "float", item
    if type(item) is str:
        return "bytes", item.encode()
    if is_base64(item):
        data = decoded(item["b64"])
        if data is None:
            raise invalid("Unable to base64 decode")
        return "bytes", data
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {kind(item)}")


def require_method(signature: Signature | None, name: str, method: str) -> Signature:
    """A signature that is made for `classify` or `regress`.

    Raises:
        StatusError: it is not there, or is made for something else.
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
    """For each example its labels with their scores.

    Raises:
        StatusError: the outputs are none of a classification.
    """
    classes, scores = outputs.get("classes"), outputs.get("scores")
    for name, array in outputs.items():
        if array.ndim != 2:
            raise invalid(
                "Expected Tensor shape: [batch_size num_classes] but got " + shown(array.shape)
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
    found = numbers(np.zeros(shape, np.float32) if scores is None else scores)
    results = [
        [[label.decode("utf-8", "replace"), score] for label, score in zip(*row, strict=True)]
        for row in zip(labels, found, strict=True)
    ]
    return dump({"results": results}, _odd(scores))


def answer_regress(outputs: Mapping[str, Array], count: int) -> bytes:
    """A number for each example.

    Raises:
        StatusError: the output is none of a regression.
    """
    values = outputs["outputs"]
    if values.ndim != 1 and not (values.ndim == 2 and values.shape[1] == 1):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            + shown(values.shape)
        )
    if len(values) != count:
        raise invalid(
            f"Input batch size did not match output batch size: {count} vs. {len(values)}"
        )
    return dump({"results": numbers(values.ravel())}, _odd(values))


def _odd(array: Array | None) -> bool:
    return array is not None and not np.isfinite(array).all()
