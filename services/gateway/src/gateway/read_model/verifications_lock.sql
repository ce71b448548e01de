select id, connection_id, environment, outcome
from verifications
where id = any ($1::uuid[])
order by id
for update
