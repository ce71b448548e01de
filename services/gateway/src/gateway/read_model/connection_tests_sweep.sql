-- Steps go with their test.
delete from connection_tests
where id in (select id from connection_tests where requested_at < $1 order by requested_at limit $2 for update skip locked)
