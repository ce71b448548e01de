-- Compare and set: only where the envelope is still the one that was opened. An edit in between wins.
update connection_credentials c
set key_id = renewed.key_id, sealed = renewed.sealed
from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as renewed (field, replaces, key_id, sealed)
where c.connection_id = $1 and c.field = renewed.field
  and encode(sha256(convert_to(c.sealed, 'UTF8')), 'hex') = renewed.replaces
returning c.field
