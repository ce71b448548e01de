select name, role, revoked_at from tokens where id = $1 for update
