-- Events that Kafka refused for good, and how many of their key wait behind each.
select p.id, p.topic, p.key, p.parked_at, p.parked_why,
       (select count(*) from outbox o where o.topic = p.topic and o.key = p.key and o.id > p.id) as waiting
from outbox p
where p.parked_at is not null
order by p.id
limit $1
