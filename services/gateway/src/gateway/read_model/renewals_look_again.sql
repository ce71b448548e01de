update service_connection_profiles p set renew_at = again.at
from unnest($1::uuid[], $2::timestamptz[]) as again (id, at)
where p.id = again.id
