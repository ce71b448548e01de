select id, connection_id, revision, outcome, why, correlation_id, requested_at, requested_by, completed_at, expires_at,
       failure, steps
from verifications
where connection_id = $1 and ($2::timestamptz is null or (requested_at, id) < ($2, $3::uuid))
order by requested_at desc, id desc
limit $4
