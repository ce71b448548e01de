-- An end is dated when the verifier told it, never after now and never before it was asked for. "Now" is the database's
-- clock, with which readers compare: a verifier's clock that is wrong makes a success end earlier, never later.
update verifications v
set outcome = ended.outcome, failure = ended.failure, steps = ended.steps,
    (completed_at, expires_at) = (
      select dated.at, case when ended.outcome = 'verified' then dated.at + $6::interval end
      from (select greatest(v.requested_at, least(ended.told_at, now_.at))) as dated (at))
from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::jsonb[], $5::timestamptz[]) as ended (id, outcome, failure, steps, told_at),
     (select clock_timestamp() as at) as now_
where v.id = ended.id and v.outcome = 'pending'
