with blocked as (
  select distinct topic, key from outbox where parked_at is not null
)
select count(*) filter (where b.topic is null) as pending,
       count(*) filter (where b.topic is not null) as parked,
       coalesce(extract(epoch from clock_timestamp() - min(o.created_at) filter (where b.topic is null)), 0)::float8
         as oldest_seconds
from outbox o
left join blocked b on b.topic = o.topic and b.key = o.key
