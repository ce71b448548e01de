select r.connection_id, p.name, r.environment, r.completed_at, r.failure
from reseals r
join service_connection_profiles p on p.id = r.connection_id
where r.rotation_id = $1 and r.outcome = 'failed'
order by r.completed_at, r.connection_id
limit $2
