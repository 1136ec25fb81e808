"""Requests drawn by schemathesis from the server's own description in OpenAPI.

None is answered with 500, with a code or a body that the description does not have, or with
anything of the server's inside. `make laws` draws 5,000, and watches time and memory too.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.serve.conftest import Client

schemathesis = pytest.importorskip("schemathesis")

HANGS_SECONDS = 5.0
GROWTH_BYTES = 1_000_000_000
INSIDE = ("Traceback", 'File "', "site-packages", str(ROOT), "0x7f", ".py")


def cases(client: Client) -> Any:
    """A strategy of requests: right ones and wrong ones for each operation."""
    from schemathesis import GenerationMode

    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json)
    fuzzed, plain = [], []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.body or operation.path_parameters:
            for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE):
                weight = 4 if operation.path == "/v1/models/{model}:predict" else 1
                fuzzed += [operation.as_strategy(generation_mode=mode)] * weight
        else:
            plain.append(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    return st.one_of(*fuzzed, st.one_of(*plain))


def check(client: Client, case: Any) -> str:
    """Sends a request and checks its answer; returns its operation and code."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    response = case.call(base_url=f"http://127.0.0.1:{client.port}", timeout=60)
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
        ],
    )
    if case.operation.path.startswith("/v1/"):
        assert not [part for part in INSIDE if part in response.text]
    return f"{case.operation.path} {response.status_code}"


def fuzz(client: Client, examples: int) -> Counter[str]:
    """Sends so many drawn requests; returns how many were answered with which code."""
    answers: Counter[str] = Counter()

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=cases(client))
    def run(case: Any) -> None:
        answers[check(client, case)] += 1

    run()
    return answers


def test_drawn_requests(pictures: Client) -> None:
    answers = fuzz(pictures, 60)
    assert sum(answers.values()) >= 60
    assert len({answer.rpartition(" ")[2] for answer in answers}) >= 3


@pytest.mark.laws
@pytest.mark.parametrize("model", ["pictures", "several", "half"])
def test_many_drawn_requests(model: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slowest = 0.0
    answers: Counter[str] = Counter()

    @settings(max_examples=1700, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases(client))
    def run(case: Any) -> None:
        nonlocal slowest
        began = time.monotonic()
        answers[check(client, case)] += 1
        slowest = max(slowest, time.monotonic() - began)

    run()
    assert sum(answers.values()) >= 1700
    assert slowest < HANGS_SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < GROWTH_BYTES
