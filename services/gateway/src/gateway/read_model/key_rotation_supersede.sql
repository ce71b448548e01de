-- A rotation to another key that is still asking gives way.
update key_rotations set asked_at = $1 where asked_at is null
