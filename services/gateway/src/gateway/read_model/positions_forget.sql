delete from positions
where consumer = $1 and cluster_id = $2 and (topic, partition) in (select * from unnest($3::text[], $4::integer[]))
