-- An end that is read once more is dated when it was told, never after now and never before it was asked for.
update verifications v
set outcome = ended.outcome, failure = ended.failure, completed_at = ended.at,
    expires_at = case when ended.outcome = 'verified' then ended.at + $5::interval end
from (
  select e.id, e.outcome, e.failure, greatest(w.requested_at, least(e.told_at, clock_timestamp())) as at
  from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::timestamptz[]) as e (id, outcome, failure, told_at)
  join verifications w on w.id = e.id
) as ended
where v.id = ended.id and v.outcome = 'pending'
