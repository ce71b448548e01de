-- Dated as a verification is (verifications_end.sql).
update connection_tests t
set outcome = ended.outcome, failure = ended.failure, operator_detail = ended.detail, steps = ended.steps,
    completed_at = greatest(t.requested_at, least(ended.told_at, clock_timestamp()))
from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::jsonb[], $5::timestamptz[], $6::text[])
       as ended (id, outcome, failure, steps, told_at, detail)
where t.id = ended.id and t.outcome = 'pending'
