-- Of each live revision: its newest success (rule 1 says that there is one) and what ended badly after it.
select wanted.connection_id, proof.completed_at as proven_at, proof.expires_at, bad.failures, bad.failed_at, bad.retry_class
from unnest($1::uuid[], $2::integer[]) as wanted (connection_id, revision)
cross join lateral (
  select completed_at, expires_at
  from verifications v
  where v.connection_id = wanted.connection_id and v.revision = wanted.revision and v.outcome = 'verified'
  order by completed_at desc, id desc
  limit 1
) proof
cross join lateral (
  select count(*) as failures, max(completed_at) as failed_at,
         (array_agg(failure ->> 'retry_class' order by completed_at desc) filter (where outcome = 'failed'))[1] as retry_class
  from (
    select completed_at, outcome, failure
    from verifications v
    where v.connection_id = wanted.connection_id and v.revision = wanted.revision and v.completed_at > proof.completed_at
      and v.outcome in ('failed', 'cancelled')
    order by completed_at desc
    limit 20
  ) recent
) bad
