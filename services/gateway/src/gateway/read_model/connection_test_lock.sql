select environment, connection_id, outcome, cancelled_by from connection_tests where id = $1 for update
