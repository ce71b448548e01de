select id, at, principal, token_id, action, object_type, object_id, environment, correlation_id, parts, before, after
from audit
where ($1::text is null or principal = $1)
  and ($2::text is null or action = $2)
  and ($3::text is null or object_id = $3)
  and ($4::text is null or correlation_id = $4)
  and ($5::timestamptz is null or at >= $5)
  and ($6::timestamptz is null or at < $6)
  and ($7::uuid is null or token_id = $7)
  and ($8::text is null or (object_type = 'connection' and object_id = $8))
  and ($9::bigint is null or id < $9)
order by id desc
limit $10
