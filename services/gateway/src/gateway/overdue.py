"""Ends what nobody answered, and forgets tests of unsaved values after their hour: duties of the clock.

The verifier answers what is overdue by itself, and dead letters publish their failure; only what got no answer at all
(no verifier lived until its deadline) ends here, a minute later. So no request ends in silence.
"""

from datetime import datetime, timedelta

from clearline.catalogue import translate
from clearline.contracts import verification
from clearline.contracts.verification import Failure
from gateway.projections.verifications import shown
from gateway.read_model import sql
from gateway.read_model.changes import Change, tell
from gateway.read_model.pools import Connection

OVERDUE = "VERIFICATION_OVERDUE"
GRACE = timedelta(minutes=1)
TESTS_KEPT = timedelta(hours=1)
"""As the policies of connection_tests say, which hide older ones from everybody at once."""
MOST = 100
"""Rows in one transaction."""


def overdue_before(now: datetime) -> datetime:
    """Verifications whose deadline is earlier have had their chance."""
    return now - GRACE


def overdue_failure() -> Failure:
    """What a person is told about a verification that nobody answered."""
    told = translate(OVERDUE, {})
    return Failure(
        code=told.code,
        step=None,
        field=None,
        message=told.user_message,
        remediation=told.remediation,
        retry_class=told.retry_class,
        retryable=told.retryable,
        fault_owner=told.fault_owner,
        docs_url=told.docs_url,
        operator_detail=f"{told.operator_summary} No answer came until a minute after it.",
    )


async def end_overdue_verifications(connection: Connection, now: datetime) -> int:
    """Of saved connections: each ends as failed, with the reason that nobody came."""
    rows = await connection.fetch(sql("verifications_overdue"), overdue_before(now), MOST)
    if not rows:
        return 0
    ids, failure = [row["id"] for row in rows], overdue_failure()
    await connection.execute(sql("verifications_overdue_end"), ids, now, shown(failure))
    details = [failure.operator_detail for _ in rows]
    await connection.execute(sql("operator_details_write"), ids, [row["environment"] for row in rows], details)
    await tell(connection, [Change.of(verification.FAILED, row["connection_id"], row["environment"]) for row in rows])
    return len(rows)


async def end_overdue_tests(connection: Connection, now: datetime) -> int:
    """Of unsaved values: the same."""
    rows = await connection.fetch(sql("connection_tests_overdue"), overdue_before(now), MOST)
    if not rows:
        return 0
    ids, failure = [row["id"] for row in rows], overdue_failure()
    await connection.execute(sql("connection_tests_overdue_end"), ids, now, shown(failure), failure.operator_detail)
    return len(rows)


async def forget_old_tests(connection: Connection, now: datetime) -> int:
    """Their rows and steps go; nobody has seen them since their hour was over."""
    done = await connection.execute(sql("connection_tests_sweep"), now - TESTS_KEPT, MOST)
    return int(done.split()[-1])
