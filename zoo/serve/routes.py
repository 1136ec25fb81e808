"""The routes of the server, as a table: `app` answers them, `openapi` describes them. Light."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

# Every request may get these: a wrong Host header or malformed HTTP, another site's page, headers
# that come too slowly, a fault of the server, and no connection left.
ALWAYS = (400, 403, 408, 500, 503)
_BODY = (404, 413, 415, 501)


@dataclass(frozen=True)
class Route:
    """An operation of the server.

    Attributes:
        name: of the handler; for the REST API also the method in the metrics.
        method: of HTTP. Whatever takes GET takes HEAD as well.
        paths: templates, as in OpenAPI.
        summary: a line for the description.
        codes: of answers other than 200 and `ALWAYS`.
        media_type: of the answer.
        takes: the schema of the request's body; empty for none.
        gives: the schema of a JSON answer; empty for another one.
    """

    name: str
    method: str
    paths: tuple[str, ...]
    summary: str
    codes: tuple[int, ...] = ()
    media_type: str = JSON
    takes: str = ""
    gives: str = ""


_MODEL = "/v1/models/{model}"
_SERVED = (_MODEL, f"{_MODEL}/versions/{{version}}", f"{_MODEL}/labels/{{label}}")


def _with(end: str) -> tuple[str, ...]:
    return tuple(path + end for path in _SERVED)


ROUTES = (
    Route("predict", "POST", _with(":predict"), "Run a signature on rows or columns of inputs.",
          _BODY, takes="PredictRequest", gives="PredictAnswer"),
    Route("classify", "POST", _with(":classify"), "Run a signature made for classification.",
          _BODY, takes="ExamplesRequest", gives="ClassifyAnswer"),
    Route("regress", "POST", _with(":regress"), "Run a signature made for regression.",
          _BODY, takes="ExamplesRequest", gives="RegressAnswer"),
    Route("models", "GET", ("/v1/models",), "The model, its version, signatures and class names.",
          gives="Models"),
    Route("status", "GET", _SERVED, "The states of the model's versions.", (404,), gives="Status"),
    Route("metadata", "GET", _with("/metadata"), "The model's signatures.", (404,),
          gives="Metadata"),
    Route("page", "GET", ("/",), "A page that shows the model's answers to images.", (404,), HTML),
    Route("healthz", "GET", ("/healthz",), "200 while the server runs.", media_type=TEXT),
    Route("readyz", "GET", ("/readyz",), "200 while the server accepts requests, else 503.",
          media_type=TEXT),
    Route("metrics", "GET", ("/metrics",), "Metrics for Prometheus.", media_type=PROMETHEUS),
    Route("openapi", "GET", ("/openapi.json",), "This description.", gives="OpenAPI"),
)  # fmt: skip

_PARAMETERS = {"model": r"[^/:]+", "version": r"\d+", "label": r"[^/:]+"}


@dataclass(frozen=True)
class Match:
    """A route and the values of its path's parameters, as they stand in the path.

    Attributes:
        route: None if a path is known but not by this method, or not at all.
        parameters: by name.
        methods: that the path is known by.
    """

    route: Route | None
    parameters: dict[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()


def _pattern(path: str) -> re.Pattern[str]:
    """A pattern of a path; without regard to case, as in TensorFlow Serving."""
    parts = re.split(r"\{(\w+)\}", path)
    text = "".join(
        f"(?P<{part}>{_PARAMETERS[part]})" if i % 2 else re.escape(part)
        for i, part in enumerate(parts)
    )
    return re.compile(text, re.ASCII | re.IGNORECASE)


_PATTERNS = [(route, _pattern(path)) for route in ROUTES for path in route.paths]


def find(method: str, path: str) -> Match:
    """Finds the route of a request.

    Args:
        method: of HTTP, in capitals.
        path: as sent, with its percent signs, without query.
    """
    method = "GET" if method == "HEAD" else method
    methods: list[str] = []
    for route, pattern in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        if route.method == method:
            return Match(route, match.groupdict(), (method,))
        methods += ["GET", "HEAD"] if route.method == "GET" else [route.method]
    return Match(None, {}, tuple(methods))
