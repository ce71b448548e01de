"""What the stands of Redis and Kafka, and their tests, have in common: one user, and what can be wrong with a form."""

from collections.abc import Mapping
from typing import Any

from tests.harness.nowhere import NO_SUCH_HOST

Form = tuple[dict[str, Any], dict[str, str]]
USER, PASSWORD, WRONG = "shop", "s3cret-0f-the-shop", "wr0ng-p4ssword"

TOLD_APART: Mapping[str, tuple[str, str, str]] = {
    "wrong host": ("UNKNOWN_HOST", "resolve", "/config/host"),
    "wrong port": ("CONNECTION_REFUSED", "connect", "/config/port"),
    "wrong TLS": ("TLS_NOT_SPOKEN", "tls", "/config/tls"),
    "wrong credentials": ("AUTH_REJECTED", "authenticate", "/credentials/password"),
    "silent server": ("RESPONSE_TIMEOUT", "authenticate", "/config/host"),
}
"""Case → code, step and field that a verification has to give."""


def cases(
    good: Form, *, missing: dict[str, Any], unencrypted_port: int, closed_port: int, silent: Form
) -> dict[str, Form]:
    """The columns of the table of verification, from a good form; `missing` is config that asks for too much."""
    config, credentials = good
    return {
        "good": good,
        "wrong host": (config | {"host": NO_SUCH_HOST}, credentials),
        "wrong port": (config | {"port": closed_port}, credentials),
        "wrong TLS": (config | {"port": unencrypted_port}, credentials),
        "wrong credentials": (config, {"password": WRONG}),
        "missing permission": (config | missing, credentials),
        "silent server": silent,
    }


def found(verdict: Any) -> tuple[str, str, str]:
    """Code, step and field of a failure that tells no password."""
    assert verdict.failure is not None, verdict
    assert PASSWORD not in str(verdict)
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


def statuses(verdict: Any) -> list[str]:
    """How each step ended."""
    return [step.status for step in verdict.steps]
