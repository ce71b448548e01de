select id, connection_id, environment, outcome, failure ->> 'code' as code
from verifications
where id = any ($1::uuid[])
order by id
for update
