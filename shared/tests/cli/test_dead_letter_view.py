"""What nobody could handle may hold anything: of its texts only our own words are shown."""

import json

from clearline.cli.letter_view import body_view

SECRET = "hunter2-s3cret"


def test_ids_and_closed_words_stay_and_all_other_texts_become_their_length() -> None:
    body = {
        "verification_id": "6f1d4b1e-6c7a-5f0e-9a53-2f1c7f0c2b11",
        "kind": "postgres",
        "revision": 2,
        "why": f"{SECRET} and more words",
        "config": {"name": SECRET, "url": SECRET},
        "credentials": {"id": [SECRET]},
        "steps": [{"name": "connect", "evidence": {"code": SECRET}, "message": SECRET}],
    }
    seen = body_view(json.dumps(body).encode())
    assert SECRET not in json.dumps(seen)
    assert (seen["verification_id"], seen["kind"], seen["revision"]) == (body["verification_id"], "postgres", 2)
    assert seen["steps"][0]["name"] == "connect"
    assert seen["config"]["url"] == f"({len(SECRET)} characters)"


def test_what_is_not_json_is_only_counted() -> None:
    assert body_view(f"{{{SECRET}".encode()) == f"{len(SECRET) + 1} bytes that are not JSON"
    assert body_view(b"[" * 100_000) == "100000 bytes that are not JSON"
    assert body_view(b"\xff") == "1 bytes that are not JSON"
    assert body_view(None) == "none: a tombstone"
    assert SECRET not in str(body_view(json.dumps(SECRET).encode()))
