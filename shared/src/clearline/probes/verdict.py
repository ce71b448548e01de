"""Turns a finding into the failure that users and operators read, in the catalogue's words and without any secret."""

from collections.abc import Mapping

from clearline.catalogue import Catalogue, load
from clearline.contracts.verification import Failure, StepName
from clearline.probes.probe import StepFailed
from clearline.probes.redact import Redactor

DETAIL_LENGTH = 1_000


def failure_of(
    finding: StepFailed,
    step: StepName | None,
    *,
    known: Mapping[str, object],
    redactor: Redactor,
    catalogue: Catalogue | None = None,
) -> Failure:
    """The failure of a step. `known` are variables that every finding of this climb has."""
    variables = {name: _clean(value, redactor) for name, value in {**known, **finding.variables}.items()}
    told = (catalogue or load()).translate(finding.code, variables)
    detail = redactor.line(f"{told.operator_summary} {finding.detail}", DETAIL_LENGTH)
    return Failure(
        code=told.code,
        step=step,
        field=finding.field,
        message=told.user_message,
        remediation=told.remediation,
        retry_class=told.retry_class,
        retryable=told.retryable,
        fault_owner=told.fault_owner,
        docs_url=told.docs_url,
        operator_detail=detail,
    )


def _clean(value: object, redactor: Redactor) -> object:
    return redactor.line(value) if isinstance(value, str) else value
