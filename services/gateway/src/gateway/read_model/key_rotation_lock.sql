-- The rotation that still asks, for one gateway at a time.
select id, key_id, correlation_id, requested_by
from key_rotations
where asked_at is null
for update skip locked
