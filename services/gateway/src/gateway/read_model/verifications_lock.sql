select id, connection_id, environment, outcome, failure ->> 'code' as code,
       array(select jsonb_object_keys(steps)::integer) as told
from verifications
where id = any ($1::uuid[])
order by id
for update
