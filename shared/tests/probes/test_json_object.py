"""What a server sends as JSON, and what is looked into."""

import pytest

from clearline.probes.json_object import MAX_JSON, object_in


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"no", b"\xff\xfe", b"[" * 60_000, b'{"a":' * 10_000, b'{"a": ' + b"1" * 5_000 + b"}",
     b'{"a": [' + b"[]," * MAX_JSON + b"0]}"],
    ids=["nothing", "list", "word", "no UTF-8", "deep", "deep objects", "a number of 5,000 digits", "too long"],
)  # fmt: skip
def test_what_is_no_object_or_too_long_is_an_empty_one(body: bytes) -> None:
    assert object_in(body) == {}


def test_an_object_is_read() -> None:
    assert object_in(b'{"code": "PGRST205"}') == {"code": "PGRST205"}
