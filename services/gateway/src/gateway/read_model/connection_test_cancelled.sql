update connection_tests set cancelled_by = $2 where id = $1
