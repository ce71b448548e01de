select id, connection_id, environment, correlation_id, deadline
from verifications
where outcome = 'pending' and deadline < $1
order by deadline
limit $2
for update skip locked
