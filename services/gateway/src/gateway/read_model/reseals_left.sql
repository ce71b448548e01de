select exists (
  select from connection_credentials c
  where c.key_id <> $1 and not exists (select from reseals r where r.connection_id = c.connection_id and r.rotation_id = $2))
