"""A finding with a code that the catalogue does not know ends as a safe failure, and the process counts it."""

from prometheus_client import generate_latest

from clearline.catalogue import load
from clearline.chassis.metrics import Metrics
from clearline.probes.probe import StepFailed
from clearline.probes.redact import Redactor
from clearline.probes.verdict import failure_of


def test_a_finding_of_an_unknown_code_is_counted() -> None:
    metrics = Metrics()
    catalogue = load(metrics.count_catalogue_miss)
    for code in ("AUTH_REJECTED", "CODE_OF_TOMORROW", "ANOTHER"):
        failure = failure_of(StepFailed(code), None, known={}, redactor=Redactor(()), catalogue=catalogue)
        assert failure.code == (code if code == "AUTH_REJECTED" else "UNEXPECTED")
    exposed = generate_latest(metrics.registry).decode()
    assert "clearline_catalogue_miss_total 2.0" in exposed
    assert "TOMORROW" not in exposed
