-- Steps that are there stay as they are.
insert into verification_steps (verification_id, environment, number, name, status, duration_ms, evidence, skipped_because)
select * from unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::float8[], $7::jsonb[], $8::text[])
on conflict (verification_id, number) do nothing
