insert into connection_sequences as s (connection_id, sequence)
select * from unnest($1::uuid[], $2::bigint[]) as seen (connection_id, sequence)
order by connection_id
on conflict (connection_id) do update set sequence = excluded.sequence where s.sequence < excluded.sequence
