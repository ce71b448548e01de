insert into connection_revisions (connection_id, environment, revision, config, destination, created_at, created_by)
values ($1, $2, $3, $4, $5, $6, $7)
