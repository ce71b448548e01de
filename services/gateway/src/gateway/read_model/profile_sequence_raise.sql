update service_connection_profiles set sequence = sequence + 1 where id = $1 returning sequence
