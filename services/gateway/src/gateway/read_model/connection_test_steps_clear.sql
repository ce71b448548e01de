delete from connection_test_steps where test_id = any ($1::uuid[])
