-- What a command brought is kept for a day under its idempotency key; of an erased connection nothing is.

create index idempotency_keys_by_connection on idempotency_keys ((result ->> 'id'));

create function forget_answers() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  delete from public.idempotency_keys where result ->> 'id' = new.id::text;
  return null;
end
$$;
revoke all on function forget_answers() from public;
create trigger erased_is_forgotten after update of erased_at on service_connection_profiles
  for each row when (old.erased_at is null and new.erased_at is not null) execute function forget_answers();
