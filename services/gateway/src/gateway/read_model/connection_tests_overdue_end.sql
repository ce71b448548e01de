update connection_tests set outcome = 'failed', completed_at = $2, failure = $3, operator_detail = $4
where id = any ($1::uuid[])
