"""Ends a running test of unsaved values: the verifier hears of it past every queue, and answers as always."""

from dataclasses import dataclass
from uuid import UUID

from clearline.catalogue import ClearlineError
from clearline.contracts.topics import VERIFICATION_REQUESTS
from clearline.contracts.verification import CANCEL_REQUESTED, VerificationCancelRequested
from gateway.commands.record import write_audit
from gateway.commands.work import Work
from gateway.read_model import sql


@dataclass(frozen=True, slots=True)
class CancelTest:
    """Nobody waits for it any more."""

    test_id: UUID

    async def run(self, work: Work) -> UUID:
        """The id, also of a test that has ended or was cancelled before. Raises TEST_NOT_FOUND."""
        row = await work.connection.fetchrow(sql("connection_test_lock"), self.test_id)
        if row is None:
            raise ClearlineError("TEST_NOT_FOUND")
        if row["outcome"] != "pending" or row["cancelled_by"] is not None:
            return self.test_id
        await work.connection.execute(sql("connection_test_cancelled"), self.test_id, work.by)
        request = VerificationCancelRequested(
            verification_id=self.test_id, connection_id=row["connection_id"], requested_by=work.by
        )
        await work.publish(VERIFICATION_REQUESTS, CANCEL_REQUESTED, self.test_id, request)
        await write_audit(work, "connection.test_cancelled", "test", self.test_id, environment=row["environment"])
        return self.test_id
