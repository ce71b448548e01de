update tokens set revoked_at = $2
where name = $1 and created_by = $3 and revoked_at is null
returning id, role
