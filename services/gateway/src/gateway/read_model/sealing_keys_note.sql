-- Each key that a stored envelope names, found by one look into the index per key, and the one that requests seal for.
with recursive named as (
  (select key_id from connection_credentials order by key_id limit 1)
  union all
  select (select c.key_id from connection_credentials c where c.key_id > n.key_id order by c.key_id limit 1)
  from named n where n.key_id is not null
), noted as (
  insert into sealing_keys as k (key_id, first_named_at, last_named_at)
  select key_id, $1::timestamptz, $1::timestamptz from named where key_id is not null
  union
  select $2::text, $1::timestamptz, $1::timestamptz where $2::text is not null
  on conflict (key_id) do update set last_named_at = excluded.last_named_at
    where k.last_named_at < excluded.last_named_at - interval '1 minute'
  returning 1
)
select count(*) from noted
