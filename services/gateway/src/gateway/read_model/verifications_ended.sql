select id from verifications where id = any ($1::uuid[]) and outcome <> 'pending'
union all
select id from connection_tests where id = any ($1::uuid[]) and outcome <> 'pending'
