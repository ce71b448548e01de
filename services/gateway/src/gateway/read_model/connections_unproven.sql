-- Active connections whose live revision no longer has what would let it go live now, by what its newest end is.
select p.environment, verification_status(newest.outcome, newest.expires_at, clock_timestamp()) as status, count(*) as connections
from service_connection_profiles p
cross join lateral (
  select outcome, expires_at
  from verifications v
  where v.connection_id = p.id and v.revision = p.live_revision and v.completed_at is not null
  order by completed_at desc, id desc
  limit 1
) newest
where p.lifecycle = 'active'
group by p.environment, status
