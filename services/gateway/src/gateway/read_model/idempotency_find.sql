select fingerprint, result from idempotency_keys where token_id = $1 and key = $2 and created_at > $3
