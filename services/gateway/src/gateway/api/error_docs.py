"""`/docs/errors`: where the link in every problem leads. Public, as problems are; what operators read is left out."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import get_args

from fastapi import APIRouter
from starlette.responses import Response

from clearline.catalogue import Catalogue, Entry, load
from clearline.catalogue.entry import SOURCE_LOCALE, Domain
from clearline.catalogue.render import DOMAIN_TITLES, OWNER_WORDS, RETRY_WORDS

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "h3{margin:2rem 0 0}:target{outline:2px solid;outline-offset:.5rem}"
)
_HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "public, max-age=3600",  # the text changes with a version alone
}


def error_docs() -> APIRouter:
    """The route with its page, rendered once."""
    router, page = APIRouter(), rendered(load())

    @router.get("/docs/errors", include_in_schema=False)
    async def errors() -> Response:
        return Response(page, headers=_HEADERS, media_type="text/html; charset=utf-8")

    return router


def rendered(catalogue: Catalogue) -> str:
    """The whole page. No script, nothing from elsewhere."""
    return "\n".join(_page(catalogue)) + "\n"


def _page(catalogue: Catalogue) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>Clearline: errors</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>Errors</h1>"
    yield "<p>What Clearline says when something is wrong, and what helps. What stands in braces is filled in.</p>"
    for domain in get_args(Domain):
        yield f'<h2 id="{domain}">{escape(DOMAIN_TITLES[domain])}</h2>'
        for entry in catalogue:
            if entry.domain == domain:
                yield from _section(entry)
    yield "</body>\n</html>"


def _section(entry: Entry) -> Iterator[str]:
    _, message = entry.message(SOURCE_LOCALE)
    owner, retry = OWNER_WORDS[entry.fault_owner], RETRY_WORDS[entry.retry_class]
    yield f'<section id="{entry.code}">\n<h3>{escape(message.title)}</h3>'
    yield f"<p><code>{entry.code}</code>, HTTP status {entry.http_status}</p>"
    yield f"<p><strong>{escape(message.user_message)}</strong></p>\n<ol>"
    yield from (f"<li>{escape(step)}</li>" for step in message.remediation)
    yield f"</ol>\n<p>The fault lies with {escape(owner)}. Try again? {escape(retry)}.</p>\n</section>"
