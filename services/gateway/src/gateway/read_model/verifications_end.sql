-- The database's clock decides when it ended and how long it holds: it is the clock that readers compare with. An end
-- that is read once more is dated when it was told, never after now and never before it was asked for.
update verifications v
set outcome = ended.outcome, failure = ended.failure, steps = ended.steps,
    (completed_at, expires_at) = (
      select dated.at, case when ended.outcome = 'verified' then dated.at + $6::interval end
      from (select case when ended.told_at is null then now_.at
                        else greatest(v.requested_at, least(ended.told_at, now_.at)) end) as dated (at))
from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::jsonb[], $5::timestamptz[]) as ended (id, outcome, failure, steps, told_at),
     (select clock_timestamp() as at) as now_
where v.id = ended.id and v.outcome = 'pending'
