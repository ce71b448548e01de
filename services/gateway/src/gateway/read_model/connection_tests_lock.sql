select id, outcome, failure ->> 'code' as code, array(select jsonb_object_keys(steps)::integer) as told
from connection_tests
where id = any ($1::uuid[])
order by id
for update
