select config, destination from connection_revisions where connection_id = $1 and revision = $2
