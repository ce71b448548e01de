select id, environment, kind, live_revision
from service_connection_profiles
where lifecycle = 'active' and (renew_at is null or renew_at <= $1)
order by renew_at nulls first
limit $2
for update skip locked
