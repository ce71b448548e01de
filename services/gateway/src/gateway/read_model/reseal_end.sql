update reseals set outcome = $2, completed_at = clock_timestamp(), failure = $3 where reseal_id = $1
