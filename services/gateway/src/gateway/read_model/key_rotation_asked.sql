update key_rotations set asked_at = $2 where id = $1
