"""Opens a request's envelopes for exactly the place that they were sealed for."""

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import Envelope
from clearline.contracts.verification import VerificationRequested
from clearline.probes.forms import parse_credentials
from clearline.probes.probe import Credentials, Form, Kind
from clearline.probes.sealing import Opener


def opened(request: VerificationRequested, kind: Kind, config: Form, opener: Opener) -> Credentials:
    """The credentials that this config needs. Raises `CREDENTIALS_UNREADABLE` or `VALIDATION_FAILED`."""
    usable = kind.allowed_credentials(config)
    envelopes = {field: envelope for field, envelope in request.envelopes.items() if field in usable}
    destination = kind.destination(config)
    raw = {field: _open(request, opener, field, one, destination) for field, one in envelopes.items()}
    return parse_credentials(kind, raw, config=config)


def _open(request: VerificationRequested, opener: Opener, field: str, envelope: Envelope, destination: str) -> str:
    """A stored secret is bound to its connection, one of unsaved values to its test; a test may use both."""
    subjects = [str(subject) for subject in (request.connection_id, request.verification_id) if subject is not None]
    *earlier, last = subjects
    for subject in earlier:
        try:
            return opener.open(envelope, subject=subject, kind=request.kind, field=field, destination=destination)
        except ClearlineError:
            continue
    return opener.open(envelope, subject=last, kind=request.kind, field=field, destination=destination)
