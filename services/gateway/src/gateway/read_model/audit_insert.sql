insert into audit (principal, action, object_type, object_id, environment, correlation_id, before, after)
values ($1, $2, $3, $4, $5, $6, $7, $8)
