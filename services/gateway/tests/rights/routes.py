"""What each route of the API needs and answers: the one table that a new route has to be entered in."""

from dataclasses import dataclass
from typing import Any, Literal

Subject = Literal["installation", "list", "connection", "retired connection", "verification", "test", "token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`subject` is what the path leads to; what may not be seen is answered `missing`, as if it were not there."""

    role: str
    answers: int
    subject: Subject = "installation"
    missing: str | None = None
    body: Any = None
    only_everywhere: bool = False
    """Needs a token of every environment; others get 403."""
    code: str | None = None
    """Of a refusal that is this route's good answer here."""
    detail: bool = False
    """Shows operator detail, to operators alone."""


BY_CONNECTION: dict[str, Any] = {"subject": "connection", "missing": "CONNECTION_NOT_FOUND"}
BY_VERIFICATION: dict[str, Any] = {"subject": "verification", "missing": "VERIFICATION_NOT_FOUND"}
BY_TEST: dict[str, Any] = {"subject": "test", "missing": "TEST_NOT_FOUND"}
BY_TOKEN: dict[str, Any] = {"subject": "token", "missing": "TOKEN_NOT_FOUND"}

ROUTES: dict[str, Route] = {
    "testConnection": Route(
        role="operator",
        answers=202,
        body={"environment": "OWN", "kind": "tcp", "config": {"host": "db.example.com", "port": 1}},
    ),
    "getConnectionTest": Route(role="operator", answers=200, **BY_TEST),
    "cancelConnectionTest": Route(role="operator", answers=202, **BY_TEST),
    "createConnection": Route(
        role="operator",
        answers=201,
        body={"name": "NEW", "environment": "OWN", "kind": "tcp", "config": {"host": "db.example.com", "port": 1}},
    ),
    "listConnections": Route(role="viewer", answers=200, subject="list", detail=True),
    "getConnection": Route(role="viewer", answers=200, detail=True, **BY_CONNECTION),
    "editConnection": Route(role="operator", answers=200, body={"owner": "team"}, detail=True, **BY_CONNECTION),
    "retireConnection": Route(role="operator", answers=202, detail=True, **BY_CONNECTION),
    "getConnectionHistory": Route(role="viewer", answers=200, **BY_CONNECTION),
    "activateConnection": Route(role="operator", answers=409, code="CONNECTION_NOT_VERIFIED", **BY_CONNECTION),
    "deactivateConnection": Route(role="operator", answers=200, detail=True, **BY_CONNECTION),
    "eraseConnection": Route(
        role="admin", answers=200, subject="retired connection", missing="CONNECTION_NOT_FOUND", body={}
    ),
    "discardStagedRevision": Route(role="operator", answers=409, code="NOTHING_STAGED", **BY_CONNECTION),
    "verifyConnection": Route(role="operator", answers=202, **BY_CONNECTION),
    "listVerifications": Route(role="viewer", answers=200, detail=True, **BY_CONNECTION),
    "getVerification": Route(role="viewer", answers=200, detail=True, **BY_VERIFICATION),
    "cancelVerification": Route(role="operator", answers=202, detail=True, **BY_VERIFICATION),
    "listConnectionKinds": Route(role="viewer", answers=200),
    "getConnectionKind": Route(role="viewer", answers=200),
    "listErrorCodes": Route(role="viewer", answers=200),
    "listAudit": Route(role="operator", answers=200, subject="list"),
    "createToken": Route(role="admin", answers=201, body={"name": "NEW", "role": "viewer"}),
    "listTokens": Route(role="admin", answers=200, subject="list"),
    "getToken": Route(role="admin", answers=200, **BY_TOKEN),
    "revokeToken": Route(role="admin", answers=204, **BY_TOKEN),
    "getSealingKeys": Route(role="admin", answers=200),
    "rotateSealingKeys": Route(role="admin", answers=202, only_everywhere=True, body={}),
    "getSession": Route(role="viewer", answers=200),
    "getVersion": Route(role="viewer", answers=200),
}
"""Operation of the OpenAPI document → what it needs and answers."""
