-- A notice alone has nothing to lose: not waiting for the disk keeps the lock on notices for an instant.
select set_config('synchronous_commit', 'off', true), pg_notify('clearline_outbox', '')
