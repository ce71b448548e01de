select id, at, principal, action, object_type, object_id, environment, correlation_id, before, after
from audit
where ($1::text is null or principal = $1)
  and ($2::text is null or action = $2)
  and ($3::text is null or object_id = $3)
  and ($4::text is null or correlation_id = $4)
  and ($5::timestamptz is null or at >= $5)
  and ($6::timestamptz is null or at < $6)
  and ($7::bigint is null or id < $7)
order by id desc
limit $8
