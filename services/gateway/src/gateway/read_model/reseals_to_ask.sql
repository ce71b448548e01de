-- Connections with an envelope under another key, which this rotation has not asked for.
select p.id, p.environment, p.kind
from service_connection_profiles p
where exists (select from connection_credentials c where c.connection_id = p.id and c.key_id <> $1)
  and not exists (select from reseals r where r.connection_id = p.id and r.rotation_id = $2)
limit $3
for update of p skip locked
