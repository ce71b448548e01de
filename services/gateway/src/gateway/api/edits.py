"""From an edit as it was sent to the command: what was left out stays, so absence has to survive the way."""

from uuid import UUID

from gateway.api.connection_requests import BeatRequest, EditConnectionRequest
from gateway.commands.edit_connection import UNCHANGED, EditConnection
from gateway.commands.lifecycle import ExpectedVersion


def edit_of(connection_id: UUID, expected: ExpectedVersion, body: EditConnectionRequest) -> EditConnection:
    """The use case that an edit asks for."""
    given = body.model_fields_set
    return EditConnection(
        connection_id=connection_id,
        expected=expected,
        name=body.name if "name" in given else None,
        owner=body.owner if "owner" in given else UNCHANGED,
        environment=body.environment,
        kind=body.kind,
        beat=(body.beat or BeatRequest()).draft() if "beat" in given else None,
        config=body.config if "config" in given else None,
        credentials=body.credentials,
    )
