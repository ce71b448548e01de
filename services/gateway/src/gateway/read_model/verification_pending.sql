select id, correlation_id
from verifications
where connection_id = $1 and revision = $2 and outcome = 'pending'
