select verification_id, name, status, duration_ms, evidence, skipped_because
from verification_steps
where verification_id = any ($1::uuid[])
order by verification_id, number
