-- All that waits for an answer, and for how many seconds the oldest of it.
select count(*) as pending,
       coalesce(extract(epoch from clock_timestamp() - min(requested_at)), 0)::float8 as seconds
from (
  select requested_at from verifications where outcome = 'pending'
  union all
  select requested_at from connection_tests where outcome = 'pending'
) waiting
