update connection_tests t
set outcome = ended.outcome, failure = ended.failure, operator_detail = ended.detail, steps = ended.steps,
    completed_at = clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::jsonb[], $5::text[]) as ended (id, outcome, failure, steps, detail)
where t.id = ended.id and t.outcome = 'pending'
