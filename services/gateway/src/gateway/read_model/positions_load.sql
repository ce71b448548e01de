select p.topic, p.partition, p.next_offset
from positions p
join unnest($3::text[], $4::integer[]) as wanted (topic, partition) using (topic, partition)
where p.consumer = $1 and p.cluster_id = $2
