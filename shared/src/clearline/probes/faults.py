"""What an exception of the network means: exactly one code of the catalogue, and the field of the form to look at."""

import asyncio
import errno
import os
import re
import socket
import ssl
import traceback
from collections.abc import Mapping

from clearline.contracts.verification import StepName
from clearline.probes.dial import Dial, ForbiddenAddressError
from clearline.probes.probe import Climb, Endpoint, StepFailed

_TIMEOUTS: Mapping[StepName, str] = {"resolve": "RESOLVE_TIMEOUT", "connect": "CONNECT_TIMEOUT", "tls": "TLS_TIMEOUT"}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}

_CERTIFICATE_CODES = {
    9: "TLS_CERTIFICATE_EXPIRED",  # not yet valid
    10: "TLS_CERTIFICATE_EXPIRED",
    18: "TLS_SELF_SIGNED",
    19: "TLS_UNKNOWN_AUTHORITY",  # a self-signed one further up the chain
    20: "TLS_UNKNOWN_AUTHORITY",
    21: "TLS_UNKNOWN_AUTHORITY",
    62: "TLS_WRONG_HOST",
    64: "TLS_WRONG_HOST",  # an address that the certificate does not name
}
"""`X509_V_ERR_…` of OpenSSL, x509_vfy.h."""

_CERTIFICATE_FAULTS = {
    9: "the certificate is not yet valid",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "a self-signed certificate stands in the chain",
    20: "the issuer of a certificate is not known",
    21: "the first certificate's issuer was not sent",
    62: "the certificate is for other names",
    64: "the certificate is for other addresses",
}
"""The same in words."""

_NAME_ERRORS = {
    socket.EAI_AGAIN: "the name servers did not answer",
    socket.EAI_FAIL: "the name servers failed",
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME): "the name has no address",
    socket.EAI_NONAME: "there is no such name",
}

_OPENSSL_REASON = re.compile(r"[A-Z][A-Z0-9_]{2,63}")
"""A constant of OpenSSL's tables, such as WRONG_VERSION_NUMBER."""

_NOT_TLS = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
}

_OUR_CERTIFICATE = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "SSLV3_ALERT_BAD_CERTIFICATE",  # some servers of TLS 1.2 say so when there is none at all
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "TLSV1_ALERT_UNKNOWN_CA",
    "TLSV1_ALERT_ACCESS_DENIED",
    "TLSV1_ALERT_DECRYPT_ERROR",
}
"""Alarms (RFC 8446, section 6.2) that a server sends about the certificate that it was shown, or was not."""
CLIENT_CERTIFICATE_FIELD = "/config/client_certificate"


def explain(error: BaseException, climb: Climb, step: StepName, dial: Dial) -> StepFailed:
    """The finding that an exception stands for. What nobody knows is our fault: `VERIFIER_FAILED`."""
    endpoint = climb.endpoint
    if isinstance(error, ForbiddenAddressError) or dial.refused:
        verdict = dial.refused[-1]
        return StepFailed(
            "ADDRESS_FORBIDDEN", field=endpoint.host_field, address=str(verdict.address), why=verdict.reason.value
        )
    if dial.exhausted:
        return too_large(endpoint, dial)
    if isinstance(error, StepFailed):
        return error
    with_certificate = "client_key" in climb.credentials.given()
    return network_fault(error, endpoint, step, with_certificate=with_certificate)


def too_large(endpoint: Endpoint, dial: Dial) -> StepFailed:
    """The other side sent more than a step may read."""
    return StepFailed("RESPONSE_TOO_LARGE", field=endpoint.port_field, limit=dial.read_bytes)


def timed_out(step: StepName, endpoint: Endpoint, seconds: float) -> StepFailed:
    """A step's deadline has passed."""
    code = _TIMEOUTS.get(step, "RESPONSE_TIMEOUT")
    return StepFailed(code, field=endpoint.host_field, seconds=round(seconds, 3))


def network_fault(
    error: BaseException, endpoint: Endpoint, step: StepName, *, with_certificate: bool = False
) -> StepFailed:
    """The finding for what sockets, name look-ups and TLS raise. With or without a certificate of ours to refuse."""
    match error:
        case ssl.SSLCertVerificationError():
            return _certificate_fault(error, endpoint)
        case ssl.SSLError():
            return _tls_fault(error, endpoint, with_certificate=with_certificate)
        case socket.gaierror() | UnicodeError():
            return _name_fault(error, endpoint)
        case TimeoutError():
            return StepFailed(_TIMEOUTS.get(step, "RESPONSE_TIMEOUT"), field=endpoint.host_field)
        case _:
            return _socket_fault(error, endpoint)


def _socket_fault(error: BaseException, endpoint: Endpoint) -> StepFailed:
    why = told_of(error)
    match error:
        case ConnectionRefusedError():
            return StepFailed("CONNECTION_REFUSED", field=endpoint.port_field)
        case ConnectionError():
            return StepFailed("CONNECTION_RESET", field=endpoint.port_field, why=why)
        case EOFError():
            return StepFailed("SERVER_CLOSED", field=endpoint.port_field, why=why)
        case OSError() if error.errno in _UNREACHABLE:
            return StepFailed("NETWORK_UNREACHABLE", field=endpoint.host_field, why=why)
        case _:
            return StepFailed("VERIFIER_FAILED", detail=_where(error), why=why)


def _tls_fault(error: ssl.SSLError, endpoint: Endpoint, *, with_certificate: bool) -> StepFailed:
    why = told_of(error)
    if error.reason in _OUR_CERTIFICATE and with_certificate:
        return StepFailed("TLS_CLIENT_CERTIFICATE_REFUSED", field=CLIENT_CERTIFICATE_FIELD, why=why)
    if error.reason in _OUR_CERTIFICATE:
        return StepFailed("TLS_CLIENT_CERTIFICATE_REQUIRED", field=CLIENT_CERTIFICATE_FIELD, why=why)
    if error.reason in _NOT_TLS:
        return StepFailed("TLS_NOT_SPOKEN", field=endpoint.tls_field, why=why)
    hung_up = error.reason == "UNEXPECTED_EOF_WHILE_READING"  # to Python 3.11.2 an error like any other
    if hung_up or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return StepFailed("SERVER_CLOSED", field=endpoint.port_field, why=why)
    return StepFailed("TLS_HANDSHAKE_FAILED", field=endpoint.tls_field, why=why)


def _name_fault(error: socket.gaierror | UnicodeError, endpoint: Endpoint) -> StepFailed:
    """`EAI_AGAIN` is a name server that did not answer; everything else says that there is no such name."""
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return StepFailed("RESOLVE_TIMEOUT", field=endpoint.host_field, detail=told_of(error))
    return StepFailed("UNKNOWN_HOST", field=endpoint.host_field, why=told_of(error))


def _certificate_fault(error: ssl.SSLCertVerificationError, endpoint: Endpoint) -> StepFailed:
    code = _CERTIFICATE_CODES.get(error.verify_code, "TLS_HANDSHAKE_FAILED")
    field = endpoint.host_field if code == "TLS_WRONG_HOST" else endpoint.tls_field
    why = _CERTIFICATE_FAULTS.get(error.verify_code, f"OpenSSL's verification code {error.verify_code}")
    return StepFailed(code, field=field, why=why, detail=why)


def told_of(error: BaseException) -> str:
    """The exception's type and, from closed lists, its meaning. Its own text may hold what was sent, altered or not."""
    name = type(error).__name__
    match error:
        case asyncio.IncompleteReadError():
            return "the connection was closed in the middle of an answer"
        case ssl.SSLError() if error.reason and _OPENSSL_REASON.fullmatch(error.reason):
            return f"{name}: {error.reason}"
        case socket.gaierror() if error.errno in _NAME_ERRORS:
            return f"{name}: {_NAME_ERRORS[error.errno]}"
        case OSError() if error.errno in errno.errorcode and not isinstance(error, ssl.SSLError | socket.gaierror):
            return f"{name}: {os.strerror(error.errno or 0)}"
        case _:
            return name


def _where(error: BaseException) -> str:
    """For our own mistakes: the place in the code, which is all that is safe to tell of them."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if str(frame.f_globals.get("__name__")).startswith("clearline.")]
    return f"Raised in {ours[-1].f_globals['__name__']}.{ours[-1].f_code.co_name}." if ours else ""
