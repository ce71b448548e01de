select pg_try_advisory_lock(hashtext('clearline repair'), hashtext($1))
