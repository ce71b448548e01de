update verifications v
set outcome = 'failed', completed_at = $2, failure = $3
where v.id = any ($1::uuid[])
