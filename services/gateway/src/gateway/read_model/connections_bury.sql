update service_connection_profiles set tombstoned_at = $2 where id = any ($1::uuid[])
