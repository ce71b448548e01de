insert into reseals (connection_id, environment, reseal_id, rotation_id, requested_at) values ($1, $2, $3, $4, $5)
on conflict (connection_id) do update
  set reseal_id = excluded.reseal_id, rotation_id = excluded.rotation_id, requested_at = excluded.requested_at,
      outcome = 'pending', completed_at = null, failure = null
