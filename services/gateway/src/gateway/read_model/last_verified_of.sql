-- Of any revision: when this connection was last proven to work.
select connection_id, max(completed_at) as at
from verifications
where connection_id = any ($1::uuid[]) and outcome = 'verified'
group by connection_id
