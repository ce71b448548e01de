update reseals set outcome = 'failed', completed_at = $2, failure = $3 where outcome = 'pending' and requested_at < $1
