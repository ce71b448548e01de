select id, connection_id, environment, kind, outcome, correlation_id, requested_at, requested_by, cancelled_by,
       completed_at, failure, operator_detail, steps, requested_at + interval '1 hour' as kept_until
from connection_tests
where id = $1
