select r.connection_id, r.revision, r.config
from unnest($1::uuid[], $2::integer[]) as wanted (connection_id, revision)
join connection_revisions r using (connection_id, revision)
