-- Pending for a revision that is not among those whose credentials are kept.
select id
from verifications
where connection_id = $1 and outcome = 'pending' and revision <> all ($2::integer[])
order by requested_at, id
