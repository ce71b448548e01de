select v.*
from unnest($1::uuid[], $2::integer[]) as wanted (connection_id, revision)
cross join lateral (
  select id, connection_id, revision, outcome, why, correlation_id, requested_at, requested_by, completed_at, expires_at,
         failure, steps
  from verifications v
  where v.connection_id = wanted.connection_id and v.revision = wanted.revision
  order by requested_at desc, id desc
  limit 1
) v
