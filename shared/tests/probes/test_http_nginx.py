"""Kind `http`, and `tls` where it differs, against a real nginx."""

import gzip
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.harness.authority import Authority
from tests.harness.nginx import PROGRAM, Nginx, nginx
from tests.harness.programs import program

from clearline.probes.ladder import Limits
from clearline.testing.hostile_servers import Listening, serving, silent

pytestmark = pytest.mark.integration

GIB = 1024**3
PASSWORD, TOKEN, API_KEY, SECRET = "n9inx-p4ss", "n9inx-t0ken-c4nary", "n9inx-k3y", "n9inx-s3cret"
PAIR = b64encode(f"clearline:{SECRET}".encode()).decode()
LOCATIONS = """
location = /health {{ return 200 ok; }}
location /basic {{
    auth_basic x; auth_basic_user_file {folder}/users; empty_gif;
    location /basic/forbidden {{ try_files /nothing @forbidden; }}
}}
location @forbidden {{ return 403; }}
location /bearer {{
    if ($http_authorization != "Bearer {token}") {{ return 401; }}
    if ($uri = /bearer/forbidden) {{ return 403; }}
    return 200 ok;
}}
location /api_key {{ if ($http_x_api_key != "{api_key}") {{ return 401; }} return 200 ok; }}
location = /token {{
    default_type application/json;
    if ($request_method != POST) {{ return 405; }}
    if ($http_authorization != "Basic {pair}") {{ return 401 '{{"error": "invalid_client"}}'; }}
    return 200 '{{"access_token": "{token}", "token_type": "Bearer", "expires_in": 60, "scope": "read"}}';
}}
location = /loop {{ return 302 /loop; }}
location = /away {{ return 302 http://127.0.0.2:{canary}/; }}
location = /limited {{ add_header Retry-After 7 always; return 429; }}
location = /busy {{ return 503; }}
location /files {{ alias {folder}/files; }}
location /bomb {{ alias {folder}/files; add_header Content-Encoding gzip; }}
location /drip {{ alias {folder}/files; limit_rate 1; }}
"""


@dataclass(frozen=True, slots=True)
class Stand:
    """One nginx with everything, and one that lets in only clients of the authority."""

    authority: Authority
    server: Nginx
    mutual: Nginx
    canary: Listening

    def url(self, path: str = "/health", *, scheme: str = "https", port: int = 0) -> dict[str, Any]:
        port = port or (self.server.tls_port if scheme == "https" else self.server.port)
        asked = {"url": f"{scheme}://localhost:{port}{path}"}
        return asked | ({"ca_certificate": self.authority.pem} if scheme == "https" else {})


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    folder, found = tmp_path_factory.mktemp("nginx"), program(**PROGRAM)
    authority = Authority()
    (folder / "users").write_text(f"clearline:{{PLAIN}}{PASSWORD}\n")
    _fill(folder / "files")
    between = Authority("Between", above=authority)
    others = {
        "TLS_CERTIFICATE_EXPIRED": authority.issue("localhost", expired=True),
        "TLS_WRONG_HOST": authority.issue("other.example.com"),
        "TLS_SELF_SIGNED": authority.issue("localhost", self_signed=True),
        "TLS_UNKNOWN_AUTHORITY": between.issue("localhost", with_chain=False),
    }
    async with serving(silent, host="127.0.0.2") as canary:
        locations = LOCATIONS.format(folder=folder, canary=canary.port, token=TOKEN, api_key=API_KEY, pair=PAIR)
        own = between.issue("localhost")
        async with (
            nginx(found, folder, locations=locations, certificate=own, others=others) as server,
            nginx(
                found, folder / "mutual", locations="location / { return 200 ok; }", certificate=own, clients=authority
            ) as mutual,
        ):
            yield Stand(authority, server, mutual, canary)


def _fill(files: Path) -> None:
    files.mkdir()
    with (files / "huge").open("wb") as huge:
        huge.truncate(GIB)  # sparse
    (files / "zeros.gz").write_bytes(gzip.compress(b"\0" * 100_000_000, 9))
    (files / "line").write_bytes(b"a byte a second" * 100)


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


OAUTH2 = {"auth": "oauth2", "client_id": "clearline", "scope": "read"}
Way = tuple[str, dict[str, Any], str, str]
WAYS: list[Way] = [
    ("/basic", {"auth": "basic", "username": "clearline"}, "password", PASSWORD),
    ("/bearer", {"auth": "bearer"}, "token", TOKEN),
    ("/api_key", {"auth": "api_key"}, "api_key", API_KEY),
    ("/bearer", OAUTH2, "client_secret", SECRET),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[1]["auth"])
async def test_each_way_to_authenticate(stand: Stand, climbing: Any, way: Way) -> None:
    path, config, field, secret = way
    token_url = {"token_url": stand.url("/token")["url"]} if config["auth"] == "oauth2" else {}
    good = await climbing("http", stand.url(path) | config | token_url, {field: secret})
    wrong = await climbing("http", stand.url(path) | config | token_url, {field: "wr0ng-s3cret"})
    assert good.status == "verified", good.failure
    assert [step.status for step in good.steps] == ["passed"] * 6
    assert found(wrong) == ("AUTH_REJECTED", "authenticate", f"/credentials/{field}")
    for told in (str(good), str(wrong)):
        assert not any(kept in told for kept in (PASSWORD, TOKEN, API_KEY, SECRET, "wr0ng"))


@pytest.mark.parametrize("path", ["/basic/forbidden", "/bearer/forbidden"])
async def test_being_let_in_is_not_being_allowed(stand: Stand, climbing: Any, path: str) -> None:
    way = {"auth": "basic", "username": "clearline"} if "basic" in path else {"auth": "bearer"}
    secret = {"password": PASSWORD} if "basic" in path else {"token": TOKEN}
    verdict = await climbing("http", stand.url(path) | way, secret)
    assert found(verdict)[:2] == ("PERMISSION_MISSING", "authorize")


async def test_a_scope_that_the_token_server_leaves_out_is_missing(stand: Stand, climbing: Any) -> None:
    config = stand.url("/bearer") | OAUTH2 | {"token_url": stand.url("/token")["url"], "scope": "read write"}
    verdict = await climbing("http", config, {"client_secret": SECRET})
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/scope")
    assert verdict.steps[4].evidence["scopes"] == {"read": True, "write": False}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/loop", "REDIRECTED"),
        ("/away", "REDIRECTED"),
        ("/limited", "RATE_LIMITED_BY_REMOTE"),
        ("/busy", "SERVER_UNAVAILABLE"),
        ("/nothing", "UNEXPECTED_STATUS"),
        ("/files/huge", "RESPONSE_TOO_LARGE"),
        ("/drip/line", "RESPONSE_TIMEOUT"),
    ],
)
async def test_what_an_answer_may_be(stand: Stand, climbing: Any, path: str, code: str) -> None:
    begun = time.monotonic()
    verdict = await climbing("http", stand.url(path), limits=Limits(step_seconds=1.5))
    assert found(verdict)[:2] == (code, "exercise")
    assert stand.canary.connections == 0
    assert time.monotonic() - begun < 10


async def test_a_compression_bomb_stays_packed(stand: Stand, climbing: Any) -> None:
    verdict = await climbing("http", stand.url("/bomb/zeros.gz"))
    assert verdict.status == "verified", verdict.failure
    assert verdict.steps[-1].evidence["bytes"] < 200_000


@pytest.mark.parametrize(
    "code", ["TLS_CERTIFICATE_EXPIRED", "TLS_WRONG_HOST", "TLS_SELF_SIGNED", "TLS_UNKNOWN_AUTHORITY"]
)
async def test_a_wrong_certificate_of_each_kind(stand: Stand, climbing: Any, code: str) -> None:
    port = stand.server.others[code]
    http = await climbing("http", stand.url(port=port) | {"auth": "bearer"}, {"token": TOKEN})
    tls = await climbing("tls", {"host": "localhost", "port": port, "ca_certificate": stand.authority.pem})
    for verdict in (http, tls):
        assert found(verdict)[:2] == (code, "tls")
        assert verdict.steps[2].evidence["certificate"]["fingerprint_sha256"]
        assert verdict.steps[2].evidence["chain"]["complete"] is (code != "TLS_UNKNOWN_AUTHORITY")


async def test_encryption_where_none_is_and_the_reverse(stand: Stand, climbing: Any) -> None:
    encrypted = await climbing("http", stand.url(port=stand.server.port))
    plain = await climbing("http", stand.url(scheme="http", port=stand.server.tls_port))
    tls = await climbing("tls", {"host": "localhost", "port": stand.server.port})
    assert found(encrypted) == ("TLS_NOT_SPOKEN", "tls", "/config/url")
    assert found(plain) == ("PROTOCOL_MISMATCH", "exercise", "/config/url")
    assert "http, but https" in plain.failure.operator_detail
    assert found(tls) == ("TLS_NOT_SPOKEN", "tls", "/config/port")


async def test_a_server_that_wants_a_certificate_of_ours(stand: Stand, climbing: Any) -> None:
    config = stand.url(port=stand.mutual.tls_port)
    ours, forged = stand.authority.issue("clearline"), Authority("Forger").issue("clearline")
    good = await climbing("http", config | {"client_certificate": ours.certificate}, {"client_key": ours.key})
    none = await climbing("http", config)
    foreign = await climbing("http", config | {"client_certificate": forged.certificate}, {"client_key": forged.key})
    assert good.status == "verified", good.failure
    assert good.steps[2].evidence["client_certificate"]["subject"] == "CN=clearline"
    assert found(none) == ("TLS_CLIENT_CERTIFICATE_REQUIRED", "exercise", "/config/client_certificate")
    assert found(foreign) == ("TLS_CLIENT_CERTIFICATE_REFUSED", "exercise", "/config/client_certificate")
