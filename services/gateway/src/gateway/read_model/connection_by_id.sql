select id, name, environment, owner, kind, beat, lifecycle, revision, live_revision, last_live_revision, sequence,
       created_at, created_by, updated_at, updated_by
from service_connection_profiles
where id = $1
