insert into changes (type, connection_id, environment, version) values ($1, $2, $3, $4)
