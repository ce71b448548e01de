-- What a viewer's role may read: which parts changed, not what they were.
select id, at, principal, token_id, action, correlation_id, parts
from audit
where object_type = 'connection' and object_id = $1 and ($2::bigint is null or id < $2)
order by id desc
limit $3
