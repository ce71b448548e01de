insert into connection_test_steps (test_id, number, name, status, duration_ms, evidence, skipped_because)
select * from unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::float8[], $6::jsonb[], $7::text[])
on conflict (test_id, number) do update
  set name = excluded.name, status = excluded.status, duration_ms = excluded.duration_ms,
      evidence = excluded.evidence, skipped_because = excluded.skipped_because
