select id, connection_id, revision, outcome, why, correlation_id, requested_at, requested_by, completed_at, expires_at,
       failure, steps
from verifications
where connection_id = $1 and id = $2
