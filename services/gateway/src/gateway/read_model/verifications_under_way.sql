select id
from verifications
where connection_id = $1 and outcome = 'pending' and ($2::integer is null or revision = $2)
order by requested_at, id
