update outbox o set parked_at = clock_timestamp(), parked_why = refused.why
from unnest($1::bigint[], $2::text[]) as refused (id, why)
where o.id = refused.id
