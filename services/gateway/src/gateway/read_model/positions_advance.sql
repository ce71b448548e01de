-- Compare and set: a position moves only from where the batch begins. Returns how many did.
with wanted as (
  select * from unnest($3::text[], $4::integer[], $5::bigint[], $6::bigint[]) as w (topic, partition, first, next)
), advanced as (
  insert into positions as p (consumer, cluster_id, topic, partition, next_offset)
  select $1, $2, topic, partition, next from wanted order by topic, partition
  on conflict (consumer, cluster_id, topic, partition) do update
    set next_offset = excluded.next_offset, updated_at = clock_timestamp()
    where p.next_offset = (select w.first from wanted w where w.topic = excluded.topic and w.partition = excluded.partition)
  returning 1
)
select count(*) from advanced
