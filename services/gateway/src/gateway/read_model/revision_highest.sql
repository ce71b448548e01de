select max(revision) from connection_revisions where connection_id = $1
