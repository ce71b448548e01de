"""One form after another for every kind, as suites over all kinds fill them in: host and port → config, credentials."""

from collections.abc import Callable
from typing import Any

from tests.harness.authority import Authority

SECRET = "hunter2-s3cret-c4nary"

Sample = Callable[[str, int], tuple[dict[str, Any], dict[str, str]]]
OURS = Authority().issue("clearline")
SAMPLES: dict[str, list[Sample]] = {
    "tls": [
        lambda host, port: ({"host": host, "port": port}, {}),
        lambda host, port: (
            {"host": host, "port": port, "client_certificate": OURS.certificate},
            {"client_key": OURS.key},
        ),
    ],
    "tcp": [lambda host, port: ({"host": host, "port": port}, {})],
    "postgres": [
        lambda host, port: (
            {
                "host": host,
                "port": port,
                "database": "d",
                "user": "u",
                "tls": "verify-full",
                "client_certificate": OURS.certificate,
            },
            {"password": SECRET, "client_key": OURS.key},
        ),
        *(
            lambda host, port, tls=tls: (
                {"host": host, "port": port, "database": "d", "user": "u", "tls": tls},
                {"password": SECRET},
            )
            for tls in ("disable", "prefer", "require", "verify-full")
        ),
    ],
    "redis": [
        lambda host, port: ({"host": host, "port": port, "database": 1}, {}),
        *(
            lambda host, port, tls=tls: (
                {"host": host, "port": port, "user": "u", "tls": tls, "commands": ["get"], "keys": ["k"]},
                {"password": SECRET},
            )
            for tls in ("disable", "require", "verify-full")
        ),
    ],
    "kafka": [
        lambda host, port: ({"host": host, "port": port, "consumer_group": "g"}, {}),
        *(
            lambda host, port, tls=tls, mechanism=mechanism: (
                {"host": host, "port": port, "tls": tls, "sasl_mechanism": mechanism, "user": "u"},
                {"password": SECRET},
            )
            for tls, mechanism in (("disable", "PLAIN"), ("require", "SCRAM-SHA-256"), ("verify-full", "SCRAM-SHA-512"))
        ),
    ],
    "http": [
        lambda host, port: ({"url": f"http://{host}:{port}/", "auth": "bearer"}, {"token": SECRET}),
        lambda host, port: ({"url": f"https://{host}:{port}/", "auth": "api_key"}, {"api_key": SECRET}),
        lambda host, port: (
            {"url": f"http://{host}:{port}/", "auth": "basic", "username": "u"},
            {"password": SECRET},
        ),
        lambda host, port: (
            {
                "url": f"https://{host}:{port}/",
                "auth": "oauth2",
                "token_url": f"http://{host}:{port}/token",
                "client_id": "c",
                "client_certificate": OURS.certificate,
            },
            {"client_secret": SECRET, "client_key": OURS.key},
        ),
    ],
    "supabase": [
        lambda host, port, scheme=scheme: (  # type: ignore[misc]  # the scheme is bound, not passed
            {"url": f"{scheme}://{host}:{port}"},
            {"anon_key": f"sb_publishable_{SECRET}", "service_key": f"sb_secret_{SECRET}"},
        )
        for scheme in ("http", "https")
    ],
    "dns": [
        lambda host, port, transport=transport: (  # type: ignore[misc]  # the transport is bound, not passed
            {"name": "example.com", "record_type": "MX", "resolver": host, "port": port, "transport": transport},
            {},
        )
        for transport in ("udp", "tcp")
    ],
}
