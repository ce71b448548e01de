select pg_advisory_xact_lock(hashtextextended('connection tests of ' || $1::text, 0))
