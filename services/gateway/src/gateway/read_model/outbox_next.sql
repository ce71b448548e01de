-- The oldest events that may go. One whose key has a parked event waits behind it.
select o.id, o.topic, o.key, o.headers, o.value
from outbox o
where o.parked_at is null
  and not exists (select from outbox p where p.parked_at is not null and p.topic = o.topic and p.key = o.key)
order by o.id
limit $1
