import json
import time
from typing import Any

import pytest
import trustme

from clearline.catalogue import ClearlineError
from clearline.probes.forms import check_addresses, parse_config, parse_credentials
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.probe import Form
from clearline.probes.registry import KINDS, kind_named

TCP = {"host": "db.example.com", "port": 5432}
POSTGRES = {"host": "db.example.com", "database": "w", "user": "u"}
HTTP = {"url": "https://api.example.com/health"}
OAUTH2 = HTTP | {"auth": "oauth2", "client_id": "c", "token_url": "https://login.example.com/token"}
SUPABASE = {"url": "https://abc.example.com"}
REDIS = {"host": "cache.example.com", "user": "u", "tls": "verify-full"}
KAFKA = {"host": "kafka.example.com", "tls": "verify-full", "sasl_mechanism": "SCRAM-SHA-256", "user": "u"}
TLS = {"host": "a.example.com"}
CANARY = "s3cr3t-c4nary"
AUTHORITY = trustme.CA().cert_pem.bytes().decode()


def faults(kind: str, raw: object) -> dict[str, str]:
    with pytest.raises(ClearlineError) as refused:
        parse_config(KINDS[kind], raw)
    assert refused.value.code == "VALIDATION_FAILED"
    for error in refused.value.errors:
        assert error.detail.endswith((".", "expects it.")), error
        assert CANARY not in json.dumps([error.pointer, error.detail])
    assert CANARY not in str(refused.value)
    return {error.pointer: error.code for error in refused.value.errors}


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        ("tcp", {}, {"/config/host": "FIELD_REQUIRED", "/config/port": "FIELD_REQUIRED"}),
        ("tcp", None, {"/config": "FIELD_TYPE"}),
        ("tcp", [1], {"/config": "FIELD_TYPE"}),
        ("tcp", {"host": object(), "port": 1}, {"/config": "FIELD_TYPE"}),
        ("tcp", TCP | {"port": 0}, {"/config/port": "PORT_OUT_OF_RANGE"}),
        ("tcp", TCP | {"port": 70_000}, {"/config/port": "PORT_OUT_OF_RANGE"}),
        ("tcp", TCP | {"port": -1}, {"/config/port": "PORT_OUT_OF_RANGE"}),
        ("tcp", TCP | {"port": 10**40}, {"/config/port": "PORT_OUT_OF_RANGE"}),
        ("tcp", TCP | {"port": "5432"}, {"/config/port": "FIELD_TYPE"}),
        ("tcp", TCP | {"port": True}, {"/config/port": "FIELD_TYPE"}),
        ("tcp", TCP | {"port": 1.5}, {"/config/port": "FIELD_TYPE"}),
        ("tcp", TCP | {"port": None}, {"/config/port": "FIELD_TYPE"}),
        ("tcp", TCP | {"host": 5}, {"/config/host": "FIELD_TYPE"}),
        ("tcp", TCP | {"host": ""}, {"/config/host": "FIELD_REQUIRED"}),
        ("tcp", TCP | {"host": "a\r\nb"}, {"/config/host": "CONTROL_CHARACTERS"}),
        ("tcp", TCP | {"host": "a\u202eb"}, {"/config/host": "CONTROL_CHARACTERS"}),
        ("tcp", TCP | {"host": "a\ud800"}, {"/config/host": "CONTROL_CHARACTERS"}),
        ("tcp", TCP | {"host": "db.example.com/x"}, {"/config/host": "FIELD_FORMAT"}),
        ("tcp", TCP | {"host": " db.example.com"}, {"/config/host": "FIELD_FORMAT"}),
        ("tcp", TCP | {"host": "h" * 1_000_000}, {"/config/host": "FIELD_TOO_LONG"}),
        ("tcp", TCP | {"extra": 1}, {"/config/extra": "FIELD_UNKNOWN"}),
        ("tcp", TCP | {"a/b~c": 1}, {"/config/a~1b~0c": "FIELD_UNKNOWN"}),
        ("tcp", TCP | {"password": CANARY}, {"/config/password": "SECRET_IN_PUBLIC_FIELD"}),
        ("tcp", TCP | {"api_key": CANARY}, {"/config/api_key": "SECRET_IN_PUBLIC_FIELD"}),
        ("tcp", TCP | {"host": f"postgres://u:{CANARY}@h"}, {"/config/host": "URL_WITH_CREDENTIALS"}),
        ("tcp", TCP | {"note": {"deep": f"Bearer {CANARY}"}},
         {"/config/note": "FIELD_UNKNOWN", "/config/note/deep": "SECRET_IN_PUBLIC_FIELD"}),
        ("postgres", POSTGRES | {"tls": "yes"}, {"/config/tls": "FIELD_FORMAT"}),
        ("postgres", POSTGRES | {"database": f"password={CANARY}"}, {"/config/database": "SECRET_IN_PUBLIC_FIELD"}),
        ("postgres", POSTGRES | {"schemas": "public"}, {"/config/schemas": "FIELD_TYPE"}),
        ("postgres", POSTGRES | {"schemas": ["public", "a\0b"]}, {"/config/schemas/1": "CONTROL_CHARACTERS"}),
        ("postgres", POSTGRES | {"ca_certificate": "-----BEGIN RSA PRIVATE KEY-----\nx"},
         {"/config/ca_certificate": "SECRET_IN_PUBLIC_FIELD"}),
        ("postgres", POSTGRES | {"ca_certificate": "nonsense"}, {"/config/ca_certificate": "FIELD_FORMAT"}),
        ("http", {"url": f"https://u:{CANARY}@api.example.com/"}, {"/config/url": "URL_WITH_CREDENTIALS"}),
        ("http", {"url": "https://u@api.example.com/"}, {"/config/url": "URL_WITH_CREDENTIALS"}),
        ("http", {"url": f"https://api.example.com/?api_key={CANARY}"}, {"/config/url": "SECRET_IN_PUBLIC_FIELD"}),
        ("http", {"url": "https://api.example.com:0/"}, {"/config/url": "PORT_OUT_OF_RANGE"}),
        ("http", {"url": "https://api.example.com:70000/"}, {"/config/url": "PORT_OUT_OF_RANGE"}),
        ("http", {"url": "https://api.example.com\n/"}, {"/config/url": "CONTROL_CHARACTERS"}),
        ("http", {"url": "ftp://api.example.com/"}, {"/config/url": "FIELD_FORMAT"}),
        ("http", {"url": "file:///etc/passwd"}, {"/config/url": "FIELD_FORMAT"}),
        ("http", {"url": "https:///x"}, {"/config/url": "FIELD_FORMAT"}),
        ("http", {"url": "https://[::1/x"}, {"/config/url": "FIELD_FORMAT"}),
        ("http", {"url": "https://good.example\\@evil.example/"}, {"/config/url": "URL_WITH_CREDENTIALS"}),
        ("http", {"url": "https://good.example\\.evil.example/"}, {"/config/url": "FIELD_FORMAT"}),
        ("http", {"url": "https://api.example.com/#x"}, {"/config/url": "FIELD_FORMAT"}),
        ("http", HTTP | {"expected_status": 99}, {"/config/expected_status": "FIELD_RANGE"}),
        ("http", HTTP | {"expected_status": 600}, {"/config/expected_status": "FIELD_RANGE"}),
        ("http", HTTP | {"method": "TRACE"}, {"/config/method": "FIELD_FORMAT"}),
        ("http", HTTP | {"auth": "basic"}, {"/config/username": "FIELD_REQUIRED"}),
        ("http", HTTP | {"auth": "basic", "username": "a:b"}, {"/config/username": "FIELD_FORMAT"}),
        ("http", HTTP | {"header_name": "Host"}, {"/config/header_name": "FIELD_FORMAT"}),
        ("http", HTTP | {"header_name": "a b"}, {"/config/header_name": "FIELD_FORMAT"}),
    ],
)  # fmt: skip
def test_a_wrong_config_names_field_and_code(kind: str, raw: Any, expected: dict[str, str]) -> None:
    assert faults(kind, raw) == expected


def test_a_form_nested_without_end_is_refused_and_not_a_crash() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert faults("tcp", TCP | {"x": nested}) == {"/config": "FIELD_TYPE"}


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    "value",
    [
        f"Bearer {CANARY}",
        "Basic dXNlcjpodW50ZXIy",
        JWT,
        f"https://x.example/?x=1&client_secret={CANARY}",
        f"host=h password={CANARY}",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_refused_in_any_public_field(value: str) -> None:
    assert faults("postgres", POSTGRES | {"database": value})["/config/database"] == "SECRET_IN_PUBLIC_FIELD"


@pytest.mark.parametrize(
    "part", ["?passw", "-eyJaaaaaaaa", "://", "://a:", "Bearer ", "password ", "password=", " ", "?a"]
)
def test_a_long_text_is_searched_in_no_time(part: str) -> None:
    begun = time.process_time()
    faults("tcp", TCP | {"host": part * (60_000 // len(part))})
    assert time.process_time() - begun < 1


def test_many_faults_are_bounded() -> None:
    assert len(faults("tcp", {f"field{number}": 1 for number in range(1000)})) == 20


def texts(model: type[Form]) -> list[str]:
    fields: dict[str, dict[str, Any]] = model.model_json_schema().get("properties", {})
    return [
        name
        for name, one in fields.items()
        if "enum" not in one and one.get("type") not in ("integer", "array", "boolean")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_of_every_form_refuses_control_characters(kind: str) -> None:
    forms = ((KINDS[kind].config, parse_config), (KINDS[kind].credentials, parse_credentials))
    for parse, name in ((parse, name) for model, parse in forms for name in texts(model)):
        with pytest.raises(ClearlineError) as refused:
            parse(KINDS[kind], {name: "a\x00b"})
        codes = {error.pointer.split("/")[2]: error.code for error in refused.value.errors}
        assert codes[name] in {"CONTROL_CHARACTERS", "FIELD_FORMAT"}, name


def test_credentials_that_the_config_needs_must_be_there_and_others_must_not() -> None:
    kind = KINDS["http"]
    config = parse_config(kind, HTTP | {"auth": "bearer"})
    assert parse_credentials(kind, {"token": CANARY}, config=config).given() == {"token": CANARY}
    assert parse_credentials(kind, {}, config=config, stored=("token",)).given() == {}
    with pytest.raises(ClearlineError) as refused:
        parse_credentials(kind, {"password": CANARY}, config=config)
    assert {error.pointer: error.code for error in refused.value.errors} == {
        "/credentials/token": "FIELD_REQUIRED",
        "/credentials/password": "FIELD_UNKNOWN",
    }
    assert CANARY not in str(refused.value)


def test_a_secret_that_the_form_requires_may_stay_stored() -> None:
    kind = kind_named("postgres")
    config = parse_config(kind, {"host": "db.example.com", "database": "w", "user": "u"})
    assert parse_credentials(kind, {}, config=config, stored=("password",)).given() == {}
    assert parse_credentials(kind, {"password": "s"}, config=config, stored=("password",)).given() == {"password": "s"}
    with pytest.raises(ClearlineError):
        parse_credentials(kind, {}, config=config)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ({"password": ""}, "FIELD_REQUIRED"),
        ({"password": 5}, "FIELD_TYPE"),
        ({"password": "a\nb"}, "CONTROL_CHARACTERS"),
        ({"password": "x" * 10_000}, "FIELD_TOO_LONG"),
        ({"passwort": CANARY, "password": "x"}, "FIELD_UNKNOWN"),
        ("password", "FIELD_TYPE"),
    ],
)
def test_wrong_credentials_name_their_field(raw: object, code: str) -> None:
    with pytest.raises(ClearlineError) as refused:
        parse_credentials(KINDS["postgres"], raw)
    assert refused.value.errors[0].code == code
    assert refused.value.errors[0].pointer.startswith("/credentials")
    assert CANARY not in str(refused.value)


def test_secrets_never_show_in_a_form() -> None:
    credentials = parse_credentials(KINDS["postgres"], {"password": CANARY})
    assert CANARY not in repr(credentials) + str(credentials) + json.dumps(credentials.as_json())


def test_a_private_address_is_refused_at_its_field_without_resolving() -> None:
    for kind, raw, pointer in [
        ("tcp", TCP | {"host": "0x7f.1"}, "/config/host"),
        ("http", {"url": "http://[::ffff:169.254.169.254]/latest"}, "/config/url"),
        ("http", {"url": "http://2130706433/"}, "/config/url"),
    ]:
        config = parse_config(KINDS[kind], raw)
        with pytest.raises(ClearlineError) as refused:
            check_addresses(KINDS[kind], config, OutboundPolicy())
        [error] = refused.value.errors
        assert (error.pointer, error.code) == (pointer, "ADDRESS_FORBIDDEN")
    check_addresses(KINDS["tcp"], parse_config(KINDS["tcp"], TCP), OutboundPolicy())


def test_an_unknown_kind_is_told_with_the_known_ones() -> None:
    with pytest.raises(ClearlineError) as refused:
        kind_named("mainframe")
    [error] = refused.value.errors
    assert (error.pointer, error.code) == ("/kind", "KIND_UNKNOWN")
    assert "postgres" in error.detail


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("tcp", TCP, TCP | {"host": "DB.example.com."}),
        ("postgres", POSTGRES, POSTGRES | {"port": 5432, "database": "other", "user": "v", "schemas": ["s"]}),
        ("http", HTTP, {"url": "HTTPS://API.example.com:443/other?x=1", "expected_status": 204, "auth": "bearer"}),
        ("redis", REDIS, REDIS | {"user": "v", "database": 3}),
        ("kafka", KAFKA, KAFKA | {"user": "v", "consumer_group": "g"}),
        ("tls", TLS, TLS | {"minimum_days": 14}),
    ],
)
def test_what_does_not_move_the_secret_keeps_the_destination(kind: str, one: Any, other: Any) -> None:
    chosen = KINDS[kind]
    assert chosen.destination(parse_config(chosen, one)) == chosen.destination(parse_config(chosen, other))


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("tcp", TCP, TCP | {"port": 5433}),
        ("postgres", POSTGRES, POSTGRES | {"host": "db2.example.com"}),
        ("postgres", POSTGRES, POSTGRES | {"tls": "disable"}),
        ("postgres", POSTGRES | {"tls": "verify-full"},
         POSTGRES | {"tls": "verify-full", "ca_certificate": AUTHORITY}),
        ("http", HTTP, {"url": "http://api.example.com/health"}),
        ("http", HTTP, {"url": "https://api.example.com:444/health"}),
        ("http", HTTP, {"url": "https://api2.example.com/health"}),
        ("http", HTTP, HTTP | {"ca_certificate": AUTHORITY}),
        ("http", OAUTH2, OAUTH2 | {"token_url": "https://login2.example.com/token"}),
        ("http", OAUTH2, OAUTH2 | {"token_url": "https://login.example.com/evil"}),
        ("http", OAUTH2, OAUTH2 | {"url": "https://api2.example.com/health"}),
        ("http", OAUTH2, OAUTH2 | {"url": "http://api.example.com/health", "ca_certificate": AUTHORITY}),
        ("supabase", SUPABASE, {"url": "http://abc.example.com"}),
        ("supabase", SUPABASE, SUPABASE | {"ca_certificate": AUTHORITY}),
        ("redis", REDIS, REDIS | {"tls": "require"}),
        ("redis", REDIS, REDIS | {"port": 6380}),
        ("redis", REDIS, REDIS | {"ca_certificate": AUTHORITY}),
        ("kafka", KAFKA, KAFKA | {"sasl_mechanism": "PLAIN"}),
        ("kafka", KAFKA, KAFKA | {"tls": "disable"}),
        ("kafka", KAFKA, KAFKA | {"ca_certificate": AUTHORITY}),
        ("tls", TLS, TLS | {"server_name": "b.example.com"}),
        ("tls", TLS, TLS | {"ca_certificate": AUTHORITY}),
    ],
)  # fmt: skip
def test_what_moves_the_secret_changes_the_destination(kind: str, one: Any, other: Any) -> None:
    chosen = KINDS[kind]
    assert chosen.destination(parse_config(chosen, one)) != chosen.destination(parse_config(chosen, other))


@pytest.mark.parametrize(("kind", "raw"), [("tcp", TCP), ("postgres", POSTGRES), ("http", HTTP)])
def test_a_config_survives_being_stored(kind: str, raw: object) -> None:
    config = parse_config(KINDS[kind], raw)
    assert parse_config(KINDS[kind], config.as_json()) == config


@pytest.mark.parametrize("name", ["(", "a[0]", "[", "", "a/b~c"])
def test_an_unknown_field_is_told_whatever_it_is_called(name: str) -> None:
    with pytest.raises(ClearlineError) as refused:
        parse_config(kind_named("tcp"), {"host": "db.example.com", "port": 1, name: 1})
    assert [each.code for each in refused.value.errors] == ["FIELD_UNKNOWN"]
