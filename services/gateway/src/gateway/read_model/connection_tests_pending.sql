-- Past its deadline a test occupies nobody: it only waits for the clock to say so.
select count(*) as pending, extract(epoch from min(deadline) - clock_timestamp())::float8 as seconds
from connection_tests
where requested_by = $1 and outcome = 'pending' and deadline > clock_timestamp()
