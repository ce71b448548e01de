select name, status, duration_ms, evidence, skipped_because from connection_test_steps where test_id = $1 order by number
