"""The server's description in OpenAPI 3.1, at /openapi.json: made from `routes` and the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from zoo.serve.routes import ALWAYS, JSON, ROUTES, TEXT, Route
from zoo.serve.signature import DEFAULT, DTYPES, PREDICT, Signature, TensorInfo
from zoo.serve.versions import INT64_MAX
from zoo.version import __version__

Schema = dict[str, Any]

_REASONS = {
    200: "The answer.",
    400: "The request is wrong; `error` says how to mend it.",
    403: "The Host or Origin header names another server.",
    404: "There is no such model or version.",
    408: "The request did not arrive in time.",
    413: "The body is too large.",
    415: "The body is compressed.",
    500: "The model or the server failed; `error` names the entry of the server's log.",
    501: "An input has a type that JSON cannot be converted to.",
    503: "The server is busy or stopping; try again after `Retry-After` seconds.",
}
_BYTES: Schema = {
    "type": "object",
    "description": "Bytes, such as an image file, in base64.",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["b64"],
    "additionalProperties": False,
}
_STATE: Schema = {
    "type": "object",
    "properties": {
        "version": {"type": "string"},
        "state": {"enum": ["LOADING", "AVAILABLE", "UNLOADING", "END"]},
        "status": {
            "type": "object",
            "properties": {
                "error_code": {"type": "string"},
                "error_message": {"type": "string"},
            },
            "required": ["error_code", "error_message"],
        },
    },
    "required": ["version", "state", "status"],
}
_MODEL: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "integer"},
        "signatures": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": ["array", "null"], "items": {"type": "string"}},
        "image": {"type": ["object", "null"]},
        "multi_label": {
            "type": "boolean",
            "description": "Whether an image has any number of classes: each probability is by "
            "itself, and all classes are answered.",
        },
    },
    "required": ["name", "version", "signatures", "labels", "image", "multi_label"],
}


def describe(model: str, signatures: Mapping[str, Signature]) -> Schema:
    """Describes the server.

    Args:
        model: its name.
        signatures: of the newest version, by name.
    """
    paths: dict[str, Any] = {}
    for route in ROUTES:
        for path in route.paths:
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, model)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"zoo serve: {model}",
            "version": __version__,
            "description": "TensorFlow Serving's REST API, for development and tests.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": _schemas(signatures)},
    }


def _operation(route: Route, path: str, model: str) -> Schema:
    names = re.findall(r"\{(\w+)\}", path)
    kind = next((name for name in ("version", "label") if name in names), "")
    operation: Schema = {
        "operationId": route.name + (f"_{kind}" if kind else ""),
        "summary": route.summary,
        "parameters": [_parameter(name, model) for name in names],
        "responses": _responses(route),
    }
    if kind == "label":
        operation["description"] = "No version has a label here, so that the answer is an error."
    if route.takes:
        operation["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": {"$ref": f"#/components/schemas/{route.takes}"}}},
        }
    return operation


def _parameter(name: str, model: str) -> Schema:
    schemas: dict[str, Schema] = {
        "model": {"type": "string", "enum": [model]},
        "version": {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
        "label": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    }
    return {"name": name, "in": "path", "required": True, "schema": schemas[name]}


def _responses(route: Route) -> Schema:
    """The answers of a route, by code."""
    schema: Schema = {"$ref": f"#/components/schemas/{route.gives}"} if route.gives else {}
    media_type = route.media_type.partition(";")[0]
    content = {media_type: {"schema": schema or {"type": "string"}}}
    answers: Schema = {"200": {"description": _REASONS[200], "content": content}}
    error = {"schema": {"$ref": "#/components/schemas/Error"}}
    for code in sorted({*ALWAYS, *route.codes}):
        answers[str(code)] = {"description": _REASONS[code], "content": {JSON: error}}
    answers["503"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    if route.name == "readyz":
        plain = {TEXT.partition(";")[0]: {"schema": {"type": "string"}}}
        answers["503"]["content"] = {**plain, JSON: error}
    return answers


def _schemas(signatures: Mapping[str, Signature]) -> Schema:
    results: Schema = {"type": "array"}
    rows = {"predictions": {"type": "array"}}
    columns: Schema = {"outputs": {}}
    return {
        "Error": _object({"error": {"type": "string"}}),
        "PredictRequest": {"anyOf": _requests(signatures)},
        "PredictAnswer": {"anyOf": [_object(rows), _object(columns)]},
        "ExamplesRequest": {
            "type": "object",
            "properties": {
                "signature_name": {"type": "string"},
                "context": _FEATURES,
                "examples": {"type": "array", "minItems": 1, "items": _FEATURES},
            },
            "required": ["examples"],
        },
        "ClassifyAnswer": _object({"results": results}),
        "RegressAnswer": _object({"results": {"type": "array", "items": _NUMBER}}),
        "Models": _object({"models": {"type": "array", "items": _MODEL}}),
        "Status": _object({"model_version_status": {"type": "array", "items": _STATE}}),
        "Metadata": _object({"model_spec": {"type": "object"}, "metadata": {"type": "object"}}),
        "OpenAPI": {"type": "object", "required": ["openapi", "paths"]},
    }


_NUMBER: Schema = {
    "description": "A number; also NaN, Infinity and -Infinity, which are no JSON.",
    "type": "number",
}
_VALUE: Schema = {"anyOf": [{"type": ["string", "number", "boolean"]}, _BYTES]}
_FEATURES: Schema = {
    "type": "object",
    "additionalProperties": {"anyOf": [_VALUE, {"type": "array", "items": _VALUE}]},
}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _requests(signatures: Mapping[str, Signature]) -> list[Schema]:
    """A schema for each signature, by row and by column."""
    found = []
    for name, signature in signatures.items():
        if not signature.inputs or signature.method != PREDICT:
            continue
        if any(info.dtype not in DTYPES for info in signature.inputs.values()):
            continue
        signature_name = {"type": "string", "const": name}
        required = [] if name == DEFAULT else ["signature_name"]
        by_column = {"signature_name": signature_name, "inputs": _inputs(signature, False)}
        found.append(_request(by_column, [*required, "inputs"]))
        if signature.batches:
            row = _inputs(signature, True)
            rows = {"type": "array", "minItems": 1, "items": row}
            by_row = {"signature_name": signature_name, "instances": rows}
            found.append(_request(by_row, [*required, "instances"]))
    return found or [{"type": "object"}]


def _request(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required}


def _inputs(signature: Signature, by_row: bool) -> Schema:
    """All inputs of one row, or of all rows."""
    tensors = {name: _tensor(info, by_row) for name, info in signature.inputs.items()}
    named = _object(tensors)
    if by_row:
        named["additionalProperties"] = False
    return named if len(tensors) > 1 else {"anyOf": [*tensors.values(), named]}


def _tensor(info: TensorInfo, by_row: bool) -> Schema:
    """Nested arrays of one type; of any depth if the rank is free."""
    schema = _scalar(info.dtype)
    if info.shape is None:
        return {"anyOf": [schema, {"type": "array", "items": schema}]}
    for size in reversed(info.shape[1:] if by_row else info.shape):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def _scalar(name: str) -> Schema:
    if name == "string":
        return {"anyOf": [_BYTES, {"type": "string"}]}
    if name == "bool":
        return {"type": "boolean"}
    dtype = DTYPES[name]
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return {"type": "integer", "minimum": int(limits.min), "maximum": int(limits.max)}
    largest = float(np.finfo(dtype).max)
    return {"type": "number", "minimum": -largest, "maximum": largest}
