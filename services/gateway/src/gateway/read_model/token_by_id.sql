select id, name, role, environments, created_at, created_by, expires_at, revoked_at, last_used_at
from tokens
where id = $1
