select connection_id, sequence from connection_sequences
where connection_id = any ($1::uuid[])
order by connection_id
for update
