"""The link in every problem leads somewhere, without a token and without any script."""

import re
from html.parser import HTMLParser

import httpx2

from clearline.catalogue import ClearlineError, load
from gateway.api.app import create_api
from gateway.api.error_docs import rendered
from gateway.api.problem import problem_of


class Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name == "id"]


async def test_where_a_problem_points_its_code_is_explained() -> None:
    link = problem_of(ClearlineError("CONNECTION_NOT_VERIFIED"), instance="/", correlation_id="x")["type"]
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(create_api()), base_url="http://gateway") as client:
        answer = await client.get(link)
        api = (await client.get("/openapi.json")).json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f'id="{link.partition("#")[2]}"' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"].startswith("public")
    assert "/docs/errors" not in api["paths"]


def test_every_code_is_there_once_and_no_script_and_nothing_for_operators() -> None:
    page, ids = rendered(load()), Ids()
    ids.feed(page)
    assert sorted(each for each in ids.found if each.isupper()) == sorted(entry.code for entry in load())
    assert not ids.tags & {"script", "link", "img", "iframe", "form", "a"}
    assert not re.search(r"https?://", page)
    assert all(entry.operator_summary not in page for entry in load())
