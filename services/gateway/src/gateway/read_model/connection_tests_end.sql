update connection_tests t
set outcome = ended.outcome, failure = ended.failure, operator_detail = ended.detail, completed_at = clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[]) as ended (id, outcome, failure, detail)
where t.id = ended.id and t.outcome = 'pending'
