"""The small map of tests/api, for the tests that show requirements of standards."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import make_map, own_map, service, shared_map, small_settings

__all__ = ["make_map", "own_map", "service", "shared_map", "small_settings"]


@pytest.fixture(scope="session")
def collections(service: TestClient) -> list[dict[str, Any]]:
    """All collections of features as they are described; the catalogue holds records."""
    told = service.get("/collections", headers={"Accept-Language": "en"}).json()
    return [each for each in told["collections"] if each["itemType"] == "feature"]


@pytest.fixture(scope="session")
def parameters(service: TestClient) -> dict[str, dict[str, Any]]:
    """The parameters of the wells' items, as the API definition has them."""
    paths = service.get("/api").json()["paths"]
    return {each["name"]: each for each in paths["/collections/wells/items"]["get"]["parameters"]}
