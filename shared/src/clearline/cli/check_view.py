"""How checks are shown: a table in the order of the files, every failure under it, and JUnit's XML for CI."""

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec

from clearline.cli.answers import Failure
from clearline.cli.checking import Checked
from clearline.cli.lines import Line
from clearline.cli.plain_text import plain
from clearline.cli.problem_view import failure_lines

HEADERS = ("CONNECTION", "KIND", "STATUS", "TIME", "STEP", "CODE")


def check_row(one: Checked) -> tuple[str, ...]:
    """A connection in the table."""
    failure = one.verdict.failure
    return (
        one.item.label,
        one.item.kind.name,
        one.verdict.status,
        f"{one.duration_ms:.0f} ms",
        (failure.step or "") if failure else "",
        failure.code if failure else "",
    )


def check_lines(checked: Sequence[Checked]) -> Iterator[Line]:
    """Each failure in the catalogue's words, with the line of the field to mend, and what all came to."""
    for one in checked:
        failure = one.verdict.failure
        if failure is None:
            continue
        place = one.item.fault(failure.field, failure.code, "").place if failure.field else one.item.place
        yield Line("")
        yield Line(f"{one.item.label} ({place})", "bold")
        yield from failure_lines(msgspec.convert(msgspec.to_builtins(failure), Failure), None)

    yield Line("")
    yield _counted(checked)


def _counted(checked: Sequence[Checked]) -> Line:
    failed = sum(one.verdict.status != "verified" for one in checked)
    if not failed:
        return Line(f"{_connections(len(checked))} verified", "bold", glyph="passed")
    return Line(f"{failed} of {_connections(len(checked))} not verified", "bold", glyph="failed")


def junit(checked: Sequence[Checked]) -> bytes:
    """One test case a connection, as CI systems read it."""
    failed = sum(one.verdict.status == "failed" for one in checked)
    errors = sum(one.verdict.status == "cancelled" for one in checked)
    seconds = sum(one.duration_ms for one in checked) / 1000
    suite = Element(
        "testsuite",
        name="clearline check",
        tests=str(len(checked)),
        failures=str(failed),
        errors=str(errors),
        time=f"{seconds:.3f}",
    )
    for one in checked:
        case = SubElement(
            suite,
            "testcase",
            classname=f"{one.item.environment}.{one.item.kind.name}",
            name=plain(one.item.name),
            file=plain(one.item.file),
            line=str(one.item.place.line),
            time=f"{one.duration_ms / 1000:.3f}",
        )
        if (failure := one.verdict.failure) is not None:
            word = "failure" if one.verdict.status == "failed" else "error"
            told = SubElement(case, word, type=failure.code, message=plain(failure.message))
            told.text = "\n".join(plain(line) for line in (*failure.remediation, failure.operator_detail))
        elif one.verdict.status == "cancelled":
            SubElement(case, "error", type="cancelled", message="The command was interrupted before this one ended.")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode").encode()


def _connections(count: int) -> str:
    return "1 connection" if count == 1 else f"{count} connections"
