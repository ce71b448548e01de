select id, outcome from connection_tests where id = any ($1::uuid[]) order by id for update
