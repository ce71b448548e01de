select id, at, principal, token_id, action, correlation_id, parts, before, after
from audit
where object_type = 'connection' and object_id = $1 and ($2::bigint is null or id < $2)
order by id desc
limit $3
