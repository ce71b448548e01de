-- Past its deadline a test occupies nobody: it only waits for the clock to say so.
select count(*) from connection_tests
where requested_by = $1 and outcome = 'pending' and deadline > clock_timestamp()
