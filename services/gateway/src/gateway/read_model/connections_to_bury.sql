select id, environment
from service_connection_profiles
where lifecycle = 'retired' and tombstoned_at is null and retired_at < $1
order by retired_at
limit $2
for update skip locked
