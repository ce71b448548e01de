select count(*) filter (where not waits) as pending,
       count(*) filter (where waits) as parked,
       coalesce(extract(epoch from clock_timestamp() - min(created_at) filter (where not waits)), 0)::float8 as oldest_seconds
from (
  select o.created_at,
         o.parked_at is not null
           or exists (select from outbox p where p.parked_at is not null and p.topic = o.topic and p.key = o.key) as waits
  from outbox o
) as every
