-- Revisions that kept a secret share its envelope: each is asked for once.
select distinct on (c.field, c.sealed) c.field, r.destination, c.key_id, c.sealed, c.changed_at
from connection_credentials c
join connection_revisions r using (connection_id, revision)
where c.connection_id = $1 and c.key_id <> $2
order by c.field, c.sealed
