insert into connection_tests
  (id, environment, kind, connection_id, correlation_id, requested_at, requested_by, deadline)
values ($1, $2, $3, $4, $5, $6, $7, $8)
