select id, name, role, environments, created_at, created_by, expires_at, revoked_at, last_used_at
from tokens
where $1::timestamptz is null or (created_at, id) < ($1, $2::uuid)
order by created_at desc, id desc
limit $3
