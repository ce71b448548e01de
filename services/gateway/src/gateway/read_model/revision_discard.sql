update connection_revisions set discarded_at = $3 where connection_id = $1 and revision = $2
