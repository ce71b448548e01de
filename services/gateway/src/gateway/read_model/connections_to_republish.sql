select id, tombstoned_at is not null as gone
from service_connection_profiles
where id > $1
order by id
limit $2
