"""Requests drawn from the service's own description: no 5xx, and no answer that it does not describe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import SmallMap
from tests.api.test_bounds import serving

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
CASES = {"short": 250, "long": 20_000}
_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large,
          HealthCheck.function_scoped_fixture]  # fmt: skip


@pytest.fixture(scope="module")
def base(make_map: Callable[[], SmallMap], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service on a map that may be written to."""
    with serving(make_map(), home=tmp_path_factory.mktemp("home")) as base:
        yield base.rstrip("/")


@pytest.fixture(scope="module")
def schema(base: str) -> Any:
    """Its description."""
    return schemathesis.openapi.from_dict(httpx.get(f"{base}/api", timeout=30).json())


def drawn(count: int, **more: Any) -> settings:
    """So many examples, the same each time, neither kept nor shrunk."""
    return settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=_QUIET, **more,
    )  # fmt: skip


@pytest.mark.parametrize("size", ["short", pytest.param("long", marks=pytest.mark.long)])
def test_each_operation_answers_as_it_is_described(size: str, base: str, schema: Any) -> None:
    operations = [found.ok() for found in schema.get_all_operations()]
    done = 0
    failed: list[str] = []

    for operation in operations:
        # A quarter of the operations take few different requests: the others make up for them.
        @drawn(1 + CASES[size] * 4 // (3 * len(operations)))
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal done
            done += 1
            case.call_and_validate(base_url=base, checks=CHECKS, timeout=60)

        try:
            ask()
        except FailureGroup as group:
            failed += [f"{operation.label}: {error}" for error in group.exceptions]
    assert done >= CASES[size]
    assert not failed, "\n\n".join(failed)


@pytest.mark.parametrize("size", ["short", pytest.param("long", marks=pytest.mark.long)])
def test_what_one_answer_names_the_next_request_uses(size: str, base: str, schema: Any) -> None:
    class Machine(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": base, "timeout": 60}

        def validate_response(self, response: Any, case: Any, **_more: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    count = 5 if size == "short" else 400
    Machine.run(settings=drawn(count, stateful_step_count=5))
