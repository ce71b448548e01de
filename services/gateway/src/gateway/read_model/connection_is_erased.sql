select erased_at is not null from service_connection_profiles where id = $1
