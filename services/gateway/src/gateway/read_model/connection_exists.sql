select exists (select from service_connection_profiles where id = $1)
