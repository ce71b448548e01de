-- One that ran out and was not purged yet is written over; one that holds is found before.
insert into idempotency_keys (token_id, key, fingerprint, result) values ($1, $2, $3, $4)
on conflict (token_id, key) do update
  set fingerprint = excluded.fingerprint, result = excluded.result, created_at = clock_timestamp()
