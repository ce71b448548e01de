delete from verification_steps where verification_id = any ($1::uuid[])
