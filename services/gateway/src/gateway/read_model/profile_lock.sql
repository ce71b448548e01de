-- Nothing but the row itself: what depends on the lock is read after it.
select id, name, environment, owner, kind, beat, lifecycle, revision, live_revision, live_verification_id,
       last_live_revision, sequence
from service_connection_profiles
where id = $1
for update
