"""Refusals that lead to the mend: what is wrong is named where it is, in words that hold."""

from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration


async def test_the_audit_finds_what_a_reference_caused(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    for number in range(2):
        await client.post(
            "/connections", json=tcp_draft(name=f"c{number}"), headers={"x-correlation-id": f"followed-{number}"}
        )
    found = await client.get("/audit", params={"correlation_id": "followed-1"})
    assert found.status_code == 200, found.text
    assert [each["after"]["name"] for each in found.json()["items"]] == ["c1"]
    assert (await client.get("/audit", params={"correlation_id": "followed-2"})).json()["items"] == []


async def test_an_unknown_kind_is_named_as_that(stand: ApiStand) -> None:
    client = await stand.client_of("viewer")
    for kind in ("teapot", "t" * 64):
        answer = await client.get(f"/connection-kinds/{kind}")
        assert (answer.status_code, answer.json()["code"]) == (404, "KIND_UNKNOWN")
