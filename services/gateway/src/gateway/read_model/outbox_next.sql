-- The oldest events that may go. One whose key has a parked event waits behind it; topics ($2) and keys ($3, $4) that
-- Kafka does not take from now are left out.
select o.id, o.topic, o.key, o.headers, o.value
from outbox o
where o.parked_at is null
  and not exists (select from outbox p where p.parked_at is not null and p.topic = o.topic and p.key = o.key)
  and o.topic <> all ($2::text[])
  and (o.topic, o.key) not in (select * from unnest($3::text[], $4::text[]))
order by o.id
limit $1
