select field, key_id, sealed, changed_at
from connection_credentials
where connection_id = $1 and revision = $2
order by field
