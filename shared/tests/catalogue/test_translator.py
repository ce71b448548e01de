"""Translation never breaks, never grows and never tells users what only operators may read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from clearline.catalogue import ClearlineError, FieldError, load, translate
from clearline.catalogue.translator import Catalogue, parse
from clearline.catalogue.wording import NOT_KNOWN

CODES = st.sampled_from(sorted(load().entries))
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text()), st.just(10**5000)
)
NAMES = st.sampled_from(["host", "port", "address", "why", "status", "limit", "minimum", "permission", "elsewhere"])


@settings(deadline=None)  # the machine is shared: time says nothing here
@given(code=st.one_of(CODES, st.text()), variables=st.dictionaries(NAMES, VALUES), locale=st.text(max_size=8))
def test_whatever_is_passed_a_bounded_line_comes_out(code: str, variables: dict[str, object], locale: str) -> None:
    told = load().translate(code, variables, locale=locale)
    for text in (told.title, told.user_message, told.operator_summary, *told.remediation):
        assert text
        assert len(text) < 1500
        assert "\n" not in text
        assert "\r" not in text


def test_values_are_filled_in() -> None:
    told = translate("CONNECTION_REFUSED", {"host": "db.example.com", "port": 5432, "address": "192.0.2.1"})
    assert told.operator_summary == "db.example.com:5432 (192.0.2.1) refused the connection."
    assert "db.example.com" not in told.user_message


def test_everything_that_a_reader_needs_is_told() -> None:
    told = translate("AUTH_REJECTED", {})
    assert (told.retry_class, told.retryable, told.fault_owner) == ("config", False, "ours")
    assert (told.severity, told.http_status, told.docs_url) == ("error", 422, "/docs/errors#AUTH_REJECTED")
    assert translate("CONNECT_TIMEOUT").retryable
    assert not translate("VERIFIER_FAILED").retryable


def test_missing_mistyped_and_boundless_values_read_not_known() -> None:
    for port in (None, "5432", True, 70000, -1, 5.5, 10**5000):
        summary = translate("CONNECTION_REFUSED", {"host": "h", "port": port, "address": "a"}).operator_summary
        assert summary == f"h:{NOT_KNOWN} (a) refused the connection."


def test_a_number_without_a_bound_of_its_own_is_bounded_all_the_same() -> None:
    for limit in (10**16, -(10**5000), float("inf"), float("nan")):
        assert f"the {NOT_KNOWN} bytes" in translate("BODY_TOO_LARGE", {"limit": limit}).user_message
        assert NOT_KNOWN in translate("FIELD_RANGE", {"minimum": limit, "maximum": 1}).user_message


def test_whole_numbers_are_written_out() -> None:
    assert "1048576" in translate("FIELD_RANGE", {"minimum": 1, "maximum": 1048576}).user_message
    assert "0.5" in translate("FIELD_RANGE", {"minimum": 0.5, "maximum": 1.0}).user_message


def test_a_value_cannot_start_a_new_line_or_bring_a_placeholder() -> None:
    told = translate("UNKNOWN_HOST", {"host": "a\n{why}\u2028\u202eb\x1b[31m", "why": "SECRET"})
    assert told.operator_summary == "The name a {why} b [31m has no address: SECRET."


def test_long_text_is_cut_and_says_so() -> None:
    summary = translate("UNKNOWN_HOST", {"host": "h" * 9999, "why": "w"}).operator_summary
    assert "h" * 254 + "…" in summary
    assert "h" * 255 not in summary


def test_an_unknown_code_is_told_safely_and_counted() -> None:
    missed: list[str] = []
    catalogue = load(missed.append)
    told = catalogue.translate("NO_SUCH_CODE", {"why": "w"})
    assert told.code == "UNEXPECTED"
    assert "NO_SUCH_CODE" not in repr(told)
    assert missed == ["NO_SUCH_CODE"]
    catalogue.translate("AUTH_REJECTED")
    assert missed == ["NO_SUCH_CODE"]


def test_a_translated_message_is_spoken_where_there_is_one() -> None:
    text = """
version = 1
[variables]
[codes.X]
domain = "request"
retry_class = "config"
fault_owner = "ours"
severity = "info"
http_status = 400
title = "T"
user_message = "M"
operator_summary = "S"
remediation = ["R"]
[codes.X.messages.de]
title = "DT"
user_message = "DM"
remediation = ["DR"]
"""
    catalogue = Catalogue(*parse(text))
    for locale in ("de", "de-AT"):
        told = catalogue.translate("X", locale=locale)
        assert (told.locale, told.title, told.user_message, told.remediation) == ("de", "DT", "DM", ("DR",))
        assert told.operator_summary == "S"
    assert catalogue.translate("X", locale="fr").title == "T"


def test_an_error_tells_operators_everything_on_one_line() -> None:
    error = ClearlineError(
        "VALIDATION_FAILED",
        errors=[FieldError.of("/config/port", "PORT_OUT_OF_RANGE")],
        operator_detail="line\nbreak",
        retry_after=3,
    )
    assert str(error) == (
        "VALIDATION_FAILED: The input breaks the rules that its field errors name. [line break] "
        "/config/port: PORT_OUT_OF_RANGE."
    )
    assert error.errors[0].detail.startswith("A port is a whole number")
    assert error.retry_after == 3


def test_an_error_is_told_by_the_catalogue_that_counts() -> None:
    missed: list[str] = []
    assert ClearlineError("NOPE").translation(load(missed.append)).code == "UNEXPECTED"
    assert missed == ["NOPE"]


def test_programs_get_the_values_that_users_may_read_and_no_others() -> None:
    told = load().translate(
        "CONNECTION_CHANGED", {"version": 4, "given": "3\n" + "9" * 100, "connection_id": "c", "expected": "undeclared"}
    )
    assert told.metadata["version"] == 4
    assert str(told.metadata["given"]).startswith("3 999")
    assert len(str(told.metadata["given"])) == 60
    assert set(told.metadata) == {"version", "given"}, "ids are for operators"
    assert load().translate("CONNECTION_CHANGED", {"version": "four", "given": None}).metadata == {}
