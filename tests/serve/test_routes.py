"""The table of routes, and the description made from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.serve.conftest import PICTURES, PREDICT, Client, instances
from tests.serve.models import png
from zoo.serve.routes import ROUTES, find
from zoo.serve.signature import PREDICT as METHOD
from zoo.serve.signature import Signature, TensorInfo


def test_every_route_is_answered_and_described(pictures: Client) -> None:
    answer = pictures.get("/openapi.json")
    assert answer.code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json
    assert document["openapi"] == "3.1.0"
    described = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item
    }
    assert described == {(path, route.method) for route in ROUTES for path in route.paths}
    assert {route.name for route in ROUTES} == pictures.app._handlers.keys()
    names = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
    ]
    assert len(names) == len(set(names))


def test_codes_and_types_are_those_of_the_description(pictures: Client) -> None:
    document = pictures.get("/openapi.json").json
    asked: list[tuple[str, str, str, Any, dict[str, str]]] = [
        ("POST", "/v1/models/{model}:predict", PREDICT, instances(png(0)), {}),
        ("POST", "/v1/models/{model}:predict", PREDICT, "{}", {}),
        ("POST", "/v1/models/{model}:predict", PREDICT, "{}", {"Host": "evil.example"}),
        ("POST", "/v1/models/{model}:predict", PREDICT, "{}", {"Content-Encoding": "br"}),
        ("POST", "/v1/models/{model}/versions/{version}:predict",
         f"{PICTURES}/versions/9:predict", instances(png(0)), {}),
        ("GET", "/v1/models/{model}", PICTURES, None, {}),
        ("GET", "/v1/models/{model}/metadata", f"{PICTURES}/metadata", None, {}),
        ("GET", "/v1/models", "/v1/models", None, {}),
        ("GET", "/", "/", None, {}),
        ("GET", "/healthz", "/healthz", None, {}),
        ("GET", "/readyz", "/readyz", None, {}),
        ("GET", "/metrics", "/metrics", None, {}),
    ]  # fmt: skip
    codes = set()
    for method, template, path, body, headers in asked:
        answer = pictures.ask(method, path, body, **headers)
        responses = document["paths"][template][method.lower()]["responses"]
        content = responses[str(answer.code)]["content"]
        assert answer.headers["content-type"].partition(";")[0] in content
        codes.add(answer.code)
    assert codes == {200, 400, 403, 404, 415}


def test_the_schema_of_requests_is_the_model_s(pictures: Client) -> None:
    schemas = pictures.get("/openapi.json").json["components"]["schemas"]
    texts = json.dumps(schemas["PredictRequest"])
    assert '"const": "serve_uint8"' in texts
    assert '"maximum": 255' in texts
    assert '"contentEncoding": "base64"' in texts


def test_a_model_without_known_inputs_is_described() -> None:
    from zoo.serve.openapi import describe

    odd = Signature("x", METHOD, {"a": TensorInfo("complex64", (-1,))}, {})
    free = Signature("y", METHOD, {"a": TensorInfo("half", None)}, {})
    requests = describe("m", {"x": odd, "y": free})["components"]["schemas"]["PredictRequest"]
    assert [request["required"] for request in requests["anyOf"]] == [["signature_name", "inputs"]]
    assert describe("m", {})["components"]["schemas"]["PredictRequest"]["anyOf"]


@pytest.mark.parametrize(
    "method, path, name, parameters",
    [
        ("POST", "/v1/models/a:predict", "predict", {"model": "a"}),
        ("POST", "/V1/Models/a%3A/versions/12:Predict", "predict",
         {"model": "a%3A", "version": "12"}),
        ("GET", "/v1/models/a/labels/b/metadata", "metadata", {"model": "a", "label": "b"}),
        ("HEAD", "/healthz", "healthz", {}),
        ("POST", "/healthz", None, {}),
        ("GET", "/v1/models/a:predict", None, {}),
        ("GET", "/v1/models/", None, {}),
        ("POST", "/v1/models/a/versions/\u0661:predict", None, {}),
    ],
)  # fmt: skip
def test_routes(method: str, path: str, name: str | None, parameters: dict[str, str]) -> None:
    match = find(method, path)
    assert (match.route.name if match.route else None) == name
    assert match.parameters == parameters
    if name is None:
        assert match.methods == {
            "/healthz": ("GET", "HEAD"),
            "/v1/models/a:predict": ("POST",),
        }.get(path, ())


def test_head_and_other_methods(pictures: Client) -> None:
    head = pictures.ask("HEAD", "/healthz")
    assert (head.code, head.body, head.headers["content-length"]) == (200, b"", "3")
    answer = pictures.ask("DELETE", "/metrics")
    assert (answer.code, answer.headers["allow"]) == (405, "GET, HEAD")
