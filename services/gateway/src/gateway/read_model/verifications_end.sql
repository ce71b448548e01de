-- The database's clock decides when it ended and how long it holds: it is the clock that readers compare with.
update verifications v
set outcome = ended.outcome, failure = ended.failure, completed_at = now_.at,
    expires_at = case when ended.outcome = 'verified' then now_.at + $4::interval end
from unnest($1::uuid[], $2::text[], $3::jsonb[]) as ended (id, outcome, failure),
     (select clock_timestamp() as at) as now_
where v.id = ended.id and v.outcome = 'pending'
