select id from service_connection_profiles where id = any ($1::uuid[]) and tombstoned_at is not null
