delete from idempotency_keys
where (token_id, key) in (select token_id, key from idempotency_keys where created_at < $1 order by created_at limit $2)
