insert into service_connection_profiles
  (id, name, environment, owner, kind, beat, revision, sequence, created_at, created_by, updated_at, updated_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $10)
