insert into tokens (id, name, hash, role, environments, created_at, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
