select id as verification_id, outcome, expires_at
from verifications
where connection_id = $1 and revision = $2 and completed_at is not null
order by completed_at desc, id desc
limit 1
