insert into verifications
  (id, connection_id, environment, revision, why, correlation_id, requested_at, requested_by, deadline)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
