-- Until this transaction ends. A statement of its own: what it guards is read by a later one, which sees what its last holder did.
select pg_try_advisory_xact_lock(hashtextextended('idempotency ' || $1::uuid::text || ' ' || $2, 0))
