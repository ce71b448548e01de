-- What was asked for, and for which key; ended ones too, as a late answer still counts.
select r.reseal_id, r.connection_id, r.environment, n.key_id, n.requested_by
from reseals r
join key_rotations n on n.id = r.rotation_id
where r.reseal_id = any ($1::uuid[])
