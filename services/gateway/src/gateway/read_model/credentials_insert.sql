insert into connection_credentials (connection_id, environment, revision, field, key_id, sealed, changed_at)
select $1, $2, $3, given.field, given.key_id, given.sealed, given.changed_at
from unnest($4::text[], $5::text[], $6::text[], $7::timestamptz[]) as given (field, key_id, sealed, changed_at)
