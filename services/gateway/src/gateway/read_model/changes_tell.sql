insert into changes (type, connection_id, environment, version)
select * from unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[])
