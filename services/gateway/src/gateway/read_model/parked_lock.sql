-- One parked event, locked; its environment is its connection's, where it is about one.
select o.id, o.topic, o.key, o.headers, o.parked_why,
       (select c.environment from service_connection_profiles c where c.id::text = o.key) as environment
from outbox o
where o.id = $1 and o.parked_at is not null
for update of o
