insert into key_rotations (id, key_id, correlation_id, requested_at, requested_by) values ($1, $2, $3, $4, $5)
